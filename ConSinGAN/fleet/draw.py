"""`fleet draw`: what a task draws of many models, and a contact sheet."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ConSinGAN.fleet import artist, asking

SHEET = "contact_sheet.png"
COLUMNS, PER_PAGE = 5, 100


def make_parser() -> argparse.ArgumentParser:
    """All flags."""
    return asking.make_parser(__doc__, COMMAND)


def _is_there(record: Mapping[str, Any]) -> bool:
    files = record.get("files")
    return files is not None and artist.state_of(Path(str(record.get("folder")))) == files


COMMAND = asking.Command(
    name="draw", what="drawing", draws=True, work=artist.draw, given={}, is_there=_is_there,
    where="where to write, a folder for each run (default: Evaluation in each run directory)",
    refused=dict.fromkeys(("metrics", "inception_weights"), "`fleet metrics` is what measures"),
)  # fmt: skip


def do(flags: Mapping[str, Any]) -> str:
    """Draw from all models; a line that says what came of it.

    Raises UsageError before anything is written, Failed if some could not be drawn.
    """
    answers = asking.put(COMMAND, flags, show)
    return f"drawn from {len(answers.names)} models; all at a glance: {answers.home / SHEET}"


def show(answers: asking.Answers) -> None:
    """Write the contact sheet."""
    from ConSinGAN.fleet import sheet

    cells = []
    for name, known in answers.all():
        pictures = answers.pictures(name, known)
        cells.append(sheet.Cell(name, pictures, [] if pictures else ["(no still to show)"]))
    sheet.write_pages(answers.home / SHEET, cells, COLUMNS, PER_PAGE)
