"""Metrics that look through a pretrained network: SIFID and LPIPS diversity.

Pictures are (N, C, H, W) float32 tensors in [-1, 1], red, green and blue. Nothing is downloaded:
weights come from torchvision's cache or from a file that the user names.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping, Sequence
from itertools import combinations
from pathlib import Path
from urllib.parse import urlparse

import torch
from torch import Tensor, nn

from ConSinGAN.errors import ConSinGANError, UsageError

# The first layers of Inception-v3, up to the first and to the second max-pool: number of features:
# (shorter side in pixels that gives four positions, layers since the stage before).
STEM = {
    64: (9, ("Conv2d_1a_3x3", "Conv2d_2a_3x3", "Conv2d_2b_3x3")),
    192: (23, ("maxpool1", "Conv2d_3b_1x1", "Conv2d_4a_3x3")),
}
SMALLEST_LPIPS = 31  # pixels; AlexNet's last pooling has nothing left of less


class WeightsMissingError(ConSinGANError):
    """The weights of a network are not on this machine; the message says how to get them."""


# SIFID ----------------------------------------------------------------------------------------


def feature_statistics(features: Tensor) -> tuple[Tensor, Tensor]:
    """Mean (C,) and covariance (C, C) of (1, C, h, w) features; every position is one sample.

    float64, on the processor. Raises ValueError for fewer than two positions, or features that are
    not finite.
    """
    samples = features[0].flatten(1).cpu().double()
    if not bool(samples.isfinite().all()):
        raise ValueError("the network's features are not finite: its weights are damaged")
    if samples.shape[1] < 2:
        raise ValueError("the picture is too small: the network sees fewer than two positions")
    return samples.mean(dim=1), torch.cov(samples).view(len(samples), len(samples))


def frechet_distance(ours: tuple[Tensor, Tensor], theirs: tuple[Tensor, Tensor]) -> float:
    """Squared Fréchet distance of two Gaussians: |m1 - m2|^2 + tr(S1 + S2 - 2 (S1 S2)^(1/2)).

    ours, theirs: mean (C,) and covariance (C, C), float64. Dowson and Landau 1982. The trace of the
    square root is the sum of the singular values of S1^(1/2) S2^(1/2), so singular covariances do
    no harm. 0 for equal Gaussians, symmetric.
    """
    roots = [_square_root(covariance) for _, covariance in (ours, theirs)]
    cross = torch.linalg.svdvals(roots[0] @ roots[1]).sum()
    traces = roots[0].square().sum() + roots[1].square().sum()  # tr(S) = |S^(1/2)|^2
    distance = float((ours[0] - theirs[0]).square().sum() + traces - 2 * cross)
    return distance if distance > 1e-12 * float(traces) else 0.0  # less is rounding


def _square_root(covariance: Tensor) -> Tensor:
    """The symmetric square root; eigenvalues that rounding made negative count as 0."""
    values, vectors = torch.linalg.eigh(covariance)
    return vectors * values.clamp(min=0).sqrt() @ vectors.T


class Inception(nn.Module):
    """The stem of torchvision's Inception-v3: (N, 3, H, W) -> {64: (N, 64, ..), 192: ...}.

    Shaham et al., SinGAN (2019), look at the features before the second max-pool (192); their code
    at those before the first (64). The pictures are not resized.
    """

    def __init__(self) -> None:
        super().__init__()
        from torchvision.models import inception_v3

        with torch.device("meta"):
            network = inception_v3(weights=None, init_weights=False, aux_logits=False)
        for _, names in STEM.values():
            for name in names:
                self.add_module(name, getattr(network, name))
        self.eval().requires_grad_(False)

    @classmethod
    def load(cls, path: str | Path | None = None) -> Inception:
        """With the weights of a file, or those in torchvision's cache.

        Raises WeightsMissingError if they are not in the cache, UsageError if the file named is
        not there or is something else.
        """
        if path is None:
            from torchvision.models import Inception_V3_Weights

            url = Inception_V3_Weights.IMAGENET1K_V1.url
            path = cached_weights(url)
            if not path.is_file():
                raise WeightsMissingError(
                    f"SIFID needs Inception-v3: put {url} into {path.parent}, or name the file "
                    "with `inception_weights`"
                )
        network = cls()
        # The counters of batches, which older files lack, are filled in by torch.
        wanted = {k: v.shape for k, v in network.state_dict().items() if "num_batches" not in k}
        try:
            state = torch.load(path, map_location="cpu", weights_only=True)
            state = {key: state[key].float() for key in wanted}
            fits = all(
                state[key].shape == shape and bool(state[key].isfinite().all())
                for key, shape in wanted.items()
            ) and all(bool((v >= 0).all()) for k, v in state.items() if "running_var" in k)
        except FileNotFoundError as error:
            raise UsageError(f"`inception_weights` {path}: there is no such file") from error
        except Exception:  # torch raises many kinds for foreign files
            fits = False
        if not fits:
            raise UsageError(
                f"`inception_weights` {path}: does not hold torchvision's Inception-v3 "
                "(inception_v3_google-0cc3c7bd.pth does)"
            )
        network.load_state_dict(state, assign=True)
        return network

    @torch.no_grad()
    def forward(self, pictures: Tensor) -> dict[int, Tensor]:
        """Features by their number; those for which the pictures are too small are left out."""
        features, x = {}, pictures  # the network's own range is [-1, 1] too
        for dim, (smallest, names) in STEM.items():
            if min(pictures.shape[-2:]) < smallest:
                break
            for name in names:
                x = self.get_submodule(name)(x)
            features[dim] = x
        return features


def sifid(
    real: Tensor, fake: Tensor, network: Callable[[Tensor], dict[int, Tensor]]
) -> dict[int, float]:
    """Single-image Fréchet distance of two pictures (1, 3, H, W), of any sizes, by feature number.

    Shaham et al., SinGAN (2019), section 3. network: `Inception`, or any that returns features
    (1, C, h, w) by a number. Numbers for which a picture is too small are left out.
    """
    ours, theirs = (statistics_by_dim(picture, network) for picture in (real, fake))
    return distances_by_dim(ours, theirs)


def statistics_by_dim(
    picture: Tensor, network: Callable[[Tensor], dict[int, Tensor]]
) -> dict[int, tuple[Tensor, Tensor]]:
    """`feature_statistics` of one picture (1, 3, H, W) by feature number."""
    return {dim: feature_statistics(features) for dim, features in network(picture).items()}


def distances_by_dim(
    ours: Mapping[int, tuple[Tensor, Tensor]], theirs: Mapping[int, tuple[Tensor, Tensor]]
) -> dict[int, float]:
    """`frechet_distance` by feature number, where both have one."""
    return {dim: frechet_distance(ours[dim], theirs[dim]) for dim in ours if dim in theirs}


def cached_weights(url: str) -> Path:
    """Where torchvision keeps, or would put, the file of a web address."""
    return Path(torch.hub.get_dir()) / "checkpoints" / Path(urlparse(url).path).name


# LPIPS ----------------------------------------------------------------------------------------


def load_lpips() -> nn.Module:
    """The learned perceptual distance (Zhang et al. 2018) on AlexNet, version 0.1.

    Raises WeightsMissingError if the package or AlexNet's weights are not there.
    """
    try:
        import lpips
    except ImportError:
        raise WeightsMissingError("LPIPS needs a package: pip install lpips") from None
    from torchvision.models import AlexNet_Weights

    url = AlexNet_Weights.IMAGENET1K_V1.url
    path = cached_weights(url)
    if not path.is_file():
        raise WeightsMissingError(f"LPIPS needs AlexNet: put {url} into {path.parent}")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # it calls torchvision in an outdated way
            return lpips.LPIPS(net="alex", version="0.1", verbose=False).requires_grad_(False)
    except Exception as error:  # torch raises many kinds for foreign files
        raise UsageError(f"{path}: does not hold AlexNet's weights; put {url} there") from error


@torch.no_grad()
def lpips_diversity(
    pictures: Sequence[Tensor], distance: Callable[[Tensor, Tensor], Tensor]
) -> float:
    """Mean distance of all pairs of pictures, each (1, 3, h, w), all of one size.

    distance: what `load_lpips` returns, or any function of two batches. 0 if all are equal.
    Raises ValueError for fewer than two pictures, pictures of several sizes, or too small ones.
    """
    if len(pictures) < 2:
        raise ValueError("LPIPS diversity needs at least two pictures")
    if len({picture.shape for picture in pictures}) > 1:
        raise ValueError("pictures of different sizes have no LPIPS diversity")
    if min(pictures[0].shape[-2:]) < SMALLEST_LPIPS:
        raise ValueError(f"LPIPS needs pictures of at least {SMALLEST_LPIPS} pixels")
    total = sum(float(distance(a, b).mean()) for a, b in combinations(pictures, 2))
    return total / (len(pictures) * (len(pictures) - 1) / 2)
