"""Masks that are thin, small, empty or the wrong way round."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from conftest import Outcome, files_below, write_picture
from PIL import Image
from test_model import make_model

import evaluate_model
from ConSinGAN.errors import UsageError

Script = Callable[..., Outcome]


def masked(height: int, width: int, *part: slice | int) -> torch.Tensor:
    mask = torch.zeros(1, 1, height, width)
    mask[(..., *part)] = 1
    return mask


@pytest.mark.parametrize("mode", ["harmonization", "editing"])
@pytest.mark.parametrize(
    "part", [(120, slice(40, 300)), (slice(20, 200), 77), (5, 5), (slice(0, 3), slice(0, 2))]
)
def test_a_mask_that_would_vanish_keeps_its_most_covered_pixels(mode: str, part: tuple) -> None:
    model = make_model(mode)  # 24x36
    mask = masked(240, 360, *part)
    soft = model.soft_mask(mask)
    assert soft.shape == (1, 1, 24, 36)
    assert soft.max() == 1
    where = [int(p.float().mean()) for p in mask[0, 0].nonzero(as_tuple=True)]
    assert soft[0, 0, where[0] // 10, where[1] // 10] > 0.9


def test_along_a_thin_line_the_whole_line_stays() -> None:
    soft = make_model("harmonization").soft_mask(masked(240, 360, 125, slice(40, 300)))
    assert (soft[0, 0, 12, 4:30] > 0.85).all()


def test_a_mask_that_does_not_vanish_is_cut_at_one_half() -> None:
    model = make_model("harmonization")
    thick = masked(240, 360, slice(100, 140), slice(100, 140))
    both = torch.maximum(thick, masked(240, 360, 20, slice(40, 300)))
    assert torch.equal(model.soft_mask(both), model.soft_mask(thick))


@pytest.mark.parametrize("value", [0.0, 0.3, 0.49])
def test_an_empty_mask_is_refused(value: float) -> None:
    with pytest.raises(UsageError, match=r"^mask: the mask is empty"):
        make_model("editing").compose(torch.zeros(1, 3, 48, 72), torch.full((1, 1, 48, 72), value))


def write_naive(folder: Path, mask: np.ndarray) -> Path:
    Image.fromarray(mask.astype(np.uint8) * 255).save(folder / "naive_mask.png")
    return write_picture(folder / "naive.png", *mask.shape, seed=1)


def test_a_hair_of_a_mask_is_evaluated(
    tmp_path: Path, trained: Callable[[str], Path], script: Script
) -> None:
    mask = np.zeros((640, 960), bool)
    mask[300, 200:700] = True
    naive = write_naive(tmp_path, mask)
    out = tmp_path / "out"
    words = ["--model_dir", trained("editing"), "--output_dir", out, "--naive_img", naive]
    outcome = script(evaluate_model, *words, "--not_cuda")
    assert (outcome.code, outcome.err) == (0, "")
    assert (out / "edited_w_mask_naive.png").is_file()


@pytest.mark.parametrize("mode", ["harmonization", "editing"])
def test_nothing_is_written_before_a_mask_is_known_to_be_empty(
    mode: str, tmp_path: Path, trained: Callable[[str], Path], script: Script
) -> None:
    naive = write_naive(tmp_path, np.zeros((32, 48), bool))
    before = files_below(tmp_path)
    words = ["--model_dir", trained(mode), "--output_dir", tmp_path / "out", "--naive_img", naive]
    outcome = script(evaluate_model, *words, "--not_cuda")
    assert outcome.code == 2
    assert "naive_mask.png: the mask is empty" in outcome.err
    assert files_below(tmp_path) == before
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(("edge", "hinted"), [(2, True), (12, False)])
def test_a_mask_the_wrong_way_round_gets_a_hint(
    edge: int, hinted: bool, tmp_path: Path, trained: Callable[[str], Path], script: Script
) -> None:
    mask = np.ones((32, 48), bool)
    mask[:, :edge] = False
    naive = write_naive(tmp_path, mask)
    words = ["--model_dir", trained("editing"), "--output_dir", tmp_path / "out"]
    outcome = script(evaluate_model, *words, "--naive_img", naive, "--not_cuda")
    assert outcome.code == 0
    assert ("invert" in outcome.err) == hinted
    assert ("95 %" in outcome.err) == hinted
