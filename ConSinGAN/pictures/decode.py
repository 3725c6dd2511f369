"""From a file to pixels: sRGB as a browser shows it, upright, on a plain ground.

Whatever is not about pixels (EXIF, text, profiles) may be broken; pixels may not.
"""

from __future__ import annotations

import contextlib
import logging
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from ConSinGAN.errors import UsageError
from ConSinGAN.pictures import colour, exif, formats, png, ranges, tiff
from ConSinGAN.pictures.hush import quiet, silent

log = logging.getLogger(__name__)

Image.MAX_IMAGE_PIXELS = None  # every picture read here is measured before it is decoded

LUMA = np.array([0.299, 0.587, 0.114])  # ITU-R 601
ANIMATED = ("GIF", "WEBP", "PNG", "MPO", "AVIF", "TIFF", "FLI", "DCX")  # or of several pages
GUESSED = ("TIFF", "FITS", "IM")  # whole numbers of a range that is not told; else it is 16 bits
TIFF_HEADS = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
LABEL, MOST_LABELS = 4 / 255, 5  # the highest value of a mask of labels, and how many values
PLAIN = 0.8  # share of a label mask's pixels that are as their neighbours
DARK, BRIGHT, NEARLY = 20 / 255, 235 / 255, 0.99


def read(
    path: str | Path, flag: str, max_megapixels: float, frame: int | None = None, mask: bool = False
) -> np.ndarray:
    """The pixels of a picture file: (H, W, 3), uint8 in 0..255 or float32 in 0..1.

    flag: named in messages. frame: which one of several, from 1; None for the first, of a TIFF
    file for the largest page. mask: transparent parts are black instead of white, and colours are
    not managed. Raises UsageError, one line, if the file is no picture of at least 2x2 pixels, is
    damaged, has more than `max_megapixels` (known before memory is taken) or no such frame.
    """
    path = formats.check_file(path, flag)
    decoder = Decoder(path, flag, max_megapixels, frame, mask)
    head = b""
    try:
        with quiet():
            with path.open("rb") as file:
                head = file.read(formats.HEAD)
            pixels = decoder.decode(head)
    except UsageError:
        raise
    except PermissionError as error:
        raise UsageError(f"{flag} {path}: cannot be read: {error.strerror}") from error
    except MemoryError as error:
        raise UsageError(f"{flag} {path}: does not fit into memory; make it smaller") from error
    except Exception as error:  # libraries raise many kinds for damaged files
        raise UsageError(f"{flag} {path}: {_reason(head, error)}") from error
    if not mask:
        _say_if_blank(pixels, path)
    return pixels


def read_mask(path: str | Path, flag: str, max_megapixels: float) -> np.ndarray:
    """The luminance of a mask file, float32 (H, W) in 0..1; UsageError as `read`.

    Where nothing reaches half of white the values may be labels: see `_labels_to_white`.
    """
    pixels = read(path, flag, max_megapixels, mask=True)
    luminance = pixels.astype(np.float64) @ LUMA / (255 if pixels.dtype == np.uint8 else 1)
    return _labels_to_white(luminance, Path(path)).astype(np.float32)


def count_frames(path: Path) -> int:
    """How many frames or pages a file has; 1 if that cannot be told."""
    with contextlib.suppress(Exception), quiet():
        with path.open("rb") as file:
            head = file.read(8)
            if head == png.SIGNATURE:
                with png.open_parts(file, png.scan(file).segments) as picture:
                    return _frames_of(picture)
        if head[:4] in TIFF_HEADS:
            return len(tiff.pages(path))
        with Image.open(path) as picture:
            return _frames_of(picture)
    return 1


def _frames_of(picture: Image.Image) -> int:
    with contextlib.suppress(Exception):
        return int(getattr(picture, "n_frames", 1)) if picture.format in ANIMATED else 1
    return 1


def _labels_to_white(light: np.ndarray, path: Path) -> np.ndarray:
    """A mask of a few lowest values in plain areas holds labels: all but the ground, 0, are white.

    light: (H, W) in 0..1. Noise on black is no label, and what is grey was painted too dark.
    """
    values = np.unique(light)
    if len(values) not in range(2, MOST_LABELS + 1) or values[0] > 0 or values[-1] > LABEL:
        return light
    if (light[:, 1:] == light[:, :-1]).mean() < PLAIN:
        return light
    log.info("%s: its values are taken as labels, all but 0 as white", path)
    return (light > 0).astype(np.float64)


def _reason(head: bytes, error: Exception) -> str:
    if "imagecodecs" in str(error):
        return (
            "is a TIFF picture of which the compression cannot be read here; save it "
            "uncompressed, or run 'pip install imagecodecs'"
        )
    return formats.unreadable(head)


@dataclass
class Decoder:
    """Reads one file; see `read`."""

    path: Path
    flag: str
    max_megapixels: float
    frame: int | None
    mask: bool

    def decode(self, head: bytes) -> np.ndarray:
        """The pixels of the file that begins with `head`. Raises anything if it is damaged."""
        if head.startswith(png.SIGNATURE):
            return self._png()
        if head[:4] in TIFF_HEADS:
            return self._tiff(head)
        with Image.open(self.path) as picture:
            return self._pillow(picture)

    # Formats ----------------------------------------------------------------------------------

    def _png(self) -> np.ndarray:
        with self.path.open("rb") as file:
            content = png.scan(file)
            with png.open_parts(file, content.segments) as picture:
                still = not content.animated or picture.n_frames == 1
                if content.bits < 16 or not still:
                    picture = self._load(picture)
                    return self._from_picture(picture, self._space(content), content.exif)
                self._check_size(*picture.size)
                self._choose(1)
            samples = png.read_deep(file, content)
        return self._from_png16(samples, content)

    def _from_png16(self, samples: np.ndarray, content: png.Png) -> np.ndarray:
        number = samples.shape[2]
        alpha = None
        if number in (2, 4):
            samples, alpha = samples[..., :-1], samples[..., -1]
        elif content.transparent is not None:
            alpha = (samples != np.array(content.transparent, np.uint16)).any(axis=2)
        white = ranges.of_significant_bits(samples, content.significant_bits)
        if white < 65535:
            log.info("%s: its values have %d bits", self.path, content.significant_bits)
        span = ranges.Range(0, white)
        values = ranges.to_unit(samples, span)
        if alpha is not None:
            alpha = ranges.to_unit(alpha, ranges.of_alpha(alpha, span))
        return self._from_values(values, alpha, self._space(content), content.exif.orientation)

    def _space(self, content: png.Png) -> colour.Space:
        space = colour.of_png(content)
        return colour.adobe_rgb() if content.exif.adobe_rgb and not space.stated else space

    def _tiff(self, head: bytes) -> np.ndarray:
        try:
            pages = tiff.pages(self.path)
        except Exception:
            with Image.open(self.path) as picture:
                return self._pillow(picture)
        whole = [i for i, page in enumerate(pages) if page.whole] or [0]
        largest = max(whole, key=lambda i: pages[i].size[0] * pages[i].size[1])
        index = self._choose(len(pages), "page", largest)
        page = pages[index]
        if page.raw or pages[0].raw or head[8:12] == b"CR\x02\0":
            raise UsageError(
                f"{self.flag} {self.path}: is {formats.RAW}, which cannot be read here; "
                f"{formats.DEVELOP}"
            )
        self._check_size(*page.size, samples=page.samples)
        ways = [self._tiff_picture, self._tiff_samples]
        if page.bits > 8 or page.floats_or_signed:
            ways.reverse()
        try:
            return ways[0](index, page)
        except UsageError:
            raise
        except Exception as error:
            try:
                return ways[1](index, page)
            except UsageError:
                raise
            except Exception as second:
                raise (error if "imagecodecs" in str(error) else second) from second

    def _tiff_picture(self, index: int, page: tiff.Page) -> np.ndarray:
        with Image.open(self.path, formats=["TIFF"]) as picture:
            picture.seek(index)
            # The page's tags have been read, in spite of damage; Pillow shall not turn it as well.
            picture.getexif, picture._size = Image.Exif, page.size
            picture.tag_v2.pop(exif.ORIENTATION, None)
            with silent():
                deep = tiff.read_deep(picture, self.path, index) if page.bits == 16 else None
                if deep is None:
                    picture.load()
            if deep is not None:
                return self._from_samples(tiff.interpret(deep, page), page)
            space = colour.Space(icc=page.icc)
            turned = exif.Exif(page.orientation or exif.xmp_orientation(picture.info.get("xmp")))
            return self._from_picture(picture, space, turned, page)

    def _tiff_samples(self, index: int, page: tiff.Page) -> np.ndarray:
        return self._from_samples(tiff.read(self.path, index, page), page)

    def _from_samples(self, samples: tiff.Samples, page: tiff.Page) -> np.ndarray:
        for words in samples.words:
            log.info("%s: %s", self.path, words)
        space = colour.Space(icc=page.icc)
        if samples.colours == "lab":
            lab = tiff.lab_to_bytes(samples.values)
            return self._from_picture(
                Image.frombytes("LAB", lab.shape[1::-1], lab.tobytes()),
                space,
                exif.Exif(page.orientation),
            )
        span = ranges.find(samples.values, page.white)
        self._say_range(span)
        values = ranges.to_unit(samples.values, span)
        if samples.colours == "cmyk":
            inks = np.rint(values * 255).astype(np.uint8)
            picture = Image.frombytes("CMYK", inks.shape[1::-1], inks.tobytes())
            return self._from_picture(picture, space, exif.Exif(page.orientation))
        if samples.inverted:
            values = 1 - values
        alpha = None
        if samples.alpha is not None:
            alpha = ranges.to_unit(samples.alpha, ranges.of_alpha(samples.alpha, span))
            if samples.premultiplied:
                values = (values / alpha.clip(1e-6, None)[..., None]).clip(0, 1)
        return self._from_values(values, alpha, space, page.orientation)

    def _pillow(self, picture: Image.Image) -> np.ndarray:
        """A picture of any other format."""
        picture = self._load(picture)
        found = exif.parse(picture.info.get("exif"))
        if picture.format == "TIFF":  # Pillow has turned it, or tells how to
            with contextlib.suppress(Exception):
                found = exif.Exif(picture.getexif().get(exif.ORIENTATION))
        if found.orientation is None:
            turned = exif.xmp_orientation(picture.info.get("xmp"))
            found = exif.Exif(turned, found.adobe_rgb)
        profile = picture.info.get("icc_profile")
        if profile is None and any(
            data.startswith(b"ICC_PROFILE") for _, data in getattr(picture, "applist", ())
        ):
            log.info("%s: its colour profile is not complete; taken as sRGB", self.path)
        space = colour.Space(icc=profile if isinstance(profile, bytes) and profile else None)
        if found.adobe_rgb and not space.stated:
            space = colour.adobe_rgb()
        return self._from_picture(picture, space, found)

    def _load(self, picture: Image.Image) -> Image.Image:
        self._check_size(*picture.size)
        number = _frames_of(picture)
        index = self._choose(number)
        if index or number > 1:
            picture.seek(index)
            self._check_size(*picture.size)
        with silent() if picture.format == "TIFF" else contextlib.nullcontext():
            picture.load()
        self._check_size(*picture.size)
        return picture

    # What all share ---------------------------------------------------------------------------

    def _choose(self, number: int, what: str = "frame", default: int = 0) -> int:
        """Which of so many frames or pages, from 0; says so if there is a choice."""
        if self.frame is not None and self.frame > number:
            have = f"has only {number} {what}s" if number > 1 else f"has only one {what}"
            raise UsageError(f"`frame` {self.frame}: {self.flag} {self.path} {have}")
        if self.frame is not None:
            return self.frame - 1
        if number > 1 and not self.mask:
            which = " (the largest)" if default else ""
            log.info(
                "%s: %s %d of %d is taken%s; --frame chooses",
                self.path, what, default + 1, number, which,
            )  # fmt: skip
        return default

    def _check_size(self, width: int, height: int, samples: int = 1) -> None:
        where, size = f"{self.flag} {self.path}", f"{width}x{height}"
        if width * height / 1e6 > self.max_megapixels:
            raise UsageError(
                f"{where}: the picture has {width * height / 1e6:.4g} megapixels ({size}); "
                f"`max_megapixels` {self.max_megapixels:g} allows no more"
            )
        if width * height * samples / 1e6 > max(4, self.max_megapixels) * tiff.MAX_SAMPLES:
            raise UsageError(f"{where}: the picture has {samples} channels, which are too many")
        if min(width, height) < 2:
            raise UsageError(f"{where}: the picture is only {size} pixels")

    def _from_picture(
        self, picture: Image.Image, space: colour.Space, found: exif.Exif,
        page: tiff.Page | None = None,
    ) -> np.ndarray:  # fmt: skip
        """A decoded Pillow picture of any mode."""
        if picture.mode.startswith("I") or picture.mode == "F":
            values = self._grey_values(np.asarray(picture), picture.format, page)
            return self._from_values(values[..., None], None, space, found.orientation)
        transparent = "transparency" in picture.info
        if transparent or picture.mode in ("RGBA", "LA", "PA", "RGBa", "La"):
            picture = picture.convert("LA" if picture.mode in ("LA", "La") else "RGBA")
        elif picture.mode not in ("1", "L", "RGB", "CMYK", "LAB"):
            picture = picture.convert("RGB")
        picture = colour.convert(picture, colour.Space() if self.mask else space, self.path)
        if picture.mode in ("RGBA", "LA"):
            picture = picture.convert("RGBA")
            if np.asarray(picture)[..., 3].min() < 255:
                self._say_transparent()
                ground = Image.new("RGBA", picture.size, (0 if self.mask else 255,) * 3 + (255,))
                picture = Image.alpha_composite(ground, picture)
        return exif.upright(np.asarray(picture.convert("RGB")), found.orientation)

    def _grey_values(
        self, samples: np.ndarray, file_format: str | None, page: tiff.Page | None
    ) -> np.ndarray:
        stated = page.white if page else None
        if samples.dtype.kind in "iu" and file_format not in GUESSED:
            stated = 65535.0
        span = ranges.find(samples, stated)
        self._say_range(span)
        values = ranges.to_unit(samples, span)
        inverted = page is not None and page.photometric == tiff.GREY_INVERTED
        return 1 - values if inverted else values

    def _from_values(
        self, values: np.ndarray, alpha: np.ndarray | None, space: colour.Space,
        orientation: int | None,
    ) -> np.ndarray:  # fmt: skip
        """Light in 0..1, (H, W, C), with alpha (H, W)."""
        if not self.mask:
            values = colour.convert(values, space, self.path)
        if values.shape[2] == 1:
            values = np.repeat(values, 3, axis=2)
        if alpha is not None and alpha.min() < 1:
            self._say_transparent()
            ground = np.float32(0 if self.mask else 1)
            values = ground + (values - ground) * alpha[..., None]
        return exif.upright(values, orientation)

    def _say_transparent(self) -> None:
        ground = "black" if self.mask else "white"
        log.info("%s: transparent parts are put on %s", self.path, ground)

    def _say_range(self, span: ranges.Range) -> None:
        if span.words:
            log.info("%s: %s", self.path, span.words)


def _say_if_blank(pixels: np.ndarray, path: Path) -> None:
    """Warn of a picture on which hardly anything can be seen."""
    step = max(1, int((pixels.shape[0] * pixels.shape[1] / 2**20) ** 0.5))
    light = pixels[::step, ::step] @ LUMA / (255 if pixels.dtype == np.uint8 else 1)
    for name, share in (("black", (light < DARK).mean()), ("white", (light > BRIGHT).mean())):
        if share >= NEARLY:
            log.warning("%s: the picture is nearly all %s; is it the right one?", path, name)
