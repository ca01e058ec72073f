"""Steps: what a job's tasks are, which wait for which, and the command line of each."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum

from infusion_engine.farm.division import Division
from infusion_engine.settings import FitsStart
from infusion_engine.stage import RenderStage


class Fits(str, Enum):
    """What the fits of a farm's job start from."""

    BASE = "base"
    """One fit first, and from it all others at once."""
    SCRATCH = "scratch"
    """Nothing: all at once."""
    CHAIN = "chain"
    """Each goes on from the one before, as on one machine: one at a time."""

    @property
    def start(self) -> FitsStart:
        """The same as the setting `fits_start` has it."""
        return FitsStart.PREVIOUS if self is Fits.CHAIN else FitsStart(self.value)

    @staticmethod
    def of(start: FitsStart) -> Fits:
        """What suits a farm, for a job that says `start`: a chain is no work for many machines."""
        return Fits.SCRATCH if start is FitsStart.SCRATCH else Fits.BASE


class Counted(str, Enum):
    """What tells one task of a step from the next."""

    NOTHING = "nothing"
    """The step is one task."""
    INTERVALS = "intervals"
    """Intervals of the whole chain, counted from 1."""
    TAKES = "takes"
    """Takes, counted from 1."""
    FRAMES = "frames"
    """Frame numbers, several to a task."""


_FLAGS = {
    Counted.INTERVALS: "--interval",
    Counted.TAKES: "--take",
    Counted.FRAMES: "--write-frames",
}


@dataclass(frozen=True)
class Step:
    """Tasks that may be done in any order and all at once, once those before them are done."""

    name: str
    """What a scheduler shows."""
    stage: RenderStage
    """What of a render its tasks do."""
    after: tuple[str, ...]
    """Names of all steps that it needs something from."""
    counted: Counted
    """What its tasks are counted by."""
    first: int
    """Number of the first task; of the first frame where frames are counted."""
    last: int
    """Number of the last task, inclusive."""

    def tasks(self, frames: int) -> int:
        """How many tasks it has, with at most so many frames to one."""
        count = self.last - self.first + 1
        return -(-count // frames) if self.counted is Counted.FRAMES else count

    def arguments(self, number: str) -> list[str]:
        """What says on a command line of infusion-render which task it is.

        Args:
            number: of the task, or FIRST-LAST of its frames; a scheduler's own word for it.
        """
        flag = _FLAGS.get(self.counted)
        return ["--stage", self.stage.value, *([] if flag is None else [flag, number])]


def steps(division: Division, fits: Fits) -> tuple[Step, ...]:
    """Every step of a job, each after those that it needs."""
    prepare = _one("Prepare", RenderStage.PREPARE)
    frames = division.frames
    if not division.fits:  # nothing to fill: the frames are passed through
        return (prepare, _writing([prepare], frames.first, frames.last))
    before = [prepare]
    if fits is Fits.BASE:
        before.append(_one("Base", RenderStage.BASE, after=before))
    if fits is Fits.CHAIN:
        for number in range(1, division.fits + 1):
            one_before = [prepare, *before[1:][-1:]]
            before.append(_fitting(f"Fit{number:03d}", one_before, number, number))
    else:
        before.append(_fitting("Fit", before, 1, division.fits))
    sample = Step(*("Sample", RenderStage.SAMPLE, _names(before), Counted.TAKES, 1, division.takes))
    return (*before, sample, _writing([prepare, sample], frames.first, frames.last))


def _one(name: str, stage: RenderStage, *, after: Iterable[Step] = ()) -> Step:
    return Step(name, stage, _names(after), Counted.NOTHING, 1, 1)


def _fitting(name: str, after: Iterable[Step], first: int, last: int) -> Step:
    return Step(name, RenderStage.FIT, _names(after), Counted.INTERVALS, first, last)


def _writing(after: Iterable[Step], first: int, last: int) -> Step:
    return Step("Write", RenderStage.WRITE, _names(after), Counted.FRAMES, first, last)


def _names(before: Iterable[Step]) -> tuple[str, ...]:
    return tuple(step.name for step in before)
