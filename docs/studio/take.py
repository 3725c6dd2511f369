"""Pictures of the studio for its documentation: every view, on two screens, light and dark.

    python docs/studio/take.py --models DIR [--out docs/studio]

DIR is a folder of finished models, which the studio opens: one each of generation,
super_resolution and harmonization at least; the newest of a mode is taken. A draft is trained in it
at the end. Needs Chromium and playwright, and takes as long as the draft does.
"""

from __future__ import annotations

import argparse
import functools
import io
import itertools
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from PIL import Image
from playwright.sync_api import expect, sync_playwright

ROOT = Path(__file__).resolve().parent.parent.parent
IMAGES = ROOT / "Images"
SCREENS = {"1280x720": (1280, 720), "820x1180": (820, 1180)}
SCHEMES = ("light", "dark")
PATIENCE = 900_000  # milliseconds; a draft ends within it
FIRST = {  # tasks of the modes' models
    "generation": "Samples", "super_resolution": "Super-resolution",
    "harmonization": "Harmonization",
}  # fmt: skip
TRAINED = IMAGES / "Generation" / "summer_palace.jpg"
NAIVE = IMAGES / "Harmonization" / "ink_palace_naive.jpg"


def train(page: Any, shot: Callable[[str], None]) -> None:
    """A picture is dropped: what it can become, and how long that takes."""
    page.locator("#train-picture input[type=file]").set_input_files(TRAINED)
    expect(page.locator("#train-picture img")).to_be_visible()
    expect(page.locator("#train-effort")).to_contain_text("about")
    shot("train")
    page.get_by_role("button", name="More options").click()
    page.locator("#train-options").get_by_role("button", name="Size and stages").first.click()
    page.locator("#train-options").scroll_into_view_if_needed()
    shot("train_options")


def running(page: Any, shot: Callable[[str], None]) -> None:
    """A training that is under way."""
    expect(page.locator("#train-heading")).to_contain_text("Stage 4 of")
    expect(page.locator("#train-sheet img")).to_be_visible()
    show(page, "#train-heading")
    shot("training")


def finished(page: Any, shot: Callable[[str], None]) -> None:
    """A training that has ended."""
    expect(page.locator("#train-heading")).to_contain_text("Finished.")
    expect(page.locator("#train-sheet img")).to_be_visible()
    show(page, "#train-heading")
    shot("trained")


def models(page: Any, shot: Callable[[str], None]) -> None:
    """All models, and one of them."""
    tab(page, "Models")
    page.locator("#models-gallery").get_by_text("ink_palace").first.click()
    expect(page.locator("#models-details")).to_contain_text("ink_palace")
    expect(page.locator("#models-sheet img")).to_be_visible()
    shot("models")


def samples(page: Any, shot: Callable[[str], None]) -> None:
    """Samples, one of which is picked; and an error below its control."""
    choose(page, "Draw", "generation")
    shot("draw")
    fill(page, "draw-num_samples", 7)
    fill(page, "draw-seed", 3)
    draw(page)
    show(page, "#draw-status")
    shot("samples")
    page.locator("#draw-gallery .thumbnail-item").nth(1).click()
    expect(page.locator("#draw-more")).to_be_visible()
    shot("picked")
    page.locator("#draw-size-h input").fill("40")
    page.locator("#draw-go").click()
    expect(page.locator("#draw-size-note")).to_be_visible()
    show(page, "#draw-size-note")
    shot("error")


def animation(page: Any, shot: Callable[[str], None]) -> None:
    """A film that plays."""
    choose(page, "Draw", "generation")
    task(page, "Animation")
    fill(page, "draw-num_frames", 30)
    draw(page, "#draw-film video")
    expect(page.locator("#draw-film video")).to_have_js_property("paused", False)
    show(page, "#draw-status")
    shot("animation")


def outpainting(page: Any, shot: Callable[[str], None]) -> None:
    """The edges of a picture are dragged."""
    choose(page, "Draw", "generation")
    task(page, "Outpainting")
    expect(page.locator('.handle[data-side="top"]')).to_be_visible()  # that of sizes has none
    page.locator('.handle[data-side="right"]').focus()
    for _ in range(12):
        page.keyboard.press("ArrowRight")
    expect(page.locator("#draw-extend-right input")).not_to_have_value("40")  # as it was
    show(page, ".handle[data-side=top]")
    shot("handles")
    draw(page)
    show(page, "#draw-status")
    shot("outpainting")


def enlarged(page: Any, shot: Callable[[str], None]) -> None:
    """Before and after."""
    choose(page, "Draw", "super_resolution")
    draw(page, "#draw-compared img")
    show(page, "#draw-status")
    shot("super_resolution")


def paint(page: Any, shot: Callable[[str], None]) -> None:
    """An object in a picture, its mask, and what becomes of it."""
    choose(page, "Paint", "harmonization")
    shot("paint")
    page.locator('#paint-editor [data-part="open"]').set_input_files(NAIVE)
    view = page.locator('#paint-editor [data-part="view"]')
    expect(view).to_be_visible()
    view.scroll_into_view_if_needed()
    box = view.bounding_box()
    page.locator('#paint-editor [data-part="size"]').fill("40")
    spots = [(0.67, 0.82), (0.71, 0.78), (0.75, 0.85), (0.71, 0.91), (0.67, 0.86), (0.71, 0.85)]
    page.mouse.move(*at(box, *spots[0]))
    page.mouse.down()
    for spot in spots:
        page.mouse.move(*at(box, *spot), steps=5)
    page.mouse.up()
    expect(view).not_to_have_attribute("data-masked", "0")
    show(page, "#paint-editor")
    shot("mask")
    page.locator("#paint-go").click()
    expect(page.locator("#paint-compared img").first).to_be_visible()
    expect(page.locator("#paint-go")).to_be_enabled()
    show(page, "#paint-status")
    shot("harmonized")


def tab(page: Any, name: str) -> None:
    """Turn to a tab."""
    page.get_by_role("tab", name=name, exact=True).click()


def choose(page: Any, where: str, mode: str) -> None:
    """Turn to a tab, and take the newest model of a mode there."""
    tab(page, where)
    name = page.locator(f"#{where.lower()}-model input")
    name.click()
    page.get_by_role("option", name=mode).first.click()
    expect(name).to_have_value(re.compile(mode))
    # The form is the model's only when this is there.
    expect(page.locator(f"#{where.lower()}-task")).to_contain_text(FIRST[mode])
    expect(page.locator(f"#{where.lower()}-go")).to_be_enabled()


def task(page: Any, name: str) -> None:
    """Choose what to draw."""
    page.locator("#draw-task").get_by_text(name, exact=True).click()


def fill(page: Any, name: str, value: object) -> None:
    """Type into a control."""
    control = page.locator(f"#{name} input, #{name} textarea").first
    control.fill(str(value))
    control.press("Tab")


def draw(page: Any, what: str = "#draw-gallery img") -> None:
    """Press the button, and wait for what appears."""
    page.locator("#draw-go").click()
    expect(page.locator("#draw-status")).to_contain_text("seconds")
    expect(page.locator(what).first).to_be_visible()


def at(box: dict[str, float], x: float, y: float) -> tuple[float, float]:
    """The point of a box at these shares of its sides."""
    return box["x"] + x * box["width"], box["y"] + y * box["height"]


def show(page: Any, what: str) -> None:
    """Bring a part of the page to the screen's upper edge, if it goes on below that."""
    page.locator(what).first.evaluate(
        "(one) => window.scrollTo(0, window.scrollY + one.getBoundingClientRect().top - 16)"
    )


def main() -> None:
    """Open the studio, and take all pictures."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--models", type=Path, required=True)
    parser.add_argument("--out", type=Path, default=Path(__file__).resolve().parent)
    parser.add_argument("--only", nargs="*", help="names of views' functions")
    flags = parser.parse_args()
    flags.out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        process = subprocess.Popen(
            [sys.executable, "-m", "ConSinGAN.studio", "--no-browser", "--models",
             str(flags.models)],
            cwd=ROOT, stdout=subprocess.PIPE, text=True, env={**os.environ, "TMPDIR": folder},
        )  # fmt: skip
        assert process.stdout is not None
        try:
            address = process.stdout.readline().split("at ")[1].split()[0]
            take(address, flags.out, flags.only)
        finally:
            process.terminate()
            process.wait()


def take(address: str, out: Path, only: list[str] | None) -> None:
    """All pictures: each view in all four ways before the next one, as a training does not wait."""
    views = [train, models, samples, animation, outpainting, enlarged, paint, running, finished]
    chromium = shutil.which("chromium") or shutil.which("chromium-browser")
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        expect.set_options(timeout=PATIENCE)
        begun = False
        for view in views:
            if only and view.__name__ not in only:
                continue
            for screen, scheme in itertools.product(SCREENS, SCHEMES):
                width, height = SCREENS[screen]
                context = browser.new_context(  # one at a time: pages that are open compute
                    viewport={"width": width, "height": height}, color_scheme=scheme
                )
                context.set_default_timeout(PATIENCE)
                page = context.new_page()
                page.goto(address)
                expect(page.locator("#train-mode")).to_be_visible()
                if view is running and not begun:
                    begin(page)
                    begun = True
                view(page, functools.partial(shoot, page, out, f"{screen}_{scheme}"))
                context.close()
        browser.close()


def begin(page: Any) -> None:
    """Start the draft."""
    page.locator("#train-picture input[type=file]").set_input_files(TRAINED)
    expect(page.locator("#train-effort")).to_contain_text("about")
    page.locator("#train-start").click()


def shoot(page: Any, out: Path, name: str, title: str) -> None:
    """One picture; what lies below the screen is not in it."""
    page.evaluate("Promise.all([...document.images].map((one) => one.decode().catch(() => 0)))")
    taken = page.screenshot(animations="disabled")
    with Image.open(io.BytesIO(taken)) as image:
        image.convert("RGB").quantize(256).save(out / f"{title}_{name}.png", optimize=True)


if __name__ == "__main__":
    main()
