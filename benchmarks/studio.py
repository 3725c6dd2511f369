"""Many drawings in a row: what memory and temporary files of the studio do.

    python benchmarks/studio.py [--tasks 200]

A tiny model is trained; then a browser draws from it in a studio of its own, and what the studio's
process holds is looked at after every 20 drawings. Needs Chromium, playwright and Linux.
"""

from __future__ import annotations

import argparse
import itertools
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from playwright.sync_api import expect, sync_playwright  # noqa: E402

import ConSinGAN  # noqa: E402

TASKS = ("Samples", "Texture", "Outpainting", "Animation", "Other sizes")
PATIENCE = 120_000  # milliseconds
TINY = {"train_stages": 3, "min_size": 16, "max_size": 64, "nfc": 8, "niter": 5, "not_cuda": True}


def main() -> None:
    """Train, draw, and print what was found."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tasks", type=int, default=200)
    tasks = parser.parse_args().tasks
    with tempfile.TemporaryDirectory() as folder:
        models = Path(folder) / "models"
        picture = ROOT / "Images" / "Generation" / "summer_palace.jpg"
        for _ in range(2):
            ConSinGAN.train(input_name=str(picture), output_dir=str(models), **TINY)
        temporary = Path(folder) / "temporary"
        temporary.mkdir()
        print("drawings  resident MB  temporary files  MB")
        for done, resident, num, size in draw(models, temporary, tasks):
            print(f"{done:8}  {resident / 2**20:11.1f}  {num:15}  {size / 2**20:.2f}", flush=True)


def draw(models: Path, temporary: Path, tasks: int) -> Any:
    """Ask for one drawing after the other; yields what there is after every 20."""
    words = ["-m", "ConSinGAN.studio", "--no-browser", "--models", str(models)]
    process = subprocess.Popen(
        [sys.executable, *words], cwd=ROOT, stdout=subprocess.PIPE, text=True,
        env={**os.environ, "TMPDIR": str(temporary)},
    )  # fmt: skip
    assert process.stdout is not None
    address = process.stdout.readline().split("at ")[1].split()[0]
    chromium = shutil.which("chromium") or shutil.which("chromium-browser")
    try:
        with sync_playwright() as driver:
            browser = driver.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
            page = browser.new_page()
            page.set_default_timeout(PATIENCE)
            expect.set_options(timeout=PATIENCE)
            page.goto(address)
            page.get_by_role("tab", name="Draw", exact=True).click()
            for done, task in zip(range(1, tasks + 1), itertools.cycle(TASKS)):
                ask(page, task, done)
                if done % 20 == 0:
                    files = [path for path in temporary.rglob("*") if path.is_file()]
                    size = sum(path.stat().st_size for path in files)
                    yield done, resident(process.pid), len(files), size
            browser.close()
    finally:
        process.terminate()
        process.wait()


def ask(page: Any, task: str, number: int) -> None:
    """One drawing, of a seed of its own; and of the other model now and then."""
    if number % 10 == 0:
        page.locator("#draw-model input").click()
        page.get_by_role("option").nth(number // 10 % 2).click()
        expect(page.locator("#draw-task")).to_be_visible()
    page.locator("#draw-task").get_by_text(task, exact=True).click()
    seed = page.locator("#draw-seed input, #draw-seed textarea").first
    seed.fill(str(number))
    seed.press("Tab")
    page.locator("#draw-go").click()
    expect(page.locator("#draw-command textarea")).to_have_value(
        re.compile(rf"--seed {number}( |$)")
    )
    expect(page.locator("#draw-go")).to_be_enabled()


def resident(pid: int) -> int:
    """Bytes of memory that a process holds."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) * 1024
    raise RuntimeError("no such line")


if __name__ == "__main__":
    main()
