"""All watchers of a run together: those that every run has, and those of the caller."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

from torch import Tensor

from ConSinGAN.errors import describe
from ConSinGAN.watch.base import Moment, Stop, Watcher
from ConSinGAN.watch.previews import Previews
from ConSinGAN.watch.signals import Signals
from ConSinGAN.watch.tensorboard import TensorBoard
from ConSinGAN.watch.terminal import Terminal

log = logging.getLogger(__name__)


class Watchers:
    """Tells all of them what happens. Use as a context manager around the training."""

    def __init__(self, more: Sequence[Watcher] = ()) -> None:
        own = [Signals(), Terminal(), TensorBoard(), Previews(self.preview)]
        self._watchers: list[Watcher] = [*own, *more]
        self._left_out: list[Watcher] = []  # those that failed

    def __enter__(self) -> Watchers:
        self._tell(lambda watcher: watcher.begin())
        return self

    def __exit__(self, *exception: object) -> None:
        self._tell(lambda watcher: watcher.end())

    @contextlib.contextmanager
    def stage(self, moment: Moment) -> Iterator[None]:
        """Around the iterations of one stage."""
        self._tell(lambda watcher: watcher.begin_stage(moment))
        try:
            yield
        finally:
            self._tell(lambda watcher: watcher.end_stage())

    def iteration(self, moment: Moment, terms: Mapping[str, Tensor]) -> None:
        """An iteration is done."""
        self._tell(lambda watcher: watcher.iteration(moment, terms))

    def preview(self, moment: Moment, files: Sequence[Path]) -> None:
        """Previews were written."""
        self._tell(lambda watcher: watcher.preview(moment, files))

    def should_stop(self) -> Stop | None:
        """Whether any of them wants the run to stop."""
        wishes: list[Stop] = []

        def ask(watcher: Watcher) -> None:
            if wish := watcher.should_stop():
                wishes.append(wish if isinstance(wish, Stop) else Stop(str(wish)))

        self._tell(ask)
        return wishes[0] if wishes else None

    def _tell(self, what: Callable[[Watcher], None]) -> None:
        for watcher in self._watchers:
            if any(watcher is other for other in self._left_out):
                continue
            try:
                what(watcher)
            except Exception as error:
                self._left_out.append(watcher)
                name = type(watcher).__name__
                log.warning("%s failed and is left out: %s", name, describe(error))
                log.debug("the watcher's traceback", exc_info=True)
