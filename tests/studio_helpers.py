"""A studio in a process of its own, and what tests ask of it."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar

import pytest
from conftest import ROOT

T = TypeVar("T")
PATIENCE = 120.0  # seconds; machines may be slow
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
IN_CHROMIUM = [
    pytest.mark.browser,
    pytest.mark.skipif(CHROMIUM is None, reason="there is no Chromium (apt-get install chromium)"),
]


def new_context(browser: Any) -> Any:
    """A visitor's own session, on a small screen; waits as long as slow machines need."""
    from playwright.sync_api import expect

    context = browser.new_context(viewport={"width": 1280, "height": 720})
    context.set_default_timeout(1000 * PATIENCE)
    expect.set_options(timeout=1000 * PATIENCE)
    return context


def begin(models: Path, *flags: object) -> tuple[subprocess.Popen, str]:
    """Start a studio on a models folder; its process, and its address once it answers.

    Temporary files are beside that folder, not around it: then Gradio would show all that is in it.
    """
    temporary = models.parent / "temporary"
    temporary.mkdir(parents=True, exist_ok=True)
    process = subprocess.Popen(
        [sys.executable, "-m", "ConSinGAN.studio", "--no-browser", "--models", str(models),
         *map(str, flags)],
        env=os.environ | {"TMPDIR": str(temporary)}, cwd=ROOT, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert process.stdout is not None
    line = process.stdout.readline()
    found = re.search(r"http://\S+", line)
    assert found, f"the studio did not open: {line!r}, exit code {process.poll()}"
    return process, found[0]


def end(process: subprocess.Popen, how: signal.Signals = signal.SIGTERM) -> None:
    """End a studio."""
    process.send_signal(how)
    process.communicate(timeout=PATIENCE)


@contextlib.contextmanager
def studio(models: Path, *flags: object) -> Iterator[str]:
    """A studio for a while; its address."""
    process, address = begin(models, *flags)
    try:
        yield address
    finally:
        if process.poll() is None:
            end(process)


def wait_for(what: Callable[[], T], seconds: float = PATIENCE) -> T:
    """Ask until the answer is true, and return it."""
    until = time.monotonic() + seconds
    while True:
        answer = what()
        if answer:
            return answer
        assert time.monotonic() < until, "it did not come"
        time.sleep(0.05)
