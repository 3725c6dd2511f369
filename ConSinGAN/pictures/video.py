"""Moving pictures as files: GIF, APNG, and video through imageio."""

from __future__ import annotations

import io
import logging
import struct
import zlib
from collections.abc import Iterable
from pathlib import Path

import numpy as np
from PIL import Image

from ConSinGAN.atomic import write_atomic
from ConSinGAN.errors import UsageError
from ConSinGAN.pictures.gif import save_gif

log = logging.getLogger(__name__)

CODECS = {".mp4": "libx264", ".webm": "libvpx-vp9"}
QUALITY = {".mp4": {"crf": "17", "preset": "medium"}, ".webm": {"crf": "22", "b": "0"}}
PIXELS = "yuv420p"  # what all players know; its colours are shared by 2x2 pixels


def save_movie(frames: Iterable[np.ndarray], path: Path, fps: int) -> None:
    """Write frames, uint8 (H, W, 3) of one size; the extension says how.

    fps: frames per second; the mean rate is exact. A video of odd height or width gets a row or
    column more. The file is written whole or not at all. Raises UsageError if the packages for
    video are missing, ValueError without a frame.
    """
    frames = list(frames)
    if not frames:
        raise ValueError("a movie needs a frame")
    if path.suffix == ".gif":
        save_gif(frames, path, fps)
        return
    encode = _apng if path.suffix == ".apng" else _video
    write_atomic(path, encode(frames, path, fps), durable=False)


def _video(frames: list[np.ndarray], path: Path, fps: int) -> bytes:
    try:
        import imageio.v3 as iio

        file = io.BytesIO()
        writer = iio.imopen(file, "w", plugin="pyav", extension=path.suffix)
    except ImportError as error:
        raise UsageError(
            f"`format` {path.suffix[1:]}: needs imageio and av (pip install imageio av)"
        ) from error
    frames = _even(frames, path)
    with writer:
        writer.init_video_stream(CODECS[path.suffix], fps=fps, pixel_format=PIXELS)
        if (stream := getattr(writer, "_video_stream", None)) is not None:
            stream.options = QUALITY[path.suffix]  # which the plugin has no parameter for
        for frame in frames:
            writer.write_frame(frame)
    return file.getvalue()


def _even(frames: list[np.ndarray], path: Path) -> list[np.ndarray]:
    """With a row or column more, the border's, where a side is odd."""
    height, width = frames[0].shape[:2]
    more = ((0, height % 2), (0, width % 2), (0, 0))
    if not (height % 2 or width % 2):
        return frames
    log.info("%s: %dx%d pixels become %dx%d, because video needs even sides", path.name, width,
             height, width + width % 2, height + height % 2)  # fmt: skip
    return [np.pad(frame, more, mode="edge") for frame in frames]


def _apng(frames: list[np.ndarray], path: Path, fps: int) -> bytes:
    first, *others = [Image.fromarray(frame) for frame in frames]
    file = io.BytesIO()
    # Pillow joins equal frames and knows thousandths of a second only: times are written below.
    first.save(file, "png", save_all=True, append_images=others, duration=1000, loop=0)
    return _with_rate(file.getvalue(), fps)


def _with_rate(png: bytes, fps: int) -> bytes:
    """An animated PNG whose seconds become frames of 1/fps seconds."""
    parts, at = [png[:8]], 8
    while at < len(png):
        (length,) = struct.unpack(">I", png[at : at + 4])
        kind, data = png[at + 4 : at + 8], png[at + 8 : at + 8 + length]
        if kind == b"fcTL":
            num, den = struct.unpack(">HH", data[20:24])
            data = data[:20] + struct.pack(">HH", num // den, fps) + data[24:]
        checksum = zlib.crc32(kind + data)
        parts.append(struct.pack(">I", length) + kind + data + struct.pack(">I", checksum))
        at += 12 + length
    return b"".join(parts)
