"""What a trained model draws, and the public API."""

from __future__ import annotations

import inspect
import itertools
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from conftest import TINY, files_below, make_config, write_picture
from torch import Tensor

import ConSinGAN
from ConSinGAN import modes
from ConSinGAN.errors import UsageError
from ConSinGAN.frame import Window
from ConSinGAN.model import ImageModel
from ConSinGAN.networks import make_generator
from ConSinGAN.noise import Purpose, RandomStreams, draw_maps
from ConSinGAN.pyramid import sizes_of
from ConSinGAN.walk import random_walk

WITH_NORM = ("harmonization", "editing")


def make_model(mode: str = "generation", size: tuple[int, int] = (24, 36), **options) -> ImageModel:
    """An untrained model with weights large enough to see what its input is."""
    torch.manual_seed(0)
    values = {"train_mode": mode, "train_stages": 2, "min_size": 12, "nfc": 4}
    config = make_config(**values | {"batch_norm": mode in WITH_NORM} | options)
    picture = torch.rand(1, config.nc_im, *size) * 2 - 1
    model = ImageModel(config, modes.get(mode), make_generator(config), [])
    model.reals = model.mode.make_pyramid(picture, config)
    model.generator.grow()
    for parameter in model.generator.parameters():
        parameter.data *= 6
    streams = RandomStreams(0)
    first = model.mode.fixed_input(model.reals[0], streams)
    shapes = model.generator.noise_shapes(model.frame)
    model.fixed_noise = [first, *draw_maps(shapes[1:], streams.noise)]
    model.noise_amp = [1.0, 0.3]
    return model


def assert_pictures(pictures: list[Tensor], num: int, size: tuple[int, int]) -> None:
    assert len(pictures) == num
    for picture in pictures:
        assert picture.shape == (1, 3, *size)
        assert picture.dtype == torch.float32
        assert picture.abs().max() <= 1


# Modes that are trained on pairs of pictures draw nothing at random.
DRAWING = [mode.name for mode in modes.all_modes() if mode.method == "adversarial"]
every_mode = pytest.mark.parametrize("mode", DRAWING)


@every_mode
def test_native_size_and_variety(mode: str) -> None:
    pictures = list(make_model(mode).sample(5))
    assert_pictures(pictures, 5, (24, 36))
    for a, b in itertools.combinations(pictures, 2):
        assert not torch.equal(a, b)


@every_mode
@pytest.mark.parametrize(
    ("scale", "size"),
    [((1, 2), (24, 72)), ((2, 1), (48, 36)), ((0.5, 1.5), (12, 54)), ((0.99, 1.01), (23, 36))],
)
def test_scaled_sizes_are_rounded_down(mode: str, scale: tuple, size: tuple[int, int]) -> None:
    assert_pictures(list(make_model(mode).sample(2, scale=scale)), 2, size)


@every_mode
@pytest.mark.parametrize("size", [(24, 36), (31, 17), (60, 20), (13, 90), (1, 1), (1, 40)])
def test_exact_sizes(mode: str, size: tuple[int, int]) -> None:
    pictures = list(make_model(mode).sample(2, size=size))
    assert_pictures(pictures, 2, size)


@every_mode
def test_seeds_repeat_and_differ(mode: str) -> None:
    model = make_model(mode)
    first, again, other = (torch.cat(list(model.sample(3, seed))) for seed in (1, 1, 2))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


def test_the_global_generator_does_not_matter() -> None:
    model = make_model()
    first = torch.cat(list(model.sample(2)))
    torch.manual_seed(123)
    assert torch.equal(first, torch.cat(list(model.sample(2))))


@every_mode
def test_a_batch_is_as_many_single_pictures(mode: str) -> None:
    """Also with batch norm, whose statistics are those of each picture alone."""
    model = make_model(mode)
    pictures = [model.latents(Purpose.SAMPLE, 3, number) for number in range(4)]
    batch = model.draw([torch.cat(maps) for maps in zip(*pictures, strict=True)])
    singles = torch.cat([model.draw(noise) for noise in pictures])
    torch.testing.assert_close(batch, singles, rtol=0, atol=1e-4)


@every_mode
def test_a_sample_is_the_same_among_others_and_alone(mode: str) -> None:
    model = make_model(mode)
    few, many = list(model.sample(3, 5)), list(model.sample(9, 5))
    for number in range(3):
        assert torch.equal(few[number], many[number])
    assert torch.equal(next(model.sample(1, 5, first=7)), many[7])


@pytest.mark.parametrize("bad", [(0, 0, 0, 5), (-1, 0, 5, 5), (0, 30, 5, 7), (1, 2, 3), "all"])
def test_windows_must_lie_inside(bad: object) -> None:
    with pytest.raises(UsageError, match="window"):
        make_model().sample(window=bad)


def test_windows_need_pixels_that_do_not_depend_on_all_others() -> None:
    with pytest.raises(UsageError, match="normalisation"):
        make_model("harmonization").sample(window=(0, 0, 5, 5))


@pytest.mark.parametrize("mode", ["generation", "retarget", "animation"])
@pytest.mark.parametrize("options", [{}, {"padd_size": 1}, {"ker_size": 5}], ids=str)
def test_a_window_is_that_part_of_the_whole(mode: str, options: dict) -> None:
    size = (130, 170)
    model = make_model(mode, size, train_stages=4, max_size=170, min_size=24, **options)
    while model.generator.num_stages < 4:
        model.generator.grow()
    model.noise_amp = [1.0, 0.3, 0.2, 0.3]
    random = np.random.default_rng(0)
    for scale in ((1.0, 1.0), (1.3, 0.7)):
        (whole,) = model.sample(1, 4, scale=scale, first=2)
        height, width = whole.shape[2:]
        assert whole.std() > 0.1
        for _ in range(6):
            top, left = random.integers(0, height - 1), random.integers(0, width - 1)
            size = random.integers(1, height - top + 1), random.integers(1, width - left + 1)
            (part,) = model.sample(1, 4, scale=scale, first=2, window=(top, left, *size))
            there = whole[..., top : top + size[0], left : left + size[1]]
            torch.testing.assert_close(part, there, rtol=0, atol=1e-4)


def test_a_window_costs_less_than_the_whole() -> None:
    model = make_model(size=(130, 170), train_stages=4, max_size=170, min_size=24)
    while model.generator.num_stages < 4:
        model.generator.grow()
    frame = model.generator.frame(sizes_of(model.reals), Window(50, 60, 20, 20))
    assert frame.places[-1].size == (28, 28)  # what the last convolutions see beside it


def test_samples_come_one_by_one() -> None:
    assert inspect.isgenerator(make_model().sample(10**9))


def test_grey_models_draw_grey() -> None:
    for mode in modes.names():
        model = make_model(mode, nc_im=1)
        assert next(model.sample()).shape == (1, 1, 24, 36)
        assert model.reconstruct().shape == (1, 1, 24, 36)


@every_mode
def test_reconstruction_is_one_picture_always_the_same(mode: str) -> None:
    model = make_model(mode)
    assert_pictures([model.reconstruct()], 1, (24, 36))
    assert torch.equal(model.reconstruct(), model.reconstruct())


# Animation ------------------------------------------------------------------------------------


def test_animation_gives_frames_that_repeat_with_the_seed() -> None:
    model = make_model("animation")
    first, again, other = (list(model.animate(5, seed=seed)) for seed in (0, 0, 1))
    assert len(first) == 5
    assert {(frame.shape, frame.dtype.name) for frame in first} == {((24, 36, 3), "uint8")}
    assert all((a == b).all() for a, b in zip(first, again, strict=True))
    assert any((a != b).any() for a, b in zip(first, other, strict=True))
    assert (first[0] != first[-1]).any()


def test_animation_of_fewer_stages_moves_less() -> None:
    model = make_model("animation")

    def motion(start: int) -> float:
        frames = np.stack(list(model.animate(8, start))).astype(float)
        return np.abs(np.diff(frames, axis=0)).mean()

    assert motion(0) > motion(1) > motion(2) == 0


def test_walk_holds_early_stages_still_and_returns_to_the_fixed_noise() -> None:
    fixed = [torch.randn(1, 3, 4, 4) for _ in range(3)]
    draws = ([torch.randn_like(f) for f in fixed] for _ in range(6))
    for noise in random_walk(fixed, draws, alpha=0.1, beta=0.9, start_scale=1):
        assert torch.equal(noise[0], fixed[0])
        assert not torch.equal(noise[1], fixed[1])
    draws = ([torch.randn_like(f) for f in fixed] for _ in range(4))
    for noise in random_walk(fixed, draws, alpha=1.0, beta=0.5, start_scale=0):
        assert all(torch.equal(z, f) for z, f in zip(noise, fixed, strict=True))


# Composites -----------------------------------------------------------------------------------


@pytest.mark.parametrize("mode", WITH_NORM)
def test_outside_the_mask_the_naive_picture_is_kept(mode: str) -> None:
    size = (60, 160)
    model = make_model(mode, size, max_size=160)
    naive = torch.rand(1, 3, *size) * 2 - 1
    mask = torch.zeros(1, 1, *size)
    mask[..., 20:40, 10:30] = 1
    compose = model.harmonize if mode == "harmonization" else model.edit
    with_mask, without = compose(naive, mask), compose(naive)
    assert_pictures([with_mask, without], 2, size)
    assert torch.equal(with_mask[..., 90:], naive[..., 90:])
    assert not torch.equal(without[..., 90:], naive[..., 90:])
    assert (with_mask - without)[..., 25:35, 15:25].abs().max() < 0.1
    assert (with_mask - naive)[..., 25:35, 15:25].abs().max() > 0.3


@pytest.mark.parametrize("mode", WITH_NORM)
def test_naive_pictures_and_masks_may_be_larger(mode: str) -> None:
    model = make_model(mode)
    naive, mask = torch.rand(1, 3, 48, 72), torch.zeros(1, 1, 72, 108)
    mask[..., 20:30, 20:30] = 1
    assert_pictures([model.compose(naive, mask), model.compose(naive)], 2, (24, 36))


@pytest.mark.parametrize("mode", WITH_NORM)
def test_composites_repeat_and_depend_on_the_naive_picture(mode: str) -> None:
    model = make_model(mode)
    naive = torch.rand(1, 3, 24, 36)
    assert torch.equal(model.compose(naive, seed=1), model.compose(naive, seed=1))
    assert not torch.equal(model.compose(naive), model.compose(-naive))


def test_empty_mask_is_refused() -> None:
    with pytest.raises(UsageError, match=r"^mask"):
        make_model("harmonization").compose(torch.zeros(1, 3, 24, 36), torch.zeros(1, 1, 24, 36))


@pytest.mark.parametrize("mode", ["generation", "retarget", "animation"])
def test_models_of_other_modes_make_no_composites(mode: str) -> None:
    with pytest.raises(UsageError, match=mode):
        make_model(mode).harmonize(torch.zeros(1, 3, 24, 36))


# The public API -------------------------------------------------------------------------------


def test_train_and_load(tmp_path: Path) -> None:
    picture = write_picture(tmp_path / "a.b.png")
    path = ConSinGAN.train(input_name=str(picture), output_dir=str(tmp_path / "runs"), **TINY)
    assert path.parent == tmp_path / "runs" / "a.b"
    model = ConSinGAN.load(path)
    assert sizes_of(model.reals) == model.sizes == [(12, 18), (16, 24)]
    assert_pictures(list(model.sample(2, seed=1)), 2, (16, 24))
    assert "config.yaml" in files_below(path)


def test_paths_may_be_path_objects(tmp_path: Path) -> None:
    picture = write_picture(tmp_path / "a.png")
    ConSinGAN.load(ConSinGAN.train(input_name=picture, output_dir=tmp_path, **TINY))


def test_training_repeats_with_the_seed(trained: Callable, tmp_path: Path) -> None:
    picture = write_picture(tmp_path / "picture.png")
    options = {"input_name": str(picture), "output_dir": str(tmp_path), "precision": "fp32"}
    again = ConSinGAN.load(ConSinGAN.train(**options, **TINY))
    other = ConSinGAN.load(ConSinGAN.train(**options, **TINY | {"manualSeed": 2}))
    first = ConSinGAN.load(trained("generation")).reconstruct()
    assert torch.equal(again.reconstruct(), first)
    assert not torch.equal(other.reconstruct(), first)


def test_api_errors_are_one_line(tmp_path: Path) -> None:
    for options in ({"niter": 0}, {"nitre": 5}, {"input_name": "missing.png"}):
        with pytest.raises(UsageError) as error:
            ConSinGAN.train(output_dir=str(tmp_path), **options)
        assert "\n" not in str(error.value)
    with pytest.raises(UsageError):
        ConSinGAN.load(tmp_path)
    assert files_below(tmp_path) == set()
