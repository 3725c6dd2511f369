"""Contact sheets of a sweep: the real picture, and a row of samples for every setting."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

from ConSinGAN.atomic import write_atomic
from ConSinGAN.fleet.record import NUM_SHOWN

SIDE = 160  # pixels of a picture's longer side on a sheet, about
MARGIN = 8
GAP = 4  # between samples
TEXT = 13  # pixels of its letters
LINE = TEXT + 5
MAX_ROWS = 40  # of the best settings


@dataclass(frozen=True)
class Strip:
    """One row: the real picture, samples side by side, and what is written underneath."""

    real: Path
    samples: Path
    text: Sequence[str]


def write_sheet(title: str, strips: Sequence[Strip], path: Path) -> None:
    """Write a sheet of these rows, as far as their files are there, as a PNG."""
    rows = [row for strip in strips[:MAX_ROWS] if (row := _row(strip)) is not None]
    if not rows:
        return
    if len(strips) > MAX_ROWS:
        title += f"; the best {MAX_ROWS} of {len(strips)}"
    font = ImageFont.load_default(TEXT)
    texts = [line for _, lines in rows for line in lines]
    widest = max(font.getlength(text) for text in (title, *texts))
    width = max(int(widest) + 1, *(picture.width for picture, _ in rows)) + 2 * MARGIN
    height = 2 * MARGIN + LINE
    height += sum(picture.height + LINE * len(lines) + MARGIN for picture, lines in rows)
    sheet = Image.new("RGB", (width, height), "white")
    draw = ImageDraw.Draw(sheet)
    draw.text((MARGIN, MARGIN), title, "black", font)
    top = MARGIN + LINE
    for picture, lines in rows:
        sheet.paste(picture, (MARGIN, top))
        top += picture.height
        for line in lines:
            draw.text((MARGIN, top), line, "black", font)
            top += LINE
        top += MARGIN
    file = io.BytesIO()
    sheet.save(file, "png")
    write_atomic(path, file.getvalue(), durable=False)


def _row(strip: Strip) -> tuple[Image.Image, Sequence[str]] | None:
    """The pictures of a row in one, enlarged or reduced to what can be looked at."""
    try:
        with Image.open(strip.real) as real, Image.open(strip.samples) as samples:
            tiles = [real.convert("RGB"), *_cut(samples.convert("RGB"))]
    except (OSError, ValueError):
        return None
    scale = SIDE / max(tiles[0].size)
    scale = max(1.0, round(scale)) if scale > 1 else scale
    tiles = [_scaled(tile, scale) for tile in tiles]
    width = sum(tile.width + GAP for tile in tiles) + MARGIN
    row = Image.new("RGB", (width, max(tile.height for tile in tiles)), "white")
    left = 0
    for number, tile in enumerate(tiles):
        row.paste(tile, (left, 0))
        left += tile.width + (GAP if number else MARGIN)
    return row, strip.text


def _cut(samples: Image.Image) -> list[Image.Image]:
    """Samples that lie side by side."""
    width = samples.width // NUM_SHOWN
    return [samples.crop((i * width, 0, (i + 1) * width, samples.height)) for i in range(NUM_SHOWN)]


def _scaled(picture: Image.Image, scale: float) -> Image.Image:
    size = (max(1, round(picture.width * scale)), max(1, round(picture.height * scale)))
    return picture.resize(size, Image.Resampling.LANCZOS)
