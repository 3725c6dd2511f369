"""What a sweep leaves behind: tables, a contact sheet of every picture, the best settings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from ConSinGAN import launch, saved
from ConSinGAN.atomic import write_atomic
from ConSinGAN.config import SCHEMA
from ConSinGAN.errors import ConSinGANError
from ConSinGAN.fleet import outcomes as table
from ConSinGAN.fleet.contact import Strip, write_sheet
from ConSinGAN.fleet.outcomes import Outcome, Row
from ConSinGAN.fleet.place import FolderPlace
from ConSinGAN.fleet.record import SAMPLES
from ConSinGAN.options import Scope
from ConSinGAN.swapping import PARTS

TABLE = "table.md"
BEST = "best.yaml"


def write_down(
    outcomes: Sequence[Outcome], minimise: str, flags: Mapping[str, Any], place: FolderPlace
) -> None:
    """Write all that is known into the sweep's folder. flags: of training, of all settings."""
    texts = {
        TABLE: table.to_markdown(outcomes, minimise),
        "table.csv": table.to_csv(outcomes, minimise),
        "trials.csv": table.trials_to_csv(outcomes),
    }
    rows = table.rank(outcomes, minimise)
    if rows[0].mean(minimise) is not None:
        texts[BEST] = best(rows, minimise, flags)
    for name, text in texts.items():
        write_atomic(place.folder / name, text.encode(), durable=False)
    for picture in dict.fromkeys(outcome.picture for outcome in outcomes):
        own = [outcome for outcome in outcomes if outcome.picture == picture]
        _write_sheet(picture, table.rank(own, minimise), place)


def best(rows: Sequence[Row], minimise: str, flags: Mapping[str, Any]) -> str:
    """The settings of the first row as a file for `main_train.py --config`.

    Of the options that make the result those are in it that are in the grid or no defaults.
    """
    row = rows[0]
    chosen = {**flags, **row.setting.flags}
    config = launch.configure(chosen)
    parts = {family.option: getattr(config, family.option) for family in PARTS.values()}
    plain = SCHEMA.flat(launch.configure({"train_mode": config.train_mode}))
    usual = SCHEMA.flat(launch.configure({"train_mode": config.train_mode, **parts}))
    said = {*row.setting.flags, *(n for n, v in parts.items() if v != plain[n])}
    said |= {"train_stages"} & {*chosen}  # else they may be counted
    values = {
        name: value
        for name, value in SCHEMA.flat(config).items()
        if name in said or (_makes_the_result(name) and value != usual.get(name))
    }
    lines = [f"# The best of {len(rows)} settings by {minimise}: {row.mean(minimise)}"]
    if not row.is_whole():
        lines.append(f"# from {row.count('done')} of its {len(row.outcomes)} trials alone")
    return "\n".join(lines) + "\n" + yaml.safe_dump(values, sort_keys=False, allow_unicode=True)


OF_A_RUN = ("input_name", "output_dir", "manualSeed", "frame")


def _makes_the_result(name: str) -> bool:
    scope = SCHEMA.options[name].scope(name)
    return scope not in (Scope.HARMLESS, Scope.ROUNDING) and name not in OF_A_RUN


def _write_sheet(picture: str, rows: Sequence[Row], place: FolderPlace) -> None:
    strips = []
    for row in rows:
        shown = next((o for o in row.outcomes if o.state == "done"), None)
        if shown is None:
            continue
        run = place.run(shown.name)
        try:
            stages = saved.read_config(run).train_stages
        except ConSinGANError:  # damaged since
            continue
        done = row.count("done")
        text = [f"{row.setting.name} ({done} seed{'s' * (done != 1)})", _values(row)]
        strips.append(Strip(_real(run, stages), run / SAMPLES, text))
    title = f"{picture}: the real picture, then samples (the first seed), the best setting first"
    write_sheet(title, strips, place.folder / f"sheet_{picture}.png")


def _real(run: Path, stages: int) -> Path:
    return run / f"{stages - 1}" / "real_scale.png"


def _values(row: Row) -> str:
    metrics = table.metrics_of(row.outcomes)
    return "   ".join(f"{metric} {row.mean(metric)}" for metric in metrics)
