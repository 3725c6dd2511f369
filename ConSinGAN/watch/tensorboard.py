"""Curves of the losses, for TensorBoard, in every stage's folder."""

from __future__ import annotations

import contextlib
import logging
import threading
from collections.abc import Mapping
from functools import cache
from typing import Any

from torch import Tensor

from ConSinGAN.watch.base import Moment, Watcher

log = logging.getLogger(__name__)

SCALARS_PER_STAGE = 200  # points of a curve


@cache
def _writer_class() -> Any:
    """TensorBoard's writer; without tensorboard None, and one line once."""
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError:
        log.info("TensorBoard is not installed: no curves are written (pip install tensorboard)")
        return None
    _hush_tensorboard()
    return SummaryWriter


def _hush_tensorboard() -> None:
    """No traceback of TensorBoard's own thread on a full disk: the watcher says it."""
    hook = threading.excepthook

    def hushed(args: threading.ExceptHookArgs) -> None:
        its_own = type(args.thread).__module__.startswith("tensorboard.")
        if not (its_own and issubclass(args.exc_type, OSError)):
            hook(args)

    threading.excepthook = hushed


class TensorBoard(Watcher):
    """Writes curves, as long as that works: they are not worth a run."""

    def __init__(self) -> None:
        self.writer: Any = None

    def begin_stage(self, moment: Moment) -> None:
        cls = _writer_class()
        try:
            self.writer = cls and cls(str(moment.folder))
        except OSError as error:
            self._give_up(error)

    def iteration(self, moment: Moment, terms: Mapping[str, Tensor]) -> None:
        every = max(1, moment.niter // SCALARS_PER_STAGE)
        if self.writer is None or (moment.done % every and moment.done != moment.niter):
            return
        try:
            for name, value in terms.items():
                self.writer.add_scalar(f"loss/{name}", float(value), moment.done)
        except OSError as error:
            self._give_up(error)

    def end_stage(self) -> None:
        writer, self.writer = self.writer, None
        for part in (writer.file_writer.event_writer, writer) if writer is not None else ():
            with contextlib.suppress(OSError):
                part.close()

    def _give_up(self, error: OSError) -> None:
        log.info("no more TensorBoard curves: %s", error.strerror or error)
        self.end_stage()
