"""Animations and files of several pages: which picture is taken, and that it is said."""

from __future__ import annotations

import logging
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import tifffile
import torch
from conftest import TINY, Outcome, paint, write_picture
from picture_files import assert_levels, levels_of
from PIL import Image

import ConSinGAN
import evaluate_model
import main_train
from ConSinGAN import images
from ConSinGAN.beginning import read_training_picture
from ConSinGAN.errors import UsageError
from ConSinGAN.launch import configure
from ConSinGAN.metrics import __main__ as metrics
from ConSinGAN.pictures import decode

Script = Callable[..., Outcome]


@pytest.fixture(autouse=True)
def listening(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "ConSinGAN")


def flat(level: int, size: tuple[int, int] = (48, 32)) -> Image.Image:
    return Image.new("RGB", size, (level, 255 - level, 40))


def save_frames(path: Path, *pictures: Image.Image, **options: object) -> Path:
    pictures[0].save(path, save_all=True, append_images=pictures[1:], **options)
    return path


LOSSLESS = {"a.webp": {"lossless": True}}


@pytest.mark.parametrize("name", ["a.gif", "a.png", "a.webp", "a.tif"])
def test_frames_are_chosen_and_said(
    tmp_path: Path, name: str, caplog: pytest.LogCaptureFixture
) -> None:
    path = save_frames(tmp_path / name, flat(40), flat(110), flat(210), **LOSSLESS.get(name, {}))
    assert decode.count_frames(path) == 3
    for frame, level in ((None, 40), (1, 40), (2, 110), (3, 210)):
        caplog.clear()
        read = levels_of(images.read_image(path, frame=frame))
        np.testing.assert_allclose(read[5, 5], (level, 255 - level, 40), atol=2)
        said = [m for m in caplog.messages if "1 of 3" in m]
        assert len(said) == (frame is None)
        assert all(name in message and "--frame" in message for message in said)
    with pytest.raises(UsageError, match=rf"^frame 4: naive_img .*{name} has only 3"):
        images.read_image(path, flag="`naive_img`", frame=4)


@pytest.mark.parametrize("name", ["a.png", "a.jpg", "a.gif", "a.webp", "a.tif", "a.bmp"])
def test_a_single_frame_is_not_worth_a_word(
    tmp_path: Path, name: str, caplog: pytest.LogCaptureFixture
) -> None:
    path = write_picture(tmp_path / name)
    assert decode.count_frames(path) == 1
    assert images.read_image(path).equal(images.read_image(path, frame=1))
    assert caplog.messages == []
    with pytest.raises(UsageError, match=rf"^frame 2: .*{name} has only one"):
        images.read_image(path, frame=2)


def test_deep_pngs_have_one_frame(tmp_path: Path) -> None:
    Image.fromarray(np.zeros((8, 8), np.uint16)).save(tmp_path / "a.png")
    with pytest.raises(UsageError, match=r"^frame 2"):
        images.read_image(tmp_path / "a.png", frame=2)


def test_gif_frames_are_composed_as_a_viewer_shows_them(tmp_path: Path) -> None:
    """The second frame covers a corner only, and is put away before the third."""
    corner = flat(200, (48, 32))
    corner.paste(flat(40), (20, 0))
    corner.paste(flat(40), (0, 10))
    last = flat(40)
    last.paste((0, 0, 250), (30, 20, 40, 30))
    path = save_frames(tmp_path / "a.gif", flat(40), corner, last, disposal=[1, 3, 1])
    for frame, picture in enumerate((flat(40), corner, last), 1):
        assert_levels(images.read_image(path, frame=frame), np.asarray(picture), 2)


def test_a_blank_first_frame_is_said(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    blank = Image.new("RGBA", (48, 32), (0, 0, 0, 0))
    path = save_frames(tmp_path / "a.png", blank, Image.fromarray(paint()).convert("RGBA"))
    assert_levels(images.read_image(path), np.full((32, 48, 3), 255))
    assert "1 of 2" in caplog.text
    assert "nearly all white" in caplog.text
    assert_levels(images.read_image(path, frame=2), paint())


def test_the_largest_page_is_taken_and_said(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = save_frames(tmp_path / "a.tif", flat(40, (12, 8)), flat(110), flat(210))
    assert levels_of(images.read_image(path)).shape == (32, 48, 3)
    assert "page 2 of 3" in caplog.text
    assert "largest" in caplog.text
    assert images.read_image(path, frame=1).shape == (1, 3, 8, 12)


def test_a_next_page_that_is_none_changes_nothing(tmp_path: Path) -> None:
    path = tmp_path / "a.tif"
    for samples in (paint(), (paint() / 255).astype(np.float32)):
        tifffile.imwrite(path, samples, photometric="rgb")
        intact = bytearray(path.read_bytes())
        start = int.from_bytes(intact[4:8], "little")
        place = start + 2 + 12 * int.from_bytes(intact[start : start + 2], "little")
        for pointer in (start, 2, 5, place - 30, 1000, len(intact) - 20, 2**32 - 16):
            intact[place : place + 4] = pointer.to_bytes(4, "little")
            path.write_bytes(intact)
            assert_levels(images.read_image(path), paint())


def test_reduced_pages_are_passed_over(tmp_path: Path) -> None:
    with tifffile.TiffWriter(tmp_path / "a.tif") as writer:
        writer.write(paint(64, 64, seed=1), photometric="rgb", subfiletype=1)
        writer.write(paint(), photometric="rgb")
    assert_levels(images.read_image(tmp_path / "a.tif"), paint())
    assert_levels(images.read_image(tmp_path / "a.tif", frame=1), paint(64, 64, seed=1))


def test_phones_jpegs_begin_with_the_picture(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "a.jpg"
    small = Image.fromarray(paint(16, 24)).convert("L")
    Image.fromarray(paint()).save(
        path, "MPO", save_all=True, append_images=[small], quality=98, subsampling=0
    )
    assert np.abs(levels_of(images.read_image(path)) - paint()).mean() < 4
    assert "1 of 2" in caplog.text
    assert images.read_image(path, frame=2).shape == (1, 3, 16, 24)


def test_the_limit_holds_for_the_page_that_is_taken(tmp_path: Path) -> None:
    path = save_frames(tmp_path / "a.tif", flat(40, (12, 8)), flat(110, (400, 300)))
    with pytest.raises(UsageError, match=r"0\.12 megapixels"):
        images.read_image(path, max_megapixels=0.1)
    images.read_image(path, max_megapixels=0.1, frame=1)


def test_masks_take_the_first_frame_without_a_word(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    white, black = Image.new("L", (8, 8), 255), Image.new("L", (8, 8))
    assert (images.read_mask(save_frames(tmp_path / "m.gif", white, black)) == 1).all()
    assert caplog.messages == []


# The flag -------------------------------------------------------------------------------------


def test_training_on_a_frame(tmp_path: Path, script: Script) -> None:
    path = save_frames(tmp_path / "a.tif", flat(40), Image.fromarray(paint()))
    words = ["--input_name", path, "--output_dir", tmp_path / "runs", "--not_cuda"]
    words += [f"--{name}={value}" for name, value in TINY.items() if name != "not_cuda"]
    done = script(main_train, *words, "--frame", 2)
    assert done.code == 0, done.err
    (run,) = (tmp_path / "runs" / "a").iterdir()
    with Image.open(run / "1" / "real_scale.png") as real:
        assert np.asarray(real).std() > 30
    again = script(main_train, "--resume", run, "--frame", 1)
    assert (again.code, again.err.count("--frame 1")) == (2, 1)
    assert script(main_train, "--resume", run, "--frame", 2).code == 0
    beyond = script(main_train, *words, "--frame", 3)
    assert beyond.code == 2
    assert beyond.err.splitlines()[-1].startswith("error: --frame 3: --input_name")


@pytest.mark.parametrize("words", ["--frame 0", "--frame -1", "--frame 1.5", "--frame x"])
def test_frames_are_counted_from_one(words: str, script: Script) -> None:
    done = script(main_train, *words.split())
    assert done.code == 2
    assert "--frame" in done.err


def test_fine_tuning_takes_the_frame_from_the_naive_picture(
    tmp_path: Path, trained: Callable[[str], Path], script: Script
) -> None:
    naive = save_frames(tmp_path / "n.tif", flat(40, (96, 32)), Image.fromarray(paint(seed=1)))
    words = ["--fine_tune", "--model_dir", trained("editing"), "--naive_img", naive, "--not_cuda"]
    words += ["--niter", 1, "--output_dir", tmp_path / "runs"]
    done = script(main_train, *words, "--frame", 2)
    assert done.code == 0, done.err
    assert done.out.rstrip().endswith("--frame 2")
    assert script(main_train, *words, "--frame", 3).code == 2
    assert script(main_train, *words, "--frame", 1).code == 2  # of another shape


def test_a_frame_is_not_handed_on_to_fine_tuning(tmp_path: Path) -> None:
    """There it is one of the naive picture; the training picture is the run's own."""
    path = save_frames(tmp_path / "a.tif", flat(40), Image.fromarray(paint()))
    options = TINY | {"input_name": str(path), "output_dir": str(tmp_path / "runs"), "frame": 2}
    run = ConSinGAN.train(train_mode="editing", precision="fp32", **options)
    naive = save_frames(tmp_path / "n.tif", flat(40), Image.fromarray(paint(seed=1)))
    tune = {"fine_tune": True, "model_dir": str(run), "naive_img": str(naive)}
    assert configure(tune).frame is None
    picture = images.read_image(path, frame=2)
    for frame in (None, 2):
        config = configure(tune | ({"frame": frame} if frame else {}))
        assert torch.equal(read_training_picture(config)[1], picture)
    other = configure(tune | {"input_name": str(naive), "frame": 2})
    assert torch.equal(read_training_picture(other)[1], images.read_image(naive))


def test_evaluation_takes_the_frame_from_the_naive_picture(
    tmp_path: Path, trained: Callable[[str], Path], script: Script
) -> None:
    run = Path(shutil.copytree(trained("editing"), tmp_path / "run"))
    naive = save_frames(tmp_path / "n.tif", flat(40, (96, 32)), Image.fromarray(paint(seed=1)))
    words = ["--model_dir", run, "--naive_img", naive, "--not_cuda"]
    assert script(evaluate_model, *words, "--frame", 2).code == 0
    beyond = script(evaluate_model, *words, "--frame", 3)
    assert (beyond.code, beyond.err.count("--frame 3")) == (2, 1)


@pytest.mark.parametrize("words", [[], ["--metrics"]])
def test_evaluation_without_a_picture_refuses_it(
    words: list[str], trained: Callable[[str], Path], script: Script
) -> None:
    done = script(evaluate_model, "--model_dir", trained("generation"), "--frame", 1, *words)
    assert done.code == 2
    assert done.err.startswith("error: --frame 1:")


def test_metrics_take_the_frame_from_every_file_with_several(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: Script
) -> None:
    monkeypatch.chdir(tmp_path)
    real = Image.fromarray(paint())
    save_frames(tmp_path / "real.png", flat(3), real)
    write_picture(tmp_path / "one.png")
    save_frames(tmp_path / "two.png", flat(90), real)
    done = script(metrics, "real.png", "one.png", "two.png", "--frame", 2, "--not_cuda")
    assert done.code == 0, done.err
    (line,) = (line for line in done.out.splitlines() if line.startswith("coherence"))
    assert float(line.split()[1]) == 0
    refused = script(metrics, "one.png", "one.png", "--frame", 2)
    assert (refused.code, refused.err.count("--frame 2")) == (2, 1)
    assert script(metrics, "real.png", "one.png", "--frame", 3).code == 2
