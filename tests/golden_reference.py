"""Reading the golden files, and building what they were recorded from."""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path

import numpy as np
import pytest
import torch
from conftest import make_config
from PIL import Image
from torch import Tensor

from ConSinGAN import modes, training
from ConSinGAN.generators.consingan import ConSinGANGenerator
from ConSinGAN.layers import NetworkShape
from ConSinGAN.methods.adversarial import Adversarial
from ConSinGAN.model import ImageModel
from ConSinGAN.networks import make_networks
from ConSinGAN.noise import RandomStreams
from ConSinGAN.pyramid import geometric_scales
from ConSinGAN.resize import resize
from ConSinGAN.sources.single import Single
from ConSinGAN.state import TrainingState

GOLDEN = Path(os.environ.get("CONSINGAN_GOLDEN", Path(__file__).parent / "golden"))
RTOL = 1e-4
UNUSED = ("running_mean", "running_var", "num_batches_tracked")
SPACING = {"harmonization": geometric_scales}


@cache
def load(name: str) -> dict[str, np.ndarray] | list | dict:
    """A golden file; skips the test if it is not there."""
    path = GOLDEN / name
    if not path.exists():
        pytest.skip(f"no {name} in {GOLDEN}")
    if path.suffix == ".json":
        return json.loads(path.read_text())
    return dict(np.load(path))


def load_input(name: str) -> np.ndarray:
    if not (GOLDEN / name).exists():
        pytest.skip(f"no {name} in {GOLDEN}")
    return np.asarray(Image.open(GOLDEN / name).convert("RGB"))


def tensor(array: np.ndarray) -> Tensor:
    return torch.from_numpy(np.array(array))


def close(actual: Tensor | np.ndarray, expected: np.ndarray, atol: float = 1e-6) -> None:
    actual = actual.detach().numpy() if isinstance(actual, Tensor) else np.asarray(actual)
    scale = np.abs(expected).max(initial=0.0)
    np.testing.assert_allclose(actual, expected, rtol=RTOL, atol=atol + 1e-5 * scale)


def close_weights(
    actual: dict[str, Tensor], expected: dict[str, Tensor], steps: list[dict[str, Tensor]]
) -> None:
    """Compare weights after Adam's steps on the recorded gradients, where that makes sense.

    Adam divides a gradient by its own size, so one of rounding size moves its weight by up to the
    learning rate, in a direction that depends on the order of summation: such values are left out.
    With rounding errors of 1e-7 times the largest gradient, one of 2e-5 times that is known to
    0.5 %, and its step of 5e-4 to 2.5e-6, within the tolerance. What has no gradient stays.
    """
    scale = max(float(gradient.abs().max()) for gradient in steps[0].values())
    for name, weight in expected.items():
        known = torch.ones_like(weight, dtype=torch.bool)
        for gradients in steps:
            known &= gradients[name].abs() >= 2e-5 * scale if name in gradients else True
        assert known.float().mean() > 0.9 or known.numel() < 10
        close(actual[name][known], weight[known].numpy(), atol=3e-6)


def subset(data: dict, prefix: str) -> dict[str, Tensor]:
    """The arrays below a prefix, as a state dictionary without running statistics."""
    found = {k[len(prefix) :]: tensor(v) for k, v in data.items() if k.startswith(prefix)}
    return {k: v for k, v in found.items() if not k.endswith(UNUSED)}


def numbered(data: dict, prefix: str) -> list[Tensor]:
    keys = (k for k in data if k.startswith(prefix) and k[len(prefix) :].isdigit())
    return [tensor(data[k]) for k in sorted(keys, key=lambda k: int(k[len(prefix) :]))]


def as_picture(levels: np.ndarray) -> Tensor:
    return torch.from_numpy(levels.astype(np.float32)).permute(2, 0, 1)[None] / 127.5 - 1


def quantised(levels: np.ndarray) -> Tensor:
    """What the reference resizes: the byte round trip takes a level off 1..63 (quirk R2)."""
    drops = load("resize.npz")["roundtrip_levels"]
    return as_picture(drops[levels])


def resize_cases(name: str) -> list[str]:
    path = GOLDEN / name
    if not path.exists():
        return []
    keys = np.load(path).files
    cases = [k for k in keys if k.startswith(("scale_", "shape_")) and not k.endswith("__factor")]
    return [k for k in cases if not ("up_w" in k or "up_h" in k or "same_h_down" in k)]  # quirk R4


def resize_like(case: str, data: dict) -> Tensor:
    kind, picture, *rest = case.split("_")
    levels = load("resize.npz")[f"input_{picture}_uint8"]
    if kind == "scale":
        factor = load("resize.npz").get(f"{case}__factor", np.float64(rest[-1]))
        return resize(quantised(levels), scale=float(factor))
    height, width = (int(side) for side in rest[-1].split("x"))
    return resize(quantised(levels), size=(height, width))


GENERATORS = ["generation", "retarget", "harmonization"]


def make_generator(data: dict, border: str) -> ConSinGANGenerator:
    shape = NetworkShape(
        num_filters=int(data["nfc"]),
        num_layer=int(data["num_layer"]),
        slope=float(data["lrelu_alpha"]),
    )
    generator = ConSinGANGenerator(shape, bool(data["batch_norm"]), border)
    for _ in range(len(data["stage_shapes"]) - 1):
        generator.grow()
    return generator


def stage_shapes(shapes: np.ndarray) -> list[tuple[int, int]]:
    return [tuple(int(side) for side in shape[2:]) for shape in shapes]


STEPS = ["generation_d0", "generation_d1", "generation_d2", "harmonization_d1"]


def build_step(data: dict, mode: str) -> TrainingState:
    depth, before = int(data["depth"]), subset(data, "G_before/")
    config = make_config(
        train_mode=mode,
        nfc=before["head.conv.weight"].shape[0],
        batch_norm="head.norm.weight" in before,
        lrelu_alpha=float(data["lrelu_alpha"]),
        train_depth=int(data["train_depth"]),
        lr_scale=float(data["lr_scale"]),
        lr_g=float(data["lr_g"]),
        lr_d=float(data["lr_d"]),
        lambda_grad=float(data["lambda_grad"]),
        alpha=float(data["rec_weight"]),
        noise_amp=float(data["noise_amp_init"]),
        Dsteps=len(data["alphas"]),
        manualSeed=0,
    )
    networks = make_networks(config, depth + 1)
    networks["generator"].load_state_dict(before)
    networks["critic"].load_state_dict(subset(data, "D_before/"))
    reals = [torch.zeros(tuple(shape)) for shape in data["stage_shapes"][: depth + 1]]
    reals[depth] = tensor(data["real"])
    model = ImageModel(config, modes.get(mode), networks["generator"], reals)
    return TrainingState(model, networks, RandomStreams(0), Single(config))


def record_step(
    iteration: Adversarial, noise: list[Tensor], alphas: Tensor
) -> tuple[dict[str, Tensor], list[dict], list[dict], list[dict]]:
    """Run one step; returns its losses, and of every critic step: losses, gradients, weights."""
    critic, optimizer = iteration.critic, iteration.optimizers["critic"]
    all_losses: list[dict] = []
    gradients: list[dict] = []
    weights: list[dict] = []
    (part,) = iteration.judge.parts
    critic_step = part.objective.critic_step

    def spy(*args: object) -> dict[str, Tensor]:
        all_losses.append(critic_step(*args))
        return all_losses[-1]

    def before(*_: object) -> None:
        found = {n: p.grad for n, p in critic.named_parameters() if p.grad is not None}
        gradients.append({name: grad.clone() for name, grad in found.items()})

    def after(*_: object) -> None:
        weights.append({n: p.detach().clone() for n, p in critic.named_parameters()})

    optimizer.register_step_pre_hook(before)
    optimizer.register_step_post_hook(after)
    part.objective.critic_step = spy
    terms = iteration.step(noise, {"coefficient": alphas})
    return terms, all_losses, gradients, weights


@contextlib.contextmanager
def recorded_noise(maps: list[Tensor]) -> Iterator[None]:
    """Let every draw of a stage's noise return the recorded maps."""
    with pytest.MonkeyPatch.context() as patch:
        left = iter(maps)
        patch.setattr(training, "draw", lambda *_args, **_kwargs: next(left))
        yield


def replay(rows: Iterator[np.ndarray]) -> tuple[Callable[[int, int], int], Callable[[], float]]:
    """Draws of whole numbers and of reals that give the recorded ones, in order."""

    def integer(low: int, high: int) -> int:
        kind, lo, hi, value = next(rows)
        assert (kind, lo, hi) == (0, low, high)
        return int(value)

    def real() -> float:
        kind, _, _, value = next(rows)
        assert kind == 1
        return float(value)

    return integer, real
