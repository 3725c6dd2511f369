"""TIFF: its pages, and samples of any kind of number.

Pillow reads what has 8 bits a sample; what has more, or lies in planes, is read here.
"""

from __future__ import annotations

import contextlib
import importlib.util
import sys
import zlib
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np
from PIL import Image, ImageFile

from ConSinGAN.pictures.png import with_layout

if TYPE_CHECKING:
    from tifffile import FileHandle, TiffPage

MAX_PAGES = 1000  # looked at
MAX_SAMPLES = 4  # of a pixel, for the largest picture that is allowed
GREY_INVERTED, GREY, RGB, PALETTE, CMYK, YCBCR, LAB = 0, 1, 2, 3, 5, 6, 8
CAMERA_RAW = (32803, 34892)  # photometric interpretations
CAMERA_RAW_PACKING = (32767, 34713, 65535)  # compressions of Sony, Nikon, Pentax
DEFLATE = (8, 32946)
DNG_VERSION = 50706


@dataclass
class Page:
    """What a page of a TIFF file says of itself.

    size: (width, height). bits: of a sample. whole: not a thumbnail, a mask or a smaller copy.
    white: the sample value that it states to be the largest, if any.
    """

    size: tuple[int, int]
    bits: int = 8
    floats_or_signed: bool = False
    samples: int = 1
    photometric: int = GREY
    whole: bool = True
    raw: bool = False
    white: float | None = None
    orientation: int | None = None
    icc: bytes | None = None
    alpha: str = ""  # "", "straight", "premultiplied"


@dataclass
class Samples:
    """values: (H, W, C) numbers of any kind, C of 1, 3 or 4; colours: grey, rgb, cmyk or lab."""

    values: np.ndarray
    colours: str
    alpha: np.ndarray | None = None
    premultiplied: bool = False
    inverted: bool = False
    words: list[str] = field(default_factory=list)


def pages(path: Path) -> list[Page]:
    """The pages of a file, in order. Raises whatever tifffile does if it cannot tell them."""
    import tifffile

    with tifffile.TiffFile(path) as file:
        number = 1
        with contextlib.suppress(Exception):  # a chain of pages that is broken
            number = len(file.pages)
        found = [_describe(file.pages[0])]
        found[0].raw |= _holds_raw(file.pages[0])
        for index in range(1, number):
            page = Page((0, 0), whole=False)  # not looked at, or not to be understood
            with contextlib.suppress(Exception):
                page = _describe(file.pages[index]) if index < MAX_PAGES else page
            found.append(page)
    return found


def _describe(page: TiffPage) -> Page:
    bits = page.bitspersample
    bits = max(bits) if isinstance(bits, tuple) else int(bits)
    size = int(page.imagewidth), int(page.imagelength)
    found = Page(size, bits, photometric=int(page.photometric), samples=int(page.samplesperpixel))
    kind = int(page.sampleformat or 1)
    found.floats_or_signed = kind != 1
    found.whole = not int(page.subfiletype) & 5
    found.raw = _is_raw(page)
    found.white = _stated_white(page, kind, bits)
    orientation = _value(page, 274)
    found.orientation = int(orientation) if orientation in range(1, 9) else None
    icc = _value(page, 34675)
    found.icc = bytes(icc) if isinstance(icc, (bytes, bytearray)) else None
    extra = tuple(map(int, page.extrasamples or ()))
    base = 3 if found.photometric == RGB else 1
    if found.photometric in (GREY_INVERTED, GREY, RGB) and found.samples == base + 1:
        found.alpha = {1: "premultiplied", 2: "straight"}.get(extra[0] if extra else 2, "")
    return found


def _value(page: TiffPage, tag: int) -> Any:
    """A tag's value, or None if it is not there or cannot be read."""
    try:
        return page.tags[tag].value if tag in page.tags else None
    except Exception:
        return None


def _stated_white(page: TiffPage, kind: int, bits: int) -> float | None:
    """The largest value that the page states: SMaxSampleValue, MaxSampleValue, odd bits."""
    if kind == 1 and bits in (10, 12, 14):
        return 2.0**bits - 1
    for tag in (341, 281) if kind != 2 else ():
        stated = _value(page, tag)
        stated = max(stated) if isinstance(stated, tuple) and stated else stated
        if isinstance(stated, (int, float)) and 0 < stated < 2.0**bits:
            # Many writers state the largest value that there is: near white it says nothing.
            if kind == 3 and stated < 1.5:
                return 1.0
            return 65535.0 if bits == 16 and stated > 32767 else float(stated)
    return None


def _holds_raw(page: TiffPage) -> bool:
    """Whether a file's first page is the preview of a raw picture."""
    try:
        return DNG_VERSION in page.tags or any(
            _is_raw(cast("TiffPage", inner)) for inner in page.pages or ()
        )
    except Exception:
        return False


def _is_raw(page: TiffPage) -> bool:
    return (
        int(getattr(page, "photometric", 0) or 0) in CAMERA_RAW
        or int(getattr(page, "compression", 0) or 0) in CAMERA_RAW_PACKING
    )


def read(path: Path, index: int, description: Page) -> Samples:
    """Decode one page. Raises an exception of any kind if it is damaged or cannot be decoded."""
    import tifffile

    with tifffile.TiffFile(path) as file:
        page = file.pages[index]
        _check_segments(page, file.filehandle)
        if description.bits in (10, 12, 14):
            values = _unpack(page, file.filehandle, description)
        else:
            values = page.asarray(maxworkers=1)
            values = _channels_last(values, page.axes)
    return interpret(values, description)


def _check_segments(page: TiffPage, file: FileHandle) -> None:
    """Refuse strips and tiles that are not wholly there, or that unpack to more than they hold."""
    known = (1, *DEFLATE) if importlib.util.find_spec("imagecodecs") is None else ()
    if known and int(page.compression) not in known:
        raise ValueError("to be unpacked by imagecodecs")
    if np.prod(page.chunks, dtype=float) > 4 * np.prod(page.shape, dtype=float) + 2**22:
        raise ValueError("tiles far larger than the picture")
    for offset, count in zip(page.dataoffsets, page.databytecounts, strict=True):
        if count <= 0 or offset + count > file.size:
            raise ValueError("a part of the pixels is missing")
    if int(page.compression) not in DEFLATE:
        return
    most = 2 * int(np.prod(page.chunks)) * max(1, page.bitspersample // 8) + 2**16
    for offset, count in zip(page.dataoffsets, page.databytecounts, strict=True):
        file.seek(offset)
        unpacker, rest, total = zlib.decompressobj(), file.read(count), 0
        while rest and not unpacker.eof:
            total += len(unpacker.decompress(rest, 2**20))
            rest = unpacker.unconsumed_tail
            if total > most:
                raise ValueError("the pixels unpack to too much")


def _channels_last(values: np.ndarray, axes: str) -> np.ndarray:
    """An array of tifffile's as (H, W, C)."""
    if axes.startswith("S"):
        values = np.moveaxis(values, 0, -1)
        axes = axes[1:] + "S"
    if axes.startswith("Z") and "Y" in axes:  # a volume: its first slice
        values, axes = values[0], axes[1:]
    if values.ndim == 2:
        values = values[..., None]
    if values.ndim != 3:
        raise ValueError(f"axes {axes}")
    return values


def _unpack(page: TiffPage, file: FileHandle, description: Page) -> np.ndarray:
    """Samples of 10, 12 or 14 bits, packed, in strips without compression or deflated."""
    width, height = description.size
    rows = min(int(page.rowsperstrip or height), height)
    compression = int(page.compression)
    if page.is_tiled or compression not in (1, *DEFLATE) or int(page.planarconfig) != 1:
        raise ValueError("packed in a way that is not known")
    length = (width * description.samples * description.bits + 7) // 8  # bytes of a row
    strips = []
    for index, (offset, count) in enumerate(
        zip(page.dataoffsets, page.databytecounts, strict=True)
    ):
        file.seek(offset)
        data = file.read(count)
        data = zlib.decompress(data) if compression in DEFLATE else data
        here = min(rows, height - index * rows)
        strip = np.frombuffer(data, np.uint8, here * length).reshape(here, length)
        bits = np.unpackbits(strip, axis=1)[:, : width * description.samples * description.bits]
        bits = bits.reshape(here, width, description.samples, description.bits)
        weights = (1 << np.arange(description.bits)[::-1]).astype(np.uint16)
        strips.append((bits * weights).sum(axis=-1, dtype=np.uint16))
    return np.concatenate(strips)


def interpret(values: np.ndarray, page: Page) -> Samples:
    """Which channel is what."""
    if values.dtype.kind not in "buif":
        raise ValueError("numbers of another kind")
    number = values.shape[2]
    if page.photometric == CMYK and number >= 4:
        return Samples(values[..., :4], "cmyk")
    if page.photometric == LAB and number >= 3:
        return Samples(values[..., :3], "lab")
    if page.photometric not in (GREY_INVERTED, GREY, RGB):
        raise ValueError("colours of another kind")
    result = Samples(values[..., :1], "grey", inverted=page.photometric == GREY_INVERTED)
    if number >= 3:
        result.values, result.colours = values[..., :3], "rgb"
        if page.photometric != RGB or number > 4:
            which = f"the first three of {number}" if number > 3 else "its three"
            result.words.append(f"{which} channels are taken as red, green and blue")
    if page.alpha and number in (2, 4):
        result.alpha, result.premultiplied = values[..., -1], page.alpha == "premultiplied"
    return result


def read_deep(picture: ImageFile.ImageFile, path: Path, index: int) -> np.ndarray | None:
    """16 bits of an RGB or RGBA page that only Pillow can decompress, (H, W, C); None if it cannot.

    It keeps one byte of a sample; it is asked for the upper and then for the lower one.
    """
    arguments = picture.tile[0][3] if len(picture.tile) == 1 else None
    if not isinstance(arguments, tuple):
        return None
    layout = arguments[0]
    if layout not in ("RGB;16N", "RGBA;16N"):
        return None
    name, upper = layout[:-4], "L" if sys.byteorder == "little" else "B"
    halves = []
    for order in (upper, "B" if upper == "L" else "L"):
        with Image.open(path, formats=["TIFF"]) as again:
            again.seek(index)
            again.tile = [with_layout(again.tile[0], (f"{name};16{order}", *arguments[1:]))]
            again.load()
            halves.append(np.asarray(again).astype(np.uint16))
    return halves[0] << 8 | halves[1]


def lab_to_bytes(values: np.ndarray) -> np.ndarray:
    """CIELAB samples of a TIFF file, a and b signed, as Pillow has them: uint8, offset by 128."""
    bits = 8 * values.dtype.itemsize
    levels = values.astype(f"u{values.dtype.itemsize}") >> (bits - 8)
    return np.ascontiguousarray(levels.astype(np.uint8) ^ np.array([0, 128, 128], np.uint8))
