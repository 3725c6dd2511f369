"""`fleet sweep`: a grid of settings, trained with several seeds on some pictures, and measured.

Writes tables, a contact sheet of every picture and the best settings (best.yaml, for --config)
beside the run directories. The same command goes on where it was stopped.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ConSinGAN import launch
from ConSinGAN.errors import UsageError
from ConSinGAN.fleet import grid, options, sweep_options, train
from ConSinGAN.fleet.findings import TABLE
from ConSinGAN.fleet.store import refuse_store
from ConSinGAN.fleet.sweeping import Sweep, carry_out

DEFAULT_FOLDER = "TrainedModels/sweep"
NO_PRESETS = "it is chosen by how quick the machine is, and all runs of a sweep shall be alike"


def make_parser() -> argparse.ArgumentParser:
    """All flags."""
    parser = launch.make_parser(__doc__)
    parser.prog = "python -m ConSinGAN.fleet sweep"
    parser.add_argument(
        "pictures", metavar="PICTURE", nargs="+", help="pictures, folders, or patterns"
    )
    sweep_options.add_flags(parser)
    options.add_flags(parser)
    return parser


def do(flags: Mapping[str, Any]) -> str:
    """Train and measure all; a line that says what came of it.

    Raises UsageError before anything is written, Failed if some could not be trained.
    """
    fleet, flags = options.split(flags)
    config, flags = sweep_options.split(flags)
    chosen = grid.read_grid(flags.pop("grid", []))
    pictures = train.find(flags.pop("pictures"))
    where = flags.pop("output_dir", DEFAULT_FOLDER)
    refuse_store(where, fleet.scratch, "a sweep works in a folder, not in an object store")
    folder = Path(where).expanduser().absolute()
    check(flags, pictures[0])
    settings = grid.settings_of(chosen, flags | {"input_name": str(pictures[0])})
    about = sweep_options.about(config) | flags | {"grid": grid.as_text(chosen)}
    shared = train.absolute(flags)  # those who train may be in another folder
    found = carry_out(Sweep(pictures, settings, shared, config, about), fleet, folder)
    done = sum(outcome.state in ("done", "cut") for outcome in found)
    if done < len(found):
        return (
            f"{done} of {len(found)} trials in {config.budget}, the same command goes on; what is "
            f"there: {folder / TABLE}"
        )
    return f"{done} trials, {folder / TABLE}"


def check(flags: Mapping[str, Any], picture: Path) -> None:
    """Raise UsageError, naming the flag, if no picture could be trained and measured with these."""
    for name in ("preset", "draft"):
        if flags.get(name):
            raise UsageError(f"`{name}` is not for a sweep: {NO_PRESETS}")
    train.check(flags, picture)
    grid.check_measurable(launch.configure({**flags, "input_name": str(picture)}))
