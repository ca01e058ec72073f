"""Submit: hand a bundle to a scheduler's own command."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from enum import Enum
from pathlib import Path

from infusion_engine.errors import UsageError
from infusion_engine.farm.bundle import TEMPLATE_FILE, FarmJob, handed_over, removed_unread
from infusion_engine.farm.cue import check_pyoutline
from infusion_engine.farm.template import ENGINE, Terms, parameter_values


class Scheduler(str, Enum):
    """Who takes a bundle."""

    DEADLINE_CLOUD = "deadline-cloud"
    """AWS Deadline Cloud, through `deadline bundle submit`."""
    OPENJD = "openjd"
    """This machine, one task after the other, through `openjd run`."""
    OPENCUE = "opencue"
    """OpenCue, through pyoutline."""


Meanwhile = Callable[[], object]
"""Called a few times a second while a scheduler's command is at work; may raise Cancelled."""

_WAIT_SECONDS = 0.2
"""Time between two such calls."""

_GRACE_SECONDS = 3.0
"""Time that such a command has to end when it is told to."""

_WHERE_FROM = {
    "deadline": "pip install deadline",
    "openjd": "pip install openjd-cli",
}


def submit_bundle(bundle: Path, further: Sequence[str], meanwhile: Meanwhile) -> str:
    """Hand a bundle to AWS Deadline Cloud; what its command said.

    Args:
        bundle: its folder.
        further: arguments for the command.
        meanwhile: called while it is at work.

    Raises:
        UsageError: the command cannot be started, or refuses; what it said last is told.
        Cancelled: somebody asked to stop.
    """
    process = _started("deadline", ["bundle", "submit", "--yes", str(bundle), *further], bundle)
    with handed_over(bundle):
        told, errors = _heard(process, meanwhile)
        if process.returncode != 0:
            said = (errors or told).strip().splitlines()
            last = said[-1].strip().rstrip(".") if said else "it said nothing"
            raise UsageError(
                f"Deadline Cloud did not take the job (code {process.returncode}): {last}.",
                remedy="`deadline auth status` tells whether this user is logged in, and "
                "`deadline config show` to which farm and queue the job goes.",
            )
    return told


def run_bundle(
    farm: FarmJob, bundle: Path, terms: Terms, further: Sequence[str], meanwhile: Meanwhile
) -> None:
    """Run a bundle on this machine, one task after the other; `openjd run` tells how it goes.

    Args:
        farm: what the bundle was made of.
        bundle: its folder.
        terms: how tasks are run; an engine that was named is the one that runs them.
        further: arguments for the command.
        meanwhile: called while it is at work.

    Raises:
        UsageError: the command cannot be started, or a task failed.
        Cancelled: somebody asked to stop.
    """
    values = {**parameter_values(farm.paths), "Engine": _engine(terms)}
    arguments = [
        *("run", str(bundle / TEMPLATE_FILE)),
        *("--step", farm.steps[-1].name, "--run-dependencies"),
        *(part for name, value in values.items() for part in ("-p", f"{name}={value}")),
        *further,
    ]
    process = _started("openjd", arguments, bundle, stream=None)
    with handed_over(bundle):
        _heard(process, meanwhile)
        if process.returncode != 0:
            raise UsageError(
                f"'openjd run' ended with code {process.returncode}: a task failed, which says why "
                "above.",
                remedy="What is finished is kept: another try goes on from there.",
            )


def _started(
    name: str, arguments: Sequence[str], bundle: Path, *, stream: int | None = subprocess.PIPE
) -> subprocess.Popen[str]:
    """A scheduler's command at work, with `stream` for what it says.

    Raises:
        UsageError: it cannot be found or started; the bundle, which nobody has read, is gone.
    """
    with removed_unread(bundle):
        command = [program(name), *arguments]
        try:
            return subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=stream, stderr=stream, text=True
            )
        except OSError as error:
            raise UsageError(
                f"'{command[0]}' cannot be started: {error.strerror or error}.",
                remedy=f"Install it anew ({_WHERE_FROM[name]}).",
            ) from error


def _heard(process: subprocess.Popen[str], meanwhile: Meanwhile) -> tuple[str, str]:
    """(stdout, stderr) of a command to its end, which does not outlive this one's being stopped."""
    with process:
        try:
            while True:
                try:
                    told, errors = process.communicate(timeout=_WAIT_SECONDS)
                except subprocess.TimeoutExpired:
                    meanwhile()
                else:
                    return told or "", errors or ""
        except BaseException:
            process.terminate()  # openjd ends its task, which is in a session of its own
            with suppress(subprocess.TimeoutExpired):  # one that does not hear is killed
                process.wait(_GRACE_SECONDS)
            process.kill()
            process.wait()  # leaving the block does not, after Ctrl-C
            raise


def program(name: str) -> str:
    """The path of a scheduler's command: on PATH, or in this command's own environment.

    Raises:
        UsageError: it is in neither.
    """
    found = shutil.which(name) or _beside(name)
    if found is None:
        raise UsageError(
            f"There is no command '{name}' on PATH or beside infusion-farm.",
            remedy=f"Install it ({_WHERE_FROM[name]}) or name another farm with --to.",
        )
    return found


def _engine(terms: Terms) -> str:
    """The engine that this machine's tasks start: what was named, else this very environment's."""
    if terms.engine != ENGINE:
        return terms.engine
    return _beside(ENGINE) or shutil.which(ENGINE) or ENGINE


def _beside(name: str) -> str | None:
    """The path of a command of this command's own environment, whatever its ending."""
    return shutil.which(name, path=str(Path(sys.executable).parent))


def check_program(scheduler: Scheduler) -> None:
    """See to it, before anything is written, that a scheduler's command is there.

    Raises:
        UsageError: it cannot be found, or pyoutline cannot be loaded.
    """
    if scheduler is Scheduler.OPENCUE:
        check_pyoutline()
    else:
        program("openjd" if scheduler is Scheduler.OPENJD else "deadline")
