"""Are our samples as good as published ones? Train on the same pictures, measure both alike.

    python benchmarks/userstudy.py REAL_DIR OTHERS_DIR... [--settings "NAME=FLAGS" ...]
                                   [--common FLAGS] [--names N ...] [--seeds 5] [--out DIR]

REAL_DIR/N.jpg are training pictures, OTHERS_DIR/N.jpg one published sample of each. For every
picture and setting one model is trained by main_train.py (--manualSeed 0), and one sample drawn for
each of the sampling seeds 0, 1, ...; FLAGS are main_train.py's, so --settings "default=" is the
paper's, and --settings alone measures the published samples without training anything. What is
trained already in --out is not trained again, and a run that was cut goes on.

JPEG moves the metrics, so our samples are compressed as the published sample of that picture is
(its quantisation tables and chroma subsampling) before they are measured: once for each of several
OTHERS_DIR. Models smaller than the files are compared with files shrunk to their size and
compressed again, each by its own tables; at full size files are measured as they are.

Writes into --out, after every picture: results.yaml (every value), tables.md (every picture,
medians, how often ours is better), sheet.png (the real picture, published samples, ours; the
Fréchet distance underneath) and samples/. Minutes are those of training, of a clock and of the
processor; the share of an attempt at which this script itself was killed is not in them.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import resource
import shlex
import statistics
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import torch
import yaml
from torch import Tensor

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))
sys.path.insert(0, str(ROOT / "benchmarks"))

import single_runs  # noqa: E402
from yardstick import Encoding, Stem  # noqa: E402

from ConSinGAN import images  # noqa: E402
from ConSinGAN.errors import UsageError  # noqa: E402
from ConSinGAN.evaluation import MetricsConfig  # noqa: E402
from ConSinGAN.fast import processor  # noqa: E402
from ConSinGAN.metrics import report  # noqa: E402
from ConSinGAN.pyramid import size_of  # noqa: E402
from ConSinGAN.resize import resize  # noqa: E402

FRECHET = "frechet"
SPREADS = ("pixel_diversity", "lpips_diversity")  # of several samples, not of one

Values = dict[str, float]  # by metric


# Training -------------------------------------------------------------------------------------


def train(picture: Path, flags: str, folder: Path) -> tuple[Path, dict[str, Any]]:
    """Train a model, or go on with it: its run directory, and what that took so far and where."""
    note = folder / "trained.json"
    spent = json.loads(note.read_text()) if note.is_file() else {}
    threads = int(os.environ.get("OMP_NUM_THREADS") or os.cpu_count() or 1)
    start, used = time.perf_counter(), _processor_seconds()
    try:
        run = single_runs.train(picture, flags, 0, folder, threads)
    finally:
        if worked := _processor_seconds() - used:  # else there was nothing to train
            for name, more in (("seconds", time.perf_counter() - start), ("processor", worked)):
                spent[name] = round(spent.get(name, 0) + more, 1)
            spent["level"] = processor.level().name.lower()
            folder.mkdir(parents=True, exist_ok=True)
            note.write_text(json.dumps(spent))
    return run, spent


def _processor_seconds() -> float:
    """What the processes that have ended here have used."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def hardware_of(run: Path, spent: Mapping[str, Any]) -> str:
    """On what a model was trained, in which arithmetic."""
    config = yaml.safe_load((run / "config.yaml").read_text())
    level = spent.get("level", "unknown")
    about = config["about"]
    return f"{about['device']}, {level}, {config['device']['precision']}, torch {about['torch']}"


# Measuring ------------------------------------------------------------------------------------


class Yardstick:
    """All metrics of samples of one picture, at one size, against the real one."""

    def __init__(self, real: Tensor, stem: Stem) -> None:
        self.real, self.stem = real, stem
        self.statistics = stem.statistics(real)

    def measure(self, samples: Sequence[Tensor]) -> tuple[list[Values], Values]:
        """The metrics of every sample (1, 3, h, w) in [-1, 1], and those of all together."""
        measured = report.measure(self.real, samples, MetricsConfig()).metrics
        each = [{FRECHET: self.stem.distance(self.statistics, sample)} for sample in samples]
        for name, entry in measured.items():
            if name not in SPREADS:
                for values, value in zip(each, entry.get("values", [entry["value"]]), strict=True):
                    values[name] = value
        return each, {name: measured[name]["value"] for name in SPREADS if name in measured}


@cache
def picture_at(path: Path, size: tuple[int, int]) -> Tensor:
    """A JPEG file's picture at a size (h, w): as it is, or shrunk and compressed as it was."""
    picture = images.read_image(path)
    if picture.shape[-2:] == size:
        return picture
    return Encoding.of(path).apply(resize(picture, size=size))


def study(name: str, flags: argparse.Namespace, stem: Stem) -> dict[str, Any]:
    """Measure the published samples of one picture; train and measure all settings on it."""
    real = flags.real / f"{name}.jpg"
    theirs = {other: folder / f"{name}.jpg" for other, folder in flags.others.items()}
    result: dict[str, Any] = {"published": {other: {} for other in theirs}, "ours": {}}

    def yardstick_at(size: tuple[int, int]) -> Yardstick:
        """That of a size (h, w), at which the published samples are measured, too."""
        yardstick = Yardstick(picture_at(real, size), stem)
        for other, path in theirs.items():
            [values], _ = yardstick.measure([picture_at(path, size)])
            result["published"][other][_size_text(size)] = values
        return yardstick

    if not flags.settings:
        yardstick_at(size_of(images.read_image(real)))
    for setting, words in flags.settings.items():
        folder = flags.out / "models" / name / setting.replace(" ", "_")
        run, spent = train(real, f"{flags.common} {words}", folder)
        model = single_runs.load(run)
        size = size_of(model.real)
        yardstick = yardstick_at(size)
        drawn = [picture for seed in range(flags.seeds) for picture in model.sample(1, seed=seed)]
        ours, measured = {}, {}
        for other, path in theirs.items():
            encoding = Encoding.of(path)
            if encoding not in measured:
                measured[encoding] = yardstick.measure([encoding.apply(x) for x in drawn])
            each, together = measured[encoding]
            ours[other] = {"samples": each, **together}
        result["ours"][setting] = {
            "size": _size_text(size),
            "hardware": hardware_of(run, spent),
            "minutes": _minutes(spent, "seconds"),
            "processor_minutes": _minutes(spent, "processor"),
            "as_saved_by": ours,
        }
        for seed, picture in enumerate(drawn):
            path = sample_path(flags.out, setting, name, seed)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(Encoding.of(next(iter(theirs.values()))).encode(picture))
    return result


def sample_path(out: Path, setting: str, name: str, seed: int) -> Path:
    """Where a sample of ours is kept, saved as the first OTHERS_DIR's is."""
    return out / "samples" / setting.replace(" ", "_") / f"{name}_{seed}.jpg"


def _size_text(size: tuple[int, int]) -> str:
    return f"{size[1]}x{size[0]}"


def _minutes(spent: Mapping[str, Any], name: str) -> float | None:
    return round(spent[name] / 60, 2) if name in spent else None


# Tables ---------------------------------------------------------------------------------------


def tables(results: Mapping[str, Any], settings: Sequence[str], others: Sequence[str]) -> str:
    """Three Markdown tables: every picture, medians, and how often ours is better."""
    first = next(iter(results.values()))
    names = list(next(iter(first["published"][others[0]].values())))
    ours = [own["as_saved_by"][others[0]] for own in first["ours"].values()]
    spreads = [name for name in SPREADS if ours and name in ours[0]]
    columns = [*names, *spreads, *(("minutes", "processor minutes") if ours else ())]
    rows = {(n, who): row for n in results for who, row in _rows(results[n], names, spreads)}
    parts = [_table("picture, samples", columns, {", ".join(k): v for k, v in rows.items()})]

    everyone = dict.fromkeys(who for _, who in rows)
    medians = {}
    for who in everyone:
        its = [row for (_, other), row in rows.items() if other == who]
        medians[who] = [_median(column) for column in zip(*its, strict=True)]
    parts.append(_table(f"median over {len(results)} pictures", columns, medians))

    if not ours:
        return "\n\n".join(parts) + "\n"
    wins = {}
    for setting in settings:
        for other in others:
            wins[f"{setting} against {other}"] = [
                _share(count_wins(results, setting, other, name)) for name in names
            ]
    parts.append(_table("ours is better", names, wins))
    found = {s: results[n]["ours"][s]["hardware"] for n in results for s in settings}
    lines = [f"* {setting}: trained on {text}" for setting, text in found.items()]
    lines.append(
        f"* Ours are medians over {len(ours[0]['samples'])} samples of one model each, saved as "
        f"{others[0]}'s; where they are compared with another's, as that one's."
    )
    return "\n\n".join([*parts, "\n".join(lines)]) + "\n"


def _rows(result: Mapping[str, Any], names: list[str], spreads: list[str]) -> list[tuple]:
    """(who, cells) of one picture."""
    rows: list[tuple] = []
    blank = [None] * (len(spreads) + 2) if result["ours"] else []
    for other, at in result["published"].items():
        for size, values in at.items():
            who = other if len(at) == 1 else f"{other} at {size}"
            rows.append((who, [*(values[name] for name in names), *blank]))
    for setting, own in result["ours"].items():
        as_first = next(iter(own["as_saved_by"].values()))
        cells = [_median([sample[name] for sample in as_first["samples"]]) for name in names]
        cells += [as_first.get(name) for name in spreads]
        rows.append((setting, [*cells, own["minutes"], own["processor_minutes"]]))
    return rows


def count_wins(
    results: Mapping[str, Any], setting: str, other: str, name: str
) -> tuple[float, int]:
    """(of how many samples the metric is lower than the published one's, of how many); ties half.

    Every metric of one sample is a distance or the copying, of which less is better.
    """
    wins, total = 0.0, 0
    for result in results.values():
        own = result["ours"][setting]
        theirs = result["published"][other][own["size"]][name]
        for sample in own["as_saved_by"][other]["samples"]:
            wins += (sample[name] < theirs) + (sample[name] == theirs) / 2
            total += 1
    return wins, total


def _median(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return statistics.median(known) if known else None


def _share(wins: tuple[float, int]) -> str:
    return f"{wins[0]:g} of {wins[1]}"


def _table(corner: str, columns: Sequence[str], rows: Mapping[str, Sequence[Any]]) -> str:
    lines = [f"| {corner} | {' | '.join(columns)} |", "|---" * (len(columns) + 1) + "|"]
    for name, cells in rows.items():
        lines.append(f"| {name} | {' | '.join(map(_text, cells))} |")
    return "\n".join(lines)


def _text(value: float | str | None) -> str:
    return "" if value is None else value if isinstance(value, str) else f"{value:.3g}"


# The command ----------------------------------------------------------------------------------


def draw_sheet(results: Mapping[str, Any], flags: argparse.Namespace) -> None:
    """For every picture and setting: the real one, published samples, ours, and their distances."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot as plt

    keys = [(name, setting) for name in results for setting in flags.settings or [None]]
    width = 1 + len(flags.others) + (flags.seeds if flags.settings else 0)
    figure, rows = plt.subplots(
        len(keys), width, squeeze=False, figsize=(2 * width, 1.75 * len(keys))
    )
    for row, (name, setting) in zip(rows, keys, strict=True):
        own = results[name]["ours"].get(setting)
        published = results[name]["published"]
        text = own["size"] if own else next(iter(published[next(iter(flags.others))]))
        columns, lines = (int(number) for number in text.split("x"))
        shown = [("real", picture_at(flags.real / f"{name}.jpg", (lines, columns)))]
        for other, folder in flags.others.items():
            picture = picture_at(folder / f"{name}.jpg", (lines, columns))
            shown.append((f"{other} {published[other][text][FRECHET]:.3f}", picture))
        samples = own["as_saved_by"][next(iter(flags.others))]["samples"] if own else []
        for seed, sample in enumerate(samples):
            picture = images.read_image(sample_path(flags.out, setting, name, seed))
            shown.append((f"{setting} {sample[FRECHET]:.3f}", picture))
        for axis, (title, picture) in zip(row, shown, strict=True):
            axis.imshow(images.to_bytes(picture)[0])
            axis.set_xticks([])
            axis.set_yticks([])
            axis.set_xlabel(title, fontsize=8)
        row[0].set_ylabel(name, fontsize=8)
    figure.tight_layout(pad=0.5)
    figure.savefig(flags.out / "sheet.png", dpi=100)
    plt.close(figure)


def parse(words: Sequence[str] | None = None) -> argparse.Namespace:
    """The flags, checked; `settings` and `others` by name."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("real", type=Path, metavar="REAL_DIR")
    parser.add_argument("others", type=Path, nargs="+", metavar="OTHERS_DIR")
    parser.add_argument("--settings", nargs="*", default=["default="], metavar="NAME=FLAGS")
    parser.add_argument("--common", default="", help="flags for all runs", metavar="FLAGS")
    parser.add_argument("--names", nargs="+", metavar="N", help="these alone (default: all)")
    parser.add_argument("--seeds", type=int, default=5, metavar="N", help="samples of each model")
    parser.add_argument("--out", type=Path, default=ROOT / "TrainedModels/userstudy", metavar="DIR")
    flags = parser.parse_args(words)
    if any(not re.match(r"[\w .,-]+=", text) for text in flags.settings):
        parser.error("--settings: give each as NAME=FLAGS, the name of letters, digits, .,- and _")
    flags.settings = dict(text.split("=", 1) for text in flags.settings)
    flags.others = {folder.resolve().name: folder for folder in flags.others}
    clash = set(flags.settings) & set(flags.others)
    if clash:
        parser.error(f"--settings: {', '.join(clash)} is the name of a folder, too")
    for name, text in flags.settings.items():  # wrong ones are told before hours of work
        words = ["--input_name", str(flags.real), *shlex.split(f"{flags.common} {text}")]
        try:
            single_runs.launch.configure(single_runs.main_train.parse(words))
        except UsageError as error:
            parser.error(f"--settings {name}: {error.for_scripts()}")
    if flags.seeds < 1:
        parser.error("--seeds: must be at least 1")
    if flags.names is None:
        found = [path.stem for path in flags.real.glob("*.jpg")]
        flags.names = sorted(found, key=lambda stem: (not stem.isdigit(), stem.zfill(9)))
        if not found:
            parser.error(f"REAL_DIR {flags.real}: there is no .jpg file in it")
    for folder in (flags.real, *flags.others.values()):
        where = "REAL_DIR" if folder is flags.real else "OTHERS_DIR"
        for path in (folder / f"{name}.jpg" for name in flags.names):
            if not path.is_file():
                parser.error(f"{where}: there is no {path}")
            try:
                Encoding.of(path)
            except (OSError, ValueError) as error:
                parser.error(f"{where}: {error}")
    return flags


@torch.no_grad()
def main() -> None:
    """Train what is not trained yet and measure, one picture after the other."""
    flags, results = parse(), {}
    stem = Stem.load()
    flags.out.mkdir(parents=True, exist_ok=True)
    for name in flags.names:
        try:
            results[name] = study(name, flags, stem)
        except subprocess.CalledProcessError as error:  # the training has said why
            sys.exit(max(1, error.returncode))
        text = tables(results, list(flags.settings), list(flags.others))
        about = {"settings": flags.settings, "common": flags.common, "pictures": results}
        (flags.out / "results.yaml").write_text(yaml.safe_dump(about, sort_keys=False))
        (flags.out / "tables.md").write_text(text)
        draw_sheet(results, flags)
    print(text)


if __name__ == "__main__":
    main()
