"""What every objective holds to, those that are not written yet among them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from conftest import NEEDED, TINY, value_of, write_hole, write_picture
from test_resume import assert_same_result
from test_training import check_gpu_gives_the_processors_numbers, make_iteration, run
from torch import Tensor

import ConSinGAN
from ConSinGAN import modes
from ConSinGAN.critics.base import Critic
from ConSinGAN.launch import resolve
from ConSinGAN.methods.adversarial import Adversarial
from ConSinGAN.metrics import patches
from ConSinGAN.networks import make_critic, make_objective, set_dtype
from ConSinGAN.objectives.base import Objective
from ConSinGAN.registry import OBJECTIVES
from ConSinGAN.watch.base import Moment, Stop, Stopped, Watcher

NAMES = OBJECTIVES.names()


def chosen(name: str) -> dict[str, str]:
    """The objective and the critic that it needs or gets."""
    return {"objective": name, "critic": resolve({"objective": name}).critic}


def made(name: str, **options: object) -> tuple[Objective, Critic]:
    torch.manual_seed(0)
    config = resolve({"objective": name, "nfc": 4, **options})
    return make_objective(config), make_critic(config)


def numbers(objective: Objective, num: int | None = None) -> dict[str, Tensor]:
    steps = () if num is None else (num,)
    return {name: torch.rand((*steps, *shape)) for name, shape in objective.chance.items()}


def in_memory(x: Tensor) -> list[int]:
    return [step for step, size in zip(x.stride(), x.shape, strict=True) if size > 1]


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("num", [1, 2])
@pytest.mark.parametrize("name", NAMES)
def test_steps_leave_gradients_in_the_critic_alone(name: str, num: int, channels: int) -> None:
    objective, critic = made(name, nc_im=channels)
    real, fake = torch.rand(num, channels, 18, 21), torch.rand(num, channels, 18, 21) - 0.5
    terms = objective.critic_step(critic, real[:1], fake[:1], numbers(objective))
    objective.after_critic(critic)
    assert {"real", "fake"} <= set(terms)
    for value in terms.values():
        assert value.shape == ()
        assert value.isfinite()
        assert not value.requires_grad
    gradients = [p.grad for p in critic.parameters() if p.grad is not None]
    assert max(float(g.abs().max()) for g in gradients) > 0
    for parameter in critic.parameters():  # fused optimisers look at no strides
        if parameter.grad is not None:
            assert in_memory(parameter.grad) == in_memory(parameter)
    critic.zero_grad()
    terms, gradient = objective.fool(critic, real, fake)
    assert gradient.shape == fake.shape
    assert gradient.isfinite().all()
    assert float(gradient.abs().max()) > 0
    assert all(p.grad is None for p in critic.parameters())
    assert real.grad is None
    assert fake.grad is None


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=str)
@pytest.mark.parametrize("name", NAMES)
def test_steps_can_be_recorded(name: str, dtype: torch.dtype) -> None:
    """Tensors without content cannot be read by the host: see test_training."""
    iteration = make_iteration(**chosen(name))
    model, critic = iteration.model, iteration.critic
    model.generator.to("meta").dtype = critic.to("meta").dtype = dtype
    iteration.state.objective.to("meta")
    model.reals = [real.to("meta") for real in model.reals]
    model.fixed_noise = [z.to("meta") for z in model.fixed_noise]
    iteration.state.optimizers = {  # Adam's kernels are the GPU's
        name: torch.optim.SGD(network.parameters(), lr=0.1)
        for name, network in (("generator", model.generator), ("critic", critic))
    }
    buffers = [buffer.data_ptr() for buffer in iteration.state.objective.buffers()]
    shapes = model.generator.noise_shapes(model.frame)
    chance = {name: z.to("meta") for name, z in numbers(iteration.state.objective, 3).items()}
    losses = Adversarial(iteration.state).step(
        [torch.empty(s, device="meta") for s in shapes], chance
    )
    assert {value.device.type for value in losses.values()} == {"meta"}
    assert [buffer.data_ptr() for buffer in iteration.state.objective.buffers()] == buffers


@pytest.mark.gpu
@pytest.mark.parametrize("compile", [False, True])
@pytest.mark.parametrize("name", NAMES)
def test_gpu_gives_the_processors_numbers(name: str, compile: bool) -> None:
    check_gpu_gives_the_processors_numbers(compile=compile, **chosen(name))


@pytest.mark.parametrize("name", NAMES)
def test_bf16_is_near_float32(name: str) -> None:
    results = []
    for dtype in (torch.float32, torch.bfloat16):
        iteration = make_iteration(nfc=16, **chosen(name))
        set_dtype(iteration.state.networks, dtype)
        results.append(run(iteration))
        assert all(p.dtype == torch.float32 for p in iteration.critic.parameters())
    for key, value in results[0].items():
        torch.testing.assert_close(value, results[1][key], rtol=0.05, atol=0.03)


# Runs -----------------------------------------------------------------------------------------


class Late(Watcher):
    """Stops in the last stage."""

    def iteration(self, moment: Moment, terms: object) -> None:
        self.at, self.run = (moment.stage, moment.done), moment.run

    def should_stop(self) -> Stop | None:
        return Stop("enough") if self.at == (1, 2) else None


KINDS = {
    "colour": {"precision": "fp32"},
    "grey, batch norm, bf16": {"nc_im": 1, "batch_norm": True, "precision": "bf16"},
}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", NAMES)
def test_runs_train_go_on_and_are_measured(name: str, kind: str, tmp_path: Path) -> None:
    """Stopped in the second stage and gone on with: to the bit what it is undisturbed."""
    options = TINY | KINDS[kind] | {"objective": name, "niter": 3, "threads": 1}
    options["input_name"] = str(write_picture(tmp_path / "picture.png"))
    undisturbed = ConSinGAN.train(output_dir=str(tmp_path / "one"), **options)
    late = Late()
    with pytest.raises(Stopped):
        ConSinGAN.train(output_dir=str(tmp_path / "two"), watchers=[late], **options)
    ConSinGAN.resume(late.run)
    assert_same_result(undisturbed, late.run)
    model = ConSinGAN.load(undisturbed)
    assert model.config.objective == name
    pictures = list(model.sample(2, seed=1))
    assert pictures[0].shape == (1, options.get("nc_im", 3), 16, 24)
    assert all(torch.isfinite(picture).all() for picture in pictures)
    colour = pictures[0].expand(1, 3, 16, 24)
    assert patches.sliced_wasserstein(model.reals[-1].expand(1, 3, 16, 24), colour)


MODES = modes.names()
# Every mode with an objective or two, the two that treat objectives in their own way with all.
PAIRS = sorted(
    {(NAMES[(i + more) % len(NAMES)], mode) for i, mode in enumerate(MODES) for more in (0, 3)}
    | {(name, mode) for mode in ("inpainting", "super_resolution") for name in NAMES}
)


@pytest.mark.parametrize(("name", "mode"), PAIRS)
def test_every_mode_takes_objectives(name: str, mode: str, tmp_path: Path) -> None:
    picture = write_picture(tmp_path / "picture.png")
    write_hole(tmp_path / "picture_mask.png")
    options = TINY | NEEDED.get(mode, {}) | {"objective": name, "niter": 1, "precision": "fp32"}
    if mode == "super_resolution":
        options["adversarial"] = 1.0
    seen = Terms()
    path = ConSinGAN.train(
        train_mode=mode, input_name=str(picture), output_dir=str(tmp_path / "runs"),
        watchers=[seen], **options,
    )  # fmt: skip
    assert ConSinGAN.load(path).config.objective == name
    assert mode == "dehazing" or "adversarial" in seen.names


class Terms(Watcher):
    """Remembers what there was to see."""

    def __init__(self) -> None:
        self.names: set[str] = set()

    def iteration(self, moment: Moment, terms: dict[str, Tensor]) -> None:
        self.names |= set(terms)


# Declarations ---------------------------------------------------------------------------------


@pytest.mark.parametrize("name", NAMES)
def test_a_fine_tuned_model_keeps_its_objective(
    name: str, trained: Callable[[str], Path], tmp_path: Path
) -> None:
    """And gets another one, where that needs no other critic."""
    naive = write_picture(tmp_path / "naive.png", seed=1)
    options = {"fine_tune": True, "naive_img": str(naive), "output_dir": str(tmp_path)}
    options |= {"not_cuda": True, "niter": 1}
    if OBJECTIVES.find(name).needs:
        picture = write_picture(tmp_path / "picture.png")
        run = ConSinGAN.train(
            train_mode="editing", input_name=str(picture), objective=name,
            output_dir=str(tmp_path / "first"), **TINY,
        )  # fmt: skip
        tuned = ConSinGAN.train(model_dir=str(run), **options)
    else:
        tuned = ConSinGAN.train(model_dir=str(trained("editing")), objective=name, **options)
    assert value_of(ConSinGAN.load(tuned).config, "objective") == name
