"""The metrics of many models as one table: CSV for programs, Markdown for people."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from ConSinGAN.atomic import write_atomic

SETTINGS = ("task", "num_samples", "seed", "device")  # of the measuring, said above the table
NAMED = 3  # runs that a note names


class Table:
    """A row for every model."""

    def __init__(self) -> None:
        self._rows: list[dict[str, Any]] = []
        self._metrics: dict[str, bool] = {}  # whether any has a deviation
        self._notes: dict[str, list[str]] = {}  # runs by note
        self._settings: dict[str, dict[str, None]] = {name: {} for name in SETTINGS}

    def add(self, name: str, run: str, known: Mapping[str, Any]) -> None:
        """Take in a model's metrics as they are in its record."""
        row: dict[str, Any] = {"run": name, "picture": Path(str(known["picture"])).name}
        for metric, entry in known["metrics"].items():
            row[metric] = {k: entry[k] for k in ("value", "std") if k in entry}
            self._metrics[metric] = self._metrics.get(metric, False) or "std" in entry
        self._rows.append(row | {"seconds": known["seconds"], "path": run})
        for note in known["notes"]:
            self._notes.setdefault(note, []).append(name)
        for setting in SETTINGS:
            self._settings[setting][str(known.get(setting))] = None

    def notes(self) -> Iterator[str]:
        """What could not be measured, each once, and of which runs if not of all."""
        for note, names in self._notes.items():
            whose = ", ".join(names[:NAMED])
            if len(names) > NAMED:
                whose += f" and {len(names) - NAMED} more"
            yield note if len(names) == len(self._rows) > 1 else f"{whose}: {note}"

    def write(self, path: Path, markdown: Path, failed: Mapping[str, str]) -> None:
        """Write both files. failed: why, by run. Raises OSError as files do."""
        write_atomic(path, self._csv().encode(), durable=False)
        write_atomic(markdown, self._markdown(failed).encode(), durable=False)

    def _csv(self) -> str:
        columns = ["run", "picture"]
        for metric, spread in self._metrics.items():
            columns += [metric, f"{metric}_std"] if spread else [metric]
        text = io.StringIO()
        writer = csv.DictWriter(text, [*columns, "seconds", "path"], lineterminator="\n")
        writer.writeheader()
        for row in self._rows:
            flat = {name: row[name] for name in ("run", "picture", "seconds", "path")}
            for metric in self._metrics.keys() & row.keys():
                flat[metric] = row[metric]["value"]
                if "std" in row[metric]:
                    flat[f"{metric}_std"] = row[metric]["std"]
            writer.writerow(flat)
        return text.getvalue()

    def _markdown(self, failed: Mapping[str, str]) -> str:
        used = {name: ", ".join(values) for name, values in self._settings.items()}
        lines = ["# Metrics", "", f"{len(self._rows)} models"]
        if self._rows:
            lines[-1] += "; " + "; ".join(f"{name}: {text}" for name, text in used.items())
        lines += ["", "Value ± standard deviation over the pictures of a model.", ""]
        heads = ["run", "picture", *(metric.replace("_", " ") for metric in self._metrics)]
        heads.append("seconds")
        lines += [_line(heads), _line(["---", "---", *["--:"] * (len(heads) - 2)])]
        for row in self._rows:
            values = [as_text(row[m]) if m in row else "" for m in self._metrics]
            lines.append(_line([row["run"], row["picture"], *values, str(row["seconds"])]))
        for title, texts in (
            ("Not measured", self.notes()),
            ("Failed", (f"{name}: {why}" for name, why in failed.items())),
        ):
            if listed := [f"* {text}" for text in texts]:
                lines += ["", f"## {title}", "", *listed]
        return "\n".join([*lines, ""])


def as_text(entry: Mapping[str, Any]) -> str:
    """A metric in short: four digits, and its deviation if it has one."""
    spread = f" ± {entry['std']:.2g}" if "std" in entry else ""
    return f"{entry['value']:.4g}{spread}"


def _line(cells: list[str]) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"
