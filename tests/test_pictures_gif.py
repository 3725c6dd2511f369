"""GIFs: colours that do not flicker, frame rates that are true, no frame lost."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from conftest import files_below, paint
from PIL import Image
from scipy import ndimage

from ConSinGAN.errors import UsageError
from ConSinGAN.pictures.gif import choose_palette, frame_delays, save_gif


def decode(path: Path) -> tuple[np.ndarray, list[int]]:
    """The frames, int (N, H, W, 3), and how long each is shown, milliseconds."""
    frames, durations = [], []
    with Image.open(path) as film:
        assert film.info["loop"] == 0
        for index in range(film.n_frames):
            film.seek(index)
            frames.append(np.asarray(film.convert("RGB")).astype(int))
            durations.append(film.info["duration"])
    return np.stack(frames), durations


def written(frames: Sequence[np.ndarray], folder: Path, fps: float = 10) -> np.ndarray:
    save_gif(frames, folder / "a.gif", fps)
    return decode(folder / "a.gif")[0]


def change(frames: Sequence[np.ndarray]) -> float:
    """Mean absolute change from frame to frame, levels."""
    return float(np.abs(np.diff(np.stack(frames).astype(int), axis=0)).mean())


def film(kind: str, num: int = 12, height: int = 60, width: int = 90) -> list[np.ndarray]:
    """A picture that moves smoothly."""
    rng, picture = np.random.default_rng(0), paint(height, width).astype(float)
    y, x = np.mgrid[:height, :width]
    frames = []
    waves = ndimage.gaussian_filter(rng.standard_normal((num, height, width, 3)), (3, 2, 2, 0))
    waves /= waves.std()
    for index in range(num):
        if kind == "fade":
            frame = picture * 0.8 + 0.4 * index
        elif kind == "sway":
            shift = 0.4 * np.sin(index / 4 + y / 9)
            planes = [
                ndimage.map_coordinates(picture[..., c], [y, x + shift], order=1, mode="nearest")
                for c in range(3)
            ]
            frame = np.stack(planes, axis=2)
        elif kind == "shimmer":
            frame = picture + 3 * waves[index]
        elif kind == "sky":
            frame = np.stack([90 + y, 140 + 0.9 * y + x / 9, 190 + y], axis=2) + 0.2 * index
        else:
            frame = picture + 30 * waves[index]
        frames.append(frame.round().clip(0, 255).astype(np.uint8))
    return frames


def one_palette_each(frames: Sequence[np.ndarray]) -> list[np.ndarray]:
    return [np.asarray(Image.fromarray(f).quantize(256).convert("RGB")) for f in frames]


@pytest.mark.parametrize("kind", ["fade", "sway", "shimmer", "sky", "storm"])
def test_colours_change_no_more_than_the_picture(kind: str, tmp_path: Path) -> None:
    frames = film(kind)
    shown = written(frames, tmp_path)
    assert abs(change(shown) - change(frames)) < 0.1
    error = np.abs(shown - np.stack(frames)).mean()
    rivals = one_palette_each(frames)
    assert error < np.abs(np.stack(rivals).astype(int) - np.stack(frames)).mean() + 0.1
    assert change(rivals) - change(frames) > 0.2  # or the film would be no test


def test_what_stands_still_keeps_its_colour(tmp_path: Path) -> None:
    frames = film("storm")
    for frame in frames:
        frame[:, :30] = frames[0][:, :30]
    frames[7:10] = [frames[6]] * 3
    shown = written(frames, tmp_path)
    assert (shown[:, :, :30] == shown[0, :, :30]).all()
    assert (shown[6:10] == shown[6]).all()
    assert (shown[1:7, :, 30:] != shown[:6, :, 30:]).any(axis=(1, 2, 3)).all()


def test_a_pixel_between_two_colours_does_not_sparkle(tmp_path: Path) -> None:
    frames = film("storm")
    palette, nearest = choose_palette(frames)
    sparkling = [palette[nearest[f @ np.array([65536, 256, 1])]] for f in frames]
    assert change(sparkling) > change(frames) + 0.3
    assert abs(change(written(frames, tmp_path)) - change(frames)) < 0.05


def test_the_last_frame_leads_to_the_first_like_any_other(tmp_path: Path) -> None:
    picture, phase = paint(60, 90) * 0.8 + 20, np.arange(24) / 24 * 2 * np.pi
    frames = [(picture + 8 * np.cos(t)).round().astype(np.uint8) for t in phase]
    shown = written(frames, tmp_path)
    shown_last, drawn_last = (change([f[-1], f[0]]) for f in (shown, frames))
    assert abs(shown_last - drawn_last) < 0.1


@pytest.mark.parametrize("kind", ["fade", "shimmer", "sky", "storm"])
def test_no_pixel_is_much_further_than_its_nearest_colour(kind: str, tmp_path: Path) -> None:
    frames = film(kind)
    palette, nearest = choose_palette(frames)
    for frame, shown in zip(frames, written(frames, tmp_path), strict=True):
        best = palette[nearest[frame @ np.array([65536, 256, 1])]]
        best_error, error = (np.linalg.norm(frame.astype(float) - p, axis=2) for p in (best, shown))
        assert (error <= 1.5 * np.maximum(best_error, 0.1) + 1e-9).all()


def test_rare_colours_are_kept(tmp_path: Path) -> None:
    frames = film("sway")
    for index, frame in enumerate(frames):
        frame[20:22, 40 + index : 42 + index] = (0, 255, 60)
    shown = written(frames, tmp_path)
    for index, frame in enumerate(shown):
        assert np.abs(frame[20:22, 40 + index : 42 + index] - (0, 255, 60)).max() < 12


def test_few_colours_and_grey_are_exact(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    grey = [np.repeat(rng.integers(0, 256, (40, 30, 1), np.uint8), 3, axis=2) for _ in range(3)]
    two = [np.where(grey[k] < 99, np.uint8(3), np.uint8(250)) for k in range(3)]
    one = [np.full((7, 5, 3), (9, 8, 7), np.uint8)]
    for frames in (grey, two, one, [grey[0]]):
        assert (written(frames, tmp_path) == np.stack(frames)).all()


def test_slightly_more_colours_than_fit(tmp_path: Path) -> None:
    frame = np.arange(300 * 3).reshape(20, 15, 3).astype(np.uint8)
    assert np.abs(written([frame], tmp_path)[0] - frame).mean() < 1


@pytest.mark.parametrize("size", [(1, 1), (1, 40), (17, 16), (33, 61)])
@pytest.mark.parametrize("num", [1, 2, 5])
def test_any_size_and_number_of_frames(size: tuple[int, int], num: int, tmp_path: Path) -> None:
    frames = [paint(*size, seed=seed) for seed in range(num)]
    assert written(frames, tmp_path).shape == (num, *size, 3)


def test_equal_frames_are_all_kept(tmp_path: Path) -> None:
    a, b = paint(seed=1), paint(seed=2)
    save_gif([a, a, a, b, b, a], tmp_path / "a.gif", 10)
    frames, durations = decode(tmp_path / "a.gif")
    assert durations == [100] * 6
    same = (np.diff(frames, axis=0) == 0).all(axis=(1, 2, 3)).tolist()
    assert same == [True, True, False, True, False]


@pytest.mark.parametrize("fps", [1, 7, 10, 24, 25, 29.97, 30, 33, 48, 50])
def test_mean_frame_rate_is_right(fps: float, tmp_path: Path) -> None:
    save_gif([paint(8, 8)] * 60, tmp_path / "a.gif", fps)
    durations = decode(tmp_path / "a.gif")[1]
    assert 60 / (sum(durations) / 1000) == pytest.approx(fps, rel=0.01)
    assert max(durations) - min(durations) <= 10
    assert min(durations) >= 20


def test_short_films_are_as_right_as_they_can_be() -> None:
    assert frame_delays(3, 30) == [3, 4, 3]
    assert sum(frame_delays(2, 30)) == 7
    assert frame_delays(4, 20) == [5, 5, 5, 5]
    for num in range(1, 40):
        assert abs(sum(frame_delays(num, 33)) - 100 * num / 33) <= 0.5


@pytest.mark.parametrize("fps", [51, 60, 100, 50.01, 0, -5, float("nan")])
def test_impossible_frame_rates_are_refused(fps: float, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=f"^fps {fps}: a GIF"):
        save_gif([paint()], tmp_path / "a.gif", fps)
    assert files_below(tmp_path) == set()


def test_no_frames_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="frame"):
        save_gif([], tmp_path / "a.gif", 10)
    assert files_below(tmp_path) == set()


def test_the_same_frames_give_the_same_file(tmp_path: Path) -> None:
    frames = film("storm", num=20)
    save_gif(frames, tmp_path / "a.gif", 10)
    save_gif(frames, tmp_path / "b.gif", 10)
    assert (tmp_path / "a.gif").read_bytes() == (tmp_path / "b.gif").read_bytes()


def test_a_failed_write_leaves_the_old_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    save_gif([paint()], tmp_path / "a.gif", 10)
    before = (tmp_path / "a.gif").read_bytes()

    def fail(self: Path, target: Path) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "replace", fail)
    with pytest.raises(OSError, match=r"a\.gif"):
        save_gif([paint(seed=1)], tmp_path / "a.gif", 10)
    assert files_below(tmp_path) == {"a.gif"}
    assert (tmp_path / "a.gif").read_bytes() == before
