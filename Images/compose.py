"""Make every bundled picture from sample photographs of scikit-image and scikit-learn.

Run it from the repository root, with scikit-learn installed beside the requirements:

    pip install scikit-learn
    python Images/compose.py              # rewrites the pictures beside this script
    python Images/compose.py some/folder  # writes them into another folder

Nothing is downloaded: both packages ship the photographs that are used here, and every step is
deterministic.  ``Images/README.md`` lists where each picture comes from and its licence.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image
from scipy import ndimage as ndi
from skimage import data as skdata

Array = np.ndarray
Box = tuple[int, int, int, int]  # left, top, right, bottom; right and bottom are exclusive
Move = tuple[Box, int, int]  # what to copy, and the left and top of where to

JPEG_QUALITY = 90
MASK_QUALITY = 95
LAKESIDE = (372, 110, 640, 427)
LUMA = np.array([0.299, 0.587, 0.114])
PAPER = np.array([240.0, 230.0, 208.0])
INK = np.array([48.0, 38.0, 42.0])


class Cutout(NamedTuple):
    """An object lifted from a photograph: its colours and which pixels belong to it."""

    pixels: Array
    mask: Array


# ---------------------------------------------------------------- reading and writing


def load_photographs() -> dict[str, Array]:
    """Return the source photographs as uint8 RGB arrays, by name."""
    try:
        from sklearn.datasets import load_sample_image
    except ImportError:
        print("compose.py needs scikit-learn (pip install scikit-learn).", file=sys.stderr)
        raise SystemExit(2) from None
    return {
        "china": np.array(load_sample_image("china.jpg")),
        "flower": np.array(load_sample_image("flower.jpg")),
        "rocket": skdata.rocket(),
        "hubble": skdata.hubble_deep_field(),
        "gravel": np.dstack([skdata.gravel()] * 3),
        "tissue": skdata.immunohistochemistry(),
    }


def save(folder: Path, name: str, picture: Array, quality: int = JPEG_QUALITY) -> None:
    """Write an RGB picture or a boolean mask; the suffix of the name picks the format."""
    if picture.dtype == bool:
        picture = np.dstack([picture * np.uint8(255)] * 3)
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    options = {"quality": quality, "subsampling": 0} if path.suffix == ".jpg" else {}
    Image.fromarray(picture).save(path, optimize=True, **options)
    print(f"{name}: {picture.shape[1]} x {picture.shape[0]}, {path.stat().st_size} bytes")


# ---------------------------------------------------------------- small picture tools


def crop(picture: Array, box: Box) -> Array:
    """Return the part of the picture inside the box."""
    left, top, right, bottom = box
    return picture[top:bottom, left:right]


def resize(picture: Array, width: int) -> Array:
    """Scale a picture or a boolean mask to a width, keeping its proportions."""
    height = round(picture.shape[0] * width / picture.shape[1])
    if picture.dtype == bool:
        soft = Image.fromarray(picture * np.uint8(255)).resize((width, height), Image.LANCZOS)
        return np.array(soft) >= 128
    return np.array(Image.fromarray(picture).resize((width, height), Image.LANCZOS))


def to_uint8(picture: Array) -> Array:
    """Round and clip a float picture in 0..255."""
    return np.clip(np.rint(picture), 0, 255).astype(np.uint8)


def lightness(picture: Array) -> Array:
    """Return the luma of an RGB picture in 0..1."""
    return picture.astype(float) @ LUMA / 255


def smooth(field: Array, sigma: float) -> Array:
    """Blur an array over its two picture axes only."""
    sigmas = (sigma, sigma) + (0,) * (field.ndim - 2)
    return ndi.gaussian_filter(field, sigmas, mode="nearest")


# ---------------------------------------------------------------- cutting out and pasting


def largest_part(mask: Array) -> Array:
    """Keep the largest connected part of a mask, with its holes filled."""
    labels, count = ndi.label(ndi.binary_fill_holes(mask))
    sizes = ndi.sum_labels(mask, labels, range(1, count + 1))
    return labels == 1 + int(np.argmax(sizes))


def cut(picture: Array, mask: Array) -> Cutout:
    """Crop picture and mask to the extent of the mask."""
    rows, columns = ndi.find_objects(mask.astype(int))[0]
    return Cutout(picture[rows, columns], mask[rows, columns])


def cut_dahlia(flower: Array) -> Cutout:
    """Cut the open bloom out of the flower photograph: all that is more orange than blue."""
    red, blue = flower[..., 0].astype(int), flower[..., 2].astype(int)
    mask = (red > blue + 25) & (red > 110)
    mask[375:] = False  # the second bloom
    mask = ndi.binary_opening(ndi.binary_fill_holes(mask), iterations=3)
    return cut(flower, largest_part(mask))


def cut_pagoda(china: Array) -> Cutout:
    """Cut the tower and the trees at its foot out of the pale sky and lake behind it."""
    red, blue = china[..., 0].astype(int), china[..., 2].astype(int)
    background = (blue > 130) & (blue >= red - 8)
    y, x = np.mgrid[: china.shape[0], : china.shape[1]]
    slope = 5 * np.sqrt(np.clip(y - 310, 0, None))  # the trees spread out like a hill
    around = (y >= 25) & (x >= 62 - slope) & (x < 352 + slope)
    return cut(china, largest_part(ndi.binary_opening(around & ~background)))


def paste(background: Array, item: Cutout, left: int, top: int, width: int) -> tuple[Array, Array]:
    """Paste a cutout, scaled to a width; return the picture and the pasted pixels."""
    pixels, mask = resize(item.pixels, width), resize(item.mask, width)
    height = min(mask.shape[0], background.shape[0] - top)
    pixels, mask = pixels[:height], mask[:height]
    box = (left, top, left + width, top + height)
    result, where = background.copy(), np.zeros(background.shape[:2], bool)
    crop(where, box)[...] = mask
    result[where] = pixels[mask]
    return result, where


def copy_boxes(picture: Array, moves: list[Move]) -> tuple[Array, Array]:
    """Copy boxes of the picture to new left, top corners; return picture and edit mask."""
    result, mask = picture.copy(), np.zeros(picture.shape[:2], bool)
    for box, left, top in moves:
        part = crop(picture, box)
        target = (left, top, left + part.shape[1], top + part.shape[0])
        crop(result, target)[...] = part
        crop(mask, target)[...] = True
    return result, mask


# ---------------------------------------------------------------- oil painting


def flow_angles(picture: Array) -> Array:
    """Return the direction of the brush: along edges, and in swirls where there are none."""
    light = smooth(lightness(picture), 1.0)
    dy, dx = ndi.sobel(light, 0), ndi.sobel(light, 1)
    twice = smooth(np.dstack([dx * dx - dy * dy, 2 * dx * dy]), 4.0)
    y, x = np.mgrid[: light.shape[0], : light.shape[1]] / 28.0
    swirl = 0.9 * np.sin(x + 0.6 * np.sin(0.8 * y)) + 0.9 * np.cos(1.1 * y - 0.4 * x)
    weak = 0.004
    # doubled angles, turned by half a turn: the edge runs across the gradient
    edge_x = -twice[..., 0] + weak * np.cos(2 * swirl)
    edge_y = -twice[..., 1] + weak * np.sin(2 * swirl)
    return 0.5 * np.arctan2(edge_y, edge_x)


def smear(field: Array, angles: Array, reach: int) -> Array:
    """Average a picture along the brush direction, `reach` pixels both ways."""
    planes = field.reshape(field.shape[0], field.shape[1], -1).astype(float)
    total, steps = planes.copy(), 1
    for sign in (1.0, -1.0):
        y, x = np.mgrid[: field.shape[0], : field.shape[1]].astype(float)
        last_x, last_y = sign * np.cos(angles), sign * np.sin(angles)
        for _ in range(reach):
            here = ndi.map_coordinates(angles, [y, x], order=0, mode="nearest")
            step_x, step_y = np.cos(here), np.sin(here)
            turn = np.where(step_x * last_x + step_y * last_y < 0, -1.0, 1.0)
            last_x, last_y = turn * step_x, turn * step_y
            x, y = x + last_x, y + last_y
            for plane in range(planes.shape[2]):
                total[..., plane] += ndi.map_coordinates(
                    planes[..., plane], [y, x], order=1, mode="nearest"
                )
            steps += 1
    return (total / steps).reshape(field.shape)


def kuwahara(picture: Array, radius: int) -> Array:
    """Flatten a picture into patches: each pixel takes the mean of its calmest neighbourhood."""
    values, light = picture.astype(float), lightness(picture)
    best, result = np.full(light.shape, np.inf), values.copy()
    size = radius + 1
    for shift_y in (-radius // 2, radius - radius // 2):
        for shift_x in (-radius // 2, radius - radius // 2):
            shift = (shift_y, shift_x)
            mean = ndi.uniform_filter(light, size, mode="nearest", origin=shift)
            spread = ndi.uniform_filter(light**2, size, mode="nearest", origin=shift) - mean**2
            colour = ndi.uniform_filter(values, (size, size, 1), mode="nearest", origin=(*shift, 0))
            calmer = spread < best
            best, result = (
                np.where(calmer, spread, best),
                np.where(calmer[..., None], colour, result),
            )
    return result


def oil_paint(picture: Array, relief: float = 0.5, colour: float = 1.5) -> Array:
    """Paint a picture in brush strokes that follow its edges and swirl over calm areas."""
    flat = kuwahara(picture, 4)
    angles = flow_angles(to_uint8(flat))
    painted = smear(flat, angles, 6)
    grey = (painted @ LUMA)[..., None]
    painted = grey + colour * (painted - grey)
    noise = smooth(np.random.default_rng(0).standard_normal(picture.shape[:2]), 0.8)
    bristles = smear(noise, angles, 12)[..., None]
    bristles *= relief / bristles.std()
    return to_uint8(painted * (1 + 0.22 * bristles) + 10 * bristles)


# ---------------------------------------------------------------- pen drawing


def outlines(light: Array) -> Array:
    """Return ink (1) along the dark side of edges: a thresholded difference of Gaussians."""
    difference = smooth(light, 0.9) - 0.97 * smooth(light, 1.8)
    return np.where(difference < 0.012, np.tanh(60 * (0.012 - difference)), 0.0)


def hatching(light: Array) -> Array:
    """Return ink (1) in wavering parallel lines, crossed more often the darker the tone."""
    y, x = np.mgrid[: light.shape[0], : light.shape[1]].astype(float)
    waver = smooth(np.random.default_rng(1).standard_normal(light.shape), 14.0)
    waver *= 1.6 / waver.std()
    tone, ink = smooth(light, 1.5), np.zeros(light.shape)
    for degrees, limit, period in ((45, 0.62, 8.0), (-45, 0.42, 8.0), (10, 0.26, 6.0)):
        turn = np.deg2rad(degrees)
        phase = (x * np.sin(turn) + y * np.cos(turn) + waver) / period
        distance = np.abs(phase - np.rint(phase)) * period
        width = 0.5 + 1.2 * np.clip((limit - tone) / limit, 0, 1)
        ink = np.maximum(ink, (distance < width) & (tone < limit))
    return ink


def pen_draw(picture: Array, width: int) -> Array:
    """Draw a picture in ink on cream paper, at twice the size and then reduced."""
    light = lightness(resize(picture, 2 * width))
    ink = np.maximum(outlines(light), hatching(light))[..., None]
    return resize(to_uint8(PAPER * (1 - ink) + INK * ink), width)


# ---------------------------------------------------------------- the sets


def make_generation(photos: dict[str, Array], folder: Path) -> None:
    """Landscapes and textures to train the unconditional model on."""
    save(folder, "summer_palace.jpg", resize(photos["china"], 480))
    save(folder, "lakeside.jpg", crop(photos["china"], LAKESIDE))
    save(folder, "tissue.jpg", resize(crop(photos["tissue"], (60, 100, 512, 512)), 400))
    save(folder, "gravel.jpg", crop(photos["gravel"], (0, 0, 360, 270)))


def make_animation(photos: dict[str, Array], folder: Path) -> None:
    """Small lights which flicker when the noise walks."""
    save(folder, "deep_field.jpg", resize(crop(photos["hubble"], (230, 370, 880, 820)), 420))
    save(folder, "launch_lights.jpg", crop(photos["rocket"], (60, 220, 500, 427)))


def save_harmonization(folder: Path, name: str, style: Array, pasted: tuple[Array, Array]) -> None:
    """Write a background, the naive paste and its mask, grown a little past the object."""
    naive, where = pasted
    save(folder, f"{name}.jpg", style)
    save(folder, f"{name}_naive.jpg", naive)
    save(folder, f"{name}_naive_mask.jpg", ndi.binary_dilation(where, iterations=3), MASK_QUALITY)


def make_harmonization(photos: dict[str, Array], folder: Path) -> None:
    """Strongly styled backgrounds with an object from another photograph pasted in."""
    drawing = pen_draw(photos["china"], 420)
    dahlia = cut_dahlia(photos["flower"])
    save_harmonization(folder, "ink_palace", drawing, paste(drawing, dahlia, 262, 202, 68))
    night = oil_paint(resize(photos["rocket"], 420))
    pagoda = cut_pagoda(photos["china"])
    save_harmonization(folder, "oil_night", night, paste(night, pagoda, 240, 120, 160))


def save_editing(folder: Path, name: str, picture: Array, moves: list[Move]) -> None:
    """Write a picture, its rough copy-and-paste edit and the mask of the edit."""
    edit, mask = copy_boxes(picture, moves)
    save(folder, f"{name}.png", picture)
    save(folder, f"{name}_edit.png", edit)
    save(folder, f"{name}_edit_mask.png", mask)


def make_editing(photos: dict[str, Array], folder: Path) -> None:
    """Rough edits with hard edges, for the model to blend."""
    lake = crop(photos["china"], (352, 110, 640, 310))
    save_editing(folder, "lake", lake, [((196, 25, 284, 180), 110, 45)])
    tissue = resize(crop(photos["tissue"], (150, 150, 512, 512)), 240)
    save_editing(folder, "tissue", tissue, [((64, 100, 158, 232), 146, 8)])
    tower = resize(crop(photos["china"], (20, 0, 400, 427)), 240)
    save_editing(folder, "tower", tower, [((24, 150, 214, 216), 28, 204)])


def make_inpainting(photos: dict[str, Array], folder: Path) -> None:
    """The lake, and a mask that takes the island out of it."""
    save(folder, "island.jpg", crop(photos["china"], LAKESIDE))
    mask = np.zeros((LAKESIDE[3] - LAKESIDE[1], LAKESIDE[2] - LAKESIDE[0]), bool)
    mask[106:138, 46:136] = True
    save(folder, "island_mask.png", mask)


def main(arguments: list[str] | None = None) -> None:
    """Make all pictures."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", nargs="?", type=Path, default=Path(__file__).resolve().parent)
    folder = parser.parse_args(arguments).folder
    photos = load_photographs()
    makers: dict[str, Callable[[dict[str, Array], Path], None]] = {
        "Generation": make_generation,
        "Animation": make_animation,
        "Harmonization": make_harmonization,
        "Editing": make_editing,
        "Inpainting": make_inpainting,
    }
    for name, make in makers.items():
        make(photos, folder / name)


if __name__ == "__main__":
    main()
