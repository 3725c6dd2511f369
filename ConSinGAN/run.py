"""The run directory: the only place that knows file names, saving and loading.

TrainedModels/<picture>/<run>/
    config.yaml          every option, and under `run` the versions, device and command line
    reals.safetensors    the real pictures of all stages, "0", "1", ...; "naive" and its "mask"
    picture.safetensors  the training picture as it was read, if that is larger
    holes.safetensors    what of it is hidden, in inpainting: at all stages, and as it was read
    noise.safetensors    the reconstruction's noise, "fixed.0", ..., and "amplitudes"
    sample_sheet.png     the finished model at a glance
    run.log              what was said
    <stage>/             netG.safetensors, netD.safetensors, real_scale.png, previews, curves
    checkpoint*.safetensors   the last two states of a run in progress
    Evaluation/          what evaluate_model.py draws

Whoever opens a run directory need not trust it: nothing is unpickled, every file that is used
carries a checksum, shapes are compared before memory is taken, links that lead outside are refused.
"""

from __future__ import annotations

import contextlib
import functools
import itertools
import logging
import platform
import secrets
import shlex
import shutil
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import torch
from torch import Tensor, nn

from ConSinGAN import atomic, console, files, images, lock, modes, run_log, saved
from ConSinGAN.config import TrainConfig
from ConSinGAN.critics.base import Critic
from ConSinGAN.errors import ConSinGANError, UsageError, describe
from ConSinGAN.holes import Holes
from ConSinGAN.model import ImageModel
from ConSinGAN.naive import Naive
from ConSinGAN.networks import FILES, make_critic, make_generator, make_objective
from ConSinGAN.objectives.base import Objective
from ConSinGAN.pyramid import sizes_of
from ConSinGAN.state import TrainingState

log = logging.getLogger(__name__)

TIMESTAMP = "%Y_%m_%d_%H_%M_%S"
UNUSED = ("running_mean", "running_var", "num_batches_tracked")  # of foreign batch norms
CHECKPOINTS = ("checkpoint", "checkpoint_before")  # the newest, and the one before it


def run_name(config: TrainConfig, timestamp: str) -> str:
    """The folder of a run below the output directory: `<picture>/<timestamp>_<mode>_...`."""
    stem = Path(config.input_name.replace("\\", "/")).stem
    if not stem.strip("."):  # of "...png", say: no name for a folder of its own
        stem = "picture"
    parts = [
        timestamp,
        config.train_mode,
        *(["fine-tune"] if config.fine_tune else []),
        f"train_depth_{config.train_depth}_lr_scale_{config.lr_scale}",
        *(["BN"] if getattr(config.options_of("generator"), "batch_norm", False) else []),
        f"act_{config.activation}",
        *([str(config.lrelu_alpha)] if config.activation == "lrelu" else []),
    ]
    return f"{stem}/{'_'.join(parts)}"


def _rename_to_free(folder: Path, path: Path) -> Path:
    """Rename a folder that is not empty to `path` or, if there is such a folder, `path`_2, ..."""
    for attempt in itertools.count(1):
        target = path if attempt == 1 else path.with_name(f"{path.name}_{attempt}")
        try:
            folder.rename(target)
            return target
        except OSError:
            if not target.exists():  # else another run, started in the same second
                raise
    raise AssertionError("unreachable")


class RunDirectory:
    """One training run on disk."""

    def __init__(self, path: str | Path, flag: str = "`model_dir`") -> None:
        self.path, self.flag = Path(path), flag
        self.finished = False  # by this process

    @classmethod
    def create(
        cls, config: TrainConfig, device: str, reals: Sequence[Tensor] = (),
        naive: Naive | None = None, picture: Tensor | None = None, holes: Holes | None = None,
        path: Path | None = None,
    ) -> RunDirectory:  # fmt: skip
        """Make a new directory, never one that exists, with config.yaml and the pictures in it.

        It is filled under a hidden name first, so whenever a run is killed its directory is whole
        or not there. path: its name, if that is not to be made up; nothing may be there but an
        empty folder. Raises UsageError if it cannot be written.
        """
        about = {
            "command": shlex.join(sys.argv),
            "device": device,
            "started": time.strftime("%Y-%m-%d %H:%M:%S"),
            "python": platform.python_version(),
            "torch": str(torch.__version__),
        }
        target = path or Path(config.output_dir) / run_name(config, time.strftime(TIMESTAMP))
        new = cls(target.with_name(f".{secrets.token_hex(8)}"))
        try:
            new.path.mkdir(parents=True)
        except OSError as error:
            raise UsageError(
                f"`output_dir` {config.output_dir}: cannot make {target}: {error.strerror}"
            ) from error
        try:
            atomic.write_atomic(new.path / saved.CONFIG, saved.write_config(config, about))
            new.save_pictures(reals, naive)
            if picture is not None and max(picture.shape[-2:]) >= config.max_size:
                new._save("picture", {"picture": images.to_levels(picture)})
            if holes is not None:
                new._save("holes", holes.to_tensors())
            return cls(new.path.rename(path) if path else _rename_to_free(new.path, target))
        except BaseException:
            shutil.rmtree(new.path, ignore_errors=True)
            raise

    @classmethod
    def open(cls, path: str | Path, flag: str = "`model_dir`") -> RunDirectory:
        """A run directory that exists. Raises UsageError naming the flag if it is not one."""
        return cls(saved.locate(path, flag), flag)

    def inside(self, name: str) -> Path:
        """A path in the run directory. Raises UsageError if a link there leads out of it."""
        return saved.inside(self.path, name)

    def stage(self, stage: int) -> Path:
        """The folder of one stage, made if it is not there."""
        folder = self.inside(str(stage))
        folder.mkdir(exist_ok=True)
        return folder

    def load_config(self) -> TrainConfig:
        """The configuration that the run was made with. Raises UsageError if it is damaged."""
        return saved.read_config(self.path)

    # A run in progress ------------------------------------------------------------------------

    @contextlib.contextmanager
    def at_work(self) -> Iterator[None]:
        """Around training here: locked, logged, and with errors that tell how to go on."""
        with self.explaining(), self.lock(), run_log.writing(self.inside("run.log")):
            yield

    @contextlib.contextmanager
    def lock(self) -> Iterator[None]:
        """Keep other processes from training here; ends with this process, however that ends."""
        try:
            with lock.hold(self.path):
                yield
        except lock.InUse:
            raise UsageError(f"{self.path}: another process is training here") from None
        if self.finished:
            lock.remove(self.path)

    @contextlib.contextmanager
    def explaining(self) -> Iterator[None]:
        """Turn an error of the system, a full disk say, into a line that tells how to go on."""
        try:
            yield
        except OSError as error:
            hint = f"; once that is mended: {self.resume_command()}"
            left = (self.path / "config.yaml").exists()
            raise ConSinGANError(f"{describe(error)}{hint if left else ''}") from error

    def resume_command(self) -> str:
        """What to type to go on with this run."""
        return console.command("python", "main_train.py", "--resume", self.path)

    def save_pictures(self, reals: Sequence[Tensor], naive: Naive | None = None) -> None:
        """Save the real pictures of all stages, and the naive one."""
        tensors = {str(i): real for i, real in enumerate(reals)}
        if naive is not None:
            tensors["naive"] = naive.picture
            if naive.mask is not None:
                tensors["mask"] = naive.mask
        self._save("reals", tensors)

    def load_pictures(self, config: TrainConfig) -> tuple[list[Tensor], Naive | None]:
        """The real pictures (1, C, h, w) of all stages and the naive one, on the processor."""
        tensors = self._load("reals")
        reals = self._series(tensors, "{}", config.train_stages, "reals")
        naive = Naive(tensors["naive"], tensors.get("mask")) if "naive" in tensors else None
        pictures = [(real, config.nc_im) for real in reals]
        pictures += [(naive.picture, config.nc_im)] if naive else []
        pictures += [(naive.mask, 1)] if naive and naive.mask is not None else []
        for picture, channels in pictures:
            shape = tuple(picture.shape)
            good = len(shape) == 4 and shape[:2] == (1, channels) and min(shape[2:]) >= 2
            if not good or picture.dtype != torch.float32:
                raise UsageError(f"{self.path}: reals.safetensors does not fit config.yaml")
        return reals, naive

    def load_holes(self, config: TrainConfig, reals: Sequence[Tensor]) -> Holes | None:
        """What of the pictures is hidden, on the processor; None if the mode hides nothing."""
        if not modes.get(config.train_mode).hides:
            return None
        try:
            return Holes.from_tensors(self._load("holes"), sizes_of(reals))
        except ValueError as error:
            raise UsageError(f"{self.path}: holes.safetensors does not fit ({error})") from error

    def picture_size(self) -> tuple[int, int] | None:
        """(H, W) of the training picture as it was read, if the run keeps that."""
        try:
            header = files.read_header(self.inside("picture.safetensors"))
            height, width = (int(side) for side in header["picture"]["shape"][-2:])
        except (UsageError, KeyError, TypeError, ValueError):
            return None
        return height, width

    def load_picture(self, config: TrainConfig) -> Tensor:
        """The training picture as it was read, (1, C, H, W), which the run must keep."""
        levels = self._series(self._load("picture"), "picture", 1, "picture")[0]
        if levels.dim() != 4 or levels.shape[:2] != (1, config.nc_im):
            raise UsageError(f"{self.path}: picture.safetensors does not fit config.yaml")
        return images.from_levels(levels)

    def pictures_for(self, config: TrainConfig) -> tuple[list[Tensor], Tensor | None]:
        """The pictures for fine-tuning this run's model: of all stages, and as it was read.

        They are made anew where `config` wants other sizes. Raises UsageError, naming the flag, if
        that needs the picture as it was read and the run, an old one, does not keep it.
        """
        saved = self.load_config()
        reals, _ = self.load_pictures(saved)
        kept = self.inside("picture.safetensors").exists()
        picture = reals[-1] if max(reals[-1].shape[-2:]) < saved.max_size else None  # not reduced
        if kept:
            picture = self.load_picture(config)
        changed = [n for n in ("max_size", "min_size") if getattr(config, n) != getattr(saved, n)]
        if not changed:
            return reals, picture
        if picture is None:
            raise UsageError(
                f"`{changed[0]}` {getattr(config, changed[0])}: the run in `model_dir` has "
                f"{getattr(saved, changed[0])} and does not keep its picture in full size; name it "
                "with `input_name`"
            )
        return modes.get(config.train_mode).make_pyramid(picture, config), picture

    def save_checkpoint(self, state: TrainingState) -> None:
        """Save a run in progress; the checkpoint before stays until this one is whole."""
        newest, before = (self.inside(f"{name}.safetensors") for name in CHECKPOINTS)
        written = newest.with_name("checkpoint_new.safetensors")
        files.save_tensors(written, *state.to_tensors())
        if newest.exists():
            newest.replace(before)
        written.replace(newest)
        atomic.sync_directory(self.path)

    def load_checkpoint(self) -> tuple[dict[str, Tensor], dict[str, str]] | None:
        """The newest good checkpoint, for `TrainingState.restore`; None if none was written.

        Raises UsageError if there are checkpoints and all are damaged.
        """
        found = [name for name in CHECKPOINTS if self.inside(f"{name}.safetensors").exists()]
        for name in found:
            try:
                return files.load_tensors(self.inside(f"{name}.safetensors"))
            except UsageError as error:
                log.warning("%s; looking for the checkpoint before it", error)
        if found:
            raise UsageError(f"{self.flag} {self.path}: no checkpoint is whole; start a new run")
        return None

    def finish(self) -> None:
        """Remove what only a run in progress needs."""
        for pattern in ("checkpoint*.safetensors", ".*.tmp", "[0-9]*/.*.tmp"):
            for leftover in self.path.glob(pattern):
                leftover.unlink(missing_ok=True)
        self.finished = True  # so that `lock` removes its file, too

    def is_finished(self, config: TrainConfig) -> bool:
        """Whether the last stage is saved and nothing is in progress."""
        in_progress = any((self.path / f"{name}.safetensors").exists() for name in CHECKPOINTS)
        last = self.inside(f"{config.train_stages - 1}/netG.safetensors")
        return last.is_file() and not in_progress

    # A finished model -------------------------------------------------------------------------

    def save_stage(self, model: ImageModel, networks: Mapping[str, nn.Module]) -> None:
        """Save the weights of the stage just trained, and the noise up to it."""
        stage = model.generator.num_stages - 1
        images.save_image(model.real, self.stage(stage) / "real_scale.png")
        noise = {f"fixed.{i}": z for i, z in enumerate(model.fixed_noise)}
        amplitudes = torch.tensor(model.noise_amp, dtype=torch.float64)
        self._save("noise", noise | {"amplitudes": amplitudes})
        for name in sorted(networks, key="generator".__eq__):  # last: then all are there
            if weights := networks[name].state_dict():
                self._save(f"{stage}/{FILES.get(name, name)}", weights)

    def load_model(self, device: torch.device | str = "cpu") -> ImageModel:
        """The finished model of this run, on any device.

        Raises UsageError if the run is unfinished or a file is missing, damaged or foreign.
        """
        config = self.load_config()
        mode = modes.get(config.train_mode)
        if not self.is_finished(config):
            if lock.is_held(self.path):
                raise UsageError(
                    f"{self.flag} {self.path}: the run is being trained right now; wait until it "
                    "is done, or look at the previews in its folders"
                )
            raise UsageError(
                f"{self.flag} {self.path}: the run is not finished; go on with: "
                f"{self.resume_command()}"
            )
        reals, _ = self.load_pictures(config)
        with torch.device("meta"):  # no memory until the shapes are known to fit
            generator = make_generator(config)
            for _ in range(config.train_stages - 1):
                generator.grow()
        self._load_weights(generator, f"{config.train_stages - 1}/netG")
        model = ImageModel(config, mode, generator.to(device), [r.to(device) for r in reals])
        model.picture_size = self.picture_size() or model.sizes[-1]
        holes = self.load_holes(config, reals)
        model.holes = None if holes is None else holes.to(device)
        if self.inside("picture.safetensors").exists():
            model.read_picture = functools.partial(self.load_picture, config)
        noise = self._load("noise")
        fixed = self._series(noise, "fixed.{}", config.train_stages, "noise")
        model.fixed_noise = [z.to(device) for z in fixed]
        model.noise_amp = self._series(noise, "amplitudes", 1, "noise")[0].flatten().tolist()
        if len(model.noise_amp) != len(model.sizes) or any(
            tuple(z.shape) != shape
            for z, shape in zip(
                model.fixed_noise, model.generator.noise_shapes(model.frame), strict=True
            )
        ):
            raise UsageError(f"{self.path}: noise.safetensors does not fit reals.safetensors")
        return model

    def load_judge(
        self, config: TrainConfig, device: torch.device | str = "cpu"
    ) -> tuple[Critic, Objective]:
        """Critic and objective of the last stage; a fresh objective, if the run had another."""
        with torch.device("meta"):
            critic = make_critic(config, config.train_stages)
        self._load_weights(critic, f"{config.train_stages - 1}/netD")
        objective = make_objective(config)
        if objective.state_dict() and self.load_config().objective == config.objective:
            self._load_weights(objective, f"{config.train_stages - 1}/objective")
        return critic.to(device), objective.to(device)

    # Files ------------------------------------------------------------------------------------

    def _save(self, name: str, tensors: Mapping[str, Tensor]) -> None:
        files.save_tensors(self.inside(f"{name}.safetensors"), tensors)

    def _load(self, name: str) -> dict[str, Tensor]:
        return files.load_tensors(self.inside(f"{name}.safetensors"))[0]

    def _load_weights(self, module: nn.Module, name: str) -> None:
        """Fill a module on the meta device, if the file's shapes are just those it needs."""
        wanted = {key: list(value.shape) for key, value in module.state_dict().items()}
        header = files.read_header(self.inside(f"{name}.safetensors"))
        header.pop("__metadata__", None)
        found = {k: v.get("shape") if isinstance(v, dict) else None for k, v in header.items()}
        if wanted != found:
            raise UsageError(f"{self.path / name}.safetensors: does not fit config.yaml")
        weights = {key: value.float() for key, value in self._load(name).items()}
        module.load_state_dict(weights, assign=True)
        module.requires_grad_(True)

    def _series(self, tensors: dict[str, Tensor], key: str, num: int, name: str) -> list[Tensor]:
        try:
            return [tensors[key.format(i)] for i in range(num)]
        except KeyError as error:
            raise UsageError(f"{self.path / name}.safetensors: lacks {error}") from error


def load_paper_weights(path: str | Path) -> dict[str, Tensor]:
    """Read `<stage>/netG.pth` or `netD.pth` of the paper's own code for `load_state_dict`.

    Nothing in the file is executed. Running statistics of batch norm, which are never used, are
    dropped. Raises UsageError if the file is not a state dictionary.
    """
    state = files.load_without_code(path, "a state dictionary of tensors")
    if not isinstance(state, Mapping) or not all(isinstance(v, Tensor) for v in state.values()):
        raise UsageError(f"{path}: is not a state dictionary of tensors")
    return {key: value for key, value in state.items() if not key.endswith(UNUSED)}
