"""Other parts than the run or file had: their own defaults, what is told, what goes on."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import pytest
import torch
from conftest import TINY, write_mask, write_picture
from test_critic_augmentation import make_judge, pictures
from test_inpainting import a_hole
from test_multiscale import halves, make
from test_objectives import gradients
from test_objectives_formulas import FORMULAS, chance_for
from test_training import make_iteration, run

import ConSinGAN
from ConSinGAN import files
from ConSinGAN.errors import UsageError
from ConSinGAN.launch import configure, resolve
from ConSinGAN.objectives.wgan import WGAN
from ConSinGAN.presets.singan import PUBLISHED
from ConSinGAN.run import RunDirectory
from ConSinGAN.watch.base import Moment, Watcher

# Several scales -------------------------------------------------------------------------------

OF_SCORES = [case for case in FORMULAS if "critic" not in FORMULAS[case][0]().needs]


@pytest.mark.parametrize("case", OF_SCORES)
def test_every_objective_is_summed_over_scales(case: str) -> None:
    critic = make(2)
    made, of_critic, of_generator = FORMULAS[case]
    real, fake = pictures(40, 44)
    views = list(zip(critic.parts, halves(real)[:2], halves(fake)[:2], strict=True))
    sum(of_critic(part, seen, drawn) for part, seen, drawn in views).backward()
    expected = gradients(critic)
    critic.zero_grad()
    judge = make_judge(critic, made().double())
    assert len(judge.critic.views(real)) == 2
    chance = chance_for(judge.objective)
    judge.critic_step(real, fake, {name: value[None] for name, value in chance.items()}, 0)
    if not isinstance(judge.objective, WGAN):  # which clips the weights, not the gradients
        assert max(float(p.detach().abs().max()) for p in critic.parameters()) > 0.1
    for ours, plain in zip(gradients(critic), expected, strict=True):
        torch.testing.assert_close(ours, plain, rtol=1e-8, atol=1e-8)
    fake.requires_grad_()
    drawn = [(part, half) for part, half in zip(critic.parts, halves(fake)[:2], strict=True)]
    loss = sum(of_generator(part, half) for part, half in drawn)
    (wanted,) = torch.autograd.grad(loss, fake)
    _, gradient = judge.fool(real, fake, {})
    torch.testing.assert_close(gradient, wanted, rtol=1e-8, atol=1e-8)


@pytest.mark.parametrize("critic", ["patch", "multiscale", "autoencoding", "singan"])
def test_all_of_the_critic_is_clipped(critic: str) -> None:
    iteration = make_iteration(objective="wgan", critic=critic, lr_d=0.01)
    run(iteration, 2)
    for name, weights in iteration.critic.named_parameters():
        assert float(weights.detach().abs().max()) <= 0.01, name


def test_features_of_a_scale_that_sees_the_hole_are_not_matched(
    caplog: pytest.LogCaptureFixture
) -> None:  # fmt: skip
    critic, hole = make(matching=1.0), a_hole(70, 76, 30, 37, 30, 36)
    judge = make_judge(critic, WGAN(), hole)
    assert judge.counting == [True, True, False]
    drawn, real = pictures(70, 76)
    losses = []
    for _ in range(2):
        losses.append(float(judge.reconstruction_loss(drawn, real, {}).detach()))
        with torch.no_grad():
            for parameter in critic.parts[2].parameters():
                parameter.mul_(3)
    assert losses[0] == losses[1]
    with torch.no_grad():
        critic.parts[1].head.conv.weight.mul_(3)
    assert float(judge.reconstruction_loss(drawn, real, {}).detach()) != losses[0]


# Configurations -------------------------------------------------------------------------------


def written(tmp_path: Path, **flags: Any) -> Path:
    """The config.yaml of a run with these options."""
    picture = write_picture(tmp_path / "picture.png")
    options = TINY | {"niter": 1, "input_name": str(picture), "output_dir": str(tmp_path / "runs")}
    return ConSinGAN.train(**options | flags) / "config.yaml"


@pytest.mark.parametrize(
    ("before", "now", "expected"),
    [
        ({}, {"objective": "wgan"}, {"lr_d": 0.00005}),
        ({}, {"objective": "began"}, {"lr_d": 0.0001, "critic": "autoencoder"}),
        ({"objective": "wgan"}, {"objective": "wgan-gp"}, {"lr_d": 0.0005}),
        ({"objective": "wgan", "lr_d": 0.3}, {"objective": "hinge"}, {"lr_d": 0.3}),
        ({"objective": "began"}, {"critic": "patch"}, {"objective": "wgan-gp", "lr_d": 0.0005}),
        ({"objective": "hinge"}, {"objective": "hinge"}, {"lr_d": 0.0001}),
        ({}, {"generator": "singan"}, {"train_depth": 1, "critic": "singan", "nfc": 4}),
        (
            {"generator": "singan"},
            {"generator": "consingan"},
            {"train_depth": 3, "critic": "patch", "train_stages": 6},
        ),
        ({}, {"objective": "wgan", "lr_d": 0.2}, {"lr_d": 0.2}),
    ],
)
def test_a_runs_file_does_not_hold_back_another_parts_defaults(
    before: dict[str, Any], now: dict[str, Any], expected: dict[str, Any], tmp_path: Path
) -> None:
    config = configure({"config": str(written(tmp_path, **before)), **now})
    assert {name: getattr(config, name) for name in expected} == expected


@pytest.mark.parametrize(
    ("before", "now", "rate"),
    [("wgan", "wgan-gp", 0.0005), ("wgan-gp", "wgan", 0.00005), ("wgan", "wgan", 0.00005)],
)
def test_fine_tuning_with_another_objective_has_its_rate(
    before: str, now: str, rate: float
) -> None:
    saved = resolve({"objective": before, "train_mode": "harmonization", "manualSeed": 1})
    flags = {"fine_tune": True, "model_dir": "run", "naive_img": "x.png", "objective": now}
    assert resolve(flags, saved).lr_d == rate
    typed = resolve({"objective": before, "train_mode": "harmonization", "lr_d": 0.3})
    assert resolve(flags, typed).lr_d == (0.3 if now != "wgan" or before == "wgan" else 0.00005)


def test_a_presets_parts_count_as_chosen() -> None:
    config = configure({"preset": "singan", "scale_factor": 0.8})
    assert config.generator == "singan"
    assert config.options_of("generator").scale_factor == 0.8
    assert configure({"preset": "singan"}).lr_d == 0.0005
    assert configure({"preset": "singan", "objective": "hinge"}).lr_d == 0.0001
    with pytest.raises(UsageError, match=r"^fade_in is an option of generator consingan"):
        configure({"preset": "singan", "fade_in": 0.5})


def test_a_preset_for_another_model_cannot_fine_tune() -> None:
    """Else its schedule would train a model that it is not for."""
    flags = {"fine_tune": True, "model_dir": "run", "naive_img": "x.png"}
    for parts in ({}, {"objective": "began"}):
        saved = resolve({"train_mode": "harmonization", "manualSeed": 1, **parts})
        with pytest.raises(UsageError, match=r"^preset: it is for generator singan, and the model"):
            resolve(flags, saved, preset=PUBLISHED)
    saved = resolve({"train_mode": "harmonization", "manualSeed": 1, "generator": "singan"})
    assert resolve(flags, saved, preset=PUBLISHED).niter == 2000


# What goes on, and what is told ---------------------------------------------------------------


class First(Watcher):
    """Keeps what the first iteration said."""

    terms: dict[str, float] | None = None

    def iteration(self, moment: Moment, terms: dict) -> None:
        self.terms = self.terms or {name: float(value) for name, value in terms.items()}


def test_k_goes_on_in_fine_tuning(tmp_path: Path) -> None:
    picture, naive = (
        write_picture(tmp_path / "picture.png"),
        write_picture(tmp_path / "n.png", seed=1),
    )
    write_mask(tmp_path / "n_mask.png")
    options = TINY | {"train_mode": "editing", "objective": "began", "input_name": str(picture)}
    before = ConSinGAN.train(**options | {"output_dir": str(tmp_path / "runs")})
    kept = RunDirectory(before).inside(f"{TINY['train_stages'] - 1}/objective.safetensors")
    files.save_tensors(kept, {"k": torch.tensor(0.4)})
    tune = {"fine_tune": True, "model_dir": before, "naive_img": naive, "niter": 1, "Dsteps": 1}
    first = First()
    ConSinGAN.train(**tune, not_cuda=True, watchers=[first])
    assert first.terms is not None
    assert first.terms["k"] == pytest.approx(0.4, abs=0.001)


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        ({"train_mode": "dehazing", "objective": "hinge", "augment_critic": "colour", "r1": 0.1},
         "--objective, --augment_critic, --r1: of no use here, where there is no adversarial loss"),
        ({"train_mode": "super_resolution", "critic": "multiscale"},
         "--critic: of no use here, where there is no adversarial loss; --adversarial 1 adds one"),
        ({"train_mode": "super_resolution", "critic": "multiscale", "adversarial": 0.5}, None),
        ({"train_mode": "super_resolution", "factor": 4.0, "objective": "lsgan"}, None),
        ({"train_mode": "dehazing"}, None),
        ({"generator": "singan", "lr_scale": 0.5},
         "--lr_scale: of no use here, where each stage is trained alone"),
        ({"generator": "singan"}, None),
        ({"objective": "hinge"}, None),
    ],
)  # fmt: skip
def test_who_judges_where_nobody_does_is_told(
    flags: dict[str, Any], said: str | None, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING)
    configure(flags)
    assert [r.getMessage() for r in caplog.records] == ([] if said is None else [said])


def test_crops_are_as_large_as_what_the_critic_sees() -> None:
    flags = {"train_mode": "super_resolution", "num_layer": 8, "min_size": 21, "crop": 16}
    with pytest.raises(UsageError, match=r"^crop 16: the critic sees 21 pixels at once"):
        resolve({**flags, "adversarial": 1.0})
    resolve(flags)  # nobody judges
    resolve({**flags, "adversarial": 1.0, "crop": 24})
