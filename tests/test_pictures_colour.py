"""Colour profiles and PNG's own statements: what is read is what a browser shows."""

from __future__ import annotations

import io
import logging
import struct
from pathlib import Path

import numpy as np
import pytest
from conftest import paint
from picture_files import (
    ADOBE,
    P3,
    SRGB,
    assert_levels,
    chrm,
    chunk,
    cmyk_profile,
    gama,
    icc_profile,
    iccp,
    levels_of,
    write_png,
)
from PIL import Image, ImageCms

from ConSinGAN import images
from ConSinGAN.pictures import icc

GREY = np.arange(256, dtype=np.uint8).reshape(16, 16)


@pytest.fixture(autouse=True)
def listening(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "ConSinGAN")


def managed(picture: Image.Image, profile: bytes) -> np.ndarray:
    """What LittleCMS makes of a picture."""
    source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
    srgb = ImageCms.createProfile("sRGB")
    return np.asarray(ImageCms.profileToProfile(picture, source, srgb, outputMode="RGB"))


def every_colour() -> np.ndarray:
    """All corners and many colours between, with greys and darks: uint8 (32, 64, 3)."""
    levels = np.random.default_rng(0).integers(0, 256, (32, 64, 3)).astype(np.uint8)
    levels[:4] //= 16
    levels[4:8] = levels[4:8, :, :1]
    return levels


PROFILES = {
    "Display P3": (P3, None), "Adobe RGB": (ADOBE, 563 / 256), "linear": (SRGB, 1.0),
    "linear P3": (P3, 1.0), "gamma 1.8": (SRGB, 1.8),
}  # fmt: skip

# Profiles -------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", PROFILES)
@pytest.mark.parametrize("extension", ["png", "jpg", "webp", "tif"])
def test_profiles_are_applied(tmp_path: Path, name: str, extension: str) -> None:
    profile, path = icc_profile(*PROFILES[name]), tmp_path / f"a.{extension}"
    Image.fromarray(every_colour()).save(path, icc_profile=profile)
    with Image.open(path) as picture:
        expected = managed(picture.convert("RGB"), profile)
        assert np.abs(expected - np.asarray(picture.convert("RGB")).astype(int)).max() > 10
    assert_levels(images.read_image(path), expected, 1)


@pytest.mark.parametrize("name", PROFILES)
def test_sixteen_bits_keep_their_precision(tmp_path: Path, name: str) -> None:
    profile, levels = icc_profile(*PROFILES[name]), every_colour()
    deep = write_png(tmp_path / "a.png", levels.astype(np.uint16) * 257, iccp(profile))
    expected = managed(Image.fromarray(levels), profile)
    assert_levels(images.read_image(deep), expected, 1)
    ramp = np.linspace(20000, 23000, 4096).astype(np.uint16).reshape(64, 64, 1).repeat(3, axis=2)
    read = levels_of(images.read_image(write_png(tmp_path / "b.png", ramp, iccp(profile))))
    assert len(np.unique(read)) > 100  # 12 in 8 bits


def test_srgb_profiles_change_nothing(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    built_in = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    for profile in (icc_profile(SRGB), built_in):
        for levels in (paint(), paint().astype(np.uint16) * 257):
            path = write_png(tmp_path / "a.png", levels, iccp(profile))
            assert_levels(images.read_image(path), paint(), 1e-4)
    assert caplog.messages == []


def test_grey_profiles(tmp_path: Path) -> None:
    profile = icc_profile(None, 1.8)
    expected = managed(Image.fromarray(GREY), profile)
    assert_levels(images.read_image(write_png(tmp_path / "a.png", GREY, iccp(profile))), expected)
    deep = write_png(tmp_path / "b.png", GREY.astype(np.uint16) * 257, iccp(profile))
    assert_levels(images.read_image(deep), expected, 2)
    srgb_like = write_png(tmp_path / "c.png", GREY, iccp(icc_profile(None)))
    assert_levels(images.read_image(srgb_like), GREY, 1e-4)


def test_a_grey_picture_may_have_an_rgb_profile(tmp_path: Path) -> None:
    profile = icc_profile(ADOBE, 1.0)
    expected = managed(Image.fromarray(GREY).convert("RGB"), profile)
    Image.fromarray(GREY).save(tmp_path / "a.tif", icc_profile=profile)
    assert_levels(images.read_image(tmp_path / "a.tif"), expected, 1)


def test_floats_with_a_profile(tmp_path: Path) -> None:
    tifffile = pytest.importorskip("tifffile")
    profile, levels = icc_profile(P3), every_colour()
    tifffile.imwrite(
        tmp_path / "a.tif", (levels / 255).astype(np.float32), photometric="rgb",
        extratags=[(34675, 7, len(profile), profile, True)],
    )  # fmt: skip
    expected = managed(Image.fromarray(levels), profile)
    assert_levels(images.read_image(tmp_path / "a.tif"), expected, 1)


def test_transparency_and_palettes_meet_the_profile_first(tmp_path: Path) -> None:
    profile, levels = icc_profile(P3), np.zeros((16, 16, 3), np.uint8)
    levels[:] = (200, 80, 40)
    expected = managed(Image.fromarray(levels), profile).astype(float)
    picture = Image.fromarray(levels)
    picture.putalpha(Image.fromarray(GREY))
    picture.save(tmp_path / "a.png", icc_profile=profile)
    share = GREY[..., None] / 255
    assert_levels(images.read_image(tmp_path / "a.png"), share * expected + (1 - share) * 255, 1.01)
    Image.fromarray(levels).quantize(4).save(tmp_path / "b.png", icc_profile=profile)
    assert_levels(images.read_image(tmp_path / "b.png"), expected, 1)


def test_lab(tmp_path: Path) -> None:
    levels = paint()
    lab = ImageCms.profileToProfile(
        Image.fromarray(levels), ImageCms.createProfile("sRGB"), ImageCms.createProfile("LAB"),
        outputMode="LAB",
    )  # fmt: skip
    lab.save(tmp_path / "a.tif")
    assert np.abs(levels_of(images.read_image(tmp_path / "a.tif")) - levels).mean() < 2


@pytest.mark.parametrize("extension", ["jpg", "tif"])
def test_cmyk_profiles(tmp_path: Path, extension: str) -> None:
    profile, path = cmyk_profile(), tmp_path / f"a.{extension}"
    Image.fromarray(paint()).convert("CMYK").save(path, icc_profile=profile)
    with Image.open(path) as picture:
        expected = managed(picture, profile)
        assert np.abs(expected - np.asarray(picture.convert("RGB")).astype(int)).mean() > 10
    assert_levels(images.read_image(path), expected)


def test_masks_are_not_managed(tmp_path: Path) -> None:
    path = write_png(tmp_path / "a.png", GREY, iccp(icc_profile(None, 1.0)))
    np.testing.assert_allclose(images.read_mask(path)[0, 0] * 255, GREY, atol=1e-3)
    path = write_png(tmp_path / "b.png", GREY.astype(np.uint16) * 257, gama(1.0))
    np.testing.assert_allclose(images.read_mask(path)[0, 0] * 255, GREY, atol=1e-3)


@pytest.mark.parametrize(
    "profile",
    [
        b"no profile" * 50, b"", icc_profile(None), icc_profile(P3)[:200],
        icc_profile(P3).replace(b"RGB ", b"CMYK", 1), b"\0" * 400,
    ],
)  # fmt: skip
def test_broken_and_unfitting_profiles_are_said_and_left_out(
    tmp_path: Path, profile: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    for levels in (paint(), paint().astype(np.uint16) * 257):
        caplog.clear()
        path = write_png(tmp_path / "a.png", levels, iccp(profile))
        assert_levels(images.read_image(path), paint(), 1e-4)
        assert len(caplog.messages) == 1
        assert "profile" in caplog.messages[0]
        assert "a.png" in caplog.messages[0]


def test_a_profile_that_cannot_be_unpacked(tmp_path: Path) -> None:
    for data, sound in ((b"x\0\0rubbish", True), (b"x", True), (b"x\0\0rubbish", False)):
        path = write_png(tmp_path / "a.png", paint(), chunk(b"iCCP", data, sound))
        assert_levels(images.read_image(path), paint(), 1e-4)


# PNG's own chunks -----------------------------------------------------------------------------


@pytest.mark.parametrize(("primaries", "gamma"), [(P3, 2.2), (ADOBE, 2.2), (SRGB, 1.0), (P3, 1.8)])
def test_gamma_and_chromaticities(tmp_path: Path, primaries: tuple, gamma: float) -> None:
    levels = every_colour()
    expected = managed(Image.fromarray(levels), icc_profile(primaries, gamma))
    path = write_png(tmp_path / "a.png", levels, gama(1 / gamma), chrm(primaries))
    assert_levels(images.read_image(path), expected, 1.5)


def test_gamma_alone_is_of_srgb_colours(tmp_path: Path) -> None:
    expected = managed(Image.fromarray(every_colour()), icc_profile(SRGB, 1.0))
    assert_levels(
        images.read_image(write_png(tmp_path / "a.png", every_colour(), gama(1))), expected, 1.5
    )


def test_what_writers_of_srgb_state_changes_nothing(tmp_path: Path) -> None:
    for chunks in ((gama(0.45455),), (gama(0.45455), chrm(SRGB)), (chrm(SRGB),), (gama(0),)):
        path = write_png(tmp_path / "a.png", paint(), *chunks)
        assert_levels(images.read_image(path), paint(), 1e-4)


def test_the_strongest_statement_counts(tmp_path: Path) -> None:
    p3 = managed(Image.fromarray(paint()), icc_profile(P3))
    adobe = managed(Image.fromarray(paint()), icc_profile(ADOBE, 2.2))
    srgb, cicp = chunk(b"sRGB", b"\0"), chunk(b"cICP", bytes([12, 13, 0, 1]))
    weak = (gama(1.0), chrm(P3))
    for chunks, expected in (
        ((srgb, *weak), paint()),
        ((iccp(icc_profile(ADOBE, 2.2)), srgb, *weak), adobe),
        ((cicp, iccp(icc_profile(ADOBE, 2.2)), srgb, *weak), p3),
        ((chunk(b"cICP", bytes([1, 13, 0, 1])), *weak), paint()),
        ((chunk(b"cICP", bytes([12, 13, 0, 1]), sound=False), srgb), paint()),
    ):
        path = write_png(tmp_path / "a.png", paint(), *chunks)
        assert_levels(images.read_image(path), expected, 1.5)


def test_colours_that_are_not_known_are_said(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = write_png(tmp_path / "a.png", paint(), chunk(b"cICP", bytes([9, 16, 0, 1])))
    assert_levels(images.read_image(path), paint(), 1e-4)
    assert "cICP" in caplog.messages[0]


def test_nonsense_in_chunks_changes_nothing(tmp_path: Path) -> None:
    for numbers in ([0] * 8, [2**31] * 8, [31270, 32900, 64000, 33000, 64000, 33000, 64000, 33000]):
        path = write_png(tmp_path / "a.png", paint(), chunk(b"cHRM", struct.pack(">8I", *numbers)))
        assert_levels(images.read_image(path), paint(), 1e-4)


def test_cameras_state_adobe_rgb_in_exif(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x8769] = {0xA001: 0xFFFF, 0xA005: {1: "R03"}}
    Image.fromarray(paint()).save(tmp_path / "a.png", exif=exif)
    expected = managed(Image.fromarray(paint()), icc_profile(ADOBE, 563 / 256))
    assert_levels(images.read_image(tmp_path / "a.png"), expected, 1.5)


# Curves and matrices --------------------------------------------------------------------------


def test_matrices_agree_with_published_ones() -> None:
    """Lindbloom's sRGB to XYZ, adapted to D50."""
    published = [[0.4360747, 0.3850649, 0.1430804], [0.2225045, 0.7168786, 0.0606169],
                 [0.0139322, 0.0971045, 0.7141733]]  # fmt: skip
    np.testing.assert_allclose(icc.to_d50(icc.SRGB_PRIMARIES, icc.D65), published, atol=5e-4)


@pytest.mark.parametrize("kind", range(5))
def test_parametric_curves(kind: int) -> None:
    """Each kind states sRGB's curve, or a power of 2."""
    g, a, b, c, d = 2.4, 1 / 1.055, 0.055 / 1.055, 1 / 12.92, 0.04045
    numbers = {0: [2], 1: [2, 1, 0], 2: [2, 1, 0, 0], 3: [g, a, b, c, d], 4: [g, a, b, c, d, 0, 0]}
    data = b"para\0\0\0\0" + struct.pack(">HH", kind, 0)
    data += b"".join(struct.pack(">i", round(n * 65536)) for n in numbers[kind])
    grid = np.linspace(0, 1, icc.STEPS)
    expected = grid**2 if kind < 3 else icc.srgb_decode(grid)
    np.testing.assert_allclose(icc._curve(data), expected, atol=1e-4)


def test_curves_as_tables() -> None:
    data = b"curv\0\0\0\0" + struct.pack(">I3H", 3, 0, 16384, 65535)
    curve = icc._curve(data)
    assert curve[[0, 32768, -1]] == pytest.approx([0, 0.25, 1], abs=1e-4)
    assert icc.parse(b"short") is None
