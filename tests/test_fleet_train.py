"""A model of every picture of a folder: the same bits as one by one, through every kill."""

from __future__ import annotations

import random
import re
import signal
import time
from pathlib import Path

import pytest
from conftest import write_picture
from fleet_helpers import (
    SMALL,
    begin,
    compare,
    finishing,
    fleet,
    kill,
    ledger,
    loopback,
    paint_folder,
    session_of,
    sockets_after_closing,
    sockets_of,
    states,
    trained_alone,
    wait_for,
    words_of,
    workers,
)

pytest.importorskip("ray")
NUMBER = 3
LONG = 150  # iterations a stage: some seconds a run, so that it is there to be killed


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return paint_folder(tmp_path_factory.mktemp("fleet") / "pictures", NUMBER)


@pytest.fixture(scope="module")
def alone(pictures: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Two of the pictures trained by themselves."""
    folder, chosen = tmp_path_factory.mktemp("alone"), sorted(pictures.iterdir())[:2]
    return {path.stem: trained_alone(path, folder, niter=LONG) for path in chosen}


def train_words(pictures: Path, out: Path, **more: object) -> list[str]:
    options = {"output_dir": out, "workers": 2} | SMALL | more
    return ["train", str(pictures), *words_of(options)]


def resumed_at(run: Path) -> list[tuple[int, int]]:
    """Stages and iterations at which a run was gone on with."""
    text = (run / "run.log").read_text()
    found = re.findall(r"resuming at stage (\d+), iteration (\d+)", text)
    return [(int(stage), int(iteration)) for stage, iteration in found]


@pytest.mark.fleet
def test_the_same_bits_as_one_by_one_whoever_is_killed(
    pictures: Path, alone: dict[str, Path], tmp_path: Path
) -> None:
    """Workers are killed at random, then the driver, then it is stopped by Ctrl-C, then it ends."""
    out, rng, kills = tmp_path / "out", random.Random(3), 0
    words = train_words(pictures, out, niter=LONG)
    with finishing(begin(*words)) as driver:
        while kills < 4:
            wait_for(lambda: workers(out))
            time.sleep(rng.uniform(0.2, 1.0))
            if there := list(workers(out).values()):
                kill(rng.choice(there))
                kills += 1
        wait_for(lambda: workers(out))
        kill(board_of(driver.pid))
        time.sleep(0.5)
        driver.kill()
        wait_for(lambda: not workers(out))  # they do not outlive it
    with finishing(begin(*words)) as driver:
        wait_for(lambda: session_of(driver.pid) & set(workers(out).values()))
        driver.send_signal(signal.SIGINT)
        _, err = driver.communicate(timeout=60)
        assert driver.returncode == 130, err
        assert "goes on" in err
        assert "Traceback" not in err
    assert not workers(out)
    for name, state in states(out).items():
        if state == "stopped":
            assert (out / name / "checkpoint.safetensors").exists()
    code, said, err = fleet(*words)
    assert code == 0, err
    assert said == f"done: {NUMBER} models in {out}\n"
    assert set(states(out).values()) == {"done"}
    for name, run in alone.items():
        compare(run, out / name)
        assert resumed_at(out / name) == sorted(resumed_at(out / name))
        # A checkpoint after every iteration: of each attempt, one at most was lost.
        entry = ledger(out)["runs"][name]
        total = LONG * SMALL["train_stages"]
        assert entry["iterations"] <= total + entry["attempts"]
    assert max(at for name in alone for at in resumed_at(out / name)) > (1, 0)
    assert not list((out / ".fleet/leases").iterdir())

    before = time.monotonic()
    code, _, err = fleet(*words)  # nothing is left to do
    assert code == 0, err
    assert time.monotonic() - before < 60
    assert "resuming" not in err

    code, _, err = fleet(*train_words(pictures, out, niter=LONG + 1))
    assert code == 2
    assert f"--niter was {LONG}" in err and f"is {LONG + 1} now" in err and "--output_dir" in err


@pytest.mark.fleet
def test_what_is_bad_fails_alone_and_is_named(tmp_path: Path) -> None:
    """Three bad files, one that diverges, one that cannot be written."""
    pictures, out = paint_folder(tmp_path / "pictures", 2), tmp_path / "out"
    (pictures / "empty.png").write_bytes(b"")
    (pictures / "text.jpg").write_text("this is no picture")
    whole = (pictures / "picture0.png").read_bytes()
    (pictures / "cut.png").write_bytes(whole[: len(whole) // 2])
    (pictures / "notes.txt").write_text("not meant")
    write_picture(pictures / "occupied.png", 32, 40, seed=9)
    (out / "occupied").mkdir(parents=True)
    (out / "occupied/mine.txt").write_text("keep this")
    code, said, err = fleet(*train_words(pictures, out, niter=4))
    assert code == 1
    assert said == ""
    found = states(out)
    assert {name for name, state in found.items() if state == "done"} == {"picture0", "picture1"}
    assert {n for n, s in found.items() if s == "failed"} == {"empty", "text", "cut", "occupied"}
    for name in ("empty", "text", "cut", "occupied"):
        line = next(line for line in err.splitlines() if line.startswith(f"failed: {name}: "))
        assert str(out / name if name == "occupied" else pictures / name) in line
        assert ledger(out)["runs"][name]["why"] in line
    assert "2 of 6 are done, 4 failed" in err
    assert (out / "occupied/mine.txt").read_text() == "keep this"
    (pictures / "empty.png").write_bytes(whole)  # mended
    (out / "occupied/mine.txt").unlink()
    code, _, err = fleet(*train_words(pictures, out, niter=4))
    assert code == 1
    assert states(out)["empty"] == states(out)["occupied"] == "done"
    assert ledger(out)["runs"]["empty"].get("why") is None


@pytest.mark.fleet
def test_runs_that_diverge_fail_with_their_line(tmp_path: Path) -> None:
    pictures, out = paint_folder(tmp_path / "pictures", 2), tmp_path / "out"
    code, _, err = fleet(*train_words(pictures, out, lr_g=1e9, lr_d=1e9, niter=30))
    assert code == 1
    assert set(states(out).values()) == {"failed"}
    assert err.count("not finite") >= 2


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["{no}"], "there is no such file"),
        (["{no}/*.png"], "no picture is there"),
        (["{empty}"], "no picture is there"),
        (["{pictures}", "--niter", "0"], "--niter must be at least 1"),
        (["{pictures}", "--workers", "0"], "--workers must be at least 1"),
        (["{pictures}", "--threads_per_run", "0"], "--threads_per_run must be at least 1"),
        (["{pictures}", "--threads", "2"], "--threads is not for a fleet"),
        (["{pictures}", "--input_name", "x.png"], "--input_name is not for a fleet"),
        (["{pictures}", "--address", "here"], "--address takes auto or HOST:PORT"),
        (["{pictures}", "--address", "127.0.0.1:9"], "no Ray cluster answers"),
        (["{pictures}", "--gpus_per_run", "nan"], "--gpus_per_run must be finite"),
        (["{pictures}", "--factor", "2"], "--factor is an option of"),
        (["{pictures}", "--config", "{no}"], "cannot be read"),
    ],
)
def test_bad_input_is_one_line(pictures: Path, tmp_path: Path, words: list[str], said: str) -> None:
    (tmp_path / "empty").mkdir()
    places = {"no": tmp_path / "no", "empty": tmp_path / "empty", "pictures": pictures}
    typed = [word.format(**places) for word in words]
    code, out, err = fleet("train", *typed, "--output_dir", tmp_path / "out")
    assert code == 2, err
    assert said in err
    assert len(err.splitlines()) == 1, err
    assert out == ""
    assert not (tmp_path / "out").exists()


@pytest.mark.fleet
def test_nothing_listens_outside_and_nothing_is_asked(pictures: Path, tmp_path: Path) -> None:
    """The kernel's table of sockets, while a fleet is at work."""
    out, seen, bad = tmp_path / "out", set(), set()
    with finishing(begin(*train_words(pictures, out))) as driver:
        while driver.poll() is None:
            for local, remote, listens in sockets_of(session_of(driver.pid)):
                seen.add(listens)
                if not loopback(local) or not (listens or loopback(remote)):
                    bad.add((local, remote, listens))
            bad |= {line for line in sockets_after_closing() if line}
            time.sleep(0.02)
        _, err = driver.communicate()
        assert driver.returncode == 0, err
    assert seen == {True, False}  # there was something to look at
    assert not bad


def board_of(pid: int) -> int:
    """The process of a fleet's board."""
    for process in session_of(pid):
        name = Path(f"/proc/{process}/cmdline").read_bytes()
        if name.startswith(b"ray::Board"):
            return process
    raise AssertionError("no board")
