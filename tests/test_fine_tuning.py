"""Fine-tuning goes on with the pictures that the run keeps, wherever the user stands."""

from __future__ import annotations

import logging
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from conftest import TINY, Outcome, as_flags, paint, write_mask, write_picture
from PIL import Image

import ConSinGAN
import main_train
from ConSinGAN import files, images, modes
from ConSinGAN.errors import UsageError
from ConSinGAN.run import RunDirectory

Script = Callable[..., Outcome]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An editing run that was trained on the relative name picture.png; the user is elsewhere."""
    (tmp_path / "here").mkdir()
    (tmp_path / "there").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    write_picture(Path("picture.png"))
    write_picture(tmp_path / "naive.png", seed=1)
    write_mask(tmp_path / "naive_mask.png")
    ConSinGAN.train(train_mode="editing", input_name="picture.png", **TINY)
    (path,) = Path("TrainedModels").absolute().glob("*/*")
    monkeypatch.chdir(tmp_path / "there")
    return path


def tune(run: Path, **options: object) -> RunDirectory:
    naive = run.parents[3] / "naive.png"
    flags = {"fine_tune": True, "model_dir": run, "naive_img": naive, "niter": 1, "not_cuda": True}
    return RunDirectory(ConSinGAN.train(**flags | options).absolute())


def reals_of(run: RunDirectory) -> list[torch.Tensor]:
    return run.load_pictures(run.load_config())[0]


def assert_same(first: list[torch.Tensor], second: list[torch.Tensor]) -> None:
    assert len(first) == len(second)
    assert all(torch.equal(a, b) for a, b in zip(first, second, strict=True))


def test_another_file_of_that_name_is_not_touched(run: Path) -> None:
    write_picture(Path("picture.png"), seed=7)
    tuned = tune(run)
    assert_same(reals_of(tuned), reals_of(RunDirectory(run)))
    assert tuned.path.parent.name == "picture"


def test_the_file_may_be_gone_and_the_run_may_have_moved(run: Path) -> None:
    (run.parents[2] / "picture.png").unlink()
    moved = run.rename(run.parents[3] / "there" / "run")
    tuned = ConSinGAN.train(
        fine_tune=True, model_dir=moved, naive_img="../naive.png", niter=1, not_cuda=True
    )
    assert_same(reals_of(RunDirectory(tuned)), reals_of(RunDirectory(moved)))


@pytest.mark.parametrize("name", ["picture.png", "other.png"])
def test_a_picture_that_is_typed_is_read(run: Path, name: str, script: Script) -> None:
    """Also one of the same name as the run's: it is here, not where the run was trained."""
    write_picture(Path(name), seed=7)
    flags = {"fine_tune": True, "model_dir": run, "naive_img": "../naive.png", "niter": 1,
             "not_cuda": True, "input_name": name}  # fmt: skip
    assert script(main_train, *as_flags(flags)).code == 0
    (tuned,) = Path("TrainedModels").glob("*/*")
    finest = images.read_image(tuned / "1" / "real_scale.png")
    assert (finest - reals_of(RunDirectory(tuned))[-1]).abs().max() < 0.005
    assert not torch.equal(reals_of(RunDirectory(tuned))[-1], reals_of(RunDirectory(run))[-1])


def test_a_typed_picture_that_is_missing_is_named(run: Path) -> None:
    with pytest.raises(UsageError, match=r"^input_name .*picture\.png: there is no such file"):
        tune(run, input_name="picture.png")


def test_its_own_configuration_file_is_no_typed_name(run: Path, script: Script) -> None:
    write_picture(Path("picture.png"), seed=7)
    tuned = tune(run)
    again = ["--config", tuned.path / "config.yaml", "--output_dir", "again"]
    assert script(main_train, *again).code == 0
    (second,) = Path("again").glob("*/*")
    assert_same(reals_of(RunDirectory(second)), reals_of(RunDirectory(run)))


@pytest.mark.parametrize("options", [{"max_size": 36}, {"max_size": 20}, {"min_size": 14}], ids=str)
def test_other_sizes_are_made_from_the_picture_as_it_was_read(run: Path, options: dict) -> None:
    tuned = tune(run, **options)
    original = images.read_image(run.parents[2] / "picture.png")
    config = tuned.load_config()
    assert_same(reals_of(tuned), modes.get("editing").make_pyramid(original, config))
    assert_same(reals_of(tune(tuned.path)), reals_of(tuned))  # which keeps it, too
    assert_same(reals_of(tune(tuned.path, max_size=24, min_size=12)), reals_of(RunDirectory(run)))


def test_an_old_run_asks_for_its_picture(run: Path) -> None:
    (run / "picture.safetensors").unlink()
    assert_same(reals_of(tune(run)), reals_of(RunDirectory(run)))
    with pytest.raises(UsageError, match=r"^max_size 36: .* input_name") as caught:
        tune(run, max_size=36)
    assert "picture.png" not in str(caught.value)
    original = run.parents[2] / "picture.png"
    assert reals_of(tune(run, max_size=36, input_name=original))[-1].shape[-2:] == (24, 36)


def test_an_old_run_whose_picture_was_small_needs_none(tmp_path: Path) -> None:
    options = {"input_name": write_picture(tmp_path / "a.png"), "output_dir": tmp_path}
    write_picture(tmp_path / "naive.png")
    run = ConSinGAN.train(train_mode="editing", **options, **TINY | {"max_size": 99})
    assert not (run / "picture.safetensors").exists()
    flags = {"fine_tune": True, "model_dir": run, "naive_img": tmp_path / "naive.png"}
    tuned = ConSinGAN.train(**flags, output_dir=tmp_path, niter=1, not_cuda=True, max_size=24)
    assert reals_of(RunDirectory(tuned))[-1].shape[-2:] == (16, 24)


def test_a_damaged_picture_is_named_where_it_is_needed(run: Path) -> None:
    path = run / "picture.safetensors"
    path.write_bytes(path.read_bytes()[:-1])
    ConSinGAN.load(run)
    with pytest.raises(UsageError, match=r"picture\.safetensors"):
        tune(run)
    files.save_tensors(path, {"picture": torch.zeros(1, 1, 4, 4)})
    with pytest.raises(UsageError, match=r"picture\.safetensors"):
        tune(run)


@pytest.mark.parametrize("kind", ["bytes", "sixteen bits", "floats"])
def test_pictures_are_kept_without_loss(kind: str, tmp_path: Path) -> None:
    levels = paint()
    if kind == "bytes":
        Image.fromarray(levels).save(tmp_path / "a.png")
    elif kind == "sixteen bits":
        deep = levels[..., 0].astype(np.uint16) * 257 + np.arange(48, dtype=np.uint16)
        Image.fromarray(deep).save(tmp_path / "a.png")
    else:
        real = np.sqrt(levels[..., 0].astype(np.float32) / 255)
        Image.fromarray(real).save(tmp_path / "a.tif")
    (path,) = tmp_path.glob("a.*")
    picture = images.read_image(path)
    kept = images.to_levels(picture)
    assert torch.equal(images.from_levels(kept), picture)
    assert kept.element_size() == {"bytes": 1, "sixteen bits": 2, "floats": 4}[kind]
    files.save_tensors(tmp_path / "p.safetensors", {"picture": kept})
    again = files.load_tensors(tmp_path / "p.safetensors")[0]["picture"]
    assert torch.equal(images.from_levels(again), picture)


# Previews -----------------------------------------------------------------------------------------


def write_edit(folder: Path, height: int, width: int, rows: slice, columns: slice) -> None:
    """A picture, an edit of it, and a mask that is white there."""
    write_picture(folder / "picture.png", height, width)
    write_picture(folder / "naive.png", height, width, seed=1)
    mask = np.zeros((height, width), np.uint8)
    mask[rows, columns] = 255
    Image.fromarray(mask).save(folder / "naive_mask.png")


@pytest.mark.parametrize("mode", ["harmonization", "editing"])
def test_a_tiny_edit_does_not_end_a_run(
    mode: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """3x2 pixels of 960x640: less than half a pixel at both stages."""
    caplog.set_level(logging.WARNING, "ConSinGAN")
    write_edit(tmp_path, 640, 960, slice(300, 302), slice(500, 503))
    run = ConSinGAN.train(
        train_mode=mode, input_name=tmp_path / "picture.png", naive_img=tmp_path / "naive.png",
        output_dir=tmp_path, **TINY,
    )  # fmt: skip
    assert caplog.messages == []
    for stage in (0, 1):
        assert list((run / str(stage)).glob("*_w_mask_2.png"))


@pytest.mark.parametrize(
    "error",
    [UsageError("no"), OSError(5, "Input/output error"), RuntimeError("out of\nmemory")],
    ids=repr,
)
def test_previews_never_end_a_run(
    error: Exception,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    from ConSinGAN.tasks.samples import Samples

    caplog.set_level(logging.WARNING, "ConSinGAN")
    options = {"input_name": write_picture(tmp_path / "a.png"), "output_dir": tmp_path, **TINY}
    expected = ConSinGAN.load(ConSinGAN.train(**options, precision="fp32")).reconstruct()

    def fail(*_: object) -> None:
        torch.rand(3)  # whatever it did before it failed
        raise error

    monkeypatch.setattr(Samples, "preview", fail)
    run = ConSinGAN.train(**options, precision="fp32")
    assert torch.equal(ConSinGAN.load(run).reconstruct(), expected)
    assert len(caplog.messages) == 2
    assert all("no preview at iteration 2" in message for message in caplog.messages)
    assert all("\n" not in message for message in caplog.messages)


@pytest.mark.parametrize("mode", ["harmonization", "editing"])
def test_every_stage_shows_the_naive_picture(
    mode: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Also where a stage's size is rounded so much that its shape is another."""
    caplog.set_level(logging.WARNING, "ConSinGAN")
    write_picture(tmp_path / "picture.png", 75, 300)
    write_picture(tmp_path / "naive.png", 75, 300, seed=1)
    options = TINY | {"train_stages": 4, "max_size": 50, "input_name": tmp_path / "picture.png"}
    run = ConSinGAN.train(
        train_mode=mode, naive_img=tmp_path / "naive.png", output_dir=tmp_path, **options
    )
    assert caplog.messages == []
    stem = {"harmonization": "harmonized", "editing": "edited"}[mode]
    assert len(list(run.glob(f"*/{stem}_2.png"))) == 4


def test_a_run_that_a_preview_had_ended_goes_on(tmp_path: Path, script: Script) -> None:
    """The checkpoint before the preview is whatever it was; the mask is thin as a hair."""
    write_edit(tmp_path, 64, 96, slice(30, 31), slice(10, 80))
    run = ConSinGAN.train(
        train_mode="editing", input_name=tmp_path / "picture.png", output_dir=tmp_path,
        naive_img=tmp_path / "naive.png", **TINY,
    )  # fmt: skip
    shutil.rmtree(run / "1")
    assert script(main_train, "--resume", run).code == 0
    assert (run / "1" / "edited_w_mask_2.png").is_file()
    assert RunDirectory(run).load_config().train_mode == "editing"
