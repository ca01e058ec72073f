"""InfusionNode: one node of a host, from pressing Inpaint to the new layer, without blocking it."""

from __future__ import annotations

import os
import shutil
import threading
import time
from contextlib import suppress
from dataclasses import replace
from typing import Any, Callable, Iterator, Mapping, Optional, Tuple

from infusion_node.engine import Engine, ask, find_engine
from infusion_node.errors import BusyError, NodeError, StoppedError
from infusion_node.farm import check_farm, frames_there
from infusion_node.follow import LOST_SECONDS, EventsReader
from infusion_node.host import Host
from infusion_node.job_folder import JobFolder, RunFolder, Where, write_text
from infusion_node.launch import Running, start
from infusion_node.request import Request, request_of, written
from infusion_node.results import refuse_second, remove_old_results, with_replaced
from infusion_node.status import State, Status, after, ended_silently, spoken
from infusion_node.wire.events import Event, Failed, Progress

GRACE_SECONDS = 10.0
"""How long a cancelled engine may take to end before it is killed; it needs five at most."""

POLL_SECONDS = 0.5
"""How often a follower looks for news."""

_CANCELLED: Mapping[Where, Tuple[str, str]] = {
    Where.HERE: ("Cancelled; everything finished is kept.", "Press Inpaint to go on from there."),
    Where.FARM: ("Not waiting for the farm any longer.", "It may have the job: end it there."),
}
"""What is said of a run that was stopped, and what to do."""

OnChange = Callable[[Status], None]
"""Called with each new status, on the follower's thread: a binding hands it on to its own."""


class InfusionNode:
    """One node: idle -> serialising -> running -> done | failed | cancelled.

    The host drives `inpaint` on its own thread, a frame at a time; then `follow` (a thread) or
    `poll` (a timer) keeps `status` up to date. Nothing the engine does can end the host, and all it
    waits for is the engine's name, once.
    """

    def __init__(self, host: Host, *, environment: Mapping[str, str] = os.environ) -> None:
        self._host = host
        self._environment = environment
        self._lock = threading.RLock()
        self._status = Status()
        self._run: Optional[RunFolder] = None
        self._running: Optional[Running] = None
        self._reader: Optional[EventsReader] = None
        self._cancelled_at: Optional[float] = None
        self._is_handed_over = False  # to a farm

    @property
    def status(self) -> Status:
        """The node at this moment; from any thread."""
        with self._lock:
            return self._status

    @property
    def run(self) -> Optional[RunFolder]:
        """The folder of the run that `status` tells of; None before the first."""
        return self._run

    @property
    def where(self) -> Where:
        """Who does the run that `status` tells of."""
        return Where.HERE if self._running is None else self._running.record.where

    def inpaint(self, shown: Mapping[str, Any], where: Where = Where.HERE) -> Iterator[Status]:
        """Serialise, then start the engine; yields the status before each frame that is written.

        `shown` is what the panel's widgets hold, by the knobs' names. With Where.FARM the job is
        handed to the studio's farm, and the node is done when all of the farm's frames are there.
        What goes wrong ends in a failed status, never in an exception. Leaving the iterator early,
        or `cancel`, stops before the next frame; frames that were written are used by the next run,
        unless they were for a farm, whose runs have frames of their own.

        Raises:
            BusyError: the node is at work already.
        """
        with self._lock:
            if self._status.state.is_working:
                raise BusyError(
                    "This node is at work already.", remedy="Cancel it, or wait until it is done."
                )
            self._status = Status(State.SERIALISING, "Looking at the inputs.")
            self._run = self._running = self._reader = self._cancelled_at = None
            self._is_handed_over = False
        return self._inpaint(dict(shown), where)

    def cancel(self) -> None:
        """Stop what is going on; `status` becomes cancelled within seconds, everything is kept."""
        with self._lock:
            if not self._status.state.is_working or self._cancelled_at is not None:
                return
            self._cancelled_at = time.monotonic()
            self._set(line=self._stopping, eta_seconds=None)
            self._ask_to_stop()

    def poll(self) -> Status:
        """Read what the engine said since, notice its end, and return the status."""
        with self._lock:
            if self._status.state is not State.RUNNING or self._reader is None:
                return self._status
            was_gone = self._running is not None and self._running.is_gone
            for event in self._reader.new_events():
                # One of another release may hold what is none of ours; the next one tells more.
                with suppress(TypeError, ValueError, AttributeError):
                    self._status = after(self._status, self._heard(event))
            if self._cancelled_at is not None and self._status.state is State.RUNNING:
                self._status = replace(self._status, line=self._stopping)
            if self._status.state is State.RUNNING:
                self._look_for_an_end(was_gone)
            if self._status.state is State.FAILED and self._run is not None:
                self._status = replace(self._status, details=self._run.last_log_lines())
            is_cut_short = self._status.state in (State.FAILED, State.CANCELLED)
            if is_cut_short and self._run is not None and self.where is Where.HERE:
                self._status = with_replaced(self._status, self._run)
            return self._status

    def follow(self, on_change: OnChange) -> threading.Thread:
        """Poll on a thread until the run has ended; returns the thread, which is started."""
        thread = threading.Thread(
            target=self._follow, args=(on_change,), name="infusion-follow", daemon=True
        )
        thread.start()
        return thread

    def attach(self) -> Status:
        """Find the node's last run again, after the host was closed or the script re-opened.

        A run that still goes on is followed as before; one that has ended shows how.
        """
        with self._lock:
            if self._status.state.is_working:
                return self._status
            try:
                run = JobFolder(self._host.workspace()).latest_run()
            except NodeError:
                run = None  # no place yet, so no run either
            record = None if run is None else run.read_record()
            if run is None or record is None:
                return self._status
            self._take_up(run, Running(record, None))
            return self.poll()

    def _inpaint(self, shown: Mapping[str, Any], where: Where) -> Iterator[Status]:
        """What `inpaint` goes through."""
        try:
            yield from self._serialise_and_start(shown, where)
        except StoppedError as error:
            self._end(State.CANCELLED, error.message, error.remedy)
        except NodeError as error:
            self._end(State.FAILED, error.message, error.remedy)
        except Exception as error:  # noqa: BLE001 - a host may raise anything of its own
            self._end(
                State.FAILED, f"The host said: {type(error).__name__}: {error}.",
                "Look at the node's inputs; then press Inpaint again.",
            )  # fmt: skip
        except BaseException:  # nobody goes on with the iterator, or somebody pressed Ctrl-C
            if self.status.state is State.SERIALISING:  # an engine that runs goes on
                self._end(State.CANCELLED, "Cancelled before the engine was started.", "")
            raise
        yield self.status

    def _serialise_and_start(self, shown: Mapping[str, Any], where: Where) -> Iterator[Status]:
        """The frames, the job and the engine."""
        request = request_of(self._host, shown)
        named = str(shown.get("engine") or "") or None
        engine = ask(*find_engine(named, self._environment), self._environment)
        folder = JobFolder(self._host.workspace())
        farm_run: Optional[RunFolder] = None
        if where is Where.HERE:
            refuse_second(folder)
        else:
            check_farm(engine.path, request.fields, self._environment)
            farm_run = folder.new_run()
        try:
            yield from self._write(request, _place(folder, farm_run))
            with self._lock:
                if self._cancelled_at is not None:
                    self._end(State.CANCELLED, "Cancelled before the engine was started.", "")
                    return
                self._start(request, engine, folder, farm_run)
        finally:
            if farm_run is not None and self._run is None:
                shutil.rmtree(farm_run.path, ignore_errors=True)  # nothing was started on it
        yield self.status

    def _start(
        self, request: Request, engine: Engine, folder: JobFolder, farm_run: Optional[RunFolder]
    ) -> None:
        """Start the engine on the job; where there is a run for the farm, what sends it there."""
        run = farm_run or folder.new_run()
        remove_old_results(folder)
        where = Where.HERE if farm_run is None else Where.FARM
        job = request.job(_place(folder, farm_run), run)
        if where is Where.FARM and job.cache is None:
            job = replace(job, cache=os.fspath(folder.cache))  # of all runs, unlike the result
        write_text(run.job, job.to_json())
        self._take_up(run, start(engine, run, self._environment, where))

    def _write(self, request: Request, place: JobFolder) -> Iterator[Status]:
        """The frames of the inputs that are no files yet."""
        for clip, done, total in written(self._host, request, place):
            line = f"Writing the {clip.value}, {done} of {total}."
            self._set(line=line, fraction=done / total if total else 1.0)
            yield self.status
            if self._cancelled_at is not None:
                return

    def _take_up(self, run: RunFolder, running: Running) -> None:
        """Follow a run from its beginning."""
        here = running.record.where is Where.HERE
        line = "Starting the engine." if here else "Making the job ready for the farm."
        self._status = Status(State.RUNNING, line, engine_pid=running.record.pid)
        self._run, self._running, self._cancelled_at = run, running, None
        self._reader, self._is_handed_over = EventsReader(run.events), False

    def _follow(self, on_change: OnChange) -> None:
        """What the follower's thread does."""
        last: Optional[Status] = None
        while True:
            status = self.poll()
            if status != last:
                on_change(status)
                last = status
            if status.state is not State.RUNNING:
                return
            time.sleep(POLL_SECONDS)

    def _look_for_an_end(self, was_gone: bool) -> None:
        """Notice an engine that ended without a last word, is silent, or will not be stopped.

        `was_gone` was found before its events were read, so nothing it said is missed.
        """
        reader, running = self._reader, self._running
        if reader is None or running is None:
            return
        if self._cancelled_at is not None:
            if not was_gone and time.monotonic() - self._cancelled_at > GRACE_SECONDS:
                running.kill()
            # One that cannot be reached from here still has its cancel file, and may take a while.
            if running.is_gone or reader.silent_seconds > LOST_SECONDS:
                self._end(State.CANCELLED, *_CANCELLED[self.where])
        elif self.where is Where.FARM:
            if was_gone or reader.silent_seconds > LOST_SECONDS:
                self._look_after_the_farm(running, was_gone)
        elif was_gone:
            self._end(*ended_silently(running.exit_code))
        elif reader.silent_seconds > LOST_SECONDS and not running.was_here:
            # A shared disk may hold its words back: silence does not prove that it is lost, and
            # whoever looks in from elsewhere must not end it.
            self._say_silent(reader, running)
        elif reader.silent_seconds > LOST_SECONDS:
            self._ask_to_stop()
            running.kill()  # it may still have the device, for which the next run would wait
            self._end(
                State.FAILED, f"The engine was silent for {spoken(reader.silent_seconds)}.",
                "See whether its machine and its disk are well; press Inpaint to go on from what "
                "was finished.",
            )  # fmt: skip

    def _look_after_the_farm(self, running: Running, was_gone: bool) -> None:
        """What waited for the farm is gone or silent, which is no end of what the farm does."""
        found = None
        if self._is_handed_over and self._run is not None:
            found = frames_there(self._run, self._status)
        if found is not None and found[0] == found[1]:
            self._end(State.DONE, f"Done: the farm has written {found[1]} frames.", "")
            self._set(fraction=1.0)
        elif found is not None:
            self._set(line=f"Waiting for the farm's frames, {found[0]} of {found[1]}.")
        elif was_gone:
            state, line, _ = ended_silently(running.exit_code)
            look = "The farm may have the job: look there, and into the log."
            self._end(
                state, line, look if self._is_handed_over else "Send it again; the log says more."
            )
        elif self._reader is not None:
            self._say_silent(self._reader, running)

    def _say_silent(self, reader: EventsReader, running: Running) -> None:
        """Say how long nothing was heard of what may be well."""
        self._set(
            line=f"Not heard of for {spoken(reader.silent_seconds)}; it may still work on "
            f"{running.record.machine}.",
            eta_seconds=None,
        )

    def _heard(self, event: Event) -> Event:
        """Note what an event tells of a farm's run, and give it the words that such a run needs."""
        if isinstance(event, Progress) and event.phase == "farm":
            self._is_handed_over = True
        if self.where is Where.FARM and isinstance(event, Failed) and event.code == "cancelled":
            line, remedy = _CANCELLED[Where.FARM]
            return replace(event, code="left", message=line, remedy=remedy)
        return event

    @property
    def _stopping(self) -> str:
        """What is said once Cancel was pressed."""
        if self.where is Where.FARM:
            return "Ending the waiting; the farm goes on."
        return "Stopping; everything finished is kept."

    def _ask_to_stop(self) -> None:
        """Tell the engine that is at work, if there is one, in both ways there are."""
        if self._run is not None and self._running is not None:
            with suppress(OSError):  # the signal may arrive, and after the grace it is killed
                self._run.cancel.touch()
            self._running.ask_to_stop()

    def _end(self, state: State, line: str, remedy: str) -> None:
        """End with these words."""
        self._set(state=state, line=line, remedy=remedy, eta_seconds=None)

    def _set(self, **changes: Any) -> None:
        """Change some of the status."""
        with self._lock:
            self._status = replace(self._status, **changes)


def _place(folder: JobFolder, farm_run: Optional[RunFolder]) -> JobFolder:
    """Where the frames of a run's inputs are written.

    A farm's tasks read them long after, so that no later run may touch what is theirs.
    """
    return folder if farm_run is None else JobFolder(farm_run.path)
