"""Tests of the page as HTML; that it works in a browser is tested end to end."""

from __future__ import annotations

from dataclasses import replace
from html.parser import HTMLParser

import pytest

from infusion_engine.review.page import Page, State, duration, figure, page_html, value_text

PAGE = Page(
    title="fire.%04d.exr",
    state=State.RUNNING,
    message="",
    written="2025-01-02 03:04:05",
    seconds=61.0,
    phase="inpainting",
    summary=(("seed", "7"),),
    wipe=(),
    pictures="pictures",
    frames=(),
    plate=None,
    intervals=(),
    count=0,
    plot=None,
    phases=(("looking", 1.0),),
    settings={"method": {"ema": 0.1}},
)
"""A page with hardly anything on it."""


class Elements(HTMLParser):
    """Remembers every element's name and attributes, and all text."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text += data


@pytest.mark.parametrize("state", list(State))
def test_a_page_refreshes_itself_only_while_the_run_goes_on(state: State) -> None:
    """A finished one stays as it is."""
    found = Elements(page_html(replace(PAGE, state=state))).found
    refreshes = [attributes for _, attributes in found if attributes.get("http-equiv")]
    assert len(refreshes) == (state is State.RUNNING)


def test_names_are_text_and_no_markup() -> None:
    """A file's name, a setting or a message may hold anything."""
    nasty = "<script>alert('&')</script>"
    html = page_html(
        replace(PAGE, title=nasty, message=nasty, settings={"plate": {"files": nasty}})
    )
    found = Elements(html)
    assert "script" not in [tag for tag, _ in found.found]
    assert found.text.count(nasty) == 4


def test_nothing_is_fetched_from_elsewhere() -> None:
    """No address, no script and no style but the page's own."""
    for _, attributes in Elements(page_html(PAGE)).found:
        for name in ("src", "href"):
            assert "//" not in (attributes.get(name) or "")


def test_a_stopped_run_says_why() -> None:
    """The message stands on the page."""
    page = replace(PAGE, state=State.STOPPED, message="The disk is full.")
    assert "The disk is full." in Elements(page_html(page)).text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (None, "\u2013"),
        (0.04, "0.0 s"),
        (59.94, "59.9 s"),
        (59.96, "1 min 00 s"),
        (3599.6, "1 h 00 min"),
        (7500.0, "2 h 05 min"),
    ],
)
def test_times_read_well(seconds: float | None, text: str) -> None:
    """Seconds, minutes and hours, each with what matters of it."""
    assert duration(seconds) == text


@pytest.mark.parametrize(
    ("value", "text"), [(None, "\u2013"), (float("nan"), "\u2013"), (0.123456, "0.1235")]
)
def test_figures_read_well(value: float | None, text: str) -> None:
    """Four digits, and a dash for what is no number."""
    assert figure(value) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [(True, "yes"), ([432, 240], "432x240"), (["R", "G"], "R G"), (0.01, "0.01"), (None, "\u2013")],
)
def test_settings_read_as_they_are_typed(value: object, text: str) -> None:
    """A size is WIDTHxHEIGHT, as after `--set`."""
    assert value_text(value) == text
