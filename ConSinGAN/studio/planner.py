"""What a training would take, and whether files are good: asked of a process that has torch.

    python -m ConSinGAN.studio.planner     answers a line of JSON with a line of JSON

The page's own process stays small and quick, and cannot be taken down by what it looks at.
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
import sys
from collections.abc import Mapping
from typing import Any

from ConSinGAN import launch, modes
from ConSinGAN.config import SCHEMA, TrainConfig
from ConSinGAN.errors import ConSinGANError, UsageError, describe
from ConSinGAN.registry import PRESETS

# Sections of options that do not change how quick a machine is at products; how many an iteration
# takes is counted.
SAME_SPEED = ("run", "pyramid", "watching", "training", "mode")


class Planner:
    """Answers questions."""

    def __init__(self) -> None:
        self._speeds: dict[str, Any] = {}

    def plan(self, flags: Mapping[str, Any]) -> dict[str, Any]:
        """How long the run of these flags would take, in seconds, at which size (w, h).

        Raises UsageError, as training would, if flags or files are wrong.
        """
        from ConSinGAN import beginning, hardware
        from ConSinGAN.pyramid import sizes_of

        full, config, preset = self._configure(flags)
        device, full = beginning.prepare_device(full)
        pictures = beginning.read_pictures(config)
        beginning.check_memory(config, pictures.reals, device)
        mode = modes.get(config.train_mode)
        sizes = mode.trained_sizes(sizes_of(pictures.reals), config)
        dtype = hardware.select_precision(full.precision, device)
        first = len(sizes) - 1 if config.fine_tune else 0
        seconds = self._speed(full, device, dtype).seconds(config, sizes, first)
        height, width = sizes_of(pictures.reals)[-1]
        return {
            "seconds": seconds, "size": [width, height], "stages": config.train_stages,
            "niter": config.niter, "preset": preset,
        }  # fmt: skip

    def check(self, flags: Mapping[str, Any]) -> dict[str, Any]:
        """Raise UsageError if flags or files are wrong, as far as that is known without timing.

        Which settings a preset will choose is not; so one of them has to suit the picture.
        """
        from ConSinGAN import beginning, images
        from ConSinGAN.pyramid import size_of

        preset = flags.get("preset")
        plain = {name: value for name, value in flags.items() if name != "preset"}
        full = launch.prepare(plain)
        if preset is None:
            device, full = beginning.prepare_device(full)
            beginning.check_memory(full, beginning.read_pictures(full).reals, device)
            return {}
        mode = modes.get(full.train_mode)
        picture = images.read_image(
            full.input_name, full.nc_im, max_megapixels=full.max_megapixels, frame=full.frame
        )
        mode.read_hole(full, picture)
        refusals = []
        for values in PRESETS.load(preset)().settings(full):
            try:
                config = launch.resolve(plain, preset=values)
                config = launch.with_stages(config, {**plain, **values})
                mode.stage_sizes(size_of(picture), config)
                return {}
            except UsageError as error:
                refusals.append(error)
        raise refusals[0]

    def model(self, path: str) -> dict[str, Any]:
        """Open a finished model, as drawing would. Raises UsageError if anything is wrong."""
        from ConSinGAN.run import RunDirectory

        RunDirectory.open(path).load_model()
        return {}

    def picture(self, path: str, megapixels: float, shown: str | None) -> dict[str, Any]:
        """Read a picture; UsageError if it is none, or too large. shown: where to write a PNG."""
        from ConSinGAN import images

        picture = images.read_image(path, max_megapixels=megapixels)
        if shown is not None:
            images.save_image(picture, shown)
        return {}

    def awake(self) -> dict[str, Any]:
        """Be there."""
        return {}

    def warm(self) -> dict[str, Any]:
        """Measure the machine for most modes' networks, while it does nothing else."""
        from ConSinGAN import beginning, hardware

        device, config = beginning.prepare_device(launch.configure({}))
        self._speed(config, device, hardware.select_precision(config.precision, device))
        return {}

    def _configure(
        self, flags: Mapping[str, Any]
    ) -> tuple[TrainConfig, TrainConfig, dict[str, Any]]:
        """As `launch.configure`, but the machine is measured once.

        First without the preset, then with it, then what the preset has chosen.
        """
        plain = {name: value for name, value in flags.items() if name != "preset"}
        config = launch.prepare(plain)
        if flags.get("preset") is None:
            return config, config, {}
        seeded = plain | {"manualSeed": config.manualSeed}
        preset = PRESETS.load(flags["preset"])()

        def with_preset(values: Mapping[str, Any]) -> TrainConfig:
            return launch.with_stages(launch.resolve(seeded, preset=values), {**plain, **values})

        values = preset.choose(with_preset, self._speed)
        return config, with_preset(values), dict(values)

    def _speed(self, config: TrainConfig, device: Any, dtype: Any) -> Any:
        from ConSinGAN import estimate

        sections = SCHEMA.sections(config)
        key = repr([value for name, value in sections.items() if name not in SAME_SPEED])
        if key not in self._speeds:
            self._speeds[key] = estimate.measure(config, device, dtype)
        return self._speeds[key]


def answer(planner: Planner, line: str) -> dict[str, Any]:
    """The answer to one question; an error in it has its options marked."""
    try:
        question = json.loads(line)
        return getattr(planner, question["ask"])(**question["about"])
    except ConSinGANError as error:
        return {"error": error.marked}
    except Exception as error:  # of one question; the next may be a better one
        logging.getLogger("ConSinGAN").exception("a question could not be answered")
        return {"error": describe(error)}


def main() -> int:
    """Answer until nobody asks any more."""
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # what libraries print is no answer
    with contextlib.suppress(AttributeError, OSError):
        os.nice(5)
    import torch  # noqa: F401 (before the first question)

    planner = Planner()
    for line in sys.stdin:
        with contextlib.suppress(BrokenPipeError):
            print(json.dumps(answer(planner, line)), file=answers, flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
