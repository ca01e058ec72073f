"""`infusion-farm`: one job over many machines, by schedulers that studios already run."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from infusion_engine.cli.shell import ShellGroup
from infusion_engine.cli.terminal import EventsMode, stdout_sink
from infusion_engine.errors import InfusionError, UsageError
from infusion_engine.farm.steps import Fits
from infusion_engine.farm.submit import (
    Scheduler,
    check_program,
    run_bundle,
    submit_bundle,
)
from infusion_engine.farm.template import ENGINE
from infusion_engine.job_schema import check_job, read_job
from infusion_node.wire.knobs import knob

if TYPE_CHECKING:
    from infusion_engine.farm.bundle import FarmJob
    from infusion_engine.farm.template import Terms
    from infusion_node.wire.job import RenderJob

_EPILOG = """\b
Examples:
  infusion-render plate/ --matte matte/ --output out/ --cache /farm/cache --write-job job.json
  infusion-farm estimate job.json --device cpu
  infusion-farm bundle job.json --output bundle/
  infusion-farm submit --job job.json --to deadline-cloud

\b
Exit codes are those of infusion-render: 0 done, 2 usage, 3 unusable input, 4 device, 5 cache or
disk. docs/farm.md goes from a job file to each scheduler."""

_FRAMES = 10
_HOURS = 24.0
CACHE_NAME = "infusion-cache"
"""Folder beside the output's that a job without a cache of its own is given."""

_JOB = click.argument("job_file", metavar="JOB", type=click.Path(path_type=Path))


def _options(command: Callable[..., Any]) -> Callable[..., Any]:
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


def _show_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Where a job stands in OpenCue."""
    for name in ("shot", "show"):
        command = click.option(
            f"--{name}",
            metavar="NAME",
            help=f"OpenCue's {name} for the job.  [default: that of pyoutline's configuration]",
        )(command)
    return command


@click.group(
    "infusion-farm",
    cls=ShellGroup,
    epilog=_EPILOG,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
def main() -> None:
    """Divide one job among many machines, by schedulers that studios already run.

    Fits need the plate alone, so that they are made at once; sampling goes through them in their
    order; frames are written in chunks. Every task is an infusion-render --stage, finds in the
    cache what others left there, and may be given again or twice.
    """


@main.command()
@_JOB
@click.option(
    "--output",
    "folder",
    required=True,
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="Folder to make; it must not exist, or be empty.",
)
@_options
def bundle(*, job_file: Path, folder: Path, **given: Any) -> None:
    """Write an OpenJD job bundle (jobtemplate-2023-09), for AWS Deadline Cloud and others.

    The steps are Prepare, Base (only where fits start from it), Fit (a task for each interval of
    every size), Sample (one for each take) and Write (chunks of frames).
    """
    from infusion_engine.farm.bundle import check_new, write_bundle  # noqa: PLC0415

    with _one_line():
        check_new(folder)
        farm, terms = _made_ready(job_file, **given)
        write_bundle(farm, folder, terms)
        _tell(farm, terms)
        click.echo(f"Wrote {folder}")


@main.command(context_settings={"ignore_unknown_options": False})
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
    type=click.Choice([one.value for one in Scheduler]),
    envvar="INFUSION_FARM",
    show_envvar=True,
    help="The studio's scheduler. openjd runs the job here and now, one task after the other.",
)
@click.option(
    "--bundle",
    "folder",
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="Folder to make for what is submitted.  [default: JOB's name with -farm, beside it]",
)
@_options
@_show_options
@click.argument("further", nargs=-1, metavar="[-- ARGUMENTS]")
def submit(
    *,
    job_file: Path,
    where: str | None,
    folder: Path | None,
    show: str | None,
    shot: str | None,
    further: tuple[str, ...],
    **given: Any,
) -> None:
    """Make a job ready and hand it to the studio's scheduler.

    ARGUMENTS after -- go to the scheduler's own command.
    """
    from infusion_engine.farm.bundle import check_new, write_bundle  # noqa: PLC0415
    from infusion_engine.farm.cue import Show, launch, write_spec  # noqa: PLC0415

    with _one_line():
        if where is None:
            raise UsageError(
                "No farm was named.",
                remedy="Give --to, or set INFUSION_FARM, to one of "
                f"{', '.join(one.value for one in Scheduler)}.",
            )
        scheduler = Scheduler(where)
        check_program(scheduler)
        folder = folder or job_file.with_name(f"{job_file.stem}-farm")
        check_new(folder)
        farm, terms = _made_ready(job_file, **given)
        if scheduler is Scheduler.OPENCUE:
            if further:
                raise UsageError("OpenCue has no command that would take ARGUMENTS.")
            write_spec(farm, folder, terms, Show(show, shot))
            with _removed_if_refused(folder):
                click.echo(f"Submitted {launch(farm, folder, terms, Show(show, shot))}")
            return
        write_bundle(farm, folder, terms)
        with _removed_if_refused(folder):
            if scheduler is Scheduler.OPENJD:
                run_bundle(farm, folder, further)
            else:
                click.echo(submit_bundle(folder, further), nl=False)


@main.command()
@_JOB
@click.option(
    "--output",
    "folder",
    required=True,
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="Folder to make, where every machine sees it; it must not exist, or be empty.",
)
@_options
@_show_options
def opencue(
    *, job_file: Path, folder: Path, show: str | None, shot: str | None, **given: Any
) -> None:
    """Write an OpenCue job spec: layers and what they wait for, as `bundle` has steps.

    It needs pyoutline (pip install 'infusion-inpaint[opencue]'). Every machine has to see all paths
    as they are here. `submit --to opencue` writes the same and sends it to Cuebot.
    """
    from infusion_engine.farm.bundle import check_new  # noqa: PLC0415
    from infusion_engine.farm.cue import Show, write_spec  # noqa: PLC0415

    with _one_line():
        check_new(folder)
        check_program(Scheduler.OPENCUE)
        farm, terms = _made_ready(job_file, **given)
        write_spec(farm, folder, terms, Show(show, shot))
        _tell(farm, terms)
        click.echo(f"Wrote {folder}")


def _made_ready(
    job_file: Path,
    *,
    fits: str | None,
    cache: str | None,
    device: str | None,
    chunk: int | None,
    workers_hint: int | None,
    timeout: float,
    engine: str,
) -> tuple[FarmJob, Terms]:
    """The job, checked as infusion-render checks it, and divided."""
    if chunk is not None and workers_hint is not None:
        raise UsageError("--chunk and --workers-hint exclude each other.", remedy="Give one.")
    job = _read(job_file, cache=cache, device=device)
    from infusion_engine.farm.bundle import farm_job  # noqa: PLC0415 - reads pictures
    from infusion_engine.farm.division import divided  # noqa: PLC0415
    from infusion_engine.farm.template import Terms  # noqa: PLC0415
    from infusion_engine.plan import prepare  # noqa: PLC0415
    from infusion_engine.progress import Report  # noqa: PLC0415

    plan = prepare(job, Report(stdout_sink(EventsMode.NONE)))
    chosen = Fits(fits) if fits is not None else Fits.of(plan.settings.fits_start)
    farm = farm_job(plan, divided(plan, lambda _done, _total: None), chosen)
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


def _tell(farm: FarmJob, terms: Terms) -> None:
    """Say what was decided for the user."""
    job = farm.plan.job
    count = {step.name: step.tasks(terms.frames) for step in farm.steps}
    tasks = ", ".join(f"{name} {number}" for name, number in count.items())
    click.echo(f"Tasks:  {tasks}")
    click.echo(f"Fits:   {farm.fits.value}")
    click.echo(f"Cache:  {farm.job.cache}")
    if job.device == "auto":
        click.echo("Device: auto; no GPU is asked for, and one is used where there is one")
    for name in ("contact_sheet", "report"):
        if getattr(job, name) is not None:
            click.echo(f"Left out: {name} {getattr(job, name)}; no task sees all of the work")


@contextmanager
def _removed_if_refused(folder: Path) -> Iterator[None]:
    """What nobody took does not stand in the way of the next attempt."""
    try:
        yield
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise


@contextmanager
def _one_line() -> Iterator[None]:
    """Errors of one line: schedulers and panels show the last one alone."""
    try:
        yield
    except InfusionError as error:
        raise type(error)(str(error)) from error


if __name__ == "__main__":
    main(prog_name="infusion-farm")
