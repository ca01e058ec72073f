"""Report: what the work says while it goes on, and where it notices that it should stop."""

from __future__ import annotations

import errno
import os
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal, Protocol

from infusion_engine.errors import Cancelled, InfusionError
from infusion_node.wire.events import (
    Event,
    Failed,
    Finished,
    Frame,
    Heartbeat,
    Interval,
    Preview,
    Progress,
    Waiting,
    Warned,
    to_line,
)

Clock = Callable[[], float]
"""Seconds since any fixed moment."""

_FULL = (errno.ENOSPC, errno.EDQUOT)
"""What a full disk says, and a quota that is used up: room may be made."""

_PACE_SECONDS = 60.0
_PACE_SPACING = 1.0


class Sink(Protocol):
    """Somewhere events go. A sink that raises OSError is left out from then on."""

    seconds_between: float
    """Least time between two progress events of one phase; its first and last always come."""

    @property
    def name(self) -> str:
        """What it is, for the warning that it was lost."""

    def write(self, event: Event, *, time: float) -> None:
        """Take one event, sent at `time` (seconds since 1970)."""

    def close(self) -> None:
        """Say goodbye; nothing is written afterwards."""


class StopRequest:
    """Whether somebody asked the run to stop; safe to set from a signal handler (no locks)."""

    def __init__(self) -> None:
        self.reason = ""
        self._finishing = 0

    @property
    def is_finishing(self) -> bool:
        """True while something that is done is being saved."""
        return self._finishing > 0

    @contextmanager
    def finishing(self) -> Iterator[None]:
        """Have whoever watches the run wait for the end of the block: what is done is being saved.

        To the work a stop comes at its next report, and none is in such a block; this is for who
        would end the process under it. One thread works, and so one counts.
        """
        self._finishing += 1
        try:
            yield
        finally:
            self._finishing -= 1

    @property
    def is_asked(self) -> bool:
        """True once `ask` was called."""
        return bool(self.reason)

    def ask(self, reason: str) -> None:
        """Ask the run to stop; only the first reason is kept."""
        self.reason = self.reason or reason


class Pace:
    """How fast one phase goes, from what was done during the last minute."""

    def __init__(self, total: int) -> None:
        self.total = total
        self._seen: deque[tuple[float, int]] = deque()

    def eta(self, done: int, *, now: float) -> float | None:
        """Seconds until `total` is reached; None before two moments were seen."""
        if self._seen and done < self._seen[-1][1]:
            self._seen.clear()  # the phase began anew
        while len(self._seen) > 1 and now - self._seen[1][0] >= _PACE_SECONDS:
            self._seen.popleft()
        estimate = None
        if self._seen:
            then, done_then = self._seen[0]
            if done > done_then and now > then:
                estimate = (self.total - done) * (now - then) / (done - done_then)
        if not self._seen or now - self._seen[-1][0] >= _PACE_SPACING:
            self._seen.append((now, done))
        return estimate


class Report:
    """Carries events to sinks; every call also raises Cancelled once a stop was asked for.

    Without sinks it is silent and still notices a stop. Calls may come from several threads: each
    sink is entered by one at a time, and a sink that blocks holds up nobody but its caller.
    """

    def __init__(
        self,
        *sinks: Sink,
        stop: StopRequest | None = None,
        clock: Clock = time.monotonic,
        wall_clock: Clock = time.time,
    ) -> None:
        self.stop = stop or StopRequest()
        self.frames_written = 0
        self.hits = 0
        self.fitted = 0
        self.waited = 0.0  # seconds of the run in which nothing was done: its turn had not come
        self.phase = ""
        self._clock = clock
        self._wall_clock = wall_clock
        self._began = clock()
        self._outlets = [_Outlet(sink) for sink in sinks]
        self._paces: dict[str, Pace] = {}
        self._has_ended = False

    def check(self) -> None:
        """Notice a stop.

        Raises:
            Cancelled: somebody asked the run to stop.
        """
        if self.stop.is_asked:
            raise cancelled(self.stop.reason)

    def emit(self, event: Event) -> None:
        """Send any event to every sink, then `check`."""
        self._send(event)
        self.check()

    def progress(self, phase: str, done: int, total: int, **figures: float) -> None:
        """Say that `done` of `total` units of `phase` are done (0: unknown); cheap at every step.

        `figures` are shown as they are; `interval` (0 is the noisiest) with `intervals` is shown
        as k/n.
        """
        self.check()
        self.phase = phase
        now = self._clock()
        pace = self._paces.get(phase)
        if pace is None or pace.total != total:
            pace = self._paces[phase] = Pace(total)
        eta = pace.eta(done, now=now)
        due = [
            outlet
            for outlet in self._outlets
            if outlet.is_due(phase, now=now, is_last=done >= total)
        ]
        if due:
            plain = {name: float(value) for name, value in figures.items()}
            event = Progress(phase, int(done), int(total), eta, plain)
            for outlet in due:
                self._deliver(outlet, event)

    def warn(self, message: str, remedy: str = "") -> None:
        """Say something the user should know and that does not stop the run."""
        self.emit(Warned(message, remedy))

    @property
    def seconds(self) -> float:
        """How long the run has taken so far."""
        return self._clock() - self._began

    def interval(
        self,
        index: int,
        count: int,
        outcome: Literal["hit", "fitted"],
        loss: float | None = None,
        *,
        take: int = 1,
    ) -> None:
        """Say that the fit of interval `index` (0 is the noisiest) of `count` is there.

        `take`, from 1, is the one that needed it.
        """
        if outcome == "hit":
            self.hits += 1
        else:
            self.fitted += 1
        self.emit(Interval(index, count, outcome, None if loss is None else float(loss), take))

    def frame(self, frame: int, path: Path) -> None:
        """Say that one frame of the result stands under its final name."""
        self.frames_written += 1
        self.emit(Frame(frame, os.fspath(path)))

    def preview(self, path: Path) -> None:
        """Say that a picture of the work so far was written."""
        self.emit(Preview(os.fspath(path)))

    def waiting(self, for_what: str) -> None:
        """Say that the run stands still until somebody else is done."""
        self.emit(Waiting(for_what))

    def heartbeat(self) -> None:
        """Say that the run lives; called from a thread, waits for nobody, never raises."""
        beat = Heartbeat(round(self.seconds, 3), self.phase)
        if not self._has_ended:
            for outlet in list(self._outlets):
                self._deliver(outlet, beat, patience=0.2)

    def finished(self) -> None:
        """Say that the run is done; nothing is sent afterwards. A late stop changes nothing."""
        seconds = round(self.seconds, 3)
        self._end(Finished(self.frames_written, seconds, self.hits, self.fitted))

    def failed(self, error: InfusionError, *, patience: float = -1) -> None:
        """Say that the run ended with `error`; nothing is sent afterwards.

        `patience` is how many seconds to wait for a sink that is busy; -1 is for ever.
        """
        self._end(
            Failed(error.code, error.message, error.remedy, error.exit_code), patience=patience
        )

    def close(self, *, patience: float = -1) -> None:
        """Close every sink, waiting at most `patience` seconds for each that is busy."""
        for outlet in list(self._outlets):
            outlet.close(patience=patience)
        self._outlets.clear()

    def _end(self, event: Event, *, patience: float = -1) -> None:
        """Send the last event, once."""
        if not self._has_ended:
            self._has_ended = True
            self._send(event, patience=patience)

    def _send(self, event: Event, *, patience: float = -1) -> None:
        """Deliver to every sink."""
        for outlet in list(self._outlets):
            self._deliver(outlet, event, patience=patience)

    def _deliver(self, outlet: _Outlet, event: Event, *, patience: float = -1) -> None:
        """Deliver to one sink; when it is lost, leave it out and tell the others."""
        try:
            outlet.write(event, time=self._wall_clock(), patience=patience)
        except (OSError, ValueError) as error:  # ValueError: the file was closed under us
            if outlet in self._outlets:
                self._outlets.remove(outlet)
                lost = Warned(f"Events no longer reach {outlet.sink.name}: {error}.")
                self._send(lost, patience=patience)


class _Outlet:
    """A sink with its lock and its throttle."""

    def __init__(self, sink: Sink) -> None:
        self.sink = sink
        self._lock = threading.Lock()
        self._last_phase = ""
        self._last_time = 0.0
        self._is_closed = False

    def is_due(self, phase: str, *, now: float, is_last: bool) -> bool:
        """True when a progress event of `phase` should be written now."""
        is_new = phase != self._last_phase
        if is_new or is_last or now - self._last_time >= self.sink.seconds_between:
            self._last_phase = phase
            self._last_time = now
            return True
        return False

    def write(self, event: Event, *, time: float, patience: float) -> None:
        """Write, unless the sink stays busy for `patience` seconds (-1: wait for ever)."""
        if self._lock.acquire(timeout=patience):
            try:
                if not self._is_closed:
                    self.sink.write(event, time=time)
            finally:
                self._lock.release()

    def close(self, *, patience: float) -> None:
        """Close the sink, unless it stays busy; its last words are not worth an error."""
        if self._lock.acquire(timeout=patience):
            self._is_closed = True
            try:
                self.sink.close()
            except (OSError, ValueError):
                pass
            finally:
                self._lock.release()


class LinesFile:
    """A sink that appends JSON lines to a file; each line goes out in one piece.

    While the disk is full lines wait, in their order, and the file's time of change goes on.
    """

    seconds_between = 1.0

    def __init__(self, path: Path) -> None:
        """Open `path` for appending, on a fresh line if a killed run left its last one torn.

        Raises:
            OSError: it cannot be opened.
        """
        path.parent.mkdir(parents=True, exist_ok=True)
        self.path = path
        self._waiting = b""
        self._file = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT, 0o666)
        size = os.fstat(self._file).st_size
        if size:
            os.lseek(self._file, size - 1, os.SEEK_SET)
            if os.read(self._file, 1) != b"\n":
                os.write(self._file, b"\n")

    @property
    def name(self) -> str:
        """The file's path."""
        return os.fspath(self.path)

    def write(self, event: Event, *, time: float) -> None:
        """Append one line, after those that wait; all wait while the disk is full."""
        is_waiting = bool(self._waiting)
        if not is_waiting or not isinstance(event, (Heartbeat, Progress)):  # these are soon stale
            self._waiting += (to_line(event, time=time) + "\n").encode("ascii")
        try:
            self._write_waiting()
        except OSError as error:
            if error.errno not in _FULL:
                raise
            os.utime(self._file)  # a sign of life for whoever follows: it takes no room

    def close(self) -> None:
        """Close the file, after one more try to write what waits."""
        try:
            self._write_waiting()
        finally:
            os.close(self._file)

    def _write_waiting(self) -> None:
        while self._waiting:  # a disk that fills up may take a part of a line
            self._waiting = self._waiting[os.write(self._file, self._waiting) :]


def cancelled(reason: str) -> Cancelled:
    """The error that ends a run after a stop was asked for."""
    return Cancelled(
        f"The run was cancelled ({reason}); everything finished is kept.",
        remedy="Run the same command again to go on from there.",
    )
