"""Measuring many models: one table of the same numbers as one by one, nothing twice."""

from __future__ import annotations

import csv
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import Outcome
from fleet_models import copies, damage, joined, no_ray, ray_here
from PIL import Image

from ConSinGAN import ask
from ConSinGAN.fleet import __main__, metrics, sheet, table
from ConSinGAN.fleet.driver import Failed
from ConSinGAN.hardware import keeping_threads
from ConSinGAN.metrics.report import Report, measure_model

__all__ = ["joined", "no_ray", "ray_here"]  # fixtures

FEW = {"num_samples": 3, "not_cuda": True}


def flags(*words: object, **more: object) -> dict[str, object]:
    return {"runs": [str(word) for word in words], **FEW, **more}


def rows(folder: Path) -> dict[str, dict[str, str]]:
    with (folder / "metrics.csv").open(encoding="utf-8") as file:
        return {row["run"]: row for row in csv.DictReader(file)}


def measured(run: Path, **more: Any) -> Report:
    """The metrics of one run, by hand."""
    options = {"model_dir": str(run), "metrics": True, "threads": 1, **FEW, **more}
    return measure_model(*ask.prepare(options))


@pytest.mark.fleet
@pytest.mark.usefixtures("joined")
def test_the_table_holds_the_same_numbers(
    trained: Callable[[str], Path], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    folder = copies(trained("generation"), tmp_path / "runs", "a", "b", "c")
    caplog.set_level(logging.INFO, "ConSinGAN")
    with keeping_threads():
        said = metrics.do(flags(folder, seed=4))
        report = measured(folder / "a", seed=4)
    assert said == f"3 models measured: {folder / 'metrics.md'}"
    found = rows(folder)
    assert list(found) == ["a", "b", "c"]
    assert {"sliced_wasserstein", "coherence", "pixel_diversity"} <= set(report.metrics)
    for row in found.values():
        assert row["picture"] == "picture.png"
        assert float(row["seconds"]) >= 0
        for name, entry in report.metrics.items():
            assert float(row[name]) == entry["value"]
            if "std" in entry:
                assert float(row[f"{name}_std"]) == entry["std"]
    text = (folder / "metrics.md").read_text(encoding="utf-8")
    assert "3 models; task: samples; num_samples: 3; seed: 4; device: cpu" in text
    assert f"| {table.as_text(report.metrics['coherence'])} |" in text
    for note in report.notes:  # once for all
        assert text.count(note) == caplog.text.count(note) == 1
    assert any("sifid" in note.lower() for note in report.notes)
    with Image.open(folder / "metrics.png") as page:
        pixels = np.asarray(page.convert("L"))
        assert page.width == 2 * (4 * (sheet.SIDE + sheet.GAP) - sheet.GAP) + 3 * sheet.EDGE
    step = sheet.SIDE + sheet.GAP
    for left in range(sheet.EDGE, sheet.EDGE + 4 * step, step):
        assert pixels[:, left : left + sheet.SIDE].std() > 20


@pytest.mark.fleet
@pytest.mark.usefixtures("joined")
def test_nothing_is_measured_twice(
    trained: Callable[[str], Path], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    folder = copies(trained("generation"), tmp_path / "runs", "a", "b")
    out = tmp_path / "out"
    caplog.set_level(logging.INFO, "ConSinGAN")

    def again(*more: Path, **options: object) -> set[str]:
        """The names of what was measured now."""
        known = out / ".fleet/metrics"
        before = {path: path.stat().st_mtime_ns for path in known.glob("*.yaml")}
        metrics.do(flags(folder, *more, output_dir=str(out), **options))
        return {p.stem for p in known.glob("*.yaml") if before.get(p) != p.stat().st_mtime_ns}

    assert again() == {"a", "b"}
    first = (out / "metrics.csv").read_bytes()
    assert again() == set()
    assert (out / "metrics.csv").read_bytes() == first
    other = copies(trained("generation"), tmp_path / "more", "b", "d")
    assert again(other) == {"b_2", "d"}
    assert list(rows(out)) == ["a", "b", "b_2", "d"]
    assert again() == set()
    assert (out / "metrics.csv").read_bytes() == first
    config = (folder / "b/config.yaml").read_bytes()
    (folder / "b/config.yaml").write_bytes(config.replace(b"a", b"b", 1))
    with pytest.raises(Failed, match="1 of 2 are done, 1 failed"):
        again()
    assert list(rows(out)) == ["a"]
    assert "* b: " in (out / "metrics.md").read_text(encoding="utf-8")
    (folder / "b/config.yaml").write_bytes(config)
    assert again() == set()  # as it was measured before
    assert again(num_samples=2) == {"a", "b"}
    assert "--num_samples was 3 last time and is 2 now" in caplog.text
    assert not list(folder.glob("*/Evaluation"))


@pytest.mark.fleet
@pytest.mark.usefixtures("joined")
def test_bad_ones_fail_alone(
    trained: Callable[[str], Path], tmp_path: Path, script: Callable[..., Outcome]
) -> None:
    folder = copies(trained("generation"), tmp_path / "runs", "a", "damaged")
    copies(trained("harmonization"), folder, "other")  # its own task measures nothing
    damage(folder / "damaged")
    outcome = script(__main__, "metrics", folder, "--num_samples", 2, "--not_cuda")
    assert outcome.code == 1
    assert "failed: damaged: " in outcome.err
    assert "failed: other: " in outcome.err
    assert "1 of 3 are done, 2 failed" in outcome.err
    assert list(rows(folder)) == ["a"]
    assert (folder / "metrics.png").is_file()


@pytest.mark.usefixtures("no_ray")
@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["nowhere"], "nowhere: there is no such run directory"),
        (["runs", "--metrics"], "--metrics is not for a fleet"),
        (["runs", "--num_samples", "0"], "--num_samples must be at least 1"),
        (["runs", "--inception_weights", "gone.pth"], "--inception_weights gone.pth: there is no"),
        (["runs", "--output_dir", "runs/a"], "--output_dir runs/a: is in a run directory"),
    ],
)
def test_wrong_flags_end_before_ray(
    trained: Callable[[str], Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    script: Callable[..., Outcome], words: list[str], says: str,
) -> None:  # fmt: skip
    copies(trained("generation"), tmp_path / "runs", "a")
    monkeypatch.chdir(tmp_path)
    before = set(tmp_path.rglob("*"))
    outcome = script(__main__, "metrics", *words)
    assert outcome.code == 2
    assert says in outcome.err
    assert len(outcome.err.splitlines()) == 1
    assert set(tmp_path.rglob("*")) == before


def test_a_table_with_gaps(tmp_path: Path) -> None:
    """Models need not have the same metrics; a bar in a name breaks no table."""
    made = table.Table()
    known = {"picture": "x/y|z.png", "seconds": 1.5, "notes": ["no copying"], "task": "samples"}
    made.add("one", "/runs/one", known | {"metrics": {"coherence": {"value": 1.25, "std": 0.5}}})
    made.add("two", "/runs/two", known | {"notes": [], "metrics": {"copying": {"value": 1.0}}})
    made.write(tmp_path / "t.csv", tmp_path / "t.md", {"three": "why"})
    with (tmp_path / "t.csv").open() as file:
        found = list(csv.reader(file))
    assert found == [
        ["run", "picture", "coherence", "coherence_std", "copying", "seconds", "path"],
        ["one", "y|z.png", "1.25", "0.5", "", "1.5", "/runs/one"],
        ["two", "y|z.png", "", "", "1.0", "1.5", "/runs/two"],
    ]
    lines = (tmp_path / "t.md").read_text(encoding="utf-8").splitlines()
    assert "| one | y\\|z.png | 1.25 ± 0.5 |  | 1.5 |" in lines
    assert "| two | y\\|z.png |  | 1 | 1.5 |" in lines
    assert "* one: no copying" in lines
    assert "* three: why" in lines
