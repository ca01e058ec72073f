"""What stdout shows while a run goes on: a live bar, plain lines, or events as JSON lines."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from enum import Enum
from typing import Any, TextIO

from rich.console import Console
from rich.progress import BarColumn, TaskID, TaskProgressColumn, TextColumn
from rich.progress import Progress as RichProgress

from infusion_engine.progress import Sink
from infusion_engine.settings import PRESETS
from infusion_node.wire.events import (
    Event,
    Finished,
    Frame,
    Interval,
    Preview,
    Progress,
    Resolved,
    Staged,
    Started,
    Waiting,
    Warned,
    to_line,
)

_OUTCOMES = {"hit": "taken from the cache", "done": "done", "nothing": "nothing to do"}
_STDOUT, _STDERR = 1, 2
_COUNTABLE = 9999  # more units than that are no frames or steps, and nobody reads their number


class EventsMode(str, Enum):
    """What `--events` chooses."""

    AUTO = "auto"
    """A live bar on a terminal, plain lines elsewhere."""
    JSON = "json"
    """One JSON object per line."""
    PLAIN = "plain"
    """Plain lines."""
    OPENJD = "openjd"
    """Lines that an OpenJD session reads."""
    NONE = "none"
    """Nothing but warnings, which go to stderr."""


def stdout_sink(mode: EventsMode) -> Sink:
    """The sink that `mode` asks for on this process's stdout."""
    if mode is EventsMode.NONE or sys.stdout is None:
        return PlainLines(sys.stderr, only=(Warned,))
    if mode is EventsMode.JSON:
        return JsonLines(claimed_stdout(sys.stdout))
    if mode is EventsMode.AUTO and sys.stdout.isatty() and os.environ.get("TERM") != "dumb":
        return LiveBar()
    return PlainLines(sys.stdout)


def claimed_stdout(stdout: TextIO) -> TextIO:
    """The process's stdout for one writer alone: from now on all else printed goes to stderr.

    Libraries print on stdout, in C as well as in Python, and what they print may come out as late
    as at exit: a program that reads events must not come upon it. A `stdout` that is not the
    process's own is returned as it is.
    """
    try:
        number = stdout.fileno()
    except (OSError, ValueError):  # in memory, as in a test
        return stdout
    if number != _STDOUT:
        return stdout
    stdout.flush()
    try:
        os.fstat(_STDERR)
    except OSError:  # it is closed: the duplicate below must not get its number
        os.dup2(os.open(os.devnull, os.O_WRONLY), _STDERR)
    claimed = os.fdopen(os.dup(_STDOUT), "w", encoding=stdout.encoding, errors=stdout.errors)
    os.dup2(_STDERR, _STDOUT)
    return claimed


class JsonLines:
    """Every event as one JSON object per line."""

    name = "stdout"
    seconds_between = 0.25

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, event: Event, *, time: float) -> None:
        """Write the event's line."""
        _write_line(self._stream, to_line(event, time=time))

    def close(self) -> None:
        """Let the reader see the end, unless the stream is everybody's."""
        if self._stream is not sys.stdout:
            self._stream.close()


class PlainLines:
    """Sentences without control codes, for logs."""

    seconds_between = 5.0

    def __init__(self, stream: TextIO | None, only: tuple[type[Event], ...] = (Event,)) -> None:
        self._stream = stream
        self._only = only
        self._sentences = Sentences()

    @property
    def name(self) -> str:
        """Which stream it is."""
        return "stdout" if self._stream is sys.stdout else "stderr"

    def write(self, event: Event, *, time: float) -> None:  # noqa: ARG002 - a log has its own time
        """Write the event's sentence, if a person would miss it."""
        text = self._sentences.next(event)
        if text and isinstance(event, self._only) and self._stream is not None:
            _write_line(self._stream, text)

    def close(self) -> None:
        """Nothing to do: every line was flushed."""


class LiveBar:
    """One bar that is redrawn in place on a terminal; sentences scroll by above it."""

    name = "the terminal"
    seconds_between = 0.25

    def __init__(self, console: Console | None = None) -> None:
        self._bar = RichProgress(
            TextColumn("{task.description}"),
            BarColumn(bar_width=None),
            TaskProgressColumn(),
            TextColumn("{task.fields[details]}"),
            console=console or Console(file=sys.stdout, soft_wrap=True, highlight=False),
            auto_refresh=False,  # no thread of its own: it would have to be waited for at the end
            transient=True,
            expand=True,
            redirect_stdout=False,
        )
        self._task: TaskID | None = None
        self._sentences = Sentences()

    def write(self, event: Event, *, time: float) -> None:  # noqa: ARG002 - the bar shows now
        """Redraw the bar, or let a sentence scroll by above it."""
        if isinstance(event, Progress):
            if self._task is None:
                self._bar.start()
                self._task = self._bar.add_task("", details="")
            self._bar.update(
                self._task,
                description=event.phase,
                completed=event.done,
                total=event.total or None,
                details="  ".join(details(event)),
            )
        elif text := self._sentences.next(event):
            self._bar.console.print(text, markup=False, emoji=False)
        self._bar.refresh()

    def close(self) -> None:
        """Take the bar away and give the cursor back."""
        self._bar.stop()


class Sentences:
    """What a person is told, one event after the other."""

    def __init__(self) -> None:
        self._plan = ""

    def next(self, event: Event) -> str:
        """`sentence`; empty for a plan that reads as it did, however much more is decided."""
        text = sentence(event)
        if isinstance(event, Resolved):
            text, self._plan = ("" if text == self._plan else text), text
        return text


def sentence(event: Event) -> str:
    """What a person is told about an event; empty for what only machines need."""
    match event:
        case Started(version=version):
            return f"Infusion Inpaint {version}"
        case Resolved(plan=plan):
            return "\n".join(overview(plan))
        case Waiting(waiting_for=what):
            return f"Waiting for {what}."
        case Progress(phase=phase, done=done, total=total):
            share = [f"{100 * done // total:3d}%"] if total else []
            count = [f"{done}/{total}"] if 0 < total <= _COUNTABLE else []
            return "  ".join([phase, *share, *count, *details(event)])
        case Interval(index=index, count=count, outcome=outcome):
            how = "taken from the cache" if outcome == "hit" else "fitted"
            loss = "" if event.loss is None else f", loss {event.loss:.4g}"
            take = f"Take {event.take}: interval" if event.take > 1 else "Interval"
            return f"{take} {index + 1}/{count} {how}{loss}"
        case Staged(stage=stage, outcome=outcome, detail=detail):
            return f"Stage {stage}: {detail}, {_OUTCOMES.get(outcome, outcome)}"
        case Frame(path=path) | Preview(path=path):
            return f"Wrote {path}"
        case Warned(message=message, remedy=remedy):
            return f"Warning: {message} {remedy}".rstrip()
        case Finished(frames=frames, seconds=seconds, hits=hits, fitted=fitted):
            return (
                f"Done: {frames} frames in {duration(seconds)}; "
                f"{hits} intervals from the cache, {fitted} fitted."
            )
        case _:  # heartbeats; a failure is told by the command itself, on stderr
            return ""


def _share_of_preset(method: Mapping[str, Any]) -> str:
    """What part of its preset's steps a budget came to: from it the fill's worth can be told."""
    preset, steps = PRESETS.get(method.get("preset", "")), method.get("steps_per_interval")
    if preset is None or steps is None:
        return ""
    return f" ({steps / preset.steps_per_interval:.0%} of {method['preset']}'s)"


def overview(plan: object) -> list[str]:
    """The lines of a plan that a person wants to see before waiting."""
    if not isinstance(plan, dict):
        return []
    plate, method, output = (plan.get(part, {}) for part in ("plate", "method", "output"))
    expected, takes = method.get("expected_seconds"), method.get("takes", 1)
    if expected is not None:  # the rest was told before
        steps, detail = method.get("steps_per_interval"), method.get("detail_steps_per_interval")
        share = _share_of_preset(method)
        budget = f"{method.get('minutes'):g} minutes: {steps} steps an interval{share}, {detail}"
        return [f"Budget  {budget} at finer sizes; {duration(expected)} expected"]
    drawn = f", {takes} takes" if takes > 1 else ""
    return [
        f"Plate   {plate.get('files')}  {plate.get('frames')}  {plate.get('size')}",
        f"Method  {method.get('preset')}, seed {method.get('seed')}{drawn}",
        f"Output  {output.get('files')}  {output.get('write')}",
    ]


def details(event: Progress) -> list[str]:
    """Interval k/n, the other figures, and the time left, each as a short text."""
    figures = dict(event.figures)
    parts = []
    if "take" in figures and "takes" in figures:
        parts.append(f"take {int(figures.pop('take'))}/{int(figures.pop('takes'))}")
    if "interval" in figures and "intervals" in figures:
        index, count = int(figures.pop("interval")), int(figures.pop("intervals"))
        parts.append(f"interval {index + 1}/{count}")
    parts += [f"{name} {value:.4g}" for name, value in figures.items()]
    if event.eta_seconds is not None and event.done < event.total:
        parts.append(f"{duration(event.eta_seconds)} left")
    return parts


def duration(seconds: float) -> str:
    """`8s`, `3m08s` or `2h05m`."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole}s"
    if whole < 3600:
        return f"{whole // 60}m{whole % 60:02d}s"
    return f"{whole // 3600}h{whole % 3600 // 60:02d}m"


def _write_line(stream: TextIO, text: str) -> None:
    """Write and flush one line; characters that the stream cannot show are spelled out.

    Raises:
        OSError: the reader went away.
    """
    encoding = stream.encoding or "utf-8"
    stream.write(text.encode(encoding, "backslashreplace").decode(encoding) + "\n")
    stream.flush()
