"""PNG, chunk by chunk: what it says about its numbers, and a file without what is not pixels.

Chunks that are not about pixels can be damaged or huge and are kept away from the decoder, so
that they neither refuse a picture nor fill the memory.
"""

from __future__ import annotations

import bisect
import io
import itertools
import struct
import zlib
from dataclasses import dataclass, field
from typing import BinaryIO, cast

import numpy as np
from PIL import Image, ImageFile

from ConSinGAN.pictures import exif

SIGNATURE = b"\x89PNG\r\n\x1a\n"
MAX_METADATA = 16 * 2**20  # bytes of one chunk, packed or unpacked

_SMALL_PIXEL_CHUNKS = (b"tRNS", b"acTL", b"fcTL")  # dropped, as browsers do, if damaged
_TEXT = (b"tEXt", b"zTXt", b"iTXt")
_METADATA = (b"iCCP", b"sRGB", b"gAMA", b"cHRM", b"cICP", b"sBIT", b"eXIf", *_TEXT)


@dataclass
class Png:
    """A PNG file's own statements.

    bits: of a sample. chunks: metadata by name, whole and sound ones only. broken: names of the
    damaged ones. segments: (start, end) of the parts of the file that are about pixels.
    """

    bits: int = 8
    colour_type: int = 2
    chunks: dict[bytes, bytes] = field(default_factory=dict)
    broken: set[bytes] = field(default_factory=set)
    segments: list[tuple[int, int]] = field(default_factory=list)
    exif: exif.Exif = field(default_factory=exif.Exif)
    animated: bool = False

    @property
    def icc(self) -> bytes | None:
        """The unpacked ICC profile; b"" if it is broken, None if there is none."""
        if b"iCCP" not in self.chunks:
            return b"" if b"iCCP" in self.broken else None
        _, _, packed = self.chunks[b"iCCP"].partition(b"\0")
        return _inflate(packed[1:])

    @property
    def transparent(self) -> tuple[int, ...] | None:
        """The samples of the transparent colour of a grey or RGB picture."""
        data = self.chunks.get(b"tRNS", b"")
        number = {0: 1, 2: 3}.get(self.colour_type)
        if number is None or len(data) < 2 * number:
            return None
        return struct.unpack(f">{number}H", data[: 2 * number])

    @property
    def significant_bits(self) -> int | None:
        """The largest of the numbers of significant bits of the colours, if stated and sound."""
        data = self.chunks.get(b"sBIT", b"")[: 3 if self.colour_type & 2 else 1]
        return max(data) if data and 1 <= max(data) <= self.bits else None


def scan(file: BinaryIO) -> Png:
    """Read the chunks of a PNG file without its pixels. Never raises for what is damaged."""
    png = Png()
    end = file.seek(0, io.SEEK_END)
    kept, position = [(0, len(SIGNATURE))], len(SIGNATURE)
    text: dict[bytes, bytes] = {}
    while position + 8 <= end:
        file.seek(position)
        length, kind = struct.unpack(">I4s", file.read(8))
        after = position + 12 + length
        ancillary = kind[0] & 0x20 and kind.isalpha() and after <= end
        if not ancillary:
            if kind == b"IHDR" and length == 13:
                png.bits, png.colour_type = struct.unpack(">8xBB3x", file.read(13))
            if not kind.isalpha() or after > end or kind == b"IEND":
                kept.append((position, end))  # the decoder will say what is wrong with it
                break
            kept.append((position, after))
        elif kind == b"fdAT" or _take(file, png, kind, length, text):
            kept.append((position, after))
        position = after
    png.segments = _merged(kept)
    png.exif = _exif(png, text)
    return png


def _take(file: BinaryIO, png: Png, kind: bytes, length: int, text: dict[bytes, bytes]) -> bool:
    """Read an ancillary chunk that matters; whether the decoder needs it."""
    if kind not in _METADATA and kind not in _SMALL_PIXEL_CHUNKS:
        return False
    if length > MAX_METADATA:
        png.broken.add(kind)
        return False
    data = file.read(length)
    sound = zlib.crc32(kind + data) == int.from_bytes(file.read(4), "big")
    if kind in _TEXT:
        keyword, _, rest = data.partition(b"\0")
        if keyword in (b"XML:com.adobe.xmp", b"Raw profile type exif", b"Raw profile type APP1"):
            text.setdefault(keyword, _inflate(rest[1:]) if kind == b"zTXt" else rest)
        return False
    if not sound:
        png.broken.add(kind)
        return False
    png.animated |= kind == b"acTL"
    png.chunks.setdefault(kind, data)
    return kind in _SMALL_PIXEL_CHUNKS


def _exif(png: Png, text: dict[bytes, bytes]) -> exif.Exif:
    block = png.chunks.get(b"eXIf")
    if block is None:
        raw = text.get(b"Raw profile type exif") or text.get(b"Raw profile type APP1") or b""
        block = exif.from_raw_profile(raw)
    found = exif.parse(block)
    if found.orientation is None:
        turned = exif.xmp_orientation(text.get(b"XML:com.adobe.xmp"))
        found = exif.Exif(turned, found.adobe_rgb)
    return found


def _inflate(packed: bytes) -> bytes:
    """Unpack at most MAX_METADATA bytes; b"" if there are more or they are damaged."""
    unpacker = zlib.decompressobj()
    try:
        data = unpacker.decompress(packed, MAX_METADATA)
    except zlib.error:
        return b""
    return data if unpacker.eof else b""


def _merged(segments: list[tuple[int, int]]) -> list[tuple[int, int]]:
    merged: list[tuple[int, int]] = []
    for start, end in segments:
        if merged and merged[-1][1] == start:
            merged[-1] = (merged[-1][0], end)
        else:
            merged.append((start, end))
    return merged


class Excerpt(io.RawIOBase):
    """Some parts of a file, read as if they were the whole."""

    def __init__(self, file: BinaryIO, segments: list[tuple[int, int]]) -> None:
        self._file, self._segments, self._position = file, segments, 0
        lengths = (end - start for start, end in segments)
        self._starts = list(itertools.accumulate(lengths, initial=0))  # where each part begins
        self._length = self._starts[-1]

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._position

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._position, io.SEEK_END: self._length}[whence]
        self._position = max(0, base + offset)
        return self._position

    def read(self, size: int = -1) -> bytes:
        left = self._length - self._position
        left = max(0, left if size is None or size < 0 else min(size, left))
        parts: list[bytes] = []
        index = bisect.bisect_right(self._starts, self._position) - 1
        while left:
            start, end = self._segments[index]
            skip = self._position - self._starts[index]
            self._file.seek(start + skip)
            part = self._file.read(min(left, end - start - skip))
            if not part:  # the file has become shorter
                break
            parts.append(part)
            self._position += len(part)
            left, index = left - len(part), index + 1
        return b"".join(parts)


def read_deep(file: BinaryIO, png: Png) -> np.ndarray:
    """All 16 bits of a still picture: uint16 (H, W, C), C of 1 to 4, without the tRNS colour.

    Pillow keeps one byte of a sample; it is asked for the upper and then for the lower one.
    """
    if png.colour_type == 0:
        return np.asarray(_decode(file, png, None), dtype=np.uint16)[..., None]
    if png.colour_type == 4:  # as four bytes of a pixel of 8 bits a sample
        return np.asarray(_decode(file, png, "RGBA")).view(">u2").astype(np.uint16)
    name = "RGBA" if png.colour_type == 6 else "RGB"
    deep = np.asarray(_decode(file, png, f"{name};16B")).astype(np.uint16)
    deep <<= 8
    deep |= np.asarray(_decode(file, png, f"{name};16L"))
    return deep


def _decode(file: BinaryIO, png: Png, layout: str | None) -> Image.Image:
    """Decode, taking the bytes of a pixel in another order than Pillow would."""
    with open_parts(file, png.segments) as picture:
        if layout is not None:
            picture.tile = [with_layout(picture.tile[0], layout)]
        picture.load()
        picture.info.pop("transparency", None)
        return picture.copy()


def open_parts(file: BinaryIO, segments: list[tuple[int, int]]) -> ImageFile.ImageFile:
    """The PNG that some parts of a file make."""
    return Image.open(cast(BinaryIO, Excerpt(file, segments)), formats=["PNG"])


def with_layout(tile: tuple, layout: str | tuple) -> tuple:
    """One of Pillow's tiles, with other arguments for the decoder."""
    return tile._replace(args=layout) if hasattr(tile, "_replace") else (*tile[:3], layout)
