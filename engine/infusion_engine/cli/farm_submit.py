"""`infusion-farm submit`: a job handed to the studio's scheduler, and its frames waited for."""

from __future__ import annotations

import os
import platform
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from infusion_engine import __version__
from infusion_engine.cli.farm_job import farm_options, made_ready, one_line, show_options
from infusion_engine.cli.reporting import reporting
from infusion_engine.cli.terminal import EventsMode, stdout_sink
from infusion_engine.errors import UsageError
from infusion_engine.farm.submit import (
    Meanwhile,
    Scheduler,
    check_program,
    run_bundle,
    submit_bundle,
)
from infusion_engine.progress import Report
from infusion_node.wire.events import Resolved, Started

if TYPE_CHECKING:
    from infusion_engine.farm.bundle import FarmJob
    from infusion_engine.farm.cue import Show
    from infusion_engine.farm.template import Terms

_SCHEDULERS = [one.value for one in Scheduler]
_MODES = [mode.value for mode in EventsMode if mode is not EventsMode.OPENJD]


@click.command(context_settings={"ignore_unknown_options": False})
@click.option(
    "--job",
    "job_file",
    required=True,
    type=click.Path(path_type=Path),
    metavar="JOB",
    help="The job's file.",
)
@click.option(
    "--to",
    "where",
    metavar=f"[{'|'.join(_SCHEDULERS)}]",
    envvar="INFUSION_FARM",
    show_envvar=True,
    help="The studio's scheduler. openjd runs the job here and now, one task after the other.",
)
@click.option(
    "--bundle",
    "folder",
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="Folder to make for what is submitted.  [default: JOB's name with -farm, beside it; "
    "with -farm-2, ... where that is taken]",
)
@click.option(
    "--wait",
    "waits",
    is_flag=True,
    help="Stay until every frame of the job has been written, and tell of each. Ctrl-C ends the "
    "waiting and not the job, unless it runs here (openjd).",
)
@click.option(
    "--events",
    type=click.Choice(_MODES),
    default=EventsMode.AUTO.value,
    help="With --wait: what stdout shows, as infusion-render has it.  [default auto]",
)
@click.option(
    "--events-file", metavar="FILE", help="With --wait: append events to this file as well."
)
@farm_options
@show_options
@click.argument("further", nargs=-1, metavar="[-- ARGUMENTS]")
def submit(
    *,
    job_file: Path,
    where: str | None,
    folder: Path | None,
    waits: bool,
    events: str,
    events_file: str | None,
    show: str | None,
    shot: str | None,
    further: tuple[str, ...],
    **given: Any,
) -> None:
    """Make a job ready and hand it to the studio's scheduler.

    ARGUMENTS after -- go to the scheduler's own command.
    """
    with one_line(), _told(waits, EventsMode(events), events_file) as report:
        scheduler = _scheduler(where, further)
        from infusion_engine.farm.arrivals import Arrivals  # noqa: PLC0415 - reads pictures
        from infusion_engine.farm.bundle import check_new, new_folder  # noqa: PLC0415
        from infusion_engine.farm.cue import Show  # noqa: PLC0415
        from infusion_engine.farm.failures import Failures  # noqa: PLC0415

        folder = folder or new_folder(job_file)
        check_new(folder)
        farm, terms = made_ready(job_file, report=report, **given)
        order = _Order(scheduler, farm, folder, terms, Show(show, shot), further)
        if not waits:
            order.hand_over(report.check)
            return
        report.emit(Resolved(farm.plan_of_tasks.described()))
        report.progress("sending", 0, 0)
        failures = Failures(farm.cache, farm.job.to_json())
        arrivals = Arrivals(farm.plan, failures)
        here = scheduler is Scheduler.OPENJD  # it is at work while its command is
        try:
            order.hand_over((lambda: arrivals.look(report)) if here else report.check)
        except UsageError:
            failures.look(report)  # openjd ends with the task that failed, which says why
            raise
        arrivals.await_all(report)


@dataclass(frozen=True)
class _Order:
    """A job ready for a scheduler."""

    scheduler: Scheduler
    farm: FarmJob
    folder: Path
    """To be made: what the scheduler reads."""
    terms: Terms
    named: Show
    """Where it stands in OpenCue."""
    further: tuple[str, ...]
    """Arguments for the scheduler's own command."""

    def hand_over(self, meanwhile: Meanwhile) -> None:
        """Write what the scheduler reads, and give it to it."""
        from infusion_engine.farm.bundle import write_bundle  # noqa: PLC0415 - reads pictures
        from infusion_engine.farm.cue import launch, write_spec  # noqa: PLC0415

        if self.scheduler is Scheduler.OPENCUE:
            write_spec(self.farm, self.folder, self.terms, self.named)
            _say(f"Wrote {self.folder}\n")
            name = launch(self.farm, self.folder, self.terms, self.named)
            _say(f"Submitted {name}\n")
            return
        write_bundle(self.farm, self.folder, self.terms)
        _say(f"Wrote {self.folder}\n")
        if self.scheduler is Scheduler.OPENJD:
            run_bundle(self.farm, self.folder, self.terms, self.further, meanwhile)
        else:
            _say(submit_bundle(self.folder, self.further, meanwhile))


def _say(text: str) -> None:
    """On stdout; a reader that went away, or a log's full disk, is no end of a submission."""
    with suppress(OSError):
        click.echo(text, nl=False)


def _scheduler(where: str | None, further: tuple[str, ...]) -> Scheduler:
    """Who takes the job; what it needs is there."""
    if where not in _SCHEDULERS:
        raise UsageError(
            "No farm was named." if where is None else f"There is no farm '{where}'.",
            remedy=f"Give --to, or set INFUSION_FARM, to one of {', '.join(_SCHEDULERS)}.",
        )
    scheduler = Scheduler(where)
    check_program(scheduler)
    if further and scheduler is Scheduler.OPENCUE:
        raise UsageError(
            "OpenCue has no command that would take ARGUMENTS.",
            remedy="Leave out what follows --, or give it to another farm.",
        )
    return scheduler


@contextmanager
def _told(waits: bool, mode: EventsMode, events_file: str | None) -> Iterator[Report]:
    """Who hears of it: whoever waits, or nobody but of warnings."""
    if waits:
        with reporting(events_file, mode) as report:
            report.emit(Started(__version__, os.getpid(), platform.node()))
            yield report
        return
    if events_file is not None or mode is not EventsMode.AUTO:
        raise UsageError(
            "--events and --events-file are of a submission that has --wait.",
            remedy="Give --wait as well, or leave them out.",
        )
    yield Report(stdout_sink(EventsMode.NONE))
