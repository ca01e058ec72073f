"""The report as a folder on disk, written while a run goes on, and lost without harm."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from infusion_engine.errors import Cancelled, StorageError
from infusion_engine.media.box import Box
from infusion_engine.media.shot import Shot
from infusion_engine.progress import Report
from infusion_engine.review.html_report import HtmlReport
from infusion_engine.review.interval_done import FitNote, IntervalDone
from infusion_engine.review.onlooker import FillOf
from infusion_node.wire.events import Event, Preview, Warned

DESCRIBED: dict[str, dict[str, Any]] = {
    "plate": {"frames": "1001-1005", "size": "120x90+0+0"},
    "method": {"preset": "draft", "seed": 7},
    "machine": {"device": "auto"},
}


class Listener:
    """A sink that remembers what it heard."""

    name = "the listener"
    seconds_between = 0.0

    def __init__(self) -> None:
        self.heard: list[Event] = []

    def write(self, event: Event, *, time: float) -> None:
        self.heard.append(event)

    def close(self) -> None:
        """Nothing to close."""


def _done(index: int, *, sample_key: str = "a" * 64) -> IntervalDone:
    """An interval of three, fitted in two seconds."""
    return IntervalDone(
        index=index,
        count=3,
        level=0,
        timesteps=(500, 1000),
        outcome="fitted",
        fit=FitNote(loss=0.25, seconds=2.0, losses=(0.5, 0.25)),
        sample_key=sample_key,
        seconds=1.0,
        predicted=torch.zeros(3, 5, 8, 8),
        parts=(Box(0, 0, 8, 8),),
    )


def _page(folder: Path) -> str:
    return (folder / "index.html").read_text("utf-8")


@pytest.fixture
def listener() -> Listener:
    """Hears the events."""
    return Listener()


@pytest.fixture
def html(shot: Shot, listener: Listener, tmp_path: Path) -> HtmlReport:
    """A report that has not begun."""
    report = Report(listener)
    return HtmlReport(tmp_path / "r", shot=shot, described=DESCRIBED, report=report)


def test_the_page_grows_with_the_run(
    html: HtmlReport, listener: Listener, holes: dict[int, Box], fill_of: FillOf
) -> None:
    """There from the start, new after each interval, each preview told; whole at the end."""
    folder = html.folder
    with html:
        assert "beginning" in _page(folder)
        html.phase("looking")
        html.looked(holes)
        assert "pictures/plate.png" in _page(folder)
        html.machine({"device": "cuda:0 A GPU", "versions": {"torch": "9.9"}})
        html.phase("inpainting")
        for index in range(2):
            html.interval(_done(index, sample_key=str(index) * 64), fill_of)
            assert f"{index + 1} of 3 intervals done" in _page(folder)
        previews = [event.path for event in listener.heard if isinstance(event, Preview)]
        assert [Path(path).exists() for path in previews] == [True, True]
        assert all(Path(path).name in _page(folder) for path in previews)
        html.phase("drawing")
        html.filled(fill_of)
    page = _page(folder)
    for word in ("cuda:0 A GPU", "9.9", "0.25", "2.0 s", "close.1005.fill.jpg", "done in"):
        assert word in page
    assert not [path for path in folder.rglob("*") if path.name.startswith(".")]


def test_what_was_decided_is_shown_in_place_of_what_was_asked_for(
    html: HtmlReport, holes: dict[int, Box]
) -> None:
    """Numbers that a budget or the device chose; what is known of the machine stays."""
    with html:
        html.looked(holes)
        html.machine({"device": "cuda:0 A GPU"})
        method = {"preset": "draft", "seed": 7, "precision": "fp32", "steps_per_interval": 4321}
        html.resolved({**DESCRIBED, "method": method})
        html.phase("inpainting")
    page = _page(html.folder)
    assert all(word in page for word in ("fp32", "4321", "cuda:0 A GPU"))


def test_an_earlier_run_s_picture_of_the_same_sample_is_shown(
    html: HtmlReport, holes: dict[int, Box], fill_of: FillOf
) -> None:
    """A run that goes on shows what came before; a picture of another sample is not taken."""
    html.looked(holes)
    html.interval(_done(0, sample_key="1" * 64), fill_of)
    again = HtmlReport(html.folder, shot=html._shot, described=DESCRIBED, report=Report())
    again.looked(holes)
    again.interval(_done(0, sample_key="1" * 64), None)
    again.interval(_done(1, sample_key="2" * 64), None)
    assert "interval.01.1111111111111111.png" in _page(html.folder)
    assert "interval.02" not in _page(html.folder)
    assert "Interval 2: sampled by an earlier run" in _page(html.folder)


def test_a_folder_that_fails_loses_the_report_and_nothing_else(
    html: HtmlReport, listener: Listener, holes: dict[int, Box], fill_of: FillOf
) -> None:
    """One warning that names the file, no error, and a page that says so."""
    (html.folder / "pictures" / "plate.png").mkdir(parents=True)
    with html:
        html.looked(holes)
        html.interval(_done(0), fill_of)
        html.filled(fill_of)
    warnings = [event.message for event in listener.heard if isinstance(event, Warned)]
    assert len(warnings) == 1
    assert "plate.png" in warnings[0]
    assert "given up here" in _page(html.folder)
    assert not [event for event in listener.heard if isinstance(event, Preview)]


def test_a_defect_in_drawing_is_no_end_of_the_render(
    html: HtmlReport, listener: Listener, holes: dict[int, Box]
) -> None:
    """Whatever is raised: hours of fitting are not lost for a picture."""

    def broken(frame: int) -> None:
        raise IndexError(frame)

    with html:
        html.looked(holes)
        html.interval(_done(0), broken)
        html.filled(broken)
    assert [type(e) for e in listener.heard].count(Warned) == 1


def test_a_stop_passes_through(html: HtmlReport, holes: dict[int, Box], fill_of: FillOf) -> None:
    """Drawing is work that can be cancelled, and the page says what happened."""
    html.looked(holes)
    html._report.stop.ask("enough")
    with pytest.raises(Cancelled), html:
        html.filled(fill_of)
    assert "cancelled (enough)" in _page(html.folder)


def test_a_run_that_fails_says_why_on_its_page(html: HtmlReport) -> None:
    """The error goes on its way, message and remedy stand on the page."""
    with pytest.raises(StorageError), html:
        raise StorageError("The disk is full.", remedy="Make room.")
    assert "The disk is full. Make room." in _page(html.folder)
    assert "stopped after" in _page(html.folder)
