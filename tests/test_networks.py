"""Networks by name: what they start from, and a state of any number of them."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import pytest
import torch
from conftest import TINY
from torch import Tensor, nn

from ConSinGAN import beginning, launch, networks, state
from ConSinGAN.config import TrainConfig
from ConSinGAN.errors import UsageError
from ConSinGAN.methods.adversarial import Adversarial
from ConSinGAN.state import TrainingState, check_fits, make_optimizers, set_learning_rates
from ConSinGAN.training import begin_stage


@pytest.fixture
def config(picture_file: Path) -> TrainConfig:
    return launch.configure(TINY | {"input_name": str(picture_file)})


def flat(parts: Iterable[nn.Module]) -> Tensor:
    return torch.cat([p.detach().flatten() for part in parts for p in part.parameters()])


def weights(config: TrainConfig, seed: int) -> Tensor:
    return flat(networks.make_networks(config, seed=seed).values())


def test_a_seed_gives_the_weights_and_leaves_torch_alone(config: TrainConfig) -> None:
    before = torch.get_rng_state()
    first, other = weights(config, 1), weights(config, 2)
    assert torch.equal(torch.get_rng_state(), before)
    assert torch.equal(weights(config, 1), first)
    assert not torch.equal(other, first)
    torch.manual_seed(1)  # the generator's come first, then the critic's
    made = networks.make_generator(config), networks.make_critic(config)
    assert torch.equal(flat(made), first)


def test_threads_that_begin_at_once_get_the_weights_of_their_seeds(config: TrainConfig) -> None:
    config = launch.configure({"input_name": config.input_name, "nfc": 64, "not_cuda": True})
    expected = [weights(config, seed) for seed in (1, 2)]
    together, found = threading.Barrier(2, timeout=60), {}

    def work(seed: int) -> None:
        for time in range(8):
            together.wait()
            found[seed, time] = weights(config, seed)

    threads = [threading.Thread(target=work, args=(seed,)) for seed in (1, 2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert len(found) == 16
    for (seed, _), actual in found.items():
        assert torch.equal(actual, expected[seed - 1])


# A third network ------------------------------------------------------------------------------


class Judge(nn.Module):
    """Learns, and counts in whole numbers."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(3, 2)
        self.register_buffer("steps", torch.zeros((), dtype=torch.int64))


@pytest.fixture
def start(config: TrainConfig, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable]:
    """Begin with the usual networks and one more."""
    make = networks.make_networks

    def with_judge(*arguments: object, **named: object) -> dict[str, nn.Module]:
        return make(*arguments, **named) | {"judge": Judge()}

    for module in (beginning, state):
        monkeypatch.setattr(module, "make_networks", with_judge)
    pictures = beginning.read_pictures(config)
    yield lambda: beginning.fresh(config, pictures, torch.device("cpu"))


def train_a_little(some: TrainingState) -> None:
    begin_stage(some)
    some.model.generator.grow()
    begin_stage(some)
    some.optimizers = make_optimizers(some.networks, some.config)
    Adversarial(some)(some.source.draw_input(some.model, some.streams))
    judge = some.networks["judge"]
    judge.layer(torch.ones(3)).sum().backward()
    some.optimizers["judge"].step()
    judge.steps += 7
    some.iteration = 1


def test_any_network_is_saved_and_restored(start: Callable, config: TrainConfig) -> None:
    first = start()
    train_a_little(first)
    tensors, about = first.to_tensors()
    assert tensors["judge.steps"] == 7
    for weight in ("judge.layer.weight", "critic.tail.bias", "generator.tail.0.bias"):
        assert {f"adam.{weight}.{moment}" for moment in state.MOMENTS} <= tensors.keys()
    check_fits(config, tensors, about)
    second = start()
    second.restore(tensors, about)
    again, about_again = second.to_tensors()
    assert about_again == about
    assert again.keys() == tensors.keys()
    assert all(torch.equal(again[name], tensors[name]) for name in tensors)
    assert again["judge.steps"].dtype == torch.int64


def test_any_network_must_fit_and_be_finite(start: Callable, config: TrainConfig) -> None:
    some = start()
    train_a_little(some)
    tensors, about = some.to_tensors()
    for value in (torch.zeros(2), torch.zeros(())):  # another shape, another type
        with pytest.raises(UsageError, match="weights of the judge"):
            check_fits(config, tensors | {"judge.steps": value}, about)
    with torch.no_grad():
        some.networks["judge"].layer.bias[0] = float("nan")
    with pytest.raises(state.Diverged):
        some.to_tensors()


def test_the_schedule_reaches_every_optimizer(start: Callable, config: TrainConfig) -> None:
    some = start()
    optimizers = make_optimizers(some.networks, config)
    assert set(optimizers) == {"generator", "critic", "judge"}  # the objective has no weights
    set_learning_rates(optimizers, config.niter, config.niter, config)
    assert optimizers["judge"].param_groups[0]["lr"] == config.lr_d * config.gamma
