"""A fleet whose runs are kept in an object store: S3 as moto plays it, on loopback."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import fsspec
import object_store
import pytest
import yaml
from conftest import TINY, as_flags, write_picture
from fleet_helpers import fleet, kill, wait_for
from object_store import BUCKET, Server

import ConSinGAN
from ConSinGAN import launch, lock, saved
from ConSinGAN.errors import ConSinGANError, UsageError
from ConSinGAN.fleet import lease, places, store, store_copy, store_lease
from ConSinGAN.fleet.store import ObjectStore
from ConSinGAN.fleet.store_place import StorePlace
from ConSinGAN.watch.base import Moment, Watcher

pytestmark = [
    # botocore and moto tell of what is to come in Python and their dependencies
    pytest.mark.filterwarnings("ignore::DeprecationWarning:(botocore|aiobotocore|moto)"),
]
FLEET = {"workers": 2, "precision": "fp32", "checkpoint_seconds": 0.1}
BUSY = ("503 Service Unavailable", "ServiceUnavailable", "Please wait")
BROKEN = ("500 Internal Server Error", "InternalError", "Something broke")


class Held:
    """A lease as it is while nobody takes it away."""

    def is_mine(self) -> bool:
        return True


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    """The store; this process and those that it starts use it, and no other."""
    with object_store.running() as found, pytest.MonkeyPatch.context() as patch:
        for name, value in found.environment.items():
            patch.setenv(name, value)
        patch.setitem(fsspec.config.conf, "s3", {"endpoint_url": found.url})
        fsspec.filesystem("s3").call_s3("create_bucket", Bucket=BUCKET)
        yield found
        store._open.cache_clear()


@pytest.fixture
def failing(server: Server) -> Iterator[Server]:
    """The store for a test that lets it fail."""
    yield server
    server.failing = None


@pytest.fixture
def place(server: Server, request: pytest.FixtureRequest, tmp_path: Path) -> StorePlace:
    """A place of the test's own."""
    url = f"s3://{BUCKET}/{request.node.name}"
    made = places.prepare(url, "0123456789abcdef", str(tmp_path / "scratch"))
    assert isinstance(made, StorePlace)
    return made


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


# Leases ------------------------------------------------------------------------------------------


def test_one_at_a_time(place: StorePlace) -> None:
    there = ObjectStore(place.url)
    with store_lease.hold(there, "lease") as held:
        assert held.is_mine()
        with pytest.raises(lease.Taken, match=f"process {os.getpid()} on"):
            store_lease._acquire(store_lease.StoreLease(there, "lease"), 0, 60)
    assert not there.has("lease")


def lay(there: ObjectStore, **other: object) -> None:
    """Somebody's lease."""
    there.write("lease", json.dumps(lease.who_i_am("theirs") | other).encode())


def test_a_lease_of_a_dead_process_or_of_silence_is_taken(place: StorePlace) -> None:
    there = ObjectStore(place.url)
    child = subprocess.Popen([sys.executable, "-c", ""])
    child.wait()
    lay(there, pid=child.pid, started="0")
    start = time.monotonic()
    with store_lease.hold(there, "lease"):
        assert time.monotonic() - start < 5
    lay(there, host="elsewhere")
    with pytest.raises(lease.Taken, match="on elsewhere"):
        store_lease._acquire(store_lease.StoreLease(there, "lease"), 0, 60)
    start = time.monotonic()
    with store_lease.hold(there, "lease", expiry=1.5):
        assert time.monotonic() - start > 1.5


def test_a_lease_is_renewed_and_its_loss_is_seen(
    place: StorePlace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store_lease, "RENEWAL", 0.05)
    there = ObjectStore(place.url)
    with store_lease.hold(there, "lease") as held:
        wait_for(lambda: json.loads(there.read("lease"))["renewals"] > 2)
        assert held.is_mine()
        lay(there)
        time.sleep(0.5)  # a renewal that was under way may have put its own back
        lay(there)
        wait_for(lambda: not held.is_mine())
    assert json.loads(there.read("lease"))["token"] == "theirs"


def test_stores_that_cannot_promise_to_create_have_leases_too(
    failing: Server, place: StorePlace, monkeypatch: pytest.MonkeyPatch
) -> None:
    def failing_(method: str, path: str, environ: dict[str, Any]) -> Any:
        if "HTTP_IF_NONE_MATCH" in environ:
            return "501 Not Implemented", "NotImplemented", "A header is not implemented"
        return None

    failing.failing = failing_
    monkeypatch.setattr(store_lease, "SETTLED", 0.05)
    with store_lease.hold(ObjectStore(place.url), "lease"), pytest.raises(lease.Taken):
        other = store_lease.StoreLease(ObjectStore(place.url), "lease")
        store_lease._acquire(other, 0, 60)


# What is told ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("url", "what"),
    [
        ("s3://nobody-has-this/x", "bucket does not exist"),
        ("s3:///", "lacks the bucket"),
        ("memory://x/y", "no store that many processes"),
        ("nonsense://x/y", "knows no nonsense://"),
        ("simplecache::s3://x/y", "no store that many processes"),
    ],
)
def test_wrong_urls_are_told_in_one_line(server: Server, url: str, what: str) -> None:
    with pytest.raises(UsageError, match=what) as caught:
        places.prepare(url, "mark")
    assert caught.value.option == "output_dir"


def test_wrong_credentials_are_told(failing: Server) -> None:
    refused = ("403 Forbidden", "InvalidAccessKeyId", "The key does not exist in our records")
    failing.failing = lambda *request: refused
    with pytest.raises(UsageError, match="not permitted with these credentials"):
        places.check(f"s3://{BUCKET}/x")


def test_a_missing_package_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "s3fs", None)
    registered = sys.modules["fsspec.registry"]._registry
    monkeypatch.delitem(registered, "s3", raising=False)
    with pytest.raises(UsageError, match="pip install s3fs"):
        places.check("s3://bucket/x")


def test_a_store_out_of_reach_is_told_by_the_command(
    script: Callable[..., Any], monkeypatch: pytest.MonkeyPatch, picture_file: Path, server: Server
) -> None:
    from ConSinGAN.fleet import __main__

    monkeypatch.setitem(fsspec.config.conf, "s3", {"endpoint_url": "http://127.0.0.1:9"})
    monkeypatch.setattr(store, "_open", store._open.__wrapped__)
    start = time.monotonic()
    outcome = script(__main__, "train", picture_file, "--output_dir", f"s3://{BUCKET}/x")
    assert time.monotonic() - start < 30
    assert outcome.code == 2 and len(outcome.err.splitlines()) == 1
    assert f"--output_dir s3://{BUCKET}/x: cannot be used: Could not connect" in outcome.err
    outcome = script(__main__, "train", picture_file, "--output_dir", "runs", "--scratch", "x")
    assert outcome.code == 2 and "--scratch is for an --output_dir in an object" in outcome.err


def test_who_does_not_answer_is_not_waited_for() -> None:
    with pytest.raises(OSError, match="no answer"):
        store.within(0.1, lambda: time.sleep(1), "s3://x")


def test_a_machine_knows_whether_it_sees_the_store(
    failing: Server, place: StorePlace, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert place.blind() is None
    assert "sees another store" in str(replace_mark(place).blind())
    monkeypatch.setattr("ConSinGAN.fleet.store_place.PATIENCE", 0.1)
    failing.failing = lambda *request: BROKEN
    assert f"does not reach {place.url} (" in str(place.blind())


def replace_mark(place: StorePlace) -> StorePlace:
    return StorePlace(place.url, "another mark", place.scratch)


def test_a_file_url_is_a_folder(tmp_path: Path) -> None:
    place = places.prepare(f"file://{tmp_path}/runs", "mark")
    assert place.address == f"{tmp_path}/runs"
    assert (tmp_path / "runs/.fleet/id").read_text() == "mark"


def test_errors_name_the_run_and_not_the_scratch_folder(place: StorePlace) -> None:
    with (
        pytest.raises(ConSinGANError, match=f"the checkpoint stays in {place.url}/run$"),
        place.at_hand("run", Held(), pytest.fail) as path,
    ):
        raise ConSinGANError(f"the checkpoint stays in {path}")
    with (
        pytest.raises(ConSinGANError, match=r"^scratch: .*reals: No space left on device; the"),
        place.at_hand("run", Held(), pytest.fail) as path,
    ):
        full = OSError(28, "No space left on device", str(path / "reals"))
        raise ConSinGANError("a hint that does not help") from full
