"""Reads results, the truth and the matte frame by frame and gathers every figure asked for."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from infusion_engine.evaluate.figures import Figures, Tally, Values, largest_difference
from infusion_engine.evaluate.patches import PatchTally, centre_count
from infusion_engine.evaluate.protocol import ProtocolFigures, ProtocolTally
from infusion_engine.evaluate.result import Result
from infusion_engine.evaluate.takes import TakeFigures, TakeTally
from infusion_engine.media.display import to_display
from infusion_engine.media.sequence import find_sequence
from infusion_engine.media.shot import Shot, open_shot
from infusion_node.wire.job import RenderJob

if TYPE_CHECKING:
    from infusion_engine.evaluate.frechet import FrechetFigures, FrechetTally
    from infusion_engine.evaluate.perceptual import PerceptualFigures, PerceptualTally


@dataclass(frozen=True)
class Comparison:
    """What is compared with what; paths are folders, patterns or one frame's path."""

    result: str
    """The frames that were rendered."""
    truth: str
    """The same frames as they should be."""
    matte: str | None
    """What was replaced; None takes a channel of the truth."""
    takes: tuple[str, ...] = ()
    """Other takes of the same frames, to tell how takes differ."""
    layer: str | None = None
    """Layer of result and takes that holds the fill; None takes their own R, G, B."""
    matte_channel: str | None = None
    """Channel of the matte; None means `A`, else the only channel, else `R`."""
    matte_invert: bool = False
    """True when 0 means replace."""
    frames: str | None = None
    """Inclusive frame range; None takes all of the result."""
    view: str | None = None
    """View of stereo or multi-view files."""
    weights: Path | None = None
    """Folder with the weights of `squeezenet`; None leaves the perceptual figures out."""
    features: Path | None = None
    """Network for the Frechet distance as TorchScript; None leaves it out."""
    feature_frames: int = 16
    """Frames in one of that network's windows, 1 or more."""


@dataclass(frozen=True)
class Report:
    """Every figure of one comparison, by family; None for a family that was not asked for."""

    figures: Figures
    """Likeness, detail and motion, and what changed outside."""
    protocol: ProtocolFigures
    """PSNR and SSIM in 8 bits."""
    swd3d: float | None
    """Sliced Wasserstein distance of space-time patches, x1000. None where no patch fits."""
    perceptual: PerceptualFigures | None
    """Distances by SqueezeNet."""
    frechet: FrechetFigures | None
    """Frechet video distance."""
    takes: TakeFigures | None
    """How takes differ; there are two or more."""


def compare(comparison: Comparison) -> Report:
    """The figures of the result's frames against the truth's.

    Frames are read one after the other and not kept; mattes are read twice, because the patches of
    `swd3d` are drawn from all there are.

    Raises:
        InputError: frames are missing, sizes or kinds of pixels differ, the layer is not there, or
            weights or network cannot be used.
        UsageError: the frame range, the view or the length of a window makes no sense.
    """
    result, *others = (
        Result(find_sequence(path), comparison.layer, comparison.view)
        for path in (comparison.result, *comparison.takes)
    )
    frames = result.frames(comparison.frames)
    truth = open_shot(
        RenderJob(
            plate=comparison.truth,
            output=comparison.result,
            matte=comparison.matte,
            matte_channel=comparison.matte_channel,
            matte_invert=comparison.matte_invert,
            frames=None if frames is None else str(frames),
            view=comparison.view,
        )
    )
    for take in others:
        take.check_holds(truth.frames)
    perceptual, frechet = _networks(comparison)
    tally, protocol, together = Tally(), ProtocolTally(), TakeTally()
    patches = PatchTally([centre_count(truth.read_matte(frame) > 0) for frame in truth.frames])
    for frame in truth.frames:
        hole = truth.read_matte(frame) > 0
        true = truth.read_plate(frame).pixels
        filled = result.read(frame, truth)
        outside = largest_difference(filled, true, ~hole)
        a, b = to_display(filled, truth.transfer), to_display(true, truth.transfer)
        tally.add(a, b, hole, outside=outside)
        for one in (protocol, patches, perceptual, frechet):
            if one is not None:
                one.add(a, b, hole)
        if others:
            together.add(_all_takes(a, others, frame, truth), b, hole)
    return Report(
        figures=tally.figures(),
        protocol=protocol.figures(),
        swd3d=patches.distance(),
        perceptual=None if perceptual is None else perceptual.figures(),
        frechet=None if frechet is None else frechet.figures(),
        takes=together.figures() if others else None,
    )


def _all_takes(first: Values, others: list[Result], frame: int, truth: Shot) -> Iterator[Values]:
    """Display values (H, W, 3) of one frame of each take, read as they are asked for."""
    yield first
    for take in others:
        yield to_display(take.read(frame, truth), truth.transfer)


def _networks(comparison: Comparison) -> tuple[PerceptualTally | None, FrechetTally | None]:
    """What needs torch, which takes seconds to import: nothing of it where nobody asks."""
    perceptual, frechet = None, None
    if comparison.weights is not None:
        from infusion_engine.evaluate.perceptual import PerceptualTally  # noqa: PLC0415

        perceptual = PerceptualTally(comparison.weights)
    if comparison.features is not None:
        from infusion_engine.evaluate.frechet import FrechetTally  # noqa: PLC0415

        frechet = FrechetTally(comparison.features, comparison.feature_frames)
    return perceptual, frechet
