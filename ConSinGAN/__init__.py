"""ConSinGAN: generative models trained on one image.

    import ConSinGAN
    run_dir = ConSinGAN.train(input_name="picture.jpg", niter=500)
    model = ConSinGAN.load(run_dir)
    for picture in model.sample(4, seed=1): ...   # (1, 3, h, w) tensors in [-1, 1]

Hinz, Fisher, Wang, Wermter: Improved Techniques for Training Single-Image GANs, WACV 2021.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from ConSinGAN import threads as _threads

if TYPE_CHECKING:
    from ConSinGAN.sampling import ImageModel

__version__ = "0.1.0"

_threads.limit_spinning()  # before torch is loaded


def train(**options: Any) -> Path:
    """Train a model and return its run directory.

    options: the flags of main_train.py by name. Raises ConSinGAN.errors.UsageError, a one-line
    message, if they or the picture are wrong.
    """
    from ConSinGAN import draft
    from ConSinGAN.config import prepare
    from ConSinGAN.hardware import keeping_threads
    from ConSinGAN.training import train

    with keeping_threads():
        return train(prepare(draft.choose(options))).path


def load(run_dir: str | Path, device: str = "cpu", threads: int | None = None) -> ImageModel:
    """Load a trained model: it can sample, reconstruct, animate, harmonize and edit.

    threads: with how many this process shall compute on the processor, if not as before.
    Raises ConSinGAN.errors.UsageError if `run_dir` is not a finished run directory or there is no
    such device.
    """
    import torch

    from ConSinGAN import hardware
    from ConSinGAN.config import DeviceConfig
    from ConSinGAN.errors import UsageError
    from ConSinGAN.options import check_value
    from ConSinGAN.run import RunDirectory

    hardware.set_threads(check_value(DeviceConfig, "threads", threads))

    try:
        where = torch.empty(0, device=device).device
    except (RuntimeError, AssertionError, TypeError) as error:  # no such device, or not here
        raise UsageError(f"device {device!r}: {str(error).splitlines()[0]}") from error
    return RunDirectory.open(run_dir).load_model(where)
