"""Submit: hand a bundle to a scheduler's own command."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Sequence
from enum import Enum
from pathlib import Path

from infusion_engine.errors import UsageError
from infusion_engine.farm.bundle import TEMPLATE_FILE, FarmJob
from infusion_engine.farm.template import parameter_values


class Scheduler(str, Enum):
    """Who takes a bundle."""

    DEADLINE_CLOUD = "deadline-cloud"
    """AWS Deadline Cloud, through `deadline bundle submit`."""
    OPENJD = "openjd"
    """This machine, one task after the other, through `openjd run`."""
    OPENCUE = "opencue"
    """OpenCue, through pyoutline."""


_WHERE_FROM = {
    "deadline": "pip install deadline",
    "openjd": "pip install openjd-cli",
}


def submit_bundle(
    scheduler: Scheduler, farm: FarmJob, bundle: Path, further: Sequence[str] = ()
) -> int:
    """Hand a bundle over; the exit code of the scheduler's command, which has said the rest.

    Args:
        scheduler: DEADLINE_CLOUD or OPENJD.
        farm: what the bundle was made of.
        bundle: its folder.
        further: arguments for the scheduler's own command.

    Raises:
        UsageError: the command is not on PATH.
    """
    if scheduler is Scheduler.OPENJD:
        command = _openjd(farm, bundle)
    else:
        command = ["deadline", "bundle", "submit", "--yes", str(bundle)]
    return subprocess.run(
        [program(command[0]), *command[1:], *further], stdin=subprocess.DEVNULL, check=False
    ).returncode


def program(name: str) -> str:
    """The path of a scheduler's command.

    Raises:
        UsageError: it is not on PATH.
    """
    found = shutil.which(name)
    if found is None:
        raise UsageError(
            f"There is no command '{name}' on PATH.",
            remedy=f"Install it ({_WHERE_FROM[name]}) or name another farm with --to.",
        )
    return found


def check_program(scheduler: Scheduler) -> None:
    """See to it, before anything is written, that a scheduler's command is there.

    Raises:
        UsageError: it is not on PATH.
    """
    if scheduler is not Scheduler.OPENCUE:
        program("openjd" if scheduler is Scheduler.OPENJD else "deadline")


def _openjd(farm: FarmJob, bundle: Path) -> list[str]:
    """`openjd run` of the last step and of all before it."""
    values = parameter_values(farm.paths)
    return [
        *("openjd", "run", str(bundle / TEMPLATE_FILE)),
        *("--step", farm.steps[-1].name, "--run-dependencies"),
        *(part for name, value in values.items() for part in ("-p", f"{name}={value}")),
    ]
