"""How many threads compute, and how they wait for each other.

At every barrier OpenMP's threads spin before they sleep. With a core for each that is quick; beside
other programs the one that is waited for does not get a core, because the waiting ones have them,
and an iteration takes ten times as long. Imports neither torch nor numpy: the OpenMP library reads
these settings when torch is loaded, so they must be there before.
"""

from __future__ import annotations

import os
import sys
from collections.abc import MutableMapping

# Long enough for what one thread does between two barriers: 5000 costs a third of float32's last
# stages. Beside other programs 200000 already takes ten times as long. See docs/performance.md.
SPINS = {"GOMP_SPINCOUNT": "20000", "KMP_BLOCKTIME": "1"}  # turns; milliseconds
# With one of these the user has decided how threads wait.
DECIDED = (*SPINS, "OMP_WAIT_POLICY", "GOMP_CPU_AFFINITY", "OMP_PROC_BIND")


def limit_spinning(environment: MutableMapping[str, str] = os.environ) -> bool:
    """Let waiting threads sleep soon; False if that is the user's or comes too late.

    environment: is changed, for this process and its children.
    """
    if "torch" in sys.modules or any(name in environment for name in DECIDED):
        return False
    environment.update(SPINS)
    return True
