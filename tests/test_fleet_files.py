"""What a fleet writes down, the names that it gives, and the leases that it holds."""

from __future__ import annotations

import json
import logging
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
from conftest import ROOT, paint, write_picture

from ConSinGAN.errors import UsageError
from ConSinGAN.fleet import lease
from ConSinGAN.fleet.ledger import Ledger, check_same, name_pictures
from ConSinGAN.fleet.place import FolderPlace
from ConSinGAN.fleet.train import absolute, find
from ConSinGAN.fleet.view import View, clock

# Names ----------------------------------------------------------------------------------------


def test_pictures_with_the_same_stem_get_names_of_their_own() -> None:
    paths = [Path(p) for p in ("/a/tower.png", "/b/tower.jpg", "/b/Tower.png", "/c/.png", "/d/x.")]
    names = name_pictures(paths, {})
    assert list(names) == ["tower", "tower_2", "Tower_3", "png", "x."] or list(names)[:3] == [
        "tower", "tower_2", "Tower_3",
    ]  # fmt: skip
    assert len({name.casefold() for name in names}) == 5
    assert not any(name.startswith(".") for name in names)


def test_names_stay_when_pictures_come_and_go() -> None:
    known = {"/b/tower.png": "tower"}
    names = name_pictures([Path("/a/tower.png"), Path("/b/tower.png")], known)
    assert names == {"tower_2": Path("/a/tower.png"), "tower": Path("/b/tower.png")}


def test_no_run_takes_the_ledgers_name() -> None:
    assert list(name_pictures([Path("/a/fleet.yaml.png")], {})) == ["fleet.yaml_2"]


def test_folders_patterns_and_names(tmp_path: Path) -> None:
    from PIL import Image

    for name in ("b10.png", "b2.png", "sub/c.jpg", ".hidden/d.png", "e.txt"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        Image.fromarray(paint(8, 8)).save(tmp_path / name, "png")
    inside = ["b2.png", "b10.png", "sub/c.jpg"]
    assert find([str(tmp_path)]) == [tmp_path / name for name in inside]
    assert find([str(tmp_path / "b*.png")]) == [tmp_path / name for name in inside[:2]]
    assert find([str(tmp_path / "e.txt"), str(tmp_path / "e.txt")]) == [tmp_path / "e.txt"]
    assert find([str(tmp_path / "**/c.*")]) == [tmp_path / "sub/c.jpg"]


def test_paths_mean_the_same_elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    typed = {"naive_img": "n.png", "config": "c.yaml", "mask": "/m.png", "niter": 3}
    assert absolute(typed) == {
        "naive_img": f"{tmp_path}/n.png", "config": f"{tmp_path}/c.yaml", "mask": "/m.png",
        "niter": 3,
    }  # fmt: skip


# The ledger -----------------------------------------------------------------------------------


def test_what_is_written_is_read(tmp_path: Path) -> None:
    ledger = Ledger(FolderPlace(tmp_path), "train", {"flags": {"niter": 3}, "seed": 4})
    ledger.entries = {"a": {"picture": "/a.png", "state": "failed", "why": "ünlucky: x"}}
    ledger.write(at_once=True)
    again = Ledger.read(FolderPlace(tmp_path))
    assert again is not None
    assert again.entries == ledger.entries
    assert again.about["flags"] == {"niter": 3}
    assert again.about["seed"] == 4
    assert again.failed() == {"a": "ünlucky: x"}
    assert Ledger.read(FolderPlace(tmp_path / "no")) is None


@pytest.mark.parametrize(
    "text", ["a: [", "3", "format: 9", "format: 1\nruns: [1]", "\0", "format: 1\nruns: {../x: {}}"]
)
def test_a_damaged_ledger_is_one_line(tmp_path: Path, text: str) -> None:
    (tmp_path / "fleet.yaml").write_text(text)
    with pytest.raises(UsageError, match="move it away"):
        Ledger.read(FolderPlace(tmp_path))


def test_writing_is_held_back(tmp_path: Path) -> None:
    ledger = Ledger(FolderPlace(tmp_path), "train", {})
    ledger.write(at_once=True)
    ledger.entries = {"a": {"state": "done"}}
    ledger.write()
    assert "done" not in (tmp_path / "fleet.yaml").read_text()
    ledger.write(at_once=True)
    assert "done" in (tmp_path / "fleet.yaml").read_text()


def test_a_full_disk_does_not_end_a_fleet(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device", "there")

    monkeypatch.setattr("ConSinGAN.fleet.place.write_atomic", full)
    ledger = Ledger(FolderPlace(tmp_path), "train", {})
    for _ in range(3):
        ledger.write(at_once=True)
    assert [record.message for record in caplog.records] == [
        "there: No space left on device; the fleet goes on"
    ]


def test_flags_are_compared(caplog: pytest.LogCaptureFixture) -> None:
    path = "D/fleet.yaml"
    check_same({"niter": 3}, {"niter": 3}, path)
    with pytest.raises(UsageError, match=r"niter was 3 when D/fleet.yaml was begun, and is 4 now"):
        check_same({"niter": 3}, {"niter": 4}, path)
    with pytest.raises(UsageError, match=r"nfc was not given .* and is 8 now"):
        check_same({"niter": 3}, {"niter": 3, "nfc": 8}, path)
    with pytest.raises(UsageError, match="draft was True"):
        check_same({"draft": True}, {}, path)
    with caplog.at_level(logging.INFO, "ConSinGAN"):
        check_same({}, {"checkpoint_seconds": 5.0}, path)
    assert "--checkpoint_seconds was not given last time and is 5.0" in caplog.text


# Leases ---------------------------------------------------------------------------------------

HOLDER = """
import sys, time
from pathlib import Path
from ConSinGAN.fleet import lease
held = lease.acquire(Path(sys.argv[1]), 0)
print("held", flush=True)
for _ in range(600):
    time.sleep(0.05)
    held.is_mine()
"""


@pytest.fixture
def holder(tmp_path: Path) -> subprocess.Popen[str]:
    """Another process that holds the lease `tmp_path/name`."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLDER, tmp_path / "name"], cwd=ROOT, stdout=subprocess.PIPE,
        text=True,
    )  # fmt: skip
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    yield process
    process.kill()
    process.communicate()


def test_one_holds_it_and_the_next_when_it_is_given_back(tmp_path: Path) -> None:
    path = tmp_path / "leases/name"
    with lease.hold(path) as mine:
        assert mine.is_mine()
        with pytest.raises(lease.Taken, match=f"process {os.getpid()} on "):
            lease.acquire(path, 0)
    assert not path.exists()
    with lease.hold(path, 0):
        pass
    assert not list(path.parent.iterdir())


def test_a_dead_process_holds_nothing(tmp_path: Path, holder: subprocess.Popen[str]) -> None:
    with pytest.raises(lease.Taken, match=f"process {holder.pid} on "):
        lease.acquire(tmp_path / "name", 0.3)
    holder.kill()
    holder.wait()
    start = time.monotonic()
    assert lease.acquire(tmp_path / "name", 5).is_mine()
    assert time.monotonic() - start < 2


def elsewhere(path: Path) -> None:
    """Let a lease look as if a process of another machine held it."""
    content = json.loads(path.read_text()) | {"host": "elsewhere", "pid": 1}
    path.write_text(json.dumps(content))


def test_another_machines_lease_expires_when_nobody_touches_it(tmp_path: Path) -> None:
    path = tmp_path / "name"
    old = lease.acquire(path, 0)
    elsewhere(path)
    with pytest.raises(lease.Taken, match="process 1 on elsewhere"):
        lease.acquire(path, 0.5, expiry=5)
    new = lease.acquire(path, 5, expiry=0.5)
    assert new.is_mine()
    assert not old.is_mine()
    old.release()  # of the new one's nothing
    assert new.is_mine()


def test_a_touched_lease_does_not_expire(
    tmp_path: Path, holder: subprocess.Popen[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """However old its clock says that it is."""
    path = tmp_path / "name"
    monkeypatch.setattr(lease, "is_gone", lambda content: False)
    for hours in range(1, 4):
        os.utime(path, (time.time() - hours * 3600,) * 2)
        with pytest.raises(lease.Taken):
            lease.acquire(path, 0.5, expiry=0.4 if hours > 3 else 2)


def test_holding_keeps_it_young(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lease, "TOUCH", 0.0)
    mine = lease.acquire(tmp_path / "name", 0)
    os.utime(tmp_path / "name", (1000, 1000))
    assert mine.is_mine()
    assert (tmp_path / "name").stat().st_mtime > 2000


def test_a_file_system_without_hard_links(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(os, "link", refuse)
    with lease.hold(tmp_path / "name", 0) as mine:
        assert mine.is_mine()
        with pytest.raises(lease.Taken):
            lease.acquire(tmp_path / "name", 0)
    assert not list(tmp_path.iterdir())


def test_many_at_once_one_at_a_time(tmp_path: Path) -> None:
    """Eight processes add one to a number under the lease, 20 times each."""
    code = """
import sys
from pathlib import Path
from ConSinGAN.fleet import lease
lease.POLL = 0.001
folder = Path(sys.argv[1])
for _ in range(20):
    with lease.hold(folder / "name", 60):
        number = int((folder / "number").read_text())
        (folder / "number").write_text(str(number + 1))
"""
    (tmp_path / "number").write_text("0")
    command = [sys.executable, "-c", code, tmp_path]
    running = [subprocess.Popen(command, cwd=ROOT) for _ in range(8)]
    assert [process.wait(120) for process in running] == [0] * 8
    assert (tmp_path / "number").read_text() == "160"


# The place ------------------------------------------------------------------------------------


def test_a_place_is_known_by_its_mark(tmp_path: Path) -> None:
    place = FolderPlace.prepare(tmp_path / "out", "abc")
    assert place.blind() is None
    assert FolderPlace.prepare(tmp_path / "out", "other").mark == "abc"
    (tmp_path / "out/.fleet/id").write_text("another folder of that name")
    assert "does not see" in str(place.blind())
    assert "mount it" in str(FolderPlace(tmp_path / "no", "abc").blind())


def test_a_place_that_cannot_be_made_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(UsageError, match=r"output_dir .* cannot be used: Not a directory"):
        FolderPlace.prepare(tmp_path / "file/out", "abc")


def test_two_fleets_in_one_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lease, "EXPIRY", 0.2)
    place = FolderPlace.prepare(tmp_path, "abc")
    with place.driving(), pytest.raises(UsageError, match="another fleet is at work"):
        place.driving().__enter__()


def test_only_unfinished_folders_are_swept(tmp_path: Path) -> None:
    for name in (".0123456789abcdef", ".fleet", ".0123456789abcdeg", "0123456789abcdef", "run"):
        (tmp_path / name).mkdir()
    FolderPlace(tmp_path).sweep_leftovers()
    left = {path.name for path in tmp_path.iterdir()}
    assert left == {".fleet", ".0123456789abcdeg", "0123456789abcdef", "run"}


# The view -------------------------------------------------------------------------------------


def test_the_view_in_plain_lines(caplog: pytest.LogCaptureFixture) -> None:
    running = {
        f"p{i}": {"where": "stage 2/6, 5/9", "left": 61.0, "fraction": 0.5} for i in range(6)
    }
    with caplog.at_level(logging.INFO, "ConSinGAN"), View("training", 10, 2) as view:
        view.ended("a", "done", "")
        view.ended("b", "failed", "no picture")
        text = view.line(running)
    assert "done: a (3/10)" in caplog.text
    assert "failed: b: no picture" in caplog.text
    assert text.startswith("training: 3/10 done, 1 failed; running: p0 stage 2/6, 5/9, 1:01 left; ")
    assert "and 2 more; about 0:00 left" in text


def test_clock() -> None:
    assert [clock(s) for s in (0, 61.4, 3723, -5)] == ["0:00", "1:01", "1:02:03", "0:00"]


# Ray --------------------------------------------------------------------------------------------


def test_without_ray_one_line_says_what_to_install(tmp_path: Path) -> None:
    code = (
        "import sys; sys.modules['ray'] = None\n"
        "sys.argv = ['fleet', 'train', sys.argv[1], '--output_dir', sys.argv[2]]\n"
        "from ConSinGAN.fleet.__main__ import run\n"
        "sys.exit(run())\n"
    )
    picture, out = write_picture(tmp_path / "picture.png"), tmp_path / "out"
    done = subprocess.run(
        [sys.executable, "-c", code, picture, out], cwd=ROOT, capture_output=True, text=True,
        check=False,
    )  # fmt: skip
    assert done.returncode == 2
    assert "pip install 'ray[tune]'" in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert not out.exists()
