"""Objectives, critics and generators together: every pair of parts; with `-m product` all three."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product
from pathlib import Path

import pytest
import torch
from conftest import TINY, write_picture
from test_resume import Killed, assert_same_result, only_run

import ConSinGAN
import evaluate_model
from ConSinGAN import launch
from ConSinGAN.errors import UsageError
from ConSinGAN.launch import resolve
from ConSinGAN.methods.judging import Judge
from ConSinGAN.registry import CRITICS, GENERATORS, OBJECTIVES

Parts = tuple[str, str, str]


def flags_of(parts: Parts) -> dict[str, str]:
    return dict(zip(("objective", "critic", "generator"), parts, strict=True))


def goes_together(parts: Parts) -> bool:
    try:
        resolve(flags_of(parts))
    except UsageError:
        return False
    return True


ALL = [
    parts
    for parts in product(OBJECTIVES.names(), CRITICS.names(), GENERATORS.names())
    if goes_together(parts)
]


def pairwise(rows: list[Parts]) -> Iterator[Parts]:
    """A few of the rows, greedily, in which every pair of values occurs that occurs in any."""

    def pairs(row: Parts) -> set[tuple[tuple[int, str], tuple[int, str]]]:
        values = list(enumerate(row))
        return {(a, b) for i, a in enumerate(values) for b in values[i + 1 :]}

    missing = set().union(*map(pairs, rows))
    while missing:
        best = max(rows, key=lambda row: len(pairs(row) & missing))
        missing -= pairs(best)
        yield best


SOME = list(pairwise(ALL))


def test_the_product_holds_every_part_and_only_what_goes_together() -> None:
    for index, family in enumerate((OBJECTIVES, CRITICS, GENERATORS)):
        assert {parts[index] for parts in ALL} == set(family.names())
    assert len(SOME) < len(ALL)
    for parts in product(OBJECTIVES.names(), CRITICS.names(), GENERATORS.names()):
        if not goes_together(parts):
            with pytest.raises(UsageError) as refusal:
                resolve(flags_of(parts))
            said = str(refusal.value)
            assert sum(name in said for name in parts) >= 2, said


def check(
    parts: Parts, channels: int, folder: Path, monkeypatch: pytest.MonkeyPatch, script
) -> None:
    """Train, undisturbed and killed in the middle of the last stage; the same bits; draw."""
    picture = write_picture(folder / "picture.png")
    options = TINY | flags_of(parts) | {
        "input_name": str(picture), "nc_im": channels, "niter": 4, "precision": "fp32",
        "checkpoint_seconds": 0.0, "output_dir": str(folder / "undisturbed"), "min_size": 12,
        "max_size": 30,
    }  # fmt: skip
    undisturbed = ConSinGAN.train(**options)

    step, calls = Judge.critic_step, []

    def dying(self: Judge, *arguments: object, **more: object) -> object:
        calls.append(None)
        if len(calls) == 4 * 3 + 5:  # in the second iteration of the second stage
            raise Killed
        return step(self, *arguments, **more)  # type: ignore[arg-type]

    options["output_dir"] = str(folder / "killed")
    with monkeypatch.context() as patch, pytest.raises(Killed):
        patch.setattr(Judge, "critic_step", dying)
        ConSinGAN.train(**options)
    run = only_run(options)
    launch.resume(run.path, {})
    assert_same_result(undisturbed, run.path)

    outcome = script(evaluate_model, "--model_dir", run.path, "--num_samples", 2, "--not_cuda")
    assert outcome.code == 0, outcome.err
    assert len(list(run.path.rglob("Evaluation/**/*.png"))) >= 2
    model = ConSinGAN.load(run.path, device="cpu")
    first, second = model.sample(2, seed=1)
    assert first.shape[1] == channels
    assert bool(first.isfinite().all())
    assert bool(second.isfinite().all())
    assert torch.equal(next(iter(model.sample(1, seed=1))), first)


@pytest.mark.parametrize(
    ("parts", "channels"), [(parts, (1, 3)[i % 2]) for i, parts in enumerate(SOME)]
)
def test_every_pair_of_parts_trains_resumes_and_draws(
    parts: Parts, channels: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script
) -> None:
    check(parts, channels, tmp_path, monkeypatch, script)


@pytest.mark.product
@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("parts", ALL)
def test_every_combination_trains_resumes_and_draws(
    parts: Parts, channels: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script
) -> None:
    check(parts, channels, tmp_path, monkeypatch, script)
