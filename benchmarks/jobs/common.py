"""What the measurements of several jobs share."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

import ConSinGAN
from ConSinGAN import images
from ConSinGAN.metrics.patches import laplacian_pyramid, nearest_patches, sliced_wasserstein
from ConSinGAN.resize import resize

ROOT = Path(__file__).resolve().parent.parent.parent
BUNDLED = {
    "summer_palace": ROOT / "Images/Generation/summer_palace.jpg",
    "gravel": ROOT / "Images/Generation/gravel.jpg",
    "lakeside": ROOT / "Images/Generation/lakeside.jpg",
}


@dataclass(frozen=True)
class Trained:
    """A finished run, and how long it took to train (0 if that was not measured)."""

    path: Path
    seconds: float

    def load(self) -> Any:
        """The model, in float32."""
        return ConSinGAN.load(self.path, precision="fp32")


def trained(picture: Path, out: Path, **options: Any) -> Trained:
    """Train a model of a picture, or take the one in `out` that was trained so before."""
    settings = {"input_name": str(Path(picture).resolve()), "manualSeed": 0, **options}
    key = hashlib.sha256(json.dumps(settings, sort_keys=True).encode()).hexdigest()[:12]
    note = out / "models" / f"{key}.json"
    if note.is_file():
        about = json.loads(note.read_text())
        return Trained(Path(about["path"]), about["seconds"])
    start = time.perf_counter()
    path = ConSinGAN.train(output_dir=str(out / "models" / key), not_cuda=True, **settings)
    about = {"path": str(path), "seconds": round(time.perf_counter() - start, 1)}
    note.write_text(json.dumps(about | settings))
    return Trained(path, about["seconds"])


def read(path: Path, max_size: int | None = None) -> Tensor:
    """A picture, (1, 3, H, W) in [-1, 1], its longer side at most `max_size`."""
    picture = images.read_image(path)
    longer = max(picture.shape[2:])
    return (
        picture
        if max_size is None or longer <= max_size
        else resize(picture, scale=max_size / longer)
    )


def coherence(real: Tensor, drawn: Tensor) -> float:
    """Mean distance of the drawn picture's patches from their nearest real ones, byte levels."""
    return nearest_patches(real, drawn).coherence


def wasserstein(real: Tensor, drawn: Tensor) -> Tensor:
    """Sliced Wasserstein distances of all levels, finest first."""
    return sliced_wasserstein(real, drawn)


def luminance_correlation(a: Tensor, b: Tensor, reduced: int = 16) -> float:
    """Pearson correlation of the luminance of two pictures, shrunk to `reduced` pixels a side."""
    small = []
    for picture in (a, b):
        grey = torch.einsum("nchw,c->nhw", picture.double(), torch.from_numpy(images.LUMA))
        small.append(resize(grey[:, None].float(), size=(reduced, reduced)).flatten().numpy())
    return float(np.corrcoef(*small)[0, 1])


def psnr(a: Tensor, b: Tensor, border: int = 0) -> float:
    """Peak signal-to-noise ratio in dB of pictures in [-1, 1], without a border of pixels."""
    inside = (..., slice(border, a.shape[2] - border), slice(border, a.shape[3] - border))
    error = (a[inside].double() - b[inside].double()).square().mean()
    return float(10 * torch.log10(4 / error))


def finest_band(picture: Tensor) -> Tensor:
    """What a picture has that half its resolution does not show."""
    return laplacian_pyramid(picture, 2)[0]


Row = Mapping[str, object]  # by column; "picture" comes first
