"""`fleet metrics`: one table of many models' metrics, as CSV and Markdown, and a contact sheet."""

from __future__ import annotations

import argparse
import logging
from collections.abc import Mapping
from typing import Any

from ConSinGAN.fleet import artist, asking, table

log = logging.getLogger(__name__)

SHEET, CSV, MARKDOWN = "metrics.png", "metrics.csv", "metrics.md"
COLUMNS, PER_PAGE = 2, 40
SHOWN = (  # on the sheet, a line each
    {"sliced_wasserstein": "sliced Wasserstein", "pixel_diversity": "diversity"},
    {"coherence": "coherence", "completeness": "completeness", "copying": "copying"},
    {"sifid_64": "SIFID 64", "sifid_192": "SIFID 192", "lpips_diversity": "LPIPS"},
)


def make_parser() -> argparse.ArgumentParser:
    """All flags."""
    return asking.make_parser(__doc__, COMMAND)


COMMAND = asking.Command(
    name="metrics", what="measuring", draws=False, work=artist.measure, given={"metrics": True},
    where="where to write the tables (default: the folder of runs)",
    refused={"metrics": "it is what this command does; leave it away"},
    is_there=lambda record: isinstance(record.get("metrics"), dict),
)  # fmt: skip


def do(flags: Mapping[str, Any]) -> str:
    """Measure all models; a line that says what came of it.

    Raises UsageError before anything is written, Failed if some could not be measured.
    """
    answers = asking.put(COMMAND, flags, show)
    return f"{len(answers.names)} models measured: {answers.home / MARKDOWN}"


def show(answers: asking.Answers) -> None:
    """Write the tables and the contact sheet; say what could not be measured."""
    from ConSinGAN.fleet import sheet

    collected, cells = table.Table(), []
    for name, known in answers.all():
        collected.add(name, answers.ledger.entries[name]["run"], known)
        lines = [line for line in (_line(known["metrics"], names) for names in SHOWN) if line]
        cells.append(sheet.Cell(name, answers.pictures(name, known), lines))
    for note in collected.notes():
        log.info("note: %s", note)
    collected.write(answers.home / CSV, answers.home / MARKDOWN, answers.ledger.failed())
    sheet.write_pages(answers.home / SHEET, cells, COLUMNS, PER_PAGE)


def _line(metrics: Mapping[str, Any], names: Mapping[str, str]) -> str:
    found = [(text, metrics[name]) for name, text in names.items() if name in metrics]
    return "   ".join(f"{text} {table.as_text(entry)}" for text, entry in found)
