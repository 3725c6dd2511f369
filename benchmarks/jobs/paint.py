"""Paint: is what is made of a painting like the training picture, and laid out as the painting is?

Paintings are the picture, mirrored, shifted or a part of it, in a few flat colours with wandering
edges. They are made here and not as in training: other colours, another way to jitter.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from scipy import ndimage
from scipy.cluster.vq import kmeans2
from torch import Tensor

from ConSinGAN import images
from ConSinGAN.tasks.paint import paint
from jobs.common import BUNDLED, Row, coherence, luminance_correlation, read, trained

PICTURES = list(BUNDLED.values())
RECIPE = {"train_mode": "paint", "max_size": 120, "train_stages": 3, "niter": 300, "Dsteps": 1}
PAINTED = 320  # longer side of the picture that is painted, pixels


def measure(picture: Path, out: Path) -> list[Row]:
    """One row a painting; `share` of coherence shall be at most 0.5, correlation at least 0.9."""
    run = trained(picture, out, **RECIPE)
    model = run.load()
    rows: list[Row] = []
    folder = out / "paint" / picture.stem
    folder.mkdir(parents=True, exist_ok=True)
    for name, painting in paintings(read(picture, PAINTED)).items():
        drawn = paint(model, painting)
        before, after = coherence(model.real, fit(painting, drawn)), coherence(model.real, drawn)
        images.save_image(
            images.make_sheet([fit(painting, drawn), drawn], least=400), folder / f"{name}.png"
        )
        rows.append({
            "picture": picture.stem, "painting": name, "coherence of the painting": before,
            "of the picture": after, "share": after / before,
            "correlation": luminance_correlation(painting, drawn), "training, s": run.seconds,
        })  # fmt: skip
    return rows


def fit(painting: Tensor, drawn: Tensor) -> Tensor:
    """The painting at the size of what was drawn."""
    from ConSinGAN.resize import resize

    return resize(painting, size=(int(drawn.shape[2]), int(drawn.shape[3])))


def paintings(picture: Tensor) -> dict[str, Tensor]:
    """By name, (1, C, h, w) in [-1, 1]."""
    height, width = picture.shape[2:]
    part = picture[..., height // 5 : height // 5 + 2 * height // 3, width // 4 :]
    shifted = torch.cat([picture, picture.flip(3)], dim=3)[..., width // 3 : width // 3 + width]
    arranged = {
        "as it is": (picture, 5), "mirrored": (picture.flip(3), 6), "shifted": (shifted, 5),
        "part": (part, 4),
    }  # fmt: skip
    return {
        name: flat(one, colours, seed)
        for seed, (name, (one, colours)) in enumerate(arranged.items())
    }


def flat(picture: Tensor, num_colours: int, seed: int) -> Tensor:
    """In so few colours, with edges that wander by a few pixels."""
    random = np.random.default_rng(seed)
    pixels = ndimage.gaussian_filter(picture[0].numpy(), (0, 2, 2))
    colours, labels = kmeans2(pixels.reshape(len(pixels), -1).T, num_colours, minit="++", seed=seed)
    labels = ndimage.median_filter(labels.reshape(pixels.shape[1:]), 7)
    where = np.mgrid[0 : labels.shape[0], 0 : labels.shape[1]].astype(float)
    for axis in where:
        wander = ndimage.gaussian_filter(random.standard_normal(axis.shape), 6)
        axis += 3 * wander / wander.std()
    labels = ndimage.map_coordinates(labels, where, order=0, mode="nearest")
    return torch.from_numpy(colours[labels].astype(np.float32)).movedim(-1, 0)[None].contiguous()
