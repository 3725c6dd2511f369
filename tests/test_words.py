"""What errors say: the user's own names, sizes and lines, and only what helps."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from conftest import Outcome, write_picture
from test_model import make_model

import ConSinGAN
import evaluate_model
import main_train
from ConSinGAN import hardware, lock
from ConSinGAN.config import TrainConfig
from ConSinGAN.errors import UsageError
from ConSinGAN.model import ImageModel
from ConSinGAN.run import RunDirectory, run_name

Script = Callable[..., Outcome]


# Configuration files ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "line", "word"),
    [
        ("niter: 5\nnfc: [\n", 3, "not a YAML file"),
        ("niter: 5\n\tnfc: 3\n", 2, "not a YAML file"),
        ("niter: 5\nnfc: 3: 4\n", 2, "mapping values"),
        ("# sizes\nniter: 5\nnitre: 3\n", 3, "did you mean 'niter'"),
        ("# sizes\n\nlr_g: 0\nniter: 5\n", 3, "--lr_g must be"),
        ("niter: 5\nnfc: 4\nniter: 6\n", 3, "'niter' is there twice"),
    ],
)
def test_errors_in_yaml_carry_their_line(
    text: str, line: int, word: str, tmp_path: Path, script: Script
) -> None:
    path = tmp_path / "options.yaml"
    path.write_text(text)
    outcome = script(main_train, "--config", path)
    assert outcome.code == 2
    assert f"{path}, line {line}: " in outcome.err
    assert word in outcome.err
    assert len(outcome.err.splitlines()) == 1


@pytest.mark.parametrize("how", ["yaml", "flag"])
def test_a_tilde_is_the_users_home(
    how: str, tmp_path: Path, script: Script, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)
    (tmp_path / "home").mkdir()
    write_picture(tmp_path / "home" / "picture.png")
    values = {"input_name": "~/picture.png", "output_dir": "~/runs"}
    words = ["--train_stages", 2, "--min_size", 12, "--max_size", 24, "--nfc", 4, "--niter", 1]
    if how == "yaml":
        text = "".join(f"{name}: {value}\n" for name, value in values.items())
        (tmp_path / "home" / "o.yaml").write_text(text)
        words.append("--config=~/o.yaml")
    else:
        words += [f"--{name}={value}" for name, value in values.items()]
    assert script(main_train, *words, "--not_cuda").code == 0
    assert {path.name for path in tmp_path.iterdir()} == {"home"}
    (run,) = (tmp_path / "home" / "runs" / "picture").iterdir()
    words = [f"--model_dir=~/runs/picture/{run.name}", "--output_dir=~/out"]
    assert script(evaluate_model, *words, "--num_samples", 1, "--scale_h", 1).code == 0
    assert (tmp_path / "home" / "out" / "random_samples").is_dir()
    assert script(main_train, f"--resume=~/runs/picture/{run.name}").code == 0


def test_a_home_that_is_nobodys_is_a_name() -> None:
    with pytest.raises(UsageError, match=r"~nobody-here/a\.png: there is no such file"):
        ConSinGAN.train(input_name="~nobody-here/a.png")


# Names --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name", ["...png", "..png", "....", ".png", "/a/b/...jpg", "C:\\pics\\...png"]
)
def test_every_run_stays_in_the_output_folder(name: str, tmp_path: Path) -> None:
    config = TrainConfig(input_name=name, output_dir=str(tmp_path / "runs"))
    run = RunDirectory.create(config, "cpu")
    assert run.path.resolve().parent.parent == (tmp_path / "runs").resolve()
    assert run_name(config, "now").split("/")[0] in ("picture", ".png")


@pytest.mark.parametrize("name", ["it's.png", "$HOME.png", "`ls`.png", "a b.png"])
def test_the_next_command_can_be_pasted(name: str, tmp_path: Path, script: Script) -> None:
    write_picture(tmp_path / name)
    words = ["--train_stages", 2, "--min_size", 12, "--max_size", 24, "--nfc", 4, "--niter", 1]
    words += ["--input_name", tmp_path / name, "--output_dir", tmp_path, "--not_cuda"]
    outcome = script(main_train, *words)
    assert outcome.code == 0
    command = outcome.out.split("then: python ")[1].strip()
    stand_in = f"{sys.executable} -c 'import sys; print(sys.argv[-1])' {command}"
    done = subprocess.run(["sh", "-c", stand_in], capture_output=True, text=True, check=True)
    assert Path(done.stdout.rstrip("\n")).is_dir()


# Sizes --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("words", "flag"), [(["--size", 9000, 9000], "--size"), (["--scale_h", 90], "--scale_h")]
)
def test_too_large_samples_are_blamed_on_what_was_typed(
    words: list, flag: str, trained: Callable, script: Script, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = trained("generation")
    monkeypatch.setattr(hardware, "memory", lambda device: 1e5)
    outcome = script(evaluate_model, "--model_dir", run, *words, "--not_cuda", "--tile", 0)
    assert outcome.code == 2
    assert f"error: {flag}" in outcome.err


def test_where_memory_is_unknown_nothing_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(os, "sysconf")
    assert hardware.memory(torch.device("cpu")) == float("inf")
    hardware.check_training_size(2**60, 5000, (5000, 5000), torch.device("cpu"))


def test_the_training_picture_has_the_size_of_its_file(
    trained: Callable, tmp_path: Path, script: Script
) -> None:
    """48x32, of which the finest stage is 24x16."""
    naive = write_picture(tmp_path / "naive.png", 40, 44)
    words = ["--model_dir", trained("editing"), "--naive_img", naive, "--not_cuda"]
    assert "44x40 does not fit the training picture, 48x32" in script(evaluate_model, *words).err
    options = {"train_mode": "editing", "input_name": write_picture(tmp_path / "picture.png")}
    with pytest.raises(UsageError, match="44x40 does not fit the training picture, 48x32"):
        ConSinGAN.train(**options, naive_img=naive, max_size=24, min_size=12)


# A run in use -------------------------------------------------------------------------------------


def test_a_run_that_is_being_trained_says_so(
    trained: Callable, tmp_path: Path, script: Script
) -> None:
    import shutil

    run = shutil.copytree(trained("generation"), tmp_path / "run")
    shutil.rmtree(run / "1")
    words = ["--model_dir", run, "--not_cuda"]
    with RunDirectory(run).lock():
        assert "is being trained right now" in script(evaluate_model, *words).err
    assert "go on with: python main_train.py --resume" in script(evaluate_model, *words).err
    assert lock.is_held(run) is False


def test_a_lock_that_cannot_be_removed_while_it_is_held(
    trained: Callable, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As on Windows."""
    held, unlink = [], Path.unlink

    def refuse(path: Path, missing_ok: bool = False) -> None:
        if path.name == lock.NAME and held:
            raise PermissionError(13, "The file is used by another process", str(path))
        unlink(path, missing_ok)

    acquire, release = lock.filelock.FileLock.acquire, lock.filelock.FileLock.release
    monkeypatch.setattr(
        lock.filelock.FileLock, "acquire", lambda self, **k: (held.append(1), acquire(self, **k))
    )
    monkeypatch.setattr(
        lock.filelock.FileLock, "release", lambda self, **k: (held.clear(), release(self, **k))
    )
    monkeypatch.setattr(Path, "unlink", refuse)
    options = {"input_name": write_picture(tmp_path / "a.png"), "output_dir": tmp_path}
    run = ConSinGAN.train(
        **options, train_stages=2, min_size=12, max_size=24, nfc=4, niter=1, not_cuda=True
    )
    assert not (run / lock.NAME).exists()


# From Python --------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def model() -> ImageModel:
    return make_model("generation")


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        ({"scale": 2}, "scale"),
        ({"scale": (1, 2, 3)}, "scale"),
        ({"scale": "ab"}, "scale"),
        ({"scale": (0, 1)}, "scale_h"),
        ({"scale": (1, -2)}, "scale_w"),
        ({"scale": (1, float("nan"))}, "scale_w"),
        ({"scale": (1, 1e9)}, "scale_w"),
        ({"size": (0, 5)}, "size"),
        ({"size": 20}, "size"),
        ({"size": (20, 20.5)}, "size"),
        ({"size": (20, "20")}, "size"),
        ({"size": (20, 10**9)}, "size"),
        ({"num": 0}, "num_samples"),
        ({"num": 2.5}, "num_samples"),
        ({"seed": -1}, "seed"),
        ({"seed": "x"}, "seed"),
    ],
    ids=str,
)
def test_sampling_refuses_at_once(model: ImageModel, arguments: dict, word: str) -> None:
    with pytest.raises(UsageError, match=word):
        model.sample(**arguments)


def test_numbers_of_other_libraries_are_numbers(model: ImageModel) -> None:
    drawn = list(model.sample(np.int64(1), seed=np.int32(2), size=np.array([20, 30])))
    assert drawn[0].shape == (1, 3, 20, 30)
    assert len(list(model.sample(torch.tensor(2), scale=[np.float32(1.5), 1]))) == 2


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        ({"num_frames": 1}, "num_frames"),
        ({"num_frames": 2.5}, "num_frames"),
        ({"start_scale": -1}, "start_scale"),
        ({"alpha": 2}, "alpha"),
        ({"beta": float("nan")}, "beta"),
        ({"alpha": None}, "alpha"),
        ({"alpha": 0, "loop": True}, "alpha"),
        ({"seed": -1}, "seed"),
    ],
    ids=str,
)
def test_animating_refuses_at_once(model: ImageModel, arguments: dict, word: str) -> None:
    with pytest.raises(UsageError, match=word):
        model.animate(**arguments)


GOOD = torch.zeros(1, 3, 48, 72)


@pytest.mark.parametrize("mode", ["harmonization", "editing"])
@pytest.mark.parametrize(
    ("naive", "mask", "word"),
    [
        (torch.zeros(1, 1, 48, 72), None, "naive"),
        (torch.zeros(1, 4, 48, 72), None, "naive"),
        (torch.zeros(2, 3, 48, 72), None, "naive"),
        (torch.zeros(3, 48, 72), None, "naive"),
        (torch.zeros(1, 3, 1, 72), None, "naive"),
        (np.zeros((48, 72, 3)), None, "naive"),
        (torch.full((1, 3, 48, 72), float("nan")), None, "naive"),
        (torch.zeros(1, 3, 48, 72, dtype=torch.uint8), None, "naive"),
        ("naive.png", None, "naive"),
        (torch.zeros(1, 3, 72, 48), None, "48x72 does not fit the training picture"),
        (GOOD, torch.ones(1, 3, 48, 72), "mask"),
        (GOOD, torch.ones(48, 72), "mask"),
        (GOOD, torch.ones(1, 1, 72, 48), "mask: its shape 48x72"),
        (GOOD, torch.zeros(1, 1, 48, 72), "the mask is empty"),
        (GOOD, torch.ones(1, 1, 48, 72, dtype=torch.bool), "mask"),
        (GOOD, torch.full((1, 1, 48, 72), 255.0), "mask"),
        (torch.full((1, 3, 48, 72), 200.0), None, r"naive.*\[-1, 1\].*200"),
    ],
)
def test_composing_refuses(mode: str, naive: object, mask: object, word: str) -> None:
    model = make_model(mode)
    for compose in (model.compose, model.harmonize, model.edit):
        with pytest.raises(UsageError, match=word):
            compose(naive, mask)


@pytest.mark.parametrize("device", ["nonsense", "cuda:99", 3.5])
def test_loading_names_a_device_that_is_not_there(trained: Callable, device: object) -> None:
    with pytest.raises(UsageError, match="device"):
        ConSinGAN.load(trained("generation"), device=device)


@pytest.mark.parametrize("path", [None, 3, b"x"])
def test_a_run_is_a_path(path: object) -> None:
    with pytest.raises(UsageError, match=r"^model_dir takes the path"):
        ConSinGAN.load(path)


@pytest.mark.parametrize("seed", [-1, "x"])
def test_composing_refuses_seeds(seed: object) -> None:
    with pytest.raises(UsageError, match="seed"):
        make_model("editing").edit(GOOD, None, seed)


def test_pictures_too_large_for_memory_are_refused_at_once(
    model: ImageModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hardware, "memory", lambda device: 1e6)
    with pytest.raises(UsageError, match="size: a picture of 500x400 pixels needs"):
        model.sample(size=(400, 500))
    with pytest.raises(UsageError, match="scale_h/scale_w: a picture"):
        model.sample(scale=(50, 50))


@pytest.mark.parametrize("path", ["https://example.org/runs/1", "x" * 5000])
def test_a_run_is_named_as_it_was_typed(path: str) -> None:
    with pytest.raises(UsageError, match=r"^model_dir") as caught:
        ConSinGAN.load(path)
    assert path[:200] in str(caught.value)
