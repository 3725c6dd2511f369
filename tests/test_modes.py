"""The contract of every mode, also of one that is added as a single new file."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import fields
from pathlib import Path

import pytest
import torch
from conftest import (
    NEEDED,
    ROOT,
    TINY,
    Outcome,
    as_flags,
    files_below,
    write_hole,
    write_mask,
    write_picture,
)
from PIL import Image

import evaluate_model
import main_train
from ConSinGAN import modes
from ConSinGAN.config import SCHEMA, TrainConfig
from ConSinGAN.errors import UsageError
from ConSinGAN.launch import resolve
from ConSinGAN.modes.base import Mode
from ConSinGAN.noise import RandomStreams
from ConSinGAN.pyramid import sizes_of
from ConSinGAN.registry import TASKS

every_mode = pytest.mark.parametrize("mode", modes.all_modes(), ids=modes.names())

EVERY_STAGE = {
    "netG.safetensors", "netD.safetensors", "real_scale.png", "reconstruction_2.png",
    "fake_sample_2.png", "sample_sheet.png", "events",
}  # fmt: skip


def needs_naive(mode: Mode) -> bool:
    return TASKS.load(mode.default_task).reads_picture


# The contract ---------------------------------------------------------------------------------


@every_mode
def test_name_summary_and_defaults(mode: Mode) -> None:
    assert mode.name == mode.name.lower().strip()
    assert mode.summary
    assert "\n" not in mode.summary
    assert modes.get(mode.name) is mode
    for layer in (mode.defaults, mode.fine_tune_defaults):
        for name, value in layer.items():
            assert SCHEMA.check({name: value})[name] == value
    assert mode.name in SCHEMA.make_parser("").format_help()
    resolve({"train_mode": mode.name})


@every_mode
def test_pyramid(mode: Mode) -> None:
    sizes = {"train_stages": 3, "min_size": 12, "max_size": 40}
    config = SCHEMA.build(mode.defaults, {"train_mode": mode.name, **sizes})
    reals = mode.make_pyramid(torch.rand(1, 3, 50, 70) * 2 - 1, config)
    sizes = sizes_of(reals)
    assert len(reals) == 3
    assert sizes == sorted(sizes)
    assert min(sizes[0]) >= 12
    assert max(sizes[-1]) == 40
    assert all(real.abs().max() <= 1 for real in reals)
    scales = mode.spacing(0.7, 4)
    assert len(scales) == 3
    assert scales == sorted(scales)


@every_mode
@pytest.mark.parametrize("channels", [1, 3])
def test_stage_0_inputs(mode: Mode, channels: int) -> None:
    """Shapes are the picture's, all randomness is the streams', the picture stays as it is."""
    real = torch.rand(1, channels, 14, 20) * 2 - 1
    copy = real.clone()
    hooks = [mode.fixed_input, mode.draw_input] + [mode.naive_input] * needs_naive(mode)
    for hook in hooks:
        for seed in range(10):
            out = hook(real, RandomStreams(seed))
            assert out.shape == real.shape
            assert out.dtype == torch.float32
            assert out.isfinite().all()
            assert out.abs().max() < 10
            assert torch.equal(out, hook(real, RandomStreams(seed)))
    assert torch.equal(real, copy)


@pytest.mark.parametrize(
    "mode", [mode for mode in modes.all_modes() if mode.method == "adversarial"], ids=str
)
def test_stage_0_inputs_of_a_batch_differ(mode: Mode) -> None:
    real = torch.rand(1, 3, 14, 20) * 2 - 1
    batch = mode.draw_input(real.expand(6, -1, -1, -1), RandomStreams(0))
    assert batch.shape == (6, 3, 14, 20)
    assert len({round(one.sum().item(), 4) for one in batch}) > 1


@every_mode
def test_train_then_evaluate(
    mode: Mode, tmp_path: Path, script: Callable[..., Outcome], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    write_picture(tmp_path / "picture.png")
    if mode.hides:
        write_hole(tmp_path / "picture_mask.png")
    needed = NEEDED.get(mode.name, {})
    flags = as_flags(TINY | {"train_mode": mode.name, "input_name": "picture.png"} | needed)
    assert script(main_train, *flags).code == 0
    (run,) = (tmp_path / "TrainedModels" / "picture").iterdir()
    files = files_below(run)
    assert {"config.yaml", "reals.safetensors", "noise.safetensors", "sample_sheet.png"} < files
    for stage in range(2):
        drawn = EVERY_STAGE - (set() if "samples" in mode.previews else {"fake_sample_2.png"})
        assert {f"{stage}/{name}" for name in drawn} < files

    if needs_naive(mode):
        write_picture(tmp_path / "naive.png", seed=1)
        write_mask(tmp_path / "naive_mask.png")
    few = {
        "num_samples": 2, "num_frames": 2, "naive_img": "naive.png", "content_img": "naive.png",
    }  # fmt: skip
    options = TASKS.find(mode.default_task).options()
    own = {f.name for f in fields(options)} if options else set()
    words = as_flags({name: value for name, value in few.items() if name in own})
    assert script(evaluate_model, "--model_dir", run, "--not_cuda", *words).code == 0
    drawn = files_below(run) - files
    assert "Evaluation/reconstruction.png" in drawn
    assert len(drawn) > 1
    for name in drawn - {"Evaluation/.manifest", "Evaluation/settings.yaml"}:
        assert name.startswith("Evaluation/")
        with Image.open(run / name) as picture:
            picture.load()


ARCHITECTURES: list[dict[str, object]] = [
        {"nc_im": 1}, {"activation": "elu"}, {"activation": "prelu"}, {"activation": "selu"},
        {"batch_norm": True}, {"ker_size": 1}, {"padd_size": 1}, {"num_layer": 1}, {"nfc": 1},
        {"lrelu_alpha": 0.0}, {"lrelu_alpha": 1.0}, {"train_depth": 1}, {"train_stages": 4},
        {"Gsteps": 1, "Dsteps": 1}, {"niter": 1},
    ]  # fmt: skip
SOME = ({"nc_im": 1}, {"batch_norm": True}, {"padd_size": 1}, {"train_depth": 1})
WHOLE = ("generation", "retarget", "harmonization")  # modes that are tried with all of them


@pytest.mark.parametrize(
    ("mode", "options"),
    [(m, a) for m in modes.all_modes() for a in ARCHITECTURES if m.name in WHOLE or a in SOME],
    ids=str,
)
def test_every_architecture_trains(mode: Mode, options: dict, tmp_path: Path) -> None:
    import ConSinGAN

    picture = write_picture(tmp_path / "picture.png")
    if mode.hides:
        write_hole(tmp_path / "picture_mask.png")
    places = {"input_name": str(picture), "output_dir": str(tmp_path)}
    needed = NEEDED.get(mode.name, {})
    run = ConSinGAN.train(train_mode=mode.name, **places, **TINY | options | needed)
    model = ConSinGAN.load(run)
    assert next(model.sample()).isfinite().all()
    assert model.reconstruct().shape[2:] == (16, 24)


# Modes that do not fit ------------------------------------------------------------------------


def test_unknown_modes_are_refused_with_a_list() -> None:
    with pytest.raises(UsageError, match=", ".join(modes.names())):
        modes.get("other")


def test_the_modes_of_the_paper_are_there_the_default_first() -> None:
    assert {"retarget", "animation", "harmonization", "editing"} < set(modes.names())
    assert modes.names()[0] == TrainConfig.train_mode
    assert list(modes.names()[1:]) == sorted(modes.names()[1:])


def test_no_mode_is_named_outside_its_own_file() -> None:
    """What differs between modes is a hook: elsewhere no condition compares a mode's name."""
    paths = [*ROOT.glob("*.py"), *(ROOT / "ConSinGAN").glob("*.py")]
    assert len(paths) > 10
    for path in paths:
        for line in path.read_text().splitlines():
            if line.lstrip().startswith(("if ", "elif ", "match ", "case ")) or " if " in line:
                for name in modes.names():
                    assert f'"{name}"' not in line, f"{path.name}: {line}"


def test_two_modes_cannot_share_a_name(tmp_path: Path) -> None:
    folder = copy_of_the_project(tmp_path)
    add_toy_mode(folder, name="generation")
    done = run_python(folder, "-c", "from ConSinGAN import modes; modes.names()")
    assert "two modes are called 'generation'" in done.stderr


# A new mode -----------------------------------------------------------------------------------


def copy_of_the_project(folder: Path) -> Path:
    ignore = shutil.ignore_patterns("__pycache__", "golden")
    for name in ("ConSinGAN", "tests"):
        shutil.copytree(ROOT / name, folder / name, ignore=ignore)
    for name in ("main_train.py", "evaluate_model.py", "pyproject.toml"):
        shutil.copy(ROOT / name, folder)
    return folder


def add_toy_mode(folder: Path, name: str = "toy") -> None:
    (folder / "ConSinGAN" / "modes" / "toy.py").write_text(
        '"""A mode for tests."""\n\n'
        "from ConSinGAN.modes.base import Mode\n\n\n"
        "class Toy(Mode):\n"
        '    """Starts from the picture itself."""\n\n'
        f'    name = "{name}"\n'
        '    summary = "a toy"\n'
        '    defaults = {"niter": 123}\n\n'
        "    def draw_input(self, real, streams):\n"
        "        return real + 0.1 * super().draw_input(real, streams)\n"
    )


def run_python(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = os.environ | {"PYTHONPATH": str(folder)}
    return subprocess.run(
        [sys.executable, *arguments], cwd=folder, env=environment, capture_output=True, text=True
    )


def test_a_new_mode_is_one_new_file(tmp_path: Path) -> None:
    folder = copy_of_the_project(tmp_path)
    add_toy_mode(folder)
    shown = " ".join(run_python(folder, "main_train.py", "--help").stdout.split())
    assert "toy" in shown
    assert "toy: 123" in shown
    contract = ["-m", "pytest", "-q", "tests/test_modes.py", "-k", "toy] and not architecture"]
    done = run_python(folder, *contract, "-p", "no:cacheprovider")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "passed" in done.stdout
    assert "failed" not in done.stdout
