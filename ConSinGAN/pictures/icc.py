"""Colour spaces made of a curve per channel and a matrix, computed in floating point.

Most RGB and grey profiles are of this kind (ICC.1:2022, annex F.3), as are PNG's gAMA, cHRM and
cICP chunks. It keeps what the 8 bits of a colour management library would lose.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

import numpy as np

STEPS = 65536  # of tables
ROWS = 2**20  # pixels computed at a time

D50 = np.array([0.9642, 1.0, 0.8249])
BRADFORD = np.array(
    [[0.8951, 0.2664, -0.1614], [-0.7502, 1.7135, 0.0367], [0.0389, -0.0685, 1.0296]]
)

D65 = (0.3127, 0.3290)
SRGB_PRIMARIES = ((0.64, 0.33), (0.30, 0.60), (0.15, 0.06))
ADOBE_PRIMARIES = ((0.64, 0.33), (0.21, 0.71), (0.15, 0.06))
CICP_PRIMARIES = {  # ITU-T H.273, table 2: primaries, white point
    1: (SRGB_PRIMARIES, D65),
    5: (((0.64, 0.33), (0.29, 0.60), (0.15, 0.06)), D65),
    6: (((0.63, 0.34), (0.31, 0.595), (0.155, 0.07)), D65),
    9: (((0.708, 0.292), (0.170, 0.797), (0.131, 0.046)), D65),
    11: (((0.680, 0.320), (0.265, 0.690), (0.150, 0.060)), (0.314, 0.351)),
    12: (((0.680, 0.320), (0.265, 0.690), (0.150, 0.060)), D65),
}  # fmt: skip
LIKE_SRGB = (13, 1, 6, 14, 15)  # transfer functions: sRGB, and video's, shown like it


@dataclass(frozen=True)
class Shaper:
    """Numbers of a file to sRGB. curves: (C, STEPS) linear light of every level in 0..1.

    matrix: linear light of the file's primaries to that of sRGB's, (3, 3); None for grey (C = 1).
    """

    curves: np.ndarray
    matrix: np.ndarray | None

    def to_srgb(self, values: np.ndarray) -> np.ndarray:
        """Convert (H, W, C) in 0..1 to float32 sRGB of the same shape, cut to 0..1."""
        out = np.empty(values.shape, np.float32)
        step = max(1, ROWS // values.shape[1])
        for top in range(0, len(values), step):
            levels = np.rint(values[top : top + step] * (STEPS - 1)).astype(np.uint16)
            linear = np.stack([c[levels[..., i]] for i, c in enumerate(self.curves)], axis=-1)
            if self.matrix is not None:
                linear = linear @ self.matrix.T.astype(np.float32)
            index = np.rint(linear.clip(0, 1) * (STEPS - 1)).astype(np.uint16)
            out[top : top + step] = _ENCODE[index]
        return out


def srgb_decode(x: np.ndarray) -> np.ndarray:
    """Linear light of sRGB values in 0..1 (IEC 61966-2-1)."""
    return np.where(x <= 0.04045, x / 12.92, ((x + 0.055) / 1.055) ** 2.4)


def srgb_encode(x: np.ndarray) -> np.ndarray:
    """sRGB values of linear light in 0..1 (IEC 61966-2-1)."""
    return np.where(x <= 0.0031308, x * 12.92, 1.055 * x ** (1 / 2.4) - 0.055)


_GRID = np.linspace(0, 1, STEPS)
_ENCODE = srgb_encode(_GRID).astype(np.float32)


def to_d50(primaries: tuple, white: tuple[float, float]) -> np.ndarray:
    """The matrix from linear RGB of these chromaticities (x, y) to XYZ relative to D50, (3, 3).

    The white point is adapted as ICC profiles have it (Bradford). Raises ValueError for
    chromaticities that span no colours.
    """
    if min(white[1], *(y for _, y in primaries)) <= 0:
        raise ValueError("chromaticities without light")
    columns = np.array([[x / y, 1, (1 - x - y) / y] for x, y in primaries]).T
    white_xyz = np.array([white[0] / white[1], 1, (1 - white[0] - white[1]) / white[1]])
    try:
        matrix = columns * np.linalg.solve(columns, white_xyz)
    except np.linalg.LinAlgError as error:
        raise ValueError("chromaticities on one line") from error
    gains = (BRADFORD @ D50) / (BRADFORD @ white_xyz)
    adapted = np.linalg.solve(BRADFORD, gains[:, None] * BRADFORD) @ matrix
    if not np.isfinite(adapted).all():
        raise ValueError("chromaticities that span no colours")
    return adapted


_TO_SRGB = np.linalg.inv(to_d50(SRGB_PRIMARIES, D65))


def make(exponent: float | None, primaries: tuple, white: tuple[float, float]) -> Shaper:
    """A space of one exponent (None: sRGB's curve) and chromaticities; ValueError as `to_d50`."""
    curve = srgb_decode(_GRID) if exponent is None else _GRID**exponent
    table = np.broadcast_to(curve.astype(np.float32), (3, STEPS))
    return Shaper(table, _TO_SRGB @ to_d50(primaries, white))


def from_cicp(primaries: int, transfer: int) -> Shaper | None:
    """The space of coding-independent code points (ITU-T H.273); None if it is another kind."""
    if primaries not in CICP_PRIMARIES:
        return None
    curves = {4: 2.2, 5: 2.8, 8: 1.0} | dict.fromkeys(LIKE_SRGB)
    if transfer not in curves:
        return None
    return make(curves[transfer], *CICP_PRIMARIES[primaries])


def parse(profile: bytes) -> Shaper | None:
    """An ICC profile of curves and a matrix; None for one with tables of colours, or broken."""
    try:
        tags = _tags(profile)
        if profile[20:24] != b"XYZ " or any(name.startswith(b"A2B") for name in tags):
            return None
        if profile[16:20] == b"GRAY":
            return Shaper(_curve(tags[b"kTRC"])[None], None)
        if profile[16:20] != b"RGB ":
            return None
        curves = np.stack([_curve(tags[name]) for name in (b"rTRC", b"gTRC", b"bTRC")])
        columns = [_xyz(tags[name]) for name in (b"rXYZ", b"gXYZ", b"bXYZ")]
        return Shaper(curves, _TO_SRGB @ np.array(columns).T)
    except (KeyError, ValueError, struct.error):
        return None


def _tags(profile: bytes) -> dict[bytes, bytes]:
    (number,) = struct.unpack_from(">I", profile, 128)
    tags = {}
    for index in range(min(number, 200)):
        name, offset, size = struct.unpack_from(">4sII", profile, 132 + 12 * index)
        tags[name] = profile[offset : offset + size]
    return tags


def _xyz(data: bytes) -> list[float]:
    return [value / 65536 for value in struct.unpack_from(">3i", data, 8)]


def _curve(data: bytes) -> np.ndarray:
    """A curve as a table of STEPS float32 values, cut to 0..1."""
    if data[:4] == b"curv":
        (number,) = struct.unpack_from(">I", data, 8)
        if number == 0:
            curve = _GRID
        elif number == 1:
            curve = _GRID ** (struct.unpack_from(">H", data, 12)[0] / 256)
        else:
            table = np.frombuffer(data, ">u2", number, 12) / 65535
            curve = np.interp(_GRID, np.linspace(0, 1, number), table)
    elif data[:4] == b"para":
        curve = _parametric(data)
    else:
        raise ValueError("no curve")
    curve = np.asarray(curve, np.float32).clip(0, 1)
    if not np.isfinite(curve).all():
        raise ValueError("no numbers")
    return curve


def _parametric(data: bytes) -> np.ndarray:
    """ICC.1:2022, 10.18: Y = (a X + b)^g + e from d on, c X + f below."""
    (kind,) = struct.unpack_from(">H", data, 8)
    number = {0: 1, 1: 3, 2: 4, 3: 5, 4: 7}.get(kind)
    if number is None:
        raise ValueError("no such kind of curve")
    g, *rest = (value / 65536 for value in struct.unpack_from(f">{number}i", data, 12))
    a, b, c, d, e, f = 1.0, 0.0, 0.0, 0.0, 0.0, 0.0
    if kind in (1, 2):
        a, b = rest[:2]
        e = f = rest[2] if kind == 2 else 0.0
        d = -b / a if a else 0.0
    elif kind == 3:
        a, b, c, d = rest
    elif kind == 4:
        a, b, c, d, e, f = rest
    with np.errstate(all="ignore"):
        return np.where(d <= _GRID, (a * _GRID + b).clip(0) ** g + e, c * _GRID + f)
