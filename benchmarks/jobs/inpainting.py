"""A hole in a picture: drawn anew by a model that never saw what was there, and by simple means.

The picture, at most SIZE pixels, loses a square of SIDE pixels. Compared are the patches in the
hole with those of all that is known, by their sliced Wasserstein distance, and with what was there.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from skimage.restoration import inpaint_biharmonic
from torch import Tensor

import ConSinGAN
from ConSinGAN import images
from ConSinGAN.holes import inserted
from ConSinGAN.metrics.patches import NUM_DIRECTIONS, PATCH, laplacian_pyramid
from jobs.common import BUNDLED, Row, read, trained

PICTURES = list(BUNDLED.values())
SIZE, SIDE = 120, 32  # pixels
LEVELS = 2  # of the Laplacian pyramid
RIM = 4  # pixels around the hole that a copied patch shall fit
VARIANTS = 8
RECIPE = {
    "train_mode": "inpainting", "max_size": SIZE, "train_stages": 6, "niter": 300, "Dsteps": 1,
}  # fmt: skip


def measure(picture: Path, out: Path) -> list[Row]:
    """One row: distances of our fills (mean), of biharmonic inpainting and of a copied patch."""
    real = images.as_written(read(picture, SIZE))
    hole = hole_of(real)
    folder = out / "inpainting"
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{picture.stem}.png"
    images.save_image(real, path)
    images.save_image(hole.float() * 2 - 1, folder / f"{picture.stem}_mask.png")
    run = trained(path, out, **RECIPE)
    drawn = ConSinGAN.draw(run.load(), "inpainting", num_samples=VARIANTS)
    fills = [
        images.as_written(next(iter(d.frames))) for d in drawn if d.name.startswith("inpainted")
    ]
    others = {"biharmonic": biharmonic(real, hole), "copied patch": copied(real, hole)}
    everything = [real, torch.where(hole, 1.0, real), *others.values(), *fills]
    sheet = images.make_sheet(everything, columns=6, least=240)
    images.save_image(sheet, folder / f"{picture.stem}_sheet.png")
    outside = ~hole.expand_as(real)
    spread = torch.cat(fills).std(dim=0, correction=0)[hole.expand_as(real)[0]].mean()
    row: dict[str, object] = {"picture": picture.stem, "seconds": run.seconds}
    row["ours"] = float(np.mean([distance(fill, real, hole) for fill in fills]))
    row |= {name: distance(other, real, hole) for name, other in others.items()}
    row["what was there"] = distance(real, real, hole)
    row["ours, to what was there"] = float(np.mean([to_truth(fill, real, hole) for fill in fills]))
    row |= {f"{name}, to it": to_truth(other, real, hole) for name, other in others.items()}
    row["diversity"] = float(spread / real.std(dim=(2, 3), correction=0).mean())
    row["known kept"] = all(torch.equal(fill[outside], real[outside]) for fill in fills)
    return [row]


def hole_of(real: Tensor) -> Tensor:
    """A square right of and below the middle: (1, 1, H, W) of bools."""
    height, width = real.shape[2:]
    hole = torch.zeros((1, 1, height, width), dtype=torch.bool)
    top, left = round((height - SIDE) * 0.6), round((width - SIDE) * 0.55)
    hole[..., top : top + SIDE, left : left + SIDE] = True
    return hole


# Simple means ---------------------------------------------------------------------------------


def biharmonic(real: Tensor, hole: Tensor) -> Tensor:
    """Scikit-image's biharmonic inpainting."""
    pixels = real[0].permute(1, 2, 0).double().numpy()
    filled = inpaint_biharmonic(pixels, hole[0, 0].numpy(), channel_axis=2)
    return torch.from_numpy(filled).permute(2, 0, 1)[None].float().clamp(-1, 1)


def copied(real: Tensor, hole: Tensor) -> Tensor:
    """The known square whose rim is most like the hole's, put there by Poisson blending."""
    rows, columns = hole[0, 0].any(1).nonzero(), hole[0, 0].any(0).nonzero()
    top, left = int(rows[0]) - RIM, int(columns[0]) - RIM
    side = SIDE + 2 * RIM
    wanted = real[..., top : top + side, left : left + side]
    rim = torch.ones(side, side)
    rim[RIM:-RIM, RIM:-RIM] = 0
    windows = F.unfold(real, side)[0].T.view(-1, *wanted.shape[1:])
    errors = ((windows - wanted).square() * rim).sum(dim=(1, 2, 3))
    errors[F.unfold(hole.float(), side)[0].any(0)] = torch.inf
    best = windows[int(errors.argmin())]
    moved = real.clone()
    moved[..., top : top + side, left : left + side] = best
    return inserted(moved, real, hole)


# Distances ------------------------------------------------------------------------------------


def distance(filled: Tensor, real: Tensor, hole: Tensor) -> float:
    """Sliced Wasserstein distance of the patches around the hole's pixels from the known ones."""
    return _sliced(filled, real, hole, F.max_pool2d(hole.float(), PATCH, 1, PATCH // 2) == 0)


def to_truth(filled: Tensor, real: Tensor, hole: Tensor) -> float:
    """The same, from the patches that were there."""
    return _sliced(filled, real, hole, hole)


def _sliced(filled: Tensor, real: Tensor, inside: Tensor, known: Tensor) -> float:
    """Mean over levels; normalised by the known patches' statistics."""
    directions = torch.randn(
        NUM_DIRECTIONS, real[0, :, :PATCH, :PATCH].numel(),
        generator=torch.Generator().manual_seed(0),
    )  # fmt: skip
    directions = F.normalize(directions).view(-1, real.shape[1], PATCH, PATCH)
    found = []
    pyramids = zip(laplacian_pyramid(filled, LEVELS), laplacian_pyramid(real, LEVELS), strict=True)
    for level, (a, b) in enumerate(pyramids):
        step = 2**level
        masks = [mask[0, 0, ::step, ::step] for mask in (inside, known)]
        middle = PATCH // 2
        cut = (slice(middle, -middle), slice(middle, -middle))
        mean, scale = b.mean((2, 3), keepdim=True), b.std((2, 3), keepdim=True).clamp(min=1e-5)
        sides = [
            F.conv2d((x - mean) / scale, directions)[0][:, mask[cut]].sort(1).values
            for x, mask in zip((a, b), masks, strict=True)
        ]
        found.append(_wasserstein(*sides))
    return float(np.mean(found))


def _wasserstein(a: Tensor, b: Tensor) -> float:
    """Mean difference of the quantile functions, at 512 places."""
    at = (torch.arange(512) + 0.5) / 512
    one, other = (x[:, (at * x.shape[1]).long()] for x in (a, b))
    return float((one - other).abs().mean())
