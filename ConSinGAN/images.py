"""Pictures: files <-> tensors in [-1, 1], masks, compositing, contact sheets."""

from __future__ import annotations

import io
import logging
import os
import warnings
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageOps
from scipy import ndimage
from skimage import filters, morphology
from torch import Tensor

from ConSinGAN.errors import UsageError
from ConSinGAN.files import write_atomic

log = logging.getLogger(__name__)

Image.MAX_IMAGE_PIXELS = None  # every picture read here is measured before it is decoded

LUMA = np.array([0.299, 0.587, 0.114])  # ITU-R 601
EXTENSIONS = ("png", "jpg", "jpeg", "webp", "bmp", "tif", "tiff", "gif")


def read_image(
    path: str | Path,
    channels: int = 3,
    flag: str = "--input_name",
    max_megapixels: float = 100.0,
) -> Tensor:
    """Read a picture as people see it: a (1, channels, H, W) float32 tensor in [-1, 1].

    EXIF rotation is applied, grey, palette, CMYK and 16-bit pictures are converted, transparency
    is put on white. channels: 3 for RGB, 1 for grey. flag: named in error messages.
    Raises UsageError if the file is missing, is not a picture of at least 2x2 pixels or has more
    than `max_megapixels`, which is known before it is decoded.
    """
    pixels = _read_pixels(path, flag, max_megapixels, background=255)
    return _to_tensor(pixels if channels == 3 else (pixels @ LUMA)[..., None])


def _to_tensor(pixels: np.ndarray) -> Tensor:
    """Turn (H, W, C) in [0, 1] into (1, C, H, W) float32 in [-1, 1]."""
    tensor = torch.from_numpy(pixels.astype(np.float32)).permute(2, 0, 1)[None]
    return (tensor * 2 - 1).clamp(-1, 1).contiguous()


def as_written(image: Tensor) -> Tensor:
    """A (1, C, H, W) picture in [-1, 1] as it comes back from a PNG file: (1, 3, H, W)."""
    return _to_tensor(to_bytes(image)[0] / 255.0)


def read_mask(path: str | Path, flag: str = "--mask", max_megapixels: float = 100.0) -> Tensor:
    """Read a mask: a (1, 1, H, W) float32 tensor in [0, 1], the picture's luminance.

    Transparent parts count as black. Raises UsageError as `read_image` does.
    """
    luminance = _read_pixels(path, flag, max_megapixels, background=0) @ LUMA
    return torch.from_numpy(luminance.astype(np.float32))[None, None]


def _read_pixels(path: str | Path, flag: str, max_megapixels: float, background: int) -> np.ndarray:
    """Decode a picture file to (H, W, 3) float64 in [0, 1]."""
    path = Path(path)
    try:
        os.fspath(path).encode()
        if not path.exists():
            raise UsageError(f"{flag} {path}: there is no such file")
    except (OSError, UnicodeEncodeError) as error:
        raise UsageError(f"{flag} {str(path)!a}: is no name for a file") from error
    if not path.is_file():
        raise UsageError(f"{flag} {path}: is not a picture file")
    try:
        with warnings.catch_warnings(), Image.open(path) as picture:
            warnings.simplefilter("ignore")  # about parts of a file that do not matter
            megapixels = picture.width * picture.height / 1e6
            if megapixels > max_megapixels:
                raise UsageError(
                    f"{flag} {path}: the picture has {megapixels:.0f} megapixels; "
                    f"--max_megapixels {max_megapixels:g} allows no more"
                )
            picture.load()
            picture = ImageOps.exif_transpose(picture)
    except UsageError:
        raise
    except Exception as error:  # Pillow raises many kinds for damaged files
        raise UsageError(f"{flag} {path}: is not a readable picture, or is damaged") from error
    if min(picture.size) < 2:
        raise UsageError(f"{flag} {path}: the picture is only {_size_text(picture.size)} pixels")
    return _to_rgb(picture, path, background)


def _to_rgb(picture: Image.Image, path: Path, background: int) -> np.ndarray:
    pixel_format = picture.mode
    if pixel_format.startswith("I") or pixel_format == "F":  # more than 8 bits a channel
        grey = np.nan_to_num(np.asarray(picture, dtype=np.float64))
        if pixel_format == "F":  # no range is stated: 0..1 or, if brighter, 0..255
            grey = grey / (1.0 if grey.max() <= 1.0 else 255.0)
        else:
            grey = grey / 65535.0
        grey = grey.clip(0, 1)
        return np.repeat(grey[..., None], 3, axis=2)
    if "transparency" in picture.info or picture.mode in ("RGBA", "LA", "PA", "RGBa", "La"):
        picture = picture.convert("RGBA")
        if picture.getextrema()[3][0] < 255:
            colour = "white" if background else "black"
            log.info("%s: transparent parts are put on %s", path, colour)
            backdrop = Image.new("RGBA", picture.size, (background,) * 3 + (255,))
            picture = Image.alpha_composite(backdrop, picture)
    return np.asarray(picture.convert("RGB"), dtype=np.float64) / 255.0


def _size_text(size: tuple[int, int]) -> str:
    return f"{size[0]}x{size[1]}"


def to_bytes(image: Tensor) -> np.ndarray:
    """Turn (N, C, H, W) or (C, H, W) in [-1, 1] into uint8 (.., H, W, 3), rounded."""
    levels = ((image.detach().float() + 1) * 127.5).round_().clamp_(0, 255).to(torch.uint8)
    levels = levels.movedim(-3, -1).cpu().numpy()
    return np.repeat(levels, 3, axis=-1) if levels.shape[-1] == 1 else np.ascontiguousarray(levels)


def to_levels(picture: Tensor) -> Tensor:
    """A picture as it was read, in the smallest type from which `from_levels` gives it back.

    (1, C, H, W) float32 in [-1, 1] -> uint8 levels, uint16 levels, or itself.
    """
    for dtype in (torch.uint8, torch.uint16):
        levels = ((picture.double() + 1) * (torch.iinfo(dtype).max / 2)).round().to(dtype)
        if torch.equal(from_levels(levels), picture):
            return levels
    return picture


def from_levels(levels: Tensor) -> Tensor:
    """What `to_levels` was given."""
    if levels.dtype == torch.float32:
        return levels
    levels = levels.double().div_(torch.iinfo(levels.dtype).max)
    return (levels.float() * 2 - 1).clamp(-1, 1)


def save_image(image: Tensor | np.ndarray, path: str | Path) -> None:
    """Write one picture, (1, C, H, W) in [-1, 1] or uint8 (H, W, 3); the extension decides how."""
    pixels = to_bytes(image)[0] if isinstance(image, Tensor) else image
    picture = Image.fromarray(pixels)
    encoded = io.BytesIO()
    if Path(path).suffix == ".png":
        picture.save(encoded, "png", compress_level=3)
    else:
        picture.save(encoded, "jpeg", quality=95, subsampling=0)
    write_atomic(Path(path), encoded.getvalue(), durable=False)


class ImageWriter:
    """Writes pictures on other threads, a bounded number ahead. Use as a context manager."""

    def __init__(self, max_pending: int = 32) -> None:
        self._pool = ThreadPoolExecutor(max_workers=2)
        self._pending: list[Future] = []
        self._max_pending = max_pending

    def save(self, image: np.ndarray, path: Path) -> None:
        """Queue one uint8 (H, W, 3) picture. An error in writing is raised at a later call."""
        self._pending.append(self._pool.submit(save_image, image, path))
        if len(self._pending) >= self._max_pending:
            self._pending.pop(0).result()

    def __enter__(self) -> ImageWriter:
        return self

    def __exit__(self, *exception: object) -> None:
        self._pool.shutdown(wait=True)
        if exception[0] is None:
            for future in self._pending:
                future.result()


def make_sheet(images: Sequence[Tensor], columns: int = 5, gap: int = 4) -> np.ndarray:
    """Lay pictures (1, C, H, W), of one size or several, on a white sheet: uint8 (H', W', 3)."""
    tiles = [to_bytes(image)[0] for image in images]
    height, width = (max(tile.shape[axis] for tile in tiles) for axis in (0, 1))
    columns = min(columns, len(tiles))
    rows = -(-len(tiles) // columns)
    sheet = np.full(
        (rows * (height + gap) + gap, columns * (width + gap) + gap, 3), 255, dtype=np.uint8
    )
    for index, tile in enumerate(tiles):
        top = gap + index // columns * (height + gap)
        left = gap + index % columns * (width + gap)
        sheet[top : top + tile.shape[0], left : left + tile.shape[1]] = tile
    return sheet


def find_mask(naive_path: str | Path) -> Path | None:
    """The mask that lies beside a naive picture: `<stem>_mask.<any picture extension>`, or None."""
    naive_path = Path(naive_path)
    extensions = (naive_path.suffix.lstrip("."), *EXTENSIONS)
    for extension in filter(None, extensions):
        for spelling in (extension, extension.upper()):
            candidate = naive_path.with_name(f"{naive_path.stem}_mask.{spelling}")
            if candidate.is_file():
                return candidate
    return None


def soften_mask(mask: np.ndarray, radius: int, sigma: float = 5.0) -> Tensor:
    """Grow a binary (H, W) mask by a disc and blur its edge: (1, 1, H, W) in [0, 1].

    radius, sigma: pixels. As in the paper's code the upper half of the blurred mask is stretched
    to the full range. Raises ValueError for an empty mask.
    """
    if not mask.any():
        raise ValueError("the mask is empty")
    grown = ndimage.binary_dilation(mask, morphology.disk(radius))
    soft = filters.gaussian(grown.astype(np.float64), sigma, mode="nearest", truncate=4.0)
    soft = torch.from_numpy(soft.astype(np.float32))[None, None]
    soft = ((soft - 0.5) * 2).clamp(-1, 1)
    low, high = soft.min(), soft.max()
    return torch.ones_like(soft) if high == low else (soft - low) / (high - low)


def composite(background: Tensor, image: Tensor, mask: Tensor) -> Tensor:
    """Show `image` where `mask` is 1 and `background` where it is 0; all (1, C, H, W)."""
    return (1 - mask) * background + mask * image
