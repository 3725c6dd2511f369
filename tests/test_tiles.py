"""Drawings in tiles are the whole drawings, and are written from top to bottom."""

from __future__ import annotations

import pytest
from test_model import make_model

from ConSinGAN.frame import Frame
from ConSinGAN.latents import RandomLatents
from ConSinGAN.model import ImageModel
from ConSinGAN.noise import Purpose

NATIVE = (90, 110)


def strong(mode: str = "generation", **options: object) -> ImageModel:
    """A model of four stages whose pictures show everything that goes into them."""
    model = make_model(mode, NATIVE, train_stages=4, max_size=110, min_size=24, **options)
    while model.generator.num_stages < 4:
        model.generator.grow()
    model.noise_amp = [1.0, 0.3, 0.2, 0.3]
    model.fixed_noise = list(model.latents(Purpose.SAMPLE, 99, 0))
    return model


def compare(model: ImageModel, frame: Frame, tile: int, latents: RandomLatents) -> float:
    """The largest difference between tiles and whole, in levels."""
    whole = model.draw(latents(frame), frame)
    tiled = model.draw_tiled(latents, frame, tile).tensor()
    assert tiled.shape == whole.shape
    assert whole.std() > 0.005
    return float((tiled - whole).abs().max() * 127.5)


@pytest.mark.parametrize(
    ("mode", "options"),
    [
        ("generation", {}),
        ("retarget", {}),
        ("generation", {"padd_size": 1}),
        ("retarget", {"ker_size": 5}),
        ("generation", {"batch_norm": True}),
        ("harmonization", {}),
        ("editing", {"padd_size": 1}),
        ("generation", {"nc_im": 1}),
    ],
    ids=str,
)
@pytest.mark.parametrize("wrap", [False, True])
def test_tiles_are_the_whole(mode: str, options: dict, wrap: bool) -> None:
    model = strong(mode, **options)
    sizes = model.scaled_sizes(1.31, 0.77)
    frame = Frame.whole(sizes, "wrap" if wrap else model.generator.border)
    latents = model.random_latents(Purpose.SAMPLE, 3, 1)
    near = 0.3 if model.generator.num_norms else 0.02  # weights of norms enlarge what is rounded
    for tile in (40, 31):
        assert compare(model, frame, tile, latents) < near
