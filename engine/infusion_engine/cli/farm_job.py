"""A farm's job from a command line: the options that it has, and all that is found out about it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from infusion_engine.cli.terminal import EventsMode, stdout_sink
from infusion_engine.devices import kind_of
from infusion_engine.errors import InfusionError, UsageError
from infusion_engine.farm.steps import Fits
from infusion_engine.farm.template import ENGINE
from infusion_engine.job_schema import check_job, read_job
from infusion_engine.progress import Report
from infusion_node.wire.knobs import knob

if TYPE_CHECKING:
    from infusion_engine.farm.bundle import FarmJob
    from infusion_engine.farm.template import Terms
    from infusion_node.wire.job import RenderJob

_FRAMES = 10
_HOURS = 24.0
CACHE_NAME = "infusion-cache"
"""Folder beside the output's that a job without a cache of its own is given."""

JOB = click.argument("job_file", metavar="JOB", type=click.Path(path_type=Path))
"""The file that everything is made from."""


def farm_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """The options of every command that makes a job ready for a farm."""
    for option in reversed(
        (
            click.option(
                "--fits",
                type=click.Choice([fits.value for fits in Fits]),
                default=None,
                help="What fits start from. base: one fit first, then all others at once, each "
                "from it. scratch: all at once from nothing; the most machines help, and a fit "
                "with few steps suffers most. chain: each from the one before, as on one machine; "
                "the best for its steps, and no machine but one helps with a take's fits.  "
                "[default: the job's own fits_start, and base where that is previous]",
            ),
            click.option(
                "--cache",
                metavar=knob("cache").metavar,
                help="Folder of fits and samples that every machine sees.  [default: the job's, "
                f"else {CACHE_NAME} beside the output's folder]",
            ),
            click.option("--device", metavar="NAME", help="Takes the place of the job's device."),
            click.option(
                "--chunk",
                type=click.IntRange(1),
                metavar="N",
                help=f"Frames that one task writes.  [default {_FRAMES}]",
            ),
            click.option(
                "--workers-hint",
                type=click.IntRange(1),
                metavar="N",
                help="Machines you expect: frames are written in so many tasks. Instead of "
                "--chunk.",
            ),
            click.option(
                "--timeout",
                type=click.FloatRange(0, min_open=True),
                default=_HOURS,
                show_default=True,
                metavar="HOURS",
                help="After so long a task is taken to hang and is ended (OpenJD).",
            ),
            click.option(
                "--engine",
                default=ENGINE,
                show_default=True,
                metavar="COMMAND",
                help="The command infusion-render as the farm's machines know it.",
            ),
        )
    ):
        command = option(command)
    return command


def show_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Where a job stands in OpenCue."""
    for name in ("shot", "show"):
        command = click.option(
            f"--{name}",
            metavar="NAME",
            help=f"OpenCue's {name} for the job.  [default: that of pyoutline's configuration]",
        )(command)
    return command


def made_ready(
    job_file: Path,
    *,
    fits: str | None,
    cache: str | None,
    device: str | None,
    chunk: int | None,
    workers_hint: int | None,
    timeout: float,
    engine: str,
    report: Report | None = None,
) -> tuple[FarmJob, Terms]:
    """The job, checked as infusion-render checks it, and divided.

    `report` hears of it; without one, stderr has the warnings.
    """
    if chunk is not None and workers_hint is not None:
        raise UsageError("--chunk and --workers-hint exclude each other.", remedy="Give one.")
    job = _read(job_file, cache=cache, device=device)
    from infusion_engine.farm.bundle import farm_job  # noqa: PLC0415 - reads pictures
    from infusion_engine.farm.division import divided  # noqa: PLC0415
    from infusion_engine.farm.template import Terms  # noqa: PLC0415
    from infusion_engine.plan import prepare  # noqa: PLC0415

    report = report or Report(stdout_sink(EventsMode.NONE))
    plan = prepare(job, report)
    if job.device != (kind := kind_of(job.device)):
        report.warn(
            f"The job's device is {job.device}: machines of a farm number their own, and tasks "
            f"are given {kind}."
        )
    chosen = Fits(fits) if fits is not None else Fits.of(plan.settings.fits_start)
    farm = farm_job(
        plan, divided(plan, lambda done, total: report.progress("looking", done, total)), chosen
    )
    if chunk is None:
        chunk = _FRAMES if workers_hint is None else -(-len(farm.division.frames) // workers_hint)
    return farm, Terms(chunk, max(1, round(timeout * 3600)), engine)


def _read(job_file: Path, *, cache: str | None, device: str | None) -> RenderJob:
    """The job in a file, with what the command line gives in the place of its own."""
    job = read_job(job_file.expanduser())
    check_job(job)
    if cache is not None:
        job = job.overridden(cache=cache, use_cache=True)
    elif job.cache is None and job.use_cache:
        output = Path(job.output).expanduser()
        job = job.overridden(cache=str(output.absolute().parent / CACHE_NAME))
    if device is not None:
        job = job.overridden(device=device)
    check_job(job)
    return job


@contextmanager
def one_line() -> Iterator[None]:
    """Errors of one line: schedulers and panels show the last one alone."""
    try:
        yield
    except InfusionError as error:
        raise type(error)(str(error)) from error
