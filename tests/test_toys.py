"""A new mode, task, objective or critic is one new file; two if it has options of its own."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from conftest import ROOT, TINY, as_flags, write_picture

TOYS = {
    "modes/toy.py": '''
"""A mode for tests."""

from ConSinGAN.modes.base import Mode


class Toy(Mode):
    """Starts from the picture itself."""

    name = "toy"
    summary = "a toy mode"
    defaults = {"gamma": 0.123}
    default_task = "toy"

    def draw_input(self, real, streams):
        return real + 0.1 * super().draw_input(real, streams)
''',
    "tasks/toy.py": '''
"""A task for tests."""

from ConSinGAN.tasks.base import Drawing, Task


class Toy(Task):
    """The reconstruction, some times."""

    name = "toy"
    summary = "a toy task"

    def run(self, model, config):
        for number in range(config.options_of("task").copies):
            yield Drawing(f"toy_{number}", [model.reconstruct()])
''',
    "tasks/toy_options.py": '''
"""Options of the toy task."""

from dataclasses import dataclass

from ConSinGAN.options import option


@dataclass(frozen=True, kw_only=True)
class Options:
    """How many."""

    copies: int = option(2, "task", "how many copies", low=1)
''',
    "objectives/toy_squares.py": '''
"""Least squares (Mao et al. 2017), with noise of its own and a buffer, for tests."""

import torch

from ConSinGAN.objectives.base import Objective


class ToySquares(Objective):
    """(D(real) - 1)^2 + D(fake)^2."""

    name = "toy-squares"
    summary = "a toy objective"
    chance = {"jitter": ()}

    def __init__(self, options):
        super().__init__(options)
        self.register_buffer("steps", torch.zeros(()))

    def critic_step(self, critic, real, fake, chance):
        target = self.options.target + 0.1 * chance["jitter"]
        for_real = sum(((scores - target) ** 2).mean() for scores in critic.maps(real))
        for_fake = sum((scores**2).mean() for scores in critic.maps(fake))
        (for_real + for_fake).backward()
        return {"real": for_real.detach(), "fake": for_fake.detach()}

    def after_critic(self, critic):
        self.steps += 1

    def generator_loss(self, critic, real, fake):
        return sum(((scores - self.options.target) ** 2).mean() for scores in critic.maps(fake))
''',
    "objectives/toy_squares_options.py": '''
"""Options of the toy objective."""

from dataclasses import dataclass

from ConSinGAN.options import option


@dataclass(frozen=True, kw_only=True)
class Options:
    """What a real picture's score shall be."""

    target: float = option(1.0, "objective", "score of real pictures", low=0)
''',
    "critics/toy.py": '''
"""A critic of two layers that looks at two scales, for tests."""

import torch.nn.functional as F
from torch import nn

from ConSinGAN.critics.base import Critic


class Toy(Critic):
    """Plain torch."""

    name = "toy"
    summary = "a toy critic"

    def __init__(self, channels, filters):
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv2d(channels, filters, 3), nn.Tanh(), nn.Conv2d(filters, 1, 3)
        )

    @classmethod
    def from_config(cls, config):
        return cls(config.nc_im, config.nfc)

    def forward(self, picture):
        return self.layers(picture)

    def maps(self, picture):
        return [self(picture), self(F.avg_pool2d(picture, 2))]
''',
}


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the project with all toys in it, and a picture."""
    folder = tmp_path_factory.mktemp("house")
    ignore = shutil.ignore_patterns("__pycache__")
    shutil.copytree(ROOT / "ConSinGAN", folder / "ConSinGAN", ignore=ignore)
    for name in ("main_train.py", "evaluate_model.py"):
        shutil.copy(ROOT / name, folder)
    for name, text in TOYS.items():
        (folder / "ConSinGAN" / name).write_text(text.lstrip())
    write_picture(folder / "picture.png")
    return folder


@pytest.fixture(scope="module")
def run(house: Path) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Run a script of the copy."""
    environment = os.environ | {"PYTHONPATH": str(house)}

    def run(*words: object) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, *map(str, words)], cwd=house, env=environment,
            capture_output=True, text=True, check=False,
        )  # fmt: skip

    return run


def test_toys_appear_in_help(run: Callable) -> None:
    shown = " ".join(run("main_train.py", "--help").stdout.split())
    for text in (
        "toy-squares",
        "--target",
        "objective toy-squares:",
        "toy: 0.123",
        "toy: a toy critic",
    ):
        assert text in shown
    assert re.search(r"--critic \{patch,([a-z]+,)*toy\}", shown)
    shown = run("evaluate_model.py", "--help").stdout
    assert "task toy:" in shown
    assert "--copies" in shown


FLAGS = as_flags(TINY | {"input_name": "picture.png", "output_dir": "runs", "threads": 1})


def only_run(house: Path, output: str) -> Path:
    (config,) = (house / output).rglob("config.yaml")
    return config.parent


COMMANDS = """
import sys
import ConSinGAN, evaluate_model, main_train
from ConSinGAN.watch.base import Stop, Stopped, Watcher


def script(module, *words):
    sys.argv = [module.__name__, *words]
    assert module.run() == 0, words


class Late(Watcher):
    def iteration(self, moment, terms):
        self.at, self.run = (moment.stage, moment.done), moment.run

    def should_stop(self):
        return Stop("enough") if self.at == (1, 1) else None


words, late = sys.argv[1:], Late()
script(main_train, *words)
words[-1] += "_stopped"
try:
    ConSinGAN.train(**main_train.parse(words), watchers=[late])
except Stopped:
    script(main_train, "--resume", str(late.run))
    script(evaluate_model, "--model_dir", str(late.run), "--task", "toy", "--copies", "3")
"""


@pytest.mark.parametrize(
    "choice",
    [
        ["--train_mode", "toy", "--critic", "toy"],
        ["--objective", "toy-squares", "--target", "0.9"],
        ["--critic", "toy", "--objective", "toy-squares", "--train_mode", "toy"],
    ],
    ids=" ".join,
)
def test_toys_train_resume_and_evaluate(house: Path, run: Callable, choice: list[str]) -> None:
    """Also stopped in the second stage and gone on with: to the bit what it is undisturbed."""
    output = "runs_" + "_".join(choice)
    done = run("-c", COMMANDS, *FLAGS, *choice, "--output_dir", output)
    assert done.returncode == 0, done.stderr
    finished, stopped = only_run(house, output), only_run(house, f"{output}_stopped")
    for file in finished.glob("1/*.safetensors"):
        assert (stopped / "1" / file.name).read_bytes() == file.read_bytes(), file.name
    assert ("toy-squares" in choice) == (finished / "1" / "objective.safetensors").exists()
    drawn = {path.name for path in (stopped / "Evaluation").glob("*.png")}
    assert drawn == {"toy_0.png", "toy_1.png", "toy_2.png"}


def test_flags_of_owners_that_are_not_chosen(run: Callable, house: Path) -> None:
    done = run("main_train.py", *FLAGS, "--target", 1)
    assert done.returncode == 2
    assert "--target is an option of --objective toy-squares" in done.stderr
    assert "this is --objective wgan-gp" in done.stderr
    done = run("main_train.py", *FLAGS, "--objective", "toy-squares", "--lambda_grad", 1)
    assert "--lambda_grad is an option of --objective wgan-gp" in done.stderr
    assert done.stderr.count("\n") == 1


def test_names_are_given_once(run: Callable, house: Path) -> None:
    again = house / "ConSinGAN" / "tasks" / "again.py"
    again.write_text('class Again:\n    name = "toy"\n')
    try:
        assert "two tasks are called 'toy'" in run("evaluate_model.py", "--help").stderr
    finally:
        again.unlink()
