"""Draw and Paint in a browser: samples, an animation, a mask painted with the mouse."""

from __future__ import annotations

import io
import re
import shlex
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import Outcome, write_picture
from PIL import Image
from studio_helpers import IN_CHROMIUM, new_context, studio

import evaluate_model

playwright = pytest.importorskip("playwright.sync_api", reason="needs playwright")
pytest.importorskip("gradio", reason="the studio needs Gradio")
expect = playwright.expect

pytestmark = IN_CHROMIUM
Script = Callable[..., Outcome]
FILES = "#draw-files a[download]"


@pytest.fixture(scope="module")
def address(
    trained: Callable[[str], Path], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[str]:
    """A studio with three models."""
    models = tmp_path_factory.mktemp("studio") / "models"
    for mode in ("generation", "harmonization"):
        run = trained(mode)
        shutil.copytree(run, models / "picture" / run.name)
    with studio(models) as found:
        yield found


@pytest.fixture
def page(browser: Any, address: str) -> Iterator[Any]:
    """The page, opened; what goes wrong in it fails the test."""
    context = new_context(browser)
    page, wrong = context.new_page(), []
    page.on("pageerror", lambda error: wrong.append(str(error)))
    page.goto(address)
    yield page
    context.close()
    assert not wrong


def choose(page: Any, tab: str, mode: str) -> None:
    """Turn to a tab, and take the model of a mode there."""
    page.get_by_role("tab", name=tab, exact=True).click()
    name = f"#{tab.lower()}-model input"
    expect(page.locator(name)).not_to_have_value("")
    page.locator(name).click()
    page.get_by_role("option", name=mode).first.click()
    expect(page.locator(name)).to_have_value(re.compile(mode))
    task = {"generation": "Samples", "harmonization": "Harmonization"}[mode]
    expect(page.locator(f"#{tab.lower()}-task")).to_contain_text(task)  # the form is the model's


def fill(page: Any, name: str, value: object) -> None:
    """Type into a control of the form."""
    control = page.locator(f"#{name} input, #{name} textarea").first
    control.fill(str(value))
    control.press("Tab")


def fetch(page: Any, tab: str, name: str) -> bytes:
    """A file from the list of results."""
    link = page.locator(f"#{tab}-files a[download='{name}']")
    expect(link).to_have_count(1)
    return page.request.get(link.get_attribute("href")).body()


def by_command(page: Any, tab: str, script: Script, out: Path) -> None:
    """What the shown command writes."""
    command = page.locator(f"#{tab}-command textarea").input_value()
    words = shlex.split(command)
    assert words[:2] == ["python", "evaluate_model.py"]
    done = script(evaluate_model, *words[2:], "--output_dir", out)
    assert done.code == 0, done.err


def test_sample_pick_vary_and_bring_back(page: Any, script: Script, tmp_path: Path) -> None:
    choose(page, "Draw", "generation")
    expect(page.locator("#draw-task")).to_contain_text("Outpainting")
    expect(page.locator("#draw-task")).not_to_contain_text("Harmonization")
    fill(page, "draw-num_samples", 3)
    fill(page, "draw-seed", 2**60 + 1)
    page.locator("#draw-go").click()
    pictures, files = page.locator("#draw-gallery .thumbnail-item"), page.locator(FILES)
    expect(pictures).to_have_count(4)
    first = fetch(page, "draw", "gen_sample_2.png")
    by_command(page, "draw", script, tmp_path / "shell")
    assert first == (tmp_path / "shell" / "random_samples" / "gen_sample_2.png").read_bytes()

    expect(page.locator("#draw-more")).to_be_hidden()
    pictures.nth(2).click()
    page.locator("#draw-more").click()
    expect(page.locator("#draw-command textarea")).to_have_value(re.compile("--near 2 "))
    expect(page.locator("#draw-near textarea, #draw-near input").first).to_have_value("2")
    near = fetch(page, "draw", "gen_sample_0.png")
    assert near not in (first, b"")

    (tmp_path / "dropped.png").write_bytes(first)
    fill(page, "draw-seed", 4)
    page.locator("#draw-restore-fold").get_by_role("button").first.click()
    page.locator("#draw-restore input[type=file]").set_input_files(tmp_path / "dropped.png")
    expect(page.locator("#draw-status")).to_contain_text("are back")
    expect(page.locator("#draw-seed input, #draw-seed textarea").first).to_have_value(
        str(2**60 + 1)
    )
    page.locator("#draw-go").click()
    expect(files).to_have_count(2)
    expect(pictures).to_have_count(2)
    assert fetch(page, "draw", "gen_sample_2.png") == first


def test_an_error_stands_below_its_control(page: Any) -> None:
    choose(page, "Draw", "generation")
    page.locator("#draw-size-h input").fill("40")
    page.locator("#draw-go").click()
    note = page.locator("#draw-size-note")
    expect(note).to_contain_text("size takes 2 numbers: fill in all of them, or none")
    page.locator("#draw-size-w input").fill("30")
    page.locator("#draw-go").click()
    expect(page.locator("#draw-gallery .thumbnail-item").first).to_be_visible()
    expect(note).to_be_hidden()


def test_an_animation_plays(page: Any, script: Script, tmp_path: Path) -> None:
    choose(page, "Draw", "generation")
    page.locator("#draw-task").get_by_text("Animation", exact=True).click()
    fill(page, "draw-num_frames", 6)
    page.locator("#draw-go").click()
    film = page.locator("#draw-film video")
    expect(film).to_be_visible()
    expect(film).to_have_js_property("paused", False)
    expect(film).to_have_js_property("videoWidth", 24)
    name = "start_scale=0_alpha=0.1_beta=0.9.mp4"
    drawn = fetch(page, "draw", name)
    by_command(page, "draw", script, tmp_path / "shell")
    assert drawn == (tmp_path / "shell" / name).read_bytes()


def capsule(size: tuple[int, int], a: tuple[float, float], b: tuple[float, float], r: float) -> Any:
    """The pixels whose middle is within r of the line from a to b: bools (H, W)."""
    y, x = np.mgrid[: size[1], : size[0]] + 0.5
    dx, dy = b[0] - a[0], b[1] - a[1]
    t = (((x - a[0]) * dx + (y - a[1]) * dy) / (dx * dx + dy * dy)).clip(0, 1)
    return (x - a[0] - t * dx) ** 2 + (y - a[1] - t * dy) ** 2 <= r * r


def test_a_mask_painted_with_the_mouse(page: Any, script: Script, tmp_path: Path) -> None:
    choose(page, "Paint", "harmonization")
    picture = write_picture(tmp_path / "mine.png", 64, 96, seed=2)
    page.locator('#paint-editor [data-part="open"]').set_input_files(picture)
    view = page.locator('#paint-editor [data-part="view"]')
    expect(view).to_be_visible()
    page.locator('#paint-editor [data-part="size"]').fill("9")
    box = view.bounding_box()
    expected = np.zeros((64, 96), bool)
    for start, stop in (((101, 83), (307, 151)), ((420, 300), (423, 121))):
        page.mouse.move(round(box["x"]) + start[0], round(box["y"]) + start[1])
        page.mouse.down()
        page.mouse.move(round(box["x"]) + stop[0], round(box["y"]) + stop[1], steps=7)
        page.mouse.up()
        ends = [
            tuple((round(box[k]) + at[i] - box[k]) * n / box[s]
                  for i, (k, s, n) in enumerate((("x", "width", 96), ("y", "height", 64))))
            for at in (start, stop)
        ]  # fmt: skip
        expected |= capsule((96, 64), ends[0], ends[1], 4.5)
    expect(view).to_have_attribute("data-masked", str(int(expected.sum())))
    page.locator("#paint-go").click()
    expect(page.locator("#paint-gallery .thumbnail-item")).to_have_count(4)
    files = {name: fetch(page, "paint", name) for name in ("composed.png", "composed_mask.png")}
    with Image.open(io.BytesIO(files["composed_mask.png"])) as mask:
        assert mask.size == (96, 64)
        assert np.array_equal(np.asarray(mask), np.where(expected, 255, 0))
    with Image.open(io.BytesIO(files["composed.png"])) as composed, Image.open(picture) as given:
        assert np.array_equal(np.asarray(composed), np.asarray(given))
    drawn = fetch(page, "paint", "harmonized_w_mask_composed.png")
    for name, content in files.items():
        (tmp_path / name).write_bytes(content)
    command = page.locator("#paint-command textarea").input_value()
    words = [str(tmp_path / word) if word in files else word for word in shlex.split(command)[2:]]
    assert script(evaluate_model, *words, "--output_dir", tmp_path / "shell").code == 0
    assert drawn == (tmp_path / "shell" / "harmonized_w_mask_composed.png").read_bytes()
    expect(page.locator("#paint-compared img").first).to_be_visible()


def test_objects_undo_invert_and_keys(page: Any, tmp_path: Path) -> None:
    choose(page, "Paint", "harmonization")
    picture = write_picture(tmp_path / "mine.png", 64, 96, seed=2)
    bird = np.zeros((20, 30, 4), np.uint8)
    bird[5:15, 4:26] = (200, 30, 30, 255)
    Image.fromarray(bird).save(tmp_path / "bird.png")
    part = lambda name: page.locator(f'#paint-editor [data-part="{name}"]')  # noqa: E731
    part("open").set_input_files(picture)
    view = part("view")
    expect(view).to_be_visible()
    part("add").set_input_files(tmp_path / "bird.png")
    expect(part("scale")).to_be_visible()
    part("scale").fill("100")
    part("x").fill("10")
    part("y").fill("7")
    part("y").press("Tab")
    expect(view).to_have_attribute("data-masked", str(10 * 22))
    assert page.evaluate("window.studioEditor.mask()[(7 + 5) * 96 + 10 + 4]") == 1
    view.focus()
    page.keyboard.press("ArrowRight")
    expect(part("x")).to_have_value("11")
    part("invert").click()
    expect(view).to_have_attribute("data-masked", str(64 * 96 - 10 * 22))
    part("undo").click()
    expect(view).to_have_attribute("data-masked", str(10 * 22))
    part("remove").click()
    expect(view).to_have_attribute("data-masked", "0")
    page.locator('#paint-editor [data-tool="brush"]').click()
    part("size").fill("1")
    view.focus()
    page.keyboard.press("Space")
    expect(view).not_to_have_attribute("data-masked", "0")
    part("clear").click()
    expect(view).to_have_attribute("data-masked", "0")
    page.locator("#paint-task").get_by_text("Fill a hole").click()
    expect(page.locator("#paint-effort")).to_be_visible()
    page.locator("#paint-go").click()
    expect(page.locator("#paint-note")).to_contain_text("paint what shall be drawn anew")


def test_fine_tune_then_harmonize(page: Any, tmp_path: Path) -> None:
    choose(page, "Paint", "harmonization")
    page.locator("#paint-start").click()
    view = page.locator('#paint-editor [data-part="view"]')
    expect(view).to_be_visible()
    view.click()
    expect(view).not_to_have_attribute("data-masked", "0")
    page.get_by_label("Fine-tune the model on this picture first").check()
    fill(page, "paint-niter", 50)
    page.locator("#paint-go").click()
    expect(page.locator("#paint-status")).to_contain_text("Training")
    expect(page.locator("#paint-command textarea")).to_have_value(re.compile("fine-tune"))
    expect(page.locator("#paint-gallery .thumbnail-item")).to_have_count(4)


def test_stop_ends_the_training_that_fills_a_hole(page: Any, tmp_path: Path) -> None:
    choose(page, "Paint", "harmonization")
    page.locator("#paint-task").get_by_text("Fill a hole").click()
    expect(page.locator("#paint-effort")).to_be_visible()
    picture = write_picture(tmp_path / "mine.png", 64, 96, seed=2)
    page.locator('#paint-editor [data-part="open"]').set_input_files(picture)
    view = page.locator('#paint-editor [data-part="view"]')
    view.click()
    expect(view).not_to_have_attribute("data-masked", "0")
    page.locator("#paint-go").click()
    expect(page.locator("#paint-status")).to_contain_text("Training")
    page.locator("#paint-stop").click()
    expect(page.locator("#paint-status")).to_contain_text("Stopped.")
    page.get_by_role("tab", name="Train", exact=True).click()
    expect(page.locator("#train-queue")).to_contain_text("— stopped")


def test_sizes_are_dragged_or_moved_by_keys(page: Any) -> None:
    choose(page, "Draw", "generation")
    right = page.locator('.handle[data-side="right"]')
    expect(right).to_be_visible()
    width, height = page.locator("#draw-size-w input"), page.locator("#draw-size-h input")
    right.focus()
    for _ in range(3):
        page.keyboard.press("ArrowRight")
    expect(width).to_have_value("27")
    expect(height).to_have_value("16")
    height.fill("20")
    expect(page.locator('.handle[data-side="bottom"]')).to_have_attribute("aria-valuenow", "20")
    page.locator("#draw-task").get_by_text("Outpainting", exact=True).click()
    top = page.locator('.handle[data-side="top"]')
    expect(top).to_be_visible()
    box = top.bounding_box()
    page.mouse.move(box["x"] + 11, box["y"] + 11)
    page.mouse.down()
    page.mouse.move(box["x"] + 11, box["y"] - 20, steps=3)
    page.mouse.up()
    field = page.locator("#draw-extend-top input")
    expect(field).not_to_have_value("0")
    expect(top).to_have_attribute("aria-valuenow", field.input_value())


@pytest.mark.parametrize(("tab", "mode"), [("Draw", "generation"), ("Paint", "harmonization")])
def test_all_controls_have_names(page: Any, tab: str, mode: str) -> None:
    choose(page, tab, mode)
    expect(page.locator(f"#{tab.lower()}-go")).to_be_enabled()
    unnamed = page.evaluate(
        """() => [...document.querySelectorAll("input, textarea, select, button, [role=slider]")]
        .filter((one) => one.offsetParent)
        .filter((one) => !(one.labels && one.labels.length && one.labels[0].textContent.trim())
            && !one.getAttribute("aria-label") && !one.getAttribute("aria-labelledby")
            && !one.textContent.trim() && !one.title)
        .map((one) => one.outerHTML.slice(0, 200))"""
    )
    assert unnamed == []
