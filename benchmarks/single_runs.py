"""Models that a benchmark trains one by one, each in a process of its own, and not twice."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

import main_train  # noqa: E402
from ConSinGAN import launch  # noqa: E402
from ConSinGAN.config import SCHEMA  # noqa: E402
from ConSinGAN.evaluation import EvalConfig  # noqa: E402
from ConSinGAN.hardware import select_device, select_precision  # noqa: E402
from ConSinGAN.model import ImageModel  # noqa: E402
from ConSinGAN.run import RunDirectory  # noqa: E402


def trained_run(folder: Path, flags: list[str]) -> tuple[Path | None, bool]:
    """The run directory in `folder`, if any, and whether it is finished.

    Raises SystemExit if it was trained with other flags.
    """
    for path in sorted(folder.glob("[!.]*/[!.]*/config.yaml")):
        run = RunDirectory.open(path.parent)
        config = run.load_config()
        wanted = SCHEMA.flat(launch.configure(main_train.parse(flags)))
        for name in ("input_name", "output_dir"):
            del wanted[name]
        if wanted["precision"] == "auto":  # the run says what that was
            del wanted["precision"]
        trained = SCHEMA.flat(config)
        other = [name for name, value in wanted.items() if trained[name] != value]
        if other:
            sys.exit(f"{run.path} was trained with other values of {', '.join(other)}: use --out")
        return run.path, run.is_finished(config)
    return None, False


def train(picture: Path, flags: str, seed: int, folder: Path, threads: int) -> Path:
    """Train one model, or go on with it; returns its run directory."""
    words = ["--input_name", str(picture), "--output_dir", str(folder), "--manualSeed", str(seed)]
    words += ["--preview_every", str(10**9), *shlex.split(flags)]
    run, finished = trained_run(folder, words)
    if finished:
        return run
    command = [sys.executable, str(ROOT / "main_train.py"), "--quiet"]
    command += ["--resume", str(run)] if run else words
    environment = os.environ | {"OMP_NUM_THREADS": str(threads)}
    subprocess.run(command, check=True, env=environment, stdout=subprocess.DEVNULL)
    print(f"trained: {folder}", flush=True)
    return trained_run(folder, words)[0]


def load(run: Path) -> ImageModel:
    """A model, in the precision that it was trained in."""
    device = select_device(EvalConfig())
    model = RunDirectory.open(run).load_model(device)
    model.set_precision(select_precision(model.config.precision, device))
    return model
