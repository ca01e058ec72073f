"""Events: what stands in a line, and how readers of other releases get along with it."""

from __future__ import annotations

import json
import math
from dataclasses import fields
from pathlib import Path

import pytest

from infusion_node.wire.events import (
    EVENT_TYPES,
    Event,
    Failed,
    Finished,
    Frame,
    Heartbeat,
    Interval,
    Preview,
    Progress,
    Resolved,
    Staged,
    Stamped,
    Started,
    Waiting,
    Warned,
    from_line,
    to_line,
)

BASELINE = Path(__file__).parent / "baselines" / "events.ndjson"

RUN: tuple[Event, ...] = (
    Started(version="0.1.0", pid=4711, machine="render-07"),
    Resolved(plan={"method": {"preset": "draft", "working_size": [432, 240], "ema": 0.1}}),
    Warned(message="Frames 0993-1000 do not exist.", remedy="Render without handles."),
    Waiting(waiting_for="another process that fits interval 1"),
    Progress(
        phase="fitting",
        done=30,
        total=300,
        eta_seconds=81.5,
        figures={"interval": 0.0, "intervals": 5.0, "loss": 0.25},
    ),
    Interval(index=0, count=5, outcome="fitted", loss=0.125),
    Interval(index=1, count=5, outcome="hit"),
    Staged(stage="fit", outcome="done", detail="interval 2/5"),
    Preview(path="/shots/fire/preview.png"),
    Frame(frame=1001, path="/shots/fire/out/fire.1001.exr"),
    Heartbeat(seconds=93.25, phase="writing"),
    Finished(frames=48, seconds=95.5, hits=1, fitted=4),
    Failed(code="cancelled", message="Cancelled.", remedy="Run it again.", exit_code=130),
)
"""One of everything that a run may say."""


def test_the_baseline_is_what_events_look_like_in_a_file() -> None:
    """Every event is written exactly as in the golden file, field by field."""
    lines = [to_line(event, time=1700000000 + index) for index, event in enumerate(RUN)]

    assert lines == BASELINE.read_text(encoding="ascii").splitlines()


def test_the_baseline_is_still_read() -> None:
    """Lines of an earlier release become the events that they were."""
    read = [from_line(line) for line in BASELINE.read_text(encoding="ascii").splitlines()]

    assert read == [Stamped(1700000000 + index, event) for index, event in enumerate(RUN)]


def test_the_baseline_holds_every_type() -> None:
    """No event is left out of the golden file."""
    assert {type(event) for event in RUN} == set(EVENT_TYPES)


@pytest.mark.parametrize("kind", EVENT_TYPES, ids=lambda kind: kind.type)
def test_no_field_hides_the_envelope(kind: type[Event]) -> None:
    """`event` and `time` belong to the line, never to an event's own fields."""
    assert {field.name for field in fields(kind)} & {"event", "time"} == set()


def test_an_unknown_field_is_ignored() -> None:
    """A newer engine may say more about an event; the reader takes what it knows."""
    body = json.loads(to_line(Frame(1001, "a.exr"), time=5.0))

    assert from_line(json.dumps({**body, "bytes": 4096})) == Stamped(5.0, Frame(1001, "a.exr"))


@pytest.mark.parametrize(
    "line",
    [
        '{"event": "celebration", "time": 5.0}',
        '{"event": "frame", "time": 5.0, "frame": 1001}',
        '{"event": "frame", "frame": 1001, "path": "a.exr"}',
        '{"event": ["frame"], "time": 5.0}',
        '{"event": "frame", "time": 5.0, "fra',
        '{"event": "frame"}{"event": "frame"}',
        "[1, 2]",
        "7",
        "",
        "\n",
        "Traceback (most recent call last):",
    ],
)
def test_what_is_not_understood_is_passed_over(line: str) -> None:
    """Unknown types, torn lines and foreign text are no events, and no errors."""
    assert from_line(line) is None


@pytest.mark.parametrize("figure", [math.nan, math.inf, -math.inf])
def test_figures_that_are_no_numbers_become_null(figure: float) -> None:
    """A loss that exploded must not make a line that JSON readers refuse."""
    line = to_line(Progress("fitting", 1, 2, None, {"loss": figure}), time=5.0)

    assert json.loads(line, parse_constant=pytest.fail)["figures"] == {"loss": None}


def test_a_line_is_one_ascii_line() -> None:
    """Names with line breaks, other alphabets or stray bytes stay inside one plain line."""
    line = to_line(Frame(1, "/feu \n \u2028 \N{FIRE} \udcff.exr"), time=5.0)

    assert line.isascii()
    assert len(line.splitlines()) == 1
    assert from_line(line) == Stamped(5.0, Frame(1, "/feu \n \u2028 \N{FIRE} \udcff.exr"))
