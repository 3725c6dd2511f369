"""Pictures: files <-> tensors in [-1, 1], masks, compositing, contact sheets."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from PIL.PngImagePlugin import PngInfo
from scipy import ndimage
from skimage import filters, morphology
from torch import Tensor

from ConSinGAN.atomic import write_atomic
from ConSinGAN.pictures import decode
from ConSinGAN.pictures.decode import LUMA
from ConSinGAN.pictures.finding import EXTENSIONS
from ConSinGAN.pictures.streamed import save_bands


def read_image(
    path: str | Path,
    channels: int = 3,
    flag: str = "`input_name`",
    max_megapixels: float = 100.0,
    frame: int | None = None,
) -> Tensor:
    """Read a picture as a browser shows it: a (1, channels, H, W) float32 tensor in [-1, 1].

    Colours become sRGB, EXIF rotation is applied, grey, palette, CMYK, 16-bit and floating point
    pictures are converted, transparency is put on white. channels: 3 for RGB, 1 for grey
    (luminance). flag: named in error messages. frame: of an animation or a file of several pages,
    from 1; None for the first frame or the largest page.
    Raises UsageError if the file is missing, is not a picture of at least 2x2 pixels, has no such
    frame or more than `max_megapixels`, which is known before it is decoded.
    """
    pixels = decode.read(path, flag, max_megapixels, frame)
    if pixels.dtype == np.uint8:
        pixels = pixels / 255.0
    return _to_tensor(pixels if channels == 3 else (pixels.astype(np.float64) @ LUMA)[..., None])


def _to_tensor(pixels: np.ndarray) -> Tensor:
    """Turn (H, W, C) in [0, 1] into (1, C, H, W) float32 in [-1, 1]."""
    tensor = torch.from_numpy(pixels.astype(np.float32)).permute(2, 0, 1)[None]
    return (tensor * 2 - 1).clamp(-1, 1).contiguous()


def as_written(image: Tensor) -> Tensor:
    """A (1, C, H, W) picture in [-1, 1] as it comes back from a PNG file: (1, 3, H, W)."""
    return _to_tensor(to_bytes(image)[0] / 255.0)


def read_mask(path: str | Path, flag: str = "`mask`", max_megapixels: float = 100.0) -> Tensor:
    """Read a mask: a (1, 1, H, W) float32 tensor in [0, 1], the picture's luminance.

    Transparent parts count as black; of labels (0 and 1, say) all but the ground are white.
    Raises UsageError as `read_image` does.
    """
    return torch.from_numpy(decode.read_mask(path, flag, max_megapixels))[None, None]


def to_bytes(image: Tensor) -> np.ndarray:
    """Turn (N, C, H, W) or (C, H, W) in [-1, 1] into uint8 (.., H, W, 3), rounded."""
    levels = ((image.detach().float() + 1) * 127.5).round_().clamp_(0, 255).to(torch.uint8)
    pixels = levels.movedim(-3, -1).cpu().numpy()
    return np.repeat(pixels, 3, axis=-1) if pixels.shape[-1] == 1 else np.ascontiguousarray(pixels)


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


def save_image(
    image: Tensor | np.ndarray, path: str | Path, text: Mapping[str, str] | None = None
) -> None:
    """Write one picture, (1, C, H, W) in [-1, 1] or uint8 (H, W, 3); the extension decides how.

    text: by keyword, is put into a PNG or TIFF.
    """
    pixels = to_bytes(image)[0] if isinstance(image, Tensor) else image
    if Path(path).suffix == ".tif":
        save_bands([pixels], pixels.shape[:2], Path(path), text)
        return
    picture = Image.fromarray(pixels)
    encoded = io.BytesIO()
    if Path(path).suffix == ".png":
        chunks = PngInfo()
        for keyword, value in (text or {}).items():
            chunks.add_itxt(keyword, value)
        picture.save(encoded, "png", compress_level=3, pnginfo=chunks)
    else:
        picture.save(encoded, "jpeg", quality=95, subsampling=0)
    write_atomic(Path(path), encoded.getvalue(), durable=False)


class ImageWriter:
    """Writes pictures on other threads, a bounded number ahead. Use as a context manager."""

    def __init__(self, max_pending: int = 32) -> None:
        self._pool = ThreadPoolExecutor(max_workers=2)
        self._pending: list[Future] = []
        self._max_pending = max_pending

    def save(self, image: np.ndarray, path: Path, text: Mapping[str, str] | None = None) -> None:
        """Queue one uint8 (H, W, 3) picture. An error in writing is raised at a later call."""
        self._pending.append(self._pool.submit(save_image, image, path, text))
        if len(self._pending) >= self._max_pending:
            self._pending.pop(0).result()

    def __enter__(self) -> ImageWriter:
        return self

    def __exit__(self, *exception: object) -> None:
        self._pool.shutdown(wait=True)
        if exception[0] is None:
            for future in self._pending:
                future.result()


def make_sheet(
    images: Sequence[Tensor], columns: int = 5, gap: int = 4, least: int = 0
) -> np.ndarray:
    """Lay pictures (1, C, H, W), of one size or several, on a white sheet: uint8 (H', W', 3).

    least: small pictures are enlarged, all by one whole factor, until the longest side has so many
    pixels, so that they can be looked at.
    """
    tiles = [to_bytes(image)[0] for image in images]
    factor = -(-least // max(max(tile.shape[:2]) for tile in tiles))
    if factor > 1:
        tiles = [_enlarge(tile, factor) for tile in tiles]
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


def _enlarge(tile: np.ndarray, factor: int) -> np.ndarray:
    """uint8 (H, W, 3) -> (factor H, factor W, 3), smoothly."""
    picture = Image.fromarray(tile)
    size = (factor * picture.width, factor * picture.height)
    return np.asarray(picture.resize(size, Image.Resampling.LANCZOS))


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
