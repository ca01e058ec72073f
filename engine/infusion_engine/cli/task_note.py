"""A task's note: what ended it is left in the cache for whoever waits for the job's frames."""

from __future__ import annotations

import platform
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from infusion_engine.cli.shell import recognised
from infusion_engine.errors import Cancelled, InfusionError
from infusion_engine.stage import RenderStage, StageRequest


@dataclass(frozen=True)
class Task:
    """One task of a job that a scheduler divides."""

    job_file: Path
    """What all its tasks read."""
    request: StageRequest
    """What of the job it does."""
    cache: Path
    """The cache that all machines share, as this one calls it."""

    @contextmanager
    def noted(self) -> Iterator[None]:
        """Leave a note of what ends the block, and take it away where the block ends well.

        A task that was told to stop has not failed. Notes are worth no error of their own: what
        ended the task is what is raised.
        """
        try:
            yield
        except BaseException as error:
            with suppress(OSError, InfusionError):
                self._leave(error)
            raise
        with suppress(OSError):  # no note, as a rule; or a cache that is only read
            from infusion_engine.cache.trouble import take_away  # noqa: PLC0415 - loads numpy

            take_away(self.cache, self._mark(), self.request.words)

    def _leave(self, error: BaseException) -> None:
        """Leave a note of an error.

        Raises:
            OSError: the cache takes none, or the job's file is gone.
            StorageError: the same, of a cache that was to be made.
        """
        from infusion_engine.cache.store import Store  # noqa: PLC0415 - loads numpy
        from infusion_engine.cache.trouble import Trouble, leave  # noqa: PLC0415

        known = recognised(error) or InfusionError(
            f"{type(error).__name__}: {error}", remedy="Please report this defect."
        )
        if isinstance(known, Cancelled):
            return
        mark = self._mark()
        if self.request.stage is RenderStage.PREPARE:  # it makes the cache, if it comes to that
            Store(self.cache, on_damage=lambda _: None).prepare()
        told = (self.request.words, platform.node(), known.exit_code)
        leave(self.cache, mark, Trouble(*told, _line(known.message), _line(known.remedy)))

    def _mark(self) -> str:
        from infusion_engine.cache.trouble import job_mark  # noqa: PLC0415 - loads numpy

        return job_mark(self.job_file.read_bytes())


def _line(text: str) -> str:
    return " ".join(text.split())
