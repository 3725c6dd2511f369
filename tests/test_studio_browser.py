"""The studio in a browser: from an upload to the finished sheet, and what comes in between."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from conftest import write_picture
from studio_helpers import IN_CHROMIUM, new_context, studio

playwright = pytest.importorskip("playwright.sync_api", reason="needs playwright")
pytest.importorskip("gradio", reason="the studio needs Gradio")
expect = playwright.expect

pytestmark = IN_CHROMIUM
LONG = 100_000  # iterations: it does not end before it is stopped


@pytest.fixture
def page(browser: Any) -> Iterator[Any]:
    """A page whose requests, and errors, are written down."""
    context = new_context(browser)
    page = context.new_page()
    page.asked, page.failed = [], []
    page.on("request", lambda request: page.asked.append(request.url))
    page.on("pageerror", lambda error: page.failed.append(str(error)))
    yield page
    context.close()


def fill(page: Any, name: str, value: object) -> None:
    """Type a number into a control of the form."""
    control = page.locator(f"#train-{name} input[type=number]").first
    control.fill(str(value))
    control.press("Tab")


def make_tiny(page: Any, niter: int) -> None:
    """Ask for a training that takes seconds."""
    page.get_by_role("button", name="More options").click()
    for group in ("Size and stages", "Networks", "Training"):
        page.locator("#train-options").get_by_role("button", name=group, exact=False).first.click()
    for name, value in (
        ("train_stages", 2), ("min_size", 12), ("max_size", 24), ("nfc", 4), ("niter", niter),
    ):  # fmt: skip
        fill(page, name, value)


def begin(page: Any, address: str, picture: Path, niter: int) -> None:
    """Open the page, drop a picture, start a tiny training."""
    page.goto(address)
    page.locator("#train-picture input[type=file]").set_input_files(picture)
    expect(page.locator("#train-picture img")).to_be_visible()
    expect(page.locator("#train-effort")).to_contain_text("about")
    make_tiny(page, niter)
    page.locator("#train-start").click()


def test_from_an_upload_to_the_sheet(page: Any, tmp_path: Path) -> None:
    picture = write_picture(tmp_path / "my picture.png")
    with studio(tmp_path / "models") as address:
        page.goto(address)
        page.locator("#train-start").click()
        expect(page.locator("#train-picture-note")).to_have_text("Drop a picture first.")
        text = tmp_path / "text.png"
        text.write_text("no picture")
        page.locator("#train-picture input[type=file]").set_input_files(text)
        expect(page.locator("#train-picture-note")).to_contain_text("text.png")
        begin(page, address, picture, 0)
        expect(page.locator("#train-niter-note")).to_have_text("niter must be at least 1, not 0")
        fill(page, "niter", 40)
        page.locator("#train-start").click()
        expect(page.locator("#train-niter-note")).to_be_hidden()
        expect(page.locator("#train-heading h3")).to_have_text("my_picture")
        expect(page.locator("#train-heading")).to_contain_text("Finished.")
        expect(page.locator("#train-sheet img")).to_be_visible()
        expect(page.locator("#train-curves figure").first).to_be_visible()
        page.get_by_role("tab", name="Models").click()
        page.locator("#models-gallery button").first.click()
        expect(page.locator("#models-details")).to_contain_text("Variations")
        expect(page.locator("#models-sheet img")).to_be_visible()
    assert {urlsplit(url).hostname for url in page.asked if url.startswith("http")} == {"127.0.0.1"}
    assert page.failed == []
    (run,) = (tmp_path / "models" / "my_picture").iterdir()
    assert (run / "sample_sheet.png").is_file()


def test_stopping_reloading_and_going_on(page: Any, browser: Any, tmp_path: Path) -> None:
    picture = write_picture(tmp_path / "picture.png")
    with studio(tmp_path / "models") as address:
        begin(page, address, picture, LONG)
        expect(page.locator("#train-heading")).to_contain_text("iteration")
        page.reload()
        expect(page.locator("#train-heading h3")).to_have_text("picture")
        expect(page.locator("#train-heading")).to_contain_text("training")
        second = page.context.new_page()  # another tab sees it, too, and may stop it
        second.goto(address)
        expect(second.locator("#train-heading h3")).to_have_text("picture")
        second.locator("#train-stop").click()
        for one in (second, page):
            expect(one.locator("#train-heading")).to_contain_text("Stopped, with all that was")
        page.locator("#train-go-on").click()
        expect(page.locator("#train-heading")).to_contain_text("iteration")
    with studio(tmp_path / "models") as address:  # which ended while it trained
        page.goto(address)
        expect(page.locator("#train-heading")).to_contain_text("interrupted")
        page.locator("#train-go-on").click()
        expect(page.locator("#train-heading")).to_contain_text("iteration")
        page.locator("#train-stop").click()
        expect(page.locator("#train-heading")).to_contain_text("Stopped, with all that was")
        page.locator("#train-forget").click()
        expect(page.locator("#train-none")).to_be_visible()
    assert page.failed == []
