"""The reference's own numbers: every file in tests/golden, made by the paper's public code.

CONSINGAN_GOLDEN may name another folder of the same layout; files that it lacks are skipped.
docs/faithfulness.md says which behaviours of the reference are mended, and so compared otherwise.
"""

from __future__ import annotations

import itertools

import golden_reference as golden
import numpy as np
import pytest
import torch

from ConSinGAN import modes
from ConSinGAN.config import TrainConfig
from ConSinGAN.critics.patch import PatchCritic
from ConSinGAN.fast.local_critic import LocalCritic
from ConSinGAN.fast.wgan_gp import quicken
from ConSinGAN.generators.consingan import ConSinGANGenerator
from ConSinGAN.layers import NetworkShape
from ConSinGAN.methods.adversarial import Adversarial
from ConSinGAN.objectives.wgan_gp import WGANGP
from ConSinGAN.pyramid import dense_scales, make_pyramid, stage_sizes
from ConSinGAN.resize import upsample
from ConSinGAN.state import make_optimizers, set_learning_rates
from ConSinGAN.training import begin_stage

# ---------------------------------------------------------------------------------------------
# Networks


@pytest.mark.parametrize("mode", golden.GENERATORS)
@pytest.mark.parametrize("state", ["init", "strong"])
@torch.no_grad()
def test_generator(mode: str, state: str) -> None:
    data = golden.load(f"generator_{mode}.npz")
    generator = golden.make_generator(data, modes.get(mode).border)
    weights = golden.subset(data, f"{state}/sd/")
    for key in [k for k in weights if k.startswith("body.0.")]:
        for stage in range(1, generator.num_stages):  # untouched stages are copies of the first
            weights.setdefault(key.replace("body.0", f"body.{stage}"), weights[key])
    generator.load_state_dict(weights)
    noise, sizes = golden.numbered(data, "noise/"), golden.stage_shapes(data["stage_shapes"])
    amplitudes = data["noise_amp"].tolist()
    for stages in range(1, len(noise) + 1):
        out = generator(noise[:stages], amplitudes, generator.frame(sizes[:stages]))
        golden.close(out, data[f"{state}/out{stages}"])
    if state == "strong" and "wide/out2" in data:
        wide = golden.stage_shapes(data["wide/stage_shapes"])
        noise = golden.numbered(data, "wide/noise/")
        golden.close(generator(noise, amplitudes, generator.frame(wide)), data["wide/out2"])


@pytest.mark.parametrize("mode", golden.GENERATORS)
def test_real_pictures(mode: str) -> None:
    """From the quantised picture, about one level and a half of the mended byte round trips."""
    data = golden.load(f"generator_{mode}.npz")
    spacing = golden.SPACING.get(mode, dense_scales)
    expected = golden.numbered(data, "real/")
    sizes = [tuple(e.shape[2:]) for e in expected]
    picture = golden.quantised(golden.load_input("input_a.png"))
    # The files do not say --min_size and --max_size; rounding up may have added a pixel.
    guesses = [
        (len(sizes), min(sizes[0]) - i, max(sizes[-1]) - j, spacing) for i in (0, 1) for j in (0, 1)
    ]
    found = [g for g in guesses if stage_sizes(tuple(picture.shape[2:]), *g) == sizes]
    actual = make_pyramid(picture, *found[0])
    for a, e in zip(actual, expected, strict=True):  # quirk R1: not the first two rows and columns
        assert (a - e)[..., 2:, 2:].abs().max() < 1.5 / 127.5


def test_upsampling() -> None:
    """The two matrix products are torch's bicubic interpolation with aligned corners."""
    for mode in golden.GENERATORS:
        sizes = golden.stage_shapes(golden.load(f"generator_{mode}.npz")["stage_shapes"])
        for small, large in itertools.pairwise(sizes):
            x = torch.randn(2, 8, *small)
            exact = torch.nn.functional.interpolate(x, large, mode="bicubic", align_corners=True)
            golden.close(upsample(x, large), exact.numpy(), atol=1e-5)


@pytest.mark.parametrize("state", ["init", "strong"])
@pytest.mark.parametrize("quick", [False, True], ids=["textbook", "closed form"])
def test_critic(state: str, quick: bool) -> None:
    data = golden.load("discriminator.npz")
    weights = golden.subset(data, f"{state}/sd/")
    critic = PatchCritic(NetworkShape(weights["head.conv.weight"].shape[0]))
    critic.load_state_dict(weights)
    real, fake = golden.tensor(data["real"]), golden.tensor(data["fake"])
    with torch.no_grad():
        golden.close(critic(real), data[f"{state}/out_real"])
        golden.close(critic(fake), data[f"{state}/out_fake"])
    prefix = f"{state}/alpha_"
    for key in [k for k in data if k.startswith(prefix) and k.endswith("/gp")]:
        case = key.removesuffix("/gp")
        a = float(case.removeprefix(prefix))
        mixed = a * real + (1 - a) * fake
        local = LocalCritic(critic, mixed)
        gradient = local.input_gradient(local.pull_back(torch.ones_like(local.scores)))
        golden.close(gradient.norm(dim=1), data[f"{case}/input_grad_norm"])
        # The scores' gradients cancel for twice the same picture; what is left is the penalty's.
        critic.zero_grad()
        objective = quicken(WGANGP(), critic) if quick else WGANGP()
        terms = objective.critic_step(critic, mixed, mixed, {"coefficient": torch.tensor(1.0)})
        golden.close(terms["penalty"], data[key])
        for name, parameter in critic.named_parameters():
            grad = torch.zeros_like(parameter) if parameter.grad is None else parameter.grad
            golden.close(grad, data[f"{case}/grad/{name}"])


# ---------------------------------------------------------------------------------------------
# One training iteration


@pytest.mark.parametrize("name", golden.STEPS)
def test_noise_amplitude(name: str) -> None:
    data = golden.load(f"train_step_{name}.npz")
    state = golden.build_step(data, name.split("_")[0])
    model = state.model
    depth = int(data["depth"])
    fixed = golden.numbered(data, "fixed_noise/")
    model.fixed_noise, model.noise_amp = fixed[:depth], data["noise_amp_before"].tolist()
    with golden.recorded_noise(fixed[depth:]):
        begin_stage(state)
    if depth:
        with torch.no_grad():
            out = model.generator(fixed, [*model.noise_amp[:depth], 0.0], model.frame)
        golden.close(out, data["noise_amp_reconstruction"])
    golden.close(np.array(model.noise_amp[-1]), data["noise_amp_new"])
    golden.close(np.array(model.noise_amp), data["noise_amp_all"])


@pytest.mark.parametrize("name", golden.STEPS)
def test_train_step(name: str) -> None:
    data = golden.load(f"train_step_{name}.npz")
    mode = name.split("_")[0]
    training_state = golden.build_step(data, mode)
    model = training_state.model
    model.fixed_noise = golden.numbered(data, "fixed_noise/")
    model.noise_amp = data["noise_amp_all"].tolist()
    config, generator = model.config, model.generator
    training_state.optimizers = make_optimizers(training_state.networks, config)

    learning = training_state.optimizers["generator"].param_groups
    groups = {group["name"]: group["lr"] for group in learning}
    expected = dict(zip(data["lr_group_members"].tolist(), data["lr_groups"], strict=True))
    assert groups == pytest.approx(expected)

    noise, alphas = golden.numbered(data, "noise/"), golden.tensor(data["alphas"])
    step = Adversarial(training_state)
    terms, recorded_losses, seen, after = golden.record_step(step, noise, alphas)

    for j, terms_d in enumerate(recorded_losses):
        golden.close(-terms_d["real"], data[f"D{j}/errD_real"])
        golden.close(terms_d["fake"], data[f"D{j}/errD_fake"])
        golden.close(terms_d["penalty"], data[f"D{j}/gp"])
        for parameter, value in golden.subset(data, f"D{j}/grad/").items():
            golden.close(seen[j].get(parameter, torch.zeros_like(value)), value.numpy(), atol=3e-6)
        steps = [golden.subset(data, f"D{i}/grad/") for i in range(j + 1)]
        golden.close_weights(after[j], golden.subset(data, f"D{j}/sd_after/"), steps)
    golden.close(terms["adversarial"], data["errG"])
    golden.close(terms["reconstruction"], data["rec_loss"])

    # Quirk T6: biases before a norm have zero gradient in theory and rounding noise in practice.
    def noisy(parameter: str) -> bool:
        return generator.batch_norm and parameter.endswith("conv.bias")

    trained = {n: p for n, p in generator.named_parameters() if p.requires_grad}
    for parameter, value in golden.subset(data, "G_grad/").items():
        if parameter in trained and not noisy(parameter):
            grad = trained[parameter].grad
            golden.close(
                torch.zeros_like(value) if grad is None else grad, value.numpy(), atol=2e-5
            )
    state = generator.state_dict()
    recorded = golden.subset(data, "G_grad/")
    learnt = {name: value for name, value in recorded.items() if name in trained}
    known = {k: v for k, v in golden.subset(data, "G_after/").items() if not noisy(k)}
    golden.close_weights(state, known, [learnt])
    before = golden.subset(data, "G_before/")
    for parameter in filter(None, data["G_unchanged_after"].tolist()):
        assert torch.equal(state[parameter], before[parameter]), parameter


def test_schedule() -> None:
    for row in golden.load("schedule.json")["schedules"]:
        niter, base = row["niter"], row["base_lr_per_group"]
        if row["milestone"] != int(row["milestone"]):
            continue  # quirk T11, mended: see test_training.py
        rates = sorted(base)
        parameters = [torch.nn.Parameter(torch.zeros(1)) for _ in rates]
        groups = [{"params": [p], "lr": r} for p, r in zip(parameters, rates, strict=True)]
        optimizer = torch.optim.Adam(groups)
        for group in optimizer.param_groups:
            group["initial_lr"] = group["lr"]
        for iteration in range(niter):
            set_learning_rates({"one": optimizer}, iteration, niter, TrainConfig())
            if str(iteration) in row["lr_at"]:
                now = sorted(group["lr"] for group in optimizer.param_groups)
                assert now == pytest.approx(sorted(row["lr_at"][str(iteration)]), rel=1e-12)


def test_learning_rate_groups() -> None:
    for row in golden.load("schedule.json")["group_lr_table"]:
        generator = ConSinGANGenerator(NetworkShape(2))
        for _ in range(row["depth"]):
            generator.grow()
        groups = generator.learners(row["train_depth"])
        actual = {group.name: 0.0005 * row["lr_scale"] ** group.depth for group in groups}
        bodies = zip(row["trained_bodies"], row["body_lr"], strict=True)
        expected = {f"body.{stage}": rate for stage, rate in bodies} | {"tail": row["tail_lr"]}
        if row["head_lr"] is not None:
            expected["head"] = row["head_lr"]
        assert actual == pytest.approx(expected, rel=1e-9)
