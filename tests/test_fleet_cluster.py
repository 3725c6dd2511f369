"""The engine with stand-ins for trainings, and a cluster of two nodes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from conftest import ROOT
from fleet_helpers import (
    SMALL,
    begin,
    compare,
    finishing,
    ledger,
    paint_folder,
    states,
    trained_alone,
    wait_for,
    words_of,
)

pytest.importorskip("ray")
pytestmark = pytest.mark.fleet
SECRET = {
    "RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": "0123456789abcdef" * 4,
    "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0",
}  # fmt: skip


def stand_ins(case: str, folder: Path, *more: str, **environment: str) -> dict[str, Any]:
    """What one case of the stand-ins says."""
    done = subprocess.run(
        [sys.executable, ROOT / "tests/fleet_standins.py", case, folder, *more],
        capture_output=True, text=True, timeout=240, check=False, env=os.environ | environment,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "\n" not in done.stdout.strip()  # nothing of Ray's
    return json.loads(done.stdout)


def test_every_ending(tmp_path: Path) -> None:
    found = stand_ins("endings", tmp_path)
    assert found["good"]["state"] == "done"
    assert found["good"]["facts"]["threads"] == "3"
    assert found["fails"]["why"] == "--niter is wrong"
    assert found["disk"]["why"] == "/there: No space left on device"
    assert found["bug"]["why"] == "a bug: ZeroDivisionError: nobody thought of that"
    assert "stand_in" in found["bug"]["details"]
    assert found["dies once"]["state"] == "done"
    assert found["dies once"]["facts"]["tries"] == found["dies once"]["facts"]["attempts"] == 2
    assert found["dies"]["state"] == "failed"
    assert "died 8 times in a row" in found["dies"]["why"]
    assert (tmp_path / "dies").read_text() == "8"


def test_stopping_begins_no_more(tmp_path: Path) -> None:
    found = stand_ins("stopping", tmp_path)
    assert found["states"] == {"0": "stopped", "1": "stopped"}
    assert found["seconds"] < 50  # not the minute that each would have taken


def test_many_short_ones_cost_little(tmp_path: Path) -> None:
    """Stand-ins of a twentieth of a second; docs/fleet.md has the numbers of 2000 of a second."""
    found = stand_ins("many", tmp_path)
    assert found["done"] == 300
    assert found["overhead"] < 0.5  # seconds each; about 0.02 on a quiet machine
    assert found["grown"] < 20_000  # KiB


@pytest.fixture
def nodes() -> Iterator[tuple[str, subprocess.Popen[str]]]:
    """The address of a cluster of two nodes, and the process that keeps it."""
    process = subprocess.Popen(
        [sys.executable, ROOT / "tests/two_nodes.py"], text=True, start_new_session=True,
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        env=os.environ | SECRET,
    )  # fmt: skip
    with finishing(process):
        assert process.stdout is not None
        yield process.stdout.readline().strip(), process


def test_a_node_that_sees_nothing_gets_no_work(
    nodes: tuple[str, subprocess.Popen[str]], tmp_path: Path
) -> None:
    found = stand_ins("blind", tmp_path, nodes[0], **SECRET)
    assert found["endings"] == [["done", ""]] * 8
    assert len(found["nodes"]) == 1
    assert found["nodes"] != [(tmp_path / "node").read_text()]


def test_a_node_is_lost_and_all_finish(
    nodes: tuple[str, subprocess.Popen[str]], tmp_path: Path
) -> None:
    address, keeper = nodes
    assert address.startswith("127.0.0.1:")
    pictures, out = paint_folder(tmp_path / "pictures", 4), tmp_path / "out"
    options = SMALL | {"niter": 60, "output_dir": out, "address": address}
    with finishing(begin("train", pictures, *words_of(options), **SECRET)) as driver:
        logs = [out / f"picture{i}/run.log" for i in range(4)]
        wait_for(lambda: sum(log.exists() for log in logs) >= 2)
        assert keeper.stdin is not None and keeper.stdout is not None
        keeper.stdin.write("kill\n")
        keeper.stdin.flush()
        assert keeper.stdout.readline() == "killed\n"
        _, err = driver.communicate(timeout=240)
    assert driver.returncode == 0, err
    assert set(states(out).values()) == {"done"}
    attempts = [entry["attempts"] for entry in ledger(out)["runs"].values()]
    assert sorted(attempts) == [1, 1, 1, 2]
    again = attempts.index(2)
    alone = trained_alone(pictures / f"picture{again}.png", tmp_path / "alone", niter=60)
    compare(alone, out / f"picture{again}")
