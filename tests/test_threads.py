"""How many threads compute and how they wait."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from conftest import ROOT, TINY, Outcome, write_picture

import ConSinGAN
import evaluate_model
from ConSinGAN import beginning, hardware, launch, threads
from ConSinGAN.errors import UsageError
from ConSinGAN.run import RunDirectory

Script = Callable[..., Outcome]

SHOW = "import os; print(os.environ.get('GOMP_SPINCOUNT'), os.environ.get('KMP_BLOCKTIME'))"


def python(code: str, **environment: str) -> str:
    mine = {k: v for k, v in os.environ.items() if k not in threads.DECIDED}
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT,
        env=mine | environment,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_importing_the_package_limits_spinning() -> None:
    spins = " ".join(threads.SPINS.values())
    assert python(f"import ConSinGAN; {SHOW}") == spins
    assert python(f"import main_train; {SHOW}") == spins
    assert python(f"import evaluate_model; {SHOW}") == spins


@pytest.mark.parametrize("name", threads.DECIDED)
def test_what_the_user_has_set_stays(name: str) -> None:
    environment = {name: "3"}
    assert not threads.limit_spinning(environment)
    assert environment == {name: "3"}


def test_where_torch_is_loaded_it_is_too_late() -> None:
    environment: dict[str, str] = {}
    assert "torch" in sys.modules
    assert not threads.limit_spinning(environment)
    assert environment == {}


@pytest.fixture
def options(tmp_path: Path) -> dict:
    picture = write_picture(tmp_path / "picture.png")
    return TINY | {"input_name": picture, "output_dir": tmp_path}


def watch_threads(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """With how many threads every training begins."""
    used, begin = [], beginning.begin

    def watched(*arguments: object) -> object:
        used.append(torch.get_num_threads())
        return begin(*arguments)

    monkeypatch.setattr(beginning, "begin", watched)
    return used


def test_threads_are_used_and_recorded_and_put_back(
    options: dict, monkeypatch: pytest.MonkeyPatch
) -> None:
    used = watch_threads(monkeypatch)
    before = torch.get_num_threads()
    for given, expected in ((1, 1), (2, 2), (None, before)):
        run = ConSinGAN.train(**options, **{"threads": given} if given else {})
        assert used[-1] == expected
        assert torch.get_num_threads() == before
        assert RunDirectory(run).load_config().threads == expected


def test_trainings_side_by_side_find_what_the_first_found() -> None:
    before, inside = torch.get_num_threads(), threading.Event()
    one_has_left, found = threading.Event(), {}

    def one() -> None:
        with hardware.keeping_threads():
            hardware.set_threads(before + 1)
            other.start()
            inside.wait(60)
            found["one"] = torch.get_num_threads()
            with hardware.keeping_threads():  # a watcher that trains, say
                hardware.set_threads(before)
            found["one again"] = torch.get_num_threads()
        one_has_left.set()

    def the_other() -> None:
        with hardware.keeping_threads():
            found["other"] = torch.get_num_threads()
            inside.set()
            one_has_left.wait(60)

    first, other = threading.Thread(target=one), threading.Thread(target=the_other)
    first.start()
    first.join(60)
    other.join(60)
    newcomer = threading.Thread(target=lambda: found.update(new=torch.get_num_threads()))
    newcomer.start()
    newcomer.join(60)
    torch.set_num_threads(before)
    assert found == {
        "one": before + 1, "one again": before + 1, "other": before, "new": before
    }  # fmt: skip


def test_resuming_keeps_the_threads_or_says_so(
    options: dict, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "ConSinGAN")
    used = watch_threads(monkeypatch)
    before = torch.get_num_threads()
    run = ConSinGAN.train(**options, threads=2)
    try:
        for typed, expected, told in (({}, 2, False), ({"threads": 1}, 1, True)):
            (run / "1" / "netG.safetensors").unlink()
            caplog.clear()
            launch.resume(run, typed)
            assert used[-1] == expected
            assert ("--threads 1" in caplog.text) == told
    finally:
        torch.set_num_threads(before)


def test_threads_of_evaluation_and_loading(
    trained: Callable, tmp_path: Path, script: Script
) -> None:
    before = torch.get_num_threads()
    words = ["--model_dir", trained("generation"), "--output_dir", tmp_path, "--num_samples", 1]
    try:
        assert script(evaluate_model, *words, "--threads", 2).code == 0
        assert torch.get_num_threads() == 2
        ConSinGAN.load(trained("generation"), threads=1)
        assert torch.get_num_threads() == 1
        ConSinGAN.load(trained("generation"))
        assert torch.get_num_threads() == 1
        with pytest.raises(UsageError, match=r"^threads"):
            ConSinGAN.load(trained("generation"), threads=0)
    finally:
        torch.set_num_threads(before)
