"""Paint and style: palettes, flattened pictures, matched colours, and what the tasks draw."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from conftest import TINY, Outcome, as_flags, files_below, make_config, paint, write_picture
from PIL import Image

import ConSinGAN
import evaluate_model
import main_train
from ConSinGAN import ask, images, modes
from ConSinGAN.augment import Dice
from ConSinGAN.config import TrainConfig
from ConSinGAN.errors import UsageError
from ConSinGAN.noise import RandomStreams
from ConSinGAN.pictures import analogy, oklab, palette, simplify
from ConSinGAN.tasks import _guided

GUIDED = (("paint", "paint", "naive_img"), ("style", "style", "content_img"),
          ("harmonization", "style", "content_img"))  # fmt: skip
guided = pytest.mark.parametrize(("mode", "task", "option"), GUIDED)


def picture(height: int = 32, width: int = 48, seed: int = 0) -> torch.Tensor:
    return torch.from_numpy(paint(height, width, seed)).movedim(-1, 0)[None] / 127.5 - 1


def dice(seed: int = 0) -> Dice:
    return Dice(torch.Generator().manual_seed(seed))


# Colours --------------------------------------------------------------------------------------


def test_oklab_and_back() -> None:
    colours = np.random.default_rng(0).uniform(-1, 1, (50, 3))
    assert np.abs(oklab.from_oklab(oklab.to_oklab(colours)) - colours).max() < 1e-6
    white, grey = oklab.to_oklab(np.array([[1.0, 1, 1], [0, 0, 0]]))
    assert np.abs(white - (1, 0, 0)).max() < 1e-4
    assert np.abs(grey[1:]).max() < 1e-4
    alone = oklab.from_oklab(oklab.to_oklab(np.array([[0.3]])), 1)
    assert alone.shape == (1, 1)
    assert abs(alone.item() - 0.3) < 1e-6


@pytest.mark.parametrize("how", ["mean", "histogram"])
@pytest.mark.parametrize("channels", [1, 3])
def test_matched_colours_are_the_others(how: str, channels: int) -> None:
    one, other = 0.6 * picture()[:, :channels], 0.5 * picture(20, 31, 3)[:, :channels] - 0.2
    matched = oklab.match_colours(one, other, how)
    assert matched.shape == one.shape
    assert matched.dtype == torch.float32
    want, was, now = (
        oklab.to_oklab(x[0].movedim(0, -1).numpy())[..., 0] for x in (other, one, matched)
    )
    assert abs(now.mean() - want.mean()) < 0.2 * abs(was.mean() - want.mean())
    assert abs(now.std() - want.std()) < 0.02
    assert oklab.match_colours(one, other, "none") is one


@pytest.mark.parametrize("how", ["mean", "histogram"])
def test_a_flat_picture_can_be_matched(how: str) -> None:
    for one, other in ((torch.zeros(1, 3, 9, 9), picture()), (picture(), torch.zeros(1, 3, 9, 9))):
        assert oklab.match_colours(one, other, how).isfinite().all()


# Palettes -------------------------------------------------------------------------------------


def test_a_palette_is_always_the_same_dark_colours_first() -> None:
    colours = palette.make_palette(picture(), 6)
    assert colours.shape == (6, 3)
    assert torch.equal(colours, palette.make_palette(picture().clone(), 6))
    lightness = oklab.to_oklab(colours.numpy())[:, 0]
    assert (np.diff(lightness) > 0).all()


def test_few_colours_are_the_palette() -> None:
    two = torch.full((1, 3, 8, 8), -1.0)
    two[..., 4:] = 0.5
    assert palette.make_palette(two, 5).tolist() == [[-1] * 3, [0.5] * 3]
    assert torch.equal(palette.flatten(two, 5)[..., 0, 0], two[..., 0, 0])


def test_snapped_pixels_have_the_nearest_colour() -> None:
    colours = palette.make_palette(picture(), 5)
    assert torch.equal(
        palette.snap(palette.fill(np.arange(5)[None], colours), colours)[0, :, 0].T, colours
    )
    snapped = palette.snap(picture(), colours)
    assert len(snapped[0].flatten(1).T.unique(dim=0)) == 5


def test_flattened_pictures_are_the_picture_in_few_colours() -> None:
    flat, real = palette.flatten(picture(), 8), picture()
    assert (flat - real).square().mean() < 0.3 * (real - real.mean((2, 3), True)).square().mean()
    random = dice()
    sloppy = [palette.flatten(real, 8, random) for _ in range(3)]
    assert not torch.equal(sloppy[0], sloppy[1])
    assert torch.equal(sloppy[0], palette.flatten(real, 8, dice()))
    assert all(one.shape == real.shape and one.abs().max() <= 1 for one in sloppy)


def test_a_palette_has_as_many_colours_as_the_run_says() -> None:
    mode = modes.get("paint")
    few = mode.configured(make_config(train_mode="paint", paint_colours=2))
    assert few is not mode
    real = picture()
    assert torch.equal(few.fixed_input(real, RandomStreams(0)), analogy.of_painting(real, 2))
    assert not torch.equal(analogy.of_painting(real, 2), analogy.of_painting(real, 8))
    assert modes.get("harmonization").configured(TrainConfig()) is modes.get("harmonization")


# Analogies ------------------------------------------------------------------------------------


def test_what_was_painted_is_found_again() -> None:
    """The picture's own painting stands for the picture, also moved."""
    real = picture(36, 54)
    flat = palette.flatten(real, 6)

    def error(found: torch.Tensor, wanted: torch.Tensor) -> float:
        return float((found - wanted)[..., 4:-4, 4:-4].square().mean())

    assert error(analogy.analogous(flat, flat, real), real) < 0.5 * error(flat, real)
    moved = analogy.analogous(flat[..., 9:], flat, real)
    assert moved.shape == (1, 3, 36, 45)
    assert error(moved, real[..., 9:]) < 0.7 * error(flat[..., 9:], real[..., 9:])


def test_a_painting_of_one_colour_and_tiny_sizes_are_translated() -> None:
    real, white = picture(), torch.ones(1, 3, 50, 70)
    for size in ((20, 30), (1, 2)):
        found = analogy.translate(white, real, 8, size)
        assert found.shape[2:] == size
        assert found.isfinite().all()


def test_sloppy_paintings_are_numbered() -> None:
    real = picture()
    one, other = (analogy.of_painting(real, 8, number) for number in (1, 2))
    assert not torch.equal(one, other)
    assert torch.equal(one, analogy.of_painting(real.clone(), 8, 1))
    assert one.abs().max() <= 1.0001


# What style models learn from -----------------------------------------------------------------


def test_rearranged_pictures_repeat_and_stay_in_range() -> None:
    real = picture()
    one, other = (simplify.rearrange(real, dice(seed)) for seed in (0, 1))
    assert one.shape == other.shape == real.shape
    assert not torch.equal(one, other)
    assert torch.equal(one, simplify.rearrange(real, dice(0)))
    assert one.abs().max() <= 1


# Tasks ----------------------------------------------------------------------------------------


def test_models_draw_no_borders_of_theirs_around_other_pictures(
    trained: Callable[[str], Path],
) -> None:
    """What is drawn of a picture's part is what is drawn there of the whole, also at its edges."""
    model = ConSinGAN.load(trained("paint"), precision="fp32")
    model.noise_amp = [1.0, 0.0]
    flat = torch.full((1, 3, 40, 40), 0.3)
    frame, _ = _guided.frame_for(model, (40, 40), (40, 40), "`size`")
    drawn = _guided.guide(model, flat, frame).tensor()
    middle = drawn[..., 20:21, 20:21].expand_as(drawn)
    torch.testing.assert_close(drawn, middle, atol=1e-4, rtol=0)


@guided
@pytest.mark.parametrize("size", [None, (20, 50)])
def test_any_shape_enters_and_any_size_comes_out(
    mode: str, task: str, option: str, size: tuple[int, int] | None, tmp_path: Path,
    trained: Callable[[str], Path],
) -> None:  # fmt: skip
    file = write_picture(tmp_path / "tall.png", 60, 30, seed=2)
    model = ConSinGAN.load(trained(mode), precision="fp32")  # bf16 hides so little noise
    options = {option: str(file)} | ({"size": size} if size else {})
    drawings = [
        {d.name: next(iter(d.frames)) for d in ConSinGAN.draw(model, task, **options, seed=seed)}
        for seed in (0, 0, 1)
    ]
    name = next(iter(drawings[0]))
    assert name in ("painted_tall", "styled_tall")
    first, again, other = (drawing[name] for drawing in drawings)
    assert first.shape[2:] == (size or (24, 12))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


@guided
@pytest.mark.parametrize(
    ("words", "told"),
    [
        ([], "needs a p"),
        (["missing.png"], "missing.png"),
        (["flat.png"], "flat.png"),
        (["long.png"], "less flat"),
        (["good.png", "--size", "0", "9"], "--size"),
        (["good.png", "--size", "3", "90"], "--size"),
        (["good.png", "--size", "30000", "30000"], "--size"),
        (["good.png", "--frame", "7"], "--frame"),
        (["good.png", "--num_samples", "7"], "--num_samples"),
    ],
    ids=str,
)  # fmt: skip
def test_bad_input_is_one_line(
    mode: str, task: str, option: str, words: list[str], told: str, tmp_path: Path,
    trained: Callable[[str], Path], script: Callable[..., Outcome],
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.chdir(tmp_path)
    write_picture(tmp_path / "good.png")
    for name, height in (("flat", 1), ("long", 2)):
        write_picture(tmp_path / f"{name}.png", height, 300)
    words = [f"--{option}", *words] if words else []
    words += ["--tile", "0"] if words and task == "style" else []  # else no size is too large
    outcome = script(
        evaluate_model, "--model_dir", trained(mode), "--task", task, "--output_dir", "out", *words
    )
    assert outcome.code == 2
    assert outcome.err.count("\n") == 1
    assert told in outcome.err
    assert not Path("out").exists()


def test_unknown_ways_to_match_and_foreign_models_are_one_line(
    tmp_path: Path, trained: Callable[[str], Path], script: Callable[..., Outcome]
) -> None:
    file = write_picture(tmp_path / "good.png")
    words = ["--model_dir", trained("style"), "--content_img", file, "--match_colours", "all"]
    assert script(evaluate_model, *words).code == 2
    model = ConSinGAN.load(trained("style"))
    with pytest.raises(UsageError, match="match_colours"):
        ConSinGAN.draw(model, "style", content_img=str(file), match_colours="all")
    with pytest.raises(UsageError, match="not for paintings"):
        ConSinGAN.draw(model, "paint", naive_img=str(file))
    for mode in ("generation", "editing", "paint"):
        assert "style" not in ask.suited_tasks(TrainConfig(train_mode=mode))


def test_colours_are_matched_before(tmp_path: Path, trained: Callable[[str], Path]) -> None:
    file = write_picture(tmp_path / "good.png", seed=5)
    model = ConSinGAN.load(trained("style"))
    drawn = []
    for how in ("none", "mean", "histogram"):
        first = next(ConSinGAN.draw(model, "style", content_img=str(file), match_colours=how))
        drawn += list(first.frames)
    assert not torch.equal(drawn[0], drawn[1])
    assert not torch.equal(drawn[1], drawn[2])


def test_previews_show_a_painting_of_another_shape(
    tmp_path: Path, script: Callable[..., Outcome], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    write_picture(tmp_path / "picture.png")
    write_picture(tmp_path / "tall.png", 40, 20)
    own = {"input_name": "picture.png", "naive_img": "tall.png", "train_mode": "paint"}
    outcome = script(main_train, *as_flags(TINY | own))
    assert outcome.code == 0, outcome.err
    (run,) = (tmp_path / "TrainedModels" / "picture").iterdir()
    assert "1/painted_2.png" in files_below(run)
    with Image.open(run / "1/painted_2.png") as shown:
        assert shown.size == (12, 24)
    fine = {"fine_tune": True, "model_dir": str(run), "naive_img": "tall.png"}
    outcome = script(main_train, *as_flags({**fine, "not_cuda": True}))
    assert outcome.code == 2
    assert "--naive_img" in outcome.err
    assert images.read_image("tall.png").shape == (1, 3, 40, 20)
