"""What ConSinGAN's generator can be given besides: fading in, and skip-layer excitation."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from conftest import TINY, Outcome, write_picture
from torch import Tensor

import ConSinGAN
import evaluate_model
from ConSinGAN import launch
from ConSinGAN.frame import Frame
from ConSinGAN.generators.consingan import ConSinGANGenerator
from ConSinGAN.layers import NetworkShape
from ConSinGAN.methods.adversarial import Adversarial
from ConSinGAN.watch.base import Moment, Watcher

SIZES = [(7, 9), (10, 12), (13, 16), (17, 20), (20, 25)]


def grown(num_stages: int, **more: object) -> ConSinGANGenerator:
    """A generator whose stages do something, each another thing."""
    torch.manual_seed(0)
    generator = ConSinGANGenerator(NetworkShape(4), border="zeros", **more)
    for _ in range(num_stages - 1):
        generator.grow()
    with torch.no_grad():
        for name, parameter in generator.named_parameters():
            if "conv.weight" in name or "squeeze.weight" in name or "excite.weight" in name:
                parameter.normal_(0, 0.3)
    return generator


def state_of(generator: ConSinGANGenerator, num_stages: int) -> tuple[list[Tensor], Tensor]:
    """Noise of some stages, and the feature map that the last of them makes."""
    frame = Frame.whole(SIZES[:num_stages], "zeros")
    torch.manual_seed(1)
    noise = [torch.randn(shape) for shape in generator.noise_shapes(frame)]
    with torch.no_grad():
        state = generator.advance(noise, [0.1] * num_stages, frame)
    return noise, getattr(state, "x", state)


def test_shares_by_hand() -> None:
    """Over half of 10 iterations: 0, 1/5, 2/5, 3/5, 4/5, 1, 1, ..."""
    generator = grown(2, fade_in=0.5)
    assert generator.share is None  # a finished model adds all
    shares = []
    for done in range(11):
        generator.start_iteration(done, 10)
        shares.append(round(float(generator.share), 6))
    assert shares == [0, 0.2, 0.4, 0.6, 0.8, 1, 1, 1, 1, 1, 1]
    before = generator.share
    generator.start_iteration(1, 4)
    assert generator.share is before  # recorded steps go on reading it
    assert float(before) == 0.5
    off = grown(2)
    off.start_iteration(0, 10)
    assert off.share is None


@pytest.mark.parametrize("share", [0.0, 0.4, 1.0])
def test_the_last_stage_adds_a_share(share: float) -> None:
    generator = grown(3, fade_in=1.0)
    _, everything = state_of(generator, 3)
    generator.start_iteration(0, 10)
    _, nothing = state_of(generator, 3)
    generator.start_iteration(int(share * 10), 10)
    _, some = state_of(generator, 3)
    assert torch.allclose(some, nothing + share * (everything - nothing), atol=1e-6)
    if share == 0:  # what is there is the stage below, enlarged, and it is drawn in full
        _, below = state_of(grown(2), 2)
        wanted = F.interpolate(below, SIZES[2], mode="bicubic", align_corners=True)
        assert torch.allclose(nothing, wanted, atol=1e-5)
    if share == 1:
        assert torch.equal(some, everything)


def test_excitation_is_the_formula() -> None:
    """Stages 1 to 3 are weighed by stage 0, stage 4 by stage 1, in plain torch."""
    generator, plain = grown(5, skip_excitation=True), grown(5)
    plain.load_state_dict(
        {name: w for name, w in generator.state_dict().items() if not name.startswith("gates.")}
    )
    maps = [state_of(generator, stages)[1] for stages in range(1, 6)]
    frame = Frame.whole(SIZES, "zeros")
    noise, _ = state_of(generator, 5)
    for stage, source in ((1, 0), (2, 0), (3, 0), (4, 1)):
        with torch.no_grad():
            x = maps[stage - 1]
            residual = F.interpolate(x, SIZES[stage], mode="bicubic", align_corners=True)
            added = plain.advance(noise[: stage + 1], [0.1] * 5, frame, stage, x) - residual
            gate = generator.gates[stage - 1]
            pooled = F.adaptive_avg_pool2d(maps[source], 4)
            hidden = F.leaky_relu(F.conv2d(pooled, gate.squeeze.weight, gate.squeeze.bias), 0.05)
            weights = torch.sigmoid(F.conv2d(hidden, gate.excite.weight, gate.excite.bias))
        assert weights.shape == (1, 4, 1, 1)
        assert torch.allclose(maps[stage], residual + weights * added, atol=1e-5), stage


def test_learners_of_gates() -> None:
    generator = grown(4, skip_excitation=True)
    groups = {group.name: group.depth for group in generator.learners(2)}
    assert groups == {"body.2": 1, "body.3": 0, "gate.2": 1, "gate.3": 0, "tail": 0}
    learning = {name for name, p in generator.gates.named_parameters() if p.requires_grad}
    assert {name[0] for name in learning} == {"1", "2"}


class Shares(Watcher):
    """Remembers the share of every iteration."""

    def __init__(self) -> None:
        self.seen: list[tuple[int, float]] = []

    def iteration(self, moment: Moment, terms: dict) -> None:
        self.seen.append((moment.stage, round(float(moment.model.generator.share), 4)))


class Killed(BaseException):
    """Stands for kill -9."""


def options(folder: Path, **more: object) -> dict:
    picture = write_picture(folder / "picture.png")
    return {**TINY, "input_name": str(picture), "output_dir": str(folder / "runs"), "niter": 4,
            "precision": "fp32", "train_stages": 3, "checkpoint_seconds": 0.0, **more}  # fmt: skip


@pytest.mark.parametrize(
    "more",
    [{"fade_in": 0.5}, {"skip_excitation": True}, {"fade_in": 1.0, "skip_excitation": True,
                                                   "nc_im": 1}],
    ids=str,
)  # fmt: skip
def test_runs_are_killed_and_end_as_if_they_were_not(
    tmp_path: Path, more: dict, monkeypatch: pytest.MonkeyPatch
) -> None:
    flags = options(tmp_path, **more)
    shares = Shares()
    watchers = [shares] if "fade_in" in more else []
    whole = ConSinGAN.train(**flags | {"output_dir": str(tmp_path / "whole")}, watchers=watchers)
    if more == {"fade_in": 0.5}:
        each = [0.0, 0.5, 1.0, 1.0]
        assert shares.seen == [(stage, share) for stage in range(3) for share in each]
    step, left = Adversarial.step, 10  # the second iteration of the last stage

    def dying(self: Adversarial, *arguments: object) -> dict:
        nonlocal left
        left -= 1
        if left == 0:
            raise Killed
        return step(self, *arguments)

    monkeypatch.setattr(Adversarial, "step", dying)
    with pytest.raises(Killed):
        ConSinGAN.train(**flags)
    (run,) = (tmp_path / "runs").glob("*/*")
    launch.resume(run, {})
    for path in whole.rglob("*.safetensors"):
        assert (run / path.relative_to(whole)).read_bytes() == path.read_bytes(), path.name
    assert (run / "sample_sheet.png").read_bytes() == (whole / "sample_sheet.png").read_bytes()
    model = ConSinGAN.load(run, precision="fp32")
    assert model.generator.share is None
    assert next(model.sample(size=(15, 40))).shape[2:] == (15, 40)


def test_off_is_as_it_was(tmp_path: Path) -> None:
    """The amplitude is that of share 0; without either option nothing is another bit."""
    plain = ConSinGAN.train(**options(tmp_path))
    off = {"fade_in": 0.0, "skip_excitation": False, "output_dir": str(tmp_path / "off")}
    said = ConSinGAN.train(**options(tmp_path, **off))
    for path in plain.rglob("*.safetensors"):
        assert (said / path.relative_to(plain)).read_bytes() == path.read_bytes(), path.name
    faded = ConSinGAN.train(**options(tmp_path, fade_in=0.5, output_dir=str(tmp_path / "faded")))
    amplitudes = [ConSinGAN.load(run).noise_amp for run in (plain, faded)]
    assert amplitudes[0][1] != amplitudes[1][1]


def test_parts_are_refused_with_excitation_and_not_with_fading(
    tmp_path: Path, script: Callable[..., Outcome]
) -> None:
    run = ConSinGAN.train(**options(tmp_path, skip_excitation=True, train_stages=2, niter=1))
    for words in (["--tile", 16], ["--window", 0, 0, 4, 4]):
        done = script(evaluate_model, "--model_dir", run, "--not_cuda", *words)
        assert (done.code, done.err.count("\n")) == (2, 1)
        assert f"{words[0]}" in done.err
        assert "--skip_excitation" in done.err
    faded = options(tmp_path, fade_in=0.5, train_stages=2, niter=1)
    model = ConSinGAN.load(ConSinGAN.train(**faded), precision="fp32")
    (whole,) = model.sample(seed=1)
    (part,) = model.sample(seed=1, window=(2, 3, 5, 6))
    assert torch.allclose(part, whole[..., 2:7, 3:9], atol=1e-5)
