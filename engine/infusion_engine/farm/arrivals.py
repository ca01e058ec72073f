"""Arrivals: which frames of a job a farm has written since the job was handed to it."""

from __future__ import annotations

import time
from pathlib import Path

from infusion_engine.errors import Cancelled, LeftToFarm, StorageError
from infusion_engine.farm.failures import Failures
from infusion_engine.plan import Plan
from infusion_engine.progress import Report
from infusion_engine.take import by_files
from infusion_node.wire.events import Progress

_LOOK_SECONDS = 2.0
"""Time between two looks: each asks the file server about every frame that is still to come."""
_NOTICE_SECONDS = 0.2
"""Time within which a stop is noticed."""

_Stamp = tuple[int, int] | None
"""What tells a file from the one that had its name before; None where there is none."""


class Arrivals:
    """The files that a job's tasks write.

    A file counts from when it differs from the one that stood there when this was made: frames get
    their final names whole, and no clock is compared with another machine's.
    """

    def __init__(self, plan: Plan, failures: Failures) -> None:
        """See what is there before the job is handed over.

        Args:
            plan: of the job.
            failures: of its tasks, told of beside their frames.

        Raises:
            StorageError: the output's folder cannot be looked into.
        """
        self._failures = failures
        self._missing: dict[Path, tuple[int, _Stamp]] = {}
        for takes in by_files(plan.takes):
            for frame in plan.shot.frames:
                path = takes[0].output.path(frame)
                try:
                    self._missing[path] = (frame, _stamp(path))
                except OSError as error:
                    raise StorageError(
                        f"'{path}' cannot be looked at: {error.strerror or error}.",
                        remedy="See whether its disk is well.",
                    ) from error
        self._count = len(self._missing)
        self._told: int | None = None

    def look(self, report: Report) -> bool:
        """Tell of each frame that has come, and each failure; True once all frames are there.

        Raises:
            Cancelled: a stop was asked for.
        """
        report.phase = "farm"
        self._failures.look(report)
        for path, (frame, before) in list(self._missing.items()):
            report.check()
            try:
                is_there = _stamp(path) not in (before, None)
            except OSError:
                continue  # a file server's trouble passes
            if is_there:
                del self._missing[path]
                report.frame(frame, path)
        there = self._count - len(self._missing)
        if there != self._told:  # a farm takes hours, and a log should not say so at every look
            # Told for certain, unlike most progress; and how long a farm takes nobody knows.
            report.emit(Progress("farm", there, self._count))
            self._told = there
        return not self._missing

    def await_all(self, report: Report) -> None:
        """Return once every frame is there.

        Raises:
            LeftToFarm: a stop was asked for; the farm knows nothing of that.
        """
        try:
            while not self.look(report):
                until = time.monotonic() + _LOOK_SECONDS
                while time.monotonic() < until:
                    report.check()
                    time.sleep(_NOTICE_SECONDS)
        except Cancelled:
            there = self._count - len(self._missing)
            raise LeftToFarm(
                f"Not waiting any longer: {there} of the farm's {self._count} frames are there.",
                remedy="The farm goes on with the job; end it there if nobody wants it.",
            ) from None


def _stamp(path: Path) -> _Stamp:
    """When a file was changed, in nanoseconds, and its size in bytes.

    Raises:
        OSError: it may be there, and cannot be looked at.
    """
    try:
        found = path.stat()
    except FileNotFoundError:
        return None
    return found.st_mtime_ns, found.st_size
