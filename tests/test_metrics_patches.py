"""Metrics without a network: against slow independent computations, and what people would say."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from numpy.lib.stride_tricks import sliding_window_view
from scipy import ndimage, stats
from specimens import assert_growing, blur, draw, fade, flat, grain, jpeg, photo, shuffle
from torch import Tensor

from ConSinGAN.metrics import patches
from ConSinGAN.metrics.patches import PixelDiversity, nearest_patches, sliced_wasserstein

PHOTOS = ["tissue", "lakeside"]


# The pyramid ----------------------------------------------------------------------------------


def slow_blur(planes: np.ndarray) -> np.ndarray:
    """(C, h, w) with the binomial kernel and mirrored borders."""
    kernel = np.outer([1, 4, 6, 4, 1], [1, 4, 6, 4, 1]) / 256
    return np.stack([ndimage.convolve(plane, kernel, mode="mirror") for plane in planes])


def slow_expand(smaller: np.ndarray, like: np.ndarray) -> np.ndarray:
    spread = np.zeros_like(like)
    spread[:, ::2, ::2] = smaller
    return 4 * slow_blur(spread)


def slow_pyramid(picture: Tensor, levels: int) -> list[np.ndarray]:
    planes, bands = picture[0].double().numpy(), []
    for _ in range(levels - 1):
        smaller = slow_blur(planes)[:, ::2, ::2]
        bands.append(planes - slow_expand(smaller, planes))
        planes = smaller
    return [*bands, planes]


@pytest.mark.parametrize("size", [(32, 48), (33, 47), (64, 51), (7, 9)])
def test_pyramid_is_burts_and_adelsons(size: tuple[int, int]) -> None:
    levels = 1 if min(size) < 16 else 3
    bands = patches.laplacian_pyramid(draw(*size), levels)
    assert len(bands) == levels
    for ours, theirs in zip(bands, slow_pyramid(draw(*size), levels), strict=True):
        np.testing.assert_allclose(ours[0].numpy(), theirs, atol=2e-6)


@pytest.mark.parametrize("size", [(32, 48), (33, 47), (65, 130)])
def test_bands_add_up_to_the_picture(size: tuple[int, int]) -> None:
    *bands, whole = (band[0].double().numpy() for band in patches.laplacian_pyramid(draw(*size), 3))
    for band in reversed(bands):
        whole = band + slow_expand(whole, band)
    np.testing.assert_allclose(whole, draw(*size)[0].numpy(), atol=2e-6)


@pytest.mark.parametrize(
    ("sizes", "levels"),
    [([(7, 7)], 1), ([(30, 99)], 1), ([(31, 31)], 2), ([(32, 99)], 2), ([(60, 60)], 2),
     ([(61, 90)], 3), ([(250, 166)], 4), ([(250, 250), (300, 40)], 2)],
)  # fmt: skip
def test_number_of_levels(sizes: list[tuple[int, int]], levels: int) -> None:
    assert patches.num_levels(*sizes) == levels
    shortest = min(min(band.shape[-2:]) for band in patches.laplacian_pyramid(draw(61, 90), 3))
    assert shortest == 16


# Sliced Wasserstein distance ------------------------------------------------------------------


def assert_wasserstein(a: np.ndarray, b: np.ndarray) -> None:
    ours = patches._wasserstein(*(torch.from_numpy(np.sort(x)) for x in (a, b)))
    assert float(ours) == pytest.approx(stats.wasserstein_distance(a, b), rel=1e-9, abs=1e-12)


numbers = st.lists(st.floats(-10, 10, width=32), min_size=1, max_size=30)


@given(numbers, numbers)
def test_wasserstein_distance_of_any_two_samples(a: list[float], b: list[float]) -> None:
    assert_wasserstein(np.array(a), np.array(b))


@pytest.mark.parametrize(("n", "m"), [(1, 4000), (999, 1000), (1500, 2500), (70001, 90007)])
def test_wasserstein_distance_of_many(n: int, m: int) -> None:
    rng = np.random.default_rng(0)
    assert_wasserstein(rng.normal(size=n), rng.gamma(2, size=m))


def slow_sliced_wasserstein(
    real: Tensor, fake: Tensor, statistics: str, num_directions: int, levels: int
) -> list[float]:
    """All patches as rows, normalised, projected, compared by scipy; seed 0."""
    length = real.shape[1] * 49
    random = torch.Generator().manual_seed(0)
    directions = torch.randn(num_directions, length, generator=random).double().numpy()
    directions /= np.sqrt((directions**2).sum(axis=1, keepdims=True))
    distances = []
    for bands in zip(slow_pyramid(real, levels), slow_pyramid(fake, levels), strict=True):
        rows = [sliding_window_view(band, (7, 7), axis=(1, 2)) for band in bands]
        rows = [row.transpose(1, 2, 0, 3, 4).reshape(-1, len(row), 49) for row in rows]
        first = [row.mean(axis=(0, 2), keepdims=True) for row in rows]
        second = [(row**2).mean(axis=(0, 2), keepdims=True) for row in rows]
        if statistics == "joint":
            first, second = [sum(first) / 2] * 2, [sum(second) / 2] * 2
        rows = [
            ((row - mean) / np.sqrt(square - mean**2)).reshape(-1, length)
            for row, mean, square in zip(rows, first, second, strict=True)
        ]
        projections = [directions @ row.T for row in rows]
        pairs = zip(*projections, strict=True)
        distances.append(np.mean([stats.wasserstein_distance(*pair) for pair in pairs]))
    return distances


@pytest.mark.parametrize("statistics", ["joint", "own"])
@pytest.mark.parametrize(
    ("size", "other", "channels"), [((34, 41), (40, 33), 3), ((32, 35), (32, 35), 1)]
)
def test_sliced_wasserstein_step_by_step(
    statistics: str, size: tuple[int, int], other: tuple[int, int], channels: int
) -> None:
    real, fake = draw(*size, channels=channels), blur(draw(*other, 1, channels), 0.7) * 0.8 + 0.1
    distances = sliced_wasserstein(real, fake, num_directions=16, statistics=statistics)
    expected = slow_sliced_wasserstein(real, fake, statistics, 16, levels=2)
    np.testing.assert_allclose(distances.numpy(), expected, rtol=1e-4)


@pytest.mark.parametrize("statistics", ["joint", "own"])
def test_sliced_wasserstein_of_equals_and_of_changed_places(statistics: str) -> None:
    picture, other = photo("lakeside", 64), blur(photo("tissue", 70), 1)
    assert (sliced_wasserstein(picture, picture.clone(), statistics=statistics) == 0).all()
    there = sliced_wasserstein(picture, other, statistics=statistics)
    back = sliced_wasserstein(other, picture, statistics=statistics)
    assert there.shape == (2,)
    assert (there > 0.01).all()
    assert torch.allclose(there, back, rtol=1e-6)


def test_sliced_wasserstein_depends_a_little_on_its_seed() -> None:
    picture, other = photo("lakeside", 64), jpeg(photo("lakeside", 64), 10)
    first, again, another = (sliced_wasserstein(picture, other, seed) for seed in (0, 0, 1))
    assert torch.equal(first, again)
    assert not torch.equal(first, another)
    assert torch.allclose(first, another, rtol=0.3)


def test_sliced_wasserstein_in_small_portions(monkeypatch: pytest.MonkeyPatch) -> None:
    picture, other = draw(40, 32), draw(33, 50, 1) * 0.5
    whole = sliced_wasserstein(picture, other)
    for at_once in (1, 33 * 50 * 5):
        monkeypatch.setattr(patches, "MAX_PROJECTIONS", at_once)
        assert torch.allclose(sliced_wasserstein(picture, other), whole, rtol=1e-5)


@pytest.mark.parametrize("name", PHOTOS)
@pytest.mark.parametrize(
    ("damage", "strengths"),
    [
        (grain, (0.02, 0.05, 0.2, 0.4)), (blur, (0.4, 0.7, 1, 4)), (jpeg, (95, 60, 30, 3)),
        (fade, (0.05, 0.1, 0.4, 0.8)), (shuffle, (32, 8, 4)),
    ],
)  # fmt: skip
def test_more_damage_is_further_away(name: str, damage: Callable, strengths: tuple) -> None:
    picture, distances = photo(name), []
    for strength in strengths:
        spoilt = damage(picture, strength)
        distances.append(float(sliced_wasserstein(picture, spoilt).mean()))
    assert_growing(distances, 1.15)


@pytest.mark.parametrize("name", [*PHOTOS, "gravel"])
def test_shuffled_tiles_are_seen_at_coarse_levels(name: str) -> None:
    """Their inside is as before, their places are not."""
    distances = sliced_wasserstein(photo(name), shuffle(photo(name), 32))
    assert_growing(distances.tolist())
    assert distances[-1] > 0.2
    assert distances[-1] > 1.5 * distances[0]


def test_only_joint_statistics_see_contrast_and_colour() -> None:
    picture = photo("tissue")
    spoilt = 0.5 * picture + 0.2
    assert (sliced_wasserstein(picture, spoilt) > 0.3).all()
    assert (sliced_wasserstein(picture, spoilt, statistics="own") < 1e-4).all()


def test_pictures_of_one_colour() -> None:
    grey = flat(40, 40, 0.1, -0.4, 0.7)
    assert (sliced_wasserstein(grey, flat(64, 33, 0.1, -0.4, 0.7)) < 1e-3).all()
    other = sliced_wasserstein(grey, flat(40, 40, 0.1, -0.4, 0.8))
    assert other.isfinite().all()
    assert other[-1] > 0.5
    assert sliced_wasserstein(photo("tissue", 40), grey).isfinite().all()


# Pixel diversity ------------------------------------------------------------------------------


def diversity_of(real: Tensor, pictures: list[Tensor]) -> float:
    diversity = PixelDiversity(real)
    for picture in pictures:
        diversity.add(picture)
    return diversity.value()


def slow_diversity(real: Tensor, pictures: list[Tensor]) -> float:
    luma = np.array([0.299, 0.587, 0.114]) if real.shape[1] == 3 else np.ones(1)
    own, *grey = (np.tensordot(luma, p[0].double().numpy(), 1) for p in (real, *pictures))
    return np.std(grey, axis=0).mean() / own.std()


@pytest.mark.parametrize("channels", [3, 1])
@pytest.mark.parametrize("num", [2, 3, 20])
def test_pixel_diversity(channels: int, num: int) -> None:
    real = blur(draw(12, 17, 99, channels), 1)
    pictures = [draw(9, 14, seed, channels) ** 3 for seed in range(num)]
    expected = slow_diversity(real, pictures)
    assert diversity_of(real, pictures) == pytest.approx(expected, rel=1e-9)


def test_pixel_diversity_does_not_drown_in_brightness() -> None:
    """Bright pictures that hardly differ, and many of them."""
    pictures = [0.9 + 1e-4 * draw(5, 6, seed) for seed in range(400)]
    expected = slow_diversity(draw(8, 8), pictures)
    assert diversity_of(draw(8, 8), pictures) == pytest.approx(expected, rel=1e-10)


def test_a_picture_and_its_negative_are_as_diverse_as_can_be() -> None:
    real = flat(4, 4, 1.0, 1.0, 1.0)
    real[..., 2:] = -1
    assert diversity_of(real, [real, -real]) == pytest.approx(1)


def test_equal_pictures_have_no_diversity() -> None:
    assert diversity_of(draw(8, 8), [draw(9, 9, 1)] * 7) == 0
    assert diversity_of(flat(8, 8, 0.1, 0.2, 0.3), [draw(9, 9, 1)] * 7) == 0


def test_pixel_diversity_needs_two_pictures_of_one_size() -> None:
    diversity = PixelDiversity(draw(8, 8))
    with pytest.raises(ValueError, match="at least two"):
        diversity.value()
    diversity.add(draw(8, 8))
    with pytest.raises(ValueError, match="at least two"):
        diversity.value()
    with pytest.raises(ValueError, match="different sizes"):
        diversity.add(draw(8, 9))


@pytest.mark.parametrize("level", [-1.0, 0.0, 1.0])
def test_nothing_is_divided_by_a_real_picture_of_one_colour(level: float) -> None:
    with pytest.raises(ValueError, match="of one colour"):
        diversity_of(flat(37, 53, level, level, level), [draw(8, 8), draw(8, 8, 1)])


def test_one_colour_is_known_whatever_it_is() -> None:
    for colour in np.random.default_rng(0).uniform(-1, 1, (30, 3)):
        with pytest.raises(ValueError, match="of one colour"):
            diversity_of(flat(37, 53, *colour), [draw(8, 8), draw(8, 8, 1)])


# What cannot be compared ----------------------------------------------------------------------


@pytest.mark.parametrize("compare", [sliced_wasserstein, nearest_patches])
def test_pictures_that_cannot_be_compared(compare: Callable) -> None:
    for small in (draw(6, 30), draw(30, 6)):
        for pair in ((small, draw(30, 30)), (draw(30, 30), small)):
            with pytest.raises(ValueError, match=r"smaller than a patch of 7x7"):
                compare(*pair)
    with pytest.raises(ValueError, match="number of channels"):
        compare(draw(30, 30), draw(30, 30, channels=1))
    compare(draw(7, 7), draw(7, 30))  # just large enough


def test_a_too_small_picture_is_named_by_its_size() -> None:
    with pytest.raises(ValueError, match="30x6 pixels"):
        patches.check_pictures(draw(6, 30))
