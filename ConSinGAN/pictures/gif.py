"""GIFs that do not flicker: one palette for all frames, true speed, every frame, endless."""

from __future__ import annotations

import io
import itertools
import struct
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image
from scipy.spatial import cKDTree

from ConSinGAN.atomic import write_atomic
from ConSinGAN.errors import UsageError

MAX_FPS = 50  # delays of 2 hundredths of a second; viewers play shorter ones as 10
NUM_COLOURS = 256
NUM_RARE = 64  # of which so many start at the colours furthest from all others
NUM_SAMPLES = 2**16  # pixels that the palette is made from
KMEANS_STEPS = 8
KEEP = 1.5  # no pixel keeps a colour that is more than so many times as far as its nearest
REHEARSED = 10  # last frames from which the first one goes on, as it does in every later round
CHUNK = 2**18  # colours looked up at a time

HEADER = b"GIF89a"
ENDLESS = b"!\xff\x0bNETSCAPE2.0\x03\x01\x00\x00\x00"
TRAILER = b";"


def save_gif(frames: Sequence[np.ndarray], path: str | Path, fps: float) -> None:
    """Write frames, uint8 (H, W, 3) of one size, as an endless GIF; equal frames are all kept.

    fps: frames per second, 1 to 50; the mean rate is right, see `frame_delays`. The file is
    written whole or not at all. Raises UsageError for another fps, ValueError without a frame.
    """
    if not len(frames):
        raise ValueError("a GIF needs a frame")
    delays = frame_delays(len(frames), fps)
    height, width = frames[0].shape[:2]
    palette, nearest = choose_palette(frames)
    table = np.zeros((NUM_COLOURS, 3), np.uint8)
    table[: len(palette)] = palette
    parts = [HEADER, struct.pack("<HHBBB", width, height, 0xF7, 0, 0), table.tobytes(), ENDLESS]
    ending = frames[-REHEARSED:]
    last, indices = ending[0], nearest[_codes(ending[0])]
    for frame in ending:
        last, indices = frame, _follow(frame, last, indices, palette, nearest)
    for frame, delay in zip(frames, delays, strict=True):
        last, indices = frame, _follow(frame, last, indices, palette, nearest)
        parts += [struct.pack("<4sHBB", b"!\xf9\x04\x04", delay, 0, 0), _image_block(indices)]
    write_atomic(Path(path), b"".join([*parts, TRAILER]), durable=False)


def frame_delays(num_frames: int, fps: float) -> list[int]:
    """How long each frame is shown, in hundredths of a second, the only times that a GIF knows.

    The rounding error is carried from frame to frame, so that the sum is right to half a hundredth.
    Raises UsageError if fps is not in 1 ... 50.
    """
    if fps > MAX_FPS:
        raise UsageError(
            f"`fps` {fps}: a GIF cannot show more than {MAX_FPS} frames per second; "
            f"give {MAX_FPS} or fewer"
        )
    if not fps >= 1:
        raise UsageError(f"`fps` {fps}: a GIF must show at least 1 frame per second")
    ends = [int(100 * k / fps + 0.5) for k in range(num_frames + 1)]
    return [end - start for start, end in itertools.pairwise(ends)]


def choose_palette(frames: Sequence[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """At most 256 colours for all frames together, and which of them is nearest to each colour.

    Returns uint8 (K, 3) and uint8 (2^24,), indexed by 65536 R + 256 G + B and valid for colours
    that occur. No more than 256 colours are kept exactly; of more, median cut and the colours
    furthest from its result are the start of k-means on a sample of pixels, in RGB.
    """
    occurs = np.zeros(2**24, bool)
    for frame in frames:
        occurs[_codes(frame)] = True
    codes = np.flatnonzero(occurs)
    del occurs
    colours = _colours(codes)
    palette = colours if len(codes) <= NUM_COLOURS else _cluster(_sample(frames))
    nearest, tree = np.zeros(2**24, np.uint8), cKDTree(palette)
    for start in range(0, len(codes), CHUNK):
        part = slice(start, start + CHUNK)
        nearest[codes[part]] = tree.query(colours[part])[1]
    return palette, nearest


def _codes(pixels: np.ndarray) -> np.ndarray:
    """65536 R + 256 G + B of (..., 3)."""
    red, green, blue = (pixels[..., channel].astype(np.int32) for channel in range(3))
    return (red << 16) | (green << 8) | blue


def _colours(codes: np.ndarray) -> np.ndarray:
    """The uint8 (N, 3) colours of (N,) codes."""
    return np.stack([codes >> 16, codes >> 8 & 255, codes & 255], axis=1).astype(np.uint8)


def _sample(frames: Sequence[np.ndarray]) -> np.ndarray:
    """About NUM_SAMPLES pixels (N, 3) of all frames, always the same ones."""
    flat = [frame.reshape(-1, 3) for frame in frames]
    if sum(map(len, flat)) <= NUM_SAMPLES:
        return np.concatenate(flat)
    rng, each = np.random.default_rng(0), -(-NUM_SAMPLES // len(flat))
    return np.concatenate([pixels[rng.integers(len(pixels), size=each)] for pixels in flat])


def _cluster(sample: np.ndarray) -> np.ndarray:
    """A palette, uint8 (K, 3) with K <= 256, for pixels (N, 3)."""
    cut = Image.fromarray(sample[None]).quantize(
        NUM_COLOURS - NUM_RARE, method=Image.Quantize.MEDIANCUT
    )
    used = np.unique(np.asarray(cut))
    centres = np.array(cut.getpalette(), np.float64).reshape(-1, 3)[used]
    codes, counts = np.unique(_codes(sample), return_counts=True)
    colours = _colours(codes).astype(np.float64)
    far = cKDTree(centres).query(colours)[0] ** 2
    rare: list[np.ndarray] = []
    while len(centres) + len(rare) < NUM_COLOURS and far.any():
        rare.append(colours[far.argmax()])
        far = np.minimum(far, ((colours - rare[-1]) ** 2).sum(axis=1))
    centres = np.concatenate([centres, rare]) if rare else centres
    for _ in range(KMEANS_STEPS):
        member = cKDTree(centres).query(colours)[1]
        weight = np.bincount(member, counts, len(centres))
        sums = [
            np.bincount(member, counts * colours[:, channel], len(centres)) for channel in range(3)
        ]
        occupied = weight > 0
        centres[occupied] = (np.stack(sums, axis=1)[occupied].T / weight[occupied]).T
    return np.unique(centres.round().astype(np.uint8), axis=0)


def _follow(
    frame: np.ndarray, last: np.ndarray, shown: np.ndarray, palette: np.ndarray, nearest: np.ndarray
) -> np.ndarray:
    """The palette's indices (H, W) for a frame, which follows the frame `last`, shown as `shown`.

    With its nearest colour, a pixel that lies between two would jump to and fro by more than the
    picture moves. So those furthest from what they show go to their nearest colour first, until
    the GIF has changed by as much as the picture; what stands still stays.
    """
    indices = nearest[_codes(frame)]
    jumps = np.abs(palette[indices].astype(np.int16) - palette[shown]).sum(axis=2)
    moves = np.abs(frame.astype(np.int16) - last).sum(axis=2)
    willing = np.nonzero((jumps > 0) & (moves > 0))
    now, then = palette[indices[willing]], palette[shown[willing]]
    error = np.maximum(_distance(frame[willing], now), 0.01)  # an exact colour is always taken
    urgency = _distance(frame[willing], then) / error
    order = np.argsort(-urgency, kind="stable")
    num = np.searchsorted(np.cumsum(jumps[willing][order], dtype=np.int64), moves.sum(), "right")
    num = max(num, np.count_nonzero(urgency > KEEP**2))
    row, column = (axis[order[:num]] for axis in willing)
    followed = shown.copy()
    followed[row, column] = indices[row, column]
    return followed


def _distance(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Squared distances in RGB of (..., 3) and (..., 3)."""
    difference = a.astype(np.int32) - b
    return np.einsum("...c,...c", difference, difference)


def _image_block(indices: np.ndarray) -> bytes:
    """Image descriptor and compressed indices, cut from the GIF of a grey picture."""
    encoded = io.BytesIO()
    Image.fromarray(indices).save(encoded, "gif", optimize=False, interlace=False)
    data = encoded.getvalue()
    place = 13 + (3 << (data[10] & 7) + 1)  # behind header and colour table
    while data[place : place + 1] == b"!":  # extensions, made of sub-blocks
        place += 2
        while data[place]:
            place += data[place] + 1
        place += 1
    return data[place : -len(TRAILER)]
