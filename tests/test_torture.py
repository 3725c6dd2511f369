"""Runs are killed with SIGKILL over and over, and end as if nothing had happened (torture.py).

CONSINGAN_TORTURE=N kills N times in each case instead of 20; CONSINGAN_TORTURE_SEED=N elsewhere.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import ROOT

KILLS = int(os.environ.get("CONSINGAN_TORTURE", "20"))
SEED = os.environ.get("CONSINGAN_TORTURE_SEED", "0")
MODES = ["generation", "retarget", "animation", "harmonization", "editing"]
CASES = [*MODES, "fine-tune harmonization", "fine-tune editing"]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs os.fork")
def test_killed_runs_end_as_if_never_killed(tmp_path: Path) -> None:
    """All cases in one new process, which never computes and so may fork."""
    words = [sys.executable, str(ROOT / "tests" / "torture.py"), "all", str(KILLS)]
    environment = os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [*words, str(tmp_path / "bench"), SEED], env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr[-4000:]
    told = json.loads(done.stdout.splitlines()[-1])
    assert list(told) == CASES
    for case, hits in told.items():
        assert sum(hits.values()) == KILLS, case
        assert len(hits) >= min(5, KILLS // 4), (case, hits)  # they hit different places
