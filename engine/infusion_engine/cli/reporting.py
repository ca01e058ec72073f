"""Reporting: where a command's events go while it works, and how it is stopped meanwhile."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from infusion_engine.cli.log_file import LogFile
from infusion_engine.cli.openjd_lines import OpenJDLines
from infusion_engine.cli.shell import recognised
from infusion_engine.cli.stop import CANCEL_FILE, follow_stdin, watched
from infusion_engine.cli.terminal import EventsMode, claimed_stdout, stdout_sink
from infusion_engine.errors import InfusionError, StorageError
from infusion_engine.progress import LinesFile, Report, Sink
from infusion_engine.stage import RenderStage


@dataclass(frozen=True)
class Told:
    """Where a run's events go beside the events file."""

    mode: EventsMode
    """What stdout shows."""
    stage: RenderStage = RenderStage.ALL
    """What of a render is done, for the share of it that is done."""
    log_file: str | None = None
    """File that gets the plain lines as well, if any."""
    while_stdin: bool = False
    """Whether the run stops when its stdin ends, which whoever started it holds open."""

    def shown(self) -> Sink:
        """What stdout gets."""
        if self.mode is EventsMode.OPENJD and sys.stdout is not None:
            return OpenJDLines(claimed_stdout(sys.stdout), self.stage.value)
        return stdout_sink(self.mode)

    def kept(self) -> list[Sink]:
        """The log file, if there is one.

        Raises:
            StorageError: it cannot be written.
        """
        return [] if self.log_file is None else [LogFile(Path(self.log_file).expanduser())]


@contextmanager
def reporting(
    events_file: str | None, mode: EventsMode, told: Told | None = None
) -> Iterator[Report]:
    """A report to stdout and the events file, watched for a stop, ended by what the block does."""
    told = told or Told(mode)
    shown = told.shown()
    path = None if events_file is None else Path(events_file).expanduser()
    sinks: list[Sink] = []
    try:
        sinks += [] if path is None else [_lines(path)]
        sinks += told.kept()
    except StorageError as error:
        early = Report(*sinks, shown)  # whoever reads events hears of it, too
        early.failed(error)
        early.close()
        raise
    cancel_file = None if path is None else path.parent / CANCEL_FILE
    report = Report(*sinks, shown)
    if told.while_stdin:
        follow_stdin(report)
    with watched(report, cancel_file=cancel_file):
        try:
            yield report
        except BaseException as error:
            report.failed(recognised(error) or _defect(error))
            raise
        else:
            report.finished()
        finally:
            report.close()


def _lines(path: Path) -> LinesFile:
    """The events file.

    Raises:
        StorageError: it cannot be written.
    """
    try:
        return LinesFile(path)
    except OSError as error:
        raise StorageError(
            f"The events file '{path}' cannot be written: {error.strerror or error}.",
            remedy="Choose another path for --events-file.",
        ) from None


def _defect(error: BaseException) -> InfusionError:
    """An error that nobody foresaw, for the `failed` event."""
    return InfusionError(f"{type(error).__name__}: {error}", remedy="Please report this defect.")
