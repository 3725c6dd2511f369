"""Stand-ins for trainings, to try the fleet's engine alone. They sleep, fail, die; none trains.

    python tests/fleet_standins.py CASE FOLDER [NUMBER OF MANY, SECONDS, WORKERS]

prints what came of it as JSON.
"""

from __future__ import annotations

import json
import os
import resource
import signal
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from ConSinGAN.errors import UsageError
from ConSinGAN.fleet.board import Reporter
from ConSinGAN.fleet.cluster import connected
from ConSinGAN.fleet.engine import Engine, Interrupted, Job
from ConSinGAN.fleet.options import FleetConfig


@dataclass(frozen=True)
class StandIn:
    """An order that stands in for a training: what shall happen, and a file to count tries in."""

    what: str
    notes: Path
    seconds: float = 0.0

    def blind(self) -> str | None:
        """Nothing is missing, unless it shall be: the first machine that looks lacks something."""
        if self.what != "blind":
            return None
        import ray

        node = ray.get_runtime_context().get_node_id()
        if not self.notes.exists():
            self.notes.write_text(node)
        return "a machine without the folder" if self.notes.read_text() == node else None


def stand_in(order: StandIn, reporter: Reporter) -> dict[str, Any]:
    """Do what the order says instead of a training."""
    tries = 1
    if order.what in ("dies", "dies once"):
        tries += int(order.notes.read_text()) if order.notes.is_file() else 0
        order.notes.write_text(str(tries))
        if order.what == "dies" or tries == 1:
            os.kill(os.getpid(), signal.SIGKILL)
    if order.what == "fails":
        raise UsageError("`niter` is wrong")
    if order.what == "bug":
        raise ZeroDivisionError("nobody thought of that")
    if order.what == "disk":
        raise OSError(28, "No space left on device", "/there")
    end = time.monotonic() + order.seconds
    while order.what == "waits" and time.monotonic() < end:
        if reporter.should_stop:
            raise Interrupted(reporter.should_stop)
        time.sleep(0.02)
    if order.what == "sleeps":
        time.sleep(order.seconds)
    return {"threads": os.environ.get("OMP_NUM_THREADS"), "tries": tries}


def endings(folder: Path) -> dict[str, Any]:
    """Every kind of ending."""
    kinds = ["good", "fails", "bug", "disk", "dies once", "dies"]
    with connected(FleetConfig(workers=2, threads_per_run=3)) as there:
        engine = Engine(there, stand_in, lambda: None)
        jobs = [Job(kind, StandIn(kind, folder / kind.replace(" ", "_"))) for kind in kinds]
        found = {job.name: ending for job, ending in engine.run(jobs)}
    return {
        name: {"state": e.state, "why": e.why, "facts": e.facts, "details": e.details}
        for name, e in found.items()
    }


def stopping(folder: Path) -> dict[str, Any]:
    """Stop while two of six run."""
    begun = time.monotonic()
    with connected(FleetConfig(workers=2)) as there:
        start = time.monotonic()
        engine = Engine(there, stand_in, lambda: time.monotonic() - start > 3)
        jobs = [Job(str(i), StandIn("waits", folder / "no", 60.0)) for i in range(6)]
        states = {job.name: ending.state for job, ending in engine.run(jobs)}
    return {"states": states, "seconds": time.monotonic() - begun}


def blind(folder: Path, address: str) -> dict[str, Any]:
    """On a cluster of two nodes, of which one cannot work."""
    with connected(FleetConfig(address=address)) as there:
        engine = Engine(there, stand_in, lambda: None)
        jobs = [Job(str(i), StandIn("blind", folder / "node")) for i in range(8)]
        found = [ending for _, ending in engine.run(jobs)]
    nodes = {ending.facts["node"] for ending in found}
    return {"endings": [(ending.state, ending.why) for ending in found], "nodes": [*nodes]}


def many(folder: Path, number: int = 300, seconds: float = 0.05, workers: int = 4) -> dict:
    """Many short ones: what each costs beside its own time, and what the driver's memory does."""

    def jobs():
        for i in range(number):
            yield Job(f"picture {i}", StandIn("sleeps", folder / "no", seconds))

    with connected(FleetConfig(workers=workers)) as there:
        warm = [Job(f"warm {i}", StandIn("sleeps", folder / "no", 0.5)) for i in range(workers)]
        list(Engine(there, stand_in, lambda: None).run(warm))
        engine, done, memory = Engine(there, stand_in, lambda: None), 0, []
        start = time.monotonic()
        for _, ending in engine.run(jobs()):
            done += ending.state == "done"
            if done in (number // 3, number):
                memory.append(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
        took = time.monotonic() - start
    overhead = (took - number * seconds / workers) * workers / number
    return {"done": done, "overhead": overhead, "grown": memory[1] - memory[0]}


if __name__ == "__main__":
    case, place, *more = sys.argv[1:]
    case_of = {"endings": endings, "stopping": stopping, "blind": blind, "many": many}
    values = [n if ":" in n else float(n) if "." in n else int(n) for n in more]
    print(json.dumps(case_of[case](Path(place), *values)))
