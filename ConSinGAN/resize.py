"""Two linear operators on pictures, both separable: antialiased resizing and bicubic upsampling.

Each axis is one matrix; a resize is two matrix products. The matrices are cached. Of the upsampling
operator any rows can be had alone, so that a part of a picture is what it is in the whole.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property, lru_cache

import numpy as np
import torch
from torch import Tensor

ROW_TILE, COLUMN_TILE = 16, 48  # outputs per block of a banded interpolation matrix
BAND = 256  # outputs at a time where a whole matrix of resizing would be large
LARGE = 2**22  # numbers of such a matrix


def scaled_size(size: tuple[int, int], scale: float) -> tuple[int, int]:
    """(H, W) scaled and rounded up, in double precision."""
    return math.ceil(size[0] * scale), math.ceil(size[1] * scale)


def _keys(x: np.ndarray, a: float) -> np.ndarray:
    """Keys' cubic convolution kernel with parameter a, support [-2, 2]."""
    x = np.abs(x)
    near = (a + 2) * x**3 - (a + 3) * x**2 + 1
    far = a * x**3 - 5 * a * x**2 + 8 * a * x - 4 * a
    return np.where(x <= 1, near, np.where(x <= 2, far, 0.0))


@lru_cache(maxsize=256)
def resize_matrix(num_in: int, num_out: int, scale: float) -> np.ndarray:
    """The (num_out, num_in) float64 matrix that resizes one axis by `scale`.

    MATLAB's cubic `imresize` (a = -0.5, centres aligned): the kernel is widened by 1/scale when
    shrinking, positions outside are mirrored on both sides, rows sum to 1.
    """
    taps, weights = _resize_taps(num_in, range(num_out), scale)
    matrix = np.zeros((num_out, num_in))
    np.add.at(matrix, (np.arange(num_out)[:, None], taps), weights)
    return matrix


def _resize_taps(num_in: int, outputs: range, scale: float) -> tuple[np.ndarray, np.ndarray]:
    """The inputs that some outputs of `resize_matrix` use, and their weights: (outputs, taps)."""
    taps, weights = _endless_taps(np.arange(outputs.start, outputs.stop), scale)
    return _mirrored(taps, num_in), weights


def _endless_taps(outputs: np.ndarray, scale: float) -> tuple[np.ndarray, np.ndarray]:
    """As `_resize_taps`, of an axis that has no ends."""
    shrink = min(scale, 1.0)
    width = 4 / shrink
    centre = (outputs + 0.5) / scale - 0.5  # 0-based coordinates
    first = np.floor(centre - width / 2).astype(int)
    taps = first[:, None] + np.arange(math.ceil(width) + 2)
    weights = shrink * _keys(shrink * (centre[:, None] - taps), a=-0.5)
    weights /= weights.sum(axis=1, keepdims=True)
    return taps, weights


def _mirrored(taps: np.ndarray, num_in: int) -> np.ndarray:
    """Numbers of inputs, those beyond either end of `num_in` being their mirror images."""
    mirrored = taps % (2 * num_in)
    return np.minimum(mirrored, 2 * num_in - 1 - mirrored)


@lru_cache(maxsize=256)
def _resize_band(num_in: int, outputs: range, scale: float) -> tuple[int, Tensor]:
    """Some rows of `resize_matrix` from the first column on that they use: its number, and they."""
    taps, weights = _resize_taps(num_in, outputs, scale)
    start = int(taps.min())
    matrix = np.zeros((len(outputs), int(taps.max()) + 1 - start))
    np.add.at(matrix, (np.arange(len(outputs))[:, None], taps - start), weights)
    return start, torch.from_numpy(matrix)


Part = tuple[int, int, int, int]  # top, left, height, width


@dataclass(frozen=True)
class Resizing:
    """`resize` from one size (h, w) to another, of which any part can be computed alone.

    scales: of rows and columns; None: those of the sizes.
    """

    source: tuple[int, int]
    target: tuple[int, int]
    scales: tuple[float, float] | None = None

    def needs(self, wanted: Part) -> Part:
        """The part of the source that a part of the target is computed from."""
        first, num = [], []
        for axis in (0, 1):
            outputs = range(wanted[axis], wanted[axis] + wanted[axis + 2])
            taps, _ = _resize_taps(self.source[axis], outputs, self._scales[axis])
            first.append(int(taps.min()))
            num.append(int(taps.max()) + 1 - first[-1])
        return first[0], first[1], num[0], num[1]

    def part(self, image: Tensor, there: Part, wanted: Part, clamp: bool = True) -> Tensor:
        """A part of the target, from a part of the source (N, C, *there[2:]) that has its `needs`.

        Some rows at a time, so that nothing else is large.
        """
        top, left, height, width = wanted
        result = torch.empty((*image.shape[:-2], height, width), dtype=torch.float32)
        for y in range(top, top + height, BAND):
            rows = range(y, min(y + BAND, top + height))
            start, matrix = _resize_band(self.source[0], rows, self._scales[0])
            start -= there[0]
            band = matrix @ image[..., start : start + matrix.shape[1], :].cpu().double()
            for x in range(left, left + width, BAND):
                columns = range(x, min(x + BAND, left + width))
                start, matrix = _resize_band(self.source[1], columns, self._scales[1])
                start -= there[1]
                part = band[..., start : start + matrix.shape[1]] @ matrix.T
                result[..., y - top : rows.stop - top, x - left : columns.stop - left] = part
        result = result.to(image.device)
        return result.clamp_(-1, 1) if clamp else result

    @property
    def _scales(self) -> tuple[float, float]:
        if self.scales is not None:
            return self.scales
        return self.target[0] / self.source[0], self.target[1] / self.source[1]


def resize(
    image: Tensor,
    size: tuple[int, int] | None = None,
    scale: float | None = None,
    clamp: bool = True,
) -> Tensor:
    """Resize (N, C, H, W) with antialiasing, to `size` (h, w) or by the factor `scale`.

    Sizes from a scale are rounded up while the sampling keeps the nominal scale, as in the paper's
    code. Computed in float64; the result is float32 and, if asked for, clamped to [-1, 1].
    """
    height, width = image.shape[-2:]
    if scale is not None:
        out, scales = scaled_size((height, width), scale), (scale, scale)
    elif size is None:
        raise ValueError("either a size or a scale")
    else:
        out, scales = size, (size[0] / height, size[1] / width)
    if max(height * out[0], width * out[1]) > LARGE:
        everything = Resizing((height, width), out, scales)
        return everything.part(image, (0, 0, height, width), (0, 0, *out), clamp)
    result = image.cpu().double()  # not every device has float64
    if scales[0] != 1:
        result = torch.from_numpy(resize_matrix(height, out[0], scales[0])) @ result
    if scales[1] != 1:
        result = result @ torch.from_numpy(resize_matrix(width, out[1], scales[1])).T
    result = result.float().to(image.device)
    return result.clamp(-1, 1) if clamp else result


@dataclass(frozen=True)
class Interpolation:
    """One axis of a bicubic interpolation: some outputs of one global operator, from some inputs.

    Output j lies at `offset + j * scale` among the whole's `total` inputs, which are numbered from
    `low` on; wanted are `num_out` outputs from `first_out` on. There are `num_in` inputs from
    `first_in` on. wrap: what is outside of the whole comes round again; else the border sample is
    repeated. inside: so it is at the edges of the inputs that are there, too, whatever is beyond.
    outer: the scale of outputs before the first and after the last of `inner` ones.
    """

    total: int
    scale: float
    first_out: int
    num_out: int
    first_in: int
    num_in: int
    offset: float = 0.0
    wrap: bool = False
    low: int = 0
    inside: bool = False
    outer: float | None = None
    inner: int = 0

    @classmethod
    def whole(cls, num_in: int, num_out: int) -> Interpolation:
        """All outputs of the operator whose first and last samples lie on the inputs' (corners)."""
        scale = (num_in - 1) / (num_out - 1) if num_out > 1 else 0.0
        return cls(num_in, scale, 0, num_out, 0, num_in)

    @property
    def is_identity(self) -> bool:
        """Whether the outputs are the inputs."""
        same = (self.first_out, self.num_out) == (self.first_in, self.num_in)
        same = same and self.offset == 0 and self.outer is None
        return same and (self.scale == 1 or self.num_out == 1 == self.total)

    def taps(self) -> tuple[np.ndarray, np.ndarray]:
        """The inputs that every output uses, numbered in the whole, and their weights.

        Both (num_out, 4). Keys' kernel with a = -0.75, as torch's bicubic interpolation has it.
        """
        taps, weights = self._taps()
        if self.wrap:  # inputs that lie on both sides of a seam have numbers beyond the whole's
            return (taps - self.first_in) % self.total + self.first_in, weights
        return self._kept_inside(taps), weights

    def _kept_inside(self, taps: np.ndarray) -> np.ndarray:
        """The inputs that stand for those beyond the ends."""
        start, stop = self.low, self.low + self.total
        if self.inside:
            start, stop = self.first_in, self.first_in + self.num_in
        return taps.clip(start, stop - 1)

    def span(self) -> tuple[int, int]:
        """The first and the last input that is used; with `wrap` they may lie beyond the whole."""
        taps = self._taps()[0] if self.wrap else self.taps()[0]
        return int(taps.min()), int(taps.max())

    def _taps(self) -> tuple[np.ndarray, np.ndarray]:
        """`taps` as if there were no ends."""
        index = self.first_out + np.arange(self.num_out)
        centre = index * self.scale + self.offset
        if self.outer is not None:
            centre += (index - index.clip(0, self.inner - 1)) * (self.outer - self.scale)
        taps = np.floor(centre).astype(int)[:, None] + np.arange(-1, 3)
        return taps, _keys(centre[:, None] - taps, a=-0.75)

    def matrix(self, rows: range | None = None) -> np.ndarray:
        """The operator, or some rows of it: (num_out, num_in), float64.

        Raises ValueError if an output needs an input that is not there.
        """
        taps, weights = self._checked_taps
        part = slice(None) if rows is None else slice(rows.start, rows.stop)
        taps, weights = taps[part], weights[part]
        matrix = np.zeros((len(taps), self.num_in))
        np.add.at(matrix, (np.arange(len(taps))[:, None], taps), weights)
        return matrix

    @cached_property
    def _checked_taps(self) -> tuple[np.ndarray, np.ndarray]:
        """`taps`, numbered among the inputs that are there."""
        taps, weights = self.taps()
        taps = taps - self.first_in
        if taps.size and not (taps.min() >= 0 and taps.max() < self.num_in):
            raise ValueError(f"{self}: needs inputs that are not there")
        return taps, weights


@dataclass(frozen=True)
class Resampling(Interpolation):
    """One axis of `resize`, of which any outputs can be had, also beyond the picture's.

    scale: the inputs from one output to the next, 1 by the scale of `resize`; pixels are areas, so
    that `offset` follows from it. What is outside of the whole is mirrored or, with `wrap`, comes
    round again.
    """

    def _taps(self) -> tuple[np.ndarray, np.ndarray]:
        return _endless_taps(self.first_out + np.arange(self.num_out), 1 / self.scale)

    def _kept_inside(self, taps: np.ndarray) -> np.ndarray:
        return _mirrored(taps - self.low, self.total) + self.low


class _Tiles:
    """A banded matrix in blocks of `tile` rows, each with the columns that it uses."""

    def __init__(
        self, num_rows: int, rows_of: Callable[[range], np.ndarray], tile: int,
        device: torch.device, dtype: torch.dtype,
    ) -> None:  # fmt: skip
        """rows_of: some rows of the matrix."""
        self.num_rows = num_rows
        self.blocks: list[
            tuple[int, int, int, Tensor]
        ] = []  # (first row, first column, last column + 1, block)
        for top in range(0, num_rows, tile):
            rows = rows_of(range(top, min(top + tile, num_rows)))
            used = np.flatnonzero(rows.any(axis=0))
            start, stop = (int(used[0]), int(used[-1]) + 1) if len(used) else (0, 0)
            block = torch.tensor(rows[:, start:stop], dtype=dtype, device=device)
            self.blocks.append((top, start, stop, block))

    def __matmul__(self, x: Tensor) -> Tensor:
        """The matrix times every x[n], (N, columns, C) -> (N, rows, C)."""
        out = x.new_empty((len(x), self.num_rows, x.shape[2]))
        for top, start, stop, block in self.blocks:
            torch.matmul(block, x[:, start:stop], out=out[:, top : top + len(block)])
        return out


@lru_cache(maxsize=512)
def _tiles(
    axis: Interpolation, tile: int, transposed: bool, device: torch.device, dtype: torch.dtype
) -> _Tiles:
    if transposed:  # in training, whose pictures are small
        matrix = axis.matrix().T
        return _Tiles(axis.num_in, lambda rows: matrix[rows.start : rows.stop], tile, device, dtype)
    return _Tiles(axis.num_out, axis.matrix, tile, device, dtype)


def _apply(x: Tensor, rows: Interpolation, columns: Interpolation, transposed: bool) -> Tensor:
    """Both axes of (N, C, H, W), by the operator or its transpose.

    Works on the channels-last layout, which the result has too. Columns are a product for every
    row, so they are done while there are fewer rows.
    """
    x = x.permute(0, 2, 3, 1)  # n h w c: the layout of the memory, if it is channels last
    if transposed:
        return _columns(_rows(x, rows, True), columns, True).permute(0, 3, 1, 2)
    return _rows(_columns(x, columns, False), rows, False).permute(0, 3, 1, 2)


def _rows(x: Tensor, axis: Interpolation, transposed: bool) -> Tensor:
    if axis.is_identity:
        return x
    tiles = _tiles(axis, ROW_TILE, transposed, x.device, x.dtype)
    return (tiles @ x.flatten(2)).view(len(x), tiles.num_rows, *x.shape[2:])


def _columns(x: Tensor, axis: Interpolation, transposed: bool) -> Tensor:
    if axis.is_identity:
        return x
    tiles = _tiles(axis, COLUMN_TILE, transposed, x.device, x.dtype)
    return (tiles @ x.flatten(0, 1)).view(*x.shape[:2], tiles.num_rows, x.shape[3])


class _Interpolate(torch.autograd.Function):
    """A linear operator: its derivative is its transpose, whose derivative is the operator."""

    @staticmethod
    def forward(ctx, x, rows, columns, transposed):
        ctx.how = rows, columns, transposed
        return _apply(x, rows, columns, transposed)

    @staticmethod
    def backward(ctx, grad):
        rows, columns, transposed = ctx.how
        return _Interpolate.apply(grad, rows, columns, not transposed), None, None, None


def interpolate(x: Tensor, rows: Interpolation, columns: Interpolation) -> Tensor:
    """Bicubic interpolation, (N, C, H, W) -> (N, C, h, w), channels last, as two matrix products.

    Differentiable any number of times. Raises ValueError if the axes do not fit the inputs.
    """
    if (rows.num_in, columns.num_in) != tuple(x.shape[2:]):
        raise ValueError(f"{rows.num_in}x{columns.num_in} inputs were expected, not {x.shape[2:]}")
    return _Interpolate.apply(x, rows, columns, False)


def upsample(x: Tensor, size: tuple[int, int]) -> Tensor:
    """Bicubic interpolation with aligned corners, (N, C, H, W) -> (N, C, h, w), channels last.

    Equals torch's `interpolate(mode="bicubic", align_corners=True)` within rounding.
    """
    rows, columns = map(Interpolation.whole, x.shape[2:], size)
    return interpolate(x, rows, columns)
