"""The page: what a report says, and its HTML."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from enum import Enum
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from infusion_engine.review.loss_plot import LossPlot
from infusion_engine.review.report_folder import GENERATOR
from infusion_engine.review.wipe import WipeFrame

FITTED, CACHED = "fitted", "from the cache"
"""Where an interval's fit comes from, in words."""


class State(str, Enum):
    """How far the run has come."""

    RUNNING = "running"
    """The page is written again after each interval."""
    DONE = "done"
    """Every frame is written."""
    STOPPED = "stopped"
    """It ended without its result; everything finished is kept."""


@dataclass(frozen=True)
class IntervalRow:
    """One interval as the page shows it."""

    number: int
    """1 for the first."""
    level: int
    """Its pyramid level, 0 for the coarsest."""
    timesteps: str
    """The timesteps it serves."""
    outcome: str
    """FITTED or CACHED."""
    loss: float | None
    """Loss at the end of the fit, where it is known."""
    fit_seconds: float | None
    """How long the fit took when it was made, where it is known."""
    sample_seconds: float | None
    """How long this run sampled; None where an earlier one did."""
    picture: str | None
    """Path of its preview, relative to the page."""


@dataclass(frozen=True)
class Page:
    """One report; every path in it is relative to the page."""

    title: str
    """The plate's files."""
    state: State
    """How far the run has come."""
    message: str
    """Why it stopped; empty otherwise."""
    written: str
    """When the page was written, for people."""
    seconds: float
    """How long the run has taken."""
    phase: str
    """What it is doing."""
    summary: tuple[tuple[str, str], ...]
    """The few values that everybody wants to see, by name."""
    wipe: tuple[WipeFrame, ...]
    """The frames; none before they are written."""
    pictures: str
    """Folder of the wipe's pictures."""
    frames: tuple[int, ...]
    """Frames in each preview, from left to right."""
    plate: str | None
    """Path of the plate's own strip, like the previews."""
    intervals: tuple[IntervalRow, ...]
    """The intervals done."""
    count: int
    """Intervals in all; 0 before it is known."""
    plot: LossPlot | None
    """Their losses."""
    phases: tuple[tuple[str, float], ...]
    """Seconds of each phase, in their order."""
    settings: Mapping[str, Mapping[str, Any]]
    """Everything resolved, in sections."""

    @property
    def unseen(self) -> tuple[int, ...]:
        """Numbers of the intervals that are done and have no preview."""
        return tuple(row.number for row in self.intervals if row.picture is None)

    @property
    def wipe_frames(self) -> list[dict[str, Any]]:
        """The wipe's frames as its script reads them."""
        return [asdict(frame) for frame in self.wipe]


def page_html(page: Page) -> str:
    """The page as one HTML document with its style and its script in it."""
    environment = Environment(
        loader=PackageLoader("infusion_engine.review", "page"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["duration"] = duration
    environment.filters["figure"] = figure
    environment.filters["value"] = value_text
    return environment.get_template("index.html").render(page=page, generator=GENERATOR)


def duration(seconds: float | None) -> str:
    """`4.2 s`, `3 min 08 s` or `2 h 05 min`; a dash where it is not known."""
    if seconds is None:
        return "\u2013"
    if seconds < 59.95:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02d} min"


def figure(value: float | None) -> str:
    """Four digits; a dash where it is not known or not finite."""
    return "\u2013" if value is None or not math.isfinite(value) else f"{value:.4g}"


def value_text(value: object) -> str:
    """A resolved value as a person reads it."""
    if value is None:
        return "\u2013"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, (list, tuple)):
        is_size = all(isinstance(part, int) for part in value)
        return ("x" if is_size else " ").join(map(value_text, value))
    return f"{value:g}" if isinstance(value, float) else str(value)
