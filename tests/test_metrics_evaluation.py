"""`evaluate_model.py --metrics`, for every mode: one file, with what the samples' files tell."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable
from dataclasses import fields
from pathlib import Path

import pytest
import yaml
from conftest import Outcome, files_below, write_mask, write_picture
from specimens import write_inception

import ConSinGAN
import evaluate_model
from ConSinGAN import console, files, images, modes
from ConSinGAN.metrics import __main__ as command
from ConSinGAN.modes.composite import Composite
from ConSinGAN.registry import TASKS

Script = Callable[..., Outcome]
RunOf = Callable[[str], Path]

GIVEN = [mode.name for mode in modes.all_modes() if TASKS.load(mode.default_task)().reads_picture]
PAIRED = [mode.name for mode in modes.all_modes() if mode.method == "paired"]
COMPOSITES = [mode for mode in modes.names() if isinstance(modes.get(mode), Composite)]
EACH = {"sliced_wasserstein", "coherence", "completeness", "copying"}


@pytest.fixture(autouse=True)
def _no_weights(torch_home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As on a machine without networks."""
    monkeypatch.setitem(sys.modules, "lpips", None)


@pytest.fixture
def run_of(
    trained: Callable[[str], Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> RunOf:
    """A copy of a trained run in the working directory, whose weights make noise visible."""
    write_picture(tmp_path / "naive.png", seed=1)
    write_mask(tmp_path / "naive_mask.png")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(console, "LINE_SECONDS", float("inf"))  # else slow machines say more

    def copy(mode: str) -> Path:
        run = shutil.copytree(trained(mode), Path(mode))
        path = run / "1" / "netG.safetensors"
        weights, _ = files.load_tensors(path)
        files.save_tensors(path, {name: 6 * w for name, w in weights.items()})
        return run

    return copy


def evaluate(script: Script, run: Path, *words: object) -> str:
    flags = ["--model_dir", run, "--not_cuda"]
    options = TASKS.find(modes.get(run.name).default_task).options()
    few = {"naive_img": "naive.png", "content_img": "naive.png", "num_samples": 3}
    own = few.keys() & {field.name for field in fields(options)} if options else set()
    flags += [word for name in sorted(own) for word in (f"--{name}", few[name])]
    outcome = script(evaluate_model, *flags, *words)
    assert (outcome.code, outcome.err) == (0, "")
    return outcome.out


def metrics(script: Script, run: Path, *words: object) -> dict:
    evaluate(script, run, "--metrics", *words)
    return yaml.safe_load((run / "Evaluation" / "metrics.yaml").read_text())


def compare(script: Script, *words: object) -> dict:
    """What the command says about pictures in files."""
    assert script(command, *words, "--output", "files.yaml", "--not_cuda").code == 0
    return yaml.safe_load(Path("files.yaml").read_text())


@pytest.mark.parametrize("mode", modes.names())
def test_one_file_is_written(mode: str, run_of: RunOf, script: Script) -> None:
    run = run_of(mode)
    before = files_below(run)
    out = evaluate(script, run, "--metrics")
    assert files_below(run) == before | {"Evaluation/metrics.yaml"}
    assert out.endswith(f"done: {run / 'Evaluation'}\n")
    content = yaml.safe_load((run / "Evaluation" / "metrics.yaml").read_text())
    shown = {line.split()[0] for line in out.splitlines()[1:-1] if not line.startswith("note: ")}
    assert shown == set(content["metrics"])
    alone = [*COMPOSITES, *PAIRED, *GIVEN]
    assert shown == (EACH if mode in alone else EACH | {"pixel_diversity"})
    measured = {"animation": 50} | dict.fromkeys(alone, 1)
    assert content["num_samples"] == measured.get(mode, 3)
    assert (content["seed"], content["model"]) == (0, str(run))
    assert content["settings"]["precision"] in ("fp32", "bf16")


def assert_same_metrics(content: dict, again: dict) -> None:
    for key in ("metrics", "num_samples", "sizes", "real_size", "seed"):
        assert content[key] == again[key]
    assert content["metrics"]["coherence"]["value"] > 1


@pytest.mark.parametrize("mode", ["generation", "retarget"])
@pytest.mark.parametrize(
    ("words", "folder", "size"),
    [
        ([], "random_samples", "24x16"),
        (["--size", 21, 50], "random_samples_size_h_21_w_50", "50x21"),
        (["--scale_w", 1.5], "random_samples_scale_h_1_scale_w_1.5", "36x16"),
    ],
)
def test_samples_are_measured_as_their_files(
    mode: str, words: list, folder: str, size: str, run_of: RunOf, script: Script
) -> None:
    run = run_of(mode)
    words = [*words, "--seed", 4]
    content = metrics(script, run, *words)
    assert content["sizes"] == {size: 3}
    assert content["metrics"]["pixel_diversity"]["value"] > 0.01
    assert any("not brought to one size" in note for note in content["notes"]) == (size != "24x16")
    evaluate(script, run, *words)
    samples = run / "Evaluation" / folder
    again = compare(script, run / "1" / "real_scale.png", samples, "--seed", 4)
    assert_same_metrics(content, again)


def test_animations_are_measured_by_random_pictures(run_of: RunOf, script: Script) -> None:
    run = run_of("animation")
    content = metrics(script, run, "--seed", 4, "--precision", "fp32")
    Path("samples").mkdir()
    model = ConSinGAN.load(run, precision="fp32")
    for index, picture in enumerate(model.sample(50, seed=4)):
        images.save_image(picture, Path("samples") / f"{index}.png")
    again = compare(script, run / "1" / "real_scale.png", Path("samples"), "--seed", 4)
    assert_same_metrics(content, again)


@pytest.mark.parametrize("mode", COMPOSITES)
def test_composites_are_measured_as_their_files(mode: str, run_of: RunOf, script: Script) -> None:
    """The whole output: a mask would leave the naive picture in most of it."""
    run = run_of(mode)
    content = metrics(script, run)
    evaluate(script, run)
    (result,) = (run / "Evaluation").glob("*_wo_mask_*.png")
    assert_same_metrics(content, compare(script, run / "1" / "real_scale.png", result))


def test_seeds_repeat_what_was_measured(run_of: RunOf, script: Script) -> None:
    run = run_of("generation")
    first, again, other = (metrics(script, run, "--seed", seed) for seed in (4, 4, 5))
    assert first == again
    assert other["metrics"]["coherence"] != first["metrics"]["coherence"]


def test_sifid_by_a_named_file(run_of: RunOf, script: Script) -> None:
    weights = write_inception(Path("weights.pth"))
    run = run_of("generation")
    assert "sifid_64" not in metrics(script, run)["metrics"]
    content = metrics(script, run, "--inception_weights", weights)
    assert content["metrics"]["sifid_64"]["value"] > 0
    assert content["metrics"]["sifid_64"]["std"] > 0
    assert content["settings"]["sifid"]["weights"] == "weights.pth"
    evaluate(script, run)
    pictures = run / "1" / "real_scale.png", run / "Evaluation" / "random_samples"
    assert_same_metrics(content, compare(script, *pictures, "--inception_weights", weights))


@pytest.mark.parametrize(
    ("mode", "words", "message"),
    [
        ("generation", ["--inception_weights", "none.pth"], "--inception_weights none.pth"),
        ("generation", ["--inception_weights", "naive.png"], "--inception_weights naive.png"),
        ("generation", ["--size", 6, 30], "30x6 pixels is smaller than a patch of 7x7"),
        ("generation", ["--naive_img", "naive.png"], "--naive_img"),
        ("editing", [], "--naive_img"),
        ("editing", ["--naive_img", "none.png"], "--naive_img none.png"),
    ],
)
def test_nothing_is_written_after_wrong_words(
    mode: str, words: list, message: str, run_of: RunOf, script: Script
) -> None:
    run = run_of(mode)
    before = files_below(run)
    outcome = script(evaluate_model, "--model_dir", run, "--metrics", "--not_cuda", *words)
    assert (outcome.code, outcome.out) == (2, "")
    (line,) = outcome.err.splitlines()
    assert line.startswith("error: ")
    assert message in line
    assert files_below(run) == before
    assert not (run / "Evaluation").exists()
