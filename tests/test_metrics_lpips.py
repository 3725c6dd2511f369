"""LPIPS diversity: the mean of all pairs, and the package with its network."""

from __future__ import annotations

import sys
from pathlib import Path
from types import ModuleType

import pytest
import torch
from specimens import draw, grain, photo
from torch import Tensor
from torchvision.models import AlexNet_Weights, alexnet

from ConSinGAN.errors import UsageError
from ConSinGAN.metrics import networks
from ConSinGAN.metrics.networks import WeightsMissingError


def mean_difference(a: Tensor, b: Tensor) -> Tensor:
    return (a - b).abs().mean(dim=(1, 2, 3), keepdim=True)


def test_lpips_diversity_is_the_mean_of_all_pairs() -> None:
    pictures = [torch.full((1, 3, 31, 40), level) for level in (-0.5, 0.0, 1.0, 0.25)]
    expected = (0.5 + 1.5 + 0.75 + 1 + 0.25 + 0.75) / 6
    assert networks.lpips_diversity(pictures, mean_difference) == pytest.approx(expected)
    assert networks.lpips_diversity(pictures[:2], mean_difference) == pytest.approx(0.5)
    assert networks.lpips_diversity([pictures[2]] * 5, mean_difference) == 0


@pytest.mark.parametrize(
    ("sizes", "message"),
    [([], "at least two"), ([(40, 40)], "at least two"), ([(40, 40), (40, 41)], "different sizes"),
     ([(30, 99), (30, 99)], "at least 31 pixels"), ([(99, 30), (99, 30)], "at least 31 pixels")],
)  # fmt: skip
def test_pictures_without_lpips_diversity(sizes: list, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        networks.lpips_diversity([draw(*size) for size in sizes], mean_difference)


def test_lpips_not_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "lpips", None)
    with pytest.raises(WeightsMissingError, match="pip install lpips"):
        networks.load_lpips()


@pytest.fixture
def fake_lpips(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    module = ModuleType("lpips")
    monkeypatch.setitem(sys.modules, "lpips", module)
    return module


def test_lpips_without_its_network(fake_lpips: ModuleType, torch_home: Path) -> None:
    with pytest.raises(WeightsMissingError) as error:
        networks.load_lpips()
    assert AlexNet_Weights.IMAGENET1K_V1.url in str(error.value)
    assert str(torch_home) in str(error.value)


def test_lpips_with_a_broken_network(fake_lpips: ModuleType, torch_home: Path) -> None:
    def refuse(**_: object) -> None:
        raise RuntimeError("many\nlines")

    fake_lpips.LPIPS = refuse
    torch_home.mkdir(parents=True)
    path = torch_home / Path(AlexNet_Weights.IMAGENET1K_V1.url).name
    path.touch()
    with pytest.raises(UsageError, match=f"{path.name}: does not hold AlexNet") as error:
        networks.load_lpips()
    assert "\n" not in str(error.value)


def test_lpips_itself(torch_home: Path) -> None:
    pytest.importorskip("lpips")
    with torch.device("meta"):
        shapes = {name: value.shape for name, value in alexnet().state_dict().items()}
    random = torch.Generator().manual_seed(0)
    state = {
        name: 0.05 * torch.randn(shape, generator=random)
        if name.startswith("features")
        else torch.zeros(1).expand(shape)  # a number on the disk
        for name, shape in shapes.items()
    }
    torch_home.mkdir(parents=True)
    torch.save(state, torch_home / Path(AlexNet_Weights.IMAGENET1K_V1.url).name)
    distance = networks.load_lpips()
    assert not any(parameter.requires_grad for parameter in distance.parameters())
    picture = photo("lakeside", 64)
    assert networks.lpips_diversity([picture, picture.clone()], distance) == 0
    pictures = [picture, grain(picture, 0.1), grain(picture, 0.5)]
    little, much = (networks.lpips_diversity([picture, other], distance) for other in pictures[1:])
    assert 0 < little < much
    assert networks.lpips_diversity([draw(31, 31), draw(31, 31, 1)], distance) > 0
