"""Progress on the screen: a bar, or plain lines where there is no terminal."""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping

from torch import Tensor
from tqdm import tqdm

from ConSinGAN import console
from ConSinGAN.pace import BUSY, Pace
from ConSinGAN.watch.base import Moment, Watcher

log = logging.getLogger(__name__)

LINES_PER_STAGE = 5  # where there is no terminal
REFRESH_SECONDS = 0.5  # between looks at the losses where there is one


class Terminal(Watcher):
    """Shows one stage's progress and losses, and says if the machine is busy."""

    def begin_stage(self, moment: Moment) -> None:
        self.start = moment.done
        self.line_every = max(1, moment.niter // LINES_PER_STAGE)
        self.started = self.shown = time.monotonic()
        self.pace, self.told_busy = Pace(), False
        self.terminal = console.shows_progress()
        self.bar = tqdm(
            total=moment.niter, initial=moment.done, desc=moment.title, leave=True,
            disable=not self.terminal, dynamic_ncols=True, unit="it", file=console.Stderr(),
        )  # fmt: skip

    def iteration(self, moment: Moment, terms: Mapping[str, Tensor]) -> None:
        done, niter = moment.done, moment.niter
        self.bar.update()
        self._tell_if_busy(moment)
        if self.terminal and time.monotonic() - self.shown > REFRESH_SECONDS:
            self.shown = time.monotonic()
            self.bar.set_postfix({name: f"{float(v):.3g}" for name, v in terms.items()})
        if not self.terminal and (done % self.line_every == 0 or done == niter):
            seconds = (time.monotonic() - self.started) / (done - self.start)
            text = ", ".join(f"{name} {float(value):.3g}" for name, value in terms.items())
            left = _clock(seconds * (niter - done))
            log.info("%s: %d/%d, %s, %s left", moment.title, done, niter, text, left)

    def end_stage(self) -> None:
        self.bar.close()

    def _tell_if_busy(self, moment: Moment) -> None:
        factor = self.pace.tick()
        if factor is not None and factor >= BUSY and not self.told_busy:
            self.told_busy = True
            log.info(
                "%s: the machine is busy with other work, iterations take about %.1f times as long "
                "as they would alone; fewer --threads get in its way less", moment.title, factor,
            )  # fmt: skip


def _clock(seconds: float) -> str:
    minutes, seconds = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{seconds:02}" if hours else f"{minutes}:{seconds:02}"
