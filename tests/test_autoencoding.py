"""The critic that rebuilds the real picture: from what, which part of it, and who learns."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from conftest import make_config
from test_critic_augmentation import make_judge, pictures
from test_models import plain_scores
from test_objectives import gradients
from test_training import make_iteration, run
from torch import Tensor, nn

from ConSinGAN.critics.autoencoding import AutoencodingCritic, Decoder
from ConSinGAN.critics.autoencoding_options import Options
from ConSinGAN.fast.wgan_gp import ClosedFormWGANGP
from ConSinGAN.layers import NetworkShape
from ConSinGAN.objectives.wgan_gp import WGANGP


def make(weight: float = 1.0, **shape: object) -> AutoencodingCritic:
    torch.manual_seed(0)
    shape = {"num_filters": 6, "slope": 0.2, **shape}
    critic = AutoencodingCritic(NetworkShape(**shape), Options(rebuilding=weight)).double()
    critic.patch.dtype = torch.float64
    with torch.no_grad():
        for parameter in critic.parameters():
            parameter.normal_(0, 0.3)
    return critic


def where(top: float, left: float) -> dict[str, Tensor]:
    return {"critic_crop": torch.tensor([top, left], dtype=torch.float64)}


def plain_decode(decoder: Decoder, x: Tensor) -> Tensor:
    """Features of every pixel -> picture, in plain torch."""
    height, width = x.shape[2:]
    factor = decoder.reduction
    x = x.reshape(*x.shape[:2], height // factor, factor, width // factor, factor).mean((3, 5))
    x = F.conv2d(x, decoder.encode.weight, decoder.encode.bias)
    for layer in decoder.enlarge:
        x = x.repeat_interleave(2, 2).repeat_interleave(2, 3)
        x = F.leaky_relu(F.conv2d(x, layer.weight, layer.bias, padding=1), decoder.slope)
    return torch.tanh(F.conv2d(x, decoder.tail.weight, decoder.tail.bias, padding=1))


def plain_features(critic: AutoencodingCritic, x: Tensor) -> Tensor:
    """Of every pixel of a picture whose sides are multiples of 8."""
    x = F.pad(x, (4, 4, 4, 4), mode="replicate")
    for block in critic.patch.blocks():
        x = F.leaky_relu(F.conv2d(x, block.conv.weight, block.conv.bias), 0.2)
    return x


@pytest.mark.parametrize("size", [(11, 11), (13, 30), (32, 40), (61, 47)])
@pytest.mark.parametrize("channels", [1, 3])
def test_decoders_see_features_reduced_fourfold_or_more(
    size: tuple[int, int], channels: int
) -> None:
    critic = make(image_channels=channels, num_filters=64)
    codes, rebuilt = {}, {}
    for name in ("whole", "crop"):

        def keep(_: nn.Module, inputs: tuple[Tensor], out: Tensor, name: str = name) -> None:
            codes[name], rebuilt[name] = inputs[0], out

        getattr(critic, name).register_forward_hook(keep)
    (real,) = pictures(*size, num=1, channels=channels)
    critic.own_losses(real, where(0.5, 0.5))
    for name, code in codes.items():
        sides = [n // c for n, c in zip(rebuilt[name].shape[2:], code.shape[2:], strict=True)]
        assert min(sides) >= 4
        assert code.numel() <= max(rebuilt[name].numel() // 3, code[0, 0].numel())
    height, width = rebuilt["whole"].shape[2:]
    assert height - 8 < size[0] <= height
    assert width - 8 < size[1] <= width
    assert rebuilt["crop"].shape[2] < height


def test_its_losses_and_gradients_are_the_formulas() -> None:
    """Float64 from end to end; the crop's place is that of the two numbers."""
    critic = make(weight=0.7)
    (real,) = pictures(32, 40, num=1)
    features = plain_features(critic, real)
    whole = 0.7 * (plain_decode(critic.whole, features) - real).abs().mean()
    # 8 x 10 codes of 4x4 pixels; 4 x 5 of them, of 5 x 6 places the second and the sixth.
    rows, columns = slice(4, 20), slice(20, 40)
    rebuilt = plain_decode(critic.crop, features[..., rows, columns])
    crop = 0.7 * (rebuilt - real[..., rows, columns]).abs().mean()
    (whole + crop).backward()
    expected = gradients(critic)
    critic.zero_grad()
    losses = critic.own_losses(real, where(0.3, 0.99))
    torch.testing.assert_close(losses["whole"], whole.detach())
    torch.testing.assert_close(losses["crop"], crop.detach())
    sum(losses.values()).backward()
    for ours, plain in zip(gradients(critic), expected, strict=True):
        torch.testing.assert_close(ours, plain, rtol=1e-8, atol=1e-8)


@pytest.mark.parametrize("options", [{}, {"padding": 1}, {"ker_size": 5}, {"num_layer": 1}],
                         ids=str)  # fmt: skip
def test_features_lie_on_their_pixels(options: dict) -> None:
    """What a change of one pixel changes has that pixel in its middle."""
    critic = make(**options)
    (real,) = pictures(33, 38, num=1)
    changed = real.clone()
    changed[..., 15, 17] += 1
    known = torch.ones(1, 1, 33, 38, dtype=torch.float64)
    with torch.no_grad():
        wide, known, before = critic._aligned(real, known)
        _, _, after = critic._aligned(changed, known[..., :33, :38])
    assert before.shape[2:] == wide.shape[2:] == known.shape[2:] == (40, 40)
    assert torch.equal(wide[..., :33, :38], real)
    assert float(known.sum()) == 33 * 38
    rows, columns = (before != after).any(1)[0].nonzero().T
    assert rows.min() + rows.max() == 2 * 15
    assert columns.min() + columns.max() == 2 * 17


class Flat(nn.Module):
    """Rebuilds grey; its code is the decoder's."""

    def __init__(self, decoder: Decoder) -> None:
        super().__init__()
        self.decoder = decoder

    def code(self, features: Tensor) -> Tensor:
        return self.decoder.code(features)

    def forward(self, code: Tensor) -> Tensor:
        factor, (height, width) = self.decoder.reduction, code.shape[2:]
        return code.new_zeros(1, 3, factor * height, factor * width)


def test_errors_are_those_of_known_pixels() -> None:
    critic = make()
    critic.whole, critic.crop = Flat(critic.whole), Flat(critic.crop)
    (real,) = pictures(30, 37, num=1)
    known = torch.ones(1, 1, 30, 37, dtype=torch.float64)
    known[..., 2:9, 3:20] = 0
    real[..., 2:9, 3:20] = 50
    losses = critic.own_losses(real, where(0.0, 0.0), known)
    inside = (known > 0).expand_as(real)
    torch.testing.assert_close(losses["whole"], real[inside].abs().mean())
    part, of_it = real[..., :16, :20], inside[..., :16, :20]
    torch.testing.assert_close(losses["crop"], part[of_it].abs().mean())


def test_decoders_learn_of_real_pictures_and_scores_of_both() -> None:
    """The step is the closed form's, with what the decoders say added to it."""
    critic = make()
    judge = make_judge(critic, WGANGP())
    assert isinstance(judge.parts[0].objective, ClosedFormWGANGP)
    real, fake = pictures(32, 40)
    chance = {name: values[None] for name, values in where(0.2, 0.6).items()}
    chance["coefficient"] = torch.tensor([0.4], dtype=torch.float64)
    found = []
    for drawn in (fake, fake.flip(3)):
        critic.zero_grad()
        terms = judge.critic_step(real, drawn, chance, 0)
        assert {"real", "fake", "penalty", "whole", "crop"} == set(terms)
        assert not any(value.requires_grad for value in terms.values())
        found.append({name: p.grad for name, p in critic.named_parameters()})
    for name, gradient in found[0].items():
        if name == "patch.tail.bias":  # of the difference of two means
            assert not gradient.any()
            continue
        assert torch.equal(gradient, found[1][name]) != name.startswith("patch"), name
    critic.zero_grad()
    sum(critic.own_losses(real, where(0.2, 0.6)).values()).backward()
    own = gradients(critic.patch)
    critic.zero_grad()
    mixed = (0.4 * real + 0.6 * fake).requires_grad_()
    (slope,) = torch.autograd.grad(
        plain_scores(critic.patch, mixed).sum(), mixed, create_graph=True
    )
    means = [plain_scores(critic.patch, x).mean() for x in (fake, real)]
    (means[0] - means[1] + 0.1 * ((slope.norm(dim=1) - 1) ** 2).mean()).backward()
    for name, plain, more in zip(
        dict(critic.patch.named_parameters()), gradients(critic.patch), own, strict=True
    ):
        ours = found[0][f"patch.{name}"]
        torch.testing.assert_close(ours, plain + more, rtol=1e-8, atol=1e-8)


def test_decoders_learn_to_rebuild() -> None:
    torch.manual_seed(0)
    critic = AutoencodingCritic(NetworkShape(num_filters=16))
    real = torch.nn.functional.interpolate(torch.rand(1, 3, 5, 6) * 2 - 1, (40, 48))
    optimizer = torch.optim.Adam(critic.parameters(), 5e-4, betas=(0.5, 0.999))
    losses = []
    for step in range(150):
        optimizer.zero_grad()
        own = critic.own_losses(real, {"critic_crop": torch.tensor([0.3, 0.7])})
        sum(own.values()).backward()
        optimizer.step()
        losses.append({name: float(value.detach()) for name, value in own.items()})
        assert step or losses[0]["whole"] == pytest.approx(float(real.abs().mean()), rel=0.2)
    assert losses[-1]["whole"] < 0.7 * losses[0]["whole"]
    assert losses[-1]["crop"] < 0.7 * losses[0]["crop"]


def test_a_weight_of_zero_leaves_the_patch_critic() -> None:
    """Scores, gradients and pictures are those of the patch critic."""
    found = []
    for options in ({"critic": "autoencoding", "rebuilding": 0.0}, {}):
        iteration = make_iteration(**options)
        patch = getattr(iteration.critic, "patch", iteration.critic)
        torch.manual_seed(5)
        with torch.no_grad():
            for parameter in patch.parameters():
                parameter.normal_(0, 0.1)
        iteration.state.streams.noise.manual_seed(1)
        iteration.state.streams.generators["coefficient"].manual_seed(1)
        run(iteration, 2)
        found.append([*patch.parameters(), *iteration.model.generator.parameters()])
    assert all(torch.equal(a, b) for a, b in zip(*found, strict=True))


def test_its_work_and_memory_are_told() -> None:
    config = make_config(critic="autoencoding")
    assert AutoencodingCritic.work(config) > 1
    assert AutoencodingCritic.more_memory(config, (50, 50)) > 0
