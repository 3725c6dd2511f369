"""A run can be stopped anywhere and goes on as if nothing had happened.

Here are the cases that can be named; test_torture.py kills at random.
"""

from __future__ import annotations

import contextlib
import errno
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from conftest import ROOT, TINY, as_flags, write_mask, write_picture

import ConSinGAN
from ConSinGAN import atomic, beginning, files, launch, saved
from ConSinGAN.errors import ConSinGANError, UsageError
from ConSinGAN.methods.adversarial import Adversarial
from ConSinGAN.run import RunDirectory
from ConSinGAN.state import Diverged
from ConSinGAN.watch.base import Stop, Stopped
from ConSinGAN.watch.signals import Signals


class Killed(BaseException):
    """Stands for kill -9: nothing in the package catches it."""


@pytest.fixture
def desk(tmp_path: Path, trained: Callable[[str], Path]) -> Callable[..., dict]:
    """Options of a tiny run of a case, with small files in place."""
    write_picture(tmp_path / "picture.png")
    write_picture(tmp_path / "naive.png", seed=1)
    write_mask(tmp_path / "naive_mask.png")

    def options(case: str, folder: str) -> dict:
        *tune, mode = case.split()
        chosen = TINY | {"train_mode": mode, "niter": 4, "checkpoint_seconds": 0.0}
        chosen |= {"output_dir": str(tmp_path / folder), "precision": "fp32", "preview_every": 2}
        chosen["input_name"] = str(tmp_path / "picture.png")
        if tune:
            naive = str(tmp_path / "naive.png")
            chosen |= {"fine_tune": True, "model_dir": str(trained(mode)), "naive_img": naive}
        return chosen

    return options


def only_run(options: dict) -> RunDirectory:
    (path,) = Path(options["output_dir"]).glob("*/*")
    return RunDirectory(path)


def assert_same_result(a: Path, b: Path) -> None:
    """Bit for bit the same tensors and samples."""
    names = {p.relative_to(a) for p in a.rglob("*.safetensors")}
    assert names == {p.relative_to(b) for p in b.rglob("*.safetensors")}
    assert any(name.name == "netG.safetensors" for name in names)
    for name in names:
        assert (a / name).read_bytes() == (b / name).read_bytes(), name
    assert (a / "sample_sheet.png").read_bytes() == (b / "sample_sheet.png").read_bytes()


def kill_at_iteration(monkeypatch: pytest.MonkeyPatch, count: int) -> None:
    step = Adversarial.step
    done = 0

    def dying(self: Adversarial, *arguments: object) -> dict:
        nonlocal done
        done += 1
        if done == count:
            raise Killed
        return step(self, *arguments)

    monkeypatch.setattr(Adversarial, "step", dying)


def newest_checkpoint(run: RunDirectory) -> int:
    """When the newest was written, ns; one that is being replaced has no name for a moment."""
    times = [0]
    for path in run.path.glob("checkpoint*.safetensors"):
        with contextlib.suppress(FileNotFoundError):
            times.append(path.stat().st_mtime_ns)
    return max(times)


def start(options: dict) -> subprocess.Popen:
    words = [sys.executable, str(ROOT / "main_train.py"), *as_flags(options)]
    return subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def wait_for(condition: Callable[[], bool], process: subprocess.Popen) -> None:
    end = time.monotonic() + 60
    while not condition():
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < end
        time.sleep(0.01)


def test_a_real_kill_and_a_real_interrupt(desk: Callable[..., dict]) -> None:
    """SIGKILL in one process, a refused second one, SIGTERM in the next, then the end."""
    options = desk("generation", "killed") | {"niter": 80}
    undisturbed = ConSinGAN.train(**desk("generation", "undisturbed") | {"niter": 80})
    output = Path(options["output_dir"])

    process = start(options)
    wait_for(lambda: bool(list(output.glob("*/*/checkpoint.safetensors"))), process)
    run = only_run(options)
    with pytest.raises(UsageError, match="another process"):
        launch.resume(run.path, {})
    process.send_signal(signal.SIGKILL)
    process.communicate()

    before = newest_checkpoint(run)
    process = start({"resume": str(run.path), "quiet": True})
    wait_for(lambda: newest_checkpoint(run) > before, process)
    process.send_signal(signal.SIGTERM)
    _, err = process.communicate()
    assert process.returncode == 143, err
    assert "--resume" in err
    assert "Traceback" not in err

    launch.resume(run.path, {})
    assert_same_result(undisturbed, run.path)


def test_interrupts_are_remembered_and_a_second_one_is_not(desk: Callable[..., dict]) -> None:
    signals = Signals()
    signals.begin()
    try:
        assert signals.should_stop() is None
        signal.raise_signal(signal.SIGINT)
        assert signals.should_stop() == Stop("SIGINT", 130)
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)
    finally:
        signals.end()
    assert Stopped("", Stop("SIGTERM", 143)).exit_code == 143


def interrupted_run(
    desk: Callable[..., dict], monkeypatch: pytest.MonkeyPatch, at: int = 7
) -> RunDirectory:
    """A generation run that died in its second stage, with two checkpoints."""
    options = desk("generation", "interrupted")
    with monkeypatch.context() as patch:
        kill_at_iteration(patch, at)
        with pytest.raises(Killed):
            ConSinGAN.train(**options)
    return only_run(options)


def test_a_run_in_the_default_precision_resumes(
    desk: Callable[..., dict], monkeypatch: pytest.MonkeyPatch
) -> None:
    """bf16 where the processor is good at it: the fixed noise of later stages is bf16 then."""
    undisturbed = ConSinGAN.train(**desk("generation", "undisturbed") | {"precision": "auto"})
    options = desk("generation", "interrupted") | {"precision": "auto"}
    with monkeypatch.context() as patch:
        kill_at_iteration(patch, 7)
        with pytest.raises(Killed):
            ConSinGAN.train(**options)
    launch.resume(only_run(options).path, {})
    assert_same_result(undisturbed, only_run(options).path)


def test_resuming_refuses_what_changes_the_result(
    desk: Callable[..., dict], monkeypatch: pytest.MonkeyPatch
) -> None:
    run = interrupted_run(desk, monkeypatch)
    for name, value in {"niter": 9, "lr_g": 0.1, "manualSeed": 7, "precision": "bf16"}.items():
        with pytest.raises(UsageError, match=f"^{name} .*resume"):
            launch.resume(run.path, {name: value})
    launch.resume(run.path, {"niter": 4, "preview_every": 1, "checkpoint_seconds": 9.0})
    launch.resume(run.path, {})  # finished: nothing happens
    with pytest.raises(UsageError, match=r"^niter 8"):
        launch.resume(run.path, {"niter": 8})


@pytest.mark.parametrize("damage", ["cut", "flip", "gone"])
def test_an_older_checkpoint_serves_and_is_said(
    desk: Callable[..., dict], monkeypatch: pytest.MonkeyPatch, damage: str,
    caplog: pytest.LogCaptureFixture,
) -> None:  # fmt: skip
    undisturbed = ConSinGAN.train(**desk("generation", "undisturbed"))
    run = interrupted_run(desk, monkeypatch)
    newest = run.path / "checkpoint.safetensors"
    data = newest.read_bytes()
    if damage == "gone":
        newest.unlink()
    else:
        flipped = data[:-50] + bytes([data[-50] ^ 4]) + data[-49:]
        newest.write_bytes(data[: len(data) // 2] if damage == "cut" else flipped)
    launch.resume(run.path, {})
    said = any("checkpoint before" in message for message in caplog.messages)
    assert said == (damage != "gone")
    assert_same_result(undisturbed, run.path)


def test_without_a_whole_checkpoint_there_is_an_error(
    desk: Callable[..., dict], monkeypatch: pytest.MonkeyPatch
) -> None:
    run = interrupted_run(desk, monkeypatch)
    for path in run.path.glob("checkpoint*"):
        path.write_bytes(b"no")
    with pytest.raises(UsageError, match="no checkpoint is whole"):
        launch.resume(run.path, {})


def test_each_damaged_file_is_noticed_or_not_needed(
    desk: Callable[..., dict], trained: Callable[[str], Path], tmp_path: Path
) -> None:
    """A byte flipped in any file: the model loads exactly as before, or an error names the file."""
    original = trained("harmonization")
    expected = ConSinGAN.load(original).reconstruct()
    noticed = set()
    for path in sorted(p for p in original.rglob("*") if p.is_file()):
        copy = tmp_path / "copy"
        shutil.copytree(original, copy)
        data = bytearray(path.read_bytes())
        data[len(data) // 2] ^= 0x10
        (copy / path.relative_to(original)).write_bytes(data)
        try:
            assert torch.equal(ConSinGAN.load(copy).reconstruct(), expected)
        except UsageError as error:
            assert path.name in str(error)
            noticed.add(str(path.relative_to(original)))
        shutil.rmtree(copy)
    needed = {"config.yaml", "reals.safetensors", "noise.safetensors", "1/netG.safetensors"}
    assert noticed == needed


def test_a_full_disk_at_every_write_in_turn(
    desk: Callable[..., dict], monkeypatch: pytest.MonkeyPatch
) -> None:
    """One clear error, no half-written file, and the run goes on when there is space again."""
    undisturbed = ConSinGAN.train(**desk("generation", "undisturbed"))
    for count in range(1, 40):
        options = desk("generation", f"full{count}")
        with monkeypatch.context() as patch:
            write, written = atomic.write_atomic, 0

            def full(path: Path, data: bytes, durable: bool = True, write=write, at=count) -> None:
                nonlocal written
                written += 1
                if written >= at:
                    raise OSError(errno.ENOSPC, "No space left on device", str(path))
                write(path, data, durable)

            patch.setattr(atomic, "write_atomic", full)
            patch.setattr("ConSinGAN.images.write_atomic", full)
            try:
                ConSinGAN.train(**options)
            except (ConSinGANError, OSError) as error:
                assert "No space left" in str(error)
            else:
                break  # more space than the run writes
        if count <= 3:  # config.yaml and the pictures: there is no run yet
            assert not list(Path(options["output_dir"]).glob("*/*"))
            continue
        run = only_run(options)
        assert not list(run.path.rglob(".*.tmp"))
        if count % 6 == 2:
            launch.resume(run.path, {})
            assert_same_result(undisturbed, run.path)
    assert count > 15


def test_numbers_that_go_wrong_stop_the_run(
    desk: Callable[..., dict], monkeypatch: pytest.MonkeyPatch
) -> None:
    step, done = Adversarial.step, 0

    def broken(self: Adversarial, *arguments: object) -> dict:
        nonlocal done
        done += 1
        terms = step(self, *arguments)
        return terms | {"fake": terms["fake"] * (float("nan") if done == 6 else 1)}

    monkeypatch.setattr(Adversarial, "step", broken)
    options = desk("generation", "nan")
    with pytest.raises(Diverged, match=r"stage 2, iteration 2.*lr_g"):
        ConSinGAN.train(**options)
    assert issubclass(Diverged, ConSinGANError)
    _, about = files.load_tensors(only_run(options).path / "checkpoint.safetensors")
    assert about == {"stage": "1", "iteration": "1"}


def test_a_finetuning_run_needs_its_first_model_only_for_the_first_checkpoint(
    desk: Callable[..., dict], trained: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:  # fmt: skip
    options = desk("fine-tune editing", "undisturbed")
    undisturbed = ConSinGAN.train(**options)
    first = Path(shutil.copytree(trained("editing"), tmp_path / "first"))
    options |= {"model_dir": str(first), "output_dir": str(tmp_path / "interrupted")}
    with monkeypatch.context() as patch:
        kill_at_iteration(patch, 3)
        with pytest.raises(Killed):
            ConSinGAN.train(**options)
    shutil.rmtree(first)
    run = only_run(options)
    launch.resume(run.path, {})
    assert_same_result(undisturbed, run.path)


def test_a_checkpoint_of_another_architecture_is_refused_before_memory_is_taken(
    desk: Callable[..., dict], monkeypatch: pytest.MonkeyPatch
) -> None:
    run = interrupted_run(desk, monkeypatch)
    text = saved.unseal(run.path / "config.yaml")
    (run.path / "config.yaml").write_bytes(saved.seal(text.replace("nfc: 4\n", "nfc: 1500\n")))
    monkeypatch.setattr(beginning, "fresh", None)
    with pytest.raises(UsageError, match="does not fit"):
        launch.resume(run.path, {})


def test_links_that_lead_outside_are_refused(
    trained: Callable[[str], Path], tmp_path: Path
) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    for name in ("reals.safetensors", "1/netG.safetensors", "noise.safetensors", "config.yaml"):
        copy = tmp_path / "copy"
        shutil.copytree(trained("generation"), copy)
        (copy / name).rename(outside / "file")
        (copy / name).symlink_to(outside / "file")
        with pytest.raises(UsageError, match="leads out of"):
            ConSinGAN.load(copy)
        shutil.rmtree(copy)


def test_a_config_that_asks_for_the_moon_takes_no_memory(
    trained: Callable[[str], Path], tmp_path: Path
) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(trained("generation"), copy)
    text = saved.unseal(copy / "config.yaml")
    for value, word in ((10**9, "nfc must"), (4096, "netG")):
        (copy / "config.yaml").write_bytes(saved.seal(text.replace("nfc: 4\n", f"nfc: {value}\n")))
        with pytest.raises(UsageError, match=word):
            ConSinGAN.load(copy)
