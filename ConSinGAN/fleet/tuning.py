"""Trials carried out by Ray Tune. Imported when Ray is there and its environment is set.

Tune decides what runs when and where, and begins anew what lost its process. Of its own files
nothing is read: what is done, the run directories tell. So a sweep is restored whatever was half
written, and nothing is unpickled from a folder.
"""

from __future__ import annotations

import contextlib
import logging
import shutil
import time
from collections.abc import Callable, Mapping
from typing import Any

import ray
from ray import tune
from ray.exceptions import RayError
from ray.tune.stopper import Stopper
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from ConSinGAN.errors import UsageError
from ConSinGAN.fleet.asha import Halving
from ConSinGAN.fleet.board import BEAT, PATIENCE, Reporter
from ConSinGAN.fleet.cluster import Cluster
from ConSinGAN.fleet.driver import Books
from ConSinGAN.fleet.engine import DEATHS, LOOK, Ending, Job, make_board, perform
from ConSinGAN.fleet.place import INNER, FolderPlace
from ConSinGAN.fleet.trial import Trial, carry_out

DEATHS_BEFORE_WORK = 100  # of a trial's processes in all; those at work are counted apart
HALTED = "halted"  # among the facts of a trial that was stopped and waits for its end


class Tuning:
    """Carries out trials on a cluster."""

    def __init__(
        self, there: Cluster, place: FolderPlace, books: Books, should_stop: Callable[[], object],
        scheduler: Halving | None = None,
    ) -> None:  # fmt: skip
        """should_stop: asked again and again; if it says so, all stop with a checkpoint."""
        self.there, self.place, self.books = there, place, books
        self.should_stop, self.scheduler = should_stop, scheduler

    def run(self, trials: Mapping[str, Trial]) -> None:
        """Do them all, as many at once as there are places, until they are done or shall stop.

        Raises UsageError if a machine of the cluster does not see the folder.
        """
        if not trials:
            return
        self._check_nodes()
        folder = self.place.folder / INNER / "tune"
        shutil.rmtree(folder, ignore_errors=True)
        logging.getLogger("ray").setLevel(logging.CRITICAL)  # all of it is said in our own words
        watch = Watch(trials, self.books, self.should_stop, self.scheduler)
        work = tune.with_parameters(attempt, board=watch.board, trials=dict(trials))
        places = {"cpu": float(self.there.config.threads_per_run)}
        if self.there.gpus_per_run:
            places["gpu"] = self.there.gpus_per_run
        tuner = tune.Tuner(
            tune.with_resources(work, places),
            param_space={"trial": tune.grid_search(list(trials))},
            tune_config=tune.TuneConfig(
                scheduler=self.scheduler, reuse_actors=True,
                max_concurrent_trials=self.there.config.workers,
                trial_dirname_creator=_short_name,
            ),
            run_config=tune.RunConfig(
                name="sweep", storage_path=str(folder), verbose=0, callbacks=[watch],
                stop=watch.ending,
                failure_config=tune.FailureConfig(max_failures=DEATHS_BEFORE_WORK),
            ),
        )  # fmt: skip
        try:
            tuner.fit()
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    def _check_nodes(self) -> None:
        if self.there.local:
            return
        for node in ray.nodes():
            if not (node["Alive"] and node["Resources"].get("CPU")):
                continue
            where = NodeAffinitySchedulingStrategy(node["NodeID"], soft=False)
            there: dict[str, Any] = {"num_cpus": 0, "scheduling_strategy": where}
            look: Any = ray.remote(**there)(FolderPlace.blind)
            if reason := ray.get(look.remote(self.place)):
                raise UsageError(f"`output_dir`: {reason}")


def _short_name(found: Any) -> str:
    """What Tune calls its own folder of a trial: not by all values, which may be too long."""
    return str(found.trial_id)


def attempt(config: dict[str, Any], board: Any, trials: Mapping[str, Trial]) -> None:
    """Do a trial, or what a process that died has left of it; runs in a process of Tune's."""
    order = trials[config["trial"]]
    told: dict[str, Any] = ray.get(board.last.remote(order.name))  # by that process
    further = float(told.get("fraction", 0)) > float(told.get("furthest", -1))
    facts = {
        "attempts": int(told.get("attempts", 0)) + 1,
        "deaths": (1 if further else int(told.get("deaths", 0)) + 1) if told else 0,
        "furthest": max(float(told.get("fraction", 0)), float(told.get("furthest", 0))),
        "before": int(told.get("before", 0)) + int(told.get("iterations", 0)),
    }
    if facts["deaths"] >= DEATHS:
        ending = Ending("failed", f"its process died {DEATHS} times in a row", facts)
    else:
        ending = perform(_work, Job(order.name, order), board, facts)
        while ending.state == "stopped":
            _wait_for_the_end(board, order.name, ending.facts)
            ending = perform(_work, Job(order.name, order), board, facts)
    tune.report({"ending": ending.state, "why": ending.why, "details": ending.details,
                 "facts": _counted(ending.facts)})  # fmt: skip


def _wait_for_the_end(board: Any, name: str, facts: Mapping[str, Any]) -> None:
    """Keep the place of a trial that was stopped, or Tune would begin the next one there.

    Returns if the sweep goes on: then another process took the trial over, or the board died.
    """
    stop = True
    while stop:
        time.sleep(BEAT)
        with contextlib.suppress(RayError):
            stop = ray.get(board.beat.remote(name, {**facts, HALTED: True}), timeout=PATIENCE)


def _counted(facts: dict[str, Any]) -> dict[str, Any]:
    """Facts with the iterations of processes that died."""
    done = int(facts.get("iterations", 0)) + int(facts.get("before", 0))
    return {**facts, "iterations": done}


def _work(order: Trial, reporter: Reporter) -> dict[str, Any]:
    return carry_out(order, reporter, tune.report)


class _End(Stopper):
    """Ends all when it is told to."""

    def __init__(self) -> None:
        self.now = False

    def __call__(self, trial_id: str, result: dict[str, Any]) -> bool:
        return False

    def stop_all(self) -> bool:
        """Asked by Tune after every step."""
        return self.now


class Watch(tune.Callback):
    """Keeps the books of what Tune does, and stops it in order."""

    def __init__(
        self, trials: Mapping[str, Trial], books: Books, should_stop: Callable[[], object],
        scheduler: Halving | None,
    ) -> None:  # fmt: skip
        self.board: Any = make_board()
        self.trials, self.books = trials, books
        self.should_stop, self.scheduler = should_stop, scheduler
        self.ending = _End()
        self._looked, self._stopping = 0.0, False
        self._ended: list[str] = []  # since the last look
        self._over: set[str] = set()

    def __reduce__(self) -> Any:
        return tune.Callback, ()  # Tune keeps a copy of all it is given, and never uses it

    def on_step_end(self, iteration: int, trials: list[Any], **info: Any) -> None:
        """Look at what runs, about once a second."""
        if not self._stopping and self.should_stop():
            self._stopping, self._looked = True, 0.0  # so that the board hears of it at once
        if time.monotonic() - self._looked < LOOK:
            return
        self._looked = time.monotonic()
        ended, self._ended = self._ended, []
        facts: dict[str, dict[str, Any]] = {}
        with contextlib.suppress(Exception):
            facts = ray.get(self.board.look.remote(ended, self._stopping), timeout=10)
        # One that the scheduler has stopped may call once more.
        self.books.watch({n: f for n, f in facts.items() if n not in self._over})
        running = [t.config["trial"] for t in trials if t.status == "RUNNING"]
        halted = [name for name in running if facts.get(name, {}).get(HALTED)]
        if self._stopping and not self.ending.now and running == halted:
            self.ending.now = True
            for name in halted:
                self._end(name, Ending("stopped", facts=_counted(facts[name])))

    def on_trial_result(
        self, iteration: int, trials: list[Any], trial: Any, result: dict[str, Any], **info: Any
    ) -> None:
        """A trial has told of a stage, or how it ended."""
        name = trial.config["trial"]
        if "ending" in result:
            state = "failed" if result["ending"] == "blind" else result["ending"]
            self._end(name, Ending(state, result["why"], result["facts"], result["details"]))
        elif self.scheduler is not None and name in self.scheduler.stopped:
            self._end(name, Ending("done"))

    def on_trial_error(self, iteration: int, trials: list[Any], trial: Any, **info: Any) -> None:
        """Tune has given a trial up."""
        why = "its process died again and again before it could work"
        self._end(trial.config["trial"], Ending("failed", why))

    def _end(self, name: str, ending: Ending) -> None:
        self._ended.append(name)
        self._over.add(name)
        self.books.ended(Job(name, self.trials[name]), ending)
