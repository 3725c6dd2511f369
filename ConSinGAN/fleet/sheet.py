"""Contact sheets of many models: a cell for each, its pictures and what is to be said of them.

Pictures come from small files, a row of cells at a time; a sheet that would be long has pages.
"""

from __future__ import annotations

import io
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from PIL import Image, ImageDraw, ImageFont

from ConSinGAN.atomic import write_atomic

if TYPE_CHECKING:
    import numpy as np

SIDE = 144  # pixels of a picture's longer side
GAP = 4  # between pictures
EDGE = 26  # between cells
LINE = 17  # height of a line of text
SIZE = 12  # of letters
INK, GREY = (20, 20, 20), (95, 95, 95)
MAX_PIXELS = 60_000_000  # of a picture that is made small in memory


@dataclass(frozen=True)
class Cell:
    """One model on the sheet. lines: what stands below its name."""

    name: str
    pictures: Sequence[Path]
    lines: Sequence[str] = ()


def small(picture: Image.Image | np.ndarray) -> bytes:
    """A picture as a small PNG file; a tiny one becomes larger, by a whole factor."""
    image = picture if isinstance(picture, Image.Image) else Image.fromarray(picture)
    image = image.convert("RGB")
    factor = SIDE / max(image.size)
    factor = int(factor) if factor > 1 else factor
    width, height = (max(round(side * factor), 1) for side in image.size)
    encoded = io.BytesIO()
    image.resize((width, height), Image.Resampling.LANCZOS).save(encoded, "png")
    return encoded.getvalue()


def small_of_file(path: Path) -> bytes | None:
    """The same of a file, of its first frame if it moves; None if there is no showing it."""
    try:
        with Image.open(path) as image:
            width, height = image.size
            return small(image) if width * height <= MAX_PIXELS else None
    except (OSError, ValueError, Image.DecompressionBombError):  # no picture: a film, say
        return None


def write_pages(path: Path, cells: Sequence[Cell], columns: int, per_page: int) -> list[Path]:
    """Write the sheet to `path`, further pages beside it: <stem>_2.png, ...; returns them all.

    Pages of a longer sheet that was there before are removed. Raises OSError as files do.
    """
    pages: list[Path] = []
    across = max((len(cell.pictures) for cell in cells), default=1)
    for start in range(0, len(cells), per_page):
        page = _page(cells[start : start + per_page], columns, max(across, 1))
        encoded = io.BytesIO()
        page.save(encoded, "png")
        pages.append(_page_name(path, len(pages) + 1))
        write_atomic(pages[-1], encoded.getvalue(), durable=False)
    number = len(pages) + 1
    while (old := _page_name(path, number)).is_file():
        old.unlink()
        number += 1
    return pages


def _page_name(path: Path, number: int) -> Path:
    return path if number == 1 else path.with_name(f"{path.stem}_{number}{path.suffix}")


def _page(cells: Sequence[Cell], columns: int, across: int) -> Image.Image:
    columns = min(columns, len(cells))
    width = across * (SIDE + GAP) - GAP
    rows = [_row(cells[i : i + columns], columns, width) for i in range(0, len(cells), columns)]
    page = Image.new("RGB", (rows[0].width, sum(row.height for row in rows) + EDGE), "white")
    top = EDGE
    for row in rows:
        page.paste(row, (0, top))
        top += row.height
    return page


def _row(cells: Sequence[Cell], columns: int, width: int) -> Image.Image:
    opened = [[_open(path) for path in cell.pictures] for cell in cells]
    tall = max((image.height for images in opened for image in images), default=0)
    lines = max(len(cell.lines) for cell in cells)
    size = (columns * (width + EDGE) + EDGE, tall + GAP + (1 + lines) * LINE + EDGE)
    row = Image.new("RGB", size, "white")
    draw, font = ImageDraw.Draw(row), _font()
    for index, (cell, images) in enumerate(zip(cells, opened, strict=True)):
        left = right = EDGE + index * (width + EDGE)
        for image in images:
            row.paste(image, (right, tall - image.height))
            right += image.width + GAP
        for number, (text, ink) in enumerate(_texts(cell)):
            place = (left, tall + GAP + number * LINE)
            draw.text(place, _fitted(text, font, width), fill=ink, font=font)
    return row


def _texts(cell: Cell) -> Iterable[tuple[str, tuple[int, int, int]]]:
    return [(cell.name, INK), *((line, GREY) for line in cell.lines)]


def _open(path: Path) -> Image.Image:
    """A small picture; a grey field where it is gone."""
    try:
        with Image.open(path) as image:
            return image.convert("RGB")
    except (OSError, ValueError):
        return Image.new("RGB", (SIDE, SIDE // 2), (220, 220, 220))


@cache
def _font() -> ImageFont.FreeTypeFont:
    """DejaVu Sans, which comes with matplotlib and has the letters of many languages."""
    import matplotlib

    path = Path(matplotlib.get_data_path()) / "fonts/ttf/DejaVuSans.ttf"
    return ImageFont.truetype(str(path), SIZE)


def _fitted(text: str, font: ImageFont.FreeTypeFont, width: int) -> str:
    """A line, shortened until it fits."""
    if font.getlength(text) <= width:
        return text
    while text and font.getlength(f"{text}…") > width:
        text = text[:-1]
    return f"{text}…"
