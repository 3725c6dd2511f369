"""Super-resolution: sizes, back-projection, crops, a network that begins as interpolation."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from conftest import TINY, Outcome, paint, write_picture
from PIL import Image

import ConSinGAN
import evaluate_model
import main_train
from ConSinGAN import modes
from ConSinGAN.config import SCHEMA
from ConSinGAN.generators.residual import ResidualGenerator
from ConSinGAN.layers import NetworkShape
from ConSinGAN.model import ImageModel
from ConSinGAN.noise import RandomStreams
from ConSinGAN.pyramid import crop_sizes, sizes_between
from ConSinGAN.resize import resize
from ConSinGAN.sources.crops import Crops
from ConSinGAN.tasks.super_resolution import back_project, enlarge, enlarged_size
from ConSinGAN.watch.base import StopButton, Stopped, Watcher

Script = Callable[..., Outcome]


def make(factor: float, **options: object) -> ImageModel:
    """A fresh model: it adds nothing to the interpolated picture."""
    values = {"train_mode": "super_resolution", "factor": factor, "nfc": 4, **options}
    mode = modes.get("super_resolution")
    config = SCHEMA.build(mode.defaults, typed=values)
    generator = ResidualGenerator(NetworkShape(4), noisy=False)
    for _ in range(2):
        generator.grow()
    picture = torch.from_numpy(paint(96, 120)).permute(2, 0, 1)[None] / 127.5 - 1
    model = ImageModel(config, mode, generator, mode.make_pyramid(picture, config))
    model.noise_amp = [1.0, 0.0, 0.0]
    return model


@pytest.mark.parametrize("factor", [1.3, 2.0, 2.5, 3.99, 8.0])
def test_results_have_the_exact_size(factor: float) -> None:
    model = make(factor)
    picture = torch.rand(1, 3, 13, 17) * 2 - 1
    size = (round(13 * factor), round(17 * factor))
    assert enlarged_size(model, picture) == size
    assert tuple(enlarge(model, picture).shape[2:]) == size


def test_a_fresh_network_interpolates_with_half_pixel_centres() -> None:
    model, picture = make(2.0), torch.rand(1, 3, 14, 20) * 2 - 1
    theirs = torch.nn.functional.interpolate(
        picture, scale_factor=2, mode="bicubic", align_corners=False
    )
    drawn = enlarge(model, picture, self_ensemble=False, num_projections=0)
    torch.testing.assert_close(drawn, theirs.clamp(-1, 1), rtol=0, atol=1e-5)
    ensemble = enlarge(model, picture, num_projections=0)
    torch.testing.assert_close(ensemble, drawn, rtol=0, atol=1e-5)


def test_tiles_are_the_whole() -> None:
    model, picture = make(2.5), torch.rand(1, 3, 33, 41) * 2 - 1
    for parameter in model.generator.parameters():
        torch.nn.init.normal_(parameter, 0, 0.1)
    whole = enlarge(model, picture, self_ensemble=False, num_projections=0, tile=0)
    tiled = enlarge(model, picture, self_ensemble=False, num_projections=0, tile=29)
    torch.testing.assert_close(tiled, whole, rtol=0, atol=1e-4)
    assert whole.std() > 0.1


def test_back_projection_makes_the_reduced_result_the_input() -> None:
    picture = torch.from_numpy(paint(24, 30)).permute(2, 0, 1)[None] / 127.5 - 1
    small = resize(picture, size=(12, 15))
    start = resize(small, size=(24, 30), clamp=False)

    def error(x: torch.Tensor) -> float:
        return float((resize(x, size=(12, 15), clamp=False) - small).abs().mean())

    assert error(back_project(start, small, 20)) < 0.2 * error(start)
    assert torch.equal(back_project(start, small, 0), start)


@pytest.mark.parametrize("factor", [1.3, 2.0, 3.7])
def test_crops_are_pairs(factor: float) -> None:
    model = make(factor, crop=24)
    source, streams = Crops(model.config), RandomStreams(0)
    sums = set()
    for _ in range(20):
        pair = source.draw_input(model, streams)
        assert tuple(pair.entering.shape[2:]) == pair.sizes[0]
        assert tuple(pair.target.shape[2:]) == pair.sizes[-1]
        assert len(pair.sizes) == 3
        assert max(pair.sizes[-1]) <= 24
        reduced = resize(pair.target, size=pair.sizes[0])
        torch.testing.assert_close(reduced, pair.entering)
        sums.add(float(pair.target.sum()))
    assert len(sums) == 20


def test_sizes() -> None:
    assert sizes_between((10, 20), (40, 80), 3) == [(10, 20), (20, 40), (40, 80)]
    assert crop_sizes((100, 50), 2.0, 64) == ((32, 25), (64, 50))
    assert crop_sizes((100, 50), 3.0, 64) == ((21, 16), (63, 48))


def test_from_the_command_line(
    tmp_path: Path, script: Script, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The unreduced picture enters, whatever the size that was trained on."""
    monkeypatch.chdir(tmp_path)
    write_picture(tmp_path / "picture.png")
    words = ["--train_mode", "super_resolution", "--factor", 1.5, "--input_name", "picture.png"]
    words += ["--max_size", 40, "--niter", 2, "--nfc", 4, "--not_cuda", "--adversarial", 0.1]
    assert script(main_train, *words).code == 0
    (run,) = (tmp_path / "TrainedModels" / "picture").iterdir()
    flags = ["--model_dir", run, "--not_cuda"]
    assert script(evaluate_model, *flags).code == 0
    with Image.open(run / "Evaluation" / "super_resolved.png") as picture:
        assert picture.size == (72, 48)
    plain = ["--no-back_projection", "--no-self_ensemble", "--output_dir", "plain"]
    assert script(evaluate_model, *flags, *plain).code == 0
    pictures = [Path("plain/super_resolved.png"), run / "Evaluation" / "super_resolved.png"]
    first, second = (np.asarray(Image.open(path)) for path in pictures)
    assert (first != second).any()


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--factor", "1"], "--factor"),
        (["--factor", "nan"], "--factor"),
        (["--factor", "1e9"], "--factor"),
        (["--factor", "0"], "--factor"),
        (["--factor", "4"], "--factor 4: the picture of 48x32 pixels"),
        (["--crop", "0"], "--crop"),
        (["--adversarial", "-1"], "--adversarial"),
    ],
)
def test_bad_input(words: list[str], told: str, tmp_path: Path, script: Script) -> None:
    picture = write_picture(tmp_path / "picture.png")
    where = ["--input_name", picture, "--output_dir", tmp_path / "runs"]
    outcome = script(main_train, "--train_mode", "super_resolution", *where, *words)
    assert outcome.code == 2
    assert outcome.err.count("\n") == 1
    assert told in outcome.err
    assert not (tmp_path / "runs").exists()


class After(Watcher):
    """Presses the button after some iterations."""

    def __init__(self, button: StopButton, number: int) -> None:
        self.button, self.left = button, number

    def iteration(self, moment: object, terms: object) -> None:
        self.left -= 1
        if self.left == 0:
            self.button.press()


def test_a_run_that_was_stopped_goes_on_to_the_same_bits(tmp_path: Path) -> None:
    options = TINY | {
        "train_mode": "super_resolution", "factor": 1.3, "adversarial": 0.1, "threads": 1,
        "input_name": write_picture(tmp_path / "a.png"), "niter": 4, "train_stages": 3,
    }  # fmt: skip
    whole = ConSinGAN.train(output_dir=tmp_path / "whole", **options)
    button = StopButton()
    with pytest.raises(Stopped):
        ConSinGAN.train(
            output_dir=tmp_path / "cut", watchers=[After(button, 10), button], **options
        )
    (cut,) = (tmp_path / "cut" / "a").iterdir()
    ConSinGAN.resume(cut)
    name = "2/netG.safetensors"
    assert (cut / name).read_bytes() == (whole / name).read_bytes()
