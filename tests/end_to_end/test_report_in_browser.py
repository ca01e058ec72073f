"""The report in a real browser: it opens from disk, its pictures load, and the wipe moves."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

if TYPE_CHECKING:
    from tests.end_to_end.conftest import Outcome, ShotFiles

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "chrome", "msedge")


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Chromium without a window: playwright's own, or one of this system."""
    with sync_playwright() as playwright:
        own = playwright.chromium.executable_path
        found = [own] if Path(own).exists() else [*filter(None, map(shutil.which, BROWSERS))]
        if not found:
            pytest.skip("no Chromium is installed: `playwright install chromium`, or the system's")
        started = playwright.chromium.launch(executable_path=found[0])
        yield started
        started.close()


@pytest.fixture(scope="module")
def report(
    tmp_path_factory: pytest.TempPathFactory,
    exr_shot: Callable[..., ShotFiles],
    render: Callable[..., Outcome],
) -> Path:
    """The folder of a finished run's report, in a folder whose name needs quoting."""
    folder = tmp_path_factory.mktemp("run") / "a b #1 %41"
    shot = exr_shot(folder)
    outcome = render(
        *shot.arguments(folder / "o", folder / "c", "--report", str(folder / "report"))
    )
    assert outcome.code == 0, outcome.message
    return folder / "report"


@pytest.fixture
def page(browser: Browser, report: Path) -> Iterator[Page]:
    """The page, opened from disk; it must neither complain nor ask for anything elsewhere."""
    trouble: list[str] = []
    opened = browser.new_page(viewport={"width": 1200, "height": 900})
    opened.on("console", lambda message: trouble.append(message.text))
    opened.on("pageerror", lambda error: trouble.append(str(error)))
    opened.on("requestfailed", lambda request: trouble.append(request.url))
    asked: list[str] = []
    opened.on("request", lambda request: asked.append(request.url))
    opened.goto((report / "index.html").as_uri())
    opened.wait_for_selector("#after img")
    yield opened
    opened.close()
    assert trouble == []
    assert [url for url in asked if not url.startswith(("file:", "data:"))] == []


def shown(page: Page) -> str:
    """The file that the fill's side shows."""
    return page.locator("#after img").get_attribute("src") or ""


def wait_for(page: Page, name: str) -> None:
    """Wait until the wipe shows that picture."""
    page.wait_for_function(
        "name => document.querySelector('#after img').src.endsWith(name)", arg=name
    )


def test_every_picture_loads(page: Page) -> None:
    """The plate's strip, a preview for each interval, and the wipe's two."""
    sizes = page.eval_on_selector_all("img", "all => all.map(one => one.naturalWidth)")
    assert len(sizes) == 1 + 3 + 2
    assert min(sizes) > 0


def test_settings_times_and_losses_are_there(page: Page) -> None:
    """Every section of what was resolved, the intervals' table, and the plot."""
    captions = page.locator("#settings caption").all_inner_texts()
    assert captions == ["plate", "matte", "output", "method", "machine", "versions"]
    rows = dict(
        zip(
            page.locator("#settings th").all_inner_texts(),
            page.locator("#settings td").all_inner_texts(),
            strict=True,
        )
    )
    assert rows["steps_per_interval"] == "2"
    assert rows["working_size"] == "1920x1080"
    assert "torch" in rows
    assert page.locator("#times table").nth(1).locator("tbody tr").count() == 3
    assert page.locator("#loss polyline").count() == 3
    assert "1001-1005" in page.locator("header").inner_text()


def test_the_wipe_follows_the_pointer(page: Page) -> None:
    """Dragging moves the line."""
    stage = page.locator("#stage")
    stage.scroll_into_view_if_needed()
    box = stage.bounding_box()
    assert box is not None
    for share in (0.9, 0.1):
        page.mouse.move(box["x"] + 0.5 * box["width"], box["y"] + 20)
        page.mouse.down()
        page.mouse.move(box["x"] + share * box["width"], box["y"] + 20)
        page.mouse.up()
        line = page.locator("#line").bounding_box()
        assert line is not None
        assert line["x"] - box["x"] == pytest.approx(share * box["width"], abs=2.0)


def test_the_plate_is_left_of_the_line_and_the_fill_right_of_it(page: Page) -> None:
    """At one end only the plate is seen, at the other only the fill, and both in between."""
    page.add_style_tag(content="#line, .tag { visibility: hidden }")
    stage = page.locator("#stage")
    seen = []
    for key in ("1", "2", "3"):
        page.keyboard.press(key)
        seen.append(stage.screenshot())
    plate, fill, both = seen
    assert len({plate, fill, both}) == 3
    page.add_style_tag(content="#after { visibility: hidden }")
    assert stage.screenshot() == plate


def test_the_wipe_s_own_slider_moves_it(page: Page) -> None:
    """So that no mouse is needed."""
    page.locator("#split").fill("25")
    stage, line = page.locator("#stage").bounding_box(), page.locator("#line").bounding_box()
    assert stage is not None
    assert line is not None
    assert line["x"] - stage["x"] == pytest.approx(0.25 * stage["width"], abs=2.0)


def test_frames_are_chosen_by_slider_and_keys(page: Page) -> None:
    """The number follows, and so do both pictures."""
    page.locator("#frame").fill("0")
    wait_for(page, "close.1001.fill.jpg")
    assert page.locator("#number").inner_text() == "1001"
    page.locator("#frame").blur()
    page.keyboard.press("ArrowRight")
    wait_for(page, "close.1002.fill.jpg")
    before = page.locator("#before img").get_attribute("src") or ""
    assert before.endswith("close.1002.plate.jpg")
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("ArrowLeft")
    wait_for(page, "close.1005.fill.jpg")


def test_the_whole_frame_can_be_seen(page: Page) -> None:
    """The other view shows the same frame at its full size."""
    page.get_by_text("whole frame").click()
    wait_for(page, "whole.1003.fill.jpg")
    assert page.locator("#zoom").inner_text().startswith("48 \u00d7 40")


def test_playing_goes_through_the_frames(page: Page) -> None:
    """Frames follow one another until it is paused."""
    page.locator("#play").click()
    first = shown(page)
    page.wait_for_function(
        "name => !document.querySelector('#after img').src.endsWith(name)", arg=first
    )
    page.locator("#play").click()
    assert page.locator("#play").inner_text() == "Play"


def test_pictures_are_sharp_and_nothing_overflows(page: Page) -> None:
    """Small pictures are enlarged a whole number of times; the page does not scroll sideways."""
    page.set_viewport_size({"width": 700, "height": 800})
    width = page.evaluate("document.documentElement.scrollWidth")
    assert width <= 700
    stage = page.locator("#stage").bounding_box()
    assert stage is not None
    natural = page.evaluate("document.querySelector('#after img').naturalWidth")
    assert stage["width"] % natural == 0
