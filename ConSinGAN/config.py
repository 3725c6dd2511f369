"""The configuration of a run: frozen dataclasses whose fields are the flags.

Layers, weakest first: dataclass defaults < the mode's defaults < `--draft` < `--config` YAML <
typed flags. This module imports neither torch nor numpy, so `--help` is quick.
"""

from __future__ import annotations

import dataclasses
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ConSinGAN import modes
from ConSinGAN.errors import UsageError
from ConSinGAN.options import build, option, read_yaml

DEFAULT_PICTURE = "Images/Generation/summer_palace.jpg"
ACTIVATIONS = ("lrelu", "elu", "prelu", "selu")
PRECISIONS = ("auto", "fp32", "bf16")

# What a fine-tuning run takes over from the run that it starts from.
ARCHITECTURE = (
    *("train_stages", "nfc", "num_layer", "ker_size", "padd_size", "nc_im"),
    *("activation", "lrelu_alpha", "batch_norm"),
)
# What belongs to one run and is never handed on to another.
OWN_TO_A_RUN = (
    *("fine_tune", "model_dir", "naive_img", "niter", "manualSeed", "output_dir"),
    *("gpu", "not_cuda", "threads", "precision", "compile"),
    *("preview_every", "checkpoint_seconds", "max_megapixels", "frame"),
)


@dataclass(frozen=True, kw_only=True)
class DeviceConfig:
    """Where to compute, and which pictures to accept."""

    gpu: int | None = option(
        None, "device", "CUDA device to use (default: CUDA if there is one, else MPS, else CPU)",
        low=0, high=1000, metavar="N",
    )  # fmt: skip
    not_cuda: bool = option(False, "device", "use the processor even if there is a GPU")
    threads: int | None = option(
        None, "device", "threads that compute on the processor (default: one a core)",
        low=1, high=1024, metavar="N",
    )  # fmt: skip
    max_megapixels: float = option(100.0, "run", "refuse pictures larger than this", above=0)
    frame: int | None = option(
        None, "run",
        "of an animation or a file of several pages (default: the first; TIFF: the largest page)",
        low=1, high=10**9, metavar="N",
    )  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class ModelConfig(DeviceConfig):
    """How precisely a model computes."""

    precision: str = option(
        "auto", "device",
        "arithmetic of the convolutions; auto: bf16 where the hardware is fast at it, else fp32",
        choices=PRECISIONS,
    )  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class TrainConfig(ModelConfig):
    """Everything a training run depends on; flag spellings are those of the paper's code."""

    train_mode: str = option("generation", "run", "what to train for", choices=modes.names())
    input_name: str = option(DEFAULT_PICTURE, "run", "the training picture", metavar="PATH")
    naive_img: str | None = option(
        None, "run",
        "the naive composite or rough edit: what fine-tuning starts from; shown in previews",
        metavar="PATH",
    )  # fmt: skip
    fine_tune: bool = option(False, "run", "go on training the model in --model_dir on --naive_img")
    model_dir: str | None = option(
        None, "run", "run directory of the model to fine-tune", metavar="DIR"
    )
    output_dir: str = option("TrainedModels", "run", "where run directories go", metavar="DIR")
    manualSeed: int | None = option(
        None, "run", "random seed (default: drawn, and recorded in config.yaml)",
        low=0, high=2**63 - 1, metavar="N",
    )  # fmt: skip

    train_stages: int = option(6, "pyramid", "number of stages", low=2, high=32)
    min_size: int = option(25, "pyramid", "shorter side of the coarsest stage, pixels", low=4)
    max_size: int = option(
        250, "pyramid", "longer side of the finest stage, pixels (smaller pictures stay)", low=4
    )

    nfc: int = option(64, "networks", "filters of every hidden convolution", low=1, high=4096)
    num_layer: int = option(3, "networks", "convolution blocks per stage", low=1, high=64)
    ker_size: int = option(3, "networks", "kernel size, odd", low=1, high=31)
    padd_size: int = option(
        0, "networks", "zero padding inside every convolution; the border outside a stage shrinks",
        low=0, high=15,
    )  # fmt: skip
    nc_im: int = option(3, "networks", "picture channels: 3 colour, 1 grey", low=1, high=3)
    activation: str = option("lrelu", "networks", "activation function", choices=ACTIVATIONS)
    lrelu_alpha: float = option(0.05, "networks", "slope of the leaky ReLU", low=0, high=1)
    batch_norm: bool = option(False, "networks", "batch normalisation in the generator")

    train_depth: int = option(3, "training", "number of stages trained at the same time", low=1)
    lr_scale: float = option(
        0.1, "training", "learning rate factor from each trained stage to the one below", low=0
    )
    niter: int = option(2000, "training", "iterations per stage", low=1)
    lr_g: float = option(0.0005, "training", "learning rate of the generator", above=0)
    lr_d: float = option(0.0005, "training", "learning rate of the critic", above=0)
    beta1: float = option(0.5, "training", "beta1 of Adam (beta2 is 0.999)", low=0, high=0.999)
    gamma: float = option(
        0.1, "training", "learning rate factor at 80 %% of a stage's iterations", above=0
    )
    Gsteps: int = option(3, "training", "generator updates per iteration", low=1)
    Dsteps: int = option(3, "training", "critic updates per iteration", low=1)
    lambda_grad: float = option(0.1, "training", "weight of the gradient penalty", low=0)
    alpha: float = option(10.0, "training", "weight of the reconstruction loss", low=0)
    noise_amp: float = option(
        0.1, "training", "noise amplitude per unit of reconstruction error", low=0
    )

    start_scale: int = option(0, "watching", "animation previews: first stage that moves", low=0)
    preview_every: int = option(500, "watching", "iterations between previews", low=1)
    checkpoint_seconds: float = option(
        60.0, "watching", "seconds between checkpoints, from which --resume goes on", low=0
    )

    compile: bool = option(True, "device", "on CUDA, replay every iteration as one recorded graph")

    @property
    def critic_field(self) -> int:
        """How many pixels, along each side, one of the critic's scores depends on."""
        return (self.num_layer + 2) * (self.ker_size - 1 - 2 * self.padd_size) + 1


def resolve(flags: Mapping[str, Any], saved: TrainConfig | None = None) -> TrainConfig:
    """Lay the layers over each other and check the result as a whole.

    flags: values of the flags that the user typed, over those of the --config file; and `draft`,
    one of the mode's presets (True: the quickest).
    saved: the configuration of the run to fine-tune, if any.
    Raises UsageError with one line that names the flag.
    """
    typed = dict(flags)
    draft = typed.pop("draft", None)
    inherited: dict[str, Any] = {}
    if saved is not None:
        inherited = {k: v for k, v in dataclasses.asdict(saved).items() if k not in OWN_TO_A_RUN}
        typed = {"train_mode": saved.train_mode, **typed}
        if typed["train_mode"] != saved.train_mode:
            raise UsageError(
                f"--model_dir: the model was trained for {saved.train_mode}, "
                f"not for --train_mode {typed['train_mode']}"
            )
        for name in ARCHITECTURE:
            if name in typed and typed[name] != inherited[name]:
                raise UsageError(
                    f"--{name} {typed[name]}: the model in --model_dir was trained with "
                    f"{inherited[name]}; leave the flag away or train a new model"
                )
    mode = modes.get(str(typed.get("train_mode", TrainConfig.train_mode)))
    fine_tune = mode.fine_tune_defaults if typed.get("fine_tune") else {}
    preset = dict(mode.drafts[0] if draft is True else draft or {})
    if saved is not None:
        preset = {name: value for name, value in preset.items() if name not in ARCHITECTURE}
    config = build(TrainConfig, mode.defaults, inherited, fine_tune, preset, typed)
    _check_whole(config)
    mode.validate(config)
    return config


def check_device(config: DeviceConfig) -> None:
    """Raise UsageError if the device flags contradict each other."""
    if config.gpu is not None and config.not_cuda:
        raise UsageError(f"--gpu {config.gpu} and --not_cuda exclude each other")


def prepare(flags: Mapping[str, Any]) -> TrainConfig:
    """`resolve` typed flags, with the --config file, the run in --model_dir and a seed.

    In fine-tuning `input_name` is that of the run, to the letter, unless another one was typed.
    """
    flags, saved = dict(flags), None
    typed_name = flags.get("input_name")
    config_file = flags.pop("config", None)
    if config_file is not None:
        from_file = read_yaml(config_file)
        build(TrainConfig, from_file, source=str(config_file))  # complain about the file by name
        flags = {**from_file, **flags}
    if flags.get("fine_tune") and flags.get("model_dir") is not None:
        from ConSinGAN.run import RunDirectory  # needs torch

        saved = RunDirectory.open(flags["model_dir"]).load_config()
    config = resolve(flags, saved)
    if config.manualSeed is None:
        config = dataclasses.replace(config, manualSeed=secrets.randbelow(2**31))
    if saved is not None and config.input_name == saved.input_name:
        if typed_name is None:
            return config
        # Typed, so from here, even if the run's picture had that name where it was trained.
        return dataclasses.replace(config, input_name=str(Path(config.input_name).absolute()))
    bundled = Path(__file__).resolve().parent.parent / config.input_name
    if not _is_file(config.input_name) and _is_file(bundled):  # in another folder
        config = dataclasses.replace(config, input_name=str(bundled))
    return config


def _is_file(path: str | Path) -> bool:
    try:
        return Path(path).is_file()
    except OSError:  # a name too long, say
        return False


def _check_whole(config: TrainConfig) -> None:
    """Check what no single field can tell."""
    if config.ker_size % 2 == 0:
        raise UsageError(f"--ker_size must be odd, not {config.ker_size}")
    if config.padd_size > config.ker_size // 2:
        raise UsageError(
            f"--padd_size must be at most {config.ker_size // 2} for --ker_size {config.ker_size}, "
            f"not {config.padd_size}"
        )
    if config.min_size < config.critic_field:
        raise UsageError(
            f"--min_size must be at least {config.critic_field}, not {config.min_size}: so many "
            "pixels the critic's convolutions see (fewer with a smaller --num_layer or --ker_size)"
        )
    if config.nc_im == 2:
        raise UsageError("--nc_im must be 3 (colour) or 1 (grey), not 2")
    if config.max_size < config.min_size:
        raise UsageError(
            f"--max_size {config.max_size} is smaller than --min_size {config.min_size}"
        )
    check_device(config)
    if config.fine_tune and config.model_dir is None:
        raise UsageError("--fine_tune needs --model_dir, the run directory of a trained model")
    if config.model_dir is not None and not config.fine_tune:
        raise UsageError("--model_dir is for fine-tuning: add --fine_tune or leave it away")
