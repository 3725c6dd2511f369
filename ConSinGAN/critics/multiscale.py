"""A critic for several scales of a picture (Wang et al. 2018, pix2pixHD, section 3.2)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ConSinGAN.critics.base import Clear, Critic
from ConSinGAN.critics.multiscale_options import Options
from ConSinGAN.critics.patch import PatchCritic
from ConSinGAN.fast.weight_gradient import at_least_float
from ConSinGAN.layers import NetworkShape

if TYPE_CHECKING:
    from ConSinGAN.config import TrainConfig


LEAST = 1.5  # patches, along the shorter side, of a picture that is worth looking at


class MultiscaleCritic(Critic):
    """Patch critics of one shape, each with weights of its own, for a picture and its halves.

    Halves are means of 2x2 pixels; of an odd side the last pixel is left out. A half that is hardly
    larger than a patch is not looked at: few scores would have most to say. Losses are summed over
    the scales.
    """

    name = "multiscale"
    summary = "patch critics for the picture and its halves (pix2pixHD)"

    def __init__(self, shape: NetworkShape | None = None, options: Options | None = None) -> None:
        super().__init__()
        self.options = options or Options()
        self.scales = nn.ModuleList(PatchCritic(shape) for _ in range(self.options.critic_scales))

    @classmethod
    def from_config(cls, config: TrainConfig) -> Critic:
        return cls(NetworkShape.of(config), config.options_of("critic"))

    @classmethod
    def work(cls, config: TrainConfig) -> float:
        options = config.options_of("critic")
        scales = sum(0.25**scale for scale in range(options.critic_scales))
        return scales * (1.1 if options.feature_matching else 1.0)

    @classmethod
    def more_memory(cls, config: TrainConfig, size: tuple[int, int]) -> int:
        """Weights, gradients and Adam's moments, and features, if they are compared (measured).

        Else the maps of one scale make room for the next's.
        """
        options = config.options_of("critic")
        kernels = config.nfc**2 * config.ker_size**2 * config.num_layer
        weights = 4 * 4 * kernels * (options.critic_scales - 1)
        itemsize = 2 if config.precision == "bf16" else 4
        features = (config.num_layer + 1) * size[0] * size[1] * config.nfc * itemsize
        return weights + (4 * features if options.feature_matching else 0)

    @property
    def parts(self) -> Sequence[PatchCritic]:
        return list(self.scales)  # type: ignore[arg-type]

    def views(self, picture: Tensor) -> list[Tensor]:
        views, least = [picture], LEAST * self.parts[0].field
        while len(views) < len(self.scales) and min(views[-1].shape[2:]) // 2 >= least:
            views.append(F.avg_pool2d(views[-1], 2))
        return views

    def forward(self, picture: Tensor) -> Tensor:
        return self.parts[0](picture)

    def maps(self, picture: Tensor) -> list[Tensor]:
        return [part(view) for part, view in zip(self.parts, self.views(picture), strict=False)]

    def clear_of(self, hole: Tensor) -> Clear:
        return self.parts[0].clear_of(hole)

    def reconstruction_loss(
        self, reconstruction: Tensor, real: Tensor, counting: Sequence[bool] | None = None
    ) -> Tensor | None:
        """`feature_matching` times the mean absolute difference of features (ibid., eq. 4).

        The mean over all layers but the last, and all scales that count, of each one's mean.
        """
        if not self.options.feature_matching:
            return None
        views = zip(self.parts, self.views(reconstruction), self.views(real), strict=False)
        distances = []
        for index, (part, drawn, seen) in enumerate(views):
            if counting is not None and not counting[index]:
                continue
            with torch.no_grad():
                wanted = part.features(seen)
            pairs = zip(part.features(drawn), wanted, strict=True)
            distances += [F.l1_loss(at_least_float(a), at_least_float(b)) for a, b in pairs]
        return self.options.feature_matching * torch.stack(distances).mean()
