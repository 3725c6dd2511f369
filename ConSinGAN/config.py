"""The configuration of a run: frozen dataclasses whose fields are the flags.

What the chosen mode, generator, critic and objective add lies in `parts`; see `owners` for how the
options of all are found, and `launch` for the layers that make a configuration. This module imports
neither torch nor numpy, so `--help` is quick.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from ConSinGAN.errors import UsageError
from ConSinGAN.generators.recipe import Recipe
from ConSinGAN.options import Scope, option
from ConSinGAN.owners import Schema
from ConSinGAN.registry import CRITICS, GENERATORS, MODES, OBJECTIVES

DEFAULT_PICTURE = "Images/Generation/summer_palace.jpg"
ACTIVATIONS = ("lrelu", "elu", "prelu", "selu")
PRECISIONS = ("auto", "fp32", "bf16")
AUGMENTATIONS = ("colour", "translation", "cutout")


@dataclass(frozen=True, kw_only=True)
class DeviceConfig:
    """Where to compute, and which pictures to accept."""

    gpu: int | None = option(
        None, "device", "CUDA device to use (default: CUDA if there is one, else MPS, else CPU)",
        low=0, high=1000, metavar="N", scope=Scope.HARMLESS,
    )  # fmt: skip
    not_cuda: bool = option(
        False, "device", "use the processor even if there is a GPU", scope=Scope.HARMLESS
    )
    threads: int | None = option(
        None, "device", "threads that compute on the processor (default: one a core)",
        low=1, high=1024, metavar="N", scope=Scope.ROUNDING,
    )  # fmt: skip
    max_megapixels: float = option(
        100.0, "run", "refuse pictures larger than this", above=0, scope=Scope.HARMLESS
    )
    frame: int | None = option(
        None, "run",
        "of an animation or a file of several pages (default: the first; TIFF: the largest page)",
        low=1, high=10**9, metavar="N", scope=Scope.RUN,
    )  # fmt: skip


def check_device(config: DeviceConfig) -> None:
    """Raise UsageError if the device flags contradict each other."""
    if config.gpu is not None and config.not_cuda:
        raise UsageError(f"`gpu` {config.gpu} and `not_cuda` exclude each other")


@dataclass(frozen=True, kw_only=True)
class ModelConfig(DeviceConfig):
    """How precisely a model computes."""

    precision: str = option(
        "auto", "device",
        "arithmetic of the convolutions; auto: bf16 where the hardware is fast at it, else fp32",
        choices=PRECISIONS, scope=Scope.RUN,
    )  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class TrainConfig(ModelConfig):
    """Everything a training run depends on; flag spellings are those of the paper's code."""

    train_mode: str = option("generation", "run", "what to train for", choices=MODES.names())
    input_name: str = option(DEFAULT_PICTURE, "run", "the training picture", metavar="PATH")
    naive_img: str | None = option(
        None, "run",
        "the naive composite or rough edit: what fine-tuning starts from; shown in previews",
        metavar="PATH", scope=Scope.RUN,
    )  # fmt: skip
    fine_tune: bool = option(
        False, "run", "go on training the model in --model_dir on --naive_img", scope=Scope.RUN
    )
    model_dir: str | None = option(
        None, "run", "run directory of the model to fine-tune", metavar="DIR", scope=Scope.RUN
    )
    output_dir: str = option(
        "TrainedModels", "run", "where run directories go", metavar="DIR", scope=Scope.RUN
    )
    manualSeed: int | None = option(
        None, "run", "random seed (default: drawn, and recorded in config.yaml)",
        low=0, high=2**63 - 1, metavar="N", scope=Scope.RUN,
    )  # fmt: skip

    train_stages: int = option(
        6, "pyramid", "number of stages", low=2, high=32, scope=Scope.ARCHITECTURE
    )
    min_size: int = option(25, "pyramid", "shorter side of the coarsest stage, pixels", low=4)
    max_size: int = option(
        250, "pyramid", "longer side of the finest stage, pixels (smaller pictures stay)", low=4
    )

    generator: str = option(
        "consingan", "networks", "the network that draws", choices=GENERATORS.names(),
        scope=Scope.ARCHITECTURE,
    )  # fmt: skip
    critic: str = option(
        "patch", "networks", "the network that judges", choices=CRITICS.names(),
        scope=Scope.ARCHITECTURE,
    )  # fmt: skip
    nfc: int = option(
        64,
        "networks",
        "filters of every hidden convolution",
        low=1,
        high=4096,
        scope=Scope.ARCHITECTURE,
    )
    num_layer: int = option(
        3, "networks", "convolution blocks per stage", low=1, high=64, scope=Scope.ARCHITECTURE
    )
    ker_size: int = option(
        3, "networks", "kernel size, odd", low=1, high=31, scope=Scope.ARCHITECTURE
    )
    padd_size: int = option(
        0, "networks", "zero padding inside every convolution; the border outside a stage shrinks",
        low=0, high=15, scope=Scope.ARCHITECTURE,
    )  # fmt: skip
    nc_im: int = option(
        3, "networks", "picture channels: 3 colour, 1 grey", low=1, high=3, scope=Scope.ARCHITECTURE
    )
    activation: str = option(
        "lrelu", "networks", "activation function", choices=ACTIVATIONS, scope=Scope.ARCHITECTURE
    )
    lrelu_alpha: float = option(
        0.05, "networks", "slope of the leaky ReLU", low=0, high=1, scope=Scope.ARCHITECTURE
    )

    objective: str = option(
        "wgan-gp", "training", "what critic and generator minimise", choices=OBJECTIVES.names()
    )
    augment_critic: str = option(
        "none", "training",
        "what the critic sees of real and drawn pictures is changed at random, both alike: "
        "none, or some of colour, translation, cutout with commas between them",
        several=AUGMENTATIONS, metavar="LIST",
    )  # fmt: skip
    train_depth: int = option(3, "training", "number of stages trained at the same time", low=1)
    lr_scale: float = option(
        0.1, "training", "learning rate factor from each trained stage to the one below", low=0
    )
    niter: int = option(2000, "training", "iterations per stage", low=1, scope=Scope.RUN)
    niter_fine: int = option(
        0, "training", "iterations of the last third of the stages, the large ones; 0: as the "
        "others", low=0, scope=Scope.RUN,
    )  # fmt: skip
    average: float = option(
        0.0, "training", "decay, per iteration, of the running average of the last stage's "
        "generator weights that the model draws with; 0: the weights themselves", low=0,
        high=0.9999,
    )  # fmt: skip
    train_window: int = option(
        0, "training", "side of the random windows that an iteration looks at where a stage is "
        "larger, pixels; 0: whole pictures", low=0, high=2**15,
    )  # fmt: skip
    lr_g: float = option(0.0005, "training", "learning rate of the generator", above=0)
    lr_d: float = option(0.0005, "training", "learning rate of the critic", above=0)
    beta1: float = option(0.5, "training", "beta1 of Adam (beta2 is 0.999)", low=0, high=0.999)
    gamma: float = option(
        0.1, "training", "learning rate factor at 80 %% of a stage's iterations", above=0
    )
    Gsteps: int = option(3, "training", "generator updates per iteration", low=1)
    Dsteps: int = option(3, "training", "critic updates per iteration", low=1)
    alpha: float = option(10.0, "training", "weight of the reconstruction loss", low=0)
    noise_amp: float = option(
        0.1, "training", "noise amplitude per unit of reconstruction error", low=0
    )

    preview_every: int = option(
        500, "watching", "iterations between previews", low=1, scope=Scope.HARMLESS
    )
    checkpoint_seconds: float = option(
        60.0,
        "watching",
        "seconds between checkpoints, from which --resume goes on",
        low=0,
        scope=Scope.HARMLESS,
    )

    compile: bool = option(
        True,
        "device",
        "on CUDA, replay every iteration as one recorded graph",
        scope=Scope.HARMLESS,
    )

    parts: dict[str, Any] = field(default_factory=dict)  # Options of what is chosen, by family

    def __post_init__(self) -> None:
        if not self.parts:
            chosen = SCHEMA.chosen({f.option: getattr(self, f.option) for f in FAMILIES.values()})
            object.__setattr__(self, "parts", SCHEMA.default_parts(chosen))

    def options_of(self, family: str) -> Any:
        """The `Options` of the chosen mode, generator, critic or objective; None if it has none."""
        return self.parts.get(family)

    @property
    def fine_stages(self) -> range:
        """The last third of the stages, 0-based."""
        return range(self.train_stages - self.train_stages // 3, self.train_stages)

    def iterations(self, stage: int) -> int:
        """How many iterations a stage (0-based) gets."""
        return (stage in self.fine_stages and self.niter_fine) or self.niter

    @property
    def reach(self) -> int:
        """How far, in pixels to each side, one generator stage looks."""
        return self.num_layer * (self.ker_size // 2)

    @property
    def recipe(self) -> Recipe:
        """What the generator asks of the rest of a run."""
        options = self.options_of("generator")
        return options if isinstance(options, Recipe) else Recipe()

    @property
    def critic_field(self) -> int:
        """How many pixels, along each side, one of the critic's scores depends on."""
        return (self.num_layer + 2) * (self.ker_size - 1 - 2 * self.padd_size) + 1


FAMILIES = {"mode": MODES, "generator": GENERATORS, "critic": CRITICS, "objective": OBJECTIVES}
SCHEMA = Schema(TrainConfig, FAMILIES)
