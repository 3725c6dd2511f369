"""Runs from before configurations had sections: they open, evaluate, fine-tune and go on.

`fixtures/make_format1.py` made them, with the code as it was at that time.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
import yaml
from conftest import Outcome, as_flags, files_below
from fixtures import make_format1
from fixtures.make_format1 import FINE_TUNED, FIXTURES, MODES, fine_tuning_of, options_of
from torch import Tensor

import ConSinGAN
import evaluate_model
import main_train

ABOUT = yaml.safe_load((FIXTURES / "about.yaml").read_text())
FINISHED = (*MODES, *(f"fine_tuned_{mode}" for mode in FINE_TUNED))
BITS = ("processor", "aten", "torch", "machine")  # what they depend on, besides the threads


@pytest.fixture(autouse=True)
def one_thread(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Everything happens in a fresh folder, with as many threads as in the fixtures."""
    monkeypatch.chdir(tmp_path)
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def copy(name: str) -> Path:
    return Path(shutil.copytree(FIXTURES / name, name))


def copy_pictures() -> None:
    for picture in FIXTURES.glob("*.png"):
        shutil.copy(picture, picture.name)


def assert_same_weights(actual: dict[str, Tensor], name: str) -> None:
    """To the bit on the fixtures' kind of machine, elsewhere within 1e-4 nearly everywhere.

    A weight whose gradient is nothing but rounding, a bias before a norm say, goes by Adam's whole
    step this way or that: with SSE4.1 up to 5 % of these small networks' weights end elsewhere.
    """
    expected = make_format1.weights(FIXTURES / name)
    assert actual.keys() == expected.keys()
    here = make_format1.about()
    if all(here[key] == ABOUT[key] for key in BITS):
        assert make_format1.digest(actual) == ABOUT["hashes"][name]
        assert all(torch.equal(actual[key], expected[key]) for key in expected)
        return
    apart = torch.cat([(actual[key] - expected[key]).abs().flatten() for key in expected])
    assert (apart > 1e-4).double().mean() < 0.1
    assert apart.median() < 1e-5
    assert apart.max() < 2e-2


def test_the_hashes_are_those_of_the_weights() -> None:
    for name in FINISHED:
        assert make_format1.digest(make_format1.weights(FIXTURES / name)) == ABOUT["hashes"][name]


@pytest.mark.parametrize("name", FINISHED)
def test_finished_runs_open(name: str) -> None:
    model = ConSinGAN.load(copy(name))
    real = model.reals[-1]
    assert model.reconstruct().shape == real.shape
    (sample,) = model.sample(1)
    assert sample.shape == real.shape
    assert sample.isfinite().all()


@pytest.mark.parametrize("name", FINISHED)
def test_finished_runs_evaluate(name: str, script: Callable[..., Outcome]) -> None:
    run, words = copy(name), []
    copy_pictures()
    before = files_below(run)
    text = (run / "config.yaml").read_bytes()
    if name.removeprefix("fine_tuned_") in FINE_TUNED:
        words = ["--naive_img", "naive.png"]
    elif name == "animation":
        words = ["--num_frames", 3]
    else:
        words = ["--num_samples", 2]
    outcome = script(evaluate_model, "--model_dir", run, *words)
    assert outcome.code == 0, outcome.err
    new = files_below(run) - before
    assert any(file.startswith("Evaluation/") for file in new)
    assert (run / "config.yaml").read_bytes() == text  # sealed files are never rewritten


@pytest.mark.parametrize("mode", FINE_TUNED)
def test_finished_runs_can_be_fine_tuned(mode: str, script: Callable[..., Outcome]) -> None:
    run = copy(mode)
    copy_pictures()
    outcome = script(main_train, *as_flags(fine_tuning_of(mode, str(run))))
    assert outcome.code == 0, outcome.err
    (made,) = (path.parent for path in Path("runs").rglob("config.yaml"))
    assert_same_weights(make_format1.weights(made), f"fine_tuned_{mode}")


@pytest.mark.parametrize(
    ("stopped", "finished"),
    [
        ("stopped_generation", "generation"),
        ("stopped_fine_tuning", "fine_tuned_harmonization"),
    ],
)
def test_stopped_runs_go_on(stopped: str, finished: str, script: Callable[..., Outcome]) -> None:
    run = copy(stopped)
    outcome = script(main_train, "--resume", run)
    assert outcome.code == 0, outcome.err
    assert_same_weights(make_format1.weights(run), finished)


@pytest.mark.parametrize("mode", MODES)
def test_training_gives_the_weights_that_it_gave_then(mode: str) -> None:
    copy_pictures()
    run = ConSinGAN.train(**options_of(mode))
    assert_same_weights(make_format1.weights(run), mode)
