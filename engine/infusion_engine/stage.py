"""The stages of a render, which any scheduler can run, and what a command line may say of each."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from infusion_engine.errors import UsageError
from infusion_engine.media.frame_range import FrameRange


class RenderStage(str, Enum):
    """What of a render is to be done; each is found done when it is asked for again."""

    ALL = "all"
    """Everything, one after the other, in one process."""
    PREPARE = "prepare"
    """Decode, encode and halve the clip, once for all machines, and decide what is left open."""
    BASE = "base"
    """The fit that all others start from, where they start from one; needs `prepare`."""
    FIT = "fit"
    """One interval's fit; needs `prepare`, and the fit that it starts from."""
    SAMPLE = "sample"
    """One take's sample, through all intervals; needs every fit."""
    WRITE = "write"
    """Frames of the result; needs the sample of every take."""

    @property
    def writes(self) -> bool:
        """True when frames are written, or may be."""
        return self in (RenderStage.ALL, RenderStage.WRITE)


@dataclass(frozen=True)
class StageRequest:
    """What a command line asks for."""

    stage: RenderStage = RenderStage.ALL
    """Which stage."""
    interval: int | None = None
    """Of `fit`: which interval, from 1, the coarsest level's noisiest first, over all levels."""
    take: int | None = None
    """Of `sample`: which take, from 1."""
    frames: FrameRange | None = None
    """Of `write`: the frames to be written; None for all of the shot's."""

    @property
    def is_whole(self) -> bool:
        """True when it is the whole render in one process."""
        return self.stage is RenderStage.ALL

    @property
    def words(self) -> str:
        """As a command line has it after `--stage`, such as `fit --interval 3`."""
        flags = (
            ("--interval", self.interval),
            ("--take", self.take),
            ("--write-frames", self.frames),
        )
        given = [f"{flag} {value}" for flag, value in flags if value is not None]
        return " ".join((self.stage.value, *given))


def requested(
    stage: str, *, interval: int | None, take: int | None, write_frames: str | None
) -> StageRequest:
    """What the options of a command line ask for together.

    Raises:
        UsageError: an option stands beside a stage that it says nothing of, or is missing, or
            counts from less than 1.
    """
    asked = RenderStage(stage)
    belongs = (
        ("--interval", interval, RenderStage.FIT),
        ("--take", take, RenderStage.SAMPLE),
        ("--write-frames", write_frames, RenderStage.WRITE),
    )
    for option, value, owner in belongs:
        if value is not None and asked is not owner:
            raise UsageError(
                f"{option} says which part of --stage {owner.value} is wanted, and the stage is "
                f"{asked.value}.",
                remedy=f"Give --stage {owner.value}, or leave {option} out.",
            )
    for option, value, owner in belongs:
        if value is None and asked is owner and owner is not RenderStage.WRITE:
            raise UsageError(
                f"--stage {owner.value} does one part of the work, and {option} is missing.",
                remedy=f"For instance --stage {owner.value} {option} 1.",
            )
    for option, value in (("--interval", interval), ("--take", take)):
        if value is not None and value < 1:
            raise UsageError(
                f"{option} {value}: these are counted from 1.",
                remedy=f"Give {option} 1 for the first.",
            )
    return StageRequest(
        stage=asked,
        interval=interval,
        take=take,
        frames=None if write_frames is None else FrameRange.parse(write_frames),
    )
