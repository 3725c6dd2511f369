"""Nearest patches: against a search of all pairs, and what people would call a copy."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from numpy.lib.stride_tricks import sliding_window_view
from specimens import assert_growing, blur, draw, flat, grain, jpeg, photo, shuffle
from torch import Tensor

from ConSinGAN.metrics import patches
from ConSinGAN.metrics.patches import nearest_patches
from ConSinGAN.resize import resize

PHOTOS = ["tissue", "lakeside"]


def rows_of(picture: Tensor) -> np.ndarray:
    """All patches: (rows, columns, values)."""
    windows = sliding_window_view(picture[0].double().numpy(), (7, 7), axis=(1, 2))
    return windows.transpose(1, 2, 0, 3, 4).reshape(*windows.shape[1:3], -1)


def slow_nearest(real: Tensor, fake: Tensor) -> tuple[float, float, float]:
    """All pairs in float64: coherence, completeness and copying."""
    grids = [rows_of(picture) for picture in (fake, real)]
    flat_rows = [grid.reshape(-1, grid.shape[2]) for grid in grids]
    distances = np.sqrt(((flat_rows[0][:, None] - flat_rows[1][None]) ** 2).mean(axis=2)) * 127.5
    (rows, columns), width = grids[0].shape[:2], grids[1].shape[1]
    places = np.stack(np.divmod(distances.argmin(axis=1), width), axis=1)
    offsets = places.reshape(rows, columns, 2) - np.mgrid[0:rows, 0:columns].transpose(1, 2, 0)
    copied = np.ones((rows, columns), bool)
    along = (offsets[1:] == offsets[:-1]).all(axis=2), (offsets[:, 1:] == offsets[:, :-1]).all(2)
    copied[1:] &= along[0]
    copied[:-1] &= along[0]
    copied[:, 1:] &= along[1]
    copied[:, :-1] &= along[1]
    return distances.min(axis=1).mean(), distances.min(axis=0).mean(), copied.mean()


def collage(seed: int, channels: int = 3) -> tuple[Tensor, Tensor]:
    """A picture of noise, and another one partly made of moved pieces of it."""
    real, fake = draw(20, 26, seed, channels), draw(23, 18, seed + 100, channels)
    fake[..., 2:15, 3:16] = real[..., 5:18, 12:25]
    fake[..., 14:, :9] = 0.9 * real[..., :9, :9]
    return real, fake


def as_tuple(nearest: patches.NearestPatches) -> tuple[float, float, float]:
    return nearest.coherence, nearest.completeness, nearest.copying


@pytest.mark.parametrize(("seed", "channels"), [(0, 3), (1, 3), (2, 1)])
def test_nearest_patches_by_brute_force(seed: int, channels: int) -> None:
    expected = slow_nearest(*collage(seed, channels))
    assert as_tuple(nearest_patches(*collage(seed, channels))) == pytest.approx(expected, rel=1e-5)
    assert 0.3 < expected[2] < 0.7  # there is something to count


def bright_and_dark(contrast: float) -> Tensor:
    """Faint noise on a bright and on a dark half: distances drown in the patches' own norms."""
    picture = contrast * draw(40, 44)
    picture[..., :22] += 0.9
    picture[..., 22:] -= 0.9
    return picture


def test_rounding_is_mended() -> None:
    real, fake = (0.9 + 5e-4 * picture for picture in collage(0))
    coherence, completeness, _ = slow_nearest(real, fake)
    nearest = nearest_patches(real, fake)
    assert nearest.coherence == pytest.approx(coherence, rel=1e-4)
    assert nearest.completeness == pytest.approx(completeness, rel=1e-4)
    equal = nearest_patches(bright_and_dark(1e-4), bright_and_dark(1e-4))
    assert (equal.coherence, equal.completeness) == (0, 0)
    picture = bright_and_dark(1.4e-3)
    assert nearest_patches(picture, picture[..., 4:, 3:]).coherence < 0.005


def test_nearest_patches_in_small_portions(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = as_tuple(nearest_patches(*collage(0)))
    for chunk in (1, 7, 203, 204, 205):  # one picture has 204 patches
        monkeypatch.setattr(patches, "CHUNK", chunk)
        assert as_tuple(nearest_patches(*collage(0))) == pytest.approx(whole, rel=1e-6)


@pytest.mark.parametrize("longer", [64, 150])
@pytest.mark.parametrize("name", [*PHOTOS, "summer_palace"])
def test_a_picture_is_its_own_copy(name: str, longer: int) -> None:
    """Exactly, also if it is shrunk for the search."""
    picture = photo(name, longer)
    assert as_tuple(nearest_patches(picture, picture.clone())) == (0, 0, 1)


@pytest.mark.parametrize("name", PHOTOS)
def test_a_moved_copy_is_a_copy(name: str) -> None:
    picture = photo(name)
    nearest = nearest_patches(picture, picture[..., 5:69, 9:80])
    assert (nearest.coherence, nearest.copying) == (0, 1)
    assert nearest.completeness > 0


def test_noise_is_no_copy() -> None:
    nearest = nearest_patches(photo("tissue", 64), draw(40, 50))
    assert nearest.copying < 0.02
    assert nearest.coherence > 60


def with_sky(rows: int) -> Tensor:
    """Noise below so many rows of one colour."""
    picture = draw(40, 44)
    picture[..., :rows, :] = flat(rows, 44, 0.2, 0.4, 0.9)
    return picture


@pytest.mark.parametrize("picture", [with_sky(15), with_sky(40), bright_and_dark(1e-4)])
def test_a_flat_picture_is_its_own_copy(picture: Tensor) -> None:
    """Where many patches are equally near, those that make a copy count."""
    assert as_tuple(nearest_patches(picture, picture.clone())) == (0, 0, 1)


@pytest.mark.parametrize("rows", [15, 30])
def test_a_moved_copy_with_a_flat_sky(rows: int) -> None:
    nearest = nearest_patches(with_sky(rows), with_sky(rows)[..., 4:, 3:])
    assert (nearest.coherence, nearest.copying) == (0, 1)


def test_coherence_and_completeness_change_places() -> None:
    picture, other = photo("tissue", 60), shuffle(jpeg(photo("tissue", 60), 30), 5)
    picture = picture[..., : other.shape[-2], : other.shape[-1]]
    there, back = nearest_patches(picture, other), nearest_patches(other, picture)
    assert there.coherence > 1.2 * there.completeness
    assert there.coherence == pytest.approx(back.completeness, rel=1e-4)
    assert there.completeness == pytest.approx(back.coherence, rel=1e-4)


@pytest.mark.parametrize(
    ("size", "other", "search_size", "scale"),
    [((60, 80), (80, 60), 40, 0.5), ((80, 60), (30, 90), 40, 16 / 30),
     ((32, 90), (70, 70), 20, 0.5), ((30, 40), (99, 99), 40, 1.0)],
)  # fmt: skip
def test_both_pictures_are_shrunk_alike(
    size: tuple[int, int], other: tuple[int, int], search_size: int, scale: float
) -> None:
    real, fake = blur(draw(*size), 2) * 3, blur(draw(*other, 1), 2) * 3
    ours = nearest_patches(real, fake, search_size)
    by_hand = (resize(real, scale=scale), resize(fake, scale=scale)) if scale < 1 else (real, fake)
    assert min(min(picture.shape[-2:]) for picture in by_hand) >= 16
    assert as_tuple(ours) == as_tuple(nearest_patches(*by_hand, search_size=10**6))


@pytest.mark.parametrize("name", PHOTOS)
@pytest.mark.parametrize(
    ("damage", "strengths"), [(grain, (0.02, 0.1, 0.4)), (blur, (0.4, 0.7, 2))]
)
def test_more_damage_is_less_coherent(name: str, damage: Callable, strengths: tuple) -> None:
    picture = photo(name, 64)
    nearest = [nearest_patches(picture, damage(picture, strength)) for strength in strengths]
    assert_growing([n.coherence for n in nearest], 1.3)
    assert_growing([n.completeness for n in nearest], 1.3)
    assert_growing([1 / n.copying for n in nearest])


def test_coherence_is_in_byte_levels() -> None:
    """A picture made brighter by ten levels everywhere; noise, so that none fits better."""
    real = draw(20, 20) * 0.8
    nearest = nearest_patches(real, real + 10 / 127.5)
    assert as_tuple(nearest) == pytest.approx((10, 10, 1), rel=1e-5)


def test_a_single_patch_is_copied_only_if_it_is_found() -> None:
    assert nearest_patches(draw(7, 7), draw(7, 7)).copying == 1
    assert nearest_patches(draw(7, 7), draw(7, 7, 1)).copying == 0


def test_the_search_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """Large pictures are shrunk, whichever is large; too different ones are refused."""
    monkeypatch.setattr(patches, "MAX_SEARCHED", 2000)
    sizes = []

    def searched(real: Tensor, fake: Tensor) -> None:
        sizes.append(max(real.shape[0], fake.shape[0]))
        return original(real, fake)

    original = patches._argmin_distances
    monkeypatch.setattr(patches, "_argmin_distances", searched)
    nearest_patches(draw(60, 60), draw(200, 180))
    nearest_patches(draw(200, 180), draw(60, 60))
    assert max(sizes) < 2000
    with pytest.raises(ValueError, match="differ too much in size"):
        nearest_patches(draw(300, 300), draw(16, 16))
