"""What the model draws on its way: pictures in every stage's folder."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from torch import Tensor

from ConSinGAN.errors import describe
from ConSinGAN.tasks.writing import write_previews
from ConSinGAN.watch.base import Moment, Watcher

log = logging.getLogger(__name__)


class Previews(Watcher):
    """Draws every `preview_every` iterations and at a stage's end.

    That drawing fails is no reason to stop, nor not to try again.
    """

    def __init__(self, announce: Callable[[Moment, Sequence[Path]], None]) -> None:
        """announce: is told what was written."""
        self.announce = announce

    def iteration(self, moment: Moment, terms: Mapping[str, Tensor]) -> None:
        config = moment.config
        if moment.done % config.preview_every and moment.done != moment.niter:
            return
        seed = [1, config.manualSeed or 0, moment.stage, moment.done]
        try:
            files = write_previews(moment.model, moment.folder, moment.done, seed, moment.naive)
        except Exception as error:
            log.warning(
                "%s: no preview at iteration %d: %s", moment.folder, moment.done, describe(error)
            )
            log.debug("the preview's traceback", exc_info=True)
            return
        self.announce(moment, files)
