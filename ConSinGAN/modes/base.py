"""What a mode is: a training recipe. All hooks have defaults, so a new one is a small file.

A mode holds no state but its options: it says what enters stage 0, how the pyramid is spaced and
what convolutions see around a picture. Modules that need torch are imported where they are used,
which keeps `--help` quick.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from ConSinGAN.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from torch import Tensor

    from ConSinGAN.config import TrainConfig
    from ConSinGAN.frame import Border, Size
    from ConSinGAN.naive import Naive
    from ConSinGAN.noise import Streams


ONE_STEP = {"Dsteps": 1, "lambda_grad": 1.0}  # of the critic, which is held more tightly then


class Mode:
    """The defaults are those of unconditional generation."""

    name: ClassVar[str] = ""  # what --train_mode calls it; no name, no mode
    summary: ClassVar[str] = ""  # one line for --help
    defaults: ClassVar[Mapping[str, Any]] = {}  # values that differ from TrainConfig's
    fine_tune_defaults: ClassVar[Mapping[str, Any]] = {"niter": 500}
    # --draft, a first look in minutes, from quick to slow; see `presets.draft`. Samples need stages
    # and iterations more than pixels, and those iterations more than several critic steps. With the
    # paper's gradient penalty one step would let every tenth run collapse in its first stage.
    drafts: ClassVar[Sequence[Mapping[str, Any]]] = (
        {"max_size": 50, "min_size": 18, "train_stages": 4, "niter": 700, **ONE_STEP},
        {"max_size": 60, "min_size": 18, "train_stages": 5, "niter": 800, **ONE_STEP},
        {"max_size": 70, "min_size": 18, "train_stages": 6, "niter": 800, **ONE_STEP},
        {"max_size": 70, "min_size": 18, "train_stages": 6, "niter": 800, "Dsteps": 3},
        {"max_size": 90, "min_size": 20, "train_stages": 6, "niter": 1000, "Dsteps": 3},
        {"max_size": 120, "min_size": 25, "train_stages": 6, "niter": 1000, "Dsteps": 3},
    )
    method: ClassVar[str] = "adversarial"  # what an iteration is; a file of `methods`
    source: ClassVar[str] = "single"  # what it is fed with; a file of `sources`
    border: ClassVar[Border] = "zeros"  # what convolutions see around the picture; see `frame`
    default_task: ClassVar[str] = "samples"  # what its models are asked to do if nothing is said
    previews: ClassVar[tuple[str, ...]] = ("samples",)  # tasks that show a model in training
    takes_naive: ClassVar[bool] = False  # whether it knows what to do with --naive_img
    takes_content: ClassVar[bool] = False  # whether its models draw any picture in their style
    mask_radius: ClassVar[int] = 0  # pixels by which masks of composites are grown
    hides: ClassVar[bool] = False  # whether its pictures have a hole; see `read_hole`

    # Training -----------------------------------------------------------------------------

    def configured(self, config: TrainConfig) -> Mode:
        """This mode with the options of a run, for its hooks; itself if it has none."""
        return self

    def validate(self, config: TrainConfig) -> None:
        """Raise UsageError, naming the flag, if the configuration makes no sense here."""
        return

    def spacing(self, factor: float, num_stages: int) -> list[float]:
        """Scales of the stages below the finest, coarsest first; see `pyramid`."""
        from ConSinGAN import pyramid

        return pyramid.dense_scales(factor, num_stages)

    def stage_sizes(self, size: Size, config: TrainConfig) -> list[Size]:
        """(h, w) of all stages, coarsest first, for a picture of `size` (H, W)."""
        from ConSinGAN import pyramid

        return pyramid.stage_sizes(
            size, config.train_stages, config.min_size, config.max_size,
            config.recipe.spacing(self.spacing),
        )  # fmt: skip

    def trained_sizes(self, sizes: Sequence[Size], config: TrainConfig) -> list[Size]:
        """(h, w) of what an iteration computes at every stage; sizes: of the pictures there."""
        return list(sizes)

    def make_pyramid(self, picture: Tensor, config: TrainConfig) -> list[Tensor]:
        """The real pictures of all stages, coarsest first."""
        from ConSinGAN import pyramid

        return pyramid.make_pyramid(
            picture, config.train_stages, config.min_size, config.max_size,
            config.recipe.spacing(self.spacing), least=config.critic_field,
        )  # fmt: skip

    def adversarial_weight(self, config: TrainConfig, stage: int) -> float:
        """Weight of the adversarial loss where a method asks for it, 0 for none; stage: 0-based."""
        return 1.0

    def fixed_input(self, real: Tensor, streams: Streams) -> Tensor:
        """The stage-0 input of the reconstruction; real: the coarsest picture (1, C, h, w)."""
        return real

    def draw_input(self, real: Tensor, streams: Streams) -> Tensor:
        """The stage-0 input of one iteration or of a random picture, (1, C, h, w) as `real`."""
        from ConSinGAN.noise import draw

        return draw(real.shape, streams.noise)

    @classmethod
    def draws_noise(cls) -> bool:
        """Whether random pictures begin with plain noise, so that any part of it can be had alone.

        No mode has to say so: it is what `draw_input` does if a mode leaves it as it is.
        """
        return cls.draw_input is Mode.draw_input

    def naive_input(self, naive: Tensor, streams: Streams) -> Tensor:
        """The stage-0 input made of the naive picture at coarsest size (1, C, h, w)."""
        raise UsageError(f"`model_dir`: a model trained for {self.name} makes no composites")

    def read_naive(self, config: TrainConfig, shapes: Sequence[tuple[int, int]]) -> Naive | None:
        """The picture of --naive_img, if any.

        shapes: (h, w) of the training picture, as it was read and at the finest stage.
        """
        return None

    def read_hole(self, config: TrainConfig, picture: Tensor) -> Tensor | None:
        """What of the training picture (1, C, H, W) is hidden: (1, 1, H, W) of bools; see `holes`.

        Raises UsageError, naming the flag, if the mode hides something and there is no good mask.
        """
        return None

    def why_no_random_pictures(self) -> str | None:
        """Why random pictures of its models are not worth drawing; None if they are."""
        return None
