"""Pictures in every form people have, masks, sheets and GIFs."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from conftest import paint
from picture_files import assert_levels, levels_of, write_png
from PIL import Image

from ConSinGAN import images
from ConSinGAN.errors import UsageError


def in_three(grey: np.ndarray) -> np.ndarray:
    return np.repeat(grey[..., None], 3, axis=2)


def save(path: Path, picture: Image.Image, **options: object) -> Path:
    picture.save(path, **options)
    return path


GREY = np.arange(256, dtype=np.uint8).reshape(16, 16)

# Kinds of pictures ----------------------------------------------------------------------------


def test_rgb_is_exact(tmp_path: Path) -> None:
    path = save(tmp_path / "a.png", Image.fromarray(paint()))
    assert_levels(images.read_image(path), paint(), 1e-4)


def test_grey(tmp_path: Path) -> None:
    path = save(tmp_path / "a.png", Image.fromarray(GREY))
    assert_levels(images.read_image(path), in_three(GREY))


def test_one_bit(tmp_path: Path) -> None:
    bits = GREY % 3 == 0
    path = save(tmp_path / "a.png", Image.fromarray(bits))
    assert_levels(images.read_image(path), in_three(bits * 255))


def test_sixteen_bit_grey(tmp_path: Path) -> None:
    deep = GREY.astype(np.uint16) * 257 // 2
    for name in ("a.png", "a.tif"):
        path = save(tmp_path / name, Image.fromarray(deep))
        assert_levels(images.read_image(path), in_three(deep / 257))


def test_sixteen_bit_colour(tmp_path: Path) -> None:
    path = write_png(tmp_path / "a.png", paint().astype(np.uint16) * 257)
    assert_levels(images.read_image(path), paint(), 1)


@pytest.mark.parametrize("full_scale", [1.0, 255.0])
def test_float_tiff(tmp_path: Path, full_scale: float) -> None:
    real = (GREY / 255 * full_scale).astype(np.float32)
    path = save(tmp_path / "a.tif", Image.fromarray(real))
    assert_levels(images.read_image(path), in_three(GREY))


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_float_tiff_without_a_finite_number(tmp_path: Path, value: float) -> None:
    path = save(tmp_path / "a.tif", Image.fromarray(np.full((4, 4), value, np.float32)))
    assert images.read_image(path).isfinite().all()


def test_palette(tmp_path: Path) -> None:
    picture = Image.fromarray(paint()).quantize(32)
    path = save(tmp_path / "a.png", picture)
    assert_levels(images.read_image(path), np.asarray(picture.convert("RGB")))


def test_cmyk(tmp_path: Path) -> None:
    y, x = np.mgrid[0:32, 0:32] * 8
    smooth = np.stack([x, y, 255 - x], axis=2).astype(np.uint8)
    path = save(tmp_path / "a.jpg", Image.fromarray(smooth).convert("CMYK"), quality=98)
    assert_levels(images.read_image(path), smooth, 12)


@pytest.mark.parametrize("mode", ["LAB", "HSV", "YCbCr"])
def test_other_colour_spaces_are_read_or_refused(tmp_path: Path, mode: str) -> None:
    """Not every Pillow can convert all of them; that must not be a traceback."""
    path = tmp_path / "a.tif"
    try:
        save(path, Image.new(mode, (4, 4)))
    except OSError:
        pytest.skip(f"this Pillow cannot write {mode}")
    try:
        assert images.read_image(path).shape == (1, 3, 4, 4)
    except UsageError as error:
        assert "a.tif" in str(error)


TURNED: dict[int, Callable[[np.ndarray], np.ndarray]] = {
    1: lambda a: a,
    2: lambda a: a[:, ::-1],
    3: lambda a: a[::-1, ::-1],
    4: lambda a: a[::-1],
    5: lambda a: a.swapaxes(0, 1),
    6: lambda a: np.rot90(a, -1),
    7: lambda a: a[::-1, ::-1].swapaxes(0, 1),
    8: lambda a: np.rot90(a),
}


@pytest.mark.parametrize("orientation", TURNED)
def test_exif_rotation(tmp_path: Path, orientation: int) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    path = save(tmp_path / "a.png", Image.fromarray(paint()), exif=exif)
    assert_levels(images.read_image(path), TURNED[orientation](paint()))


def test_grey_models_read_luma(tmp_path: Path) -> None:
    path = save(tmp_path / "a.png", Image.fromarray(paint()))
    grey = images.read_image(path, channels=1)
    assert grey.shape == (1, 1, 32, 48)
    luma = paint() @ np.array([0.299, 0.587, 0.114])
    np.testing.assert_allclose((grey[0, 0].numpy() + 1) * 127.5, luma, atol=0.01)


# Transparency ---------------------------------------------------------------------------------


def with_alpha(mode: str, alpha: np.ndarray) -> Image.Image:
    picture = Image.fromarray(GREY) if mode == "LA" else Image.fromarray(paint(16, 16))
    picture.putalpha(Image.fromarray(alpha))
    assert picture.mode == mode
    return picture


@pytest.mark.parametrize("mode", ["RGBA", "LA"])
def test_transparency_is_put_on_white_and_said_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, mode: str
) -> None:
    caplog.set_level(logging.INFO, "ConSinGAN")
    path = save(tmp_path / "a.png", with_alpha(mode, GREY))
    colour = in_three(GREY) if mode == "LA" else paint(16, 16)
    share = GREY[..., None] / 255
    assert_levels(images.read_image(path), share * colour + (1 - share) * 255, 1.01)
    assert len(caplog.messages) == 1
    assert "a.png" in caplog.messages[0]
    assert "white" in caplog.messages[0]


@pytest.mark.parametrize("mode", ["RGBA", "LA"])
def test_opaque_alpha_is_not_worth_a_word(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, mode: str
) -> None:
    caplog.set_level(logging.INFO, "ConSinGAN")
    path = save(tmp_path / "a.png", with_alpha(mode, np.full((16, 16), 255, np.uint8)))
    expected = in_three(GREY) if mode == "LA" else paint(16, 16)
    assert_levels(images.read_image(path), expected)
    assert caplog.messages == []


@pytest.mark.parametrize("name", ["a.png", "a.gif"])
def test_transparent_palette_entry(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, name: str
) -> None:
    caplog.set_level(logging.INFO, "ConSinGAN")
    picture = Image.new("P", (4, 4), 0)
    picture.putpalette([10, 20, 30, 200, 100, 50])
    picture.putpixel((1, 2), 1)
    path = save(tmp_path / name, picture, transparency=1)
    expected = np.full((4, 4, 3), (10, 20, 30))
    expected[2, 1] = 255
    assert_levels(images.read_image(path), expected)
    assert len(caplog.messages) == 1


def test_masks_are_luminance_and_transparent_is_black(tmp_path: Path) -> None:
    alpha = np.full((16, 16), 255, np.uint8)
    alpha[4:] = 0
    white = Image.new("L", (16, 16), 255)
    white.putalpha(Image.fromarray(alpha))
    mask = images.read_mask(save(tmp_path / "m.png", white))
    assert mask.shape == (1, 1, 16, 16)
    assert (mask[0, 0, :4] > 0.999).all()
    assert (mask[0, 0, 4:] == 0).all()


# Files that are no pictures -------------------------------------------------------------------


@pytest.mark.parametrize("flag", ["--input_name", "--naive_img"])
def test_errors_name_the_flag_and_the_file(tmp_path: Path, flag: str) -> None:
    (tmp_path / "text.png").write_text("not a picture")
    Image.new("RGB", (1, 1)).save(tmp_path / "one.png")
    Image.new("RGB", (1, 50)).save(tmp_path / "line.png")
    (tmp_path / "empty.png").touch()
    for name in ("text.png", "one.png", "line.png", "empty.png", "missing.png"):
        with pytest.raises(UsageError, match=f"{flag} .*{name}") as error:
            images.read_image(tmp_path / name, flag=flag)
        assert "\n" not in str(error.value)
    with pytest.raises(UsageError, match=flag):
        images.read_image(tmp_path, flag=flag)


def test_a_name_too_long_for_the_system_is_a_missing_file() -> None:
    with pytest.raises(UsageError, match=r"^input_name"):
        images.read_image("x" * 300 + ".png")


@pytest.mark.parametrize("name", ["a.png", "a.jpg", "a.gif", "a.bmp", "a.tif", "a.webp", "a.ppm"])
def test_damaged_files_are_read_or_refused(tmp_path: Path, name: str) -> None:
    """No damage, be it lost ends or flipped bytes, may end in another error or in a warning."""
    path = save(tmp_path / name, Image.fromarray(paint()))
    intact = path.read_bytes()
    rng = np.random.default_rng(0)
    refused = 0
    for trial in range(60):
        data = bytearray(intact)
        if trial % 2:
            data = data[: rng.integers(1, len(data))]
        else:
            for position in rng.integers(0, min(len(data), 300), 3):
                data[position] = rng.integers(256)
        path.write_bytes(data)
        try:
            images.read_image(path)
        except UsageError:
            refused += 1
    assert refused > 10


# Writing --------------------------------------------------------------------------------------


def test_all_levels_survive_saving_and_loading(tmp_path: Path) -> None:
    levels = in_three(GREY)
    tensor = torch.from_numpy(levels.astype(np.float32)).movedim(-1, 0)[None] / 127.5 - 1
    images.save_image(tensor, tmp_path / "a.png")
    assert_levels(images.read_image(tmp_path / "a.png"), levels, 1e-4)
    images.save_image(images.to_bytes(tensor)[0], tmp_path / "b.png")
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()


def test_values_beyond_the_range_are_cut() -> None:
    image = torch.tensor([-7.0, -1, 0, 1, 7]).view(1, 1, 1, 5)
    assert images.to_bytes(image)[0, 0, :, 0].tolist() == [0, 0, 128, 255, 255]
    assert images.to_bytes(image[0]).shape == (1, 5, 3)


def test_jpegs_are_of_good_quality(tmp_path: Path) -> None:
    images.save_image(paint(), tmp_path / "a.jpg")
    difference = levels_of(images.read_image(tmp_path / "a.jpg")) - paint()
    assert np.abs(difference).mean() < 4


def test_writer_writes_everything(tmp_path: Path) -> None:
    with images.ImageWriter(max_pending=2) as writer:
        for index in range(7):
            writer.save(paint(seed=index), tmp_path / f"{index}.png")
    for index in range(7):
        assert_levels(images.read_image(tmp_path / f"{index}.png"), paint(seed=index))


@pytest.mark.parametrize("num_after", [0, 5])
def test_writer_raises_what_went_wrong(tmp_path: Path, num_after: int) -> None:
    with (
        pytest.raises(FileNotFoundError),
        images.ImageWriter(max_pending=2) as writer,
    ):
        writer.save(paint(), tmp_path / "missing" / "a.png")
        for index in range(num_after):
            writer.save(paint(), tmp_path / f"{index}.png")


def test_sheet_shows_every_picture_on_white() -> None:
    tiles = [torch.full((1, 3, 4, 6), -1 + 0.2 * i) for i in range(5)]
    sheet = images.make_sheet(tiles, columns=2, gap=3)
    assert sheet.shape == (3 * 7 + 3, 2 * 9 + 3, 3)
    for index, tile in enumerate(tiles):
        top, left = 3 + index // 2 * 7, 3 + index % 2 * 9
        assert (sheet[top : top + 4, left : left + 6] == images.to_bytes(tile)[0]).all()
    assert (sheet[:3] == 255).all()
    assert (sheet[-7:, -9:] == 255).all()


def test_sheet_of_grey_pictures_and_of_several_sizes() -> None:
    sheet = images.make_sheet([torch.zeros(1, 1, 4, 4), torch.zeros(1, 1, 8, 2)], gap=1)
    assert sheet.shape == (10, 11, 3)


# Masks ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("naive", "mask"),
    [
        ("a.png", "a_mask.png"), ("a.jpg", "a_mask.png"), ("a.png", "a_mask.jpg"),
        ("a.b.jpeg", "a.b_mask.jpeg"), ("a.PNG", "a_mask.PNG"), ("a.png", "a_mask.JPG"),
        ("a", "a_mask.png"), ("a.xyz", "a_mask.xyz"),
    ],
)  # fmt: skip
def test_mask_beside_the_picture(tmp_path: Path, naive: str, mask: str) -> None:
    assert images.find_mask(tmp_path / naive) is None
    (tmp_path / mask).touch()
    assert images.find_mask(tmp_path / naive) == tmp_path / mask
    assert images.find_mask(str(tmp_path / naive)) == tmp_path / mask


def test_the_pictures_own_extension_comes_first(tmp_path: Path) -> None:
    for name in ("a_mask.png", "a_mask.jpg"):
        (tmp_path / name).touch()
    (tmp_path / "a_mask.webp").mkdir()  # a folder is no mask
    assert images.find_mask(tmp_path / "a.jpg") == tmp_path / "a_mask.jpg"
    assert images.find_mask(tmp_path / "a.webp") == tmp_path / "a_mask.png"


@pytest.mark.parametrize(("least", "factor"), [(0, 1), (8, 1), (9, 2), (16, 2), (40, 5)])
def test_small_pictures_are_enlarged_on_a_sheet(least: int, factor: int) -> None:
    pictures = [torch.full((1, 3, 6, 8), level) for level in (-1.0, 1.0)]
    sheet = images.make_sheet(pictures, columns=2, gap=2, least=least)
    assert sheet.shape == (6 * factor + 4, 16 * factor + 6, 3)
    assert (sheet[2:-2, 2 : 2 + 8 * factor] == 0).all()


def test_soft_mask_is_one_inside_and_zero_far_away() -> None:
    mask = np.zeros((80, 90), bool)
    mask[10:20, 10:20] = True
    soft = images.soften_mask(mask, radius=7)
    assert soft.shape == (1, 1, 80, 90)
    assert (soft.min(), soft.max()) == (0, 1)
    assert (soft[0, 0, 50:] == 0).all()
    assert soft[0, 0, 15, 15] == 1
    assert soft[0, 0, 15, 21] > 0.5  # grown


def test_soft_mask_of_everything_is_one_everywhere() -> None:
    assert (images.soften_mask(np.ones((8, 8), bool), 3) == 1).all()


def test_composite_takes_each_side_where_the_mask_says() -> None:
    mask = torch.tensor([0.0, 0.25, 1.0]).view(1, 1, 1, 3)
    out = images.composite(torch.zeros(1, 3, 1, 3), torch.ones(1, 3, 1, 3), mask)
    assert torch.equal(out, mask.expand(1, 3, 1, 3))
