"""Reach: how far a denoiser sees, and what it costs to have it look."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Reach:
    """How far a denoiser sees around a voxel, and the memory that it takes for each."""

    frames: int
    """Frames to each side."""
    pixels: int
    """Pixels to each side, a multiple of `grid`."""
    grid: int
    """What the network halves away inside: pieces of a clip begin at a multiple of this."""
    values: float
    """Numbers of the convolutions' precision that are held at once for each voxel and feature while
    it computes, as measured."""
    besides: float
    """Numbers in float32 held besides for each voxel, however few features there are, measured."""
