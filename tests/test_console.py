"""What is said on streams that are closed, gone, full or cannot spell it."""

from __future__ import annotations

import errno
import io
import logging
import os
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterable
from pathlib import Path

import pytest
from conftest import ROOT, TINY, Outcome, as_flags, write_picture

import evaluate_model
import main_train
from ConSinGAN import console
from ConSinGAN.errors import ConSinGANError, run_script
from ConSinGAN.watch.base import Stop, Stopped
from ConSinGAN.watch.signals import Signals

Script = Callable[..., Outcome]


class Broken(io.StringIO):
    """A stream on which writing fails."""

    def __init__(self, number: int) -> None:
        super().__init__()
        self.number = number

    def write(self, text: str) -> int:
        raise OSError(self.number, os.strerror(self.number))


def closed() -> io.StringIO:
    stream = io.StringIO()
    stream.close()
    return stream


class NoTerminal:
    """As little of a stream as a program may put in the place of one."""

    def __init__(self) -> None:
        self.text = ""

    def write(self, text: str) -> None:
        self.text += text


GONE = [None, closed(), Broken(errno.EPIPE), Broken(errno.EIO), Broken(errno.EBADF), object()]


@pytest.mark.parametrize("stream", GONE, ids=repr)
def test_nobody_needs_to_listen(stream: object) -> None:
    console.say("a line", stream)
    assert not console.is_terminal(stream)


def test_a_full_disk_is_told() -> None:
    with pytest.raises(OSError, match="No space"):
        console.say("a line", Broken(errno.ENOSPC))


@pytest.mark.parametrize(
    ("encoding", "shown"),
    [
        ("ascii", rb"\xfcn\xef \u65e5 \udcff"),
        ("cp1252", b"\xfcn\xef \\u65e5 \\udcff"),
        ("utf-8", "ünï 日 ".encode() + rb"\udcff"),
    ],
)
def test_what_cannot_be_spelt_is_escaped(encoding: str, shown: bytes) -> None:
    data = io.BytesIO()
    stream = io.TextIOWrapper(data, encoding=encoding)
    console.say("ünï 日 \udcff", stream)
    assert data.getvalue() == shown + os.linesep.encode()


@pytest.mark.parametrize("stream", [*GONE, Broken(errno.ENOSPC), NoTerminal()], ids=repr)
def test_training_needs_no_stderr(
    stream: object, tmp_path: Path, script: Script, monkeypatch: pytest.MonkeyPatch
) -> None:
    picture = write_picture(tmp_path / "picture.png")
    monkeypatch.setattr(sys, "stderr", stream)
    flags = TINY | {"input_name": picture, "output_dir": tmp_path}
    outcome = script(main_train, *as_flags(flags))
    assert outcome.code == 0
    assert outcome.out.startswith("done: ")
    if isinstance(stream, NoTerminal):
        assert "stage 2/2" in stream.text


@pytest.mark.parametrize("stream", GONE, ids=repr)
def test_evaluation_needs_no_stdout(
    stream: object,
    trained: Callable[[str], Path],
    tmp_path: Path,
    script: Script,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(sys, "stdout", stream)
    words = ["--model_dir", trained("generation"), "--output_dir", tmp_path / "a"]
    outcome = script(evaluate_model, *words, "--num_samples", 1, "--scale_h", 1, "--not_cuda")
    assert outcome.code == 0
    assert (tmp_path / "a" / "random_samples" / "gen_sample_0.png").is_file()


def test_the_result_on_a_full_disk_is_a_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdout", Broken(errno.ENOSPC))
    assert run_script(lambda: console.say("a table", sys.stdout)) == 1


def test_errors_are_told_with_their_codes_to_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail() -> None:
        raise ConSinGANError("no")

    for stream in (*GONE, Broken(errno.ENOSPC)):
        monkeypatch.setattr(sys, "stderr", stream)
        assert run_script(fail) == 1


def test_interrupted_is_no_error(capsys: pytest.CaptureFixture[str]) -> None:
    def stop() -> None:
        raise Stopped("interrupted in stage 1", Stop("SIGTERM", 143))

    assert run_script(stop) == 143
    assert capsys.readouterr().err == "interrupted in stage 1\n"


@pytest.mark.parametrize(
    "path", ["plain", "a b", "it's", "$HOME", "`ls`", 'a "quote"', "a;b", "a\\b", "*"]
)
@pytest.mark.skipif(os.name == "nt", reason="of POSIX shells")
def test_commands_are_read_by_a_shell_as_they_are_meant(path: str) -> None:
    line = console.command("printf", "%s|", Path("x") / path, 3)
    done = subprocess.run(["sh", "-c", line], capture_output=True, text=True, check=True)
    assert done.stdout == f"x/{path}|3|"
    assert shlex.split(line)[2] == f"x/{path}"


# Progress ---------------------------------------------------------------------------------------


def test_progress_on_a_terminal(
    capsys: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    caplog.set_level(logging.INFO, "ConSinGAN")
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    assert list(console.progress("abc", "drawing", 3, "picture")) == ["a", "b", "c"]
    assert "drawing" in capsys.readouterr().err


@pytest.mark.parametrize(("total", "expected"), [(3, "2/3"), (None, "2/?")])
def test_progress_without_a_terminal_is_a_line_now_and_then(
    total: int | None,
    expected: str,
    capsys: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    caplog.set_level(logging.INFO, "ConSinGAN")
    clock = iter([0.0, 4.0, 11.0, 11.0, 12.0])
    monkeypatch.setattr(console.time, "monotonic", lambda: next(clock))
    assert list(console.progress("abc", "drawing", total, "picture")) == ["a", "b", "c"]
    assert caplog.messages == [f"drawing: {expected}"]
    assert capsys.readouterr().err == ""


# Signals ----------------------------------------------------------------------------------------


@pytest.mark.skipif(not hasattr(signal, "SIGHUP"), reason="this system has no SIGHUP")
def test_a_closed_terminal_says_so_twice_and_is_heard_once() -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_DFL)  # under nohup it is ignored
    signals = Signals()
    signals.begin()
    try:
        for _ in range(2):
            os.kill(os.getpid(), signal.SIGHUP)
            time.sleep(0.01)
        assert signals.should_stop() == Stop("SIGHUP", 129)
    finally:
        signals.end()
        ended = signal.signal(signal.SIGHUP, before)
    assert ended == signal.SIG_DFL


@pytest.mark.skipif(not hasattr(signal, "SIGHUP"), reason="this system has no SIGHUP")
def test_nohup_holds() -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    signals = Signals()
    signals.begin()
    try:
        os.kill(os.getpid(), signal.SIGHUP)
        time.sleep(0.01)
        assert signals.should_stop() is None
    finally:
        signals.end()
        signal.signal(signal.SIGHUP, before)


# As a shell does it -----------------------------------------------------------------------------


def shell(words: Iterable[object], redirection: str, **environment: str) -> Outcome:
    line = f"{shlex.join([sys.executable, *map(str, words)])} {redirection}"
    done = subprocess.run(
        ["bash", "-c", line], capture_output=True, text=True, errors="surrogateescape",
        env=os.environ | environment,
    )  # fmt: skip
    return Outcome(done.returncode, done.stdout, done.stderr)


@pytest.mark.skipif(os.name == "nt", reason="of POSIX shells")
@pytest.mark.parametrize(
    ("redirection", "environment", "said"),
    [
        ("2>&- >&- <&-", {}, None),
        ("| true; exit ${PIPESTATUS[0]}", {}, None),
        ("2>&1 | head -1; exit ${PIPESTATUS[0]}", {}, None),
        ("", {"PYTHONIOENCODING": "ascii"}, "\\xfcn\\xef"),
        ("", {"PYTHONIOENCODING": "cp1252"}, "\udcfcn\udcef \\u65e5"),
    ],
    ids=str,
)
def test_training_ends_well_whatever_the_streams_are(
    redirection: str, environment: dict, said: str | None, tmp_path: Path
) -> None:
    picture = write_picture(tmp_path / "ünï 日.png")
    flags = as_flags(TINY | {"input_name": picture, "output_dir": tmp_path})
    outcome = shell([ROOT / "main_train.py", *flags], redirection, **environment)
    assert outcome.code == 0, outcome.err
    assert "Traceback" not in outcome.err
    (run,) = tmp_path.glob("ünï 日/*")
    assert (run / "sample_sheet.png").is_file()
    assert not (run / ".lock").exists()
    if said is not None:
        assert said in outcome.out


@pytest.mark.skipif(os.name == "nt", reason="of POSIX shells")
def test_help_into_a_closed_pipe() -> None:
    outcome = shell([ROOT / "main_train.py", "--help"], "| true; exit ${PIPESTATUS[0]}")
    assert (outcome.code, outcome.err) == (0, "")
