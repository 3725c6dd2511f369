"""What a hole leaves: too little, and what a model with one can do at other sizes."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from conftest import TINY, Outcome, as_flags, write_hole, write_picture
from PIL import Image

import ConSinGAN
import main_train
from ConSinGAN import ask
from ConSinGAN.errors import UsageError
from ConSinGAN.frame import Frame
from ConSinGAN.model import ImageModel
from ConSinGAN.noise import Purpose
from ConSinGAN.resize import resize


@pytest.fixture
def model(tmp_path: Path) -> ImageModel:
    picture = write_picture(tmp_path / "picture.png")
    write_hole(tmp_path / "picture_mask.png")
    flags = TINY | {"train_mode": "inpainting", "input_name": str(picture)}
    return ConSinGAN.load(ConSinGAN.train(**flags, output_dir=str(tmp_path / "runs")))


def test_a_mask_that_leaves_nothing_of_the_coarsest_picture_is_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: Callable[..., Outcome]
) -> None:
    """Though the critic could look at a corner of the finest one."""
    monkeypatch.chdir(tmp_path)
    write_picture(Path("picture.png"), 96, 128)
    mask = np.full((96, 128), 255, np.uint8)
    mask[:14, :14] = 0
    Image.fromarray(mask).save("picture_mask.png")
    flags = TINY | {"train_mode": "inpainting", "max_size": 128, "train_stages": 3}
    outcome = script(main_train, "--input_name", "picture.png", *as_flags(flags))
    assert (outcome.code, outcome.err.count("\n")) == (2, 1), outcome.err
    assert "--mask" in outcome.err
    assert "--min_size" in outcome.err
    assert not Path("TrainedModels").exists()


def test_a_later_start_keeps_the_picture_at_any_size(model: ImageModel) -> None:
    size = (round(model.sizes[-1][0] * 1.5), round(model.sizes[-1][1] * 1.5))
    frame = Frame.whole(model.sizes_for(size), model.generator.border)
    entering = model.random_latents(Purpose.SAMPLE, 3, 0, start=1)(frame)[0]
    plain = resize(model.fixed_noise[0], size=frame.places[0].whole_size)
    assert entering.shape[2] > model.sizes[0][0]
    assert torch.equal(entering, plain)


def test_it_does_not_go_on_beyond_its_edges(model: ImageModel) -> None:
    with pytest.raises(UsageError, match="what its hole hides is not known"):
        ConSinGAN.draw(model, "outpainting", extend=(1, 1, 1, 1))


def test_measured_are_the_pictures_that_are_drawn(model: ImageModel) -> None:
    flags = {"num_samples": 1, "first": 7}
    config, task = ask.resolve({"task": "inpainting", **flags}, "samples")
    num, measured = task.measured(model, config)
    drawn = [d for d in ConSinGAN.draw(model, "inpainting", **flags) if "inpainted" in d.name]
    assert (num, [d.name for d in drawn]) == (1, ["inpainted_7"])
    assert torch.equal(next(measured), drawn[0].frames[0])
