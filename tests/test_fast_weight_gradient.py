"""Every form of a weight gradient against float64, and what decides between them."""

from __future__ import annotations

import inspect
import itertools

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from ConSinGAN.fast import processor
from ConSinGAN.fast import weight_gradient as wg
from ConSinGAN.fast.processor import Level

FORMS = [wg.whole, wg.bands, wg.products, wg.windows]
SHAPES = list(itertools.product(FORMS, [(3, 64), (64, 3), (5, 1), (1, 5), (64, 64)]))


def make(
    num: int, channels: int, out: int, size: int, padding: int, dtype: torch.dtype,
    side: tuple[int, int] = (11, 13),
) -> tuple[Tensor, Tensor, Tensor]:  # fmt: skip
    """Input, output gradient and weight of a convolution, channels last."""
    torch.manual_seed(0)
    x = torch.randn(num, channels, *side).to(dtype, memory_format=torch.channels_last)
    weight = torch.zeros(out, channels, size, size, dtype=dtype)
    weight = weight.to(memory_format=torch.channels_last)
    height, width = (s + 2 * padding - size + 1 for s in side)
    grad = torch.randn(num, out, height, width)
    return x, grad.to(dtype, memory_format=torch.channels_last), weight


def check(form: wg.Form, x: Tensor, grad: Tensor, weight: Tensor, padding: int) -> None:
    """The error of a sum of n products is at most n * eps times the sum of their sizes.

    bf16 factors are exact here, as both sides get them; results may be rounded to bf16 once a part.
    """
    actual = form(x, grad, weight, padding)
    dims = (0, 2, 3)
    exact, size = (
        (torch.nn.grad.conv2d_weight(a, weight.shape, b, padding=padding), b.sum(dims))
        for a, b in ((x.double(), grad.double()), (x.double().abs(), grad.double().abs()))
    )
    num = len(grad) * grad.shape[2] * grad.shape[3]
    eps = num * torch.finfo(torch.float32).eps
    if x.dtype != torch.float32:
        eps += torch.finfo(x.dtype).eps
    for ours, theirs, bound in zip(actual, exact, size, strict=True):
        assert ours.dtype == torch.float32
        assert ours.shape == theirs.shape
        assert ((ours - theirs).abs() <= eps * bound + 1e-30).all()


@pytest.mark.parametrize(("form", "channels"), SHAPES, ids=lambda v: getattr(v, "__name__", str(v)))
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=str)
def test_forms_are_the_exact_gradient(
    form: wg.Form, channels: tuple[int, int], dtype: torch.dtype, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("BAND_PIXELS", "PRODUCT_PIXELS", "WINDOW_PIXELS"):
        monkeypatch.setattr(wg, name, 40)  # several bands
    if (
        dtype == torch.bfloat16
        and processor.level() < Level.AVX512
        and form in (wg.whole, wg.bands)
    ):
        pytest.skip("bf16 convolutions need AVX-512")
    for num, size, padding in itertools.product((1, 2, 3), (1, 3, 5), (0, 1, 3)):
        check(form, *make(num, *channels, size, padding, dtype), padding)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize(("size", "padding"), [(3, 4), (3, 6), (5, 8), (7, 0)])
def test_bands_may_lie_in_the_padding(
    form: wg.Form, size: int, padding: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    for pixels, height in itertools.product((30, 64), range(12, 18)):
        for name in ("BAND_PIXELS", "PRODUCT_PIXELS", "WINDOW_PIXELS"):
            monkeypatch.setattr(wg, name, pixels)
        x, grad, weight = make(1, 2, 3, size, padding, torch.float32, (height, 15))
        check(form, x, grad, weight, padding)


@pytest.mark.parametrize("form", FORMS)
def test_any_layout_will_do(form: wg.Form) -> None:
    x, grad, weight = make(2, 4, 6, 3, 0, torch.float32)
    wide, tall = F.pad(x, (2, 3, 1, 2)), F.pad(grad, (1, 1, 4, 0))
    layouts = [
        (x.contiguous(), grad.contiguous()),
        (wide[:, :, 1:-2, 2:-3], tall[:, :, 4:, 1:-1]),  # seen through a window
        (torch.cat([x, x], 1)[:, 4:], torch.cat([grad, grad], 1)[:, :6]),  # every other number
        (x.mT.contiguous().mT, grad.mT.contiguous().mT),
        (x[:1].expand(2, -1, -1, -1), grad),
    ]
    for other_x, other_grad in layouts:
        check(form, other_x, other_grad, weight, 0)


def test_what_decides() -> None:
    assert list(inspect.signature(wg.choose).parameters) == [
        "device", "level", "dtype", "x", "weight"
    ]  # fmt: skip
    large, small = (1, 64, 100, 100), (1, 64, 20, 20)
    square, head, tail = (64, 64, 3, 3), (64, 3, 3, 3), (3, 64, 3, 3)
    f32, bf16 = torch.float32, torch.bfloat16
    for level in Level:
        assert wg.choose("cuda", level, bf16, large, tail) == wg.whole
        assert wg.choose("mps", level, f32, large, square) == wg.whole
        assert wg.choose("cpu", level, f32, small, square) == wg.whole
        expected = wg.products if level == Level.AVX2 else wg.bands
        assert wg.choose("cpu", level, f32, large, square) == expected
        assert wg.choose("cpu", level, bf16, large, square) == wg.bands
    assert wg.choose("cpu", Level.AVX2, f32, (3, 3, 20, 20), head) == wg.windows
    assert wg.choose("cpu", Level.AVX512, f32, (3, 3, 20, 20), head) == wg.whole
    for level in (Level.AVX2, Level.AVX512, Level.AMX):
        assert wg.choose("cpu", level, f32, large, tail) == wg.windows
    assert wg.choose("cpu", Level.OTHER, f32, large, tail) == wg.bands


@pytest.mark.parametrize("form", FORMS)
def test_twice_the_same_bits(form: wg.Form) -> None:
    x, grad, weight = make(1, 8, 8, 3, 1, torch.float32, (90, 80))
    first = form(x, grad, weight, 1)
    again = form(x.clone(), grad.clone(), weight.clone(), 1)
    assert all(torch.equal(a, b) for a, b in zip(first, again, strict=True))


@pytest.mark.parametrize(
    ("name", "level"),
    [
        ("", Level.AMX), ("DEFAULT", Level.AMX), ("SSE41", Level.OTHER), ("AVX", Level.OTHER),
        ("AVX2", Level.AVX2), ("avx2", Level.AVX2), ("AVX2_VNNI_2", Level.AVX2),
        ("AVX512_CORE", Level.AVX512), ("AVX512_CORE_VNNI", Level.AVX512),
        ("AVX512_CORE_BF16", Level.AVX512_BF16), ("AVX512_CORE_FP16", Level.AVX512_BF16),
        ("AVX512_CORE_AMX", Level.AMX), ("AVX512_CORE_AMX_FP16", Level.AMX),
        ("AVX10_1_512", Level.AVX512_BF16), ("AVX10_1_512_AMX", Level.AMX),
    ],
)  # fmt: skip
def test_the_environment_limits_the_level(name: str, level: Level) -> None:
    assert processor.limit({"ONEDNN_MAX_CPU_ISA": name}) == level
    assert processor.limit({"DNNL_MAX_CPU_ISA": name}) == level
    assert processor.limit({}) == Level.AMX


def test_the_level_is_the_best_feature(monkeypatch: pytest.MonkeyPatch) -> None:
    for there, level in [
        ((), Level.OTHER), (("avx2",), Level.AVX2), (("avx2", "avx512"), Level.AVX512),
        (("avx2", "avx512", "avx512_bf16"), Level.AVX512_BF16),
        (("avx2", "avx512", "avx512_bf16", "amx_tile"), Level.AMX),
    ]:  # fmt: skip
        monkeypatch.setattr(processor, "supports", there.__contains__)
        assert processor.hardware_level() == level
    assert processor.level() == processor.level()
