"""What a preset is: a named layer of option values, over the mode's defaults and under --config."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from typing import Any, ClassVar

from ConSinGAN.config import TrainConfig

Values = Mapping[str, Any]
Configure = Callable[[Values], TrainConfig]


class Preset(ABC):
    """One preset, for every mode."""

    name: ClassVar[str] = ""  # what --preset calls it; no name, no component
    summary: ClassVar[str] = ""  # one line for --help

    @abstractmethod
    def choose(self, configure: Configure) -> Values:
        """The values for this machine and picture.

        configure: the whole configuration with some values in the preset's place. Raises
        UsageError as training itself would.
        """
