"""Failures: which tasks of a job have failed since it was handed to a farm, as far as they say."""

from __future__ import annotations

from pathlib import Path

from infusion_engine.cache.trouble import Stamp, Trouble, job_mark, troubles
from infusion_engine.progress import Report


class Failures:
    """The notes that a job's failed tasks leave in its cache."""

    def __init__(self, cache: Path, job_file: str) -> None:
        """See what is there before the job is handed over: an earlier try's is not told.

        Args:
            cache: of the job.
            job_file: what its tasks read, whole.
        """
        self._cache = cache
        self._mark = job_mark(job_file.encode())
        self._seen: dict[Path, Stamp] = {path: stamp for path, (stamp, _) in self._found().items()}
        self._told = set[tuple[Path, str]]()

    def look(self, report: Report) -> None:
        """Warn of each task that has failed since the last look, and of many at once in one.

        The same task's same words are told once, however often it is tried again, until it is
        done and fails anew.

        Raises:
            Cancelled: a stop was asked for.
        """
        found = self._found()
        self._told = {(path, message) for path, message in self._told if path in found}
        alike: dict[tuple[int, str, str], list[Trouble]] = {}
        for path, (stamp, one) in found.items():
            if self._seen.get(path) != stamp and (path, one.message) not in self._told:
                self._told.add((path, one.message))
                alike.setdefault((one.exit_code, one.message, one.remedy), []).append(one)
        self._seen = {path: stamp for path, (stamp, _) in found.items()}
        for (code, message, remedy), those in alike.items():
            further = f" and {len(those) - 1} more" if len(those) > 1 else ""
            report.warn(
                f"The farm's task `{those[0].task}` failed on {those[0].machine} with code {code}"
                f"{further}, which the farm may try again. {message}",
                remedy,
            )

    def _found(self) -> dict[Path, tuple[Stamp, Trouble]]:
        return troubles(self._cache, self._mark)
