"""The contract of every task, and what each draws."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import av
import numpy as np
import pytest
import torch
from conftest import TINY, Outcome, files_below, paint, write_mask, write_picture
from PIL import Image

import ConSinGAN
import evaluate_model
from ConSinGAN import ask, images, modes
from ConSinGAN.config import TrainConfig
from ConSinGAN.errors import UsageError
from ConSinGAN.pictures import video
from ConSinGAN.registry import TASKS
from ConSinGAN.tasks.base import Drawing, Task
from ConSinGAN.tasks.writing import Writer

Script = Callable[..., Outcome]
FEW = {"num_samples": 1, "num_frames": 3, "naive_img": "naive.png"}

every_task = pytest.mark.parametrize("name", TASKS.names())
FREE = ("generation", "retarget", "animation")  # modes whose models draw random pictures


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    write_picture(tmp_path / "naive.png", seed=1)
    write_mask(tmp_path / "naive_mask.png")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def few(name: str) -> list[object]:
    """Flags under which a task draws little."""
    own = TASKS.find(name).options()
    fields = own.__dataclass_fields__ if own else {}
    return [word for n, value in FEW.items() if n in fields for word in (f"--{n}", value)]


def suited_mode(name: str) -> str:
    """A mode whose models can do a task."""
    return next(m for m in modes.names() if name in ask.suited_tasks(TrainConfig(train_mode=m)))


# The contract ---------------------------------------------------------------------------------


@every_task
def test_names_and_suitability(name: str) -> None:
    task = TASKS.load(name)()
    assert isinstance(task, Task)
    assert task.name == name
    assert task.summary
    for mode in modes.all_modes():
        reason = task.unsuited(mode, TrainConfig(train_mode=mode.name))
        assert reason is None or (reason.strip() and "\n" not in reason)


def test_every_mode_has_a_task_that_suits_it() -> None:
    for mode in modes.all_modes():
        suited = ask.suited_tasks(TrainConfig(train_mode=mode.name))
        assert suited[0] == mode.default_task
        assert set(mode.previews) <= set(TASKS.names())


@every_task
def test_drawings_are_pictures_and_repeat(
    name: str, desk: Path, trained: Callable[[str], Path]
) -> None:
    run = trained(suited_mode(name))
    words = {k: v for k, v in FEW.items() if f"--{k}" in few(name)}
    config, task = ask.configure({"model_dir": str(run), "task": name, **words})
    model = ConSinGAN.load(run)
    task.check(model, config)
    found = []
    for _ in range(2):
        drawings = [replace(d, frames=list(d.frames)) for d in task.run(model, config)]
        assert len({drawing.name for drawing in drawings}) == len(drawings)
        for drawing in drawings:
            assert (drawing.fps is None) == (len(drawing.frames) == 1)
            assert drawing.fps is None or task.moves
        found.append([np.stack([as_bytes(f) for f in d.frames]) for d in drawings])
    assert all((a == b).all() for a, b in zip(*found, strict=True))
    assert files_below(desk) == {"naive.png", "naive_mask.png"}  # no task writes a file


def as_bytes(frame: torch.Tensor | np.ndarray) -> np.ndarray:
    pixels = images.to_bytes(frame)[0] if isinstance(frame, torch.Tensor) else frame
    assert pixels.dtype == np.uint8
    assert pixels.shape[2] == 3
    return pixels


# From the command line ------------------------------------------------------------------------


@pytest.mark.parametrize("mode", FREE)
@pytest.mark.parametrize("task", ["samples", "retarget", "animation"])
def test_a_model_serves_every_task_that_suits_it(
    mode: str, task: str, desk: Path, trained: Callable[[str], Path], script: Script
) -> None:
    words = ["--model_dir", trained(mode), "--task", task, "--output_dir", "out", "--not_cuda"]
    outcome = script(evaluate_model, *words, *few(task))
    assert outcome.code == 0, outcome.err
    drawn = files_below(Path("out"))
    assert "reconstruction.png" in drawn
    suffix = ".gif" if task == "animation" else "/gen_sample_0.png"
    assert sum(name.endswith(suffix) for name in drawn) == (8 if task == "animation" else 4)


@pytest.mark.parametrize(
    ("mode", "words", "told"),
    [
        ("generation", ["--task", "editing"], ["--task editing", "generation", "samples, anim"]),
        ("editing", ["--task", "samples"], ["--task samples", "editing", "can do: editing"]),
        ("editing", ["--task", "harmonization"], ["harmonization", "can do: editing"]),
        ("generation", ["--fps", 5], ["--fps", "--task animation", "--task samples"]),
        ("animation", ["--num_samples", 5], ["--num_samples", "--task", "samples", "retarget"]),
        ("generation", ["--task", "nothing"], ["--task", "samples", "animation", "editing"]),
        ("generation", ["--format", "mp4"], ["--format mp4", "samples", "png and jpg"]),
        ("generation", ["--frame", 1], ["--frame 1", "samples"]),
        ("animation", ["--fps", 51], ["--fps 51", "GIF", "--format"]),
        ("animation", ["--fps", 121, "--format", "mp4"], ["--fps", "120"]),
    ],
)
def test_what_does_not_suit_is_one_line(
    mode: str, words: list, told: list[str], desk: Path, trained: Callable, script: Script
) -> None:
    outcome = script(evaluate_model, "--model_dir", trained(mode), "--output_dir", "out", *words)
    assert outcome.code == 2
    assert outcome.err.count("\n") == 1
    for text in told:
        assert text in outcome.err
    assert not Path("out").exists()


def test_a_window_is_cut_from_the_samples(
    desk: Path, trained: Callable[[str], Path], script: Script
) -> None:
    words = ["--model_dir", trained("generation"), "--num_samples", 3, "--size", 40, 50]
    words += ["--precision", "fp32"]
    assert script(evaluate_model, *words, "--output_dir", "whole").code == 0
    window = ["--window", 7, 20, 11, 30]
    assert script(evaluate_model, *words, *window, "--output_dir", "part").code == 0
    for number in range(3):
        name = f"random_samples_size_h_40_w_50/gen_sample_{number}.png"
        whole, part = (
            np.asarray(Image.open(Path(f) / name)).astype(int) for f in ("whole", "part")
        )
        assert np.abs(whole[7:18, 20:50] - part).max() <= 1


def test_command_line_and_api_draw_the_same_pictures(
    desk: Path, trained: Callable[[str], Path], script: Script
) -> None:
    """Also whatever the number of samples."""
    run = trained("generation")
    for number in (2, 5):
        words = ["--model_dir", run, "--scale_h", 1, "--seed", 3, "--num_samples", number]
        assert script(evaluate_model, *words, "--output_dir", str(number)).code == 0
    name = "random_samples/gen_sample_1.png"
    assert (desk / "2" / name).read_bytes() == (desk / "5" / name).read_bytes()
    _, picture = ConSinGAN.load(run).sample(2, seed=3)
    assert (np.asarray(Image.open(desk / "2" / name)) == images.to_bytes(picture)[0]).all()


def test_the_api_asks_for_tasks(desk: Path, trained: Callable[[str], Path]) -> None:
    model = ConSinGAN.load(trained("generation"))
    drawn = list(ConSinGAN.draw(model, "retarget", num_samples=1, size=(20, 30), seed=5))
    assert [drawing.name for drawing in drawn] == [
        "reconstruction", "random_samples_size_h_20_w_30/gen_sample_0",
    ]  # fmt: skip
    (picture,) = model.sample(1, 5, size=(20, 30))
    assert torch.equal(next(iter(drawn[1].frames)), picture)
    for task, options, told in [
        ("editing", {}, "can do: samples"),
        ("nothing", {}, "task"),
        ("samples", {"num_samples": 0}, "num_samples"),
        ("samples", {"fps": 5}, "fps"),
        ("samples", {"size": (10**4, 10**4), "scale_h": 2.0}, "exclude"),
    ]:
        with pytest.raises(UsageError, match=told):
            ConSinGAN.draw(model, task, **options)


# Moving pictures ------------------------------------------------------------------------------


def waves(num: int, height: int, width: int) -> list[np.ndarray]:
    """Smooth frames that all differ."""
    y, x = np.mgrid[0:height, 0:width]
    planes = [[128 + 100 * np.sin((x + y * k) / 9 + i / 3) for k in range(3)] for i in range(num)]
    return [np.stack(frame, axis=-1).astype(np.uint8) for frame in planes]


@pytest.mark.parametrize("suffix", ["mp4", "webm"])
@pytest.mark.parametrize(("size", "fps"), [((32, 48), 25), ((33, 47), 7), ((50, 20), 120)])
def test_video(
    suffix: str, size: tuple[int, int], fps: int, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", "ConSinGAN")
    frames, path = waves(12, *size), tmp_path / f"film.{suffix}"
    video.save_movie(iter(frames), path, fps)
    with av.open(str(path)) as film:
        (stream,) = film.streams.video
        assert stream.average_rate == fps
        shown = [frame.to_ndarray(format="rgb24") for frame in film.decode(stream)]
    assert len(shown) == len(frames)
    even = tuple(side + side % 2 for side in size)
    assert all(frame.shape[:2] == even for frame in shown)
    assert ("even sides" in caplog.text) == (even != size)
    for actual, frame in zip(shown, frames, strict=True):
        part = actual[: size[0], : size[1]].astype(int)
        assert np.abs(part - frame).mean() < 8  # colours are shared by 2x2 pixels
    assert files_below(tmp_path) == {path.name}


@pytest.mark.parametrize("fps", [1, 30, 50])
def test_apng(fps: int, tmp_path: Path) -> None:
    """Exact pixels at an exact rate; equal frames are shown as long as they are."""
    frames = [*waves(3, 20, 31), *([paint(20, 31)] * 2)]
    path = tmp_path / "film.apng"
    video.save_movie(frames, path, fps)
    with Image.open(path) as film:
        shown = []
        for number in range(film.n_frames):
            film.seek(number)
            shown.append((np.asarray(film.convert("RGB")), film.info["duration"]))
    assert sum(duration for _, duration in shown) == pytest.approx(1000 * len(frames) / fps)
    assert all((a == b).all() for (a, _), b in zip(shown, frames, strict=False))


def test_movies_without_frames() -> None:
    for suffix in ("gif", "mp4", "apng"):
        with pytest.raises(ValueError, match="frame"):
            video.save_movie([], Path(f"never.{suffix}"), 10)


@pytest.mark.parametrize("suffix", ["mp4", "webm", "apng", "gif"])
def test_animations_in_every_format(
    suffix: str, desk: Path, trained: Callable[[str], Path], script: Script
) -> None:
    words = ["--model_dir", trained("animation"), "--num_frames", 4, "--format", suffix]
    outcome = script(evaluate_model, *words, "--output_dir", "out", "--fps", 20)
    assert outcome.code == 0, outcome.err
    drawn = files_below(Path("out"))
    assert "reconstruction.png" in drawn
    assert sum(name.endswith(f".{suffix}") for name in drawn) == 8


def test_the_writer_tells_where(tmp_path: Path) -> None:
    still, film = Drawing("a/still", [paint()]), Drawing("film", waves(2, 8, 8), 5)
    (tmp_path / "a").mkdir()
    with Writer("jpg", "apng", lambda name: tmp_path / name) as writer:
        paths = [writer.write(drawing) for drawing in (still, film)]
    assert paths == [tmp_path / "a" / "still.jpg", tmp_path / "film.apng"]
    assert all(path.is_file() for path in paths)


def test_the_empty_mask_is_refused_by_all(desk: Path, trained: Callable[[str], Path]) -> None:
    Image.new("L", (48, 32)).save("naive_mask.png")
    run = trained("editing")
    flags = {"fine_tune": True, "model_dir": str(run), "naive_img": "naive.png"}
    with pytest.raises(UsageError, match="empty"):
        ConSinGAN.train(**flags, not_cuda=True, output_dir="runs", niter=TINY["niter"])
    model = ConSinGAN.load(run)
    with pytest.raises(UsageError, match="empty"):
        model.edit(torch.zeros(1, 3, 16, 24), torch.zeros(1, 1, 16, 24))
    config, task = ask.configure({"model_dir": str(run), "naive_img": "naive.png"})
    with pytest.raises(UsageError, match="empty"):
        next(task.run(model, config))
