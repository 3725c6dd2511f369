"""The configuration of a run: frozen dataclasses from which flags, YAML and checks are made.

Every field carries its own flag: `option(default, group, help, ...)`. Layers, weakest first:
dataclass defaults < the mode's defaults < presets (`--draft`) < `--config` YAML < typed flags.
This module imports neither torch nor numpy, so `--help` is quick.
"""

from __future__ import annotations

import argparse
import dataclasses
import difflib
import math
import os
import re
import secrets
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, get_args, get_type_hints

import yaml

from ConSinGAN import modes
from ConSinGAN.errors import UsageError

DEFAULT_PICTURE = "Images/Generation/summer_palace.jpg"
ACTIVATIONS = ("lrelu", "elu", "prelu", "selu")
PRECISIONS = ("auto", "fp32", "bf16")

# What a fine-tuning run takes over from the run that it starts from.
ARCHITECTURE = [
    "train_stages",
    "nfc",
    "num_layer",
    "ker_size",
    "padd_size",
    "nc_im",
    "activation",
    "lrelu_alpha",
    "batch_norm",
]
# What belongs to one run and is never handed on to another.
OWN_TO_A_RUN = [
    "fine_tune",
    "model_dir",
    "naive_img",
    "niter",
    "manualSeed",
    "gpu",
    "not_cuda",
    "output_dir",
    "precision",
    "compile",
    "preview_every",
]


def option(
    default: Any,
    group: str,
    help: str,
    *,
    low: float | None = None,
    high: float | None = None,
    above: float | None = None,
    choices: Iterable[str] | None = None,
    metavar: str | None = None,
) -> Any:
    """A dataclass field that is also a flag.

    Allowed values: `low` <= value <= `high`, value > `above`, or one of `choices`.
    """
    if isinstance(default, int) and high is None:
        high = 10**9
    metadata = {"group": group, "help": help, "metavar": metavar}
    metadata |= {"low": low, "high": high, "above": above, "choices": choices}
    return field(default=default, metadata=metadata)


@dataclass(frozen=True, kw_only=True)
class DeviceConfig:
    """Where and how precisely to compute."""

    gpu: int | None = option(
        None, "device", "CUDA device to use (default: CUDA if there is one, else MPS, else CPU)",
        low=0, high=1000, metavar="N",
    )  # fmt: skip
    not_cuda: bool = option(False, "device", "use the processor even if there is a GPU")
    precision: str = option(
        "auto", "device",
        "arithmetic of the convolutions; auto: bf16 where the hardware is fast at it, else fp32",
        choices=PRECISIONS,
    )  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class TrainConfig(DeviceConfig):
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

    compile: bool = option(True, "device", "on CUDA, replay every iteration as one recorded graph")


@dataclass(frozen=True, kw_only=True)
class EvalConfig(DeviceConfig):
    """What to draw from a trained model; which of these apply depends on the model's mode."""

    model_dir: str | None = option(None, "run", "run directory of the trained model", metavar="DIR")
    seed: int = option(0, "run", "random seed", low=0, high=2**63 - 1, metavar="N")
    format: str = option("png", "run", "file format of the pictures", choices=("png", "jpg"))

    num_samples: int = option(50, "samples", "random samples per size", low=1)
    scale_h: float | None = option(
        None, "samples", "height factor of the samples", above=0, high=100
    )
    scale_w: float | None = option(
        None, "samples", "width factor of the samples", above=0, high=100
    )
    size: tuple[int, int] | None = option(
        None, "samples", "draw samples of this size, pixels", low=1, high=32768,
        metavar=("H", "W"),
    )  # fmt: skip

    num_frames: int = option(100, "animation", "frames per GIF", low=2)
    fps: int = option(10, "animation", "frames per second", low=1, high=100)

    naive_img: str | None = option(
        None, "composites", "the naive composite or rough edit", metavar="PATH"
    )
    mask: str | None = option(
        None, "composites", "white where edited (default: <naive_img>_mask.* beside it)",
        metavar="PATH",
    )  # fmt: skip


# ---------------------------------------------------------------------------------------------
# Values: from text or YAML to a checked field value.


def scalar_type(cls: type, name: str) -> type:
    """The plain type of a field: int for `int | None` and for `tuple[int, int] | None`."""
    hint = get_type_hints(cls)[name]
    options = [t for t in get_args(hint) if t is not type(None)] or [hint]
    return (get_args(options[0]) or (options[0],))[0]


def check_value(cls: type, name: str, value: Any) -> Any:
    """Return the value of one field, converted where nothing is lost (1 -> 1.0).

    Raises UsageError, naming the flag, if the type or the range is wrong.
    """
    spec = cls.__dataclass_fields__[name]
    meta, kind = spec.metadata, scalar_type(cls, name)
    if value is None and spec.default is None:
        return None
    if isinstance(meta["metavar"], tuple):
        if not isinstance(value, (list, tuple)) or len(value) != len(meta["metavar"]):
            raise UsageError(f"--{name} takes {len(meta['metavar'])} numbers, not {value!r}")
        return tuple(_check_scalar(name, kind, meta, v) for v in value)
    return _check_scalar(name, kind, meta, value)


def _check_scalar(name: str, kind: type, meta: Mapping, value: Any) -> Any:
    if kind is float and type(value) is int and abs(value) < 2**53:
        value = float(value)
    if kind is float and isinstance(value, str) and _SCIENTIFIC.fullmatch(value):
        value = float(value)  # YAML 1.1 reads 5e-4 as text
    if kind is str and isinstance(value, os.PathLike):
        value = os.fspath(value)
    if type(value) is not kind:
        raise UsageError(f"--{name} takes {_KIND[kind]}, not {value!r}")
    if kind is float and not math.isfinite(value):
        raise UsageError(f"--{name} must be finite, not {value}")
    if meta["low"] is not None and value < meta["low"]:
        raise UsageError(f"--{name} must be at least {meta['low']}, not {value}")
    if meta["high"] is not None and value > meta["high"]:
        raise UsageError(f"--{name} must be at most {meta['high']}, not {value}")
    if meta["above"] is not None and value <= meta["above"]:
        raise UsageError(f"--{name} must be greater than {meta['above']}, not {value}")
    if meta["choices"] is not None and value not in meta["choices"]:
        raise UsageError(f"--{name} must be one of {', '.join(meta['choices'])}; not {value!r}")
    return value


_SCIENTIFIC = re.compile(r"[+-]?\d+(\.\d*)?[eE][+-]?\d+")
_KIND = {int: "a whole number", float: "a number", str: "a text", bool: "true or false"}


def build(cls: type, *layers: Mapping[str, Any], source: str = "") -> Any:
    """Make a checked config of dataclass `cls` from layers of values, the last one strongest.

    Raises UsageError on an unknown key or a value out of its range.
    """
    values: dict[str, Any] = {}
    for layer in layers:
        for name, value in layer.items():
            if name not in cls.__dataclass_fields__:
                close = difflib.get_close_matches(str(name), cls.__dataclass_fields__, n=1)
                hint = f"; did you mean {close[0]!r}?" if close else ""
                raise UsageError(f"{source or 'configuration'}: unknown option {name!r}{hint}")
            try:
                values[name] = check_value(cls, name, value)
            except UsageError as error:
                raise UsageError(f"{source}: {error}" if source else str(error)) from None
    return cls(**values)


def read_yaml(path: str | Path) -> dict[str, Any]:
    """Read a YAML file of option values. Raises UsageError naming the file if it is not one."""
    try:
        if not str(path):
            raise UsageError("--config needs the name of a YAML file")
        text = Path(path).read_text(encoding="utf-8")
        values = yaml.safe_load(text)
    except OSError as error:
        raise UsageError(f"{path}: cannot be read: {error.strerror}") from error
    except (UnicodeDecodeError, yaml.YAMLError, ValueError, RecursionError) as error:
        raise UsageError(f"{path}: not a YAML file") from error
    if not isinstance(values, dict):
        raise UsageError(f"{path}: expected lines of the form 'option: value'")
    values.pop("run", None)  # what a run's own config.yaml tells about the run
    return values


def resolve(flags: Mapping[str, Any], saved: TrainConfig | None = None) -> TrainConfig:
    """Lay the layers over each other and check the result as a whole.

    flags: values of the flags that the user typed, over those of the --config file; and `draft`.
    saved: the configuration of the run to fine-tune, if any.
    Raises UsageError with one line that names the flag.
    """
    typed = dict(flags)
    draft = typed.pop("draft", False)
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
    preset = dict(mode.draft) if draft else {}
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


def prepare_evaluation(flags: Mapping[str, Any]) -> EvalConfig:
    """Check typed flags as a whole. Raises UsageError with one line that names the flag."""
    config = build(EvalConfig, flags)
    check_device(config)
    if config.model_dir is None:
        raise UsageError("--model_dir is needed: the run directory of a trained model")
    if config.size is not None and (config.scale_h is not None or config.scale_w is not None):
        raise UsageError("--size and --scale_h/--scale_w exclude each other")
    return config


def prepare(flags: Mapping[str, Any]) -> TrainConfig:
    """`resolve` typed flags, with the --config file, the run in --model_dir and a seed."""
    flags, saved = dict(flags), None
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
    field = (config.num_layer + 2) * (config.ker_size - 1 - 2 * config.padd_size) + 1
    if config.min_size < field:
        raise UsageError(
            f"--min_size must be at least {field}, not {config.min_size}: so many pixels the "
            "critic's convolutions see (fewer with a smaller --num_layer or --ker_size)"
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


# ---------------------------------------------------------------------------------------------
# Flags from fields.


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> None:
        raise UsageError(f"{message} (see --help)")


def _default_text(cls: type, spec: dataclasses.Field) -> str:
    no_default = spec.default is None or spec.default is False
    if cls is not TrainConfig:
        return "" if no_default else f" (default: {spec.default})"
    by_value: dict[str, list[str]] = {}
    for mode in modes.all_modes():
        for name, value in mode.defaults.items():
            if name == spec.name:
                by_value.setdefault(_value_text(value), []).append(mode.name)
    parts = [] if no_default else [_value_text(spec.default)]
    parts += [f"{', '.join(names)}: {value}" for value, names in by_value.items()]
    if spec.name == "niter":
        parts.append("fine-tuning: 500")
    return f" (default: {'; '.join(parts)})" if parts else ""


def _value_text(value: Any) -> str:
    return {True: "on", False: "off"}[value] if isinstance(value, bool) else str(value)


def make_parser(cls: type, description: str) -> argparse.ArgumentParser:
    """An argument parser with one flag for each field of `cls`; untyped flags are left out."""
    parser = _Parser(
        description=description,
        allow_abbrev=False,
        argument_default=argparse.SUPPRESS,
        formatter_class=lambda prog: argparse.HelpFormatter(prog, max_help_position=30, width=100),
    )
    specs = dataclasses.fields(cls)
    titles = sorted(dict.fromkeys(spec.metadata["group"] for spec in specs), key="device".__eq__)
    groups = {title: parser.add_argument_group(title) for title in titles}  # device last
    for spec in specs:
        meta, kind = spec.metadata, scalar_type(cls, spec.name)
        group = groups[meta["group"]]
        text = meta["help"] + _default_text(cls, spec)
        if kind is bool:
            negatable = spec.default or spec.name == "batch_norm"
            action = argparse.BooleanOptionalAction if negatable else "store_true"
            group.add_argument(f"--{spec.name}", action=action, help=text)
            continue
        nargs = {"nargs": len(meta["metavar"])} if isinstance(meta["metavar"], tuple) else {}
        shown = meta["metavar"] or {int: "N", float: "X"}.get(kind)
        group.add_argument(
            f"--{spec.name}", type=kind, choices=meta["choices"], metavar=shown, help=text, **nargs
        )
    return parser
