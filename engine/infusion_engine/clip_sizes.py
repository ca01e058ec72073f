"""Clip sizes: what a shot's clips take while it is worked on, and whether that goes on a disk."""

from __future__ import annotations

from collections.abc import Sequence

from infusion_engine.media.box import Box

CLIP_BYTES = 16
"""Held for each voxel of every level: its clip and its hole."""
SAMPLED_BYTES = 100
"""Held for each voxel that is sampled, while it is: scene, sample and prediction."""
_LAYOUT_BYTES = 36
"""Held besides for each further layout: its sample before and after, and its prediction."""
WORKING_BYTES = 1 << 30
"""Held of clips on disk: pages of what is being worked on, and what the C library keeps of it."""


def held_bytes(clips: int, sampled: int, *, layouts: int, on_disk: bool) -> int:
    """What is held while a level is sampled, whatever its pieces, in bytes.

    Args:
        clips: voxels of all levels.
        sampled: voxels of the level that are sampled.
        layouts: samples that go down side by side.
        on_disk: whether all of them lie there.
    """
    if on_disk:
        return WORKING_BYTES
    return CLIP_BYTES * clips + (SAMPLED_BYTES + _LAYOUT_BYTES * (layouts - 1)) * sampled


def voxels_of(parts: Sequence[Box], frames: int) -> tuple[int, ...]:
    """Voxels of each level, whose part of its grid is given."""
    return tuple(part.width * part.height * frames for part in parts)


def too_large(voxels: Sequence[int], memory: int) -> bool:
    """Whether a CPU puts clips on disk: they would leave less than half of `memory` to work in.

    Args:
        voxels: of each level, coarsest first.
        memory: bytes that there are.
    """
    return held_bytes(sum(voxels), voxels[-1], layouts=1, on_disk=False) > memory / 2
