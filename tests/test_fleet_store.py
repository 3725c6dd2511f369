"""A fleet whose runs are kept in an object store: S3 as moto plays it, on loopback."""

from __future__ import annotations

import hashlib
import json
import re
import shutil
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml
from conftest import TINY, as_flags, write_picture
from fleet_helpers import fleet, kill, wait_for
from object_store import BROKEN, BUCKET, BUSY, Held, Server

import ConSinGAN
from ConSinGAN import launch, lock, saved
from ConSinGAN.errors import ConSinGANError, UsageError
from ConSinGAN.fleet import store_copy
from ConSinGAN.fleet.store import ObjectStore
from ConSinGAN.fleet.store_place import StorePlace
from ConSinGAN.watch.base import Moment, Watcher

pytest_plugins = ["object_store_fixtures"]
pytestmark = [
    # botocore and moto tell of what is to come in Python and their dependencies
    pytest.mark.filterwarnings("ignore::DeprecationWarning:(botocore|aiobotocore|moto)"),
]
FLEET = {"workers": 2, "precision": "fp32", "checkpoint_seconds": 0.1}


def objects(url: str) -> dict[str, bytes]:
    """All that lies below a URL, by name."""
    there = ObjectStore(url)
    return {name: there.read(name) for name in there.sizes("")}


def weights(files: Mapping[str, bytes]) -> dict[str, str]:
    """Checksums of what is the same in every run with these flags."""
    return {
        name: hashlib.sha256(data).hexdigest()
        for name, data in files.items()
        if name.endswith((".safetensors", "sample_sheet.png"))
    }


def files(folder: Path) -> dict[str, bytes]:
    """All files of a run in a folder, by name."""
    return {
        p.relative_to(folder).as_posix(): p.read_bytes() for p in folder.rglob("*") if p.is_file()
    }


# The whole -------------------------------------------------------------------------------------


@pytest.mark.fleet
def test_runs_are_kept_in_the_store_and_survive_their_worker(
    failing: Server, tmp_path: Path
) -> None:
    """Two pictures; one's worker is killed; both end with the bits of runs in folders."""
    url, niter = f"s3://{BUCKET}/fleet", 200
    pictures, scratch = tmp_path / "pictures", tmp_path / "scratch"
    pictures.mkdir()
    for seed, name in enumerate(("a b.png", "c.png")):
        write_picture(pictures / name, seed=seed)
    options = TINY | FLEET | {"niter": niter, "scratch": str(scratch), "output_dir": url}
    words = ["train", pictures, *as_flags(options)]
    killed: list[int] = []

    def not_finished_before(method: str, path: str, environ: object) -> Any:
        return BUSY if path.endswith("/a b/sample_sheet.png") and not killed else None

    def kill_one() -> None:
        wait_for(lambda: failing.asked("PUT", "/a b/config.yaml"))  # the checkpoint is there
        pid = json.loads(ObjectStore(url).read(".fleet/leases/a b"))["pid"]
        kill(pid)
        killed.append(pid)

    failing.failing = not_finished_before
    killer = threading.Thread(target=kill_one, daemon=True)
    killer.start()
    code, _, err = fleet(*words)
    assert code == 0, err
    assert killed
    ledger = yaml.safe_load(ObjectStore(url).read("fleet.yaml"))
    assert ledger["state"] == {"done": 2}
    again = ledger["runs"]["a b"]
    assert again["attempts"] == 2
    kept = objects(f"{url}/a b")
    resumed = re.findall(r"resuming at stage (\d+), iteration (\d+)", kept["run.log"].decode())
    assert len(resumed) == 1 and resumed[0] != ("1", "0")
    stage, iteration = map(int, resumed[0])
    rest = 2 * niter - (stage - 1) * niter - iteration
    assert rest <= again["iterations"] < rest + 2 * niter
    assert not [name for name in kept if name.startswith("checkpoint")]
    assert not [*scratch.rglob("*")]
    for name in ("a b", "c"):
        alone = ConSinGAN.train(
            **TINY | {"niter": niter}, precision="fp32", threads=1,
            input_name=str(pictures / f"{name}.png"), output_dir=str(tmp_path / "alone"),
        )  # fmt: skip
        assert weights(objects(f"{url}/{name}")) == weights(files(alone))

    before = failing.asked("PUT", ".safetensors")
    code, _, err = fleet(*words)
    assert code == 0, err
    assert failing.asked("PUT", ".safetensors") == before
    code, _, err = fleet(*words, "--lr_g", 0.1)
    assert code == 2
    assert "--lr_g" in err and f"{url}/fleet.yaml" in err


# What lies in the store --------------------------------------------------------------------------


class Recorder(ObjectStore):
    """A store that remembers what lay in it after every change."""

    def __init__(self, url: str) -> None:
        super().__init__(url)
        self.states: list[dict[str, bytes]] = [{}]

    def write(self, name: str, data: bytes) -> None:
        super().write(name, data)
        self.states.append(self.states[-1] | {name: data})

    def remove(self, name: str) -> None:
        super().remove(name)
        self.states.append({n: data for n, data in self.states[-1].items() if n != name})


def test_whenever_a_machine_dies_the_store_holds_a_whole_run_or_none(
    server: Server, tmp_path: Path, picture_file: Path
) -> None:
    recorder, path = Recorder(f"s3://{BUCKET}/order"), tmp_path / "trained"
    copy = store_copy.Copy(recorder, "run", path, set(), lambda: True, pytest.fail)

    class Saving(Watcher):
        def iteration(self, moment: Moment, terms: object) -> None:
            copy.save()

    flags = TINY | {"input_name": str(picture_file), "checkpoint_seconds": 0, "threads": 1}
    launch.train(flags, [Saving()], path)
    copy.finish()
    whole = weights(files(path))
    assert weights({n.removeprefix("run/"): d for n, d in recorder.states[-1].items()}) == whole
    runs = [state for state in recorder.states if "run/config.yaml" in state]
    assert len(runs) > 8
    for number, state in enumerate(runs):
        folder = tmp_path / str(number)
        for name, data in state.items():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_bytes(data)
        ConSinGAN.resume(folder / "run")
        assert weights(files(folder / "run")) == whole, f"after request {number}"


def begin(path: Path, checkpoint: bytes = b"one") -> None:
    """Files as a run in progress has them."""
    path.mkdir()
    (path / saved.CONFIG).write_bytes(b"settings")
    (path / "run.log").write_bytes(b"said")
    (path / ".lock").touch()
    replace(path, checkpoint)


def replace(path: Path, checkpoint: bytes) -> None:
    """A new checkpoint, as training puts it in place."""
    (path / "new").write_bytes(checkpoint)
    (path / "new").replace(path / store_copy.CHECKPOINT)


def end(path: Path) -> None:
    """The run is finished."""
    (path / "0").mkdir(exist_ok=True)
    (path / "0/netG.safetensors").write_bytes(b"weights")
    (path / store_copy.CHECKPOINT).unlink()


FINISHED = {"config.yaml": b"settings", "run.log": b"said", "0/netG.safetensors": b"weights"}


def breaking(end: str, times: float = float("inf"), failure: Any = BROKEN) -> Callable[..., Any]:
    """Lets the store refuse to take objects whose path has this end, so many times."""
    left = [times]

    def failing(method: str, path: str, environ: object) -> Any:
        if method == "PUT" and path.endswith(end) and left[0] > 0:
            left[0] -= 1
            return failure
        return None

    return failing


def test_checkpoints_are_stored_as_they_come_and_a_failure_ends_nothing(
    failing: Server, place: StorePlace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store_copy, "LOOK", 0.05)
    said: list[str] = []
    with place.at_hand("a #1?", Held(), said.append) as path:
        assert not path.exists()
        failing.failing = breaking("/checkpoint.safetensors")
        begin(path)
        wait_for(lambda: said)
        assert not place.has("a #1?")
        failing.failing = None
        replace(path, b"two")
        wait_for(lambda: place.has("a #1?"))
        assert objects(f"{place.url}/a #1?")["checkpoint.safetensors"] == b"two"
        end(path)
    assert len(said) == 1
    assert "checkpoint could not be stored" in said[0] and "Something broke" in said[0]
    assert objects(f"{place.url}/a #1?") == FINISHED
    assert not path.exists()


def test_what_was_stored_is_at_hand_again(place: StorePlace) -> None:
    with pytest.raises(ZeroDivisionError), place.at_hand("run", Held(), pytest.fail) as path:
        begin(path)
        raise ZeroDivisionError
    with place.at_hand("run", Held(), pytest.fail) as path:
        assert (path / store_copy.CHECKPOINT).read_bytes() == b"one"
        end(path)
    fetched = place.fetch("run")
    assert files(fetched) == FINISHED
    place.discard(fetched)
    assert not fetched.exists()
    with pytest.raises(UsageError, match="there is no run"):
        place.fetch("ru")


def test_nothing_is_stored_by_who_lost_the_lease(place: StorePlace) -> None:
    class Lost:
        def is_mine(self) -> bool:
            return False

    with pytest.raises(ZeroDivisionError), place.at_hand("run", Lost(), pytest.fail) as path:
        begin(path)
        raise ZeroDivisionError
    assert not place.has("run")


def test_the_end_of_a_run_waits_for_a_store_that_fails_for_the_moment(
    failing: Server, place: StorePlace
) -> None:
    failing.failing = breaking("/run.log", 3, BUSY)
    with place.at_hand("run", Held(), pytest.fail) as path:
        begin(path)
        end(path)
    assert objects(f"{place.url}/run") == FINISHED


def test_a_run_that_cannot_be_stored_is_kept(
    failing: Server, place: StorePlace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ConSinGAN.fleet.store_place.PATIENCE", 0.1)
    failing.failing = breaking("/config.yaml")
    with (
        pytest.raises(ConSinGANError, match="trained, but could not be stored") as caught,
        place.at_hand("run", Held(), pytest.fail) as path,
    ):
        begin(path)
        end(path)
    assert f"kept in {path}" in str(caught.value)
    failing.failing = None
    with place.at_hand("run", Held(), pytest.fail) as other:
        begin(other)
        end(other)
    assert files(path).keys() >= FINISHED.keys()


def test_a_scratch_folder_whose_process_was_killed_is_removed(place: StorePlace) -> None:
    with place.at_hand("run", Held(), pytest.fail) as path:
        begin(path)
        end(path)
        left = path.parent.with_name("run.abcd1234")
        other, busy = left.with_name("run.b.abcd1234"), left.with_name("run.busy5678")
        for folder in (left, other, busy):
            shutil.copytree(path, folder / "run")
    with lock.hold(busy), place.at_hand("run", Held(), pytest.fail) as path:
        assert not left.exists()
        assert other.exists() and busy.exists()


def test_names_that_lead_out_of_a_run_are_refused(
    place: StorePlace, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    place.write("run/config.yaml", b"settings")
    for name in ("../../evil", "/evil", "a//b", "x\\evil"):
        monkeypatch.setattr(ObjectStore, "sizes", lambda *a, n=name: {"config.yaml": 8, n: 8})
        with pytest.raises(UsageError, match="refused"):
            place.fetch("run")
