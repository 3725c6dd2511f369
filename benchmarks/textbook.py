"""The training iteration as the paper's public code runs it: the baseline of the speed benchmark.

Nothing here is tuned and nothing is slowed down. Plain modules, the precision and optimiser
kernels that torch picks by itself, and the paper's order of work:

* every critic step computes the fake anew, through all stages;
* the gradient penalty is a double backward through the critic;
* the backward pass of the generator runs through the frozen stages too, because the head
  requires gradients even when no optimiser holds it;
* the generator's step also computes the gradients of the critic's weights, which nobody reads;
* one generator gradient is applied several times.

Conventions: pictures are (1, 3, H, W) in [-1, 1]; L is ``num_layer``, F is ``num_filters``.
"""

from collections import OrderedDict
from collections.abc import Sequence
from pathlib import Path

import torch
import torch.nn.functional as F
from matplotlib import pyplot as plt
from torch import Tensor, nn


def _block(inputs: int, outputs: int, slope: float, batch_norm: bool = False) -> nn.Sequential:
    """3x3 convolution without padding, optional batch norm, leaky ReLU: (H, W) -> (H-2, W-2)."""
    layers: OrderedDict[str, nn.Module] = OrderedDict(conv=nn.Conv2d(inputs, outputs, 3))
    if batch_norm:
        layers["norm"] = nn.BatchNorm2d(outputs)
    layers["activation"] = nn.LeakyReLU(slope, inplace=True)
    return nn.Sequential(layers)


def _body(filters: int, num_layer: int, slope: float, batch_norm: bool = False) -> nn.Sequential:
    """``num_layer`` equal blocks: (1, F, H, W) -> (1, F, H-2L, W-2L)."""
    blocks = {f"block{k}": _block(filters, filters, slope, batch_norm) for k in range(num_layer)}
    return nn.Sequential(OrderedDict(blocks))


def _initialise(module: nn.Module) -> None:
    """Weights of convolutions N(0, 0.02), of norms N(1, 0.02); biases as torch makes them."""
    if isinstance(module, nn.Conv2d):
        nn.init.normal_(module.weight, 0.0, 0.02)
    elif isinstance(module, nn.BatchNorm2d):
        nn.init.normal_(module.weight, 1.0, 0.02)


def _upsample(x: Tensor, height: int, width: int) -> Tensor:
    """Bicubic, corners aligned: (1, C, h, w) -> (1, C, height, width)."""
    return F.interpolate(x, size=(height, width), mode="bicubic", align_corners=True)


class TextbookGenerator(nn.Module):
    """Head, one residual body per stage, tail.

    ``wide_border`` is the rule of generation and animation: the noise of stages >= 1 reaches L
    pixels past the picture on every side, and features are enlarged to meet it. Without it (the
    other modes) noise has the size of the picture and each body is padded with L zeros.
    """

    def __init__(
        self,
        num_filters: int = 64,
        num_layer: int = 3,
        num_stages: int = 1,
        wide_border: bool = True,
        slope: float = 0.05,
        batch_norm: bool = False,
    ) -> None:
        super().__init__()
        self.num_layer = num_layer
        self.wide_border = wide_border
        self.head = _block(3, num_filters, slope, batch_norm)
        self.body = nn.ModuleList(
            _body(num_filters, num_layer, slope, batch_norm) for _ in range(num_stages)
        )
        self.tail = nn.Sequential(nn.Conv2d(num_filters, 3, 3, padding=1), nn.Tanh())
        self.apply(_initialise)

    def forward(
        self, noise: list[Tensor], sizes: list[tuple[int, int]], noise_amp: list[float]
    ) -> Tensor:
        """Run all stages; return the picture of the last one, (1, 3, H, W).

        noise: (1, 3, h0, w0), then (1, F, h+2L, w+2L) with ``wide_border``, else (1, F, h, w).
        sizes: the (h, w) of every stage. noise_amp: one number per stage, the first is not used.
        """
        border = self.num_layer
        x = self.head(F.pad(noise[0], (1, 1, 1, 1)))
        if self.wide_border:
            x = _upsample(x, x.shape[2] + 2, x.shape[3] + 2)
            x = self.body[0](F.pad(x, (border - 1,) * 4))
        else:
            x = self.body[0](F.pad(x, (border,) * 4))

        for i in range(1, len(self.body)):
            height, width = sizes[i]
            below = _upsample(x, height, width)
            if self.wide_border:
                wide = _upsample(x, height + 2 * border, width + 2 * border)
                y = self.body[i](wide + noise_amp[i] * noise[i])
            else:
                y = self.body[i](F.pad(below + noise_amp[i] * noise[i], (border,) * 4))
            x = y + below
        return self.tail(x)


class TextbookCritic(nn.Module):
    """Patch critic without padding or norm: (1, 3, H, W) -> (1, 1, H-2L-4, W-2L-4) scores."""

    def __init__(self, num_filters: int = 64, num_layer: int = 3, slope: float = 0.05) -> None:
        super().__init__()
        self.head = _block(3, num_filters, slope)
        self.body = _body(num_filters, num_layer, slope)
        self.tail = nn.Conv2d(num_filters, 1, 3)
        self.apply(_initialise)

    def forward(self, x: Tensor) -> Tensor:
        """x: (1, 3, H, W); returns the map of scores."""
        return self.tail(self.body(self.head(x)))


def make_optimizers(
    generator: TextbookGenerator,
    critic: TextbookCritic,
    stage: int,
    train_depth: int,
    lr_g: float = 5e-4,
    lr_d: float = 5e-4,
    lr_scale: float = 0.1,
    beta1: float = 0.5,
) -> tuple[torch.optim.Adam, torch.optim.Adam]:
    """Freeze the old bodies and make the fresh Adam of each network for 0-based ``stage``.

    The last ``train_depth`` (>= 1) bodies learn, each at ``lr_scale`` times the rate of the next.
    The head learns, at the rate of body 0, while ``stage < train_depth``; later it keeps
    ``requires_grad`` although no optimiser holds it. The tail always learns at ``lr_g``.
    """
    first = max(0, stage + 1 - train_depth)
    for body in generator.body[:first]:
        body.requires_grad_(False)

    bodies = range(first, stage + 1)
    learning = [(generator.body[b], lr_g * lr_scale ** (stage - b)) for b in bodies]
    if stage < train_depth:
        learning.append((generator.head, lr_g * lr_scale**stage))
    learning.append((generator.tail, lr_g))

    groups = [{"params": list(part.parameters()), "lr": lr} for part, lr in learning]
    opt_g = torch.optim.Adam(groups, betas=(beta1, 0.999))
    opt_d = torch.optim.Adam(critic.parameters(), lr=lr_d, betas=(beta1, 0.999))
    return opt_g, opt_d


def gradient_penalty(
    critic: TextbookCritic, real: Tensor, fake: Tensor, alpha: float, lambda_grad: float
) -> Tensor:
    """lambda * mean over pixels of (norm over channels of dD/dX - 1)^2, at X between the two.

    real, fake: (1, 3, H, W); one ``alpha`` for the whole picture. Returns a 0-dim tensor.
    """
    between = (alpha * real + (1 - alpha) * fake).detach().requires_grad_(True)
    scores = critic(between)
    (slope,) = torch.autograd.grad(
        scores, between, grad_outputs=torch.ones_like(scores), create_graph=True
    )
    return lambda_grad * ((slope.norm(2, dim=1) - 1) ** 2).mean()


def iterate(
    generator: TextbookGenerator,
    critic: TextbookCritic,
    opt_g: torch.optim.Optimizer,
    opt_d: torch.optim.Optimizer,
    real: Tensor,
    noise: list[Tensor],
    fixed_noise: list[Tensor],
    sizes: list[tuple[int, int]],
    noise_amp: list[float],
    alphas: Sequence[float],
    lambda_grad: float = 0.1,
    rec_weight: float = 10.0,
    g_steps: int = 3,
) -> dict[str, Tensor]:
    """One iteration: ``len(alphas)`` critic steps, then ``g_steps`` Adam steps on one gradient.

    real: (1, 3, H, W), the picture of the last stage. noise, fixed_noise: as the generator takes
    them. Returns detached 0-dim tensors: ``real``, ``fake`` (mean scores) and ``penalty`` of the
    last critic step before its update, ``adversarial`` (-mean D(fake) after it) and
    ``reconstruction`` (rec_weight * mean squared error).
    """
    for step, alpha in enumerate(alphas):
        critic.zero_grad()
        real_score = critic(real).mean()
        (-real_score).backward()

        with torch.set_grad_enabled(step == len(alphas) - 1):  # the last fake is used again below
            fake = generator(noise, sizes, noise_amp)
        fake_score = critic(fake.detach()).mean()
        fake_score.backward()

        penalty = gradient_penalty(critic, real, fake, alpha, lambda_grad)
        penalty.backward()
        opt_d.step()

    generator.zero_grad()
    adversarial = -critic(fake).mean()
    reconstruction = rec_weight * F.mse_loss(generator(fixed_noise, sizes, noise_amp), real)
    (adversarial + reconstruction).backward()
    for _ in range(g_steps):
        opt_g.step()

    losses = {"real": real_score, "fake": fake_score, "penalty": penalty}
    losses |= {"adversarial": adversarial, "reconstruction": reconstruction}
    return {name: loss.detach() for name, loss in losses.items()}


@torch.no_grad()
def save_samples(
    generator: TextbookGenerator,
    sizes: list[tuple[int, int]],
    noise_shapes: list[tuple[int, ...]],
    noise_amp: list[float],
    folder: Path,
    num_samples: int,
) -> None:
    """Draw and write pictures as the paper's evaluation does: one by one, through matplotlib."""
    device = next(generator.parameters()).device
    for index in range(num_samples):
        noise = [torch.randn(shape, device=device) for shape in noise_shapes]
        picture = generator(noise, sizes, noise_amp)[0].permute(1, 2, 0).cpu().numpy()
        plt.imsave(folder / f"gen_sample_{index}.jpg", ((picture + 1) / 2).clip(0, 1))
