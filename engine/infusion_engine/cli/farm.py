"""`infusion-farm`: one job over many machines, by schedulers that studios already run."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from infusion_engine.cli.farm_estimate import estimate
from infusion_engine.cli.farm_job import JOB, farm_options, made_ready, one_line, show_options
from infusion_engine.cli.farm_submit import submit
from infusion_engine.cli.shell import ShellGroup
from infusion_engine.farm.submit import Scheduler, check_program

if TYPE_CHECKING:
    from infusion_engine.farm.bundle import FarmJob
    from infusion_engine.farm.template import Terms

_EPILOG = """\b
Examples:
  infusion-render plate/ --matte matte/ --output out/ --cache /farm/cache --write-job job.json
  infusion-farm estimate job.json --device cpu
  infusion-farm bundle job.json --output bundle/
  infusion-farm submit --job job.json --to deadline-cloud

\b
Exit codes are those of infusion-render: 0 done, 2 usage, 3 unusable input, 4 device, 5 cache or
disk. docs/farm.md goes from a job file to each scheduler."""


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


main.add_command(estimate)
main.add_command(submit)


@main.command()
@JOB
@click.option(
    "--output",
    "folder",
    required=True,
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="Folder to make; it must not exist, or be empty.",
)
@farm_options
def bundle(*, job_file: Path, folder: Path, **given: Any) -> None:
    """Write an OpenJD job bundle (jobtemplate-2023-09), for AWS Deadline Cloud and others.

    The steps are Prepare, Base (only where fits start from it), Fit (a task for each interval of
    every size), Sample (one for each take) and Write (chunks of frames).
    """
    from infusion_engine.farm.bundle import check_new, write_bundle  # noqa: PLC0415

    with one_line():
        check_new(folder)
        farm, terms = made_ready(job_file, **given)
        write_bundle(farm, folder, terms)
        _tell(farm, terms)
        click.echo(f"Wrote {folder}")


@main.command()
@JOB
@click.option(
    "--output",
    "folder",
    required=True,
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="Folder to make, where every machine sees it; it must not exist, or be empty.",
)
@farm_options
@show_options
def opencue(
    *, job_file: Path, folder: Path, show: str | None, shot: str | None, **given: Any
) -> None:
    """Write an OpenCue job spec: layers and what they wait for, as `bundle` has steps.

    It needs pyoutline (pip install 'infusion-inpaint[opencue]'). Every machine has to see all paths
    as they are here. `submit --to opencue` writes the same and sends it to Cuebot.
    """
    from infusion_engine.farm.bundle import check_new  # noqa: PLC0415
    from infusion_engine.farm.cue import Show, write_spec  # noqa: PLC0415

    with one_line():
        check_new(folder)
        farm, terms = made_ready(job_file, **given)
        check_program(Scheduler.OPENCUE)
        write_spec(farm, folder, terms, Show(show, shot))
        _tell(farm, terms)
        click.echo(f"Wrote {folder}")


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


if __name__ == "__main__":
    main(prog_name="infusion-farm")
