"""Clip memory: what a shot's clips take while they are worked on, reckoned without torch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from infusion_engine.media.box import Box

_CLIP_BYTES = 16
"""Held for each voxel of every level: its clip and its hole."""
SAMPLED_BYTES = 100
"""Held for each voxel that is sampled, while it is: scene, sample and prediction."""
_LAYOUT_BYTES = 36
"""Held besides for each further layout: its sample before and after, and its prediction."""
_WORKING_BYTES = 1 << 30
"""Held of clips on disk: pages of what is being worked on, and what the C library keeps of it."""


@dataclass(frozen=True)
class ClipMemory:
    """Voxels of a shot, and what they take."""

    clips: int
    """Voxels of all levels."""
    sampled: int
    """Voxels of the level that is sampled."""

    @property
    def clip_bytes(self) -> int:
        """Of the clips themselves, as they are prepared and kept."""
        return _CLIP_BYTES * self.clips

    def held(self, *, layouts: int = 1, on_disk: bool = False) -> int:
        """Bytes held while a level is sampled, whatever its pieces.

        Args:
            layouts: samples that go down side by side.
            on_disk: whether all of them lie there.
        """
        if on_disk:
            return _WORKING_BYTES
        return self.clip_bytes + (SAMPLED_BYTES + _LAYOUT_BYTES * (layouts - 1)) * self.sampled


def clip_memory(parts: Sequence[Box], frames: int) -> ClipMemory:
    """Of a shot, with its finest level sampled as a whole, which is the most there may be.

    Args:
        parts: what each level keeps of its grid, coarsest first.
        frames: that are read.
    """
    voxels = [part.width * part.height * frames for part in parts]
    return ClipMemory(sum(voxels), voxels[-1])
