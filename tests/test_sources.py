"""Sources: what an iteration is fed with."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
import torch

from ConSinGAN.config import TrainConfig
from ConSinGAN.sources.hidden import Hidden


def test_where_nothing_is_left_around_the_hole_all_is_noise(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The rectangle that is drawn anew may cover all of a small picture."""
    hole = torch.zeros(1, 1, 18, 22, dtype=torch.bool)
    hole[..., 3:6, 4:9] = True
    real, noise = torch.rand(1, 3, 18, 22), torch.rand(1, 3, 18, 22)
    mode = SimpleNamespace(draw_input=lambda *_: noise)
    model = SimpleNamespace(reals=[real], hole_at=lambda _: hole, mode=mode)
    streams = SimpleNamespace(augmentation=torch.Generator())
    source = Hidden(TrainConfig())
    monkeypatch.setattr(torch, "rand", lambda *_, **__: torch.tensor([0.9, 0.999, 0.999, 0.0, 0.0]))
    assert torch.equal(source.draw_input(model, streams), noise)  # type: ignore[arg-type]
    monkeypatch.setattr(torch, "rand", lambda *_, **__: torch.tensor([0.9, 0.999, 0.5, 0.0, 0.0]))
    entered = source.draw_input(model, streams)  # type: ignore[arg-type]
    assert torch.equal(entered[..., -1], real[..., -1]) and not torch.equal(entered, real)
