"""Frames: what a result holds beside its plate and its matte, one frame after another.

Read by the engine's own readers, so any files that it renders will do. Values are float64: what a
float file holds, or integers over their full scale.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from infusion_engine.evaluate.result import Result
from infusion_engine.media.encoding import as_numbers
from infusion_engine.media.sequence import find_sequence
from infusion_engine.media.shot import Transfer, open_shot
from infusion_node.wire.job import RenderJob

Values = npt.NDArray[np.float64]
"""(H, W, 3), or (H, W)."""
Mask = npt.NDArray[np.bool_]
"""(H, W)."""


@dataclass(frozen=True)
class Source:
    """Where the frames are: folders, patterns or one frame's path each."""

    result: str
    """The frames that were rendered, or any others to be looked at."""
    plate: str
    """What they were rendered from, or the truth."""
    matte: str | None
    """What was replaced; None takes a channel of the plate."""
    layer: str | None = None
    """Layer of the result that holds the fill; None takes the files' own R, G, B."""
    grow: float = 0.0
    """Pixels by which the matte was grown for the render."""
    frames: str | None = None
    """Inclusive range; None takes all of the result."""


@dataclass(frozen=True)
class Frame:
    """One frame of a result and of what it is held against."""

    result: Values
    """(H, W, 3)."""
    plate: Values
    """(H, W, 3)."""
    hole: Mask
    """(H, W), True where the matte as used is above 0."""
    transfer: Transfer
    """What the numbers mean."""


def frames_of(source: Source) -> Iterator[Frame]:
    """The frames in order, each read when it is asked for.

    Raises:
        InputError: frames are missing or damaged, sizes differ, or the layer is not there.
        UsageError: the frame range makes no sense.
    """
    result = Result(find_sequence(source.result), source.layer, None)
    wanted = result.frames(source.frames)
    shot = open_shot(
        RenderJob(
            plate=source.plate,
            output=source.result,
            matte=source.matte,
            matte_grow=source.grow,
            frames=None if wanted is None else str(wanted),
        )
    )
    for frame in shot.frames:
        yield Frame(
            result=as_numbers(result.read(frame, shot)),
            plate=as_numbers(shot.read_plate(frame).pixels),
            hole=np.asarray(shot.read_matte(frame) > 0),
            transfer=shot.transfer,
        )


def add_source(parser: argparse.ArgumentParser) -> None:
    """The options that name an existing result; `source_of` reads them."""
    parser.add_argument("--result", help="measure these frames, and render nothing")
    parser.add_argument("--plate", help="what they were rendered from")
    parser.add_argument("--matte", help="what was replaced; without it a channel of the plate")
    parser.add_argument("--layer", help="of the result; without it its own R, G, B")
    parser.add_argument("--matte-grow", type=float, default=0.0, help="as the render was given it")
    parser.add_argument("--frames", help="such as 1001-1048; without it all of the result")


def source_of(asked: argparse.Namespace) -> Source | None:
    """What was named with the options of `add_source`; None where no result was.

    Raises:
        ValueError: a result was named and no plate.
    """
    if asked.result is None:
        return None
    if asked.plate is None:
        raise ValueError("--result needs the --plate that it was rendered from")
    return Source(
        asked.result, asked.plate, asked.matte, asked.layer, asked.matte_grow, asked.frames
    )
