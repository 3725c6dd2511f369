"""Textures: is the edge across which a drawing goes on a line like all others?"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from torch import Tensor

import ConSinGAN
from ConSinGAN import images
from jobs.common import BUNDLED, Row, coherence, trained

PICTURES = [BUNDLED["gravel"]]
RECIPE = {"train_mode": "generation", "max_size": 100, "niter": 500, "Dsteps": 1}
SEEDS = 10
AXES = {"both": (2, 3), "horizontal": (3,), "vertical": (2,)}  # that go on


def across(picture: Tensor, dim: int) -> tuple[float, bool]:
    """Mean gradient across the wrap by that inside; whether it is below the 95th percentile."""
    steps = (picture - picture.roll(1, dim)).abs().mean(dim=(0, 1, 5 - dim))
    inside = steps[1:]
    return float(steps[0] / inside.mean()), bool(steps[0] < inside.quantile(0.95))


def measure(picture: Path, out: Path) -> list[Row]:
    """One row for every kind of wrapping."""
    model = trained(picture, out, **RECIPE).load()
    samples = np.mean([coherence(model.real, drawn) for drawn in model.sample(SEEDS)])
    rows = []
    for wrap, dims in AXES.items():
        drawn = [
            next(iter(ConSinGAN.draw(model, "texture", wrap=wrap, num_samples=1, seed=seed)))
            for seed in range(SEEDS)
        ]
        pictures = [next(iter(one.frames)) for one in drawn]
        laid = pictures[0].repeat(1, 1, 2, 2)
        (out / "texture").mkdir(parents=True, exist_ok=True)
        images.save_image(laid, out / "texture" / f"{picture.stem}_{wrap}.png")
        found = [[across(p, dim) for dim in dims] for p in pictures]
        good = sum(all(0.8 <= ratio <= 1.1 and low for ratio, low in one) for one in found)
        ratios = torch.tensor([ratio for one in found for ratio, _ in one])
        rows.append({
            "picture": picture.stem, "wrap": wrap,
            "gradient across / inside, least": float(ratios.min()),
            "mean": float(ratios.mean()), "most": float(ratios.max()),
            "good of 10": good,
            "coherence": float(np.mean([coherence(model.real, p) for p in pictures])),
            "coherence of samples": float(samples),
        })  # fmt: skip
    return rows
