"""The report of one run: a page and its pictures, written as the run goes on."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from infusion_engine.errors import Cancelled, InfusionError
from infusion_engine.media.atomic import write_bytes
from infusion_engine.media.box import Box
from infusion_engine.media.shot import Shot
from infusion_engine.progress import Clock, Report
from infusion_engine.review.interval_done import IntervalDone
from infusion_engine.review.loss_plot import loss_plot
from infusion_engine.review.onlooker import FillOf, Onlooker
from infusion_engine.review.page import CACHED, FITTED, IntervalRow, Page, State, page_html
from infusion_engine.review.picture import save_png
from infusion_engine.review.preview import fill_strip, plate_strip, preview_boxes
from infusion_engine.review.report_folder import INDEX, PICTURES
from infusion_engine.review.wipe import WipeFrame, write_wipe


class HtmlReport(Onlooker):
    """Writes `index.html` and pictures into a folder; never breaks the render that it watches.

    Whatever goes wrong in drawing or writing is said once, and the render goes on without the
    report; only a stop that somebody asked for passes through.
    """

    def __init__(
        self,
        folder: Path,
        *,
        shot: Shot,
        described: Mapping[str, Mapping[str, Any]],
        report: Report,
        clock: Clock = time.monotonic,
    ) -> None:
        self.folder = folder
        self._shot = shot
        self._described = {section: dict(values) for section, values in described.items()}
        self._report = report
        self._clock = clock
        self._began = clock()
        self._is_lost = False
        self._state, self._message = State.RUNNING, ""
        self._phases: list[tuple[str, float]] = []  # name, when it began
        self._holes: dict[int, Box] = {}
        self._boxes: dict[int, Box] = {}
        self._plate: str | None = None
        self._rows: list[IntervalRow] = []
        self._losses: list[tuple[float, ...]] = []
        self._count = 0
        self._wipe: tuple[WipeFrame, ...] = ()

    def __enter__(self) -> Self:
        """Write the page for the first time."""
        self._attempt(self._write)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Write the page for the last time: done, or why not."""
        if self._is_lost:
            return
        self._state = State.DONE if error is None else State.STOPPED
        if isinstance(error, InfusionError):
            self._message = str(error)
        elif error is not None:
            self._message = f"{type(error).__name__}: {error}".rstrip(": ")
        self._phases.append(("", self._clock()))
        self._attempt(self._write, can_warn=error is None)

    def phase(self, name: str) -> None:
        """A phase begins."""
        self._phases.append((name, self._clock()))
        self._attempt(self._write)

    def looked(self, holes: Mapping[int, Box]) -> None:
        """Choose the previews' frames and show the plate there."""
        self._holes = dict(holes)

        def draw() -> None:
            self._boxes = preview_boxes(holes, self._shot.canvas)
            if self._boxes:
                save_png(plate_strip(self._shot, self._boxes), self.folder / PICTURES / "plate.png")
                self._plate = f"{PICTURES}/plate.png"
            self._write()

        self._attempt(draw)

    def machine(self, values: Mapping[str, object]) -> None:
        """Put what computes among the settings."""
        for name, value in values.items():
            if isinstance(value, Mapping):
                self._described[name] = dict(value)
            else:
                self._described["machine"][name] = value

    def resolved(self, described: Mapping[str, Mapping[str, Any]]) -> None:
        """Show the numbers that were decided in place of those that were asked for."""
        self._described["method"] = dict(described["method"])

    def interval(self, done: IntervalDone, fill_of: FillOf | None) -> None:
        """Draw the interval's preview, or take the one that an earlier run left of its sample."""
        name = f"interval.{done.index + 1:02d}.{done.sample_key[:16]}.png"
        path = self.folder / PICTURES / name
        is_drawn = fill_of is not None and bool(self._boxes)

        def draw() -> None:
            if fill_of is not None and self._boxes:
                save_png(fill_strip(self._shot, self._boxes, fill_of), path)
            picture = f"{PICTURES}/{name}" if path.is_file() else None
            self._rows.append(_row(done, picture))
            self._losses.append(done.fit.losses)
            self._count = done.count
            self._write()

        if self._attempt(draw) and is_drawn:
            self._report.preview(path)

    def filled(self, fill_of: FillOf) -> None:
        """Draw the wipe."""

        def draw() -> None:
            self._wipe = write_wipe(
                self._shot,
                self._holes,
                fill_of,
                self.folder / PICTURES,
                on_frame=lambda done, total: self._report.progress("drawing", done, total),
            )

        self._attempt(draw)

    def _attempt(self, work: Callable[[], None], *, can_warn: bool = True) -> bool:
        """Do `work` unless the report is already lost; True when it went well."""
        if self._is_lost:
            return False
        try:
            work()
        except Cancelled:
            raise
        except Exception as error:  # noqa: BLE001 - hours of work are not lost for a picture of it
            self._is_lost = True
            cause = str(error) if isinstance(error, InfusionError) else repr(error)
            self._state = State.STOPPED
            self._message = f"The report was given up here and the render went on: {cause}"
            with suppress(Exception):  # a page that says so, if even that can be written
                self._write()
            if can_warn:
                self._report.warn(f"The report is given up and the render goes on: {cause}")
            return False
        return True

    def _write(self) -> None:
        """Write the page as things stand."""
        write_bytes(self.folder / INDEX, page_html(self._page()).encode("utf-8"))

    def _page(self) -> Page:
        return Page(
            title=self._shot.plate.pattern,
            state=self._state,
            message=self._message,
            written=datetime.now(UTC).astimezone().strftime("%Y-%m-%d %H:%M:%S"),
            seconds=self._clock() - self._began,
            phase=self._phases[-1][0] if self._phases else "",
            summary=self._summary(),
            wipe=self._wipe,
            pictures=PICTURES,
            frames=tuple(self._boxes),
            plate=self._plate,
            intervals=tuple(self._rows),
            count=self._count,
            plot=loss_plot(self._losses, self._count),
            phases=self._times(),
            settings=self._described,
        )

    def _summary(self) -> tuple[tuple[str, str], ...]:
        """What stands at the head of the page."""
        told = self._described
        fitted = sum(row.outcome == FITTED for row in self._rows)
        return (
            ("frames", str(told["plate"]["frames"])),
            ("size", str(told["plate"]["size"])),
            ("preset", str(told["method"]["preset"])),
            ("seed", str(told["method"]["seed"])),
            ("device", str(told["machine"]["device"])),
            ("fitted", str(fitted)),
            ("from the cache", str(len(self._rows) - fitted)),
        )

    def _times(self) -> tuple[tuple[str, float], ...]:
        """Seconds of each phase so far."""
        ends = [*(began for _, began in self._phases[1:]), self._clock()]
        pairs = zip(self._phases, ends, strict=False)
        return tuple((name, end - began) for (name, began), end in pairs if name)


def _row(done: IntervalDone, picture: str | None) -> IntervalRow:
    """An interval as the page shows it."""
    low, high = done.timesteps
    return IntervalRow(
        number=done.index + 1,
        level=done.level,
        timesteps=f"{high - 1}\u2013{low}",
        outcome=FITTED if done.outcome == "fitted" else CACHED,
        loss=done.fit.loss,
        fit_seconds=done.fit.seconds,
        sample_seconds=done.seconds,
        picture=picture,
    )
