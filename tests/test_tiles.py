"""Drawings in tiles are the whole drawings, and are written from top to bottom."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import tifffile
import torch
import yaml
from conftest import BAD_TILES, Outcome, files_below, paint
from PIL import Image
from test_model import make_model
from torch import Tensor

import ConSinGAN
import evaluate_model
from ConSinGAN import hardware, images, resize
from ConSinGAN.errors import UsageError
from ConSinGAN.frame import Frame, Window
from ConSinGAN.latents import Latents
from ConSinGAN.model import ImageModel
from ConSinGAN.noise import Field, Purpose
from ConSinGAN.norms import Moments
from ConSinGAN.pictures.streamed import save_bands
from ConSinGAN.tiles import TiledPicture, choose_tile

Script = Callable[..., Outcome]
NATIVE = (90, 110)


def strong(mode: str = "generation", **options: object) -> ImageModel:
    """A model of four stages whose pictures show everything that goes into them."""
    model = make_model(mode, NATIVE, train_stages=4, max_size=110, min_size=24, **options)
    while model.generator.num_stages < 4:
        model.generator.grow()
    model.noise_amp = [1.0, 0.3, 0.2, 0.3]
    model.fixed_noise = [model.reals[0], *model.latents(Purpose.SAMPLE, 99, 0)[1:]]
    return model


def levels_apart(model: ImageModel, frame: Frame, tile: int, latents: Latents) -> Tensor:
    """How many levels tiles and whole are apart, pixel by pixel."""
    whole = model.draw(latents(frame), frame)
    tiled = model.draw_tiled(latents, frame, tile).tensor()
    assert tiled.shape == whole.shape
    assert whole.std() > 0.005
    return (tiled - whole).abs() * 127.5


@pytest.mark.parametrize(
    ("mode", "options"),
    [
        ("generation", {}),
        ("retarget", {}),
        ("generation", {"padd_size": 1}),
        ("retarget", {"ker_size": 5}),
        ("generation", {"batch_norm": True}),
        ("harmonization", {}),
        ("editing", {"padd_size": 1}),
        ("generation", {"nc_im": 1}),
    ],
    ids=str,
)
@pytest.mark.parametrize("wrap", [False, True])
def test_tiles_are_the_whole(mode: str, options: dict, wrap: bool) -> None:
    model = strong(mode, **options)
    frame = Frame.whole(model.scaled_sizes(1.31, 0.77), "wrap" if wrap else model.generator.border)
    latents = model.random_latents(Purpose.SAMPLE, 3, 1)
    near = 0.3 if model.generator.num_norms else 0.02  # weights of norms enlarge what is rounded
    assert levels_apart(model, frame, 37, latents).max() < near


@pytest.mark.parametrize("mode", ["generation", "retarget"])
def test_a_canvas_around_a_picture_in_tiles(mode: str) -> None:
    model = strong(mode)
    frame = Frame.around(model.sizes, (0.2, 0.0, 0.3, 0.1), model.generator.border)
    latents = model.random_latents(Purpose.SAMPLE, 3, 1)
    assert levels_apart(model, frame, 37, latents).max() < 0.02


def test_a_given_picture_in_tiles() -> None:
    model = strong("harmonization")
    given = resize.resize(model.reals[0], size=(50, 44))
    frame = model.generator.frame([(50, 44), (70, 66), (80, 80), (105, 90)])
    latents = model.random_latents(Purpose.COMPOSITE, 3, 1, given=given)
    assert torch.equal(latents(frame)[0], given)
    assert levels_apart(model, frame, 40, latents).max() < 0.3


@pytest.mark.parametrize(
    ("mode", "size", "few"), [("generation", (130, 120), 0), ("harmonization", (500, 600), 1e-4)]
)
def test_tiles_in_bf16(mode: str, size: tuple[int, int], few: float) -> None:
    """Also with norms, whose sums over many pixels must be those of the tiles.

    few: the share of pixels, of 1, that may be further apart. Norms and weights as strong as these
    enlarge single roundings, which depend on how threads share the sums of the upsampling.
    """
    model = strong(mode)
    model.set_precision(torch.bfloat16)
    frame = model.generator.frame(model.sizes_for(size))
    tile = max(size) // 2
    try:
        apart = levels_apart(model, frame, tile, model.random_latents(Purpose.SAMPLE, 3, 1))
    except RuntimeError as error:
        pytest.skip(f"no bf16 here: {error}")
    assert (apart <= 1).float().mean() > 0.999
    assert (apart >= 3).float().mean() <= few


def test_stages_are_computed_in_parts() -> None:
    """Also the first one: of 4 million pixels a tile needs few."""
    model = strong()
    whole = model.generator.frame(model.scaled_sizes(40, 40))
    part = model.generator.part(whole, Window(1000, 2000, 32, 32))
    assert max(max(place.size) for place in part.places) < 64


def test_moments_are_mean_and_variance() -> None:
    x = torch.randn(1, 3, 40, 50, generator=torch.Generator().manual_seed(0)) + 100
    moments = Moments()
    for rows in x.split(7, dim=2):
        moments.add(rows)
    mean, variance = moments.statistics(torch.device("cpu"))
    exact = x.double()
    torch.testing.assert_close(mean, exact.mean((0, 2, 3)).float())
    torch.testing.assert_close(variance, exact.var((0, 2, 3), correction=0).float())
    with pytest.raises(ValueError, match="no pixels"):
        Moments().statistics(torch.device("cpu"))


def test_noise_that_repeats() -> None:
    field = Field([3])
    period = field.maps(2, 4, (0, 0, 40, 70))
    there = field.maps(2, 4, (-5, 60, 90, 20), period=(40, 70))
    rows, columns = torch.arange(-5, 85) % 40, torch.arange(60, 80) % 70
    assert torch.equal(there, period[..., rows[:, None], columns])


@pytest.mark.parametrize("size", [(13, 70), (90, 31), (64, 48)])
def test_large_pictures_are_resized_in_bands(
    size: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    picture = torch.rand(1, 3, 48, 64) * 2 - 1
    expected = resize.resize(picture, size=size)
    monkeypatch.setattr(resize, "LARGE", 0)
    monkeypatch.setattr(resize, "BAND", 17)
    torch.testing.assert_close(resize.resize(picture, size=size), expected, rtol=0, atol=1e-6)


# Small variations -----------------------------------------------------------------------------


def test_stages_below_the_start_stay() -> None:
    model = strong()
    for start in range(4):
        maps = model.random_latents(Purpose.SAMPLE, 1, 0, start)(model.frame)
        same = [torch.equal(a, b) for a, b in zip(maps, model.fixed_noise, strict=True)]
        assert same == [stage < start for stage in range(4)]
    spread = []
    for start in (0, 1, 3):
        pictures = torch.cat(list(model.sample(4, start_scale=start)))
        spread.append(float(pictures.std(dim=0).mean()))
    assert spread[0] > spread[1] > spread[2] > 0


@pytest.mark.parametrize("size", [NATIVE, (120, 75)])
def test_variations_in_tiles_and_at_other_sizes(size: tuple[int, int]) -> None:
    """At another size the layout is the picture's, and the same in all variations."""
    model = strong()
    frame = model.sample_frame(size=size)
    first, second = (model.random_latents(Purpose.SAMPLE, 1, i, 2) for i in range(2))
    assert levels_apart(model, frame, 40, first).max() < 0.02
    for stage, (a, b) in enumerate(zip(first(frame), second(frame), strict=True)):
        assert torch.equal(a, b) == (stage < 2)


@pytest.mark.parametrize(("start", "told"), [(4, "4 stages"), (-1, "at least"), (1.5, "whole")])
def test_starts_that_there_are_not(start: object, told: str) -> None:
    with pytest.raises(UsageError, match=f"start_scale.*{told}"):
        strong().sample(start_scale=start)


# Asking ---------------------------------------------------------------------------------------


def test_nothing_is_drawn_before_it_is_read() -> None:
    (picture,) = strong().sample_tiled(512, size=(20000, 30000))
    assert picture.size == (20000, 30000)
    with pytest.raises(UsageError, match="size"):
        strong().sample_tiled(512, size=(20000, 0))
    with pytest.raises(UsageError, match="tile"):
        strong().sample_tiled(0)


def test_memory_decides_unless_told(monkeypatch: pytest.MonkeyPatch) -> None:
    model = strong()
    frame = model.generator.frame(model.sizes_for((1000, 1500)))
    assert choose_tile(model.generator, frame, None) == 0
    assert choose_tile(model.generator, frame, 100) == 100
    needed = model.generator.drawing_memory((1000, 1500))
    monkeypatch.setattr(hardware, "memory", lambda device: 1.5 * needed)
    assert choose_tile(model.generator, frame, 0) == 0
    assert choose_tile(model.generator, frame, None) > 0
    monkeypatch.setattr(hardware, "memory", lambda device: needed / 10)
    assert 16 <= choose_tile(model.generator, frame, None) < 512
    with pytest.raises(UsageError, match="size: a picture of 1500x1000"):
        choose_tile(model.generator, frame, 0)
    with pytest.raises(UsageError, match="tile must be 0"):
        choose_tile(model.generator, frame, 15)


@pytest.mark.parametrize("mode", ["generation", "retarget"])
def test_samples_in_tiles(
    mode: str, trained: Callable[[str], Path], tmp_path: Path, script: Script
) -> None:
    words = ["--model_dir", trained(mode), "--size", 50, 70, "--num_samples", 2, "--not_cuda"]
    words += ["--precision", "fp32"]
    name = "random_samples_size_h_50_w_70/gen_sample_1"
    shown = []
    for folder, more in (
        ("whole", []), ("tiles", ["--tile", 24]), ("tif", ["--tile", 30, "--format", "tif"]),
    ):  # fmt: skip
        outcome = script(evaluate_model, *words, *more, "--output_dir", tmp_path / folder)
        assert outcome.code == 0, outcome.err
        suffix = "tif" if folder == "tif" else "png"
        with Image.open(tmp_path / folder / f"{name}.{suffix}") as picture:
            shown.append(np.asarray(picture).astype(int))
    for other in shown[1:]:
        assert other.shape == (50, 70, 3)
        assert np.abs(other - shown[0]).max() <= 1
    with tifffile.TiffFile(tmp_path / "tif" / f"{name}.tif") as file:
        assert file.is_bigtiff
        assert file.pages[0].is_tiled


def test_a_window_in_tiles(trained: Callable[[str], Path]) -> None:
    model = ConSinGAN.load(trained("generation"), precision="fp32")
    words = {"size": (60, 50), "num_samples": 1, "window": (5, 7, 40, 31)}
    whole, tiled = (
        list(ConSinGAN.draw(model, "samples", tile=tile, **words))[1] for tile in (0, 20)
    )
    (picture,) = tiled.frames
    assert isinstance(picture, TiledPicture)
    assert picture.size == (40, 31)
    torch.testing.assert_close(picture.tensor(), next(iter(whole.frames)), rtol=0, atol=1e-4)
    assert np.asarray(picture).shape == (40, 31, 3)


@pytest.mark.parametrize(
    ("words", "told"),
    [
        *BAD_TILES,
        (["--tile", 20, "--window", 0, 0, 500, 5], "--window"),
        (["--start_scale", 2], "--start_scale"),
        (["--start_scale", "x"], "--start_scale"),
        (["--task", "animation", "--num_frames", 2, "--tile", 20], "--tile is an option of"),
    ],
    ids=str,
)
def test_bad_input(
    words: list, told: str, trained: Callable[[str], Path], tmp_path: Path, script: Script
) -> None:
    out = tmp_path / "out"
    outcome = script(evaluate_model, "--model_dir", trained("generation"), *words,
                     "--output_dir", out)  # fmt: skip
    assert outcome.code == 2
    assert outcome.err.count("\n") == 1
    assert told in outcome.err
    assert not out.exists()


# Files ----------------------------------------------------------------------------------------


def in_bands(pixels: np.ndarray, rows: int) -> Iterator[np.ndarray]:
    return (pixels[top : top + rows] for top in range(0, len(pixels), rows))


@pytest.mark.parametrize("suffix", ["png", "tif"])
@pytest.mark.parametrize("size", [(1, 1), (300, 7), (65, 530), (513, 256)])
def test_bands_become_a_picture(suffix: str, size: tuple[int, int], tmp_path: Path) -> None:
    path = tmp_path / f"a.{suffix}"
    smooth, rough = paint(*size), np.random.default_rng(0).integers(0, 256, (*size, 3), np.uint8)
    for pixels in (smooth, rough):
        save_bands(in_bands(pixels, 100), size, path, {"about": "Grüße: 1\nzwei"})
        shown = np.asarray(Image.open(path)) if suffix == "png" else tifffile.imread(path)
        assert (shown == pixels).all()
    assert files_below(tmp_path) == {path.name}


@pytest.mark.parametrize("suffix", ["png", "tif"])
def test_a_half_file_never_has_the_name(suffix: str, tmp_path: Path) -> None:
    def fails() -> Iterator[np.ndarray]:
        yield paint(100, 40)
        raise RuntimeError("stopped")

    path = tmp_path / f"a.{suffix}"
    with pytest.raises(RuntimeError, match="stopped"):
        save_bands(fails(), (200, 40), path)
    for bands in ([paint(100, 40)], [paint(300, 40)], [paint(200, 41)]):
        with pytest.raises(ValueError, match=r"band|missing"):
            save_bands(bands, (200, 40), path)
    assert files_below(tmp_path) == set()


def test_a_picture_can_be_made_again_from_its_text(
    trained: Callable[[str], Path], tmp_path: Path, script: Script
) -> None:
    words = ["--model_dir", trained("generation"), "--size", 30, 41, "--seed", 7]
    words += ["--start_scale", 1, "--num_samples", 2, "--not_cuda", "--output_dir"]
    assert script(evaluate_model, *words, tmp_path / "a").code == 0
    name = "random_samples_size_h_30_w_41/gen_sample_1"
    with Image.open(tmp_path / "a" / f"{name}.png") as picture:
        pixels, settings = np.asarray(picture), yaml.safe_load(picture.text["ConSinGAN"])
    assert settings["toolkit"] == f"ConSinGAN {ConSinGAN.__version__}"
    assert settings["drawing"] == name
    assert settings["options"] == {"size": [30, 41], "start_scale": 1}
    model = ConSinGAN.load(settings["model"], precision=settings["precision"])
    drawn = ConSinGAN.draw(model, settings["task"], seed=settings["seed"], num_samples=2,
                           **settings["options"])  # fmt: skip
    (again,) = (d for d in drawn if d.name == name)
    assert (images.to_bytes(next(iter(again.frames)))[0] == pixels).all()

    assert script(evaluate_model, *words, tmp_path / "b", "--format", "jpg").code == 0
    beside = yaml.safe_load((tmp_path / "b" / "settings.yaml").read_text())
    assert beside == {key: value for key, value in settings.items() if key != "drawing"}
