"""`infusion-farm estimate`: what a job comes to on a farm, as tables or as JSON."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from rich.console import Console
from rich.table import Table

from infusion_engine.cli.farm_job import JOB, farm_options, made_ready, one_line
from infusion_engine.cli.terminal import PlainLines, claimed_stdout
from infusion_engine.errors import UsageError
from infusion_engine.farm.rates import Rates, network_name, read_rates
from infusion_engine.settings import Precision
from infusion_node.wire.events import Waiting, Warned

if TYPE_CHECKING:
    from infusion_engine.farm.bundle import FarmJob
    from infusion_engine.farm.estimate import Estimate
    from infusion_engine.farm.work import Work

_WORKERS = "1,2,5,10,20"


def _numbers(_context: click.Context, _option: click.Parameter, text: str) -> tuple[int, ...]:
    """Whole numbers from 1, with commas between them."""
    try:
        found = tuple(int(part) for part in text.split(","))
    except ValueError:
        found = (0,)
    if min(found) < 1:
        raise click.BadParameter(f"{text!r}: expected numbers from 1, such as {_WORKERS}.")
    return found


@click.command()
@JOB
@click.option(
    "--speed",
    "speed_file",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="How fast a machine is, from --save-speed on that machine. Without it the job's device "
    "is measured here, on the job's own shot, which takes about a minute.",
)
@click.option(
    "--save-speed",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Keep what was measured here, for other shots and for whoever has no such device.",
)
@click.option(
    "--workers",
    default=_WORKERS,
    show_default=True,
    callback=_numbers,
    metavar="N,N",
    help="Numbers of machines to tell the time for.",
)
@click.option(
    "--shots",
    type=click.IntRange(1, 100_000),
    default=1,
    show_default=True,
    metavar="N",
    help="Shots like this one, all submitted at once.",
)
@click.option("--json", "as_json", is_flag=True, help="One JSON object instead of tables.")
@farm_options
def estimate(
    *,
    job_file: Path,
    speed_file: Path | None,
    save_speed: Path | None,
    workers: tuple[int, ...],
    shots: int,
    as_json: bool,
    **given: Any,
) -> None:
    """Tell tasks, minutes, memory and cache of a job, and how long so many machines take.

    From the speed of a device, measured or read, and the voxels that the job has it see. Machines
    are taken to be alike, idle, and to read the same cache as fast.
    """
    with one_line():
        if speed_file is not None and save_speed is not None:
            raise UsageError(
                "--save-speed keeps what is measured, and --speed has nothing measured.",
                remedy="Give one of the two.",
            )
        stdout = claimed_stdout(sys.stdout)  # libraries print, too
        rates = None if speed_file is None else read_rates(speed_file)
        farm, terms = made_ready(job_file, **given)
        if not farm.division.fits:
            raise UsageError(
                "The matte is empty on every frame: there is nothing to fit or to sample.",
                remedy="Such a job takes as long as copying its frames.",
            )
        from infusion_engine.farm.estimate import estimated  # noqa: PLC0415 - loads torch
        from infusion_engine.farm.parameters import parameters  # noqa: PLC0415
        from infusion_engine.farm.work import work_of  # noqa: PLC0415

        work = work_of(farm.plan.settings, farm.division)
        notes = [] if rates is None else _differences(farm, rates)
        if rates is None:
            rates = _measured(farm, work)
        found = estimated(
            farm,
            work,
            rates,
            parameters=parameters(farm.plan.settings),
            frames_per_task=terms.frames,
            workers=workers,
            shots=shots,
        )
        if save_speed is not None:
            from infusion_engine.media.atomic import write_bytes  # noqa: PLC0415

            write_bytes(save_speed, rates.to_json().encode())
        if farm.plan.job.minutes is not None:
            notes.append("The job gives minutes: Prepare will choose other numbers of steps.")
    for note in notes:
        click.echo(f"Note: {note}", err=True)
    if as_json:
        stdout.write(json.dumps(_described(farm, rates, found, shots), indent=2) + "\n")
        stdout.flush()
    else:
        _show(Console(file=stdout, highlight=False), farm, rates, found, shots)


def _measured(farm: FarmJob, work: Work) -> Rates:
    from infusion_engine.farm.calibrate import calibrated  # noqa: PLC0415 - loads torch
    from infusion_engine.progress import Report  # noqa: PLC0415

    told = PlainLines(sys.stderr, only=(Warned, Waiting))
    return calibrated(farm.plan, farm.division, work, Report(told))


def _differences(farm: FarmJob, rates: Rates) -> list[str]:
    """What a file of rates was measured with that this job has otherwise."""
    settings = farm.plan.settings
    own = network_name(settings.network.value, settings.channels)
    found = []
    if own != rates.network:
        found.append(f"The speed was measured with the network {rates.network}; the job has {own}.")
    asked = settings.precision  # left to the device it is what a device like that one has
    if asked is not Precision.AUTO and asked.value != rates.precision:
        found.append(
            f"The speed was measured in {rates.precision}; the job computes in {asked.value}."
        )
    return found


def _described(farm: FarmJob, rates: Rates, found: Estimate, shots: int) -> dict[str, object]:
    """The estimate for programs; docs/farm.md says what each field is."""
    return {
        "device": rates.device,
        "fits": farm.fits.value,
        "frames": len(farm.division.frames),
        "takes": farm.division.takes,
        "intervals": list(farm.division.intervals),
        "steps": [
            {
                "name": step.timed.name,
                "tasks": len(step.timed.seconds),
                "seconds": sum(step.timed.seconds),
                "longest_seconds": max(step.timed.seconds),
                "gpus": step.needs.gpus,
                "gpu_memory_mib": step.needs.gpu_memory,
                "memory_mib": step.needs.memory,
                "scratch_mib": step.needs.scratch,
            }
            for step in found.steps
        ],
        "device_seconds": found.device_seconds,
        "alone_seconds": found.alone_seconds,
        "fit_bytes": found.fit_bytes,
        "cache_bytes": found.cache_bytes,
        "shots": shots,
        "workers": [
            {"workers": one.workers, "seconds": one.seconds, "times_quicker": one.times}
            for one in found.curve
        ],
        "rates": vars(rates),
    }


def _show(console: Console, farm: FarmJob, rates: Rates, found: Estimate, shots: int) -> None:
    """Print both tables."""
    console.print(f"{rates.device}, {rates.network}, {rates.precision}; fits: {farm.fits.value}")
    rows = [
        (
            step.timed.name,
            str(len(step.timed.seconds)),
            _minutes(max(step.timed.seconds)),
            _minutes(sum(step.timed.seconds)),
            str(step.needs.gpus or "-"),
            _gib(step.needs.memory),
            _gib(step.needs.gpu_memory),
            _gib(step.needs.scratch),
        )
        for step in found.steps
    ]
    heads = ("Step", "Tasks", "Longest, min", "All, min", "GPU", "Memory, GiB", "GPU's", "Scratch")
    console.print(_table(heads, rows))
    console.print(
        f"Fits and samples: {_minutes(found.device_seconds)} minutes of the device a shot"
    )
    mb = found.fit_bytes / 1e6
    console.print(f"Cache: {found.cache_bytes / 1e6:.1f} MB a shot, of which a fit is {mb:.1f} MB")
    told = "one shot" if shots == 1 else f"{shots} shots"
    alone = _minutes(shots * found.alone_seconds)
    console.print(f"One machine, one command, {told}: {alone} minutes")
    curve = [(str(s.workers), _minutes(s.seconds), f"{s.times:.1f}") for s in found.curve]
    console.print(_table(("Machines", f"Minutes for {told}", "Times quicker"), curve))


def _table(heads: Iterable[str], rows: Iterable[tuple[str, ...]]) -> Table:
    table = Table()
    for number, head in enumerate(heads):
        table.add_column(head, justify="left" if number == 0 else "right")
    for row in rows:
        table.add_row(*row)
    return table


def _minutes(seconds: float) -> str:
    return f"{seconds / 60:.1f}"


def _gib(mib: int) -> str:
    return f"{mib / 1024:.1f}" if mib else "-"
