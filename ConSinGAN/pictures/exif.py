"""The little of EXIF that matters for pixels, read so that no damage to the rest is a hindrance."""

from __future__ import annotations

import binascii
import re
import struct
from dataclasses import dataclass

import numpy as np

ORIENTATION, EXIF_IFD, COLOR_SPACE, INTEROP_IFD, INTEROP_INDEX = 0x0112, 0x8769, 0xA001, 0xA005, 1
MAX_ENTRIES = 1000  # of one directory

_XMP_ORIENTATION = re.compile(rb"tiff:Orientation(?:=[\"']|>)\s*([1-8])")


@dataclass(frozen=True)
class Exif:
    """orientation: 1 to 8, or None if not stated. adobe_rgb: the camera says it is Adobe RGB."""

    orientation: int | None = None
    adobe_rgb: bool = False


def parse(block: bytes | None) -> Exif:
    """What a block of EXIF, with or without its 'Exif' prefix, says as far as it can be read."""
    if not block:
        return Exif()
    block = bytes(block).removeprefix(b"Exif\0\0")
    order = {b"II": "<", b"MM": ">"}.get(block[:2])
    if order is None or len(block) < 8:
        return Exif()
    main = _directory(block, order, struct.unpack_from(order + "I", block, 4)[0])
    orientation = _short(main.get(ORIENTATION), order)
    details = _directory(block, order, _long(main.get(EXIF_IFD), order))
    interop = _directory(block, order, _long(details.get(INTEROP_IFD), order))
    index = interop.get(INTEROP_INDEX, (0, b""))[1][:3]
    colours = _short(details.get(COLOR_SPACE), order)
    return Exif(
        orientation if orientation in range(1, 9) else None,
        colours == 2 or (colours == 0xFFFF and index == b"R03"),
    )


def _directory(block: bytes, order: str, offset: int) -> dict[int, tuple[int, bytes]]:
    """Tags of one directory, as far as the block goes: {tag: (type, the entry's value field)}."""
    if not 8 <= offset <= len(block) - 2:
        return {}
    (number,) = struct.unpack_from(order + "H", block, offset)
    entries: dict[int, tuple[int, bytes]] = {}
    for start in range(offset + 2, offset + 2 + 12 * min(number, MAX_ENTRIES), 12):
        if start + 12 > len(block):
            break
        tag, kind = struct.unpack_from(order + "HH", block, start)
        entries.setdefault(tag, (kind, block[start + 8 : start + 12]))
    return entries


def _short(entry: tuple[int, bytes] | None, order: str) -> int:
    if entry is None:
        return 0
    return struct.unpack(order + ("I" if entry[0] in (4, 9) else "H2x"), entry[1])[0]


def _long(entry: tuple[int, bytes] | None, order: str) -> int:
    return 0 if entry is None else struct.unpack(order + "I", entry[1])[0]


def xmp_orientation(xmp: bytes | str | None) -> int | None:
    """The orientation that a packet of XMP states, 1 to 8, or None."""
    if isinstance(xmp, str):
        xmp = xmp.encode(errors="replace")
    found = _XMP_ORIENTATION.search(xmp or b"")
    return int(found[1]) if found else None


def from_raw_profile(text: bytes) -> bytes:
    """The bytes of a 'Raw profile type' text: a name, a length, lines of hexadecimal digits."""
    try:
        return binascii.unhexlify(b"".join(text.split()[2:]))
    except (binascii.Error, ValueError):
        return b""


def upright(pixels: np.ndarray, orientation: int | None) -> np.ndarray:
    """(H, W, C) pixels turned and mirrored as EXIF's orientation says."""
    if orientation in (5, 6, 7, 8):
        pixels = pixels.swapaxes(0, 1)
    if orientation in (3, 4, 7, 8):
        pixels = pixels[::-1]
    if orientation in (2, 3, 6, 7):
        pixels = pixels[:, ::-1]
    return pixels
