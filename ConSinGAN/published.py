"""Models that SinGAN's own code has trained, as runs of this toolkit.

FOLDER is what its training leaves: a folder 0, 1, ... for every stage with netG.pth (and netD.pth),
and beside them reals.pth, NoiseAmp.pth and Zs.pth. Nothing in these files is executed.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import safetensors
import safetensors.torch
import torch
from torch import Tensor, nn

from ConSinGAN import console
from ConSinGAN.config import SCHEMA, TrainConfig
from ConSinGAN.errors import UsageError, run_script
from ConSinGAN.files import load_without_code
from ConSinGAN.generators.singan import SinGANGenerator
from ConSinGAN.model import ImageModel
from ConSinGAN.modes import get as get_mode
from ConSinGAN.networks import make_networks
from ConSinGAN.options import add_verbosity, new_parser
from ConSinGAN.pyramid import size_of, sizes_of
from ConSinGAN.run import UNUSED, RunDirectory, load_paper_weights

log = logging.getLogger(__name__)

Weights = Mapping[str, Tensor]


def singan_model(
    stages: Sequence[Weights], noise_amp: Sequence[float], reals: Sequence[Tensor], noise: Tensor,
    critic: Weights | None = None, **options: Any,
) -> tuple[ImageModel, dict[str, nn.Module]]:  # fmt: skip
    """A model made of SinGAN's state dictionaries, and the networks of its last stage.

    stages: of the generators, coarsest first (`head.conv`, `head.norm`, `body.block<k>.conv`, ...,
    `tail.0`); running statistics, which are never used, are dropped. reals: the pictures of all
    stages, (1, C, h, w) in [-1, 1]. noise: what the reconstruction begins with, (1, 1 or C, h, w),
    also with the zeros that SinGAN keeps around it. critic: of the last stage; otherwise a fresh
    one. options: of the configuration. Raises UsageError if they do not fit each other.
    """
    if not len(stages) == len(noise_amp) == len(reals) >= 2:
        raise UsageError(
            f"{len(stages)} generators, {len(noise_amp)} noise amplitudes and {len(reals)} "
            "pictures: there must be as many of each, and two at least"
        )
    config = _config_of(stages, reals, options)
    networks = make_networks(config, len(stages), seed=0)
    generator = networks["generator"]
    assert isinstance(generator, SinGANGenerator)
    for number, (network, weights) in enumerate(zip(generator.stages, stages, strict=True)):
        load_weights(network, weights, f"the generator of stage {number}")
    if critic is not None:
        load_weights(networks["critic"], critic, "the critic")
    pictures = [real.float().cpu() for real in reals]
    model = ImageModel(config, get_mode(config.train_mode), generator, pictures)
    model.noise_amp = [float(amplitude) for amplitude in noise_amp]
    shapes = generator.noise_shapes(model.frame)
    model.fixed_noise = [_without_border(noise, shapes[0]), *map(torch.zeros, shapes[1:])]
    return model, networks


def load_weights(network: nn.Module, weights: Weights, name: str) -> None:
    """Fill a stage's network or a critic with weights under SinGAN's names.

    name: of it, in errors. Raises UsageError if the weights are others'.
    """
    kept = {key: value.float() for key, value in weights.items() if not key.endswith(UNUSED)}
    blocks = sorted({_block(key) for key in kept if _block(key) is not None})
    renamed = {}
    for key, value in kept.items():
        number = _block(key)
        if number is not None:  # SinGAN counts from 1
            key = key.replace(f"block{number}.", f"block{blocks.index(number)}.", 1)
        renamed[key] = value
    wanted = {key: value.shape for key, value in network.state_dict().items()}
    found = {key: value.shape for key, value in renamed.items()}
    if wanted != found:
        odd = sorted(key for key in wanted.keys() | found if wanted.get(key) != found.get(key))
        raise UsageError(f"{name}: is not SinGAN's ({', '.join(odd[:3])} do not fit)")
    network.load_state_dict(renamed)


def _block(key: str) -> Any:
    """The number of the body's block that a weight is of, if it is of one."""
    parts = key.split(".")
    number = parts[1].removeprefix("block") if len(parts) > 2 and parts[0] == "body" else ""
    return int(number) if number.isdecimal() else None


def _config_of(
    stages: Sequence[Weights], reals: Sequence[Tensor], options: Mapping[str, Any]
) -> TrainConfig:
    """The configuration of such a model."""
    try:
        head, first = stages[0]["head.conv.weight"], reals[0]
        layers = len({_block(key) for key in stages[0]} - {None})
        sizes, channels = sizes_of(reals), int(first.shape[1])
        filters, ker_size = int(head.shape[0]), int(head.shape[2])
    except (KeyError, IndexError, AttributeError, ValueError) as error:
        raise UsageError(f"these are not SinGAN's weights and pictures ({error})") from error
    values = {
        "generator": "singan", "critic": "singan", "train_stages": len(stages), "nfc": filters,
        "ker_size": ker_size, "num_layer": layers, "nc_im": channels, "train_depth": 1,
        "lrelu_alpha": 0.2, "batch_norm": any(".norm." in key for key in stages[0]),
        "max_size": max(sizes[-1]), "manualSeed": 0, **options,
    }  # fmt: skip
    for min_size in (min(sizes[0]), min(sizes[0]) - 1):  # which rounding may have made larger
        values["min_size"] = max(min_size, 4)
        config = SCHEMA.build(typed=values)
        try:
            fitting = get_mode(config.train_mode).stage_sizes(sizes[-1], config)
        except UsageError:
            continue
        if fitting == sizes:
            return config
    raise UsageError(f"pictures of the sizes {sizes} (height, width) are not those of SinGAN")


def _without_border(noise: Tensor, shape: Sequence[int]) -> Tensor:
    """One channel of a map that may have zeros around it. Raises UsageError if it is another's."""
    if noise.dim() != 4:
        raise UsageError("the noise of stage 0 is not a map (1, C, h, w)")
    noise = noise.float().cpu()[:, : shape[1]]
    border = (noise.shape[2] - shape[2]) // 2
    if border > 0:
        noise = noise[..., border:-border, border:-border]
    if tuple(noise.shape) != tuple(shape):
        raise UsageError(f"the noise of stage 0 is {size_of(noise)} pixels, not {tuple(shape[2:])}")
    return noise.contiguous()


# Files ----------------------------------------------------------------------------------------


def import_singan(folder: str | Path, output_dir: str | Path = "TrainedModels") -> RunDirectory:
    """Make a run directory of what SinGAN's own code has left in a folder.

    The weights of a stage may also be safetensors. Raises UsageError naming the file.
    """
    folder = Path(folder).expanduser()
    number = 0
    while (folder / str(number)).is_dir() and _weights_file(folder / str(number), "netG"):
        number += 1
    if not number:
        raise UsageError(f"{folder}: is not a folder of SinGAN's (no 0/netG.pth in it)")
    stages = [read_weights(_file(folder / str(i), "netG")) for i in range(number)]
    last = _weights_file(folder / str(number - 1), "netD")
    reals, zs = _read_list(folder / "reals.pth"), _read_list(folder / "Zs.pth")
    if not all(isinstance(z, Tensor) for z in (*reals, *zs)) or not zs:
        raise UsageError(f"{folder}: reals.pth and Zs.pth must be lists of tensors")
    try:
        amplitudes = [float(amplitude) for amplitude in _read_list(folder / "NoiseAmp.pth")]
    except (TypeError, ValueError, RuntimeError) as error:
        raise UsageError(f"{folder / 'NoiseAmp.pth'}: is not a list of numbers") from error
    critic = None if last is None else read_weights(last)
    options = {"input_name": f"{folder.resolve().parent.name or 'picture'}.png",
               "output_dir": str(output_dir)}  # fmt: skip
    model, networks = singan_model(stages, amplitudes, reals, zs[0], critic, **options)
    run = RunDirectory.create(model.config, "of SinGAN's own code", model.reals)
    run.save_stage(model, networks)
    run.finish()
    return run


def read_weights(path: Path) -> dict[str, Tensor]:
    """A state dictionary: a .pth file, of which nothing is executed, or safetensors.

    Raises UsageError if it is none.
    """
    if path.suffix != ".safetensors":
        return load_paper_weights(path)
    try:
        return safetensors.torch.load(path.read_bytes())
    except (safetensors.SafetensorError, OSError, ValueError, KeyError, RuntimeError) as error:
        raise UsageError(f"{path}: is not a state dictionary of tensors") from error


def _weights_file(folder: Path, stem: str) -> Path | None:
    paths = (folder / f"{stem}{suffix}" for suffix in (".pth", ".safetensors"))
    return next((path for path in paths if path.is_file()), None)


def _file(folder: Path, stem: str) -> Path:
    return _weights_file(folder, stem) or folder / f"{stem}.pth"


def _read_list(path: Path) -> list[Any]:
    values = load_without_code(path, "a list of tensors")
    if not isinstance(values, (list, tuple)):
        raise UsageError(f"{path}: is not a list of tensors")
    return list(values)


def main() -> None:
    """Read a folder, write a run directory."""
    parser = new_parser(__doc__ or "")
    parser.prog = "python -m ConSinGAN.published"
    add_verbosity(parser)
    parser.add_argument("folder", metavar="FOLDER")
    parser.add_argument(
        "--output_dir", default="TrainedModels", metavar="DIR",
        help="where the run directory goes (default: TrainedModels)",
    )  # fmt: skip
    flags = parser.parse_args()
    console.setup_logging(getattr(flags, "level", logging.INFO))
    made = import_singan(flags.folder, flags.output_dir)
    draw = console.command("python", "evaluate_model.py", "--model_dir", made.path)
    console.say(f"done: {made.path}\nthen: {draw}", sys.stdout)


def run() -> int:
    """The console script: main with its errors in one line, returns the exit code."""
    return run_script(main)


if __name__ == "__main__":
    sys.exit(run())
