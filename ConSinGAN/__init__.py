"""ConSinGAN: generative models trained on one image.

    import ConSinGAN
    run_dir = ConSinGAN.train(input_name="picture.jpg", niter=500)
    model = ConSinGAN.load(run_dir)
    for picture in model.sample(4, seed=1): ...   # (1, 3, h, w) tensors in [-1, 1]

Hinz, Fisher, Wang, Wermter: Improved Techniques for Training Single-Image GANs, WACV 2021.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ConSinGAN import threads as _threads
from ConSinGAN.version import VERSION

if TYPE_CHECKING:
    from ConSinGAN.model import ImageModel
    from ConSinGAN.tasks.base import Drawing
    from ConSinGAN.watch.base import Watcher

__version__ = VERSION

_threads.limit_spinning()  # before torch is loaded


def train(*, watchers: Sequence[Watcher] = (), **options: Any) -> Path:
    """Train a model and return its run directory.

    options: the flags of main_train.py by name. watchers: are told of every iteration and preview,
    and can stop the run, from another thread too, see `ConSinGAN.watch.base`; then a checkpoint is
    written and `Stopped` is raised. Raises ConSinGAN.errors.UsageError, a one-line message, if
    options or the picture are wrong.
    """
    from ConSinGAN import launch
    from ConSinGAN.hardware import keeping_threads

    with keeping_threads():
        return launch.train(options, watchers).path


def resume(run_dir: str | Path, *, watchers: Sequence[Watcher] = (), **options: Any) -> Path:
    """Go on with an interrupted run and return its directory; the rest as for `train`.

    options: those that shall be others from here on; only harmless ones can.
    """
    from ConSinGAN import launch
    from ConSinGAN.hardware import keeping_threads

    with keeping_threads():
        return launch.resume(run_dir, options, watchers).path


def load(
    run_dir: str | Path, device: str = "cpu", threads: int | None = None, precision: str = "auto"
) -> ImageModel:
    """Load a trained model: it can sample, reconstruct, animate, harmonize and edit.

    threads: with how many this process shall compute on the processor, if not as before.
    precision: as --precision; by default what evaluate_model.py chooses, so that one seed gives one
    picture everywhere. Raises ConSinGAN.errors.UsageError if `run_dir` is not a finished run
    directory or there is no such device.
    """
    import torch

    from ConSinGAN import ask
    from ConSinGAN.config import ModelConfig
    from ConSinGAN.errors import UsageError
    from ConSinGAN.options import check_value

    check_value(ModelConfig, "threads", threads)
    check_value(ModelConfig, "precision", precision)
    try:
        where = torch.empty(0, device=device).device
    except (RuntimeError, AssertionError, TypeError) as error:  # no such device, or not here
        raise UsageError(f"device {device!r}: {str(error).splitlines()[0]}") from error
    return ask.open_model(run_dir, where, precision, threads)


def draw(model: ImageModel, task: str, **options: Any) -> Iterator[Drawing]:
    """What a task draws of a model: drawings with a `name` and `frames`, (1, C, h, w) in [-1, 1].

    options: those of the task in evaluate_model.py --help, and `seed`. Raises
    ConSinGAN.errors.UsageError, at once, if the task does not suit the model or an option is wrong.
    """
    from ConSinGAN import ask

    return ask.draw(model, task, options)
