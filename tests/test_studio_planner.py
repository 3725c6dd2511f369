"""What the page asks of a process with torch: plans, checks, and what becomes of bad questions."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from conftest import TINY, write_hole, write_picture

from ConSinGAN import estimate
from ConSinGAN.errors import ConSinGANError, UsageError
from ConSinGAN.estimate import Speed
from ConSinGAN.studio.planner import Planner, answer
from ConSinGAN.studio.worker import Worker


@pytest.fixture
def measured(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """The configurations that the machine was measured with; it has one speed."""
    calls: list[Any] = []

    def measure(config: Any, device: Any, dtype: Any) -> Speed:
        calls.append(config)
        return Speed(0.0001, 1e12)

    monkeypatch.setattr(estimate, "measure", measure)
    return calls


@pytest.fixture
def flags(tmp_path: Path) -> dict[str, Any]:
    picture = write_picture(tmp_path / "picture.png", 200, 300)
    return {"input_name": str(picture), "not_cuda": True, "output_dir": str(tmp_path)}


def test_more_effort_takes_longer_and_the_machine_is_measured_once(
    measured: list[Any], flags: dict[str, Any]
) -> None:
    planner = Planner()
    draft = planner.plan({**flags, "preset": "draft"})
    standard = planner.plan({**flags, "preset": "standard"})
    paper = planner.plan(flags)
    assert 0 < draft["seconds"] < standard["seconds"] < paper["seconds"]
    assert (paper["size"], paper["niter"], paper["preset"]) == ([250, 167], 2000, {})
    assert draft["niter"] == draft["preset"]["niter"]
    assert planner.plan({**flags, "niter": 10, "Dsteps": 1})["seconds"] < paper["seconds"]
    assert len(measured) == 1
    planner.plan({**flags, "nfc": 8})
    assert len(measured) == 2


def test_checks_tell_what_is_wrong_without_timing(
    measured: list[Any], flags: dict[str, Any], tmp_path: Path
) -> None:
    planner = Planner()
    flat = {**flags, "input_name": str(write_picture(tmp_path / "flat.png", 12, 400))}
    hole = {**flags, "train_mode": "inpainting", "mask": str(write_hole(tmp_path / "hole.png"))}
    for preset in ({}, {"preset": "draft"}, {"preset": "standard"}):
        planner.check({**flags, **preset})
        for bad, option in ((flat, "min_size"), (hole, "mask"),
                            ({**flags, "input_name": str(tmp_path)}, "input_name"),
                            ({**flags, "niter": 0}, "niter")):  # fmt: skip
            with pytest.raises(UsageError) as caught:
                planner.check({**bad, **preset})
            assert caught.value.option == option
    with pytest.raises(UsageError, match=r"no run directory|not a run"):
        planner.model(str(tmp_path))
    assert measured == []


@pytest.mark.parametrize(
    "line", ["", "[", "3", "{}", '{"ask": "no", "about": {}}', '{"ask": "plan", "about": {"x": 1}}']
)
def test_a_bad_question_has_an_answer(line: str) -> None:
    assert answer(Planner(), line)["error"]


def test_options_stay_marked_in_answers(tmp_path: Path) -> None:
    question = {"ask": "check", "about": {"flags": {"niter": 0}}}
    assert answer(Planner(), json.dumps(question)) == {"error": "`niter` must be at least 1, not 0"}


@pytest.fixture
def worker(tmp_path: Path) -> Iterator[Worker]:
    with Worker(tmp_path / "log") as asked:
        yield asked


def test_a_process_that_has_died_is_begun_anew(
    worker: Worker, trained: Callable[[str], Path], tmp_path: Path
) -> None:
    picture = write_picture(tmp_path / "picture.png")
    worker.check_picture(picture, tmp_path / "shown.png")
    assert (tmp_path / "shown.png").is_file()
    process = worker._quick._process
    assert process is not None
    process.kill()
    process.wait()
    with pytest.raises(UsageError) as caught:
        worker.check({**TINY, "input_name": str(tmp_path / "none.png")})
    assert caught.value.option == "input_name"
    worker.check_model(trained("generation"))
    worker._quick.end()
    with pytest.raises(ConSinGANError, match="ending"):
        worker.check_picture(picture)
