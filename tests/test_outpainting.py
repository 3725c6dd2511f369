"""Outpainting: what is known stays, around it things are drawn anew."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from conftest import TINY, Outcome, files_below, paint, write_picture

import ConSinGAN
import evaluate_model
from ConSinGAN import images
from ConSinGAN.errors import UsageError
from ConSinGAN.frame import Axis, Frame, Window, interpolation
from ConSinGAN.tasks import _surroundings
from ConSinGAN.tasks.outpainting import canvas, latents
from ConSinGAN.tiles import TiledPicture

MODES = ("generation", "retarget", "animation")


def picture_of(height: int = 24, width: int = 36) -> torch.Tensor:
    return torch.from_numpy(paint(height, width)).permute(2, 0, 1)[None] / 127.5 - 1


@pytest.mark.parametrize("mode", MODES)
def test_known_pixels_stay_and_latents_differ(mode: str, trained: Callable[[str], Path]) -> None:
    model = ConSinGAN.load(trained(mode), precision="fp32")
    (height, width), extend = model.sizes[-1], (3, 0, 7, 12)
    drawn = [d.frames[0] for d in ConSinGAN.draw(model, "outpainting", extend=extend)]
    again = list(ConSinGAN.draw(model, "outpainting", extend=extend, num_samples=2))
    assert len(drawn) == 4
    assert all(torch.equal(a, b.frames[0]) for a, b in zip(drawn, again, strict=False))
    assert drawn[0].shape[2:] == (height + 10, width + 12)
    found, real = images.to_bytes(drawn[0])[0], images.to_bytes(model.real)[0]
    known = found[3 : 3 + height, 12:]
    band = _surroundings.BAND
    assert band <= 8
    assert (known[band:-band, band:] == real[band:-band, band:]).all()
    assert (known[band:-band, -1] == real[band:-band, -1]).all()  # nothing was added there
    frame = canvas(model, extend)  # models that have learned nothing draw much the same of them
    first, second = (latents(model, frame, 0, number)(frame) for number in (0, 1))
    assert not any(map(torch.equal, first, second))


def test_the_anchor_keeps_its_place(trained: Callable[[str], Path]) -> None:
    model = ConSinGAN.load(trained("generation"), precision="fp32")
    frame = canvas(model, (5, 6, 7, 8))
    assert frame.size == (model.sizes[-1][0] + 12, model.sizes[-1][1] + 14)
    for stage, noise in enumerate(latents(model, frame, 0, 0)(frame)):
        own, whole = (model.generator.noise_window(stage, f) for f in (model.frame, frame))
        top, left = own.top - whole.top, own.left - whole.left
        known = noise[..., top : top + own.height, left : left + own.width]
        assert torch.equal(known, model.fixed_noise[stage].to(known))
        assert noise.shape == model.generator.noise_shape(stage, frame)


def test_widened_pixels_keep_their_distance_beyond_the_picture() -> None:
    source, target = Axis.around(10, 5, 5), Axis.around(20, 10, 10)
    wide = target.widened(3)
    shifts = []
    for axis, first in ((target, -10), (wide, -10)):
        bicubic = interpolation(source, axis)
        ramp = bicubic.matrix() @ np.arange(-5.0, 15.0)
        shifts.append(dict(enumerate(ramp[2:-2], start=first + 2)))
    plain, widened = shifts
    left = {plain[i] - widened[i] for i in range(-6, -1)}
    assert max(left) - min(left) < 1e-6
    native = interpolation(Axis.around(10), Axis.around(20).widened(3))
    assert native.outer is None
    inside = native.matrix() @ np.arange(10.0)
    assert np.allclose(inside[3:-3], [widened[i] for i in range(3, 23)])


@pytest.mark.parametrize("margins", [(4, 0, 0, 9), (0, 0, 30, 0), (1, 1, 1, 1)])
def test_surroundings_hold_the_picture(margins: tuple[int, int, int, int]) -> None:
    picture = picture_of()
    above, below, left, right = margins
    size = 24 + above + below, 36 + left + right
    noises = [
        torch.randn((1, 3, *size), generator=torch.Generator().manual_seed(i)) for i in (0, 1)
    ]
    first, second = (_surroundings.surround(picture, margins, noise) for noise in noises)
    assert first.shape == (1, 3, *size)
    assert torch.equal(first[..., above : above + 24, left : left + 36], picture)
    assert not torch.equal(first, second)
    assert first.abs().max() <= 1 + 1e-5
    drawn = TiledPicture.of(first, Window(-above, -left, *size))
    joined = _surroundings.join(_surroundings.mend(drawn, picture), picture).tensor()
    assert joined.shape == first.shape
    assert torch.isfinite(joined).all()


def test_large_pictures_are_mended_small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_surroundings, "MENDED_SIZE", 20)
    picture = picture_of(40, 60)
    drawn = torch.rand((1, 3, 50, 60), generator=torch.Generator().manual_seed(0)) * 2 - 1
    mended = _surroundings.mend(TiledPicture.of(drawn, Window(-10, 0, 50, 60)), picture).tensor()
    assert mended.shape == drawn.shape
    assert not torch.equal(mended, drawn)


def test_outpainting_from_the_command_line(
    trained: Callable[[str], Path], script: Callable[..., Outcome], tmp_path: Path
) -> None:
    words = ["--model_dir", trained("generation"), "--task", "outpainting", "--num_samples", 2]
    outcome = script(evaluate_model, *words, "--extend", 0, 5, 0, 3, "--output_dir", tmp_path / "o")
    assert outcome.code == 0, outcome.err
    assert files_below(tmp_path / "o") == {"outpainted_0.png", "outpainted_1.png", ".manifest"}
    size = ConSinGAN.load(trained("generation")).sizes[-1]
    drawn = images.read_image(tmp_path / "o/outpainted_0.png")
    assert drawn.shape[2:] == (size[0], size[1] + 8)


@pytest.mark.parametrize(
    "words",
    [
        [],
        ["--extend", 0, 0, 0, 0],
        ["--extend", -1, 0, 0, 0],
        ["--extend", 10**9, 0, 0, 0],
        ["--extend", 32768, 32768, 32768, 32768, "--tile", 0],
        ["--extend", "nan", 0, 0, 0],
        ["--extend", 1.5, 0, 0, 0],
        ["--extend", 1, 2, 3],
    ],
)
def test_bad_extends_are_one_line(
    words: list, trained: Callable[[str], Path], script: Callable[..., Outcome], tmp_path: Path
) -> None:
    run, out = trained("generation"), tmp_path / "out"
    base = ["--model_dir", run, "--task", "outpainting", "--output_dir", out]
    outcome = script(evaluate_model, *base, *words)
    assert (outcome.code, outcome.err.count("\n")) == (2, 1)
    assert "--extend" in outcome.err
    assert not out.exists()


def test_models_of_few_pixels_go_on_too(tmp_path: Path) -> None:
    """Their coarsest pictures are smaller than the patches that layouts are made of."""
    flags = TINY | {"ker_size": 1, "num_layer": 1, "min_size": 4, "max_size": 32}
    picture = write_picture(tmp_path / "picture.png")
    run = ConSinGAN.train(**flags, input_name=str(picture), output_dir=str(tmp_path))
    model = ConSinGAN.load(run)
    assert min(model.sizes[0]) < 5
    (drawn,) = ConSinGAN.draw(model, "outpainting", extend=(3, 0, 4, 9), num_samples=1)
    height, width = model.sizes[-1]
    assert drawn.frames[0].shape[2:] == (height + 7, width + 9)
    assert drawn.frames[0].isfinite().all()


def test_what_does_not_suit(trained: Callable[[str], Path]) -> None:
    with pytest.raises(UsageError, match="given"):
        ConSinGAN.draw(ConSinGAN.load(trained("editing")), "outpainting", extend=(1, 1, 1, 1))
    assert Frame.around([(5, 5)], (0, 0, 0, 0), "noise").size == (5, 5)
