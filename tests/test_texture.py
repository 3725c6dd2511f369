"""Textures: rings in one direction or both, whatever the model's border is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from conftest import Outcome, files_below
from test_frame import AMPLITUDES, field_noise, strong
from test_tiles import strong as strong_model

import ConSinGAN
import evaluate_model
from ConSinGAN.errors import UsageError
from ConSinGAN.frame import Frame
from ConSinGAN.generators.consingan import ConSinGANGenerator
from ConSinGAN.layers import NetworkShape
from ConSinGAN.tasks.texture import RINGS, cut_open, ring_frame, textures
from ConSinGAN.tiles import TiledPicture

SIZES = [(8, 10), (16, 20), (32, 40)]


@pytest.mark.parametrize("border", ["noise", "zeros", "wrap"])
@pytest.mark.parametrize("wrap", ["both", "horizontal", "vertical"])
def test_shifted_noise_shifts_a_ring(border: str, wrap: str) -> None:
    generator, rings = strong(border), RINGS[wrap]
    frame = Frame.whole(SIZES, border, rings)
    noise = field_noise(generator, frame)
    rows, columns = (2 if ring else 0 for ring in frame.places[0].wraps)
    moved = [z.roll((rows * 2**i, columns * 2**i), dims=(2, 3)) for i, z in enumerate(noise)]
    with torch.no_grad():
        picture, other = (generator(z, AMPLITUDES, frame) for z in (noise, moved))
    assert picture.shape[2:] == SIZES[-1]
    expected = picture.roll((4 * rows, 4 * columns), dims=(2, 3))
    torch.testing.assert_close(other, expected, rtol=0, atol=1e-4)
    assert picture.std() > 0.1


def test_convolutions_that_pad_see_the_other_side() -> None:
    torch.manual_seed(0)
    generator = ConSinGANGenerator(NetworkShape(4, padding=1), border="zeros")
    generator.grow()
    for parameter in generator.parameters():
        torch.nn.init.normal_(parameter, 0, 0.25)
    frame = Frame.whole(SIZES[:2], "zeros", (True, True))
    noise = field_noise(generator, frame)
    moved = [z.roll(3 * 2**i, dims=3) for i, z in enumerate(noise)]
    with torch.no_grad():
        picture, other = (generator(z, AMPLITUDES, frame) for z in (noise, moved))
    torch.testing.assert_close(other, picture.roll(6, dims=3), rtol=0, atol=1e-4)


@pytest.mark.parametrize("size", [(1, 1), (2, 3), (20, 9)])
def test_small_rings(size: tuple[int, int], trained: Callable[[str], Path]) -> None:
    model = ConSinGAN.load(trained("generation"), precision="fp32")
    drawn = list(ConSinGAN.draw(model, "texture", size=size, num_samples=1))
    assert drawn[0].frames[0].shape[2:] == size
    assert drawn[1].frames[0].shape[2:] == (2 * size[0], 2 * size[1])


def test_rings_have_the_density_of_the_training_picture(trained: Callable[[str], Path]) -> None:
    model = ConSinGAN.load(trained("generation"), precision="fp32")
    frame = ring_frame(model, (400, 300), (True, True))
    first, last = (model.sizes[0], model.sizes[-1])
    place = frame.places[0]
    assert place.rows.total == round(400 * (first[0] - 1) / (last[0] - 1))
    assert place.columns.total == round(300 * (first[1] - 1) / (last[1] - 1))


def test_a_ring_is_cut_where_it_is_ordinary() -> None:
    picture = torch.rand((1, 3, 20, 30), generator=torch.Generator().manual_seed(0))
    picture[..., 0] += 5
    cut = cut_open(TiledPicture.of(picture), (False, True)).tensor()
    steps = (cut - cut.roll(1, 3)).abs().mean(dim=(0, 1, 2))
    assert abs(steps[0] / steps.mean() - 0.95) <= (steps / steps.mean() - 0.95).abs().min() + 1e-6
    assert torch.equal(cut.sort(dim=3).values, picture.sort(dim=3).values)


@pytest.mark.parametrize("mode", ["generation", "retarget", "animation"])
def test_textures_from_the_command_line(
    mode: str, trained: Callable[[str], Path], script: Callable[..., Outcome], tmp_path: Path
) -> None:
    words = ["--model_dir", trained(mode), "--task", "texture", "--output_dir", tmp_path / "out"]
    outcome = script(evaluate_model, *words, "--num_samples", 2, "--wrap", "vertical")
    assert outcome.code == 0, outcome.err
    names = {f"texture_{i}{end}.png" for i in range(2) for end in ("", "_laid")}
    assert files_below(tmp_path / "out") == {*names, ".manifest"}


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--size", 0, 10], "--size"),
        (["--size", 10, -1], "--size"),
        (["--size", 10**9, 10], "--size"),
        (["--size", "nan", 10], "--size"),
        (["--size", 32768, 32768, "--tile", 0], "--size"),
        (["--wrap", "sideways"], "--wrap"),
        (["--num_samples", 0], "--num_samples"),
    ],
)
def test_bad_textures_are_one_line(
    words: list, told: str, trained: Callable[[str], Path], script: Callable[..., Outcome]
) -> None:
    run = trained("generation")
    outcome = script(evaluate_model, "--model_dir", run, "--task", "texture", *words)
    assert (outcome.code, outcome.err.count("\n")) == (2, 1)
    assert told in outcome.err
    with pytest.raises(UsageError, match="given"):
        ConSinGAN.draw(ConSinGAN.load(trained("editing")), "texture")


@pytest.mark.parametrize("size", [(60, 70), (270, 40)])
@pytest.mark.parametrize("wrap", ["both", "vertical"])
def test_textures_in_tiles_are_the_whole_ones(wrap: str, size: tuple[int, int]) -> None:
    """Cut at the same line, of all or of some bands."""
    model, rings = strong_model(), RINGS[wrap]
    with torch.no_grad():
        (whole,) = textures(model, size, rings, [3], 5, tile=0)
        (tiled,) = textures(model, size, rings, [3], 5, tile=24)
        (other,) = textures(model, size, rings, [4], 5, tile=24)
        picture = tiled.tensor()
    assert whole.std(dim=(2, 3)).mean() > 0.003
    torch.testing.assert_close(picture, whole, rtol=0, atol=2e-5)
    assert (other.tensor() - whole).abs().mean() > 0.001
    assert tiled.tensor().equal(picture)  # and again


def test_large_sides_are_cut_in_the_same_place_whatever_the_tiles() -> None:
    picture = torch.rand((1, 3, 700, 300), generator=torch.Generator().manual_seed(0))
    found = []
    for tile in (1000, 64, 50):
        tiled = replace(TiledPicture.of(picture), tile=tile)
        found.append(cut_open(tiled, (True, True)).tensor())
    assert all(one.equal(found[0]) for one in found)
    assert found[0].sort(dim=2).values.sort(dim=3).values.shape == picture.shape
    assert float(found[0].sum()) == pytest.approx(float(picture.sum()), rel=1e-5)


def test_a_texture_in_tiles_is_laid_out_too(trained: Callable[[str], Path]) -> None:
    model = ConSinGAN.load(trained("generation"), precision="fp32")
    drawn = list(ConSinGAN.draw(model, "texture", size=(40, 50), num_samples=1, tile=20))
    assert [one.name for one in drawn] == ["texture_0", "texture_0_laid"]
    assert drawn[1].frames[0].shape[2:] == (80, 100)
