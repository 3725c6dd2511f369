"""The running average of the last stage's weights, which the model draws with if a run asks."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from conftest import TINY, write_picture
from test_resume import Killed, assert_same_result, kill_at_iteration, only_run
from torch import nn
from torch.optim import Adam

import ConSinGAN
from ConSinGAN import averaging, files, launch
from ConSinGAN.errors import ConSinGANError


def test_it_is_the_recursion_in_float64() -> None:
    """avg <- d avg + (1 - d) w, where d is at most done / (done + 9), from the first weights on."""
    torch.manual_seed(0)
    weights = [nn.Parameter(torch.randn(3, 4).double()), nn.Parameter(torch.randn(5).double())]
    still = nn.Parameter(torch.ones(2).double())  # has no gradient, so it does not move
    optimizer = Adam([{"params": weights}, {"params": [still]}], lr=0.1)
    averages: list[torch.Tensor] = []
    for done in range(1, 40):
        for weight in weights:
            weight.grad = torch.randn_like(weight)
        optimizer.step()
        now = [weight.detach().clone() for weight in weights]
        averages = averages or now
        decay = min(0.7, done / (done + 9))
        averages = [decay * a + (1 - decay) * w for a, w in zip(averages, now, strict=True)]
        averaging.update(optimizer, 0.7, done)
    assert not torch.allclose(averages[0], weights[0])
    averaging.take(optimizer)
    for average, weight in zip(averages, weights, strict=True):
        torch.testing.assert_close(weight.detach(), average, rtol=1e-12, atol=1e-12)
    assert torch.equal(still.detach(), torch.ones(2).double())


@pytest.fixture
def options(tmp_path: Path) -> dict:
    picture = write_picture(tmp_path / "picture.png")
    return TINY | {
        "input_name": str(picture), "niter": 5, "checkpoint_seconds": 0.0, "precision": "fp32",
        "average": 0.9,
    }  # fmt: skip


def test_only_the_last_stage_is_another(options: dict, tmp_path: Path) -> None:
    runs = [
        ConSinGAN.train(**options | {"average": decay, "output_dir": str(tmp_path / str(decay))})
        for decay in (0.0, 0.9)
    ]
    for name in ("0/netG", "0/netD", "1/netD", "noise"):  # training itself is the same
        plain, averaged = ((run / f"{name}.safetensors").read_bytes() for run in runs)
        assert plain == averaged, name
    plain, averaged = (files.load_tensors(run / "1/netG.safetensors")[0] for run in runs)
    moved = [name for name in plain if not torch.equal(plain[name], averaged[name])]
    assert any(name.startswith("body.1") for name in moved)


@pytest.mark.parametrize("at", [4, 8, 10])
def test_a_run_that_is_killed_goes_on_to_the_same_bits(
    at: int, options: dict, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    undisturbed = ConSinGAN.train(**options, output_dir=str(tmp_path / "undisturbed"))
    options["output_dir"] = str(tmp_path / "killed")
    with monkeypatch.context() as patch, pytest.raises(Killed):
        kill_at_iteration(patch, at)
        ConSinGAN.train(**options)
    run = only_run(options)
    launch.resume(run.path, {})
    assert_same_result(undisturbed, run.path)


@pytest.mark.parametrize("where", ["save_stage", "finish"])
def test_it_is_taken_once_wherever_the_run_is_cut(
    where: str, options: dict, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    undisturbed = ConSinGAN.train(**options, output_dir=str(tmp_path / "undisturbed"))
    options["output_dir"] = str(tmp_path / "killed")
    kept = getattr(ConSinGAN.run.RunDirectory, where)

    def dying(run: object, *arguments: object) -> None:
        if where == "save_stage" and arguments[0].generator.num_stages == 1:  # type: ignore
            return kept(run, *arguments)
        raise Killed

    with monkeypatch.context() as patch, pytest.raises(Killed):
        patch.setattr(ConSinGAN.run.RunDirectory, where, dying)
        ConSinGAN.train(**options)
    run = only_run(options)
    launch.resume(run.path, {})
    assert_same_result(undisturbed, run.path)


@pytest.mark.parametrize("change", ["shape", "name", "missing"])
def test_a_checkpoint_with_other_averages_is_refused(
    change: str, options: dict, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    options["output_dir"] = str(tmp_path / "killed")
    with monkeypatch.context() as patch, pytest.raises(Killed):
        kill_at_iteration(patch, 9)
        ConSinGAN.train(**options)
    run = only_run(options)
    path = run.path / "checkpoint.safetensors"
    tensors, about = files.load_tensors(path)
    name = next(key for key in tensors if key.endswith(".average"))
    if change == "shape":
        tensors[name] = tensors[name].flatten()[:1].clone()
    elif change == "name":
        tensors[name.replace(".average", ".mean")] = tensors.pop(name)
    else:
        del tensors[name.replace(".average", ".exp_avg")]
    files.save_tensors(path, tensors, about)
    (run.path / "checkpoint_before.safetensors").unlink(missing_ok=True)
    with pytest.raises(ConSinGANError, match="checkpoint"):
        launch.resume(run.path, {})
