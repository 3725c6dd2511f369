"""Asynchronous successive halving: bad settings end early, and what was decided stays decided.

Models are compared only with those of the same picture at the same sizes. Every decision goes into
a file, so that a sweep that was killed goes on with what was known. Imported when Ray is there.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ray.tune.schedulers import ASHAScheduler, FIFOScheduler

KEEP = 2  # one of so many settings is trained on


@dataclass(frozen=True)
class Decision:
    """What was decided of a trial after one of its stages."""

    trial: str
    group: str
    stages: int
    stage: int
    value: float
    stop: bool

    def where(self) -> str:
        """After which stage, in words."""
        return f"after stage {self.stage} of {self.stages}"


def read_journal(path: Path) -> list[Decision]:
    """All decisions in the order they were taken; a line that was cut off by a kill is none."""
    found = []
    if path.exists():
        for line in path.read_text(encoding="utf-8").splitlines():
            try:
                found.append(Decision(**json.loads(line)))
            except (ValueError, TypeError):
                continue
    return found


@dataclass(frozen=True)
class _Named:
    """All that successive halving asks of a trial."""

    trial_id: str


class Halving(FIFOScheduler):
    """A scheduler of Tune's that compares what is comparable, and remembers."""

    def __init__(self, journal: Path, pictures: dict[str, str]) -> None:
        """journal: the file of decisions. pictures: by the trials' names."""
        super().__init__()
        self.journal, self.pictures = journal, pictures
        self.stopped: dict[str, Decision] = {}  # by trial
        self._groups: dict[str, Any] = {}
        self._decided: dict[tuple[str, int], bool] = {}
        for decision in read_journal(journal):
            self._halve(decision.trial, decision.group, decision.stages, decision.stage,
                        decision.value)  # fmt: skip
            self._remember(decision)

    def on_trial_result(self, tune_controller: Any, trial: Any, result: dict[str, Any]) -> str:
        """Whether a trial goes on, after one of its stages."""
        if "stage" not in result:
            return str(self.CONTINUE)
        name, stage = trial.config["trial"], int(result["stage"])
        if (name, stage) not in self._decided:
            group, stages = f"{self.pictures[name]} {result['sizes']}", len(result["sizes"].split())
            value = float(result["value"])
            stop = self._halve(name, group, stages, stage, value)
            decision = Decision(name, group, stages, stage, value, stop)
            with self.journal.open("a", encoding="utf-8") as file:
                file.write(json.dumps(vars(decision)) + "\n")
            self._remember(decision)
        return str(self.STOP if self._decided[name, stage] else self.CONTINUE)

    def _remember(self, decision: Decision) -> None:
        self._decided[decision.trial, decision.stage] = decision.stop
        if decision.stop:
            self.stopped[decision.trial] = decision

    def _halve(self, name: str, group: str, stages: int, stage: int, value: float) -> bool:
        """Enter a value among those of its group; whether the trial is of the worse half."""
        if group not in self._groups:
            # Early stages are cheap and tell little, so the first third decides nothing.
            self._groups[group] = ASHAScheduler(
                time_attr="stage", metric="value", mode="min", max_t=stages,
                grace_period=-(-stages // 3), reduction_factor=KEEP,
            )  # fmt: skip
        halving, trial = self._groups[group], _Named(name)
        halving.on_trial_add(None, trial)
        found = halving.on_trial_result(None, trial, {"stage": stage, "value": value})
        return bool(found == self.STOP)
