"""Outpainting: seam, coherence, copying of the mirrored border, and how variants differ."""

from __future__ import annotations

from itertools import combinations
from pathlib import Path

import numpy as np
import torch.nn.functional as F
from torch import Tensor

import ConSinGAN
from ConSinGAN import images
from ConSinGAN.images import to_bytes
from ConSinGAN.metrics.patches import PixelDiversity, nearest_patches
from jobs.common import BUNDLED, Row, coherence, trained

PICTURES = [BUNDLED["summer_palace"], BUNDLED["lakeside"], BUNDLED["gravel"]]
RECIPE = {"train_mode": "generation", "max_size": 100, "niter": 500, "Dsteps": 1}
NUM, SHARE, BAND = 4, 0.3, 8  # variants; how far each side goes on, of the width; pixels


def measure(picture: Path, out: Path) -> list[Row]:
    """One row: the picture goes on at its left and right."""
    model = trained(picture, out, **RECIPE).load()
    width = model.sizes[-1][1]
    more, real = round(SHARE * width), model.real
    drawings = ConSinGAN.draw(model, "outpainting", extend=(0, more, 0, more), num_samples=NUM)
    pictures = [next(iter(drawing.frames)) for drawing in drawings]
    (out / "outpainting").mkdir(parents=True, exist_ok=True)
    sheet = images.make_sheet([F.pad(real, (more, more, 0, 0), value=-1.0), *pictures], least=160)
    images.save_image(sheet, out / "outpainting" / f"{picture.stem}.png")
    inner = (..., slice(more + BAND, more + width - BAND))
    own = to_bytes(real)[0][:, BAND:-BAND]
    kept = all(np.array_equal(to_bytes(p)[0][:, inner[1]], own) for p in pictures)
    sides = [side for p in pictures for side in (p[..., :more], p[..., -more:])]
    mirrored = F.pad(real, (more, more, 0, 0), mode="reflect")
    mirrors = [mirrored[..., :more], mirrored[..., -more:]] * NUM
    diversity = PixelDiversity(real)
    for p in pictures:
        diversity.add(p[..., :more])
    return [{
        "picture": picture.stem,
        "known pixels kept": kept,
        "seam / inside": float(np.mean([seam(p, more, width) for p in pictures])),
        "coherence": float(np.mean([coherence(real, side) for side in sides])),
        "coherence of samples": float(np.mean([coherence(real, s) for s in model.sample(NUM)])),
        "copying of the mirror": float(np.mean([
            nearest_patches(mirror, side).copying
            for mirror, side in zip(mirrors, sides, strict=True)
        ])),
        "diversity": diversity.value(),
        "variants differ": all((a != b).any() for a, b in combinations(pictures, 2)),
    }]  # fmt: skip


def seam(picture: Tensor, more: int, width: int) -> float:
    """Mean horizontal gradient across both seams, by that inside the known part."""
    steps = (picture[..., 1:] - picture[..., :-1]).abs().mean(dim=(0, 1, 2))
    across = (steps[more - 1] + steps[more + width - 1]) / 2
    return float(across / steps[more + BAND : more + width - BAND - 1].mean())
