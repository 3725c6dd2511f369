"""Drawing from one model, or measuring it, in a process of Ray's."""

from __future__ import annotations

import contextlib
import itertools
import socket
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ConSinGAN import ask, console
from ConSinGAN.fleet.board import Reporter
from ConSinGAN.fleet.engine import Interrupted
from ConSinGAN.fleet.place import Place
from ConSinGAN.fleet.records import Records, key_of

if TYPE_CHECKING:
    from torch import Tensor

STILLS = 2  # of each model on the contact sheet of drawings
SAMPLES = 3  # beside the real picture, on that of metrics


@dataclass(frozen=True)
class Question:
    """The order to draw from a model, or to measure it.

    name: of the run among all; flags: those of evaluate_model.py; key: under which the answer is
    kept in the records.
    """

    place: Place
    records: Records
    name: str
    flags: Mapping[str, Any]
    key: str

    def blind(self) -> str | None:
        """What this machine lacks."""
        return self.place.blind()


@contextlib.contextmanager
def _at_work(order: Question, reporter: Reporter) -> Iterator[None]:
    """Around the work: say how far it is, and end it between two pictures if it shall stop."""

    def tell(what: str, done: int, total: int | None) -> None:
        reporter.say(where=f"{what} {done}/{'?' if total is None else total}")
        check()

    def check() -> None:
        if reporter.should_stop:
            raise Interrupted(reporter.should_stop)

    reporter.say(host=socket.gethostname())
    check()
    try:
        with (
            order.place.working(order.name) as lease,
            reporter.keeping(lease),
            console.telling(tell),
        ):
            yield
    finally:
        from ConSinGAN import hardware

        hardware.return_memory()


def draw(order: Question, reporter: Reporter) -> dict[str, Any]:
    """Write what the task draws, as evaluate_model.py does.

    Raises ConSinGANError as that does, Interrupted if it was stopped.
    """
    from ConSinGAN.fleet import sheet

    start = time.monotonic()
    with _at_work(order, reporter):
        folder = Path(ask.evaluate(order.flags))
        files = (folder / name for name in names_in(folder))
        stills = filter(None, map(sheet.small_of_file, files))
        facts = {"folder": str(folder), "files": state_of(folder)}
        shown = itertools.islice(stills, STILLS)
        order.records.write(order.name, order.key, facts, shown)
    return {**reporter.facts, "seconds": round(time.monotonic() - start, 1)}


def names_in(folder: Path) -> list[str]:
    """The files that were drawn into a folder."""
    from ConSinGAN import results

    return list(results.listed(folder))


def state_of(folder: Path) -> str | None:
    """A text that stands for what was drawn into a folder; None if some of it is gone."""
    from ConSinGAN import results

    files = results.listed(folder)
    if not files or not all((folder / name).is_file() for name in files):
        return None
    return key_of(files)


def measure(order: Question, reporter: Reporter) -> dict[str, Any]:
    """Find the metrics of what the task draws, as evaluate_model.py --metrics does.

    Raises ConSinGANError as that does, Interrupted if it was stopped.
    """
    from ConSinGAN import images
    from ConSinGAN.fleet import sheet
    from ConSinGAN.metrics.report import measure_model

    start = time.monotonic()
    pngs: list[bytes] = []

    def keep(picture: Tensor) -> None:
        if len(pngs) <= SAMPLES:
            pngs.append(sheet.small(images.to_bytes(picture)[0]))

    with _at_work(order, reporter):
        task, model, config = ask.prepare(order.flags)
        keep(model.real)
        report = measure_model(task, model, config, keep)
        seconds = round(time.monotonic() - start, 1)
        facts = {"task": task.name, "picture": model.config.input_name, "seconds": seconds}
        facts |= {"metrics": report.metrics, "notes": report.notes, **report.about}
        order.records.write(order.name, order.key, facts, pngs)
    return {**reporter.facts, "seconds": seconds}
