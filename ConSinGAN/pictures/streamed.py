"""Pictures that are written from top to bottom, of any size: PNG, and BigTIFF in tiles.

What is in memory is a band of rows and what a compressor holds back.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import BinaryIO

import numpy as np

from ConSinGAN.atomic import replacing
from ConSinGAN.pictures.png import SIGNATURE

LEVEL = 3  # of compression
TIFF_TILE = 256  # pixels a side
CHUNK = 2**20  # bytes of a chunk of pixels


def save_bands(
    bands: Iterable[np.ndarray], size: tuple[int, int], path: Path,
    text: Mapping[str, str] | None = None,
) -> None:  # fmt: skip
    """Write a picture of size (h, w) of which bands come from top to bottom: uint8 (rows, w, 3).

    The extension, png or tif, decides how. text: by keyword, into a PNG's header; a TIFF's
    description takes all of it. Until the end there is no file `path`. Raises ValueError if the
    bands are not that picture.
    """
    write = _write_png if path.suffix == ".png" else _write_tiff
    with replacing(path) as temporary, temporary.open("wb") as file:
        write(file, _checked(bands, size), size, text or {})


def _checked(bands: Iterable[np.ndarray], size: tuple[int, int]) -> Iterator[np.ndarray]:
    height, width = size
    for band in bands:
        if band.dtype != np.uint8 or band.shape[1:] != (width, 3) or len(band) > height:
            raise ValueError(f"a band of {band.shape} {band.dtype} is no part of {size}")
        height -= len(band)
        if len(band):
            yield band
    if height:
        raise ValueError(f"the last {height} rows are missing")


# PNG ------------------------------------------------------------------------------------------


def _write_png(
    file: BinaryIO, bands: Iterator[np.ndarray], size: tuple[int, int], text: Mapping[str, str]
) -> None:
    file.write(SIGNATURE)
    _chunk(file, b"IHDR", struct.pack(">IIBBBBB", size[1], size[0], 8, 2, 0, 0, 0))
    for keyword, value in text.items():
        _chunk(file, b"iTXt", keyword.encode("latin-1") + bytes(5) + value.encode())
    packer, packed = zlib.compressobj(LEVEL), bytearray()
    above = np.zeros((size[1], 3), np.uint8)
    for band in bands:
        packed += packer.compress(_filtered(band, above))
        above = band[-1].copy()
        while len(packed) >= CHUNK:
            _chunk(file, b"IDAT", packed[:CHUNK])
            del packed[:CHUNK]
    packed += packer.flush()
    _chunk(file, b"IDAT", packed)
    _chunk(file, b"IEND", b"")


def _chunk(file: BinaryIO, kind: bytes, data: bytes | bytearray) -> None:
    file.write(struct.pack(">I", len(data)) + kind)
    file.write(data)
    file.write(struct.pack(">I", zlib.crc32(data, zlib.crc32(kind))))


def _filtered(band: np.ndarray, above: np.ndarray) -> bytes:
    """The rows of a band, each as differences from its neighbours, and how in front.

    Of four ways (left, above, their mean, Paeth's) every row takes the one whose differences are
    smallest in sum, as the specification of PNG advises.
    """
    rows, width = band.shape[:2]
    lines = np.empty((rows, 1 + 3 * width), np.uint8)
    for top in range(0, rows, 64):  # so that the candidates stay small
        part = band[top : top + 64]
        up = np.concatenate([above[None], part])[:-1].reshape(len(part), -1)
        above = part[-1]
        here = part.reshape(len(part), -1)
        left, corner = _shifted(here), _shifted(up)
        mean = ((left.astype(np.uint16) + up) // 2).astype(np.uint8)
        candidates = np.stack(
            [here - left, here - up, here - mean, here - _paeth(left, up, corner)]
        )
        sizes = np.abs(candidates.view(np.int8).astype(np.int16)).sum(axis=2, dtype=np.int64)
        best = sizes.argmin(axis=0)
        lines[top : top + 64, 0] = best + 1  # filter 0 is none
        lines[top : top + 64, 1:] = candidates[best, np.arange(len(part))]
    return lines.tobytes()


def _shifted(rows: np.ndarray) -> np.ndarray:
    """The pixel to the left of every one; zeros at the edge."""
    shifted = np.zeros_like(rows)
    shifted[:, 3:] = rows[:, :-3]
    return shifted


def _paeth(left: np.ndarray, up: np.ndarray, corner: np.ndarray) -> np.ndarray:
    """Of three neighbours the one nearest to left + up - corner."""
    a, b, c = (x.astype(np.int16) for x in (left, up, corner))
    to_left, to_up, to_corner = np.abs(b - c), np.abs(a - c), np.abs(a + b - 2 * c)
    take_left = (to_left <= to_up) & (to_left <= to_corner)
    return np.where(take_left, left, np.where(to_up <= to_corner, up, corner))


# TIFF -----------------------------------------------------------------------------------------


def _write_tiff(
    file: BinaryIO, bands: Iterator[np.ndarray], size: tuple[int, int], text: Mapping[str, str]
) -> None:
    import tifffile

    description = "\n".join(text.values()).encode("ascii", "backslashreplace").decode() or None
    with tifffile.TiffWriter(file, bigtiff=True) as tiff:
        tiff.write(
            _tiles(bands, size[1]), shape=(*size, 3), dtype=np.uint8, photometric="rgb",
            tile=(TIFF_TILE, TIFF_TILE), compression="zlib", compressionargs={"level": LEVEL},
            predictor=True, maxworkers=1, description=description, metadata=None,
            software=False,
        )  # fmt: skip


def _tiles(bands: Iterator[np.ndarray], width: int) -> Iterator[np.ndarray]:
    """Square tiles, row by row; the last ones are filled up with black."""
    kept = np.empty((0, width, 3), np.uint8)
    for band in bands:
        kept = np.concatenate([kept, band])
        while len(kept) >= TIFF_TILE:
            yield from _row_of_tiles(kept[:TIFF_TILE])
            kept = kept[TIFF_TILE:]
    if len(kept):
        yield from _row_of_tiles(kept)


def _row_of_tiles(rows: np.ndarray) -> Iterator[np.ndarray]:
    for left in range(0, rows.shape[1], TIFF_TILE):
        tile = np.zeros((TIFF_TILE, TIFF_TILE, 3), np.uint8)
        part = rows[:, left : left + TIFF_TILE]
        tile[: part.shape[0], : part.shape[1]] = part
        yield tile
