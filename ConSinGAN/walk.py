"""Walks through noise space, for animations (paper section 4.3)."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import numpy as np
from torch import Tensor


def random_walk(
    fixed: Sequence[Tensor],
    draws: Iterator[Sequence[Tensor]],
    alpha: float,
    beta: float,
    start_scale: int,
) -> Iterator[list[Tensor]]:
    """Noise maps that wander around `fixed`, one list per frame (SinGAN, supplement section 2).

    Per stage, with f fixed and n_k the k-th draw: z_-2 = f, z_-1 = 0.99 f + 0.01 n_0 and
    z_k = alpha f + (1 - alpha) (z_k-1 + beta (z_k-1 - z_k-2) + (1 - beta) n_k+1).
    Stages below `start_scale` are held at f.
    """
    before = list(fixed)
    now = [0.99 * f + 0.01 * n for f, n in zip(fixed, next(draws), strict=True)]
    yield from _walk(fixed, before, now, draws, alpha, beta, start_scale)


def closed_walk(
    fixed: Sequence[Tensor],
    draws: Callable[[], Iterator[Sequence[Tensor]]],
    alpha: float,
    beta: float,
    start_scale: int,
) -> Iterator[list[Tensor]]:
    """As `random_walk`, but the frame after the last one would be the first again.

    draws: gives the same draws, one per frame, whenever it is called. It is called twice: the walk
    is linear, so what one round from f leaves behind tells from where a round ends as it began.
    It has the distribution of an open walk that has long been under way, but for one that has no
    time to wander off. Raises ValueError unless alpha > 0: nothing else calls the walk back.
    """
    if not alpha > 0:
        raise ValueError(f"a closed walk needs alpha > 0, not {alpha}")
    before, now, num = fixed, fixed, 0
    for noise in _walk(fixed, before, now, draws(), alpha, beta, start_scale):
        before, now, num = now, noise, num + 1
    if not num:
        return
    # With d = z - f a frame's (d_k, d_k-1) is `move` times the last one's plus noise.
    move = np.array([[(1 - alpha) * (1 + beta), (alpha - 1) * beta], [1, 0]])
    (a, b), (c, d) = np.linalg.inv(np.eye(2) - np.linalg.matrix_power(move, num)).tolist()
    ends = list(zip(fixed, now, before, strict=True))
    now = [f + a * (z - f) + b * (y - f) for f, z, y in ends]
    before = [f + c * (z - f) + d * (y - f) for f, z, y in ends]
    yield from _walk(fixed, before, now, draws(), alpha, beta, start_scale)


def begin_at_usual_step(frames: Sequence[np.ndarray]) -> list[np.ndarray]:
    """Frames of a round, uint8 (h, w, 3), from another one on, in the same order.

    Pictures do not move as evenly as the noise does. The step that leads from the last frame to
    the first becomes the largest one that is not above the mean.
    """
    steps = [
        int(np.abs(frame.astype(np.int16) - frames[k - 1]).sum(dtype=np.int64))
        for k, frame in enumerate(frames)
    ]
    usual = [k for k, step in enumerate(steps) if step * len(steps) <= sum(steps)]
    first = max(usual, key=steps.__getitem__, default=0)
    return [*frames[first:], *frames[:first]]


def _walk(
    fixed: Sequence[Tensor],
    before: Sequence[Tensor],
    now: Sequence[Tensor],
    draws: Iterator[Sequence[Tensor]],
    alpha: float,
    beta: float,
    start_scale: int,
) -> Iterator[list[Tensor]]:
    """Go on from the noise maps of two frames, `before` and `now`, one step for each draw."""
    for draw in draws:
        walked = [
            alpha * f + (1 - alpha) * (z + beta * (z - y) + (1 - beta) * n)
            for f, y, z, n in zip(fixed, before, now, draw, strict=True)
        ]
        before, now = now, [*fixed[:start_scale], *walked[start_scale:]]
        yield now
