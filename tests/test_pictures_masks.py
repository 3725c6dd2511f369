"""Masks: numbers of every kind, labels and palettes."""

from __future__ import annotations

import logging
from pathlib import Path

import numpy as np
import pytest
import tifffile
from picture_files import write_png
from PIL import Image

from ConSinGAN import images

GREY = np.arange(256, dtype=np.uint8).reshape(16, 16)
UNIT = GREY / 255


@pytest.fixture(autouse=True)
def listening(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "ConSinGAN")


INSIDE = np.zeros((16, 16), bool)
INSIDE[3:8, 2:9] = True


@pytest.mark.parametrize(
    "values",
    [
        INSIDE, INSIDE.astype(np.uint8), INSIDE * np.uint8(2),
        INSIDE.astype(np.uint16), INSIDE * np.uint16(65535), INSIDE * np.uint16(255),
        INSIDE.astype(np.float32), INSIDE * np.float32(255), INSIDE.astype(np.float64),
        INSIDE.astype(np.int32), INSIDE * np.int32(255), INSIDE * np.int16(1),
        INSIDE + INSIDE.T * np.uint8(2) * INSIDE,
    ],
)  # fmt: skip
def test_masks_of_all_numbers(tmp_path: Path, values: np.ndarray) -> None:
    tifffile.imwrite(tmp_path / "m.tif", values, photometric="minisblack")
    mask = images.read_mask(tmp_path / "m.tif")
    np.testing.assert_allclose(mask[0, 0], INSIDE, atol=1e-6)


def test_label_masks_in_png(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    several = np.zeros((16, 16), np.uint8)
    several[2:4], several[7:9] = 1, 2
    for levels, expected in (
        (INSIDE.astype(np.uint8), INSIDE), (INSIDE.astype(np.uint16), INSIDE),
        (several, several > 0),
    ):  # fmt: skip
        caplog.clear()
        mask = images.read_mask(write_png(tmp_path / "m.png", levels))
        np.testing.assert_array_equal(mask[0, 0], expected)
        assert "labels" in caplog.text


def test_palette_masks_show_colours_and_labels(tmp_path: Path) -> None:
    def write(palette: list[int]) -> Path:
        picture = Image.fromarray(INSIDE.astype(np.uint8), "L").convert("P")
        picture.putdata(INSIDE.astype(int).ravel().tolist())
        picture.putpalette(palette)
        picture.save(tmp_path / "m.png")
        return tmp_path / "m.png"

    np.testing.assert_array_equal(images.read_mask(write([0, 0, 0, 255, 255, 255]))[0, 0], INSIDE)
    np.testing.assert_array_equal(images.read_mask(write([255, 255, 255, 0, 0, 0]))[0, 0], ~INSIDE)
    np.testing.assert_array_equal(images.read_mask(write([0, 0, 0, 1, 1, 1]))[0, 0], INSIDE)


def test_levels_of_ordinary_masks_stay(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    mask = images.read_mask(write_png(tmp_path / "m.png", GREY))
    np.testing.assert_allclose(mask[0, 0], UNIT, atol=1e-6)
    dim = images.read_mask(write_png(tmp_path / "d.png", GREY // 3))
    np.testing.assert_allclose(dim[0, 0], GREY // 3 / 255, atol=1e-6)
    assert (images.read_mask(write_png(tmp_path / "e.png", GREY * 0)) == 0).all()
    assert caplog.messages == []


@pytest.mark.parametrize(
    "levels",
    [
        np.full((16, 16), 1), np.full((16, 16), 100), INSIDE * 10 + 20, INSIDE * 100,
        np.random.default_rng(0).integers(0, 2, (16, 16)),
        np.random.default_rng(0).integers(0, 6, (16, 16)),
    ],
    ids=["plain 1", "plain 100", "20 and 30", "0 and 100", "noise to 1", "noise to 5"],
)  # fmt: skip
def test_what_is_dark_is_no_label(tmp_path: Path, levels: np.ndarray) -> None:
    mask = images.read_mask(write_png(tmp_path / "m.png", levels.astype(np.uint8)))
    np.testing.assert_allclose(mask[0, 0], levels / 255, atol=1e-6)
    assert (mask < 0.5).all()
