"""The fleet's loop: work is handed out, watched, handed out again if its process died, ended.

It knows nothing of pictures. Work is a function of an order and a reporter that runs in a process
of Ray's and returns facts, raises ConSinGANError if it failed for a reason that the user can mend,
or Interrupted if it was stopped and can go on later.
"""

from __future__ import annotations

import contextlib
import logging
import time
import traceback
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from ConSinGAN.errors import ConSinGANError, UsageError, describe
from ConSinGAN.fleet.board import Board, Reporter
from ConSinGAN.fleet.cluster import Cluster

log = logging.getLogger(__name__)

LOOK = 1.0  # seconds between looks at the board
DEATHS = 8  # of a piece of work's processes in a row, without getting further: it is to blame


class Interrupted(Exception):
    """The work was stopped, and can go on later."""


class Order(Protocol):
    """What a piece of work is given."""

    def blind(self) -> str | None:
        """What this machine lacks for it, asked where it shall be done; None: nothing."""


@dataclass(frozen=True)
class Job:
    """One piece of work, with a name of its own."""

    name: str
    order: Order


@dataclass(frozen=True)
class Ending:
    """How it ended: done, failed, stopped, or blind if its machine could not do it."""

    state: str
    why: str = ""
    facts: dict[str, Any] = field(default_factory=dict)
    details: str = ""  # the traceback of what nobody expected


Work = Callable[[Any, Reporter], dict[str, Any]]


def perform(work: Work, job: Job, board: Any, told: Mapping[str, Any] | None = None) -> Ending:
    """Do a piece of work, in a process of Ray's; whatever happens becomes an ending.

    told: what the board shall know of it from the beginning.
    """
    import ray

    node = {"node": ray.get_runtime_context().get_node_id()}
    if reason := job.order.blind():
        return Ending("blind", reason, node)
    reporter = Reporter(board, job.name)
    reporter.say(**(told or {}))
    try:
        with reporter.at_work():
            return Ending("done", facts=work(job.order, reporter) | node)
    except Interrupted as stop:
        return Ending("stopped", str(stop), reporter.facts | node)
    except ConSinGANError as error:
        return Ending("failed", error.for_scripts(), reporter.facts | node)
    except OSError as error:
        return Ending("failed", describe(error), reporter.facts | node)
    except MemoryError:
        return Ending("failed", "there was not enough memory", reporter.facts | node)
    except Exception as error:
        why = f"a bug: {type(error).__name__}: {describe(error)}"
        return Ending("failed", why, reporter.facts | node, traceback.format_exc())


def make_board() -> Any:
    """The board, an actor beside the driver."""
    import ray
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

    here = NodeAffinitySchedulingStrategy(ray.get_runtime_context().get_node_id(), soft=True)
    options: dict[str, Any] = {"num_cpus": 0, "scheduling_strategy": here, "max_restarts": -1}
    make: Any = ray.remote(**options)(Board)
    return make.remote()


@dataclass
class _Tries:
    """How often a piece of work was begun, and how far it came."""

    begun: int = 0
    deaths: int = 0  # in a row, without getting further
    furthest: float = -1.0
    iterations: int = 0  # of attempts that died
    not_before: float = 0.0


class Engine:
    """Does many pieces of work on a cluster, as many at once as it has places."""

    def __init__(
        self, cluster: Cluster, work: Work, should_stop: Callable[[], object],
        watch: Callable[[dict[str, dict[str, Any]]], None] = lambda facts: None,
    ) -> None:  # fmt: skip
        """should_stop: asked again and again; watch: is shown what runs, about once a second."""
        import ray

        self.cluster, self.should_stop, self.watch = cluster, should_stop, watch
        self.board: Any = make_board()
        self._perform = ray.remote(**cluster.task_options)(perform)
        self._work = ray.put(work)
        self._flying: dict[Any, Job] = {}
        self._again: list[Job] = []  # whose process died
        self._tries: dict[str, _Tries] = {}  # of what is not ended
        self._ended: list[str] = []
        self._blind: set[str] = set()  # nodes
        self._looked = self._counted = 0.0
        self._capacity = 1
        self.stopping = False

    def run(self, jobs: Iterable[Job]) -> Iterator[tuple[Job, Ending]]:
        """Do them all; every ending comes as soon as it is known.

        When it shall stop, no more are begun, and those under way end as soon as they can.
        """
        waiting = iter(jobs)
        more = True
        while True:
            if not self.stopping and self.should_stop():
                self.stopping = True
                self._looked = 0.0  # so that the board hears of it at once
            while more and not self.stopping and self._has_room():
                job = self._next_again() or next(waiting, None)
                if job is None:
                    more = bool(self._again)
                    break
                self._begin(job)
            if not self._flying and (self.stopping or not (more or self._again)):
                return
            yield from self._land()
            more = more or bool(self._again)
            self._look()

    def _has_room(self) -> bool:
        if time.monotonic() - self._counted > 5:
            self._capacity, self._counted = self.cluster.capacity(), time.monotonic()
        return len(self._flying) < self._capacity

    def _next_again(self) -> Job | None:
        now = time.monotonic()
        ready = [job for job in self._again if self._tries[job.name].not_before <= now]
        if ready:
            self._again.remove(ready[0])
            return ready[0]
        return None

    def _begin(self, job: Job, **options: Any) -> None:
        tries = self._tries.setdefault(job.name, _Tries())
        tries.begun += 1
        task = self._perform.options(**options) if options else self._perform
        self._flying[task.remote(self._work, job, self.board)] = job

    def _land(self) -> Iterator[tuple[Job, Ending]]:
        """Wait a moment for work to end; deal with what did."""
        import ray
        from ray.exceptions import RayError

        if not self._flying:
            time.sleep(0.1)
            return
        done, _ = ray.wait(list(self._flying), num_returns=1, timeout=LOOK / 2)
        for ref in done:
            job = self._flying.pop(ref)
            try:
                ending: Ending = ray.get(ref)
            except RayError as error:
                if self._died(job, error):
                    continue
                ending = Ending("failed", self._blame(error))
            if ending.state == "blind":
                self._elsewhere(job, ending)
                continue
            if ending.state == "stopped" and not self.stopping:  # by somebody else
                self._try_again(job, 1.0)
                continue
            yield job, self._ended_as(job, ending)

    def _ended_as(self, job: Job, ending: Ending) -> Ending:
        tries = self._tries.pop(job.name)
        self._ended.append(job.name)
        facts = ending.facts | {"attempts": tries.begun}
        if "iterations" in facts:
            facts["iterations"] += tries.iterations
        return Ending(ending.state, ending.why, facts, ending.details)

    def _died(self, job: Job, error: Exception) -> bool:
        """The process of a piece of work is gone; whether it is tried again."""
        import ray

        tries = self._tries[job.name]
        told: dict[str, Any] = {}
        with contextlib.suppress(Exception):
            told = ray.get(self.board.last.remote(job.name), timeout=10)
            self.board.look.remote([job.name], self.stopping)
        tries.iterations += int(told.get("iterations", 0))
        further = float(told.get("fraction", 0)) > tries.furthest
        tries.furthest = max(tries.furthest, float(told.get("fraction", 0)))
        tries.deaths = 1 if further else tries.deaths + 1
        if tries.deaths >= DEATHS:
            return False
        log.debug("%s: its process is gone (%s)", job.name, type(error).__name__)
        self._try_again(job, 0 if further else min(0.05 * 2**tries.deaths, 10))
        return True

    def _try_again(self, job: Job, seconds: float) -> None:
        """Begin a piece of work again, so much later."""
        self._tries[job.name].not_before = time.monotonic() + seconds
        self._again.append(job)

    def _blame(self, error: Exception) -> str:
        from ray.exceptions import OutOfMemoryError

        memory = " for want of memory" if isinstance(error, OutOfMemoryError) else ""
        return f"its process died {DEATHS} times in a row{memory} ({type(error).__name__})"

    def _elsewhere(self, job: Job, ending: Ending) -> None:
        """A machine lacks something: give the work to one that is not known to.

        Raises UsageError if there is none.
        """
        import ray
        from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

        node = ending.facts["node"]
        if node not in self._blind:
            log.warning("%s; nothing is done there", ending.why)
        self._blind.add(node)
        alive = [n["NodeID"] for n in ray.nodes() if n["Alive"] and n["Resources"].get("CPU")]
        seeing = [node for node in alive if node not in self._blind]
        if not seeing:
            raise UsageError(f"no machine of the cluster can work here: {ending.why}")
        there = seeing[self._tries[job.name].begun % len(seeing)]
        self._begin(job, scheduling_strategy=NodeAffinitySchedulingStrategy(there, soft=True))

    def _look(self) -> None:
        import ray

        if time.monotonic() - self._looked < LOOK:
            return
        self._looked = time.monotonic()
        ended, self._ended = self._ended, []
        with contextlib.suppress(Exception):
            self.watch(ray.get(self.board.look.remote(ended, self.stopping), timeout=10))
