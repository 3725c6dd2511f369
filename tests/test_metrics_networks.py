"""SIFID: the mathematics, the network's layers and files, and what people would say."""

from __future__ import annotations

from collections.abc import Callable
from itertools import chain, pairwise
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy import linalg
from specimens import (
    assert_growing,
    blur,
    draw,
    efficientnet,
    grain,
    inception_state,
    jpeg,
    photo,
    shuffle,
    write_inception,
)
from torch import Tensor, nn
from torchvision.models import inception_v3

from ConSinGAN.errors import UsageError
from ConSinGAN.metrics import networks
from ConSinGAN.metrics.networks import Inception, WeightsMissingError, frechet_distance, sifid

INCEPTION_FILE = "inception_v3_google-0cc3c7bd.pth"
Gaussian = tuple[Tensor, Tensor]

# Fréchet distance -----------------------------------------------------------------------------


def gaussian(dim: int, seed: int, rank: int | None = None) -> Gaussian:
    """A random mean and covariance."""
    random = np.random.default_rng(seed)
    factor = random.normal(size=(dim, rank or dim + 3))
    return torch.from_numpy(random.normal(size=dim)), torch.from_numpy(factor @ factor.T)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("dim", [1, 2, 7, 40])
def test_frechet_distance_by_the_square_root_of_the_product(dim: int, seed: int) -> None:
    (m1, s1), (m2, s2) = ours, theirs = gaussian(dim, seed), gaussian(dim, seed + 100)
    root = linalg.sqrtm((s1 @ s2).numpy()).real
    expected = float(((m1 - m2) ** 2).sum() + torch.trace(s1 + s2)) - 2 * np.trace(root)
    assert frechet_distance(ours, theirs) == pytest.approx(expected, rel=1e-9)
    assert frechet_distance(theirs, ours) == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("rank", [30, 11, 0])
def test_frechet_distance_of_gaussians_with_the_same_axes(rank: int) -> None:
    """Closed form: |m1 - m2|^2 + sum of (s1 - s2)^2; some axes have no extent at all."""
    random = np.random.default_rng(rank)
    axes = torch.from_numpy(np.linalg.qr(random.normal(size=(30, 30)))[0])
    spreads = torch.from_numpy(random.uniform(0.1, 3, (2, 30)))
    spreads[0, rank:] = spreads[1, :3] = 0
    means = torch.from_numpy(random.normal(size=(2, 30)))
    ours, theirs = ((m, axes * s**2 @ axes.T) for m, s in zip(means, spreads, strict=True))
    expected = sum(float((pair[0] - pair[1]).square().sum()) for pair in (means, spreads))
    assert frechet_distance(ours, theirs) == pytest.approx(expected, rel=1e-6)


def test_frechet_distance_of_numbers() -> None:
    one, other = ((torch.tensor([m]).double(), torch.tensor([[v]]).double())
                  for m, v in ((1.0, 4.0), (3.0, 25.0)))  # fmt: skip
    assert frechet_distance(one, other) == pytest.approx(4 + 9)


@pytest.mark.parametrize("angle", [0, 0.3, 1.0, np.pi / 2])
def test_frechet_distance_of_lines(angle: float) -> None:
    """Covariances u u' and v v': the square root of their product has the trace |u v|."""
    u = torch.zeros(20, dtype=torch.float64)
    v = torch.zeros_like(u)
    u[3], v[3], v[4] = 2, 3 * np.cos(angle), 3 * np.sin(angle)
    ours, theirs = ((torch.zeros_like(w), torch.outer(w, w)) for w in (u, v))
    expected = 4 + 9 - 2 * 6 * np.cos(angle)
    assert frechet_distance(ours, theirs) == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("rank", [1, 5, 40, 60])
def test_frechet_distance_is_never_negative(rank: int) -> None:
    """Also where rounding is all there is."""
    ours, other = gaussian(40, 0, rank), gaussian(40, 1, rank)
    scale = float(ours[1].trace())
    assert 0 <= frechet_distance(ours, ours) < 1e-12 * scale
    for tiny in (0.0, 1e-15, 1e-9):
        near = ours[0] + tiny, ours[1] * (1 + tiny)
        assert 0 <= frechet_distance(ours, near) < 1e-12 * scale
    assert frechet_distance(ours, other) > 1
    nothing = torch.zeros(40).double(), torch.zeros(40, 40).double()
    assert frechet_distance(nothing, nothing) == 0


@pytest.mark.parametrize("shape", [(1, 5, 4, 6), (1, 1, 3, 3), (1, 30, 2, 2), (1, 3, 1, 2)])
def test_feature_statistics(shape: tuple[int, ...]) -> None:
    features = 1000 + torch.randn(shape, generator=torch.Generator().manual_seed(0))
    mean, covariance = networks.feature_statistics(features)
    samples = features[0].flatten(1).double().numpy()
    assert mean.dtype == covariance.dtype == torch.float64
    np.testing.assert_allclose(mean, samples.mean(axis=1), rtol=1e-12)
    np.testing.assert_allclose(covariance, np.atleast_2d(np.cov(samples)), atol=1e-8)


def test_one_position_has_no_statistics() -> None:
    with pytest.raises(ValueError, match="too small"):
        networks.feature_statistics(torch.zeros(1, 5, 1, 1))


# Inception ------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def weights_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_inception(tmp_path_factory.mktemp("weights") / "weights.pth")


def test_features_are_those_of_the_whole_network(weights_file: Path) -> None:
    whole = inception_v3(weights=None, init_weights=False, transform_input=False).eval()
    unknown = whole.load_state_dict(inception_state(), strict=False).unexpected_keys
    assert unknown == []
    seen = {}
    for dim, name in ((64, "Conv2d_2b_3x3"), (192, "Conv2d_4a_3x3")):
        layer = whole.get_submodule(name)
        layer.register_forward_hook(lambda _, __, output, dim=dim: seen.update({dim: output}))
    picture = photo("lakeside", 100)
    with torch.no_grad():
        whole(picture)
    features = Inception.load(weights_file)(picture)
    assert list(features) == [64, 192]
    for dim, expected in seen.items():
        assert features[dim].shape == expected.shape
        assert features[dim].shape[1] == dim
        assert torch.allclose(features[dim], expected, atol=1e-5)
        assert expected.std() > 0.1


@pytest.mark.parametrize(
    ("size", "first", "second"),
    [((64, 99), (29, 47), (12, 21)), ((23, 24), (9, 9), (2, 2)), ((22, 300), (8, 147), None),
     ((9, 9), (2, 2), None), ((8, 300), None, None)],
)  # fmt: skip
def test_nothing_is_resized(
    size: tuple[int, int], first: tuple | None, second: tuple | None, weights_file: Path
) -> None:
    """Pictures are left out where a layer would have nothing to look at."""
    features = Inception.load(weights_file)(draw(*size))
    sizes = {dim: tuple(feature.shape[-2:]) for dim, feature in features.items()}
    expected = {64: first, 192: second}
    assert sizes == {dim: size for dim, size in expected.items() if size is not None}


def test_sifid_of_small_pictures(weights_file: Path) -> None:
    network = Inception.load(weights_file)
    assert list(sifid(draw(40, 40), draw(30, 99), network)) == [64, 192]
    assert list(sifid(draw(40, 40), draw(12, 40), network)) == [64]
    for pair in ((draw(8, 40), draw(40, 40)), (draw(40, 40), draw(40, 8))):
        assert sifid(*pair, network) == {}


def test_features_that_are_not_finite_are_refused() -> None:
    for value in (torch.nan, torch.inf):
        features = torch.ones(1, 4, 3, 3)
        features[0, 0, 0, 0] = value
        with pytest.raises(ValueError, match="not finite"):
            networks.feature_statistics(features)


def assert_same(network: Inception) -> None:
    for name, value in network.state_dict().items():
        assert torch.equal(value, inception_state()[name])
    assert not network.training
    assert not any(parameter.requires_grad for parameter in network.parameters())


def test_weights_from_a_named_file_and_from_the_cache(weights_file: Path, torch_home: Path) -> None:
    assert_same(Inception.load(weights_file))
    assert_same(Inception.load(str(weights_file)))
    write_inception(torch_home / INCEPTION_FILE)
    assert_same(Inception.load())


def test_weights_without_batch_counters(tmp_path: Path) -> None:
    """Checkpoints that are as old as torchvision's have none."""
    state = {name: v for name, v in inception_state().items() if "num_batches" not in name}
    network = Inception.load(write_inception(tmp_path / "old.pth", state))
    assert_same(network.to("cpu"))
    assert network(draw(30, 30))[192].isfinite().all()


def test_missing_weights_are_explained(torch_home: Path) -> None:
    with pytest.raises(WeightsMissingError) as error:
        Inception.load()
    message = str(error.value)
    for part in (f"https://download.pytorch.org/models/{INCEPTION_FILE}", str(torch_home)):
        assert part in message
    assert "name the file with inception_weights" in message


class Bomb:
    """Makes a file when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple:
        return Path.touch, (self.path,)


def changed(name: str, value: object) -> dict[str, object]:
    return inception_state() | {name: value}


BAD_WEIGHTS: dict[str, Callable[[Path], object]] = {
    "text": lambda path: path.write_text("not weights\n"),
    "nothing": lambda path: path.touch(),
    "half a file": lambda path: path.write_bytes(write_inception(path).read_bytes()[:50_000]),
    "numbers": lambda path: torch.save([1, 2, 3], path),
    "tensor": lambda path: torch.save(torch.zeros(3), path),
    "another network": lambda path: torch.save({"conv1.weight": torch.zeros(3)}, path),
    "another shape": lambda path: torch.save(
        changed("Conv2d_2a_3x3.conv.weight", torch.zeros(32, 32, 5, 5)), path
    ),
    "no tensor": lambda path: torch.save(changed("Conv2d_2a_3x3.conv.weight", "weights"), path),
    "whole network": lambda path: torch.save(nn.Linear(2, 2), path),
    "folder": lambda path: path.mkdir(),  # in the cache it counts as missing
}


@pytest.mark.parametrize(
    ("kind", "cached"),
    [(kind, cached) for kind in BAD_WEIGHTS for cached in (False, True)][:-1],
)
def test_files_that_hold_something_else(
    kind: str, cached: bool, tmp_path: Path, torch_home: Path
) -> None:
    torch_home.mkdir(parents=True)
    path = torch_home / INCEPTION_FILE if cached else tmp_path / "weights.pth"
    BAD_WEIGHTS[kind](path)
    with pytest.raises(UsageError) as error:
        Inception.load(None if cached else path)
    assert str(error.value).startswith(f"inception_weights {path}: does not hold")
    assert "\n" not in str(error.value)


def test_a_named_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"^inception_weights .*none.pth: there is no such file"):
        Inception.load(tmp_path / "none.pth")


def test_a_bomb_does_not_go_off(tmp_path: Path) -> None:
    crater, path = tmp_path / "crater", tmp_path / "bomb.pth"
    torch.save(changed("more", Bomb(crater)), path)
    with pytest.raises(UsageError, match=r"^inception_weights"):
        Inception.load(path)
    assert not crater.exists()
    torch.load(path, weights_only=False)
    assert crater.exists()  # it was one


@pytest.mark.parametrize("change", [Tensor.half, Tensor.double, Tensor.long, lambda x: x / 0 * 0])
def test_weights_of_another_type_or_not_finite(
    change: Callable[[Tensor], Tensor], tmp_path: Path
) -> None:
    """They are converted, or refused by name."""
    state = {n: change(v) if v.is_floating_point() else v for n, v in inception_state().items()}
    path = write_inception(tmp_path / "weights.pth", state)
    try:
        values = sifid(draw(30, 30), draw(30, 30, 1), Inception.load(path))
    except UsageError as error:
        assert str(error).startswith("inception_weights ")
    else:
        assert np.isfinite(list(values.values())).all()


# SIFID ----------------------------------------------------------------------------------------


def test_sifid_of_pictures_that_are_their_own_features() -> None:
    """With q = a p + b the covariance is a^2 S: |(a - 1) m + b|^2 + (a - 1)^2 tr(S)."""
    picture = photo("tissue", 40)
    values = sifid(picture, 0.5 * picture + 0.1, lambda x: {3: x})
    pixels = picture[0].flatten(1).double().numpy()
    expected = ((-0.5 * pixels.mean(axis=1) + 0.1) ** 2).sum() + 0.25 * np.cov(pixels).trace()
    assert values == {3: pytest.approx(expected, rel=1e-6)}


def look(picture: Tensor, spoilt: Tensor) -> dict[int, float]:
    return sifid(picture, spoilt, efficientnet)


PHOTOS = ["summer_palace", "gravel", "tissue"]


@pytest.mark.parametrize("name", PHOTOS)
@pytest.mark.parametrize(
    ("damage", "strengths"),
    [
        (grain, (0.02, 0.05, 0.2, 1.0)), (blur, (0.4, 0.7, 1, 2, 4)), (jpeg, (95, 80, 30, 10, 3)),
        (shuffle, (16, 8, 4)),
    ],
)  # fmt: skip
def test_more_damage_is_further_away(name: str, damage: Callable, strengths: tuple) -> None:
    picture = photo(name, 128)
    distances = [look(picture, damage(picture, strength)) for strength in strengths]
    for dim in (32, 16, 96):
        assert_growing([distance[dim] for distance in distances], 1.2)


@pytest.mark.parametrize("name", PHOTOS)
def test_a_persons_ranking(name: str) -> None:
    picture = photo(name, 128)
    noise = draw(*picture.shape[-2:])
    ladders = [
        [jpeg(picture, 90), blur(picture, 4)],
        [picture, grain(picture, 0.02), grain(picture, 0.2), noise],
    ]
    for better, worse in chain.from_iterable(map(pairwise, ladders)):
        little, much = look(picture, better), look(picture, worse)
        assert all(2 * little[dim] < much[dim] for dim in (32, 16, 96)), (little, much)
    for dim, value in look(picture, picture.clone()).items():
        assert 0 <= value < 1e-9, dim


@pytest.mark.parametrize("name", PHOTOS)
def test_a_mirrored_picture_has_nearly_the_same_statistics(name: str) -> None:
    picture = photo(name, 128)
    mirrored, blurred = look(picture, picture.flip(3)), look(picture, blur(picture, 4))
    assert all(0 < 5 * mirrored[dim] < blurred[dim] for dim in blurred)


def test_sifid_is_symmetric() -> None:
    picture, other = photo("tissue", 100), photo("lakeside", 128)
    there, back = look(picture, other), look(other, picture)
    assert there == pytest.approx(back, rel=1e-9)
    assert min(there.values()) > 1
