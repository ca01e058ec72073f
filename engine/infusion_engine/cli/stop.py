"""How a run is stopped: signals, a `cancel` file, and a watchdog for kernels that do not notice."""

from __future__ import annotations

import contextlib
import os
import select
import signal
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import NoReturn

from infusion_engine.errors import Cancelled
from infusion_engine.progress import Report, cancelled

CANCEL_FILE = "cancel"
"""Name of the file that, put beside the events file, asks the run to stop."""

HEARTBEAT_SECONDS = 3.0
"""Time between two heartbeats."""

GRACE_SECONDS = 4.0
"""Time that the work has to notice a stop before the process is ended under it."""

SAVING_SECONDS = 20.0
"""The same where it is saving what is done: schedulers kill after thirty, on a slow disk too."""

_POLL_SECONDS = 0.2
_STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM)


@contextmanager
def watched(report: Report, *, cancel_file: Path | None) -> Iterator[None]:
    """Let SIGINT, SIGTERM and `cancel_file` stop the run while the block is worked on.

    The first request is passed on to `report.stop`, which the work notices at its next report; a
    thread sends heartbeats, looks for the file, and ends the process when the work has not noticed
    within `GRACE_SECONDS`, or `SAVING_SECONDS` where it is saving what is done. A second signal
    ends the process at once. Ending it is safe at any moment: nothing is written under its final
    name before it is whole.
    """

    def handle(number: int, _frame: FrameType | None) -> None:
        # Python calls this only once the main thread leaves its kernel; the thread knows before.
        report.stop.ask(signal.Signals(number).name)

    ear, mouth = socket.socketpair()
    ear.setblocking(False)
    mouth.setblocking(False)
    watch = _Watch(report, cancel_file, ear)
    handlers = {number: signal.signal(number, handle) for number in _STOP_SIGNALS}
    wakeup = signal.set_wakeup_fd(mouth.fileno(), warn_on_full_buffer=False)
    watch.start()
    try:
        yield
    finally:
        signal.set_wakeup_fd(wakeup)
        for number, handler in handlers.items():
            signal.signal(number, handler)
        mouth.close()  # the thread hears that and ends
        watch.join()
        ear.close()


def follow_stdin(report: Report) -> None:
    """Stop the run when its stdin ends: whoever started it and held that open is gone."""

    def listen() -> None:
        while True:
            try:
                heard = os.read(0, 4096)  # not sys.stdin, which would be locked as the run ends
            except OSError:
                heard = b""
            if not heard:
                report.stop.ask("the end of the process that started it")
                return

    threading.Thread(target=listen, name="stdin", daemon=True).start()


def end_now(report: Report, *, patience: float) -> NoReturn:
    """End the process with exit code 130 after a last event, whatever else goes on in it.

    `patience` is how many seconds to wait for a sink that is busy.
    """
    try:
        report.failed(cancelled(report.stop.reason), patience=patience)
        report.close(patience=patience)
    finally:
        os._exit(Cancelled.exit_code)


class _Watch(threading.Thread):
    """Hears signals, sends heartbeats, looks for the cancel file, ends who does not notice."""

    def __init__(self, report: Report, cancel_file: Path | None, ear: socket.socket) -> None:
        super().__init__(name="watch", daemon=True)
        self._report = report
        self._cancel_file = cancel_file
        self._ear = ear
        self._signals_heard = 0

    def run(self) -> None:
        """Look around a few times a second until the other end of the ear is closed."""
        next_beat = time.monotonic() + HEARTBEAT_SECONDS
        asked_at: float | None = None
        while self._listen():
            now = time.monotonic()
            self._look_for_file()
            if now >= next_beat:
                next_beat = now + HEARTBEAT_SECONDS
                self._report.heartbeat()
            if self._report.stop.is_asked:
                asked_at = asked_at or now
                saves = self._report.stop.is_finishing
                if now - asked_at >= (SAVING_SECONDS if saves else GRACE_SECONDS):
                    end_now(self._report, patience=0.2)

    def _listen(self) -> bool:
        """Wait a moment for signals and count them; False when the run is over."""
        ready, _, _ = select.select([self._ear], [], [], _POLL_SECONDS)
        if not ready:
            return True
        heard = self._ear.recv(64)
        for number in heard:
            if number in _STOP_SIGNALS:
                self._report.stop.ask(signal.Signals(number).name)
                self._signals_heard += 1
        if self._signals_heard > 1:
            end_now(self._report, patience=0.2)
        return bool(heard)

    def _look_for_file(self) -> None:
        """Pass a cancel file on as a request, and take it away so that the next run may go on."""
        if self._cancel_file is None:
            return
        # A file server may answer with an error for a while, and this thread has to outlive that.
        # Once the file was seen the request counts, whether it goes away or not.
        with contextlib.suppress(OSError):
            if self._cancel_file.exists():
                self._report.stop.ask(f"the file '{self._cancel_file}'")
                self._cancel_file.unlink()
