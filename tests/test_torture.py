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
CASES = [*MODES, "fine-tune harmonization", "fine-tune editing", "began", "hinge", "wgan"]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs os.fork")
def test_killed_runs_end_as_if_never_killed(tmp_path: Path) -> None:
    """All cases in two new processes, which never compute and so may fork."""
    environment = os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    processes = []
    for half in (CASES[0::2], CASES[1::2]):
        words = [str(ROOT / "tests" / "torture.py"), ",".join(half), str(KILLS)]
        words += [str(tmp_path / half[0]), SEED]
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
        processes.append(subprocess.Popen([sys.executable, *words], env=environment, **pipes))
    told = {}
    for process in processes:
        out, err = process.communicate()
        assert process.returncode == 0, out + err[-4000:]
        told |= json.loads(out.splitlines()[-1])
    assert set(told) == set(CASES)
    for case, hits in told.items():
        assert sum(hits.values()) == KILLS, case
        assert len(hits) >= min(5, KILLS // 4), (case, hits)  # they hit different places
