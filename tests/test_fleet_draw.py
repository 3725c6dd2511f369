"""Drawing from many models: the same files as one by one, nothing twice, bad ones alone."""

from __future__ import annotations

import logging
import shutil
import signal
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import yaml
from conftest import Outcome, write_picture
from fleet_helpers import begin, finishing, wait_for
from fleet_models import contents, copies, damage, joined, no_ray, ray_here, unfinish
from PIL import Image

import evaluate_model
from ConSinGAN.errors import UsageError
from ConSinGAN.fleet import __main__, draw, runs, sheet
from ConSinGAN.fleet.driver import Failed
from ConSinGAN.hardware import keeping_threads

__all__ = ["joined", "no_ray", "ray_here"]  # fixtures

Script = Callable[..., Outcome]
FEW = {"num_samples": 2, "not_cuda": True}


def ledger(folder: Path) -> dict[str, dict[str, str]]:
    return yaml.safe_load((folder / "draw.yaml").read_text())["runs"]


def flags(*words: object, **more: object) -> dict[str, object]:
    return {"runs": [str(word) for word in words], **FEW, **more}


@pytest.mark.fleet
@pytest.mark.usefixtures("joined")
def test_the_same_files_as_one_by_one(
    trained: Callable[[str], Path], tmp_path: Path, script: Script
) -> None:
    folder = copies(trained("generation"), tmp_path / "runs", "a", "b.1", "straße")
    with keeping_threads():
        said = draw.do(flags(folder))
        assert said.startswith("drawn from 3 models")
        for run in folder.iterdir():
            if run.name[0] != "." and run.is_dir():
                words = ("--model_dir", run, "--threads", 1, "--num_samples", 2, "--not_cuda")
                alone = tmp_path / "alone" / run.name
                assert script(evaluate_model, *words, "--output_dir", alone).code == 0
                assert len(contents(alone)) == 9  # one, and two of four sizes
                assert contents(alone) == contents(run / "Evaluation")
    assert {entry["state"] for entry in ledger(folder).values()} == {"done"}
    with Image.open(folder / "contact_sheet.png") as page:
        pixels = np.asarray(page)
        assert page.width > 3 * 2 * sheet.SIDE
    assert [pixels[:, left : left + 300].std() > 20 for left in (0, 300, 600)] == [True] * 3


@pytest.mark.fleet
@pytest.mark.usefixtures("joined")
def test_nothing_is_drawn_twice(
    trained: Callable[[str], Path], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    folder = copies(trained("generation"), tmp_path / "runs", "a", "b")
    out = tmp_path / "out"
    caplog.set_level(logging.INFO, "ConSinGAN")

    def again(**more: object) -> set[str]:
        """The names of what was drawn now."""
        before = {path: path.stat().st_ino for path in out.rglob("*.png")}
        draw.do(flags(folder, output_dir=str(out), **more))
        new = {path for path in out.rglob("*.png") if before.get(path) != path.stat().st_ino}
        return {path.relative_to(out).parts[0] for path in new} & {"a", "b"}

    assert again() == {"a", "b"}
    assert not (folder / "a/Evaluation").exists()
    assert again() == set()
    assert "2 of 2 are done already" in caplog.text
    (out / "a/reconstruction.png").unlink()
    assert again() == {"a"}
    shutil.copy(folder / "a/reals.safetensors", folder / "b/noise.safetensors")
    with pytest.raises(Failed):
        again()
    shutil.copy(folder / "a/noise.safetensors", folder / "b/noise.safetensors")
    caplog.clear()
    assert again(seed=3) == {"a", "b"}
    assert "--seed was not given last time and is 3 now" in caplog.text
    copies(folder / "a", tmp_path / "other", "a")  # a name that is taken
    draw.do(flags(tmp_path / "other/a", output_dir=str(out), seed=3))
    assert set(contents(out / "a_2")) == set(contents(out / "a"))
    assert again(seed=3) == set()  # the first are still known by their names


@pytest.mark.fleet
@pytest.mark.usefixtures("joined")
def test_bad_ones_fail_alone(
    trained: Callable[[str], Path], tmp_path: Path, script: Script
) -> None:
    folder = copies(trained("generation"), tmp_path / "runs", "good", "damaged", "unfinished")
    copies(trained("harmonization"), folder, "other")
    damage(folder / "damaged")
    unfinish(folder / "unfinished")
    words = ("draw", folder / "*", "--task", "samples", "--num_samples", 1, "--not_cuda")
    outcome = script(__main__, *words)
    assert outcome.code == 1
    assert "failed: damaged: " in outcome.err
    assert "is damaged" in outcome.err
    assert "failed: unfinished: " in outcome.err
    assert "main_train.py --resume" in outcome.err
    assert "failed: other: --task samples: the model was trained for harmonization" in outcome.err
    assert "1 of 4 are done, 3 failed" in outcome.err
    assert contents(folder / "good/Evaluation")
    assert not (folder / "other/Evaluation").exists()
    assert (folder / "contact_sheet.png").is_file()
    assert "is not finished" in ledger(folder)["unfinished"]["why"]
    # Of the folder as such, what is not finished is left out.
    outcome = script(__main__, "draw", folder, *words[2:])
    assert outcome.code == 1
    assert "1 runs are not finished" in outcome.err
    assert "1 of 3 are done, 2 failed" in outcome.err


@pytest.mark.usefixtures("no_ray")
@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["nowhere"], "nowhere: there is no such run directory"),
        (["runs/deep/a/1"], "there is no finished run in this folder"),
        (["none*"], "none*: no finished run is called so"),
        (["runs", "--task", "cooking"], "--task"),
        (["runs", "--tile", "-3"], "--tile must be at least"),
        (["runs", "--task", "animation", "--tile", "64"], "--tile is an option of --task"),
        (["runs", "--factor", "2"], "--factor"),
        (["runs", "--format", "mp4"], "--format mp4"),
        (["runs", "--metrics"], "--metrics is not for a fleet"),
        (["runs", "--threads", "2"], "--threads is not for a fleet: here it is --threads_per_run"),
        (["runs", "--model_dir", "x"], "--model_dir is not for a fleet"),
        (["runs", "--workers", "0"], "--workers must be at least 1"),
        (["runs", "--task", "style", "--content_img", "no.png"], "--content_img no.png: there is"),
        (["runs", "--output_dir", "runs/deep/a/b"], "--output_dir runs/deep/a/b: is in a run"),
        (["runs", "--output_dir", "runs/deep"], "--output_dir runs/deep: the runs themselves"),
        (["runs/deep/a", "more/c"], "--output_dir is needed"),
        ([], "the following arguments are required: RUNS"),
    ],
)
def test_wrong_flags_end_before_ray(
    trained: Callable[[str], Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    script: Script, words: list[str], says: str,
) -> None:  # fmt: skip
    copies(trained("generation"), tmp_path / "runs/deep", "a")
    copies(trained("generation"), tmp_path / "more", "c")
    monkeypatch.chdir(tmp_path)
    before = set(tmp_path.rglob("*"))
    outcome = script(__main__, "draw", *words)
    assert outcome.code == 2
    assert outcome.out == ""
    assert says in outcome.err
    assert len(outcome.err.splitlines()) == 1
    assert set(tmp_path.rglob("*")) == before


@pytest.mark.fleet
def test_ctrl_c(trained: Callable[[str], Path], tmp_path: Path) -> None:
    """It ends between two pictures; the same command goes on."""
    pytest.importorskip("ray")
    folder = copies(trained("generation"), tmp_path / "runs", *"abcd")
    words = ("draw", folder, "--num_samples", 100_000, "--workers", 1, "--not_cuda", "--quiet")
    with finishing(begin(*words)) as process:
        wait_for(lambda: [*folder.glob("*/Evaluation/random_samples/gen_sample_9.png")])
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=60)
    assert process.returncode == 130, err
    assert "drawing was stopped: 0 of 4 are done; the same command goes on" in err
    assert "Traceback" not in err
    assert sorted(entry["state"] for entry in ledger(folder).values()) == [
        "stopped", "waiting", "waiting", "waiting",
    ]  # fmt: skip
    assert out == ""


def test_which_runs_are_meant(
    trained: Callable[[str], Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = trained("generation")
    assert runs.short_name(run) == run.parent.name == "picture"  # as main_train.py names it
    fleet = copies(run, tmp_path / "fleet", "b", "a", "c", ".hidden")
    unfinish(fleet / "c")
    deep = copies(run, tmp_path / "TrainedModels/palace", run.name)
    copies(run, deep.parent / "tower", run.name, "v2.5")
    monkeypatch.chdir(tmp_path)
    assert runs.find(["fleet"]) == ([fleet / "a", fleet / "b"], [fleet])
    assert runs.find(["fleet/*"])[0] == [fleet / "a", fleet / "b", fleet / "c"]
    assert runs.find(["fleet/b", "fleet", "fleet/b/"])[0] == [fleet / "b", fleet / "a"]
    found, folders = runs.find([str(deep.parent)])
    assert found == [deep / run.name, *(deep.parent / "tower" / n for n in (run.name, "v2.5"))]
    assert [runs.short_name(path) for path in found] == ["palace", "tower", "v2.5"]
    assert runs.home_of(found, folders, None) == deep.parent
    assert runs.find(["TrainedModels/*"])[0] == found
    ledger = {"format": 1, "command": "train", "runs": {}}
    for name, state in (("c", "running"), ("b", "done"), ("gone", "failed")):
        ledger["runs"][name] = {"picture": f"{name}.png", "state": state}
    (fleet / "fleet.yaml").write_text(yaml.safe_dump(ledger))
    assert runs.find(["fleet"])[0] == [fleet / "b"]
    with pytest.raises(UsageError, match="output_dir is needed"):
        runs.home_of([fleet / "a", found[0]], [], None)


def test_a_long_sheet_has_pages(tmp_path: Path) -> None:
    colours = [(200, 30, 30), (30, 200, 30), (30, 30, 200)]
    cells = []
    for number in range(7):
        path = tmp_path / f"{number}.png"
        path.write_bytes(sheet.small(Image.new("RGB", (20, 10), colours[number % 3])))
        cells.append(sheet.Cell(f"run {number} " + "x" * 99, [path, tmp_path / "gone.png"], ["y"]))
    pages = sheet.write_pages(tmp_path / "sheet.png", cells, columns=2, per_page=3)
    assert [page.name for page in pages] == ["sheet.png", "sheet_2.png", "sheet_3.png"]
    with Image.open(pages[1]) as page:
        seen = {colour for _, colour in page.getcolors(1 << 16) or []}
    assert set(colours) <= seen
    assert sheet.write_pages(tmp_path / "sheet.png", cells[:2], 2, 3) == pages[:1]
    assert not pages[1].exists()
    assert not pages[2].exists()
    path = write_picture(tmp_path / "huge.png", 600, 900)
    shown = tmp_path / "small.png"
    shown.write_bytes(sheet.small_of_file(path) or b"")
    with Image.open(shown) as image:
        assert image.size == (sheet.SIDE, 96)
    path.write_text("no picture")
    assert sheet.small_of_file(path) is None
