"""What several test modules share."""

from __future__ import annotations

import logging
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))  # the scripts are modules of the repository's root

from ConSinGAN.config import SCHEMA, TrainConfig  # noqa: E402

# Settings under which a run takes about a second.
TINY = {
    "train_stages": 2, "min_size": 12, "max_size": 24, "nfc": 4, "niter": 2, "not_cuda": True,
    "manualSeed": 1,
}  # fmt: skip
# Flags that no task draws in tiles with, and what the line about them names.
BAD_TILES: list[tuple[list[object], str]] = [
    (["--tile", 15], "--tile"),
    (["--tile", -1], "--tile"),
    (["--tile", 10**9], "--tile"),
    (["--tile", "nan"], "--tile"),
    (["--tile", 20, "--format", "jpg"], "--format jpg"),
]
# What some modes need besides, for a picture as small as `paint` makes.
NEEDED: dict[str, dict[str, object]] = {"super_resolution": {"factor": 1.3}}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """GPU tests skip by themselves."""
    if not torch.cuda.is_available():
        for item in items:
            if "gpu" in item.keywords:
                item.add_marker(pytest.mark.skip(reason="needs a CUDA device"))


def paint(height: int = 32, width: int = 48, seed: int = 0) -> np.ndarray:
    """A small colourful picture, uint8 (H, W, 3): smooth gradients, a disc and some noise."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[0:height, 0:width]
    disc = (y - height * 0.4) ** 2 + (x - width * 0.6) ** 2 < (height / 4) ** 2
    planes = [x / width, y / height, 0.5 + 0.4 * np.sin(x / 3 + y / 5)]
    picture = np.stack(planes, axis=2) * 200 + rng.integers(0, 30, (height, width, 3))
    picture[disc] = (230, 60, 40)
    return picture.clip(0, 255).astype(np.uint8)


def write_picture(path: Path, height: int = 32, width: int = 48, seed: int = 0) -> Path:
    """Paint a picture into a file."""
    Image.fromarray(paint(height, width, seed)).save(path)
    return path


def write_mask(path: Path, height: int = 32, width: int = 48) -> Path:
    """A mask file with a white square in the upper left quarter."""
    mask = np.zeros((height, width), np.uint8)
    mask[height // 8 : height // 2, width // 8 : width // 2] = 255
    Image.fromarray(mask).save(path)
    return path


def write_hole(path: Path, height: int = 32, width: int = 48) -> Path:
    """A mask file with a small white rectangle in the upper left corner."""
    mask = np.zeros((height, width), np.uint8)
    mask[:5, :7] = 255
    Image.fromarray(mask).save(path)
    return path


def as_flags(options: dict[str, object]) -> list[str]:
    """Options by name as words of a command line."""
    words = []
    for name, value in options.items():
        words += [f"--{name}"] if value is True else [f"--{name}", str(value)]
    return words


def make_config(**values: object) -> TrainConfig:
    """A configuration with these values, whoever owns the options."""
    return SCHEMA.build(typed=values)


def value_of(config: TrainConfig, name: str) -> object:
    """The value of one option, whoever owns it."""
    return SCHEMA.flat(config)[name]


def files_below(folder: Path) -> set[str]:
    """Relative names of all files, with TensorBoard's logs called `events`."""
    names = (p.relative_to(folder) for p in folder.rglob("*") if p.is_file())
    return {
        (n.parent / "events" if n.name.startswith("events.out.") else n).as_posix() for n in names
    }


def check_code(code: str) -> None:
    """Run a program in a fresh interpreter; what it asserts must hold."""
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


@dataclass(frozen=True)
class Outcome:
    """How a script ended and what it said."""

    code: int
    out: str
    err: str


@pytest.fixture
def script(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Iterator[Callable[..., Outcome]]:
    """Run a script in this process: script(main_train, "--niter", 2, ...)."""
    package = logging.getLogger("ConSinGAN")
    before = package.handlers[:], package.propagate, package.level

    def run(module: ModuleType, *arguments: object) -> Outcome:
        monkeypatch.setattr(sys, "argv", [f"{module.__name__}.py", *map(str, arguments)])
        package.handlers = []  # or messages would go to the stderr of an earlier test
        capsys.readouterr()
        code = module.run()
        captured = capsys.readouterr()
        return Outcome(code, captured.out, captured.err)

    yield run
    package.handlers, package.propagate = before[:2]
    package.setLevel(before[2])


@pytest.fixture(scope="session")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """The run directory of a tiny model of a mode, trained once; tests must not change it."""
    import ConSinGAN

    @cache
    def train(mode: str) -> Path:
        folder = tmp_path_factory.mktemp(mode)
        picture = write_picture(folder / "picture.png")
        write_hole(folder / "picture_mask.png")  # for modes that hide something
        options = {"input_name": str(picture), "output_dir": str(folder / "TrainedModels")}
        needed = NEEDED.get(mode, {})
        return ConSinGAN.train(train_mode=mode, precision="fp32", **options, **needed, **TINY)

    return train


@pytest.fixture
def picture_file(tmp_path: Path) -> Path:
    """A small picture on disk, 48x32."""
    path = tmp_path / "picture.png"
    Image.fromarray(paint()).save(path)
    return path


@pytest.fixture
def torch_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where torchvision looks for weights: a folder that is not there yet."""
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    return tmp_path / "torch" / "hub" / "checkpoints"


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """The system's Chromium."""
    from playwright.sync_api import sync_playwright
    from studio_helpers import CHROMIUM

    with sync_playwright() as driver:
        chromium = driver.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield chromium
        chromium.close()
