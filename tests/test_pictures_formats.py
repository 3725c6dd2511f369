"""Files that cannot be read: one line says of which kind they are and what to do."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import pytest
import tifffile
from conftest import paint
from PIL import Image

from ConSinGAN import images
from ConSinGAN.errors import UsageError
from ConSinGAN.pictures.finding import find_pictures


def box(brand: bytes, *compatible: bytes) -> bytes:
    content = b"ftyp" + brand + b"\0\0\0\0" + b"".join(compatible)
    return struct.pack(">I", len(content) + 4) + content + b"\0\0\0\x08mdat" * 20


KINDS = [
    (box(b"heic", b"mif1", b"heic"), "an HEIC picture", "PNG or JPEG"),
    (box(b"mif1", b"mif1", b"heic"), "an HEIC picture", "PNG or JPEG"),
    (box(b"mif1", b"mif1"), "an HEIF picture", "PNG or JPEG"),
    (box(b"avif", b"mif1"), "an AVIF picture", "PNG or JPEG"),
    (box(b"crx "), "a camera's raw file", "develop"),
    (box(b"isom", b"mp42"), "a video", "frame"),
    (box(b"qt  "), "a video", "frame"),
    (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "an SVG drawing", "PNG"),
    (b"<?xml version='1.0'?>\n<!-- by hand -->\n<svg>", "an SVG drawing", "PNG"),
    (b"\n<!DOCTYPE html><html><svg></svg>", "a web page", "save the picture"),
    (b"\xef\xbb\xbf<html>", "a web page", "save the picture"),
    (b"%PDF-1.7\n%\xe2\xe3", "a PDF document", "PNG or JPEG"),
    (b"%!PS-Adobe-3.0 EPSF", "a PostScript drawing", "PNG or JPEG"),
    (b"8BPS\0\1broken", "a Photoshop picture", "PNG or JPEG"),
    (b"gimp xcf v011\0", "a GIMP picture", "export"),
    (b"\xff\x0a\xfa\x7f", "a JPEG XL picture", "PNG or JPEG"),
    (b"\0\0\0\x0cJXL \r\n\x87\n", "a JPEG XL picture", "PNG or JPEG"),
    (b"II*\0\x10\0\0\0CR\x02\0" + bytes(99), "a camera's raw file", "develop"),
    (b"FUJIFILMCCD-RAW 0201", "a camera's raw file", "develop"),
    (b"IIRO\x08\0\0\0", "a camera's raw file", "develop"),
    (b"IIU\0\x18\0\0\0", "a camera's raw file", "develop"),
    (b"\x76\x2f\x31\x01\x02", "an OpenEXR picture", "PNG or JPEG"),
    (b"PK\x03\x04\x14\0", "a ZIP archive", "unpack"),
    (b"\x1f\x8b\x08\0", "a gzip archive", "unpack"),
    (b"\x1aE\xdf\xa3\x01", "a video", "frame"),
    (b"RIFF\x10\0\0\0AVI LIST", "a video", "frame"),
    (b"RIFF\x10\0\0\0WAVEfmt ", "a sound", "picture"),
    (b"version https://git-lfs.github.com/spec/v1\noid", "Git LFS pointer", "git lfs pull"),
    (b"just words\nin lines", "a text file", "picture"),
    ("Stra\u00dfe".encode("utf-16"), "a text file", "picture"),
    (b"", "an empty file", "again"),
    (bytes(5000), "zeros", "again"),
    (b"\x89PNG\r\n\x1a\nbroken", "a PNG picture, but damaged", "again"),
    (b"\xff\xd8\xff\xe0\0\x10", "a JPEG picture, but damaged", "again"),
    (b"\x01\x02\x03\xfe\x00rubbish", "not a readable picture", "PNG or JPEG"),
]  # fmt: skip


@pytest.mark.parametrize(("content", "what", "advice"), KINDS)
def test_the_kind_is_named(tmp_path: Path, content: bytes, what: str, advice: str) -> None:
    path = tmp_path / "holiday.png"  # the name tells nothing
    path.write_bytes(content)
    for read in (images.read_image, images.read_mask):
        with pytest.raises(UsageError) as error:
            read(path, flag="--some_flag")
        message = str(error.value)
        assert message.startswith(f"--some_flag {path}: ")
        assert what in message
        assert advice in message
        assert "\n" not in message


@pytest.mark.parametrize("kind", ["dng", "nef", "cfa"])
def test_raw_files_that_are_tiffs_are_not_mistaken_for_their_preview(
    tmp_path: Path, kind: str
) -> None:
    mosaic = np.arange(64, dtype=np.uint16).reshape(8, 8)
    with tifffile.TiffWriter(tmp_path / "a.tif") as writer:
        if kind == "dng":
            tags = [(50706, "B", 4, (1, 4, 0, 0), True)]
            writer.write(paint(), photometric="rgb", subfiletype=1, extratags=tags)
        elif kind == "nef":
            writer.write(paint(), photometric="rgb", subfiletype=1, subifds=1)
            writer.write(mosaic, photometric="cfa", extratags=_pattern())
        else:
            writer.write(mosaic, photometric="cfa", extratags=_pattern())
    with pytest.raises(UsageError, match=r"a\.tif: is a camera's raw file.*develop"):
        images.read_image(tmp_path / "a.tif")


def _pattern() -> list:
    return [(33421, "H", 2, (2, 2), True), (33422, "B", 4, (0, 1, 1, 2), True)]


@pytest.mark.parametrize(
    "url", ["https://example.org/a/b.png", "http://example.org/x", "ftp://h/y"]
)
def test_addresses_are_shown_as_typed(url: str) -> None:
    for name in (url, Path(url)):
        with pytest.raises(UsageError, match=f"^input_name {url}: is an address.*download"):
            images.read_image(name)
    with pytest.raises(UsageError, match=f"FAKE {url}: is an address"):
        find_pictures(url, "FAKE")


def test_long_addresses() -> None:
    url = "https://example.org/picture?" + "x" * 400
    with pytest.raises(UsageError, match=r"https://example\.org/picture.*is an address"):
        images.read_image(url)


def test_addresses_of_files() -> None:
    with pytest.raises(UsageError, match=r"file:///home/a\.png: is an address; give the path"):
        images.read_image("file:///home/a.png")


def test_a_file_may_have_a_colon_in_its_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Image.fromarray(paint()).save(tmp_path / "12:30.png")
    assert images.read_image("12:30.png").shape == (1, 3, 32, 48)
    with pytest.raises(UsageError, match="there is no such file"):
        images.read_image("c:picture.png")


def test_sizes_are_the_files_own(tmp_path: Path) -> None:
    Image.new("RGB", (310, 20)).save(tmp_path / "a.png")
    with pytest.raises(UsageError, match=r"0\.0062 megapixels \(310x20\).*max_megapixels 0.006 "):
        images.read_image(tmp_path / "a.png", max_megapixels=0.006)
    Image.new("RGB", (1, 50)).save(tmp_path / "b.png")
    with pytest.raises(UsageError, match="only 1x50 pixels"):
        images.read_image(tmp_path / "b.png")
