"""What the documentation shows in Python runs."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import torch
from conftest import ROOT

from ConSinGAN.generators.consingan import ConSinGANGenerator
from ConSinGAN.generators.singan import SinGANGenerator
from ConSinGAN.layers import NetworkShape
from ConSinGAN.pyramid import geometric_scales, stage_sizes

SIZES = [(15, 20), (18, 24), (21, 28), (24, 32), (27, 36), (30, 40)]


def block(page: str, word: str) -> str:
    """The page's one block of Python that has this word."""
    text = (ROOT / "docs" / page).read_text(encoding="utf-8")
    (found,) = [one for one in re.findall(r"```python\n(.*?)```", text, re.S) if word in one]
    return found


def test_models_of_the_papers_code(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    saved = ConSinGANGenerator(NetworkShape(num_filters=64), border="noise")
    for _ in SIZES[1:]:
        saved.grow()
    Path("5").mkdir()
    torch.save(saved.state_dict(), "5/netG.pth")
    there: dict[str, Any] = {"sizes": SIZES, "noise_amp": [1.0, *[0.1] * 5]}
    exec(block("faithfulness.md", "load_paper_weights"), there)
    assert there["picture"].shape == (1, 3, 30, 40)
    for name, weights in saved.state_dict().items():
        assert torch.equal(there["generator"].state_dict()[name], weights), name


def test_models_of_singans_code(tmp_path: Path) -> None:
    generator = SinGANGenerator(NetworkShape(num_filters=8))
    for _ in range(4):
        generator.grow()
    for index, stage in enumerate(generator.stages):
        (tmp_path / str(index)).mkdir()
        torch.save(stage.state_dict(), tmp_path / str(index) / "netG.pth")
    sizes = stage_sizes((27, 37), 5, 12, 37, geometric_scales)
    reals = [torch.zeros(1, 3, *size) for size in sizes]
    there: dict[str, Any] = {
        "folder": tmp_path, "noise_amp": [1.0, 0.1, 0.1, 0.1, 0.1], "reals": reals,
        "noise": torch.randn(1, 1, *sizes[0]),
    }  # fmt: skip
    exec(block("faithfulness.md", "singan_model"), there)
    picture = next(there["model"].sample(seed=1))
    assert picture.shape == reals[-1].shape
    assert picture.isfinite().all()
