"""Wrong input to both scripts: one line that names the flag or file, exit code 2, nothing made."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from conftest import ROOT, TINY, Outcome, as_flags, files_below, paint, write_mask, write_picture
from PIL import Image

import evaluate_model
import main_train
from ConSinGAN import images
from ConSinGAN.run import RunDirectory

Script = Callable[..., Outcome]
Case = tuple[str, str]  # the words of a command line, and a pattern that the message contains


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory, trained: Callable[[str], Path]) -> Path:
    """A folder full of good and bad files, and runs of three modes."""
    folder = tmp_path_factory.mktemp("bad")
    write_picture(folder / "picture.png")
    write_picture(folder / "naive.png", seed=1)
    write_mask(folder / "naive_mask.png")
    write_picture(folder / "wide.png", 32, 96)
    write_picture(folder / "tall.png", 44, 48)
    write_picture(folder / "empty.png")
    write_picture(folder / "broken.png")
    write_picture(folder / "wrong.png")
    write_picture(folder / "small.png", 11, 11)
    write_picture(folder / "flat.png", 12, 400)
    write_picture(folder / "one.png", 1, 1)
    write_picture(folder / "line.png", 1, 40)
    Image.new("L", (48, 32)).save(folder / "empty_mask.png")
    write_mask(folder / "wrong_mask.png", 32, 96)
    (folder / "broken_mask.png").write_text("no mask")
    (folder / "text.txt").write_text("no picture")
    (folder / "text.jpg").write_text("no picture")
    (folder / "nothing.png").touch()
    (folder / "folder.png").mkdir()
    for extension in ("jpg", "png", "webp"):
        whole = folder / f"whole.{extension}"
        Image.fromarray(paint(64, 64)).save(whole)
        data = whole.read_bytes()
        (folder / f"cut.{extension}").write_bytes(data[: len(data) // 2])
    for mode in ("generation", "harmonization", "editing"):
        shutil.copytree(trained(mode), folder / "runs" / mode)
    damage_runs(folder / "runs")
    return folder


def damage_runs(runs: Path) -> None:
    source = runs / "generation"
    names = ("unfinished", "no_noise", "no_reals", "cut_weights", "bad_config", "unknown_key")
    copies = {name: Path(shutil.copytree(source, runs / name)) for name in names}
    shutil.rmtree(copies["unfinished"] / "1")
    (copies["no_noise"] / "noise.safetensors").unlink()
    (copies["no_reals"] / "reals.safetensors").unlink()
    weights = copies["cut_weights"] / "1" / "netG.safetensors"
    weights.write_bytes(weights.read_bytes()[:99])
    (copies["bad_config"] / "config.yaml").write_text("nfc: [")
    with (copies["unknown_key"] / "config.yaml").open("a") as file:
        file.write("colour: red\n")
    (runs / "empty").mkdir()


def assert_refused(outcome: Outcome, pattern: str) -> None:
    assert outcome.code == 2, (outcome.code, outcome.err)
    assert outcome.out == ""
    lines = outcome.err.splitlines()
    assert len(lines) == 1, outcome.err
    assert lines[0].startswith("error: ")
    assert pattern in lines[0]
    assert len(lines[0]) < 600


class Began(AssertionError):
    """Work began on input that should have been refused."""


@pytest.fixture
def no_work(monkeypatch: pytest.MonkeyPatch) -> None:
    """Stop as soon as a script starts to train or to draw, so that failures are quick."""

    def begin(*_: object) -> None:
        raise Began

    monkeypatch.setattr(RunDirectory, "save_pictures", begin)
    monkeypatch.setattr(images, "save_image", begin)


@pytest.fixture
def unchanged(place: Path, no_work: None, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Work in the place; afterwards no file has come or gone."""
    monkeypatch.chdir(place)
    before = files_below(place)
    yield
    new = files_below(place) - before
    for path in (*(place / name for name in new), place / "TrainedModels"):
        shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)
    assert new == set()


# Numbers --------------------------------------------------------------------------------------

COUNTS = ("min_size", "max_size", "nfc", "num_layer", "ker_size", "nc_im", "train_depth", "niter",
          "Gsteps", "Dsteps", "preview_every", "train_stages")  # fmt: skip
INDICES = ("start_scale", "padd_size", "manualSeed", "gpu")
RATES = ("lr_g", "lr_d", "gamma")
WEIGHTS = ("lr_scale", "lambda_grad", "alpha", "noise_amp", "lrelu_alpha", "beta1")
TOO_LARGE = {
    "train_stages": 33, "nfc": 4097, "num_layer": 65, "ker_size": 33, "padd_size": 2, "nc_im": 4,
    "manualSeed": 2**63, "lrelu_alpha": 1.1, "beta1": 1, "min_size": 25, "niter": 10**400,
    "max_size": 10**400, "preview_every": 10**400, "Dsteps": 10**400, "Gsteps": 10**400,
    "gpu": 99,
}  # fmt: skip

EVAL_COUNTS = ("num_samples", "num_frames", "fps")
EVAL_RATES = ("scale_h", "scale_w")
EVAL_TOO_LARGE = {
    "fps": 51, "seed": 2**63, "scale_h": 1e308, "scale_w": 1e6, "num_frames": 10**400,
    "num_samples": 10**400, "gpu": 99,
}  # fmt: skip


def number_cases(counts: tuple, indices: tuple, rates: tuple, weights: tuple) -> list[Case]:
    whole = ("-1", "1.5", "x", "nan", "1e3", "")
    real = ("-0.1", "nan", "inf", "-inf", "x", "")
    values = [(name, value) for name in counts for value in (*whole, "0")]
    values += [(name, value) for name in indices for value in whole]
    values += [(name, value) for name in rates for value in (*real, "0")]
    values += [(name, value) for name in weights for value in real]
    return [(f"--{name}={value}", f"--{name}") for name, value in values]


def too_large_cases(values: dict) -> list[Case]:
    return [(f"--{name}={value}", f"--{name}") for name, value in values.items()]


# Training -------------------------------------------------------------------------------------

TRAIN: list[Case] = [
    # pictures
    *((f"--input_name {name}", name) for name in (
        "missing.png", "folder.png", "text.txt", "text.jpg", "nothing.png", "one.png", "line.png",
        "cut.jpg", "cut.png", "cut.webp", "/dev/null", "runs", "x" * 300, "picture.png/x",
    )),
    ("--input_name=", "--input_name"),
    ("--input_name small.png", "--min_size"),
    ("--input_name flat.png", "--min_size"),
    # flags
    ("--train_mode other", "generation"),
    ("--train_mode", "--train_mode"),
    ("--train_mode Generation", "--train_mode"),
    ("--activation relu", "lrelu"),
    ("--precision fp64", "fp32"),
    ("--nitre 3", "--nitre"),
    ("--nite 3", "--nite"),
    ("stray", "stray"),
    ("--niter", "--niter"),
    ("--niter 3 4", "4"),
    ("--batch_norm=yes", "--batch_norm"),
    ("--not_cuda=1", "--not_cuda"),
    ("--seed 3", "--seed"),
    # values that do not go together
    ("--train_stages 1", "--train_stages"),
    ("--max_size 11", "--max_size"),
    ("--min_size 17", "--min_size"),
    ("--ker_size 4", "--ker_size"),
    ("--ker_size 1 --padd_size 1", "--padd_size"),
    ("--nc_im 2", "--nc_im"),
    ("--min_size 8", "--min_size"),
    ("--ker_size 9", "--"),
    ("--num_layer 20", "--"),
    # fine-tuning
    ("--fine_tune", "--model_dir"),
    ("--fine_tune --train_mode harmonization", "--model_dir"),
    ("--fine_tune --model_dir missing --naive_img naive.png", "--model_dir missing"),
    ("--fine_tune --model_dir picture.png --naive_img naive.png", "--model_dir picture.png"),
    ("--fine_tune --model_dir runs/empty --naive_img naive.png", "--model_dir runs/empty"),
    ("--fine_tune --model_dir= --naive_img naive.png", "--model_dir"),
    ("--model_dir runs/harmonization", "--fine_tune"),
    ("--fine_tune --model_dir runs/generation", "--fine_tune"),
    ("--fine_tune --model_dir runs/generation --naive_img naive.png", "generation"),
    ("--fine_tune --model_dir runs/harmonization", "--naive_img"),
    ("--fine_tune --model_dir runs/bad_config --naive_img naive.png", "config.yaml"),
    # naive pictures and masks
    ("--naive_img naive.png", "--naive_img"),
    ("--train_mode animation --naive_img naive.png", "--naive_img"),
    *((f"--train_mode {mode} --naive_img {name}", name)
      for mode in ("harmonization", "editing")
      for name in ("missing.png", "wide.png", "text.txt", "folder.png", "one.png", "cut.jpg",
                   )),
    ("--train_mode harmonization --naive_img empty.png", "empty_mask.png"),
    ("--train_mode harmonization --naive_img wrong.png", "wrong_mask.png"),
    ("--train_mode editing --naive_img broken.png", "broken_mask.png"),
    # places
    ("--output_dir picture.png", "picture.png"),
    ("--output_dir picture.png/deep", "picture.png"),
    ("--output_dir /dev/null", "/dev/null"),
    ("--config missing.yaml", "missing.yaml"),
    ("--config folder.png", "folder.png"),
    ("--config picture.png", "picture.png"),
    ("--config text.txt", "text.txt"),
    ("--config=", "--config"),
    # numbers
    *number_cases(COUNTS, INDICES, RATES, WEIGHTS),
    *too_large_cases(TOO_LARGE),
]  # fmt: skip

FINE_TUNE: list[Case] = [
    ("--train_mode editing", "--train_mode"),
    ("--train_mode generation", "--train_mode"),
    ("--nfc 8", "--nfc"),
    ("--train_stages 3", "--train_stages"),
    ("--no-batch_norm", "--batch_norm"),
    ("--activation elu", "--activation"),
    ("--naive_img wide.png", "wide.png"),
    ("--naive_img missing.png", "missing.png"),
    ("--naive_img empty.png", "empty_mask.png"),
    ("--input_name missing.png", "missing.png"),
    ("--input_name tall.png", "naive.png"),
    ("--input_name small.png", "--min_size"),
    ("--niter 0", "--niter"),
]


@pytest.mark.parametrize(("words", "pattern"), TRAIN)
@pytest.mark.usefixtures("unchanged")
def test_training_refuses(words: str, pattern: str, script: Script) -> None:
    good = as_flags(TINY | {"input_name": "picture.png"})
    if "gpu" in words:
        good.remove("--not_cuda")
    assert_refused(script(main_train, *good, *words.split(" ")), pattern)


@pytest.mark.parametrize(("words", "pattern"), FINE_TUNE)
@pytest.mark.usefixtures("unchanged")
def test_fine_tuning_refuses(words: str, pattern: str, script: Script) -> None:
    options = {"model_dir": "runs/harmonization", "naive_img": "naive.png", "niter": 2}
    good = as_flags({"fine_tune": True, "not_cuda": True, "input_name": "picture.png"} | options)
    assert_refused(script(main_train, *good, *words.split()), pattern)


YAML: list[Case] = [
    ("niter: 0", "niter"), ("niter: -3", "niter"), ("niter: 2.5", "niter"),
    ("niter: '5'", "niter"), ("niter: true", "niter"), ("niter: null", "niter"),
    ("niter: [5]", "niter"), ("niter:", "niter"), ("niter: {a: 1}", "niter"),
    ("niter: .nan", "niter"), ("niter: 2020-01-01", "niter"),
    ("lr_g: 0", "lr_g"), ("lr_g: .nan", "lr_g"), ("lr_g: .inf", "lr_g"), ("lr_g: high", "lr_g"),
    ("lr_g: true", "lr_g"), ("lr_g: 1" + "0" * 400, "lr_g"),
    ("batch_norm: 1", "batch_norm"), ("batch_norm: 'yes'", "batch_norm"),
    ("train_mode: other", "train_mode"), ("train_mode: 3", "train_mode"),
    ("train_mode: [generation]", "train_mode"), ("train_mode: null", "train_mode"),
    ("activation: relu", "activation"), ("input_name: 3", "input_name"),
    ("input_name: null", "input_name"), ("output_dir: {}", "output_dir"),
    ("nitre: 5", "niter"), ("colour: red", "colour"), ("1: 2", "bad.yaml"),
    ("draft: true", "draft"),
    ("- niter", "bad.yaml"), ("niter", "bad.yaml"), ("", "bad.yaml"), ("a: [", "bad.yaml"),
    ("\t- a", "bad.yaml"), ("? [a]\n: 1", "bad.yaml"), ("!!python/object:os.x {}", "bad.yaml"),
    ("a: &a [*a]", "bad.yaml"), ("a: 1\na", "bad.yaml"), ("\x00", "bad.yaml"),
    ("fine_tune: true", "model_dir"), ("model_dir: runs/editing", "fine_tune"),
    ("max_size: 11", "max_size"), ("ker_size: 4", "ker_size"), ("manualSeed: -1", "manualSeed"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "pattern"), YAML)
@pytest.mark.usefixtures("no_work")
def test_configuration_files_are_checked_as_strictly(
    text: str, pattern: str, tmp_path: Path, script: Script, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    write_picture(tmp_path / "picture.png")
    (tmp_path / "bad.yaml").write_text(text)
    flags = ["--config", "bad.yaml", "--not_cuda"]
    if "input_name" not in text:
        flags += ["--input_name", "picture.png"]
    assert_refused(script(main_train, *flags), pattern)
    assert files_below(tmp_path) == {"picture.png", "bad.yaml"}


# Evaluation -----------------------------------------------------------------------------------

EVALUATE: list[Case] = [
    *((f"--model_dir {name}", name) for name in (
        "missing", "picture.png", "runs/empty", "runs", "runs/unfinished", "runs/no_noise",
        "runs/no_reals", "runs/cut_weights", "runs/bad_config", "runs/unknown_key",
    )),
    ("--model_dir", "--model_dir"),
    ("--model_dir=", "--model_dir"),
    ("--format tiff", "--format"),
    ("--niter 3", "--niter"),
    ("stray", "stray"),
    ("--size 20", "--size"),
    ("--size 20 0", "--size"),
    ("--size -3 20", "--size"),
    ("--size 2.5 20", "--size"),
    ("--size a b", "--size"),
    ("--size 20 20 20", "20"),
    ("--size 1000000 1000000", "--size"),
    ("--naive_img naive.png", "--naive_img"),
    ("--mask naive_mask.png", "--mask"),
    ("--loop", "--loop is an option of --task animation"),
    ("--task other", "--task"),
    ("--task editing", "samples"),
    ("--task animation --fps 60", "--num_samples is an option of"),
    ("--format mp4", "--format mp4: --task samples"),
    ("--format bmp", "--format"),
    ("--window 0 0 5", "--window"),
    ("--window 0 0 500 5", "window"),
    ("--window 0 0 0 5", "window"),
    *number_cases(EVAL_COUNTS, ("seed", "gpu"), EVAL_RATES, ()),
    *too_large_cases(EVAL_TOO_LARGE),
    ("--num_frames 1", "--num_frames"),
]  # fmt: skip

COMPOSE: list[Case] = [
    ("", "--naive_img"),
    ("--naive_img naive.png --loop", "--loop"),
    ("--naive_img missing.png", "missing.png"),
    ("--naive_img folder.png", "folder.png"),
    ("--naive_img text.txt", "text.txt"),
    ("--naive_img one.png", "one.png"),
    ("--naive_img cut.jpg", "cut.jpg"),
    ("--naive_img wide.png", "wide.png"),
    ("--naive_img=", "--naive_img"),
    ("--naive_img empty.png", "empty_mask.png"),
    ("--naive_img wrong.png", "wrong_mask.png"),
    ("--naive_img broken.png", "broken_mask.png"),
    ("--mask naive_mask.png", "--naive_img"),
    ("--naive_img naive.png --mask missing.png", "missing.png"),
    ("--naive_img naive.png --mask folder.png", "folder.png"),
    ("--naive_img naive.png --mask text.txt", "text.txt"),
    ("--naive_img naive.png --mask wrong_mask.png", "wrong_mask.png"),
    ("--naive_img naive.png --mask empty_mask.png", "empty_mask.png"),
    ("--naive_img naive.png --mask=", "--mask"),
]


@pytest.mark.parametrize(("words", "pattern"), EVALUATE)
@pytest.mark.usefixtures("unchanged")
def test_evaluation_refuses(words: str, pattern: str, script: Script) -> None:
    good = ["--model_dir", "runs/generation", "--num_samples", 1]
    if "gpu" not in words:
        good.append("--not_cuda")
    assert_refused(script(evaluate_model, *good, *words.split(" ")), pattern)


@pytest.mark.parametrize("mode", ["harmonization", "editing"])
@pytest.mark.parametrize(("words", "pattern"), COMPOSE)
@pytest.mark.usefixtures("unchanged")
def test_composing_refuses(words: str, pattern: str, mode: str, script: Script) -> None:
    good = ["--model_dir", f"runs/{mode}", "--not_cuda"]
    assert_refused(script(evaluate_model, *good, *words.split()), pattern)


@pytest.mark.usefixtures("unchanged")
def test_a_model_to_evaluate_is_needed(script: Script) -> None:
    assert_refused(script(evaluate_model), "--model_dir")


# As a user sees it ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "words", "pattern"),
    [
        ("main_train.py", "--input_name missing.png", "missing.png"),
        ("main_train.py", "--train_stages 1", "--train_stages"),
        ("evaluate_model.py", "--model_dir missing", "missing"),
    ],
)
def test_from_a_shell(name: str, words: str, pattern: str, tmp_path: Path) -> None:
    command = [sys.executable, str(ROOT / name), *words.split()]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert_refused(Outcome(done.returncode, done.stdout, done.stderr), pattern)
    assert files_below(tmp_path) == set()
