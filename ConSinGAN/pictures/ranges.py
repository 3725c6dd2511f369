"""Which number is white? Samples of more than 8 bits become light in 0..1.

What the file states decides. Where it states nothing the values are looked at as a person would:
the bulk of them, not a single stray one.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

STEPS = (255, 1023, 4095, 16383, 65535)  # white in 8, 10, 12, 14 and 16 bits
OVERSHOOT = 1.1  # floats that were resized go this far beyond white
LEAST = 8  # white is believed if the brightest values come to this fraction of it
LOOKED_AT = 2**20  # values
BULK = 0.001  # share of the values at either end that may be strays
FEW = 2e-5  # the same where the highest value alone tells the number of bits


@dataclass(frozen=True)
class Range:
    """black and white: the values that are shown so. words: why, if it had to be assumed."""

    black: float
    white: float
    words: str = ""


def find(samples: np.ndarray, white: float | None = None) -> Range:
    """The range of samples of any kind of number. white: as the file states it, if it does."""
    kind = samples.dtype.kind
    if kind == "b":
        return Range(0, 1)
    if samples.dtype == np.uint8:
        return Range(0, 255)
    low, high = bulk(samples, BULK if kind == "f" else FEW)
    if (
        white is not None
        and low >= -0.1 * white
        and high <= white * (OVERSHOOT if kind == "f" else 1)
    ):
        return Range(0, white)  # else the statement is wrong
    if kind == "f":
        return _of_floats(low, high)
    if kind == "u" and samples.dtype.itemsize == 2:
        return _of_words(high)
    return _of_integers(low, high, np.iinfo(samples.dtype))


def bulk(samples: np.ndarray, strays: float = BULK) -> tuple[float, float]:
    """The lowest and the highest value, infinite, undefined and a few stray ones left aside.

    strays: the share of values that may be, at either end; of few values one.
    """
    values = samples.reshape(-1)
    values = values[:: max(1, values.size // LOOKED_AT)]
    if values.dtype.kind == "f":
        values = values[np.isfinite(values)]
    if not values.size:
        return 0.0, 1.0
    low = np.quantile(values, strays, method="higher")
    high = np.quantile(values, 1 - strays, method="lower")
    if low == high:  # a plain ground: what is on it counts
        low, high = values.min(), values.max()
    return float(low), float(high)


def to_unit(samples: np.ndarray, span: Range) -> np.ndarray:
    """Samples as float32 in 0..1; what is undefined is black, what is infinite is cut."""
    small = samples.dtype.itemsize <= (4 if samples.dtype.kind == "f" else 2)
    out = samples.astype(np.float32 if small else np.float64)
    if samples.dtype.kind == "f":
        np.nan_to_num(out, copy=False, nan=span.black, posinf=span.white, neginf=span.black)
    if span.black:
        out -= span.black
    out /= max(span.white - span.black, 1e-30)
    return out.clip(0, 1, out=out).astype(np.float32, copy=False)


def of_alpha(alpha: np.ndarray, colours: Range) -> Range:
    """The range of an alpha channel beside colours of a known one."""
    if alpha.dtype.kind in "iu" and colours.black == 0 and alpha.max(initial=0) <= colours.white:
        return Range(0, colours.white)
    if alpha.dtype.kind in "iu":
        return Range(0, float(np.iinfo(alpha.dtype).max))
    return find(alpha)


def _of_floats(low: float, high: float) -> Range:
    if low >= -0.2 and high <= OVERSHOOT * 1.15:
        cut = "; what is beyond is cut" if low < 0 or high > 1 else ""
        return Range(0, 1, f"black is assumed at 0 and white at 1{cut}")
    if low >= -OVERSHOOT and high <= OVERSHOOT:
        return _assumed(-1, 1)
    if high > 0 and low >= -0.1 * high:
        for white in STEPS:
            if white / LEAST < high <= white * OVERSHOOT:
                return _assumed(0, white)
    return _assumed(low, high)


def _of_words(high: float) -> Range:
    """Unsigned 16-bit numbers of which the file says no more: 8, 10, 12 and 14 bits are usual."""
    for white in STEPS[:4]:
        if high <= white:
            return _assumed(0, white)
    return Range(0, 65535)


def _of_integers(low: float, high: float, kind: np.iinfo) -> Range:
    if low >= -0.05 * high:
        for white in (*STEPS, 2**24 - 1, kind.max):
            if white <= kind.max and (high <= 255 or white / LEAST < high <= white):
                return _assumed(0, white)
        return _assumed(max(0.0, low), high)
    for white in (127, 32767, 2**31 - 1):
        if white / LEAST < max(high, -low - 1) <= white:
            return _assumed(-white - 1, white)
    return _assumed(low, high)


def _assumed(black: float, white: float) -> Range:
    return Range(black, white, f"black is assumed at {black:.6g} and white at {white:.6g}")


def of_significant_bits(samples: np.ndarray, bits: int | None) -> float:
    """White of 16-bit samples of a PNG file that states so many significant bits (sBIT).

    Samples should be scaled to 16 bits all the same (PNG, 11.3.2.7). Many writers leave them as
    they are; that is taken to be so if none is larger, unless they look scaled.
    """
    if bits is None or bits >= 16 or int(samples.max(initial=0)) >= 2**bits:
        return 65535
    low = samples & (2 ** (16 - bits) - 1)
    if not low.any() or (low == samples >> bits).all():  # shifted, or the bits repeated
        return 65535
    step = 65535 / (2**bits - 1)
    if (np.abs(np.rint(samples / step) * step - samples) <= 0.5).all():  # multiplied
        return 65535
    return 2**bits - 1
