"""Stopping a run: real processes, real signals, kernels that do not listen, readers that sleep."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

WORK = """
import sys, time, hashlib
from pathlib import Path
import click
from infusion_engine.cli import stop
from infusion_engine.cli.reporting import reporting
from infusion_engine.cli.shell import ShellCommand
from infusion_engine.cli.terminal import EventsMode
from infusion_engine.errors import StorageError

kind, events, mode = sys.argv[1:4]
stop.HEARTBEAT_SECONDS = 0.2
if sys.argv[4]:
    stop.GRACE_SECONDS = float(sys.argv[4])
    stop.SAVING_SECONDS = 10.0 * stop.GRACE_SECONDS

def work(report):
    Path(events).with_name("working").touch()
    if kind == "polite":
        for step in range(10**9):
            report.progress("fitting", step, 10**9, interval=1, intervals=5, loss=0.25)
            time.sleep(0.001)
    if kind == "kernel":  # one call into C that lets go of the GIL and hears no signal
        hashlib.pbkdf2_hmac("sha256", b"kernel", b"salt", 10**9)
    if kind in ("saving", "stuck"):
        with report.stop.finishing():
            time.sleep(3.0 if kind == "saving" else 600.0)
            Path(events).with_name("saved").touch()
        report.check()
    if kind == "chatty":
        for frame in range(10**9):
            report.frame(frame, Path("x" * 1000))
    if kind == "brief":
        for frame in range(200):
            report.frame(frame, Path("x" * 1000))
    if kind == "full":
        raise StorageError("The disk is full.", remedy="Free some space.")
    if kind == "bug":
        raise ZeroDivisionError("by nothing")

@click.command(cls=ShellCommand)
def main():
    with reporting(events, EventsMode(mode)) as report:
        try:
            work(report)
        finally:
            Path(events).with_name("tidied").touch()

main(args=[])
"""
"""What the engine does around a render, with work of a given kind in the render's place."""

FAR_AWAY = "600"
PROMISED_SECONDS = 5.0


class Run:
    """One process of the script above, in a folder of its own."""

    def __init__(self, folder: Path, kind: str, *, mode: str, grace: str, **streams: Any) -> None:
        self.folder = folder
        self.events = folder / "events.ndjson"
        self.process = subprocess.Popen(
            [sys.executable, "-c", WORK, kind, str(self.events), mode, grace],
            env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
            **{"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **streams},
        )

    def told(self) -> list[dict[str, Any]]:
        """The events in the file so far."""
        if not self.events.exists():
            return []
        return [json.loads(line) for line in self.events.read_text().splitlines()]

    def wait_until(self, condition: Callable[[], object]) -> None:
        """Wait for something that the process is about to do."""
        for _ in range(3000):
            if condition():
                return
            if self.process.poll() is not None and not condition():
                break
            time.sleep(0.01)
        pytest.fail(f"it never happened; the process left with {self.process.poll()}")

    def wait_until_working(self) -> None:
        """Wait until the work itself has begun."""
        self.wait_until((self.folder / "working").exists)

    @property
    def is_tidied(self) -> bool:
        """True when the work was left through its own `finally`."""
        return (self.folder / "tidied").exists()


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., Run]]:
    """Starts runs, and ends those that a failed test leaves behind."""
    runs: list[Run] = []

    def begin(kind: str, *, mode: str = "none", grace: str = FAR_AWAY, **streams: Any) -> Run:
        run = Run(tmp_path, kind, mode=mode, grace=grace, **streams)
        runs.append(run)
        return run

    yield begin
    for run in runs:
        run.process.kill()
        run.process.communicate()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_one_signal_stops_the_work(start: Callable[..., Run], number: signal.Signals) -> None:
    """The work is left in good order, the exit code is 130, and the last event says cancelled."""
    run = start("polite")
    run.wait_until_working()

    run.process.send_signal(number)
    _, errors = run.process.communicate(timeout=60)

    assert run.process.returncode == 130
    assert run.is_tidied
    assert run.told()[-1]["event"] == "failed"
    assert run.told()[-1]["code"] == "cancelled"
    assert number.name in errors.decode()
    assert b"Traceback" not in errors


def test_a_cancel_file_stops_the_work_and_goes_away(start: Callable[..., Run]) -> None:
    """A file named `cancel` beside the events file is a request to this run, not to the next."""
    run = start("polite")
    run.wait_until_working()

    (run.folder / "cancel").touch()
    run.process.communicate(timeout=60)

    assert run.process.returncode == 130
    assert run.is_tidied
    assert run.told()[-1]["code"] == "cancelled"
    assert not (run.folder / "cancel").exists()


def test_a_kernel_that_does_not_listen_is_ended(start: Callable[..., Run]) -> None:
    """When the work cannot notice, the watchdog says so in the events and ends the process."""
    run = start("kernel", grace="0.5")
    run.wait_until_working()

    run.process.send_signal(signal.SIGTERM)
    run.process.communicate(timeout=60)

    assert run.process.returncode == 130
    assert not run.is_tidied
    assert run.told()[-1]["event"] == "failed"
    assert run.told()[-1]["code"] == "cancelled"


def test_a_kernel_that_does_not_listen_is_ended_in_time(start: Callable[..., Run]) -> None:
    """With the grace that users have, one signal ends any work within the seconds promised."""
    run = start("kernel", grace="")
    run.wait_until_working()

    asked = time.monotonic()
    run.process.send_signal(signal.SIGTERM)
    run.process.communicate(timeout=60)

    assert time.monotonic() - asked < PROMISED_SECONDS
    assert run.process.returncode == 130
    assert run.told()[-1]["code"] == "cancelled"


@pytest.mark.parametrize(("kind", "saved"), [("saving", True), ("stuck", False)])
def test_what_is_done_is_saved_first(start: Callable[..., Run], kind: str, *, saved: bool) -> None:
    """Longer than any other work is waited for, and not for ever; 130 either way."""
    run = start(kind, grace="0.6")
    run.wait_until_working()

    asked = time.monotonic()
    run.process.send_signal(signal.SIGTERM)
    run.process.communicate(timeout=60)

    assert run.process.returncode == 130
    assert ((run.folder / "saved").exists(), run.is_tidied) == (saved, saved)
    assert saved or time.monotonic() - asked >= 5.0
    assert run.told()[-1]["code"] == "cancelled"


def test_a_second_signal_does_not_wait(start: Callable[..., Run]) -> None:
    """The watchdog would wait ten minutes here: the second signal ends the process without it."""
    run = start("kernel", grace=FAR_AWAY)
    run.wait_until_working()

    run.process.send_signal(signal.SIGINT)
    time.sleep(0.5)  # two signals of one kind at the same instant are one
    assert run.process.poll() is None
    run.process.send_signal(signal.SIGINT)
    run.process.communicate(timeout=60)

    assert run.process.returncode == 130
    assert run.told()[-1]["code"] == "cancelled"


def test_the_heart_beats_during_a_long_kernel(start: Callable[..., Run]) -> None:
    """A host that reads the events knows that the engine lives."""
    run = start("kernel")
    run.wait_until_working()

    run.wait_until(lambda: [e["event"] for e in run.told()].count("heartbeat") >= 2)


def test_a_reader_who_sleeps_does_not_hinder_a_stop(start: Callable[..., Run]) -> None:
    """With stdout's pipe full and nobody reading, the run still ends, and the file says so."""
    run = start("chatty", mode="json", grace="0.5")
    run.wait_until(lambda: [e["event"] for e in run.told()].count("heartbeat") >= 2)

    run.process.send_signal(signal.SIGTERM)
    assert run.process.wait(timeout=60) == 130

    assert run.told()[-1]["code"] == "cancelled"


def test_a_reader_who_leaves_does_not_lose_the_render(start: Callable[..., Run]) -> None:
    """Like `infusion-render ... | head -1`: the work goes on to its end."""
    run = start("brief", mode="json")
    assert run.process.stdout is not None
    assert run.process.stderr is not None
    run.process.stdout.readline()
    run.process.stdout.close()

    errors = run.process.stderr.read()

    assert run.process.wait(timeout=60) == 0
    assert errors == b""
    assert run.told()[-1]["event"] == "finished"
    assert run.told()[-1]["frames"] == 200
    assert [e["event"] for e in run.told()].count("warning") == 1


@pytest.mark.parametrize(
    ("kind", "code", "exit_code"), [("full", "storage", 5), ("bug", "internal", 1)]
)
def test_a_failure_is_the_last_event(
    start: Callable[..., Run], kind: str, code: str, exit_code: int
) -> None:
    """Host and shell learn the same: the last event, the exit code, one message."""
    run = start(kind, mode="json")
    output, errors = run.process.communicate(timeout=60)

    assert run.process.returncode == exit_code
    for last in (json.loads(output.splitlines()[-1]), run.told()[-1]):
        assert (last["event"], last["code"], last["exit_code"]) == ("failed", code, exit_code)
    assert (b"Traceback" in errors) == (kind == "bug")
    assert (b"please report" in errors) == (kind == "bug")


def _read_all(terminal: int) -> bytes:
    """Everything that was written to a terminal until its other end was closed."""
    output = b""
    while True:
        try:
            piece = os.read(terminal, 65536)
        except OSError:  # Linux says EIO once nobody holds the other end
            return output
        if not piece:
            return output
        output += piece


def test_a_terminal_gets_a_live_bar_and_its_cursor_back(start: Callable[..., Run]) -> None:
    """`auto` draws a bar on a terminal, and a stop in the middle leaves the cursor visible."""
    pty = pytest.importorskip("pty", reason="this system has no pseudo-terminals")
    ours, theirs = pty.openpty()
    run = start("polite", mode="auto", stdout=theirs)
    os.close(theirs)
    run.wait_until_working()
    run.wait_until(lambda: [e["event"] for e in run.told()].count("progress") >= 2)

    run.process.send_signal(signal.SIGINT)
    output = _read_all(ours).decode()
    os.close(ours)

    assert run.process.wait(timeout=60) == 130
    assert "fitting" in output
    assert "interval 2/5" in output
    assert "loss 0.25" in output
    hidden, shown = output.rfind("\x1b[?25l"), output.rfind("\x1b[?25h")
    assert 0 <= hidden < shown


def test_a_pipe_gets_plain_lines(start: Callable[..., Run]) -> None:
    """The same run without a terminal writes lines without any control code."""
    run = start("polite", mode="auto")
    run.wait_until_working()
    run.wait_until(lambda: [e["event"] for e in run.told()].count("progress") >= 2)
    run.process.send_signal(signal.SIGINT)

    output, _ = run.process.communicate(timeout=60)

    assert output.startswith(b"fitting")
    assert b"interval 2/5" in output
    assert b"\x1b" not in output
    assert b"\r" not in output
