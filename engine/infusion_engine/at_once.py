"""Fits at once: a process for each device of this machine takes the next interval that is left."""

from __future__ import annotations

import contextlib
import os
import queue
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

from infusion_engine.cache.entry import Kind
from infusion_engine.cache.store import Store
from infusion_engine.devices import kind_of, listed
from infusion_engine.errors import (
    Cancelled,
    DeviceError,
    FitError,
    FrameError,
    InfusionError,
    MatteError,
    SequenceError,
    StorageError,
    UsageError,
)
from infusion_engine.plan import Plan
from infusion_engine.prepared import require
from infusion_engine.progress import Report
from infusion_engine.run_stage import run_stage
from infusion_engine.settings import FitsStart
from infusion_engine.stage import RenderStage, StageRequest
from infusion_engine.work import Work
from infusion_node.wire.events import Failed, Interval, Progress, Waiting, Warned, from_line

_KINDS: tuple[type[InfusionError], ...] = (
    *(UsageError, FitError, SequenceError, FrameError, MatteError),
    *(DeviceError, StorageError, Cancelled),
)
Outcome = Literal["hit", "fitted"]
_POLL_SECONDS = 0.2
_GRACE_SECONDS = 15.0
"""Time that all of them have to end after they were asked to: each ends within four seconds, but
where it is saving a fit."""


def fit_at_once(plan: Plan, report: Report) -> None:
    """Make every fit of a job, on all devices that it names; its samples can then be drawn.

    Where fits go on from one another this cannot be done, and a warning says what would allow it.

    Raises:
        UsageError: the job keeps no cache, or names devices of several kinds.
        InfusionError: what a process failed with.
        Cancelled: a stop was asked for; the processes end too, and what is finished is kept.
    """
    names = listed(plan.job.device)
    if plan.settings.fits_start is FitsStart.PREVIOUS:
        report.warn(
            f"--device {plan.job.device}: these fits go on from one another "
            f"(fits_start=previous), so all are made on {names[0]}.",
            "Use --set fits_start=base or scratch to fit on all devices at once.",
        )
        return
    if len({kind_of(name) for name in names}) > 1:
        raise UsageError(
            f"--device {plan.job.device}: these are devices of several kinds, which round "
            "differently, and fits of one shot are made by one kind.",
            remedy="Name devices of one kind, such as cuda:0,cuda:1.",
        )
    plan = replace(plan, report=None)  # the whole render makes it, once the fits are there
    folder = _folder(plan)
    run_stage(plan, StageRequest(RenderStage.PREPARE), report)
    store = Store(folder, on_damage=report.warn)
    prepared = require(plan, store)
    if prepared.clip is None:
        return
    work = Work(prepared.decided(plan), prepared, store, report)
    base, chain = work.names(prepared.clip, plan.job.seed)
    if base is not None:
        run_stage(plan, StageRequest(RenderStage.BASE), report)
    left = [i for i, stage in enumerate(chain) if store.load(Kind.FIT, stage.fit.key) is None]
    if left:
        _fit_all(plan, names, left, report, count=len(chain))


def _folder(plan: Plan) -> Path:
    """The cache through which the devices' processes hand on what they make.

    Raises:
        UsageError: the job keeps none.
    """
    if plan.cache_folder is None:
        raise UsageError(
            f"--device {plan.job.device} fits on several devices at once, which hand on through "
            "the cache, and --no-cache keeps none.",
            remedy="Leave --no-cache out, or name one device.",
        )
    return plan.cache_folder


def _fit_all(
    plan: Plan, names: Sequence[str], left: Sequence[int], report: Report, *, count: int
) -> None:
    """Have each device fit the next interval that is left of `count`, until none is."""
    waiting, free, done = list(reversed(left)), list(names), 0
    total, told = 1000 * len(left), set[str]()
    threads = _threads(plan, names)
    with _job_file(plan) as job, _ended(report) as running:
        while waiting or running:
            while waiting and free:
                running.append(_Fit.started(job, waiting.pop(), free.pop(0), threads))
            for one in [one for one in running if one.process.poll() is not None]:
                running.remove(one)
                one.finish()
                one.pass_on(report, told)
                free.append(one.device)
                done += 1
                report.interval(one.index, count, one.outcome, one.loss)
            for one in running:
                one.pass_on(report, told)
            share = int(1000 * (done + sum(one.share for one in running)))
            report.progress("fitting", share if done == len(left) else min(share, total - 1), total)
            _wait_for_any(running)


def _threads(plan: Plan, names: Sequence[str]) -> Mapping[str, int]:
    """Threads of one process by its device: those of CPU processes share what the job has."""
    cpus = sum(name == "cpu" for name in names)
    return {name: max(1, plan.threads // (cpus if name == "cpu" else 1)) for name in names}


@dataclass(eq=False)
class _Fit:
    """One process that fits one interval."""

    process: subprocess.Popen[str]
    device: str
    index: int
    share: float = 0.0
    """How much of it is done."""
    outcome: Outcome = "fitted"
    """Whether it made its fit, or found that another had."""
    loss: float | None = None
    """The fit's, if it was told."""
    heard: queue.SimpleQueue[Warned | Waiting] = field(default_factory=queue.SimpleQueue)
    """What whoever follows the whole run should hear of."""
    failed: Failed | None = None
    """What it said last, if it failed."""
    said: list[str] = field(default_factory=list)
    """Its stderr."""
    threads: list[threading.Thread] = field(default_factory=list)

    @staticmethod
    def started(job: Path, index: int, device: str, threads: Mapping[str, int]) -> _Fit:
        """Start the process, and listen to it."""
        command = [
            *(sys.executable, "-m", "infusion_engine.cli.render", "--job", os.fspath(job)),
            *("--stage", "fit", "--interval", str(index + 1)),
            *("--device", device, "--threads", str(threads[device]), "--events", "json"),
            "--while-stdin",
        ]
        pipe = subprocess.PIPE
        # Its stdin ends with this process, whatever ends that; then it stops, too.
        process = subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe, text=True)
        one = _Fit(process, device, index)
        for listen in (one._hear, one._read_errors):
            thread = threading.Thread(target=listen, daemon=True)
            thread.start()
            one.threads.append(thread)
        return one

    def finish(self) -> None:
        """Hear it out.

        Raises:
            InfusionError: what it failed with.
        """
        for thread in self.threads:
            thread.join()
        code = self.process.returncode
        if code == 0:
            return
        if self.failed is not None:
            raise _error(self.failed, self.device)
        tail = "".join(self.said).strip().splitlines()
        raise DeviceError(
            f"The process that fitted interval {self.index + 1} on {self.device} ended with {code}"
            f"{': ' + tail[-1] if tail else ''}.",
            remedy="Run the same command again: it goes on from the fits that are there.",
        )

    def pass_on(self, report: Report, told: set[str]) -> None:
        """Have `report` say what it said since: each warning once, whichever process gives it."""
        while not self.heard.empty():
            event = self.heard.get()
            if isinstance(event, Waiting):
                report.waiting(f"{event.waiting_for} (on {self.device})")
            elif event.message not in told:
                told.add(event.message)
                report.warn(event.message, event.remedy)

    def _hear(self) -> None:
        for line in self.process.stdout or ():
            told = from_line(line)
            event = None if told is None else told.event
            if isinstance(event, Progress) and event.phase == "inpainting" and event.total:
                self.share = min(1.0, event.done / event.total)
            elif isinstance(event, Interval) and event.index == self.index:
                self.outcome = "hit" if event.outcome == "hit" else "fitted"
                self.loss = event.loss
            elif isinstance(event, (Warned, Waiting)):
                self.heard.put(event)
            elif isinstance(event, Failed):
                self.failed = event

    def _read_errors(self) -> None:
        for line in self.process.stderr or ():
            self.said.append(line)


def _error(failed: Failed, device: str) -> InfusionError:
    """What a process failed with, as an error of the same exit code."""
    kind = next((kind for kind in _KINDS if kind.code == failed.code), InfusionError)
    return kind(f"On {device}: {failed.message}", remedy=failed.remedy)


def _wait_for_any(running: Sequence[_Fit]) -> None:
    """Wait a moment for one of them to end."""
    if running:
        with contextlib.suppress(subprocess.TimeoutExpired):
            running[0].process.wait(_POLL_SECONDS)


@contextmanager
def _ended(report: Report) -> Iterator[list[_Fit]]:
    """A list of processes, none of which outlives the block: they are asked first."""
    running: list[_Fit] = []
    try:
        yield running
    finally:
        for one in running:
            one.process.terminate()
        deadline = time.monotonic() + _GRACE_SECONDS
        with report.stop.finishing():  # they may be saving
            for one in running:
                with contextlib.suppress(subprocess.TimeoutExpired):
                    one.process.wait(max(0.0, deadline - time.monotonic()))
        for one in running:
            one.process.kill()  # does nothing to one that has ended
            one.process.wait()


@contextmanager
def _job_file(plan: Plan) -> Iterator[Path]:
    """The job as a file for the processes, without what only the whole render makes."""
    scratch = os.fspath(plan.scratch)  # the whole render's, and not that of a farm's tasks
    job = replace(plan.job, events_file=None, report=None, contact_sheet=None, scratch=scratch)
    with tempfile.TemporaryDirectory(prefix="infusion-fits-") as folder:
        path = Path(folder) / "job.json"
        path.write_text(job.to_json(), encoding="ascii")
        yield path
