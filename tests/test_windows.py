"""Training on random windows: what is drawn and learnt of one is that of the whole picture."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from conftest import NEEDED, TINY, as_flags, make_config, write_hole, write_picture
from test_resume import Killed, assert_same_result, kill_at_iteration, only_run
from torch import Tensor

import ConSinGAN
import main_train
from ConSinGAN import estimate, launch, modes
from ConSinGAN.methods.adversarial import Adversarial, reconstruction_loss
from ConSinGAN.methods.windows import GRID, View, Windows
from ConSinGAN.model import ImageModel
from ConSinGAN.networks import chance_of, generator_of, make_networks
from ConSinGAN.noise import RandomStreams, draw_maps
from ConSinGAN.pyramid import window_sizes
from ConSinGAN.sources.single import Single
from ConSinGAN.state import TrainingState, make_optimizers

SIZES = [(13, 17), (20, 27), (31, 43), (48, 66)]


def iteration(mode_name: str = "generation", **values: object) -> Adversarial:
    """The last of four stages, in float64, with weights that are as they begin."""
    config = make_config(train_mode=mode_name, nfc=5, compile=False, **values)
    mode, draws = modes.get(mode_name), torch.Generator().manual_seed(3)
    reals = [torch.rand((1, 3, *s), generator=draws, dtype=torch.float64) * 2 - 1 for s in SIZES]
    networks = make_networks(config, len(SIZES), seed=1)
    for network in networks.values():
        network.double()
        network.dtype = torch.float64  # type: ignore[assignment]
    streams = RandomStreams(0, "cpu", chance_of(config, networks))
    model = ImageModel(config, mode, generator_of(networks), reals)
    shapes = model.generator.noise_shapes(model.frame)
    first = mode.fixed_input(reals[0], streams).double()
    model.fixed_noise = [first, *(z.double() for z in draw_maps(shapes[1:], streams.noise))]
    model.noise_amp = [1.0, 0.5, 0.4, 0.3]
    optimizers = make_optimizers(networks, config)
    return Adversarial(TrainingState(model, networks, streams, Single(config, None), 0, optimizers))


def windows_of(step: Adversarial, side: int) -> Windows:
    whole = View.whole(step.model, step.first)
    return Windows(step.model, whole, side, step.first)


def reconstruct(step: Adversarial, view: View) -> Tensor:
    generator, amplitudes = step.model.generator, step.model.noise_amp
    state = generator.advance(view.anchor, amplitudes, view.frame, step.first, view.features)
    return generator.render(state, view.frame, view.anchor[0])


@pytest.mark.parametrize("mode", ["generation", "retarget", "harmonization"])
@pytest.mark.parametrize("depth", [1, 3, 4])
def test_a_window_shows_what_the_whole_picture_shows_there(mode: str, depth: int) -> None:
    step = iteration(mode, train_depth=depth)
    windows, stream = windows_of(step, 24), torch.Generator().manual_seed(0)
    picture, seen = reconstruct(step, windows.whole), set()
    for _ in range(12):
        view = windows.draw(stream)
        window = view.frame.window
        assert window is not None
        rows = slice(window.top, window.top + window.height)
        columns = slice(window.left, window.left + window.width)
        torch.testing.assert_close(
            reconstruct(step, view), picture[..., rows, columns], rtol=0, atol=1e-12
        )
        assert torch.equal(view.real, step.model.real[..., rows, columns])
        assert [tuple(z.shape) for z in view.anchor[1:]] == view.noise_shapes[1:]
        seen.add((window.top, window.left))
    assert len(seen) > 3


def test_the_gradient_is_that_of_the_whole_picture_s_error_in_the_window() -> None:
    step = iteration()
    view = windows_of(step, 24).draw(torch.Generator().manual_seed(1))
    window = view.frame.window
    assert window is not None
    real, known = step.model.real, torch.zeros_like(step.model.real[:, :1])
    known[..., window.top : window.top + 24, window.left : window.left + 24] = 1
    parameters = [p for p in step.model.generator.parameters() if p.requires_grad]

    picture = reconstruct(step, View.whole(step.model, step.first))
    expected = torch.autograd.grad(reconstruction_loss(picture, real, 10.0, known), parameters)
    loss = reconstruction_loss(reconstruct(step, view), view.real, 10.0)
    for got, wanted in zip(torch.autograd.grad(loss, parameters), expected, strict=True):
        torch.testing.assert_close(got, wanted, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("side", [22, 24, 40, 60])
def test_windows_reach_every_pixel_and_the_edges_often(side: int) -> None:
    step = iteration()
    windows, stream = windows_of(step, side), torch.Generator().manual_seed(0)
    height, width = SIZES[-1]
    counts, places, num = torch.zeros(height, width), set(), 400
    for _ in range(num):
        window = windows.draw(stream).frame.window
        assert window is not None
        assert window.height == min(side, height)
        assert window.width == min(side, width)
        assert window.top % GRID == 0 or window.top + window.height == height
        assert window.left % GRID == 0 or window.left + window.width == width
        counts[window.top :, window.left :][: window.height, : window.width] += 1
        places.add(window)
    assert counts.min() > num / 40  # the corners
    for edge in (counts[0], counts[-1], counts[:, 0], counts[:, -1]):
        assert edge.mean() > 0.2 * counts.mean()
    assert len(windows._frames) == len(places) <= (height // GRID + 1) * (width // GRID + 1)


def test_stages_that_are_not_larger_are_looked_at_whole() -> None:
    assert iteration(train_window=66).windows is None
    assert iteration().windows is None
    step = iteration(train_window=65)
    assert step.windows is not None
    assert step(torch.randn(1, 3, *SIZES[0], dtype=torch.float64))["fake"].isfinite()
    assert step.view.real.shape[-2:] == (48, 65)


@pytest.mark.parametrize("mode", ["generation", "retarget", "animation"])
def test_a_run_that_is_killed_goes_on_to_the_same_bits(
    mode: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    picture = write_picture(tmp_path / "picture.png")
    options = TINY | {
        "train_mode": mode, "input_name": str(picture), "max_size": 40, "train_window": 24,
        "niter": 6, "checkpoint_seconds": 0.0, "precision": "fp32",
    }  # fmt: skip
    undisturbed = ConSinGAN.train(**options, output_dir=str(tmp_path / "undisturbed"))
    options["output_dir"] = str(tmp_path / "killed")
    with monkeypatch.context() as patch, pytest.raises(Killed):
        kill_at_iteration(patch, 9)
        ConSinGAN.train(**options)
    run = only_run(options)
    launch.resume(run.path, {})
    assert_same_result(undisturbed, run.path)
    whole = ConSinGAN.train(**options | {"train_window": 0, "output_dir": str(tmp_path / "whole")})
    assert (whole / "1/netG.safetensors").read_bytes() != (
        run.path / "1/netG.safetensors"
    ).read_bytes()


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        ({"train_mode": "super_resolution"} | NEEDED["super_resolution"], "another way"),
        ({"train_mode": "inpainting"}, "hole"),
        ({"batch_norm": True}, "batch normalisation"),
        ({"train_window": 21}, "at least 22"),
        ({"train_window": -1}, "at least 0"),
    ],
)
def test_what_cannot_be_had_in_windows_is_refused(
    flags: dict[str, object], said: str, tmp_path: Path, script
) -> None:
    picture = write_picture(tmp_path / "picture.png")
    write_hole(tmp_path / "picture_mask.png")
    values = TINY | {"train_window": 24, "input_name": picture, "output_dir": tmp_path / "out"}
    outcome = script(main_train, *as_flags(values | flags))
    assert outcome.code == 2
    assert "--train_window" in outcome.err
    assert said in outcome.err
    assert len(outcome.err.strip().splitlines()) == 1
    assert not (tmp_path / "out").exists()


def test_estimates_know_windows() -> None:
    assert window_sizes(SIZES, 0, 3) == SIZES
    assert window_sizes(SIZES, 24, 3) == [(13, 17), (20, 24), (24, 24), (24, 24)]
    whole, part = (make_config(train_window=side) for side in (0, 64))
    sizes = [(40, 60), (80, 120), (160, 240)]
    assert estimate.work(part, sizes) < 0.2 * estimate.work(whole, sizes)
    assert estimate.work(part, sizes[:1]) == estimate.work(whole, sizes[:1])
