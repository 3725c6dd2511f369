"""Colours as a browser shows them: whatever space a picture is in, it becomes sRGB."""

from __future__ import annotations

import io
import logging
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar, cast

import numpy as np
from PIL import Image, ImageCms

from ConSinGAN.pictures import icc
from ConSinGAN.pictures.icc import Shaper
from ConSinGAN.pictures.png import Png

log = logging.getLogger(__name__)

Pixels = TypeVar("Pixels", Image.Image, np.ndarray)

# What comes out within one byte level of what goes in is sRGB and stays as it is, to the bit.
SAME = 1
# Writers state sRGB as a gamma of 1/2.2 and rounded chromaticities, so these mean it as well.
SAME_GAMMA, SAME_POINT = 0.025, 0.002

_SPACES = {"RGB ": "RGB", "GRAY": "grey", "CMYK": "CMYK", "Lab ": "LAB"}


@dataclass(frozen=True)
class Space:
    """What the numbers of a picture mean: sRGB if nothing is said.

    icc: a profile, b"" one that cannot be read. shaper: a space stated otherwise.
    """

    icc: bytes | None = None
    shaper: Shaper | None = None
    note: str = ""  # what there is to say about it

    @property
    def stated(self) -> bool:
        """Whether the file says anything."""
        return bool(self.icc is not None or self.shaper is not None or self.note)


def of_png(png: Png) -> Space:
    """The space that a PNG file states: cICP before iCCP before sRGB before gAMA and cHRM."""
    code = png.chunks.get(b"cICP", b"")
    if len(code) >= 2 and code[0] != 2 and code[1] != 2:  # 2: unspecified
        if code[0] == 1 and code[1] in icc.LIKE_SRGB:
            return Space()
        shaper = icc.from_cicp(code[0], code[1])
        if shaper is not None:
            return Space(shaper=shaper)
        return Space(note=f"colours of the kind {code[0]}/{code[1]} (cICP) are taken as sRGB")
    profile = png.icc
    if profile:
        return Space(icc=profile)
    if b"sRGB" in png.chunks or not {b"gAMA", b"cHRM"} & set(png.chunks):
        return Space(icc=profile)
    return Space(shaper=_from_gamma(png.chunks.get(b"gAMA", b""), png.chunks.get(b"cHRM", b"")))


def _from_gamma(gamma: bytes, chromaticities: bytes) -> icc.Shaper | None:
    """PNG's gAMA and cHRM; None if they mean sRGB, or nothing."""
    number = int.from_bytes(gamma[:4], "big") if len(gamma) >= 4 else 0
    exponent = 1e5 / number if 1e3 <= number <= 1e6 else None  # else the curve is sRGB's
    points = (icc.D65, *icc.SRGB_PRIMARIES)
    if len(chromaticities) >= 32:
        stated = np.frombuffer(chromaticities, ">u4", 8).reshape(4, 2) / 1e5  # white first
        if np.abs(stated - points).max() > SAME_POINT:
            white, red, green, blue = ((float(x), float(y)) for x, y in stated)
            points = (white, red, green, blue)
    if points[1:] == icc.SRGB_PRIMARIES and (
        exponent is None or abs(exponent / 2.2 - 1) < SAME_GAMMA
    ):
        return None
    try:
        return icc.make(exponent, points[1:], points[0])
    except ValueError:
        return None


def adobe_rgb() -> Space:
    """Adobe RGB (1998), as cameras state it in EXIF."""
    return Space(shaper=icc.make(563 / 256, icc.ADOBE_PRIMARIES, icc.D65))


def convert(pixels: Pixels, space: Space, path: Path) -> Pixels:
    """Bring colours to sRGB; alpha is kept. A broken or unfitting profile is said and left out.

    pixels: a Pillow picture of 8 bits (1, L, LA, RGB, RGBA, CMYK, LAB, ...), or (H, W, C) floats
    in 0..1 with C 1 or 3. Returns a Pillow picture (L, LA, RGB, RGBA) or floats (H, W, C).
    """
    if space.note:
        log.info("%s: %s", path, space.note)
    if space.icc is not None:
        pixels = cast(Pixels, _apply_profile(pixels, space.icc, path))
    elif space.shaper is not None:
        pixels = cast(Pixels, _apply_shaper(pixels, space.shaper))
    if isinstance(pixels, Image.Image) and pixels.mode == "LAB":
        return _transform(pixels, ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB")))
    return pixels


def _apply_shaper(pixels: Image.Image | np.ndarray, shaper: Shaper) -> Image.Image | np.ndarray:
    if isinstance(pixels, np.ndarray):
        if shaper.matrix is not None and pixels.shape[2] == 1:
            pixels = np.repeat(pixels, 3, axis=2)
        return shaper.to_srgb(pixels)
    if pixels.mode not in ("L", "LA", "RGB", "RGBA"):
        return pixels
    colours, alpha = _split(pixels, "RGB")
    levels = shaper.to_srgb(np.asarray(colours) / np.float32(255))
    return _join(Image.fromarray(np.rint(levels * 255).astype(np.uint8)), alpha)


def _apply_profile(
    pixels: Image.Image | np.ndarray, profile: bytes, path: Path
) -> Image.Image | np.ndarray:
    mode = {1: "L", 3: "RGB"}[pixels.shape[2]] if isinstance(pixels, np.ndarray) else pixels.mode
    try:
        opened = ImageCms.getOpenProfile(io.BytesIO(profile))
        space = opened.profile.xcolor_space
        wanted = _mode_for(space, mode)
        if wanted is None:
            kind = _SPACES.get(space, space.strip())
            log.info("%s: its colour profile is for %s pictures and is left out", path, kind)
            return pixels
        if wanted in ("L", "RGB") and _is_srgb(opened, wanted):
            return pixels
        if isinstance(pixels, np.ndarray):
            return _apply_deep(pixels, opened, icc.parse(profile), wanted)
        if mode == "1":
            return pixels
        colours, alpha = _split(pixels, wanted)
        return _join(_transform(colours, opened), alpha)
    except (ImageCms.PyCMSError, OSError, ValueError, TypeError):
        log.info("%s: its colour profile is broken and is left out", path)
        return pixels


def _apply_deep(
    pixels: np.ndarray, opened: ImageCms.ImageCmsProfile, shaper: Shaper | None, mode: str
) -> np.ndarray:
    if mode == "RGB" and pixels.shape[2] == 1:
        pixels = np.repeat(pixels, 3, axis=2)
    if shaper is not None:
        return shaper.to_srgb(pixels)
    levels = np.rint(pixels * 255).astype(np.uint8)
    picture = Image.fromarray(levels if mode == "RGB" else levels[..., 0])
    return np.asarray(_transform(picture, opened)) / np.float32(255)


def _mode_for(space: str, mode: str) -> str | None:
    """In which mode a picture meets a profile for `space`; None if it cannot."""
    if space == "RGB ":
        return "RGB" if mode in ("1", "L", "LA", "RGB", "RGBA", "YCbCr") else None
    if space == "GRAY":
        return "L" if mode in ("1", "L", "LA") else None
    return {("CMYK", "CMYK"): "CMYK", ("Lab ", "LAB"): "LAB"}.get((space, mode))


def _transform(picture: Image.Image, profile: ImageCms.ImageCmsProfile) -> Image.Image:
    """8 bits to sRGB by LittleCMS, perceptual as browsers do."""
    srgb = ImageCms.createProfile("sRGB")
    intent = ImageCms.Intent.PERCEPTUAL
    change = ImageCms.buildTransform(profile, srgb, picture.mode, "RGB", renderingIntent=intent)
    return change.apply(picture)


def _is_srgb(profile: ImageCms.ImageCmsProfile, mode: str) -> bool:
    if mode == "L":
        before = np.arange(256, dtype=np.uint8)[None]
    else:
        steps = np.linspace(0, 255, 18).round().astype(np.uint8)
        before = np.stack(np.meshgrid(steps, steps, steps), axis=-1).reshape(-1, 18, 3)
    after = np.asarray(_transform(Image.fromarray(before), profile)).astype(int)
    return bool(np.abs(after - (before[..., None] if mode == "L" else before)).max() <= SAME)


def _split(picture: Image.Image, mode: str) -> tuple[Image.Image, Image.Image | None]:
    alpha = picture.getchannel("A") if picture.mode in ("LA", "RGBA") else None
    if alpha is not None:
        picture = picture.convert(picture.mode[:-1])
    return picture if picture.mode == mode else picture.convert(mode), alpha


def _join(picture: Image.Image, alpha: Image.Image | None) -> Image.Image:
    if alpha is not None:
        picture.putalpha(alpha)
    return picture
