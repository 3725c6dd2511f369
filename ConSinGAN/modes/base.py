"""What a mode is. All hooks have defaults, so a new mode is a new file with what differs.

A mode holds no state: it says where noise goes and what enters stage 0, and what evaluation
writes. Modules that need torch are imported on first use (`Lazy`), which keeps `--help` quick.
"""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from ConSinGAN import console
from ConSinGAN.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from torch import Tensor

    from ConSinGAN.config import TrainConfig
    from ConSinGAN.evaluation import EvalConfig
    from ConSinGAN.frame import Border
    from ConSinGAN.noise import Streams
    from ConSinGAN.results import Results
    from ConSinGAN.sampling import ImageModel


class Lazy:
    """Stands for a module that is imported when something of it is first used."""

    def __init__(self, name: str) -> None:
        self._name = name

    def __getattr__(self, attribute: str) -> Any:
        return getattr(importlib.import_module(self._name), attribute)


hardware = Lazy("ConSinGAN.hardware")
images = Lazy("ConSinGAN.images")
noise = Lazy("ConSinGAN.noise")
pyramid = Lazy("ConSinGAN.pyramid")

NUM_SHEET_SAMPLES = 9
SHEET_SIDE = 200  # pixels of a picture's longer side on a sheet, at least


@dataclass(frozen=True)
class Naive:
    """A naive picture (1, C, H, W) in [-1, 1] and, if it has one, its mask (1, 1, H, W)."""

    picture: Tensor
    mask: Tensor | None


class Mode:
    """The defaults are those of unconditional generation."""

    name: ClassVar[str] = ""  # what --train_mode calls it; no name, no mode
    summary: ClassVar[str] = ""  # one line for --help
    defaults: ClassVar[Mapping[str, Any]] = {}  # values that differ from TrainConfig's
    fine_tune_defaults: ClassVar[Mapping[str, Any]] = {"niter": 500}
    # --draft, a first look in minutes, from quick to slow; see `draft.choose`. Samples need stages
    # and iterations more than pixels, and those iterations more than several critic steps.
    drafts: ClassVar[Sequence[Mapping[str, Any]]] = (
        {"max_size": 50, "min_size": 18, "train_stages": 4, "niter": 700, "Dsteps": 1},
        {"max_size": 60, "min_size": 18, "train_stages": 5, "niter": 800, "Dsteps": 1},
        {"max_size": 70, "min_size": 18, "train_stages": 6, "niter": 800, "Dsteps": 1},
        {"max_size": 70, "min_size": 18, "train_stages": 6, "niter": 800, "Dsteps": 3},
        {"max_size": 90, "min_size": 20, "train_stages": 6, "niter": 1000, "Dsteps": 3},
        {"max_size": 120, "min_size": 25, "train_stages": 6, "niter": 1000, "Dsteps": 3},
    )
    border: ClassVar[Border] = "zeros"  # what convolutions see around the picture; see `frame`
    animated: ClassVar[bool] = False  # evaluation writes GIFs

    # Training -----------------------------------------------------------------------------

    def validate(self, config: TrainConfig) -> None:
        """Raise UsageError, naming the flag, if the configuration makes no sense here."""
        if config.fine_tune:
            raise UsageError(
                f"--fine_tune: --train_mode {self.name} has no fine-tuning; "
                "harmonization and editing have"
            )
        if config.naive_img is not None:
            raise UsageError(
                f"--naive_img: --train_mode {self.name} has no use for it; "
                "harmonization and editing have"
            )

    def spacing(self, factor: float, num_stages: int) -> list[float]:
        """Scales of the stages below the finest, coarsest first; see `pyramid`."""
        return pyramid.dense_scales(factor, num_stages)

    def make_pyramid(self, picture: Tensor, config: TrainConfig) -> list[Tensor]:
        """The real pictures of all stages, coarsest first."""
        return pyramid.make_pyramid(
            picture, config.train_stages, config.min_size, config.max_size, self.spacing,
            least=config.critic_field,
        )  # fmt: skip

    def fixed_input(self, real: Tensor, streams: Streams) -> Tensor:
        """The stage-0 input of the reconstruction; real: the coarsest picture (1, C, h, w)."""
        return real

    def draw_input(self, real: Tensor, streams: Streams) -> Tensor:
        """The stage-0 input of one iteration or of a random picture, (1, C, h, w) as `real`."""
        return noise.draw(real.shape, streams.noise)

    def naive_input(self, naive: Tensor, streams: Streams) -> Tensor:
        """The stage-0 input made of the naive picture at coarsest size (1, C, h, w)."""
        raise UsageError(f"--model_dir: a model trained for {self.name} makes no composites")

    def read_naive(self, config: TrainConfig, shapes: Sequence[tuple[int, int]]) -> Naive | None:
        """The picture of --naive_img, if any.

        shapes: (h, w) of the training picture, as it was read and at the finest stage.
        """
        return None

    def preview(
        self, model: ImageModel, folder: Path, iteration: int, seed: Sequence[int],
        naive: Naive | None = None,
    ) -> None:  # fmt: skip
        """Write `reconstruction_*`, `fake_sample_*` and the sample sheet of the current stage."""
        reconstruction = model.reconstruct()
        samples = list(model.sample(NUM_SHEET_SAMPLES, seed))
        images.save_image(reconstruction, folder / f"reconstruction_{iteration}.png")
        images.save_image(samples[0], folder / f"fake_sample_{iteration}.png")
        pictures = [model.real, reconstruction, *samples]
        sheet = images.make_sheet(pictures, columns=4, least=SHEET_SIDE)
        images.save_image(sheet, folder / "sample_sheet.png")

    # Evaluation ---------------------------------------------------------------------------

    def validate_evaluation(self, config: EvalConfig) -> None:
        """Raise UsageError, naming the flag, before anything is computed or written."""
        self.check_loop(config)
        if config.naive_img is not None or config.mask is not None:
            flag = "--naive_img" if config.naive_img is not None else "--mask"
            raise UsageError(
                f"{flag}: the model was trained for {self.name}, which makes no composites"
            )
        if config.frame is not None:
            raise UsageError(
                f"--frame {config.frame}: the model was trained for {self.name}, and its "
                "evaluation reads no picture; leave the flag away"
            )

    def check_loop(self, config: EvalConfig) -> None:
        """Raise UsageError if --loop is asked of a mode that writes no GIFs."""
        if config.loop and not self.animated:
            raise UsageError(
                f"--loop: the model was trained for {self.name}, which makes no animation"
            )

    def evaluate(self, model: ImageModel, config: EvalConfig, results: Results) -> None:
        """Write the reconstruction and random samples at several sizes.

        Nothing is written before the input files are known to be good.
        """
        sets = sample_sets(config)
        for sample_set in sets:
            sample_set.check(model)
        with results, images.ImageWriter() as writer:
            reconstruction = images.to_bytes(model.reconstruct())[0]
            writer.save(reconstruction, results.path(f"reconstruction.{config.format}"))
            for sample_set in sets:
                pictures = sample_set.draw(model, config)
                shown = console.progress(pictures, sample_set.name, config.num_samples, "picture")
                for index, picture in enumerate(shown):
                    name = f"{sample_set.name}/gen_sample_{index}.{config.format}"
                    writer.save(images.to_bytes(picture)[0], results.path(name))

    def pictures(self, model: ImageModel, config: EvalConfig) -> tuple[int, Iterator[Tensor]]:
        """What `--metrics` measures: the number of pictures, and the pictures, (1, C, h, w)."""
        first = sample_sets(config)[0]
        first.check(model)
        return config.num_samples, first.draw(model, config)


@dataclass(frozen=True)
class SampleSet:
    """Random samples of one size, and the folder that they go to."""

    name: str
    scale: tuple[float, float] = (1.0, 1.0)  # height, width
    size: tuple[int, int] | None = None  # (h, w) in pixels, instead of the scale

    def check(self, model: ImageModel) -> None:
        """Raise UsageError, naming the flag, if such a picture does not fit into memory."""
        size = self.size or model.scaled_sizes(*self.scale)[-1]
        flag = "--size" if self.size else "--scale_h/--scale_w"
        hardware.check_sample_size(model, size, flag)

    def draw(self, model: ImageModel, config: EvalConfig) -> Iterator[Tensor]:
        """The pictures, (1, C, h, w), one after the other."""
        return model.sample(config.num_samples, config.seed, scale=self.scale, size=self.size)


def sample_sets(config: EvalConfig) -> list[SampleSet]:
    """Which sizes to sample at."""
    if config.size is not None:
        height, width = config.size
        return [SampleSet(f"random_samples_size_h_{height}_w_{width}", size=config.size)]
    if config.scale_h is not None or config.scale_w is not None:
        scales = [(config.scale_h or 1.0, config.scale_w or 1.0)]
    else:
        scales = [(1.0, 1.0), (1.0, 2.0), (2.0, 1.0), (2.0, 2.0)]
    return [SampleSet(_folder_name(*scale), scale) for scale in scales]


def _folder_name(scale_h: float, scale_w: float) -> str:
    if (scale_h, scale_w) == (1, 1):
        return "random_samples"
    return f"random_samples_scale_h_{scale_h:g}_scale_w_{scale_w:g}"
