"""Report: what reaches whom, how often, and when the work is stopped."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from infusion_engine.errors import Cancelled, StorageError
from infusion_engine.progress import LinesFile, Pace, Report, StopRequest, _Outlet
from infusion_node.wire.events import (
    Event,
    Failed,
    Finished,
    Frame,
    Heartbeat,
    Interval,
    Preview,
    Progress,
    Stamped,
    Waiting,
    Warned,
    from_line,
)


class Clock:
    """A clock that stands still until it is told."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        """Seconds since any fixed moment."""
        return self.now


class Listener:
    """A sink that remembers what it heard."""

    name = "the listener"

    def __init__(self, seconds_between: float = 0.0) -> None:
        self.seconds_between = seconds_between
        self.heard: list[Event] = []
        self.times: list[float] = []
        self.is_closed = False

    def write(self, event: Event, *, time: float) -> None:
        self.heard.append(event)
        self.times.append(time)

    def close(self) -> None:
        self.is_closed = True


class Broken(Listener):
    """A sink whose reader went away."""

    name = "stdout"

    def write(self, event: Event, *, time: float) -> None:
        raise BrokenPipeError(32, "Broken pipe")


def _done(listener: Listener) -> list[int]:
    """The `done` of every progress event heard."""
    return [event.done for event in listener.heard if isinstance(event, Progress)]


def test_every_call_becomes_its_event() -> None:
    """Each method sends the event of its name to every sink, stamped with the time of day."""
    first, second = Listener(), Listener()
    report = Report(first, second, wall_clock=lambda: 1700000000.0)

    report.warn("Odd.", "Look.")
    report.waiting("a lock")
    report.interval(0, 5, "fitted", 0.5)
    report.interval(1, 5, "hit")
    report.preview(Path("p.png"))
    report.frame(1001, Path("out/a.1001.exr"))

    assert first.heard == [
        Warned("Odd.", "Look."),
        Waiting("a lock"),
        Interval(0, 5, "fitted", 0.5),
        Interval(1, 5, "hit", None),
        Preview("p.png"),
        Frame(1001, "out/a.1001.exr"),
    ]
    assert second.heard == first.heard
    assert set(first.times) == {1700000000.0}


def test_finished_counts_what_happened() -> None:
    """The last event says how many frames, hits and fits there were, and how long it took."""
    clock, listener = Clock(), Listener()
    report = Report(listener, clock=clock)
    report.interval(0, 3, "hit")
    report.interval(1, 3, "hit")
    report.interval(2, 3, "fitted", 0.1)
    report.frame(1, Path("a"))
    clock.now += 12.5

    report.finished()

    assert listener.heard[-1] == Finished(frames=1, seconds=12.5, hits=2, fitted=1)


def test_only_one_event_is_the_last() -> None:
    """A watchdog and the work may both want to say that the run failed: one of them does."""
    listener = Listener()
    report = Report(listener)

    report.failed(StorageError("Full.", remedy="Free some."))
    report.failed(Cancelled("Stopped."))
    report.finished()
    report.heartbeat()

    assert listener.heard == [Failed("storage", "Full.", "Free some.", 5)]


def test_progress_is_throttled_for_each_sink() -> None:
    """A sink hears the first and the last of a phase, and others no more often than it wants."""
    clock, eager, calm = Clock(), Listener(0.25), Listener(5.0)
    report = Report(eager, calm, clock=clock)

    for done in range(101):  # eight reports a second
        report.progress("fitting", done, 100)
        clock.now += 0.125

    assert _done(calm) == [0, 40, 80, 100]
    assert _done(eager) == list(range(0, 101, 2))


def test_a_new_phase_is_told_at_once() -> None:
    """The throttle of one phase does not swallow the start of the next."""
    listener = Listener(5.0)
    report = Report(listener, clock=Clock())

    report.progress("fitting", 0, 10)
    report.progress("fitting", 1, 10)
    report.progress("sampling", 0, 10)

    assert [event.phase for event in listener.heard if isinstance(event, Progress)] == [
        "fitting",
        "sampling",
    ]


def test_figures_travel_along() -> None:
    """What the work measures is handed on under its name."""
    listener = Listener()

    Report(listener).progress("fitting", 0, 10, interval=2, intervals=5, loss=0.5)

    assert listener.heard == [
        Progress("fitting", 0, 10, None, {"interval": 2.0, "intervals": 5.0, "loss": 0.5})
    ]


def test_the_time_left_follows_the_recent_pace() -> None:
    """At two units a second, 80 of 100 units are 40 seconds; before any pace, nothing is said."""
    pace = Pace(total=100)

    assert pace.eta(10, now=0.0) is None
    assert pace.eta(20, now=5.0) == 40.0
    assert pace.eta(100, now=45.0) == 0.0


def test_what_came_from_the_cache_does_not_make_the_rest_look_fast() -> None:
    """A jump at the start is forgotten once it lies more than a minute back."""
    pace = Pace(total=1000)
    pace.eta(0, now=0.0)
    pace.eta(500, now=1.0)  # half of the work was there already

    for second in range(2, 100):
        left = pace.eta(500 + second, now=float(second))

    assert left == pytest.approx(1000 - 599, rel=0.02)  # one unit a second


def test_a_phase_that_begins_anew_forgets_its_pace() -> None:
    """Counting back to the start is a new phase, not work undone."""
    pace = Pace(total=100)
    pace.eta(0, now=0.0)
    pace.eta(100, now=10.0)

    assert pace.eta(0, now=20.0) is None
    assert pace.eta(10, now=30.0) == 90.0


@pytest.mark.parametrize(
    "call",
    [
        lambda report: report.check(),
        lambda report: report.progress("fitting", 1, 2),
        lambda report: report.warn("Odd."),
        lambda report: report.waiting("a lock"),
        lambda report: report.interval(0, 1, "hit"),
        lambda report: report.frame(1, Path("a")),
        lambda report: report.preview(Path("a")),
        lambda report: report.emit(Waiting("x")),
    ],
)
def test_every_call_notices_a_stop(call: Callable[[Report], None]) -> None:
    """Whichever report the work makes next, it is told that somebody asked it to stop."""
    stop = StopRequest()
    report = Report(stop=stop)
    call(report)
    stop.ask("SIGINT")
    stop.ask("SIGTERM")

    with pytest.raises(Cancelled, match="SIGINT"):
        call(report)


def test_a_finished_frame_is_told_before_the_stop_is_noticed() -> None:
    """What is done is done: its event goes out even when the same call then stops the work."""
    listener = Listener()
    report = Report(listener)
    report.stop.ask("SIGTERM")

    with pytest.raises(Cancelled):
        report.frame(1001, Path("a"))

    assert listener.heard == [Frame(1001, "a")]


def test_a_lost_reader_does_not_lose_the_render() -> None:
    """A broken stdout is left out; the other sinks are told so and hear everything else."""
    listener = Listener()
    report = Report(Broken(), listener)

    report.frame(1, Path("a"))
    report.frame(2, Path("b"))

    assert isinstance(listener.heard[0], Warned)
    assert "stdout" in listener.heard[0].message
    assert listener.heard[1:] == [Frame(1, "a"), Frame(2, "b")]


def test_a_blocked_sink_does_not_silence_the_heartbeat() -> None:
    """While stdout's reader sleeps, the events file goes on to say that the engine lives."""
    is_in, may_go = threading.Event(), threading.Event()

    class Blocked(Listener):
        def write(self, event: Event, *, time: float) -> None:
            is_in.set()
            may_go.wait(30)

    listener = Listener()
    report = Report(listener, Blocked())
    worker = threading.Thread(target=report.frame, args=(1, Path("a")))
    worker.start()
    assert is_in.wait(30)

    report.heartbeat()

    assert [type(event) for event in listener.heard] == [Frame, Heartbeat]
    may_go.set()
    worker.join()


def test_a_heartbeat_that_comes_too_late_writes_nothing(tmp_path: Path) -> None:
    """A thread may hold on to a sink that is closed meanwhile, whose file number is another's."""
    outlet = _Outlet(LinesFile(tmp_path / "events.ndjson"))
    outlet.close(patience=-1)
    frame = (tmp_path / "frame.exr").open("wb")  # takes the number that became free

    outlet.write(Heartbeat(1.0), time=5.0, patience=-1)

    frame.close()
    assert (tmp_path / "frame.exr").read_bytes() == b""
    assert (tmp_path / "events.ndjson").read_bytes() == b""


def test_closing_closes_every_sink() -> None:
    """Each sink may say goodbye, also when another one is lost."""

    class Stubborn(Listener):
        def close(self) -> None:
            raise OSError(5, "Input/output error")

    listener = Listener()

    Report(Stubborn(), listener).close()

    assert listener.is_closed


def test_the_events_file_holds_one_line_for_each_event(tmp_path: Path) -> None:
    """Another run appends to what is there, and the folder is made."""
    path = tmp_path / "job" / "events.ndjson"
    for frame in (1, 2):
        report = Report(LinesFile(path), wall_clock=lambda: 5.0)
        report.frame(frame, Path("a"))
        report.close()

    assert [from_line(line) for line in path.read_text().splitlines()] == [
        Stamped(5.0, Frame(1, "a")),
        Stamped(5.0, Frame(2, "a")),
    ]


def test_a_torn_line_of_a_killed_run_stays_alone(tmp_path: Path) -> None:
    """The next run begins a line of its own, so that only the torn one is lost."""
    path = tmp_path / "events.ndjson"
    path.write_text('{"event": "frame", "time": 1, "fra')

    report = Report(LinesFile(path), wall_clock=lambda: 5.0)
    report.frame(1, Path("a"))
    report.close()

    lines = path.read_text().splitlines()
    assert len(lines) == 2
    assert json.loads(lines[1])["frame"] == 1
