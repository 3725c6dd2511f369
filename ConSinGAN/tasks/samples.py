"""Random pictures like the training picture, at any size (paper section 4.1)."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ConSinGAN import console
from ConSinGAN.errors import UsageError
from ConSinGAN.tasks._tiling import check_tiled, tile_for, whole
from ConSinGAN.tasks.base import NUM_SHEET_SAMPLES, Drawing, Task
from ConSinGAN.tasks.samples_options import DISTANCE

if TYPE_CHECKING:
    from torch import Tensor

    from ConSinGAN.config import TrainConfig
    from ConSinGAN.evaluation import EvalConfig
    from ConSinGAN.model import ImageModel
    from ConSinGAN.modes.base import Mode
    from ConSinGAN.naive import Naive
    from ConSinGAN.noise import Near
    from ConSinGAN.tasks.samples_options import Options
    from ConSinGAN.tiles import TiledPicture


NEAR = re.compile(r"[0-9]{1,9}(/[0-9]{1,9}){0,31}")  # a sample, its neighbour, and so on


class Samples(Task):
    """The reconstruction, and random samples at several sizes."""

    name = "samples"
    summary = "random variations of the picture, at any size"

    def unsuited(self, mode: Mode, config: TrainConfig) -> str | None:
        return mode.why_no_random_pictures()

    def check_flags(self, config: EvalConfig) -> None:
        super().check_flags(config)
        options: Options = config.options_of("task")
        scaled = options.scale_h is not None or options.scale_w is not None
        if options.size is not None and scaled:
            raise UsageError("`size` and `scale_h`/`scale_w` exclude each other")
        if options.distance is not None and options.near is None:
            raise UsageError("`distance` is from a sample: name it with `near`, or leave it away")
        if options.near is not None and not NEAR.fullmatch(options.near):
            raise UsageError(
                "`near` takes the number of a sample, or 7/3 for neighbour 3 of sample 7, not "
                f"{options.near!r}"
            )

    def check(self, model: ImageModel, config: EvalConfig) -> None:
        for sample_set in sample_sets(config.options_of("task")):
            sample_set.check(model, config)

    def run(self, model: ImageModel, config: EvalConfig) -> Iterator[Drawing]:
        numbers = config.options_of("task").numbers
        yield Drawing("reconstruction", [model.reconstruct()])
        for sample_set in sample_sets(config.options_of("task")):
            pictures = sample_set.pictures(model, len(numbers), config.seed)
            shown = console.progress(pictures, sample_set.name, len(numbers), "picture")
            for number, picture in zip(numbers, shown, strict=True):
                yield Drawing(f"{sample_set.name}/gen_sample_{number}", [picture])

    def measured(self, model: ImageModel, config: EvalConfig) -> tuple[int, Iterator[Tensor]]:
        options: Options = config.options_of("task")
        return options.num_samples, sample_sets(options)[0].draw(
            model, options.num_samples, config.seed
        )

    def preview(
        self, model: ImageModel, iteration: int, seed: Sequence[int], naive: Naive | None
    ) -> Iterator[Drawing]:
        from ConSinGAN import images

        reconstruction, samples = model.reconstruct(), list(model.sample(NUM_SHEET_SAMPLES, seed))
        yield Drawing(f"reconstruction_{iteration}", [reconstruction])
        yield Drawing(f"fake_sample_{iteration}", [samples[0]])
        sheet = images.make_sheet([model.real, reconstruction, *samples], 4, least=200)
        yield Drawing("sample_sheet", [sheet])


@dataclass(frozen=True)
class SampleSet:
    """Random samples of one size, and the folder that they go to."""

    name: str
    scale: tuple[float, float] = (1.0, 1.0)  # height, width
    size: tuple[int, int] | None = None  # (h, w) in pixels, instead of the scale
    window: tuple[int, int, int, int] | None = None  # top, left, height, width
    start: int = 0  # stages below it stay as in the reconstruction
    tile: int | None = None  # pixels a side; 0: never
    first: int = 0  # number of the first
    near: Near | None = None  # what they resemble

    def check(self, model: ImageModel, config: EvalConfig) -> None:
        """Raise UsageError, naming the flag, if such a picture cannot be drawn or written."""
        if self._tile(model):
            check_tiled(config)
        self.pictures(model, 1, 0)

    def pictures(self, model: ImageModel, num: int, seed: int) -> Iterator[Tensor | TiledPicture]:
        """The pictures one after the other: (1, C, h, w), or in tiles."""
        how: dict[str, Any] = {"scale": self.scale, "size": self.size, "window": self.window}
        how |= {"start_scale": self.start, "first": self.first, "near": self.near}
        if tile := self._tile(model):
            return model.sample_tiled(tile, num, seed, **how)
        return model.sample(num, seed, **how)

    def draw(self, model: ImageModel, num: int, seed: int) -> Iterator[Tensor]:
        """The pictures, (1, C, h, w), one after the other."""
        return map(whole, self.pictures(model, num, seed))

    def _tile(self, model: ImageModel) -> int:
        window = None if self.tile else self.window
        frame = model.sample_frame(self.scale, self.size, window)
        flag = "`size`" if self.size is not None else "`scale_h`/`scale_w`"
        return tile_for(model, frame, self.tile, flag)


def near_of(options: Options) -> Near | None:
    """What the samples shall resemble, if anything."""
    if options.near is None:
        return None
    from ConSinGAN.noise import Near

    path = tuple(map(int, options.near.split("/")))
    return Near(path, DISTANCE if options.distance is None else options.distance)


def sample_sets(options: Options) -> list[SampleSet]:
    """Which sizes to sample at."""
    window = options.window
    how: dict[str, Any] = {
        "window": window, "start": options.start_scale, "tile": options.tile,
        "first": options.first, "near": near_of(options),
    }  # fmt: skip
    if options.size is not None:
        height, width = options.size
        name = f"random_samples_size_h_{height}_w_{width}"
        return [SampleSet(name, size=options.size, **how)]
    if window is not None or options.scale_h is not None or options.scale_w is not None:
        scales = [(options.scale_h or 1.0, options.scale_w or 1.0)]
    else:
        scales = [(1.0, 1.0), (1.0, 2.0), (2.0, 1.0), (2.0, 2.0)]
    return [SampleSet(_folder_name(*scale), scale, **how) for scale in scales]


def _folder_name(scale_h: float, scale_w: float) -> str:
    if (scale_h, scale_w) == (1, 1):
        return "random_samples"
    return f"random_samples_scale_h_{scale_h:g}_scale_w_{scale_w:g}"
