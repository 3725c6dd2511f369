"""Super-resolution of reduced pictures, against what interpolation can do."""

from __future__ import annotations

from pathlib import Path

from torch import Tensor

from ConSinGAN import images
from ConSinGAN.metrics.patches import sliced_wasserstein
from ConSinGAN.resize import resize
from ConSinGAN.tasks.super_resolution import back_project, enlarge
from jobs.common import BUNDLED, Row, psnr, trained

PICTURES = list(BUNDLED.values())
FACTORS = (2, 4)
SHARPENED = 0.5  # amount of the unsharp mask
RECIPE = {"train_mode": "super_resolution", "niter": 1000}


def measure(picture: Path, out: Path) -> list[Row]:
    """Reduce a picture, cut to multiples of the factor, by an antialiased bicubic filter, and
    enlarge it again; the network sees the reduced picture only, as an 8-bit file."""
    return [row for factor in FACTORS for row in _measure(picture, out, factor)]


def _measure(picture: Path, out: Path, factor: int) -> list[Row]:
    real = images.read_image(picture)
    height, width = (side // factor * factor for side in real.shape[2:])
    real = real[..., :height, :width]
    low = resize(real, size=(height // factor, width // factor))
    file = out / f"{picture.stem}_reduced_{factor}.png"
    images.save_image(low, file)
    low = images.read_image(file)
    bicubic = resize(low, size=(height, width))
    projected = back_project(bicubic, low, 20)
    run = trained(file, out, factor=float(factor), **RECIPE)
    model = run.load()
    drawn = {
        "bicubic": bicubic,
        "bicubic, 20 back-projections": projected,
        "the same, unsharp mask": _unsharp(projected),
        "ours without back-projection": enlarge(model, low, num_projections=0),
        "ours": enlarge(model, low),
    }
    for name, result in drawn.items():
        images.save_image(result.clamp(-1, 1), out / f"{file.stem}_{name.replace(' ', '_')}.png")
    distances = {
        name: float(sliced_wasserstein(real, result.clamp(-1, 1)).mean())
        for name, result in drawn.items()
    }
    return [
        {
            "picture": picture.stem,
            "factor": f"x{factor}",
            "method": name,
            "PSNR, dB": psnr(real, result.clamp(-1, 1), factor),
            "sliced Wasserstein": distances[name],
            "of bicubic's": distances[name] / distances["bicubic"],
            "trained, s": run.seconds if name.startswith("ours") else "",
        }
        for name, result in drawn.items()
    ]


def _unsharp(picture: Tensor) -> Tensor:
    """One unsharp mask with the radius of a pixel."""
    height, width = picture.shape[2:]
    blurred = resize(resize(picture, scale=0.5, clamp=False), size=(height, width), clamp=False)
    return picture + SHARPENED * (picture - blurred)
