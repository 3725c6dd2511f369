"""Style and outpainting in tiles are what they are whole."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from conftest import BAD_TILES, Outcome, write_picture
from PIL import Image
from specimens import draw, photo
from test_tiles import strong
from torch import Tensor

import ConSinGAN
import evaluate_model
from ConSinGAN import hardware, resize, tiles
from ConSinGAN.errors import UsageError
from ConSinGAN.frame import Window
from ConSinGAN.noise import Purpose
from ConSinGAN.pictures import votes
from ConSinGAN.tasks import _guided, _surroundings, style
from ConSinGAN.tasks.outpainting import canvas, extensions, latents
from ConSinGAN.tiles import TiledPicture

Script = Callable[..., Outcome]
AREA = Window(-7, -12, 71, 96)


def in_tiles(picture: Tensor, tile: int = 23, area: Window = AREA) -> TiledPicture:
    """A picture that is there, as if it were drawn in windows."""
    there = TiledPicture.of(picture, area)
    return TiledPicture(area, tile, there.paint)


def levels_apart(one: Tensor, other: Tensor) -> float:
    """How many levels pictures are apart at most."""
    assert one.shape == other.shape
    return float((one - other).abs().max() * 127.5)


# Changes that need surroundings ---------------------------------------------------------------


@pytest.mark.parametrize("size", [(33, 50), (71, 96), (80, 140), (5, 7)])
def test_any_part_can_be_resized_alone(size: tuple[int, int]) -> None:
    picture = draw(71, 96)
    expected = resize.resize(picture, size=size)
    resizing = resize.Resizing((71, 96), size)
    for wanted in ((0, 0, *size), (3, 4, 2, 3), (size[0] - 1, size[1] - 1, 1, 1)):
        top, left, height, width = needed = resizing.needs(wanted)
        part = picture[..., top : top + height, left : left + width]
        rows, columns = Window(*wanted).cut(Window(0, 0, *size))
        found = resizing.part(part, needed, wanted)
        torch.testing.assert_close(found, expected[..., rows, columns], rtol=0, atol=1e-6)


def test_windows_grow_meet_and_part() -> None:
    area, window = Window(-2, 0, 10, 20), Window(0, 3, 4, 5)
    assert window.grown(3, area) == (-2, 0, 9, 11)
    assert window.joined(Window(2, -1, 1, 2)) == (0, -1, 4, 9)
    assert window.common(Window(3, 7, 9, 9)) == (3, 7, 1, 1)
    assert window.common(Window(4, 3, 1, 1)) is None
    assert window.cut(area) == (slice(2, 6), slice(3, 8))


def test_surroundings_reach_a_window_but_not_beyond_the_picture() -> None:
    picture = draw(*AREA[2:])

    def blurred(window: Window, there: Window, pixels: Tensor) -> Tensor:
        rows, columns = window.cut(there)
        return torch.nn.functional.avg_pool2d(
            torch.nn.functional.pad(pixels, (3, 3, 3, 3), mode="replicate"), 7, stride=1
        )[..., rows, columns]

    whole, tiled = (one.near(3, blurred).tensor() for one in (TiledPicture.of(picture, AREA),
                                                               in_tiles(picture)))  # fmt: skip
    assert levels_apart(whole, tiled) < 0.01


def test_what_is_prepared_first_is_prepared_once() -> None:
    told: list[str] = []
    picture = (
        in_tiles(draw(*AREA[2:])).after(lambda: told.append("a")).after(lambda: told.append("b"))
    )
    picture.tensor()
    assert told == ["a", "b"]


@pytest.mark.parametrize("options", [{}, {"patch": 7, "centre": 1.5}], ids=str)
@pytest.mark.parametrize("sides", [(100,), (40,), (20, 30)])
def test_touched_up_in_tiles(sides: tuple[int, ...], options: dict) -> None:
    real, drawn = photo("lakeside", 90), 0.5 * draw(*AREA[2:], seed=4)
    whole, tiled = (
        _guided.touch_up(one, real, 0.9, sides, 2, **options).tensor()
        for one in (TiledPicture.of(drawn, AREA), in_tiles(drawn))
    )
    assert levels_apart(whole, drawn) > 10
    assert levels_apart(whole, tiled) < 0.01


@pytest.mark.parametrize("size", [(61, 90), (300, 431)])
def test_crisp_in_tiles(size: tuple[int, int]) -> None:
    """The contrast of large pictures is that of a few windows, which are the same in tiles."""
    real, drawn = photo("gravel", 90), photo("lakeside", 431)[..., : size[0], : size[1]]
    drawn, area = torch.nn.functional.avg_pool2d(drawn, 3, 1, 1), Window(0, 0, *drawn.shape[2:])
    whole, tiled = (
        style.as_crisp(one, real).tensor()
        for one in (TiledPicture.of(drawn, area), in_tiles(drawn, 71, area))
    )
    assert levels_apart(whole, drawn) > 1
    assert levels_apart(whole, tiled) < 0.01


@pytest.mark.parametrize("largest", [128, 25])
@pytest.mark.parametrize("side", [64, 11])
def test_mended_and_joined_in_tiles(
    largest: int, side: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where windows of so many pixels a side tell which patches are seen."""
    monkeypatch.setattr(_surroundings, "MENDED_SIZE", largest)
    monkeypatch.setattr(tiles, "NUM", 2)
    monkeypatch.setattr(tiles, "SIDE", side)
    picture, drawn = photo("lakeside", 63), 0.7 * draw(*AREA[2:], seed=2)
    assert min(picture.shape[2:]) + 7 < AREA.height
    results = []
    for one in (TiledPicture.of(drawn, AREA), in_tiles(drawn)):
        mended = _surroundings.mend(one, picture)
        results.append((mended.tensor(), _surroundings.join(mended, picture).tensor()))
    for whole, tiled in zip(*results, strict=True):
        assert levels_apart(whole, drawn) > 10
        assert levels_apart(whole, tiled) < 0.01


def test_layouts_of_large_canvases_are_found_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    picture, noise = photo("lakeside", 40), torch.randn(1, 3, 60, 75)
    margins = (10, 60 - 10 - picture.shape[2], 0, 35)
    expected = _surroundings.surround(picture, margins, noise)
    monkeypatch.setattr(_surroundings, "PAIRS", 2**17)
    found = _surroundings.surround(picture, margins, noise)
    assert (found - expected).abs().mean() < 1e-3


def test_the_likeliest_patch_is_the_nearest_but_where_two_are_as_near() -> None:
    keys = draw(1, 300, 3, 75)[0, :, 0].T
    queries = keys[::7] + 0.05 * draw(1, 43, 4, 75)[0, :, 0].T
    assert torch.allclose(votes.likeliest(queries, keys), keys[votes.nearest(queries, keys)])
    middle = (keys[:1] + keys[1:2]) / 2
    there, beside = (
        votes.likeliest(torch.lerp(middle, keys[:1], step), keys[:2]) for step in (0.0, 1e-5)
    )
    assert torch.allclose(there, middle, atol=1e-3)
    assert (beside - there).abs().max() < 0.01  # no step from one to the other
    assert torch.equal(votes.likeliest(queries[:0], keys), queries[:0])


def test_patches_that_nothing_is_near_are_favoured() -> None:
    keys = draw(1, 2, 3, 75)[0, :, 0].T
    queries = torch.lerp(keys[:1], keys[1:], torch.tensor([[0.0], [0.1], [0.45]]))
    assert torch.equal(votes.likeliest(queries, keys), keys[:1].expand_as(queries))
    least = votes.least_distances(queries[:2], keys)
    least = torch.minimum(least, votes.least_distances(queries[2:], keys))
    exact = torch.cdist(queries, keys).square().amin(dim=0) / 75
    torch.testing.assert_close(least, exact, rtol=0, atol=1e-5)
    assert votes.least_distances(queries[:0], keys).isinf().all()
    found = votes.likeliest(queries, keys, votes.units_of(least, 0.02))
    assert torch.equal(found, keys[[0, 0, 1]])
    assert votes.nearest(queries, keys, 0.02).tolist() == [0, 0, 1]


# The tasks ------------------------------------------------------------------------------------


@pytest.mark.parametrize("mode", ["harmonization", "style"])
@pytest.mark.parametrize("size", [None, (101, 75)])
def test_style_in_tiles(mode: str, size: tuple[int, int] | None) -> None:
    model, content = strong(mode), photo("lakeside", 61)
    whole = style.draw_content(model, content, size, tile=0)
    tiled = style.draw_content(model, content, size, tile=37)
    assert isinstance(whole, Tensor)
    assert isinstance(tiled, TiledPicture)
    assert levels_apart(whole, tiled.tensor()) <= 1
    assert whole.std() > 0.1


@pytest.mark.parametrize("mode", ["generation", "retarget", "animation"])
@pytest.mark.parametrize("options", [{}, {"batch_norm": True}], ids=str)
def test_outpainting_in_tiles(mode: str, options: dict, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_surroundings, "MENDED_SIZE", 40)
    model, extend = strong(mode, **options), (13, 0, 7, 31)
    (whole,), (tiled,) = (list(extensions(model, extend, range(1), 3, tile)) for tile in (0, 41))
    assert isinstance(tiled, TiledPicture)
    assert (tiled.area.top, tiled.area.left, *tiled.size) == (-13, -31, 110, 141)
    assert levels_apart(whole, tiled.tensor()) <= 1
    known = tiled.tensor()[..., 17 : 13 + 90 - 4, 31 + 4 :]
    assert torch.equal(known, model.real[..., 4:-4, 4:])


@pytest.mark.parametrize("mode", ["generation", "animation"])
def test_what_enters_a_part_is_a_part_of_what_enters(mode: str) -> None:
    model = strong(mode)
    if mode == "animation":
        model.fixed_noise[0] = model.latents(Purpose.SAMPLE, 98, 0)[0]
    frame = canvas(model, (13, 0, 7, 31))
    part = model.generator.part(frame, Window(20, -9, 30, 33))
    entering, generator = latents(model, frame, 0, 5), model.generator
    for stage, (some, everything) in enumerate(zip(entering(part), entering(frame), strict=True)):
        window, all_ = (generator.noise_window(stage, one) for one in (part, frame))
        rows, columns = window.cut(all_)
        assert torch.equal(some, everything[..., rows, columns])


# Asking ---------------------------------------------------------------------------------------

ASKED = {
    "style": ("harmonization", {"content_img": "content.png", "size": (61, 50)}),
    "outpainting": ("generation", {"extend": (9, 0, 3, 20)}),
}
tasks = pytest.mark.parametrize("task", ASKED)


def ask(task: str, folder: Path, **more: object) -> tuple[str, dict]:
    """The mode and the options of a task that is asked for."""
    mode, options = ASKED[task]
    if "content_img" in options:
        options = options | {"content_img": str(write_picture(folder / "content.png", 40, 60))}
    return mode, options | more


@tasks
def test_memory_decides_unless_told(
    task: str, tmp_path: Path, trained: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    mode, options = ask(task, tmp_path)
    model = ConSinGAN.load(trained(mode), precision="fp32")
    first = next(iter(next(ConSinGAN.draw(model, task, **options)).frames))
    assert isinstance(first, Tensor)
    monkeypatch.setattr(hardware, "memory", lambda device: 1.0)
    tiled = next(iter(next(ConSinGAN.draw(model, task, **options)).frames))
    assert isinstance(tiled, TiledPicture)
    assert tiled.tile == 16
    assert levels_apart(first, tiled.tensor()) <= 1
    told = "size" if task == "style" else "extend"
    with pytest.raises(UsageError, match=f"{told}: a picture of"):
        ConSinGAN.draw(model, task, **options, tile=0)


@tasks
def test_tiles_from_the_command_line(
    task: str, tmp_path: Path, trained: Callable[[str], Path], script: Script
) -> None:
    mode, options = ask(task, tmp_path)
    words = ["--model_dir", trained(mode), "--task", task, "--not_cuda", "--precision", "fp32"]
    for name, value in options.items():
        words += [f"--{name}", *(value if isinstance(value, tuple) else [value])]
    words += ["--num_samples", 1] if task == "outpainting" else []
    shown = []
    for folder, more in (
        ("whole", []), ("tiles", ["--tile", 24]), ("tif", ["--tile", 30, "--format", "tif"]),
    ):  # fmt: skip
        outcome = script(evaluate_model, *words, *more, "--output_dir", tmp_path / folder)
        assert outcome.code == 0, outcome.err
        name = "styled_content" if task == "style" else "outpainted_0"
        suffix = "tif" if folder == "tif" else "png"
        with Image.open(tmp_path / folder / f"{name}.{suffix}") as picture:
            shown.append(np.asarray(picture).astype(int))
    for other in shown[1:]:
        assert np.abs(other - shown[0]).max() <= 1


@tasks
@pytest.mark.parametrize(
    ("words", "told"),
    BAD_TILES,
    ids=str,
)
def test_bad_tiles_are_one_line(
    task: str, words: list, told: str, tmp_path: Path, trained: Callable[[str], Path],
    script: Script,
) -> None:  # fmt: skip
    write_picture(tmp_path / "content.png", 40, 60)
    own = {"style": ["--content_img", tmp_path / "content.png"],
           "outpainting": ["--extend", 0, 5, 0, 5]}[task]  # fmt: skip
    out = tmp_path / "out"
    outcome = script(evaluate_model, "--model_dir", trained(ASKED[task][0]), "--task", task,
                     *own, *words, "--output_dir", out)  # fmt: skip
    assert outcome.code == 2
    assert outcome.err.count("\n") == 1
    assert told in outcome.err
    assert not out.exists()
