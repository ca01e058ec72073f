"""What a person sees: sentences, the live bar, and what stays silent."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys

import pytest
from rich.console import Console

from infusion_engine.cli.terminal import (
    EventsMode,
    JsonLines,
    LiveBar,
    PlainLines,
    Sentences,
    duration,
    sentence,
    stdout_sink,
)
from infusion_node.wire.events import (
    Event,
    Failed,
    Finished,
    Frame,
    Heartbeat,
    Interval,
    Progress,
    Resolved,
    Started,
    Waiting,
    Warned,
    from_line,
)

PROGRESS = Progress("fitting", 75, 300, 188.0, {"interval": 2.0, "intervals": 5.0, "loss": 0.01234})


@pytest.mark.parametrize(
    ("event", "text"),
    [
        (Started("0.1.0", 1, "m"), "Infusion Inpaint 0.1.0"),
        (Waiting("another process"), "Waiting for another process."),
        (PROGRESS, "fitting   25%  75/300  interval 3/5  loss 0.01234  3m08s left"),
        (Progress("loading", 0, 0), "loading"),
        (Progress("inpainting", 10**9, 4 * 10**9), "inpainting   25%"),
        (Interval(0, 5, "hit"), "Interval 1/5 taken from the cache"),
        (Interval(4, 5, "fitted", 0.125), "Interval 5/5 fitted, loss 0.125"),
        (Interval(0, 5, "hit", take=2), "Take 2: interval 1/5 taken from the cache"),
        (
            Progress("inpainting", 10**9, 4 * 10**9, None, {"take": 2.0, "takes": 3.0, "loss": 1}),
            "inpainting   25%  take 2/3  loss 1",
        ),
        (Frame(1001, "out/a.1001.exr"), "Wrote out/a.1001.exr"),
        (Warned("Odd.", "Look."), "Warning: Odd. Look."),
        (
            Finished(48, 62.0, 2, 3),
            "Done: 48 frames in 1m02s; 2 intervals from the cache, 3 fitted.",
        ),
        (Heartbeat(3.0, "fitting"), ""),
        (Failed("storage", "Full."), ""),
    ],
    ids=lambda value: value.type if isinstance(value, Event) else "",
)
def test_events_as_sentences(event: Event, text: str) -> None:
    """Each event is one plain sentence, or nothing where only machines care."""
    assert sentence(event) == text


def test_a_plan_as_an_overview() -> None:
    """Before waiting, a person sees what is read, how, and what will be written."""
    plan = {
        "plate": {"files": "p.%04d.exr", "frames": "1-8", "size": "24x16+0+0"},
        "method": {"preset": "draft", "seed": 3},
        "output": {"files": "o.%04d.exr", "write": "layer"},
    }

    assert sentence(Resolved(plan)).splitlines() == [
        "Plate   p.%04d.exr  1-8  24x16+0+0",
        "Method  draft, seed 3",
        "Output  o.%04d.exr  layer",
    ]
    takes = {**plan, "method": {"preset": "draft", "seed": 3, "takes": 4}}
    assert sentence(Resolved(takes)).splitlines()[1] == "Method  draft, seed 3, 4 takes"


def test_a_plan_that_reads_the_same_is_told_once() -> None:
    """When more of it is decided than a person is told of; a budget is told."""
    told = Sentences()
    plan = {"method": {"preset": "draft", "seed": 3, "precision": "auto"}}
    decided = {"method": {**plan["method"], "precision": "fp32"}}
    budget = {"method": {**decided["method"], "minutes": 2.0, "expected_seconds": 100.0}}

    assert "draft" in told.next(Resolved(plan))
    assert told.next(Resolved(decided)) == ""
    assert "Budget" in told.next(Resolved(budget))
    assert told.next(Frame(1, "a.exr")) == "Wrote a.exr"


def test_a_budget_as_an_overview() -> None:
    """When minutes have become steps, that alone is told."""
    method = {
        "preset": "draft",
        "minutes": 12.5,
        "expected_seconds": 700.0,
        "steps_per_interval": 480,
        "detail_steps_per_interval": 160,
    }

    assert sentence(Resolved({"method": method})) == (
        "Budget  12.5 minutes: 480 steps an interval (80% of draft's), 160 at finer sizes; "
        "11m40s expected"
    )


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.2, "0s"), (59.4, "59s"), (59.6, "1m00s"), (188, "3m08s"), (7500, "2h05m")],
)
def test_durations_are_short(seconds: float, text: str) -> None:
    """Two units at most."""
    assert duration(seconds) == text


def test_plain_lines_survive_a_narrow_encoding() -> None:
    """A log in ASCII spells out what it cannot show, also bytes that are no text."""
    raw = io.BytesIO()
    stream = io.TextIOWrapper(raw, encoding="ascii", newline="\n")

    PlainLines(stream).write(Frame(1, "f\N{LATIN SMALL LETTER E WITH ACUTE}u\udcff.exr"), time=5.0)

    assert raw.getvalue() == b"Wrote f\\xe9u\\udcff.exr\n"


def test_silence_keeps_warnings(capsys: pytest.CaptureFixture[str]) -> None:
    """`none` leaves stdout alone, and a warning still reaches stderr."""
    sink = stdout_sink(EventsMode.NONE)

    sink.write(Frame(1, "a"), time=5.0)
    sink.write(Warned("Odd."), time=5.0)

    assert capsys.readouterr() == ("", "Warning: Odd.\n")


def test_json_lines_are_events(capsys: pytest.CaptureFixture[str]) -> None:
    """`json` writes every event, heartbeats included, as the wire has it."""
    sink = stdout_sink(EventsMode.JSON)
    assert isinstance(sink, JsonLines)

    for event in (PROGRESS, Heartbeat(3.0), Failed("storage", "Full.")):
        sink.write(event, time=5.0)

    lines = [from_line(line) for line in capsys.readouterr().out.splitlines()]
    assert [line.event for line in lines if line] == [
        PROGRESS,
        Heartbeat(3.0),
        Failed("storage", "Full."),
    ]


CHATTER = """
import ctypes
from infusion_engine.cli.reporting import reporting
from infusion_engine.cli.terminal import EventsMode

with reporting(None, EventsMode.JSON) as report:
    ctypes.CDLL(None).puts(b"said in C, and held back until the end")
    print("said in Python")
    report.warn("Odd.")
"""


@pytest.mark.parametrize("streams", ["", "2>&-", "0<&- 2>&-"])
def test_what_libraries_print_is_no_event(streams: str) -> None:
    """With `json`, stdout is for events alone: all else goes to stderr, if there is one."""
    if os.name != "posix":
        pytest.skip("needs a POSIX shell, and a C library under no name")
    run = subprocess.run(
        ["sh", "-c", f'exec "$0" -c "$1" {streams}', sys.executable, CHATTER],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
        capture_output=True,
        text=True,
        check=False,
    )

    assert run.returncode == 0, run.stderr
    kinds = [json.loads(line)["event"] for line in run.stdout.splitlines()]
    assert kinds == ["warning", "finished"]
    assert ("in C" in run.stderr, "in Python" in run.stderr) == (not streams, not streams)


def test_a_process_without_stdout_has_a_sink(monkeypatch: pytest.MonkeyPatch) -> None:
    """A service may start the engine with stdout closed."""
    monkeypatch.setattr(sys, "stdout", None)

    stdout_sink(EventsMode.AUTO).write(PROGRESS, time=5.0)


@pytest.mark.parametrize("term", ["dumb", "xterm"])
def test_a_live_bar_needs_a_terminal_that_can(monkeypatch: pytest.MonkeyPatch, term: str) -> None:
    """A dumb terminal, which cannot move its cursor, gets plain lines."""

    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    monkeypatch.setenv("TERM", term)
    monkeypatch.setattr(sys, "stdout", Terminal())

    assert isinstance(stdout_sink(EventsMode.AUTO), LiveBar if term == "xterm" else PlainLines)


def test_the_live_bar_shows_one_phase_at_a_time() -> None:
    """Phase, share, interval, loss and time left stand in the bar; sentences scroll above it."""
    screen = io.StringIO()
    bar = LiveBar(Console(file=screen, force_terminal=True, width=100, highlight=False))

    bar.write(PROGRESS, time=5.0)
    fitting = screen.getvalue()
    bar.write(Frame(1001, "out/[red]a.1001.exr"), time=5.0)
    bar.write(Progress("writing", 1, 2), time=6.0)
    bar.close()

    assert "fitting" in fitting
    for text in ("25%", "interval 3/5", "loss 0.01234", "3m08s left"):
        assert text in fitting
    assert "Wrote out/[red]a.1001.exr" in screen.getvalue()
    assert "writing" in screen.getvalue().removeprefix(fitting)
