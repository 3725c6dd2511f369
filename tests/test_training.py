"""The training loop: what an iteration may touch, what repeats, and GPU against processor."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from conftest import TINY, make_config, paint

import ConSinGAN
from ConSinGAN import modes
from ConSinGAN.config import TrainConfig
from ConSinGAN.methods import adversarial
from ConSinGAN.methods.adversarial import Adversarial
from ConSinGAN.model import ImageModel
from ConSinGAN.networks import chance_of, make_networks, set_dtype
from ConSinGAN.noise import RandomStreams, draw_maps
from ConSinGAN.run import RunDirectory
from ConSinGAN.sources.single import Single
from ConSinGAN.state import TrainingState, make_optimizers, set_learning_rates
from ConSinGAN.training import begin_stage


def make_iteration(num_stages: int = 3, device: str = "cpu", **options: object) -> Adversarial:
    """An iteration of a small model whose stages are all fresh."""
    torch.manual_seed(0)
    options = {"nfc": 4, "manualSeed": 0, "train_stages": max(num_stages, 2), **options}
    config, mode = make_config(**options), modes.get(str(options.get("train_mode", "generation")))
    picture = torch.from_numpy(paint(28, 36)).movedim(-1, 0)[None] / 127.5 - 1
    sizes = [(12 + 4 * i, 15 + 5 * i) for i in range(num_stages)]
    reals = [picture[..., :h, :w].to(device) for h, w in sizes]
    networks = {name: part.to(device) for name, part in make_networks(config).items()}
    model = ImageModel(config, mode, networks["generator"], reals)
    streams = RandomStreams(0, device, chance_of(config, networks))
    state = TrainingState(model, networks, streams, Single(TrainConfig()))
    for stage in range(num_stages):
        if stage:
            model.generator.grow()
        begin_stage(state)
    state.optimizers = make_optimizers(networks, config)
    return Adversarial(state)


def run(iteration: Adversarial, times: int = 1) -> dict[str, torch.Tensor]:
    for _ in range(times):
        first = iteration.model.mode.draw_input(iteration.model.reals[0], iteration.state.streams)
        losses = iteration(first)
    return losses


def test_frozen_stages_do_not_change_and_cost_no_gradient() -> None:
    iteration = make_iteration(train_depth=1)
    generator = iteration.model.generator
    before = {name: p.clone() for name, p in generator.named_parameters()}
    run(iteration, 2)
    for name, parameter in generator.named_parameters():
        trained = name.startswith(("body.2", "tail"))
        assert torch.equal(before[name], parameter) != trained, name
        assert (parameter.grad is not None) == trained, name


def test_critic_gets_no_gradient_in_the_generators_step() -> None:
    iteration = make_iteration()
    seen: list[float] = []
    iteration.optimizers["critic"].register_step_post_hook(
        lambda *_: seen.append(float(iteration.critic.tail.weight.grad.sum()))
    )
    run(iteration)
    assert len(seen) == iteration.model.config.Dsteps
    assert float(iteration.critic.tail.weight.grad.sum()) == seen[-1]


def test_a_seed_repeats_an_iteration_and_another_does_not() -> None:
    results = []
    for seed in (0, 0, 1):
        iteration = make_iteration()
        iteration.state.streams = RandomStreams(seed)
        run(iteration, 2)
        results.append(torch.cat([p.flatten() for p in iteration.model.generator.parameters()]))
    assert torch.equal(results[0], results[1])
    assert not torch.equal(results[0], results[2])


@pytest.mark.parametrize("option", [{"alpha": 0.0}, {"lambda_grad": 0.0}, {"lr_scale": 0.0}])
def test_weights_of_zero_work(option: dict) -> None:
    assert all(value.isfinite() for value in run(make_iteration(**option), 2).values())


@pytest.mark.parametrize("activation", ["elu", "prelu", "selu"])
def test_every_activation_trains(activation: str) -> None:
    losses = run(make_iteration(activation=activation), 2)
    assert all(value.isfinite() for value in losses.values())


def test_bf16_iteration_is_near_float32() -> None:
    results = []
    for dtype in (torch.float32, torch.bfloat16):
        iteration = make_iteration(nfc=16)
        set_dtype(iteration.state.networks, dtype)
        results.append(run(iteration))
        assert all(p.dtype == torch.float32 for p in iteration.critic.parameters())
    for name, value in results[0].items():
        torch.testing.assert_close(value, results[1][name], rtol=0.05, atol=0.02)


@pytest.mark.parametrize(
    ("niter", "first_decayed"), [(10, 8), (4, 3), (3, 2), (1999, 1599), (1, 1)]
)
def test_learning_rate_falls_at_80_percent(niter: int, first_decayed: int) -> None:
    parameter = torch.nn.Parameter(torch.zeros(1))
    optimizer = torch.optim.Adam([{"params": [parameter], "lr": 1.0, "initial_lr": 1.0}])
    rates = []
    for iteration in range(niter):
        set_learning_rates({"one": optimizer}, iteration, niter, TrainConfig(gamma=0.1))
        rates.append(optimizer.param_groups[0]["lr"])
    assert rates == pytest.approx([1.0] * first_decayed + [0.1] * (niter - first_decayed))


@pytest.mark.parametrize("mode", ["generation", "retarget"])
@pytest.mark.parametrize("options", [{}, {"batch_norm": True}, {"train_depth": 1}], ids=str)
def test_the_frugal_path_gives_the_same_weights(
    mode: str, options: dict, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Large fakes are drawn twice, to the bit the same, and nothing else changes."""
    results = []
    for threshold in (10**9, 0):
        monkeypatch.setattr(adversarial, "FRUGAL_PIXELS", threshold)
        iteration = make_iteration(train_mode=mode, **options)
        assert iteration.frugal == (threshold == 0)
        losses = run(iteration, 2)
        networks = iteration.state.networks.values()
        results.append([*losses.values(), *(p for n in networks for p in n.parameters())])
    assert all(torch.equal(plain, frugal) for plain, frugal in zip(*results, strict=True))


@pytest.mark.filterwarnings("default")  # tensorboard's own
def test_previews_do_not_change_a_run(picture_file: Path, tmp_path: Path) -> None:
    weights = []
    for every in (1, 100):
        path = ConSinGAN.train(
            input_name=str(picture_file), output_dir=str(tmp_path / str(every)),
            preview_every=every, **TINY | {"niter": 3},
        )  # fmt: skip
        weights.append(RunDirectory(path).load_model().generator.state_dict())
    assert all(torch.equal(weights[0][key], weights[1][key]) for key in weights[0])


def test_training_reduces_the_reconstruction_error() -> None:
    iteration = make_iteration(num_stages=1, nfc=16)
    first = run(iteration)["reconstruction"]
    last = run(iteration, 80)["reconstruction"]
    assert last < first / 2


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=str)
@pytest.mark.parametrize(
    "options", [{}, {"batch_norm": True}, {"activation": "elu"}, {"activation": "prelu"}], ids=str
)
def test_an_iteration_stays_on_its_device(options: dict, dtype: torch.dtype) -> None:
    """Tensors without content cannot be read by the host, nor mixed with those of the processor.

    So this holds what a CUDA graph needs, also on a machine without a GPU.
    """
    iteration = make_iteration(**options)
    model, critic = iteration.model, iteration.critic
    model.generator.to("meta").dtype = critic.to("meta").dtype = dtype
    model.reals = [real.to("meta") for real in model.reals]
    model.fixed_noise = [z.to("meta") for z in model.fixed_noise]
    iteration.state.optimizers = {  # Adam's kernels are the GPU's
        name: torch.optim.SGD(network.parameters(), lr=0.1)
        for name, network in (("generator", model.generator), ("critic", critic))
    }
    step = Adversarial(iteration.state).step
    shapes = model.generator.noise_shapes(model.frame)
    chance = {"coefficient": torch.empty(3, device="meta")}
    losses = step([torch.empty(s, device="meta") for s in shapes], chance)
    assert {value.device.type for value in losses.values()} == {"meta"}


def check_gpu_gives_the_processors_numbers(**options: object) -> None:
    """Same weights, noise and chance: six iterations, across a change of learning rates."""
    results = []
    for device in ("cpu", "cuda"):
        iteration = make_iteration(device=device, nfc=16, **options)
        random = torch.Generator().manual_seed(0)
        for i in range(6):
            if i == 4:
                set_learning_rates(iteration.optimizers, 9, 10, TrainConfig())
            shapes = iteration.model.generator.noise_shapes(iteration.model.frame)
            noise = [z.to(device) for z in draw_maps(shapes, random)]
            chance = {
                stream: torch.rand((3, *shape), generator=random).to(device)
                for stream, shape in iteration.state.objective.chance.items()
            }
            losses = iteration.run_step(noise, chance)
            results.append({name: float(value) for name, value in losses.items()})
    for cpu, gpu in zip(results[:6], results[6:], strict=True):
        assert cpu == pytest.approx(gpu, rel=0.05, abs=0.02)


@pytest.mark.gpu
@pytest.mark.parametrize("compile", [False, True])
def test_gpu_gives_the_processors_numbers(compile: bool) -> None:
    check_gpu_gives_the_processors_numbers(compile=compile)


@pytest.mark.gpu
def test_an_iteration_does_not_wait_for_the_gpu() -> None:
    iteration = make_iteration(device="cuda", compile=False)
    run(iteration, 2)
    torch.cuda.set_sync_debug_mode("error")
    try:
        run(iteration)
    finally:
        torch.cuda.set_sync_debug_mode("default")


@pytest.mark.parametrize(("value", "collapsed"), [(1.0, True), (-1.0, True), (None, False)])
def test_what_is_worse_than_one_colour_has_collapsed(
    value: float | None, collapsed: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where all outputs lie at a bound, say; a picture that is nearly the real one has not."""
    model = make_iteration().model
    blurred = (model.real * 0.8 if value is None else torch.full_like(model.real, value)).clone()
    monkeypatch.setattr(type(model), "draft", lambda self: blurred)
    assert adversarial.has_collapsed(model, adversarial.draft_error(model)) == collapsed
