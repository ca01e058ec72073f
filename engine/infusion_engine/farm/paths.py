"""Paths of a job that a scheduler may have to map: where they are, and which flag hands them over.

A scheduler maps what it knows to be a path, and never looks into a job file. So every path becomes
a folder, which it maps, and the files in it by name, which it leaves alone.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from pathlib import Path

from infusion_engine.errors import UsageError
from infusion_engine.plan import Plan


class Flow(str, Enum):
    """Which way files go, where a scheduler copies them; the words are OpenJD's."""

    IN = "IN"
    """Read by tasks."""
    OUT = "OUT"
    """Written by tasks, and read by those after them."""
    NONE = "NONE"
    """A place on each machine, whose files nobody else wants."""


@dataclass(frozen=True)
class FarmPath:
    """One path of a job."""

    name: str
    """What parameters are called after."""
    flag: str | None
    """Flag of infusion-render that it follows; None for the plate, which is an argument."""
    folder: Path
    """Absolute folder."""
    files: str | None
    """Pattern or name of the files in it; None where the folder itself was given."""
    flow: Flow
    """Which way files go."""
    help: str
    """One sentence for the person who submits."""

    @property
    def whole(self) -> str:
        """The path as one text."""
        return str(self.folder if self.files is None else self.folder / self.files)


def farm_paths(plan: Plan) -> tuple[FarmPath, ...]:
    """Every path of a job that its tasks are handed.

    Raises:
        UsageError: the job keeps nothing, and one task could hand nothing to the next.
    """
    job = plan.job
    if plan.cache_folder is None:
        raise UsageError(
            "The job has use_cache false: its tasks hand each other fits and samples through the "
            "cache.",
            remedy="Let it be true, and give --cache with a folder that every machine sees.",
        )
    plate = _path("Plate", None, job.plate, Flow.IN, "The frames to repair.")
    output = FarmPath(
        *("Output", "--output", plan.output.folder.absolute()),
        files=None if _absolute(job.output) == plan.output.folder.absolute() else _name(job.output),
        flow=Flow.OUT,
        help="Where frames are written.",
    )
    cache = FarmPath(
        *("Cache", "--cache", plan.cache_folder.absolute(), None, Flow.OUT),
        help="Fits and samples; every machine has to see it.",
    )
    matte: tuple[FarmPath, ...] = ()
    if job.matte is not None:
        matte = (_path("Matte", "--matte", job.matte, Flow.IN, "What to replace."),)
    scratch: tuple[FarmPath, ...] = ()
    if job.scratch is not None:
        where = "Clips that are too large for the memory; a local folder of each machine."
        scratch = (
            FarmPath("Scratch", "--scratch", plan.scratch.absolute(), None, Flow.NONE, where),
        )
    return (plate, *matte, output, cache, *scratch)


def _path(name: str, flag: str | None, text: str, flow: Flow, help_: str) -> FarmPath:
    """What is read: a folder as it is, anything else as a folder and what is in it."""
    path = _absolute(text)
    if path.is_dir():
        return FarmPath(name, flag, path, None, flow, help_)
    return FarmPath(name, flag, path.parent, path.name, flow, help_)


def _absolute(text: str) -> Path:
    return Path(text).expanduser().absolute()


def _name(text: str) -> str:
    return _absolute(text).name
