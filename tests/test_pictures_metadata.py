"""What is not about pixels never refuses a picture; damaged pixels do; libraries stay silent."""

from __future__ import annotations

import io
import struct
import subprocess
import sys
import zlib
from pathlib import Path

import numpy as np
import pytest
import tifffile
from conftest import ROOT, paint
from picture_files import SIGNATURE, assert_levels, chunk, exif_block, levels_of, write_png
from PIL import Image

from ConSinGAN import images
from ConSinGAN.errors import UsageError
from ConSinGAN.pictures import exif, png

BROKEN_EXIF = [b"", b"rubbish", b"II*\0", b"II*\0\xff\xff\xff\xff", b"MM\0*\0\0\0\x08\xff\xff",
               b"II*\0\x08\0\0\0\x01\0\x12\x01\x03\0", b"Exif\0\0", b"\0" * 30]  # fmt: skip


def unpackable(size: int) -> bytes:
    """A text chunk that unpacks to so many bytes."""
    return chunk(b"zTXt", b"workflow\0\0" + zlib.compress(b"x" * size))


PNG_METADATA = [
    *(chunk(b"eXIf", block) for block in BROKEN_EXIF),
    unpackable(2_000_000), unpackable(200_000_000) * 3,
    chunk(b"iTXt", b"workflow\0\1\0\0\0" + zlib.compress(b"x" * 3_000_000)),
    chunk(b"zTXt", b"workflow\0\0rubbish"), chunk(b"zTXt", b""), chunk(b"iTXt", b"a\0\1"),
    chunk(b"tEXt", b"comment\0wrong checksum", sound=False),
    chunk(b"tEXt", b"a\0" + b"x" * 3_000_000),
    chunk(b"iCCP", b"profile\0\0" + zlib.compress(b"x" * 40_000_000)),
    chunk(b"pHYs", b"short"), chunk(b"tIME", b"", sound=False), chunk(b"gAMA", b"\0"),
    chunk(b"cHRM", b"\0\0"), chunk(b"sRGB", b""), chunk(b"sBIT", b""), chunk(b"cICP", b"\1"),
    chunk(b"tRNS", b"\0\0\0\0\0\0", sound=False), chunk(b"acTL", b"\0" * 8, sound=False),
    chunk(b"acTL", b"\0" * 8), chunk(b"prIv", b"\0" * 100, sound=False),
]  # fmt: skip


@pytest.mark.parametrize("index", range(len(PNG_METADATA)))
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_png(tmp_path: Path, index: int, dtype: type) -> None:
    levels = paint() if dtype == np.uint8 else paint().astype(np.uint16) * 257
    path = write_png(tmp_path / "a.png", levels, PNG_METADATA[index])
    assert_levels(images.read_image(path), paint(), 1e-4)


@pytest.mark.parametrize("block", BROKEN_EXIF)
@pytest.mark.parametrize("name", ["a.jpg", "a.webp"])
def test_broken_exif(tmp_path: Path, block: bytes, name: str) -> None:
    plain, other = tmp_path / f"plain_{name}", tmp_path / name
    Image.fromarray(paint()).save(plain)
    Image.fromarray(paint()).save(other, exif=b"Exif\0\0" + block)
    assert images.read_image(other).equal(images.read_image(plain))


@pytest.mark.parametrize("order", "<>")
@pytest.mark.parametrize("name", ["a.jpg", "a.webp", "a.png"])
def test_orientation_is_found_in_exif_that_is_cut_off(
    tmp_path: Path, order: str, name: str
) -> None:
    block = exif_block(6, order)
    block = block[:9] + b"\x63" + block[10:] if order == ">" else block[:8] + b"\x63" + block[9:]
    picture = Image.fromarray(paint())
    picture.save(tmp_path / f"plain_{name}")
    picture.save(tmp_path / name, exif=b"Exif\0\0" + block[:-4])
    turned = levels_of(images.read_image(tmp_path / name))
    plain = levels_of(images.read_image(tmp_path / f"plain_{name}"))
    np.testing.assert_array_equal(turned, np.rot90(plain, -1))


def test_orientation_in_other_places(tmp_path: Path) -> None:
    raw = exif_block(6)
    text = f"\nexif\n{len(raw):8}\n{raw.hex()}\n".encode()
    xmp = b'<x:xmpmeta><rdf:Description tiff:Orientation="6"/></x:xmpmeta>'
    for extra in (
        chunk(b"zTXt", b"Raw profile type exif\0\0" + zlib.compress(text)),
        chunk(b"tEXt", b"Raw profile type APP1\0" + text),
        chunk(b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0" + xmp),
    ):
        path = write_png(tmp_path / "a.png", paint(), extra)
        assert_levels(images.read_image(path), np.rot90(paint(), -1))
    tifffile.imwrite(tmp_path / "a.tif", paint(), photometric="rgb",
                     extratags=[(274, "H", 1, 6, True)])  # fmt: skip
    assert_levels(images.read_image(tmp_path / "a.tif"), np.rot90(paint(), -1))
    deep = (paint() / 255).astype(np.float32)
    tifffile.imwrite(tmp_path / "b.tif", deep, photometric="rgb",
                     extratags=[(274, "H", 1, 6, True)])  # fmt: skip
    assert_levels(images.read_image(tmp_path / "b.tif"), np.rot90(paint(), -1))


def test_exif_that_points_at_itself() -> None:
    block = b"II*\0" + struct.pack("<IHHHII", 8, 1, 0x8769, 4, 1, 8)
    assert exif.parse(block) == exif.Exif()
    assert exif.parse(exif_block(9)).orientation is None
    assert exif.parse(exif_block(6)).orientation == 6


def test_tiff_tags_that_are_not_about_pixels(tmp_path: Path) -> None:
    for samples in (paint(), paint().astype(np.uint16) * 257):
        tifffile.imwrite(
            tmp_path / "a.tif", samples, photometric="rgb", software="somebody",
            resolution=(300, 300), extratags=[(700, "B", 9, b"not a map", True)],
        )  # fmt: skip
        with tifffile.TiffFile(tmp_path / "a.tif") as file:
            entries = [file.pages[0].tags[tag].offset for tag in (282, 283, 305, 700)]
        intact = bytearray((tmp_path / "a.tif").read_bytes())
        for garbage in (b"\xff" * 4, b"\0" * 4):
            for entry in entries:
                content = intact.copy()
                content[entry + 8 : entry + 12] = garbage
                content[entry + 4 : entry + 8] = b"\xff\xff\xff\x0f"
                (tmp_path / "b.tif").write_bytes(content)
                assert_levels(images.read_image(tmp_path / "b.tif"), paint(), 0.01)


# Pixels ---------------------------------------------------------------------------------------


def test_damaged_pixels_are_refused_with_or_without_metadata(tmp_path: Path) -> None:
    for levels in (paint(), paint().astype(np.uint16) * 257):
        path = write_png(tmp_path / "a.png", levels, unpackable(10))
        intact = path.read_bytes()
        start = intact.index(b"IDAT")
        for content in (
            intact[: start + 500], intact[:start], intact[: start + 300] + intact[start + 310 :],
            intact[:12] + b"JUNK" + intact[16:], intact[: len(SIGNATURE)],
        ):  # fmt: skip
            path.write_bytes(content)
            with pytest.raises(UsageError, match=r"a\.png"):
                images.read_image(path)


def test_an_excerpt_is_read_like_a_file() -> None:
    content = bytes(range(100))
    excerpt = png.Excerpt(io.BytesIO(content), [(0, 10), (20, 25), (50, 90)])
    whole = content[:10] + content[20:25] + content[50:90]
    assert excerpt.read() == whole
    for start in range(0, 56, 3):
        excerpt.seek(start)
        assert excerpt.read(9) == whole[start : start + 9]
        assert excerpt.tell() == min(len(whole), start + 9) or start >= len(whole)
    assert excerpt.seek(-5, io.SEEK_END) == len(whole) - 5
    assert excerpt.seek(2, io.SEEK_CUR) == len(whole) - 3


# The screen -----------------------------------------------------------------------------------

READ_ALL = """
import sys
from pathlib import Path
import numpy as np
from ConSinGAN import images
from ConSinGAN.errors import UsageError
rng = np.random.default_rng(0)
for path in sorted(Path(sys.argv[1]).iterdir()):
    intact = path.read_bytes()
    for trial in range(60):
        data = bytearray(intact)
        if trial % 3 == 0:
            data = data[: rng.integers(1, len(data))]
        else:
            top = 300 if trial % 3 == 1 else len(data)
            for position in rng.integers(0, min(len(data), top), 3):
                data[position] = rng.integers(256)
        path.write_bytes(data)
        for read in (images.read_image, images.read_mask):
            try:
                read(path, max_megapixels=1)
            except UsageError as error:
                assert path.name in str(error)
"""


def test_nothing_of_the_libraries_reaches_the_screen(tmp_path: Path) -> None:
    """Neither warnings, nor their logs, nor what C libraries print, of 1000 damaged files."""
    folder = tmp_path / "files"
    folder.mkdir()
    picture = Image.fromarray(paint())
    for name in ("a.jpg", "a.gif", "a.webp", "a.bmp", "a.png"):
        picture.save(folder / name)
    for name in ("tiff_lzw", "tiff_adobe_deflate", "jpeg", "packbits", "raw"):
        picture.save(folder / f"{name}.tif", compression=name)
    picture.convert("1").save(folder / "group4.tif", compression="group4")
    for name, samples in (
        ("float", (paint() / 255).astype(np.float32)), ("deep", paint().astype(np.uint16) * 257)
    ):  # fmt: skip
        for packing in (None, "zlib"):
            tifffile.imwrite(
                folder / f"{name}{packing}.tif", samples, photometric="rgb", compression=packing
            )
    write_png(folder / "deep.png", paint().astype(np.uint16) * 257)
    picture.save(folder / "b.png", save_all=True, append_images=[picture.rotate(180)])
    picture.save(folder / "b.jpg", "MPO", save_all=True, append_images=[picture.rotate(180)])
    done = subprocess.run(
        [sys.executable, "-c", READ_ALL, str(folder)], cwd=ROOT, capture_output=True, text=True
    )
    assert (done.returncode, done.stdout) == (0, ""), done.stderr
    library = [line for line in done.stderr.splitlines() if "nearly all" not in line]
    assert library == []
