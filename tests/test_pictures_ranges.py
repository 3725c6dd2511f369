"""Numbers of every kind: what is white is what the file states, or what a person would take."""

from __future__ import annotations

import logging
from pathlib import Path

import numpy as np
import pytest
import tifffile
from conftest import paint
from picture_files import assert_levels, chunk, levels_of, write_png

from ConSinGAN import images
from ConSinGAN.errors import UsageError
from ConSinGAN.pictures import ranges

GREY = np.arange(256, dtype=np.uint8).reshape(16, 16)
UNIT = GREY / 255


@pytest.fixture(autouse=True)
def listening(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "ConSinGAN")


def write_tiff(path: Path, samples: np.ndarray, **options: object) -> Path:
    options = {"photometric": "rgb" if samples.ndim == 3 else "minisblack"} | options
    tifffile.imwrite(path, samples, **options)
    return path


# Floats ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("stray", [1.02, -0.01, 40.0, np.inf, -np.inf, np.nan, 1e30])
def test_one_stray_value_decides_nothing(tmp_path: Path, stray: float) -> None:
    values = UNIT.astype(np.float32)
    values[3, 5] = stray
    read = levels_of(images.read_image(write_tiff(tmp_path / "a.tif", values)))
    usual = np.ones_like(GREY, bool)
    usual[3, 5] = False
    np.testing.assert_allclose(read[usual][:, 0], GREY[usual], atol=0.01)


@pytest.mark.parametrize("white", [255, 1023, 4095, 16383, 65535])
@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.int32, np.uint32])
def test_white_is_guessed_in_steps(
    tmp_path: Path, white: int, dtype: type, caplog: pytest.LogCaptureFixture
) -> None:
    values = (UNIT * white).astype(dtype)
    path = write_tiff(tmp_path / "a.tif", values)
    assert_levels(images.read_image(path), np.floor(UNIT * white + 1e-6) / white * 255, 0.3)
    assert len(caplog.messages) == 1
    assert str(white) in caplog.messages[0]
    assert "a.tif" in caplog.messages[0]


def test_a_hot_pixel_does_not_hide_the_bits(tmp_path: Path) -> None:
    values = np.round(UNIT * 4095).astype(np.uint16)
    values[3, 5] = 65535
    read = levels_of(images.read_image(write_tiff(tmp_path / "a.tif", values)))
    assert np.abs(read[..., 0] - GREY).max(where=values < 4096, initial=0) < 0.2


def test_lamps_in_the_dark_stay_lamps(tmp_path: Path) -> None:
    values = np.full((100, 100), 3000, np.uint16)
    values[50, 40:44] = 65535
    assert_levels(images.read_image(write_tiff(tmp_path / "a.tif", values)), values / 257)


@pytest.mark.parametrize("white", [255, 65535])
def test_dark_pictures_are_not_stretched_to_the_last(tmp_path: Path, white: int) -> None:
    values = (UNIT * white * 0.6).astype(np.float32)
    assert_levels(images.read_image(write_tiff(tmp_path / "a.tif", values)), GREY * 0.6)


def test_floats_around_zero(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = write_tiff(tmp_path / "a.tif", (UNIT * 2 - 1).astype(np.float32))
    assert_levels(images.read_image(path), GREY)
    assert "-1" in caplog.messages[0]


def test_resized_floats_overshoot_on_both_sides(tmp_path: Path) -> None:
    values = UNIT * 1.14 - 0.07
    read = images.read_image(write_tiff(tmp_path / "a.tif", values.astype(np.float32)))
    assert_levels(read, values.clip(0, 1) * 255)


def test_other_floats_are_stretched(tmp_path: Path) -> None:
    for values in (UNIT * 7, UNIT * 1000 - 500, UNIT * 1e6 + 1e5, UNIT * 1e-3 - 5):
        read = levels_of(
            images.read_image(write_tiff(tmp_path / "a.tif", values.astype(np.float32)))
        )
        np.testing.assert_allclose(read[..., 0], GREY, atol=1.5)


@pytest.mark.parametrize("value", [0.0, 0.25, 1.0])
def test_one_colour_stays_what_it_is(tmp_path: Path, value: float) -> None:
    path = write_tiff(tmp_path / "a.tif", np.full((8, 8), value, np.float32))
    assert_levels(images.read_image(path), np.full((8, 8), value * 255))


# Whole numbers --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("dtype", "low", "high"),
    [(np.int16, -32768, 32767), (np.int16, 0, 32767), (np.int8, -128, 127), (np.int16, 0, 4095),
     (np.int32, -(2**31), 2**31 - 1), (np.uint32, 0, 2**32 - 1), (np.int16, -1500, 1500)],
)  # fmt: skip
def test_signed_and_long_numbers(tmp_path: Path, dtype: type, low: int, high: int) -> None:
    values = np.round(low + UNIT * (high - low)).clip(low, high).astype(dtype)
    assert_levels(images.read_image(write_tiff(tmp_path / "a.tif", values)), GREY, 1.5)


@pytest.mark.parametrize("white", [255, 1023, 4095, 16383])
def test_fewer_bits_in_sixteen(
    tmp_path: Path, white: int, caplog: pytest.LogCaptureFixture
) -> None:
    values = np.round(UNIT * white).astype(np.uint16)
    assert_levels(images.read_image(write_tiff(tmp_path / "a.tif", values)), GREY, 0.2)
    assert str(white) in caplog.messages[0]


def test_what_a_tiff_states_counts(tmp_path: Path) -> None:
    values = np.round(UNIT * 1000).astype(np.uint16)
    for stated in (1000, 4095, 65535):
        path = write_tiff(tmp_path / "a.tif", values, extratags=[(281, "H", 1, stated, False)])
        assert_levels(images.read_image(path), values / stated * 255, 0.3)


def test_statements_that_cannot_be_right_are_passed_over(tmp_path: Path) -> None:
    values = np.round(UNIT * 65535).astype(np.uint16)
    for stated in (1, 255, 50000):  # the last is the largest value of some picture
        path = write_tiff(tmp_path / "a.tif", values, extratags=[(281, "H", 1, stated, False)])
        assert_levels(images.read_image(path), GREY, 0.3)
    path = write_tiff(
        tmp_path / "b.tif", (UNIT * 0.8).astype(np.float32), extratags=[(341, "f", 1, 0.8, False)]
    )
    assert_levels(images.read_image(path), GREY * 0.8, 0.3)


@pytest.mark.parametrize("bits", [10, 12, 14])
@pytest.mark.parametrize("channels", [1, 3])
def test_packed_samples(tmp_path: Path, bits: int, channels: int) -> None:
    levels = GREY[..., None].repeat(channels, axis=2) if channels == 3 else GREY
    values = np.round(levels / 255 * 0.2 * (2**bits - 1)).astype(np.uint16)
    rows = values.reshape(16, -1, 1) >> np.arange(bits)[::-1] & 1
    packed = np.packbits(rows.reshape(16, -1).astype(np.uint8), axis=1).tobytes()
    path = write_tiff(tmp_path / "a.tif", np.zeros_like(values))
    with tifffile.TiffFile(path, mode="r+") as file:
        tags = file.pages[0].tags
        offset = file.pages[0].dataoffsets[0]
        tags["BitsPerSample"].overwrite(bits if channels == 1 else (bits,) * 3)
        tags["StripByteCounts"].overwrite(len(packed))
    content = bytearray(path.read_bytes())
    content[offset : offset + len(packed)] = packed
    path.write_bytes(content)
    assert_levels(images.read_image(path), levels * 0.2, 0.2)


def test_white_is_zero(tmp_path: Path) -> None:
    for samples in (GREY.astype(np.uint16) * 257, UNIT.astype(np.float32), GREY):
        path = write_tiff(tmp_path / "a.tif", samples, photometric="miniswhite")
        assert_levels(images.read_image(path), 255.0 - GREY, 0.01)


# Channels, planes, packings -------------------------------------------------------------------


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32, np.float64])
@pytest.mark.parametrize("planar", ["contig", "separate"])
@pytest.mark.parametrize("compression", [None, "zlib"])
def test_colour_tiffs(tmp_path: Path, dtype: type, planar: str, compression: str | None) -> None:
    white = {np.uint8: 255, np.uint16: 65535}.get(dtype, 1)
    values = (paint() / 255 * white).round(12).astype(dtype)
    if planar == "separate":
        values = values.transpose(2, 0, 1)
    path = write_tiff(tmp_path / "a.tif", values, planarconfig=planar, compression=compression)
    assert_levels(images.read_image(path), paint(), 0.01)


def test_sixteen_bits_that_only_pillow_unpacks_keep_their_precision(tmp_path: Path) -> None:
    """LZW: written by hand with codes that stand for one byte each, and many resets."""
    values = np.random.default_rng(0).integers(0, 65536, (6, 5, 3)).astype(np.uint16)
    path = write_tiff(tmp_path / "a.tif", values, rowsperstrip=6)
    codes = [256]
    for index, byte in enumerate(values.astype("<u2").tobytes()):
        codes += [256] if index and index % 100 == 0 else []
        codes.append(byte)
    bits = "".join(f"{code:09b}" for code in [*codes, 257])
    packed = np.packbits(np.array([int(bit) for bit in bits], np.uint8)).tobytes()
    content = path.read_bytes()
    path.write_bytes(content + packed)
    with tifffile.TiffFile(path, mode="r+") as file:
        tags = file.pages[0].tags
        tags["Compression"].overwrite(5)
        tags["StripOffsets"].overwrite(len(content))
        tags["StripByteCounts"].overwrite(len(packed))
    assert_levels(images.read_image(path), values / 257, 0.01)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
@pytest.mark.parametrize("kind", ["unassalpha", "assocalpha"])
def test_tiff_transparency(tmp_path: Path, dtype: type, kind: str) -> None:
    white = {np.uint8: 255, np.uint16: 65535}.get(dtype, 1)
    share = UNIT[..., None].clip(0.2, 1)
    colour = paint(16, 16) / 255
    stored = np.concatenate([colour * (share if kind == "assocalpha" else 1), share], axis=2)
    path = write_tiff(
        tmp_path / "a.tif", (stored * white).round(9).astype(dtype), extrasamples=[kind]
    )
    expected = (share * colour + 1 - share) * 255
    assert_levels(images.read_image(path), expected, 4 if dtype == np.uint8 else 0.1)


def test_more_channels_than_colours(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    values = np.concatenate([paint(), paint(seed=1)], axis=2).astype(np.uint16) * 257
    path = write_tiff(tmp_path / "a.tif", values, photometric="minisblack", planarconfig="contig")
    assert_levels(images.read_image(path), paint(), 0.01)
    assert "6 channels" in caplog.text


def test_sixteen_bit_cmyk_and_tiles(tmp_path: Path) -> None:
    inks = np.concatenate([255 - paint(), np.zeros_like(paint()[..., :1])], axis=2)
    path = write_tiff(tmp_path / "a.tif", inks.astype(np.uint16) * 257, photometric="separated")
    assert_levels(images.read_image(path), paint(), 1)
    path = write_tiff(tmp_path / "b.tif", paint().astype(np.uint16) * 257, tile=(16, 16))
    assert_levels(images.read_image(path), paint(), 0.01)


def test_packings_that_nobody_here_knows_are_said(tmp_path: Path) -> None:
    path = write_tiff(tmp_path / "a.tif", (paint() / 255).astype(np.float32))
    with tifffile.TiffFile(path, mode="r+") as file:
        file.pages[0].tags["Compression"].overwrite(34887)  # LERC
    with pytest.raises(UsageError, match=r"a\.tif: is a TIFF .*compression.*imagecodecs"):
        images.read_image(path)


@pytest.mark.parametrize("options", [{}, {"compression": "zlib"}, {"tile": (16, 16)}])
def test_deep_tiffs_that_are_cut_off_are_refused(tmp_path: Path, options: dict) -> None:
    path = write_tiff(tmp_path / "a.tif", paint().astype(np.float32), **options)
    path.write_bytes(path.read_bytes()[:-50])
    with pytest.raises(UsageError, match=r"a\.tif"):
        images.read_image(path)


def test_strips_that_unpack_to_far_more_are_refused(tmp_path: Path) -> None:
    path = write_tiff(tmp_path / "a.tif", np.zeros((400, 400, 3), np.float32), compression="zlib")
    with tifffile.TiffFile(path, mode="r+") as file:
        for name in ("ImageWidth", "ImageLength", "RowsPerStrip"):
            file.pages[0].tags[name].overwrite(4)
    with pytest.raises(UsageError, match=r"a\.tif"):
        images.read_image(path)


def test_the_limit_holds_for_deep_tiffs(tmp_path: Path) -> None:
    path = write_tiff(tmp_path / "a.tif", np.zeros((64, 64), np.float32))
    with tifffile.TiffFile(path, mode="r+") as file:
        for name in ("ImageWidth", "ImageLength"):
            file.pages[0].tags[name].overwrite(60000)
    with pytest.raises(UsageError, match=r"3600 megapixels \(60000x60000\)"):
        images.read_image(path)


# PNG ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_deep_pngs_keep_all_bits(tmp_path: Path, channels: int) -> None:
    rng = np.random.default_rng(0)
    values = rng.integers(0, 65536, (9, 7, channels)).astype(np.uint16)
    colour = values[..., :-1] if channels in (2, 4) else values
    share = values[..., -1:] / 65535 if channels in (2, 4) else 1
    expected = np.broadcast_to((share * colour + (1 - share) * 65535) / 257, (9, 7, 3))
    assert_levels(images.read_image(write_png(tmp_path / "a.png", values)), expected, 0.01)


def test_transparent_colours_of_deep_pngs(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    grey = GREY.astype(np.uint16) * 256 + 7
    trns = chunk(b"tRNS", int(grey[2, 3]).to_bytes(2, "big"))
    expected = grey / 257
    expected[2, 3] = 255
    assert_levels(images.read_image(write_png(tmp_path / "a.png", grey, trns)), expected)
    assert "white" in caplog.text
    colour = paint().astype(np.uint16) * 256 + 3
    colour[5, 6] = (1, 2, 3)
    colour[5, 7] = (1, 2, 4)  # nearly the same
    expected = colour / 257
    expected[5, 6] = 255
    trns = chunk(b"tRNS", bytes([0, 1, 0, 2, 0, 3]))
    assert_levels(images.read_image(write_png(tmp_path / "b.png", colour, trns)), expected)


def test_dark_pngs_stay_dark(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    dark = GREY.astype(np.uint16) * 8
    assert_levels(images.read_image(write_png(tmp_path / "a.png", dark)), dark / 257)
    assert "nearly all black" in caplog.text


def test_significant_bits(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    twelve = np.round(UNIT * 4095).astype(np.uint16)
    unscaled = write_png(tmp_path / "a.png", twelve, chunk(b"sBIT", b"\x0c"))
    assert_levels(images.read_image(unscaled), GREY, 0.1)
    assert "12 bits" in caplog.text
    opaque = np.stack([twelve, np.full_like(twelve, 4095)], axis=2)
    unscaled = write_png(tmp_path / "c.png", opaque, chunk(b"sBIT", b"\x0c\x0c"))
    assert_levels(images.read_image(unscaled), GREY, 0.1)
    for scaled in (twelve << 4 | twelve >> 8, (twelve // 16) << 4 | (twelve // 16) >> 8):
        path = write_png(tmp_path / "b.png", scaled.astype(np.uint16), chunk(b"sBIT", b"\x0c"))
        assert_levels(images.read_image(path), scaled / 257)


# Blank pictures -------------------------------------------------------------------------------


@pytest.mark.parametrize(("level", "name"), [(0, "black"), (6, "black"), (255, "white")])
def test_blank_pictures_are_said(
    tmp_path: Path, level: int, name: str, caplog: pytest.LogCaptureFixture
) -> None:
    levels = np.full((32, 32, 3), level, np.uint8)
    levels[4, 5] = (200, 10, 90)
    images.read_image(write_png(tmp_path / "a.png", levels))
    assert [record.levelname for record in caplog.records] == ["WARNING"]
    assert f"nearly all {name}" in caplog.messages[0]
    caplog.clear()
    images.read_mask(write_png(tmp_path / "m.png", levels * 0))
    images.read_image(write_png(tmp_path / "b.png", paint()))
    assert caplog.messages == []


# The guess itself -----------------------------------------------------------------------------


def test_the_bulk_of_nothing_finite() -> None:
    assert ranges.bulk(np.full(9, np.nan)) == (0, 1)


def test_a_small_object_on_a_plain_ground_counts() -> None:
    values = np.zeros((100, 100), np.float32)
    values[0, 0] = 255
    assert ranges.find(values).white == 255
