"""The tables of a sweep: every setting's metrics over seeds and pictures. Imports no torch."""

from __future__ import annotations

import csv
import io
import statistics
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ConSinGAN.fleet.grid import Setting

DIGITS = ".4g"


@dataclass(frozen=True)
class Outcome:
    """What came of one trial: done, cut (ended early by the scheduler), failed or missing."""

    name: str
    setting: Setting
    picture: str
    seed: int
    state: str
    metrics: Mapping[str, float] = field(default_factory=dict)
    note: str = ""


@dataclass(frozen=True)
class Mean:
    """A metric of a setting: the mean of the pictures' means, and how much trials differ.

    over_seeds: standard deviation of one picture's seeds (of several pictures, the root of their
    mean variance). over_pictures: that of the pictures' means. None where there is only one.
    """

    value: float
    over_seeds: float | None
    over_pictures: float | None

    def __str__(self) -> str:
        spreads = [f"{s:{DIGITS}}" for s in (self.over_seeds, self.over_pictures) if s is not None]
        return f"{self.value:{DIGITS}}" + "".join(f" ± {spread}" for spread in spreads)


@dataclass(frozen=True)
class Row:
    """All trials of one setting together."""

    setting: Setting
    outcomes: Sequence[Outcome]

    def count(self, state: str) -> int:
        """How many of the trials have come to this."""
        return sum(outcome.state == state for outcome in self.outcomes)

    def is_whole(self) -> bool:
        """Whether all trials are done."""
        return self.count("done") == len(self.outcomes)

    def mean(self, metric: str) -> Mean | None:
        """A metric of the trials that are done; None if there is none."""
        by_picture: dict[str, list[float]] = {}
        for outcome in self.outcomes:
            if outcome.state == "done" and metric in outcome.metrics:
                by_picture.setdefault(outcome.picture, []).append(outcome.metrics[metric])
        if not by_picture:
            return None
        means = [statistics.fmean(values) for values in by_picture.values()]
        variances = [statistics.variance(v) for v in by_picture.values() if len(v) > 1]
        return Mean(
            statistics.fmean(means),
            statistics.fmean(variances) ** 0.5 if variances else None,
            statistics.stdev(means) if len(means) > 1 else None,
        )


def rank(outcomes: Sequence[Outcome], minimise: str) -> list[Row]:
    """A row for every setting, the best first.

    Those of which most is done come before others: a mean over fewer trials cannot be compared.
    """
    by_setting: dict[str, list[Outcome]] = {}
    for outcome in outcomes:
        by_setting.setdefault(outcome.setting.name, []).append(outcome)
    rows = [Row(own[0].setting, own) for own in by_setting.values()]

    def key(row: Row) -> tuple[float, float]:
        mean = row.mean(minimise)
        return -row.count("done"), float("inf") if mean is None else mean.value

    return sorted(rows, key=key)


def metrics_of(outcomes: Sequence[Outcome]) -> list[str]:
    """The names of all that was measured."""
    return list(dict.fromkeys(name for outcome in outcomes for name in outcome.metrics))


def to_markdown(outcomes: Sequence[Outcome], minimise: str) -> str:
    """The tables of settings, over all pictures and for each, and what is not done and why."""
    pictures = list(dict.fromkeys(outcome.picture for outcome in outcomes))
    seeds = sorted({outcome.seed for outcome in outcomes})
    spread = [text for text, many in (("seeds", seeds), ("pictures", pictures)) if len(many) > 1]
    about = f"{len(pictures)} pictures, seeds {', '.join(map(str, seeds))}"
    lines = [f"# Settings by {minimise}, the best first ({about})", ""]
    if spread:
        lines += [f"Mean ± standard deviation over {', ± over '.join(spread)}.", ""]
    lines += _table(rank(outcomes, minimise), metrics_of(outcomes))
    if len(pictures) > 1:
        for picture in pictures:
            lines += ["", f"## {picture}", ""]
            own = [outcome for outcome in outcomes if outcome.picture == picture]
            lines += _table(rank(own, minimise), metrics_of(outcomes))
    lines += _notes(outcomes)
    return "\n".join(lines) + "\n"


def _table(rows: Sequence[Row], metrics: Sequence[str]) -> list[str]:
    columns = ["setting", "done", *metrics]
    lines = [f"| {' | '.join(columns)} |", "|---" * len(columns) + "|"]
    for row in rows:
        means = [row.mean(metric) for metric in metrics]
        cells = [row.setting.name.replace("|", "\\|"), _done(row)]
        cells += ["" if mean is None else str(mean) for mean in means]
        lines.append(f"| {' | '.join(cells)} |")
    return lines


def _done(row: Row) -> str:
    parts = [f"{row.count('done')} of {len(row.outcomes)}"]
    for state, text in (("cut", "stopped early"), ("failed", "failed"), ("missing", "not done")):
        if number := row.count(state):
            parts.append(f"{number} {text}")
    return ", ".join(parts)


def _notes(outcomes: Sequence[Outcome]) -> list[str]:
    lines = []
    for state, title in (("cut", "Stopped early by the scheduler"), ("failed", "Failed")):
        own = [outcome for outcome in outcomes if outcome.state == state]
        if own:
            lines += ["", f"## {title}", ""]
            lines += [f"* {outcome.name}: {outcome.note}" for outcome in own]
    return lines


def to_csv(outcomes: Sequence[Outcome], minimise: str) -> str:
    """One line for every setting, the best first: its options, counts, means and deviations."""
    metrics = metrics_of(outcomes)
    rows = rank(outcomes, minimise)
    options = _options(outcomes)
    head = ["setting", *options, "done", "cut", "failed", "missing"]
    head += [f"{m}{end}" for m in metrics for end in ("", "_std_seeds", "_std_pictures")]

    def line(row: Row) -> list[Any]:
        means = [row.mean(metric) or Mean(float("nan"), None, None) for metric in metrics]
        values = [v for m in means for v in (m.value, m.over_seeds, m.over_pictures)]
        counts = [row.count(state) for state in ("done", "cut", "failed", "missing")]
        chosen = [row.setting.flags.get(option) for option in options]
        return [row.setting.name, *chosen, *counts, *map(_number, values)]

    return _csv(head, map(line, rows))


def trials_to_csv(outcomes: Sequence[Outcome]) -> str:
    """One line for every trial: what it was, and its metrics."""
    metrics, options = metrics_of(outcomes), _options(outcomes)

    def line(one: Outcome) -> list[Any]:
        chosen = [one.setting.flags.get(option) for option in options]
        values = [_number(one.metrics.get(metric)) for metric in metrics]
        return [one.name, one.setting.name, *chosen, one.picture, one.seed, one.state, *values,
                one.note]  # fmt: skip

    head = ["trial", "setting", *options, "picture", "seed", "state", *metrics, "note"]
    return _csv(head, map(line, outcomes))


def _options(outcomes: Sequence[Outcome]) -> list[str]:
    return list(dict.fromkeys(name for o in outcomes for name in o.setting.flags))


def _number(value: float | None) -> str:
    return "" if value is None or value != value else f"{value:.6g}"


def _csv(head: Sequence[str], lines: Iterable[Sequence[Any]]) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(head)
    writer.writerows(lines)
    return text.getvalue()
