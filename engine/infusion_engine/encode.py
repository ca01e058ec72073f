"""Encode: a shot is read frame by frame, and lies encoded at every size."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch

from infusion_engine.cache.key import ClipDigest
from infusion_engine.diffusion.halving import Halving
from infusion_engine.diffusion.layout import Layout, lay_out
from infusion_engine.media.encoding import Encoding
from infusion_engine.media.read_frames import FrameBits, read_frames
from infusion_engine.media.survey import Survey
from infusion_engine.plan import Plan
from infusion_engine.shelving import shelf_for
from infusion_engine.source import Source


@dataclass(frozen=True)
class Encoded:
    """A shot as the chain works on it."""

    layout: Layout
    """Which parts of the plate it is."""
    source: Source
    """Its clips."""


def encode_shot(
    plan: Plan,
    found: Survey,
    encoding: Encoding,
    device: torch.device,
    *,
    on_frame: Callable[[int, int], None],
    on_bits: FrameBits | None = None,
) -> Encoded:
    """Read a shot, encoded and at every size.

    Args:
        plan: of the job.
        found: what a look at every frame found; something is missing.
        encoding: of its values.
        device: that computes.
        on_frame: hears of each frame that was read, and of how many there are.
        on_bits: is handed what the clip's digest takes of each frame.

    Raises:
        FrameError: a frame's pixels are damaged.
    """
    camera = found.camera
    canvas = plan.shot.canvas if camera is None else camera.canvas
    layout = lay_out(found.hole, found.hole_pixels, canvas, plan.settings)
    digest = ClipDigest()
    halving = Halving(
        len(plan.shot.frames_read), layout.parts, shelf_for(plan, layout.parts, device)
    )

    def on_known(pixels: np.ndarray, known: np.ndarray, matte: np.ndarray) -> None:
        digest.add_frame(pixels, known, matte)
        if on_bits is not None:
            on_bits(pixels, known, matte)

    read_frames(
        plan.shot,
        layout.region,
        encoding,
        on_bits=on_known,
        on_clip=halving.add,
        on_frame=on_frame,
        camera=camera,
    )
    if camera is not None:
        digest.add_camera(np.stack([camera.matrices[frame] for frame in plan.shot.frames_read]))
    levels = halving.levels(device)
    return Encoded(layout, Source(levels, digest.hexdigest(), encoding.described()))
