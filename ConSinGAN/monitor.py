"""Watching a run: progress bar or plain lines, and TensorBoard scalars."""

from __future__ import annotations

import contextlib
import logging
import threading
import time
from collections.abc import Mapping
from functools import cache
from pathlib import Path

from torch import Tensor
from tqdm import tqdm

from ConSinGAN import console
from ConSinGAN.pace import BUSY, Pace

log = logging.getLogger(__name__)

SCALARS_PER_STAGE = 200  # points in TensorBoard's curves
LINES_PER_STAGE = 5  # plain lines where there is no terminal


@cache
def _summary_writer() -> type | None:
    """TensorBoard's writer class; without tensorboard None, and one line once."""
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError:
        log.info("TensorBoard is not installed: no curves are written (pip install tensorboard)")
        return None
    _hush_tensorboard()
    return SummaryWriter


def open_tensorboard(folder: Path) -> object | None:
    """A TensorBoard writer into `folder`; None if tensorboard is not installed or cannot write."""
    writer = _summary_writer()
    try:
        return writer and writer(str(folder))
    except OSError as error:
        _no_more_curves(error)
        return None


def _no_more_curves(error: OSError) -> None:
    log.info("no more TensorBoard curves: %s", error.strerror or error)


def _hush_tensorboard() -> None:
    """No traceback of TensorBoard's own thread on a full disk: `StageMonitor` says it."""
    hook = threading.excepthook

    def hushed(args: threading.ExceptHookArgs) -> None:
        its_own = type(args.thread).__module__.startswith("tensorboard.")
        if not (its_own and issubclass(args.exc_type, OSError)):
            hook(args)

    threading.excepthook = hushed


class StageMonitor:
    """Shows one stage's progress and losses. Use as a context manager.

    Losses are tensors and are read, which on a GPU means waiting for it, only when shown.
    """

    def __init__(
        self, stage: int, num_stages: int, size: tuple[int, int], niter: int, folder: Path,
        start: int = 0,
    ) -> None:  # fmt: skip
        """start: iterations that were done before."""
        self.title = f"stage {stage + 1}/{num_stages} ({size[1]}x{size[0]})"
        self.niter, self.start = niter, start
        self.writer = open_tensorboard(folder)
        self.scalar_every = max(1, niter // SCALARS_PER_STAGE)
        self.line_every = max(1, niter // LINES_PER_STAGE)
        self.started = self.shown = time.monotonic()
        self.pace, self.told_busy = Pace(), False
        self.terminal = console.shows_progress()
        self.bar = tqdm(
            total=niter, initial=start, desc=self.title, disable=not self.terminal, leave=True,
            dynamic_ncols=True, unit="it", file=console.Stderr(),
        )  # fmt: skip

    def is_due(self, done: int) -> bool:
        """Whether the losses of the done-th iteration will be written down."""
        return done % self.scalar_every == 0 or done == self.niter

    def update(self, done: int, losses: Mapping[str, Tensor]) -> None:
        """Count the done-th iteration (1-based) and show its losses when they are due."""
        self.bar.update()
        self._tell_if_busy()
        if self.writer is not None and self.is_due(done):
            self._write_scalars(done, losses)
        if self.terminal and time.monotonic() - self.shown > 0.5:
            self.shown = time.monotonic()
            self.bar.set_postfix({name: f"{float(v):.3g}" for name, v in losses.items()})
        if not self.terminal and (done % self.line_every == 0 or done == self.niter):
            seconds = (time.monotonic() - self.started) / (done - self.start)
            left = seconds * (self.niter - done)
            text = ", ".join(f"{name} {float(value):.3g}" for name, value in losses.items())
            log.info("%s: %d/%d, %s, %s left", self.title, done, self.niter, text, _clock(left))

    def _tell_if_busy(self) -> None:
        factor = self.pace.tick()
        if factor is not None and factor >= BUSY and not self.told_busy:
            self.told_busy = True
            log.info(
                "%s: the machine is busy with other work, iterations take about %.1f times as long "
                "as they would alone; fewer --threads get in its way less", self.title, factor,
            )  # fmt: skip

    def _write_scalars(self, done: int, losses: Mapping[str, Tensor]) -> None:
        try:
            for name, value in losses.items():
                self.writer.add_scalar(f"loss/{name}", float(value), done)
        except OSError as error:  # curves are not worth a run
            _no_more_curves(error)
            self._close()

    def _close(self) -> None:
        writer, self.writer = self.writer, None
        for part in (writer.file_writer.event_writer, writer) if writer is not None else ():
            with contextlib.suppress(OSError):
                part.close()

    def __enter__(self) -> StageMonitor:
        return self

    def __exit__(self, *exception: object) -> None:
        self.bar.close()
        self._close()


def _clock(seconds: float) -> str:
    minutes, seconds = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{seconds:02}" if hours else f"{minutes}:{seconds:02}"


def setup_logging(level: int = logging.INFO) -> None:
    """Send the package's messages to stderr as plain lines."""
    logging.raiseExceptions = False  # a full disk must not fill the screen
    package = logging.getLogger("ConSinGAN")
    if not package.handlers:
        handler = console.StderrHandler()
        handler.setFormatter(logging.Formatter("%(message)s"))
        package.addHandler(handler)
        package.propagate = False
    package.setLevel(level)
