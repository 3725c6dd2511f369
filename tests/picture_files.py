"""Picture files as people have them, made by hand: PNG chunk by chunk, and colour profiles."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

SIGNATURE = b"\x89PNG\r\n\x1a\n"
P3 = ((0.680, 0.320), (0.265, 0.690), (0.150, 0.060))
ADOBE = ((0.64, 0.33), (0.21, 0.71), (0.15, 0.06))
SRGB = ((0.64, 0.33), (0.30, 0.60), (0.15, 0.06))
D65 = (0.3127, 0.3290)


def levels_of(tensor: Tensor) -> np.ndarray:
    """(1, 3, H, W) in [-1, 1] as exact, unrounded byte levels (H, W, 3)."""
    assert tensor.dtype == torch.float32
    assert tensor.shape[:2] == (1, 3)
    assert tensor.abs().max() <= 1
    return ((tensor[0].double() + 1) * 127.5).movedim(0, -1).numpy()


def assert_levels(tensor: Tensor, expected: np.ndarray, tolerance: float = 0.01) -> None:
    """A picture (1, 3, H, W) has the byte levels (H, W, 3), or (H, W) if it is grey."""
    if expected.ndim == 2:
        expected = np.repeat(expected[..., None], 3, axis=2)
    np.testing.assert_allclose(levels_of(tensor), expected, atol=tolerance)


def chunk(kind: bytes, data: bytes, sound: bool = True) -> bytes:
    """A chunk of a PNG file, its checksum right or wrong."""
    check = zlib.crc32(kind + data) ^ (not sound)
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", check)


def write_png(path: Path, levels: np.ndarray, *chunks: bytes) -> Path:
    """A PNG file of uint8 or uint16 levels (H, W, C), with more chunks before the pixels."""
    levels = levels[..., None] if levels.ndim == 2 else levels
    height, width, channels = levels.shape
    colour_type = {1: 0, 2: 4, 3: 2, 4: 6}[channels]
    bits = 8 * levels.dtype.itemsize
    header = struct.pack(">IIBBBBB", width, height, bits, colour_type, 0, 0, 0)
    rows = b"".join(b"\0" + row.astype(levels.dtype.newbyteorder(">")).tobytes() for row in levels)
    pixels = chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")
    path.write_bytes(SIGNATURE + chunk(b"IHDR", header) + b"".join(chunks) + pixels)
    return path


def iccp(profile: bytes) -> bytes:
    """The chunk of a colour profile."""
    return chunk(b"iCCP", b"profile\0\0" + zlib.compress(profile))


def gama(gamma: float) -> bytes:
    """The chunk of a gamma as files state it, 0.45455 for 1/2.2."""
    return chunk(b"gAMA", struct.pack(">I", round(gamma * 1e5)))


def chrm(primaries: Iterable[tuple[float, float]], white: tuple[float, float] = D65) -> bytes:
    """The chunk of chromaticities."""
    numbers = [round(v * 1e5) for point in (white, *primaries) for v in point]
    return chunk(b"cHRM", struct.pack(">8I", *numbers))


def exif_block(orientation: int, order: str = "<") -> bytes:
    """A minimal block of EXIF that states the orientation."""
    head = b"II*\0" if order == "<" else b"MM\0*"
    return (
        head
        + struct.pack(order + "IH", 8, 1)
        + struct.pack(order + "HHIHHI", 0x0112, 3, 1, orientation, 0, 0)
    )


# Colour profiles ------------------------------------------------------------------------------


def _fixed(*values: float) -> bytes:
    return struct.pack(f">{len(values)}i", *(round(v * 65536) for v in values))


def colorants(primaries: Iterable[tuple[float, float]]) -> np.ndarray:
    """XYZ relative to D50 of primaries around D65: (3, 3), a column each."""
    bradford = np.array(
        [[0.8951, 0.2664, -0.1614], [-0.7502, 1.7135, 0.0367], [0.0389, -0.0685, 1.0296]]
    )
    xyz = np.array([[x / y, 1, (1 - x - y) / y] for x, y in primaries]).T
    white = np.array([D65[0] / D65[1], 1, (1 - sum(D65)) / D65[1]])
    d50 = np.array([0.9642, 1, 0.8249])
    scale = np.diag((bradford @ d50) / (bradford @ white))
    return np.linalg.inv(bradford) @ scale @ bradford @ (xyz * np.linalg.solve(xyz, white))


def curve_tag(gamma: float | None) -> bytes:
    """A tone curve: an exponent, or (None) sRGB's as a parametric curve."""
    if gamma is None:
        numbers = _fixed(2.4, 1 / 1.055, 0.055 / 1.055, 1 / 12.92, 0.04045)
        return b"para\0\0\0\0" + struct.pack(">HH", 3, 0) + numbers
    if gamma == 1:
        return b"curv\0\0\0\0" + struct.pack(">I", 0)
    return b"curv\0\0\0\0" + struct.pack(">IH", 1, round(gamma * 256)) + b"\0\0"


def icc_profile(
    primaries: Iterable[tuple[float, float]] | None, gamma: float | None = None
) -> bytes:
    """An ICC profile of a matrix and curves; primaries None: a grey one."""
    curve, tags = curve_tag(gamma), {}
    if primaries is None:
        tags[b"kTRC"] = curve
    else:
        for letter, column in zip(b"rgb", colorants(primaries).T, strict=True):
            tags[bytes([letter]) + b"XYZ"] = b"XYZ \0\0\0\0" + _fixed(*column)
            tags[bytes([letter]) + b"TRC"] = curve
    return _profile(b"GRAY" if primaries is None else b"RGB ", b"XYZ ", b"mntr", tags)


def cmyk_profile() -> bytes:
    """An ICC profile of a table: how light paper is under inks that are not quite what they say."""
    corners = np.array(
        [[c, m, y, k] for c in (0, 1) for m in (0, 1) for y in (0, 1) for k in (0, 1)]
    )
    c, m, y, k = corners.T
    light = (255 * (1 - 0.6 * c) * (1 - 0.5 * m) * (1 - 0.1 * y) * (1 - 0.9 * k)).round()
    a, b = 128 + 60 * (m - c) * (1 - k), 128 + 70 * (y - 0.6 * c) * (1 - k)
    table = np.stack([light, a, b], axis=1).astype(np.uint8).tobytes()
    ramp = bytes(range(256))
    lut = b"mft1\0\0\0\0" + bytes([4, 3, 2, 0]) + _fixed(1, 0, 0, 0, 1, 0, 0, 0, 1)
    return _profile(b"CMYK", b"Lab ", b"prtr", {b"A2B0": lut + ramp * 4 + table + ramp * 3})


def _profile(space: bytes, connection: bytes, device: bytes, tags: dict[bytes, bytes]) -> bytes:
    name = b"desc\0\0\0\0" + struct.pack(">I", 5) + b"test\0" + b"\0" * 78
    tags = {b"desc": name, b"cprt": b"text\0\0\0\0none\0"} | tags
    tags[b"wtpt"] = b"XYZ \0\0\0\0" + _fixed(0.9642, 1, 0.8249)
    table, body, start = b"", b"", 128 + 4 + 12 * len(tags)
    for key, value in tags.items():
        value += b"\0" * (-len(value) % 4)
        table += key + struct.pack(">II", start + len(body), len(value))
        body += value
    rest = (
        b"\0\0\0\0" + struct.pack(">I", 0x02400000) + device + space + connection
        + struct.pack(">6H", 2020, 1, 1, 0, 0, 0) + b"acsp" + b"\0" * 28
        + _fixed(0.9642, 1, 0.8249)
    )  # fmt: skip
    rest += b"\0" * (124 - len(rest)) + struct.pack(">I", len(tags)) + table + body
    return struct.pack(">I", len(rest) + 4) + rest
