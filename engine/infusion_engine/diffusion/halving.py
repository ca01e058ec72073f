"""Halving a shot frame by frame: only what each level keeps is ever held for all frames."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import torch

from infusion_engine.diffusion.pyramid import PyramidLevel, coarser
from infusion_engine.diffusion.shelf import Shelf
from infusion_engine.media.box import Box

_LEAST_KNOWN = 0.1
"""Share of a level's voxels that must be known: there has to be something to learn from."""


class Halving:
    """Collects the levels of a shot from its frames."""

    def __init__(self, frames: int, parts: Sequence[Box], shelf: Shelf | None = None) -> None:
        """For `frames` frames, of which each level keeps its part (coarsest first) on `shelf`."""
        self._shelf = shelf or Shelf()
        self._kept = [
            PyramidLevel(
                x_0=self._shelf.zeros(3, frames, part.height, part.width),
                hole=self._shelf.zeros(1, frames, part.height, part.width),
                corner=(part.y0, part.x0),
                shelf=self._shelf,
            )
            for part in parts
        ]
        for level in self._kept:
            for some in self._shelf.pieces(level.hole):
                level.hole[:, some] = 1.0  # until a frame is there, nothing of it is known

    def add(self, index: int, x_0: np.ndarray, hole: np.ndarray) -> None:
        """Frame `index`: x_0 (3, H, W) float32, 0 where it is not known; hole (1, H, W)."""
        frame = PyramidLevel(torch.from_numpy(x_0)[:, None], torch.from_numpy(hole)[:, None])
        for number, level in enumerate(reversed(self._kept)):
            frame = coarser(frame) if number else frame
            part = level.part
            there = (..., slice(part.y0, part.y1), slice(part.x0, part.x1))
            level.x_0[:, index] = frame.x_0[there][:, 0]
            level.hole[:, index] = frame.hole[there][:, 0]
        self._shelf.rest()

    def levels(self, device: torch.device | None = None) -> tuple[PyramidLevel, ...]:
        """Every level of which enough is known, coarsest first, on the device."""
        found = list(self._kept)
        while len(found) > 1 and float(found[0].hole.mean()) > 1.0 - _LEAST_KNOWN:
            del found[0]
        return tuple(
            replace(one, x_0=one.x_0.to(device), hole=one.hole.to(device)) for one in found
        )
