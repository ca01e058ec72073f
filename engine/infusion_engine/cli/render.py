"""infusion-render: fills the matte of one shot with moving texture learnt from the shot itself."""

from __future__ import annotations

import os
import platform
import sys
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import click

from infusion_engine import __version__
from infusion_engine.cli.openjd_lines import OpenJDLines
from infusion_engine.cli.options import KnobCommand, changes_from, knob_parameters
from infusion_engine.cli.reporting import Told, reporting
from infusion_engine.cli.task_note import Task
from infusion_engine.cli.terminal import EventsMode, stdout_sink
from infusion_engine.devices import listed
from infusion_engine.errors import UsageError
from infusion_engine.job_schema import check_job, read_job
from infusion_engine.overrides import overridden
from infusion_engine.progress import Report
from infusion_engine.settings import PRESETS
from infusion_engine.stage import RenderStage, StageRequest, requested
from infusion_node.wire.events import Failed, Resolved, Started
from infusion_node.wire.handshake import Handshake, to_line
from infusion_node.wire.job import SCHEMA_VERSION, RenderJob

_FOR_PEOPLE = (EventsMode.AUTO, EventsMode.PLAIN)
"""What stdout may show lines of ours beside."""

_HELPS = "infusion-render --help shows all options."
_HELP = """Fill the matte of a shot with moving texture learnt from the shot itself.

PLATE, --matte and --output each take a folder, a pattern (plate.%04d.exr, plate.####.exr,
plate.@@@@.exr, plate.$F4.exr) or one frame's path. Frame ranges include both ends. In a matte,
1 means replace. Outside the matte every pixel, channel and part comes out bit for bit as it was.

A run that was stopped, by whatever, goes on from the last finished interval when the same command
is given again."""

_EPILOG = """\b
Examples:
  infusion-render plate/ --matte matte/ --output out/
  infusion-render plate.%04d.exr --matte-channel A --frames 1001-1048 --output out/fill.%04d.exr
  infusion-render plate/ --matte matte/ --output out/ --preset standard --device cuda --seed 2
  infusion-render plate/ --matte matte/ --output out/ --set steps_per_interval=500 --dry-run
  infusion-render --job job.json --output /elsewhere/out --events json

\b
Exit codes: 0 done, 2 usage or a fit that diverged, 3 unusable input, 4 out of
memory or device lost, 5 cache or disk, 130 cancelled, 1 a defect to report.
Ctrl-C once stops and keeps everything finished; twice ends at once."""


class _RenderCommand(KnobCommand):
    """A command that tells a scheduler, too, of options that it cannot understand."""

    def told_early(self, arguments: Sequence[str], message: str) -> None:
        """What an OpenJD session shows of a task that failed."""
        words = [part for argument in arguments for part in argument.split("=", 1)]
        if ("--events", EventsMode.OPENJD.value) in pairwise(words) and sys.stdout is not None:
            OpenJDLines(sys.stdout).write(Failed("usage", message, _HELPS, 2), time=0.0)


@click.command(
    "infusion-render",
    cls=_RenderCommand,
    help=_HELP,
    epilog=_EPILOG,
    params=knob_parameters(),
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.option(
    "--job",
    "job_file",
    metavar="FILE",
    help="Read the job from this file; other options given beside it override it.",
)
@click.option(
    "--write-job",
    metavar="FILE",
    help="Write the job to this file and stop there; paths are kept as given. With --minutes the "
    "plate is read and the speed measured, and the file has numbers of steps instead.",
)
@click.option(
    "--dry-run",
    is_flag=True,
    help="Check everything, show every setting and what would be read and written, and stop there.",
)
@click.option(
    "--stage",
    type=click.Choice([stage.value for stage in RenderStage]),
    default=RenderStage.ALL.value,
    help="Do one stage of the render, as a farm's scheduler asks for it; stages hand on through "
    "--cache: prepare, base, fit, sample, write.  [default all]",
)
@click.option("--interval", type=int, metavar="K", help="With --stage fit: which interval, from 1.")
@click.option("--take", type=int, metavar="N", help="With --stage sample: which take, from 1.")
@click.option(
    "--write-frames",
    metavar="FIRST-LAST",
    help="With --stage write: frames to write of all that the job has.",
)
@click.option(
    "--log-file", metavar="FILE", help="Append what plain lines say to this file as well."
)
@click.option(
    "--events",
    type=click.Choice([mode.value for mode in EventsMode]),
    default=EventsMode.AUTO.value,
    help="What stdout shows. auto: a live bar on a terminal, plain lines elsewhere. "
    "json: one JSON object per line. openjd: lines that an OpenJD session reads.  [default auto]",
)
@click.option("--while-stdin", is_flag=True, hidden=True)  # for processes that this one starts
@click.option(
    "--version",
    is_flag=True,
    help="Show the version and stop there; with --events json as one line that also says which "
    "jobs it reads.",
)
def main(
    *,
    job_file: str | None,
    write_job: str | None,
    dry_run: bool,
    events: str,
    version: bool,
    stage: str,
    interval: int | None,
    take: int | None,
    write_frames: str | None,
    log_file: str | None,
    while_stdin: bool,
    **given: Any,
) -> None:
    """Assemble the job from its file and its flags, then do what was asked with it."""
    mode = EventsMode(events)
    if version:
        _tell_version(mode)
        return

    def ask() -> StageRequest:
        return requested(stage, interval=interval, take=take, write_frames=write_frames)

    if dry_run and write_job is not None:
        raise UsageError(
            "--dry-run writes nothing, so --write-job has no place beside it.",
            remedy="Give one of the two.",
        )
    if write_job is not None or dry_run:
        ask()  # nothing comes of it, but what is wrong in it
    if write_job is not None:
        told = Told(mode, log_file=log_file)
        _write_job(_assembled(job_file, given), Path(write_job).expanduser(), told)
    elif dry_run:
        _dry_run(_assembled(job_file, given), mode)
    else:
        told = Told(mode, RenderStage(stage), log_file, while_stdin)
        _render(job_file, given, told, ask)


def _tell_version(mode: EventsMode) -> None:
    """Say who this engine is: to a person, or to a node that asks before it hands over a job."""
    if mode is EventsMode.JSON:
        answer = Handshake(__version__, SCHEMA_VERSION, sys.executable, tuple(PRESETS))
        click.echo(to_line(answer))
    else:
        click.echo(f"infusion-render, version {__version__}")


def _assembled(job_file: str | None, given: dict[str, Any]) -> RenderJob:
    """The job from its file, overridden by what the command line gives; its limits are checked.

    Raises:
        UsageError: it lacks something, or something in it is wrong.
    """
    changes = changes_from(given)
    if job_file is not None:
        job = read_job(Path(job_file).expanduser())
        changes["settings"] = {**job.settings, **changes.get("settings", {})}
        job = job.overridden(**changes)
    else:
        if "plate" not in changes:
            raise UsageError(
                "No plate was given.", remedy="Give PLATE or --job FILE; --help shows examples."
            )
        if "output" not in changes:
            raise UsageError(
                "No output was given.", remedy="Give --output with a folder or a pattern."
            )
        job = RenderJob(**changes)
    check_job(job)
    overridden(PRESETS[job.preset], job.settings)
    return job


def _render(
    job_file: str | None, given: dict[str, Any], told: Told, ask: Callable[[], StageRequest]
) -> None:
    """Do what of the job `ask` tells, and tell of it; the last event is `finished` or `failed`."""
    job, request, task, trouble = None, StageRequest(), None, None
    try:
        request = ask()
        task = _task(job_file, request, given["cache"], told)  # known, whatever is in the file
        job = _assembled(job_file, given)
        task = _task(job_file, request, job.cache if job.use_cache else None, told)
    except UsageError as error:
        trouble = error  # told once there is a report: a host reads nothing else
    events_file = job.events_file if job is not None else given["events_file"]
    noted = nullcontext() if task is None else task.noted()
    with noted, reporting(events_file, told.mode, told) as report:
        report.emit(Started(__version__, os.getpid(), platform.node()))
        if job is None:
            raise trouble or UsageError("There is no job.")
        # Only now, because reading and checking frames needs libraries that take a moment to load,
        # and computing needs torch, which takes seconds.
        from infusion_engine.plan import claim_folders, prepare  # noqa: PLC0415

        plan = prepare(job, report, stage=request.stage)
        report.emit(Resolved(plan.described()))
        if request.stage.writes:
            claim_folders(plan if request.is_whole else replace(plan, cache_folder=None))
        report.progress("loading", 0, 0)
        if request.is_whole:
            from infusion_engine.at_once import fit_at_once  # noqa: PLC0415
            from infusion_engine.render import render  # noqa: PLC0415

            if len(listed(job.device)) > 1:
                fit_at_once(plan, report)
            render(plan, report)
        else:
            from infusion_engine.run_stage import run_stage  # noqa: PLC0415

            run_stage(plan, request, report)


def _task(
    job_file: str | None, request: StageRequest, cache: str | None, told: Told
) -> Task | None:
    """The task that this process is of a job that somebody may wait for, if it is one."""
    if job_file is None or request.is_whole or cache is None or told.while_stdin:
        return None
    return Task(Path(job_file).expanduser(), request, Path(cache).expanduser())


def _dry_run(job: RenderJob, mode: EventsMode) -> None:
    """Print everything resolved and write nothing, the events file included."""
    from infusion_engine.plan import prepare  # noqa: PLC0415 - after the job itself was checked

    if mode is EventsMode.JSON:
        with reporting(None, mode) as report:
            report.emit(Started(__version__, os.getpid(), platform.node()))
            report.emit(Resolved(prepare(job, report).described()))
        return
    plan = prepare(job, Report(stdout_sink(EventsMode.NONE)))
    for section, values in plan.described().items():
        click.echo(section)
        for name, value in values.items():
            click.echo(f"  {name:20} {_shown(value)}")


def _shown(value: object) -> str:
    """A resolved value as a person reads it."""
    if value is None or value == []:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list):
        return " ".join(map(str, value))
    return f"{value:g}" if isinstance(value, float) else str(value)


def _write_job(job: RenderJob, path: Path, told: Told) -> None:
    """Write the job as a file, whole or not at all; minutes become numbers of steps first."""
    if job.minutes is None:
        _write(job, path)
    else:
        _write_with_steps(job, path, told)
    if told.mode in _FOR_PEOPLE:
        click.echo(f"Wrote {path}")


def _write_with_steps(job: RenderJob, path: Path, told: Told) -> None:
    """Write the job with the numbers of steps that its minutes come to on this machine."""
    # The events file is the render's own: hosts and farms read it from its beginning.
    with reporting(None, told.mode, told) as report:
        report.emit(Started(__version__, os.getpid(), platform.node()))
        from infusion_engine.plan import check_file_writable, prepare  # noqa: PLC0415

        check_file_writable(path, what="job file")  # before seconds are spent on measuring
        plan = prepare(job, report)
        report.emit(Resolved(plan.described()))
        from infusion_engine.resolved_job import resolved_job  # noqa: PLC0415 - loads torch

        _write(resolved_job(plan, report), path)


def _write(job: RenderJob, path: Path) -> None:
    """Write a job as it is."""
    from infusion_engine.media.atomic import write_bytes  # noqa: PLC0415 - loads nothing else

    write_bytes(path, job.to_json().encode("ascii"))


if __name__ == "__main__":
    main(prog_name="infusion-render")
