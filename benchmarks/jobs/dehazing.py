"""Dehazing of pictures that smooth haze was put on, against the dark channel prior."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch

from ConSinGAN import images
from ConSinGAN.pictures import haze
from ConSinGAN.tasks.dehazing import clear, dark_channel_prior
from jobs.common import BUNDLED, Row, psnr, read, trained

PICTURES = list(BUNDLED.values())
SIZE = 250  # pixels
LIGHT = np.array([0.85, 0.87, 0.9])
THICKNESS = 1.2  # at the farthest


def measure(picture: Path, out: Path) -> list[Row]:
    """Put haze on a picture that is taken to be clean, and remove it again."""
    clean = read(picture, SIZE)
    pixels = (clean[0].permute(1, 2, 0).double().numpy() + 1) / 2
    numbers = np.random.default_rng(0).random(8)
    depth = 0.3 + 0.7 * haze.smooth_depth(*pixels.shape[:2], numbers)
    hazy = haze.add(pixels, LIGHT, np.exp(-THICKNESS * depth))
    file = out / f"{picture.stem}_hazy.png"
    images.save_image(torch.from_numpy(hazy).float().permute(2, 0, 1)[None] * 2 - 1, file)
    entering = images.read_image(file)
    run = trained(file, out, train_mode="dehazing")
    drawn = {
        "hazy": entering,
        "dark channel prior": dark_channel_prior(entering),
        "ours": clear(run.load(), entering),
    }
    for name, result in drawn.items():
        images.save_image(result, out / f"{file.stem}_{name.replace(' ', '_')}.png")
    return [
        {
            "picture": picture.stem, "method": name, "PSNR, dB": psnr(clean, result),
            "trained, s": run.seconds if name == "ours" else "",
        }
        for name, result in drawn.items()
    ]  # fmt: skip
