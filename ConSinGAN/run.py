"""The run directory: the only place that knows file names, saving and loading.

TrainedModels/<picture>/<run>/
    config.yaml          every option, and under `run` the versions, device and command line
    reals.safetensors    the real pictures of all stages, "0", "1", ...
    noise.safetensors    the reconstruction's noise, "fixed.0", ..., and "amplitudes"
    sample_sheet.png     the finished model at a glance
    <stage>/             netG.safetensors, netD.safetensors, real_scale.png, previews, curves
    Evaluation/          what evaluate_model.py draws
"""

from __future__ import annotations

import dataclasses
import platform
import sys
import time
from collections.abc import Mapping
from pathlib import Path

import safetensors
import safetensors.torch
import torch
import yaml
from torch import Tensor, nn

from ConSinGAN import images, modes
from ConSinGAN.config import TrainConfig, build, read_yaml
from ConSinGAN.errors import UsageError
from ConSinGAN.models import Critic
from ConSinGAN.sampling import ImageModel, make_critic, make_generator

TIMESTAMP = "%Y_%m_%d_%H_%M_%S"


def run_name(config: TrainConfig, timestamp: str) -> str:
    """The folder of a run below the output directory: `<picture>/<timestamp>_<mode>_...`."""
    stem = Path(config.input_name.replace("\\", "/")).stem
    parts = [
        timestamp,
        config.train_mode,
        *(["fine-tune"] if config.fine_tune else []),
        f"train_depth_{config.train_depth}_lr_scale_{config.lr_scale}",
        *(["BN"] if config.batch_norm else []),
        f"act_{config.activation}",
        *([str(config.lrelu_alpha)] if config.activation == "lrelu" else []),
    ]
    return f"{stem}/{'_'.join(parts)}"


class RunDirectory:
    """One training run on disk."""

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)

    @classmethod
    def create(cls, config: TrainConfig, device: str) -> RunDirectory:
        """Make a new directory, never one that exists, and write config.yaml into it."""
        about = {
            "command": " ".join(sys.argv),
            "device": device,
            "started": time.strftime("%Y-%m-%d %H:%M:%S"),
            "python": platform.python_version(),
            "torch": str(torch.__version__),
        }
        text = yaml.safe_dump(dataclasses.asdict(config) | {"run": about}, sort_keys=False)
        name = run_name(config, time.strftime(TIMESTAMP))
        for attempt in range(1, 1000):
            path = Path(config.output_dir) / (name if attempt == 1 else f"{name}_{attempt}")
            try:
                path.mkdir(parents=True)
                break
            except OSError as error:
                if path.is_dir():  # another run, started in the same second
                    continue
                raise UsageError(
                    f"--output_dir {config.output_dir}: cannot make {path}: {error.strerror}"
                ) from error
        (path / "config.yaml").write_text(text, encoding="utf-8")
        return cls(path)

    @classmethod
    def open(cls, path: str | Path, flag: str = "--model_dir") -> RunDirectory:
        """A run directory that exists. Raises UsageError naming the flag if it is not one."""
        run = cls(path)
        if not run.path.is_dir():
            raise UsageError(f"{flag} {path}: there is no such directory")
        if not (run.path / "config.yaml").is_file():
            raise UsageError(f"{flag} {path}: is not a run directory (no config.yaml in it)")
        return run

    def stage(self, stage: int) -> Path:
        """The folder of one stage, made if it is not there."""
        folder = self.path / str(stage)
        folder.mkdir(exist_ok=True)
        return folder

    def load_config(self) -> TrainConfig:
        """The configuration that the run was made with. Raises UsageError if it is damaged."""
        path = self.path / "config.yaml"
        return build(TrainConfig, read_yaml(path), source=str(path))

    def save_pictures(self, reals: list[Tensor]) -> None:
        """Save the real pictures of all stages."""
        self._save("reals", {str(i): real for i, real in enumerate(reals)})

    def save_stage(self, model: ImageModel, critic: Critic) -> None:
        """Save the weights of the stage just trained, and the noise up to it."""
        stage = model.generator.num_stages - 1
        images.save_image(model.real, self.stage(stage) / "real_scale.png")
        self._save(f"{stage}/netG", model.generator.state_dict())
        self._save(f"{stage}/netD", critic.state_dict())
        noise = {f"fixed.{i}": z for i, z in enumerate(model.fixed_noise)}
        amplitudes = torch.tensor(model.noise_amp, dtype=torch.float64)
        self._save("noise", noise | {"amplitudes": amplitudes})

    def load_model(self, device: torch.device | str = "cpu") -> ImageModel:
        """The finished model of this run, on any device.

        Raises UsageError if the run is unfinished or a file is missing or damaged.
        """
        config = self.load_config()
        mode = modes.get(config.train_mode)
        last = config.train_stages - 1
        if not (self.path / str(last) / "netG.safetensors").is_file():
            raise UsageError(f"--model_dir {self.path}: the run is not finished (stage {last})")
        weights = self._load(f"{last}/netG")
        with torch.device("meta"):  # no memory until the shapes are known to fit
            generator = make_generator(config, mode)
            for _ in range(last):
                generator.grow()
        self._assign(generator, weights, f"{last}/netG")
        noise, reals = self._load("noise"), self._load("reals")
        model = ImageModel(
            config=config,
            mode=mode,
            generator=generator.to(device),
            reals=[r.to(device) for r in self._series(reals, "{}", config.train_stages, "reals")],
        )
        fixed = self._series(noise, "fixed.{}", config.train_stages, "noise")
        model.fixed_noise = [z.to(device) for z in fixed]
        model.noise_amp = self._series(noise, "amplitudes", 1, "noise")[0].flatten().tolist()
        self._check_shapes(model)
        return model

    def load_critic(self, config: TrainConfig, device: torch.device | str = "cpu") -> Critic:
        """The critic of the last stage."""
        name = f"{config.train_stages - 1}/netD"
        weights = self._load(name)
        with torch.device("meta"):
            critic = make_critic(config)
        self._assign(critic, weights, name)
        return critic.to(device)

    # Files ------------------------------------------------------------------------------------

    def _save(self, name: str, tensors: Mapping[str, Tensor]) -> None:
        tensors = {key: value.detach().cpu().contiguous() for key, value in tensors.items()}
        safetensors.torch.save_file(tensors, self.path / f"{name}.safetensors")

    def _load(self, name: str) -> dict[str, Tensor]:
        path = self.path / f"{name}.safetensors"
        try:
            return safetensors.torch.load_file(path)
        except FileNotFoundError as error:
            raise UsageError(f"{path}: is missing; the run directory is not complete") from error
        except (safetensors.SafetensorError, OSError, ValueError) as error:
            raise UsageError(f"{path}: is damaged or is not a safetensors file") from error

    def _assign(self, module: nn.Module, weights: dict[str, Tensor], name: str) -> None:
        """Make `weights` the module's parameters, if they are just the ones it needs."""
        wanted = {key: tuple(value.shape) for key, value in module.state_dict().items()}
        found = {key: tuple(value.shape) for key, value in weights.items()}
        if wanted != found:
            raise UsageError(f"{self.path / name}.safetensors: does not fit config.yaml")
        weights = {key: value.float() for key, value in weights.items()}
        module.load_state_dict(weights, assign=True)
        module.requires_grad_(True)

    def _series(self, tensors: dict[str, Tensor], key: str, num: int, name: str) -> list[Tensor]:
        try:
            return [tensors[key.format(i)] for i in range(num)]
        except KeyError as error:
            raise UsageError(f"{self.path / name}.safetensors: lacks {error}") from error

    def _check_shapes(self, model: ImageModel) -> None:
        channels = model.config.nc_im
        fits = all(real.ndim == 4 and real.shape[:2] == (1, channels) for real in model.reals)
        fits = fits and len(model.noise_amp) == len(model.sizes) == len(model.fixed_noise)
        if not fits or any(
            tuple(z.shape) != model.noise_shape.at(i, model.sizes[i])
            for i, z in enumerate(model.fixed_noise)
        ):
            raise UsageError(f"{self.path}: noise.safetensors does not fit reals.safetensors")


def load_paper_weights(path: str | Path) -> dict[str, Tensor]:
    """Read `<stage>/netG.pth` or `netD.pth` of the paper's own code for `load_state_dict`.

    Nothing in the file is executed. Running statistics of batch norm, which are never used, are
    dropped. Raises UsageError if the file is not a state dictionary.
    """
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError as error:
        raise UsageError(f"{path}: there is no such file") from error
    except Exception as error:  # torch raises many kinds for foreign files
        raise UsageError(f"{path}: is not a state dictionary of tensors") from error
    if not isinstance(state, Mapping) or not all(isinstance(v, Tensor) for v in state.values()):
        raise UsageError(f"{path}: is not a state dictionary of tensors")
    unused = ("running_mean", "running_var", "num_batches_tracked")
    return {key: value for key, value in state.items() if not key.endswith(unused)}
