"""Space-time patches of a level's plate, and which of them each patch of a fill looks most like."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from infusion_engine.diffusion import noise
from infusion_engine.diffusion.pyramid import PyramidLevel

REACH = (1, 3, 3)
"""Frames, rows and columns to either side of a patch's middle: patches of 3 x 7 x 7."""
OFFSETS = tuple(
    (frame, row, column) for frame in (-1, 0, 1) for row in range(-3, 4) for column in range(-3, 4)
)
"""A patch's voxels, counted from its middle."""
_FIRST = 15_000
"""Patches that are compared with every patch of the fill; from these it spreads to all others."""
_FEATURES = 32
"""Directions in which patches are compared at first: those in which they vary most."""
_LEAST = 200
"""Whole patches that a plate needs, to say what it looks like."""
_AT_ONCE = 1000
"""Patches of the fill that are compared at once."""
_SPREADS = 2
"""How often what neighbours found is tried, in each of the six directions."""


@dataclass(frozen=True, eq=False)
class Volume:
    """A clip with its border repeated by a patch's reach, so that every voxel has a whole patch."""

    values: Tensor
    """(3, N): the padded clip, flat."""
    size: tuple[int, int, int]
    """(T, H, W) of the clip itself."""

    @staticmethod
    def of(clip: Tensor) -> Volume:
        """Of a (3, T, H, W) clip."""
        frames, rows, columns = REACH
        pad = (columns, columns, rows, rows, frames, frames)
        padded = F.pad(clip[None], pad, mode="replicate")[0]
        _, depth, height, width = clip.shape
        return Volume(padded.reshape(len(clip), -1), (depth, height, width))

    def step(self, frame: int, row: int, column: int) -> int:
        """How far a voxel lies from another in `values`."""
        _, height, width = (n + 2 * r for n, r in zip(self.size, REACH, strict=True))
        return (frame * height + row) * width + column

    def at(self, middles: Tensor) -> Tensor:
        """(N, 3) frames, rows and columns of the clip -> (N,) places in `values`."""
        there = middles + middles.new_tensor(REACH)
        strides = middles.new_tensor([self.step(1, 0, 0), self.step(0, 1, 0), 1])
        return (there * strides).sum(1)


def touched(hole: Tensor) -> Tensor:
    """(1, T, H, W) hole -> (T, H, W) bool: the patch with this middle has a voxel of it."""
    window = tuple(2 * r + 1 for r in REACH)
    return F.max_pool3d(hole[None], window, stride=1, padding=REACH)[0, 0] > 0.0


@dataclass(frozen=True, eq=False)
class Found:
    """For each patch of a fill, the plate's patch that it looks most like."""

    middle: Tensor
    """(N, 3) frame, row and column in the plate's level."""
    mirrored: Tensor
    """(N,) bool: left and right exchanged."""
    distance: Tensor
    """(N,) mean square of what they differ by."""


@dataclass(frozen=True, eq=False)
class Patches:
    """Every patch of a level's plate that is known whole."""

    plate: Volume
    """The level's clip; what it holds in the hole is never looked at."""
    whole: Tensor
    """(T, H, W) bool: the patch with this middle is known whole and lies within the rows and
    columns of the clip."""

    @staticmethod
    def of(level: PyramidLevel, unit: float) -> Patches | None:
        """Of a level whose values are worked in parts of `unit`; None where too few are whole."""
        whole = ~touched(level.hole)
        _, rows, columns = REACH
        inside = torch.zeros_like(whole)
        inside[:, rows : whole.shape[1] - rows, columns : whole.shape[2] - columns] = True
        whole &= inside
        if int(whole.sum()) < _LEAST:
            return None
        return Patches(Volume.of(level.x_0 / unit), whole)

    def _first(self) -> tuple[Tensor, Tensor]:
        """(middles (N, 3), mirrored (N,)) that every patch of a fill is compared with."""
        middles = torch.nonzero(self.whole)
        rng = np.random.Generator(np.random.Philox(key=noise.key("patches")))
        chosen = rng.permutation(len(middles))[:_FIRST]
        middles = middles[torch.from_numpy(chosen).to(middles.device)]
        mirrored = torch.arange(2 * len(middles), device=middles.device) >= len(middles)
        return torch.cat([middles, middles]), mirrored

    def nearest(
        self, fill: Volume, middles: Tensor, before: Found | None, check: Callable[[], None]
    ) -> Found:
        """The most alike patches for those of `fill` around `middles`, (N, 3).

        Found as PatchMatch does (Barnes et al. 2009): good matches spread to neighbours, since
        what looks alike here mostly looks alike a voxel further on.

        Args:
            fill: the clip.
            middles: (N, 3) of the patches in it.
            before: what was found when the fill looked a little different; None to begin.
            check: called now and then; raises to stop.
        """
        if before is None:
            middle, mirrored = self._begun(fill, middles, check)
        else:
            middle, mirrored = before.middle, before.mirrored
        distance = self._distance(fill, fill.at(middles), middle, mirrored)
        found = Found(middle, mirrored, distance)
        index = torch.full(fill.size, -1, device=middles.device)
        index[tuple(middles.T)] = torch.arange(len(middles), device=middles.device)
        for _ in range(_SPREADS):
            for direction in ((0, 0, 1), (0, 0, -1), (0, 1, 0), (0, -1, 0), (1, 0, 0), (-1, 0, 0)):
                check()
                found = self._spread(fill, middles, index, found, direction)
        return found

    def _begun(
        self, fill: Volume, middles: Tensor, check: Callable[[], None]
    ) -> tuple[Tensor, Tensor]:
        """(middle, mirrored) of the most alike of the first patches, compared by their features."""
        at, mirrored = self._first()
        known = _cut(self.plate, self.plate.at(at), mirrored)  # (M, 441)
        mean = known.mean(0)
        centred = (known - mean).double()
        axes = torch.linalg.eigh(centred.T @ centred).eigenvectors[:, -_FEATURES:].to(known)
        features = (known - mean) @ axes  # (M, _FEATURES)
        squares = features.square().sum(1)
        places, best = fill.at(middles), []
        for first in range(0, len(places), _AT_ONCE):
            check()
            some = places[first : first + _AT_ONCE]
            own = (_cut(fill, some, torch.zeros_like(some, dtype=torch.bool)) - mean) @ axes
            best.append((squares - 2.0 * own @ features.T).argmin(1))
        chosen = torch.cat(best)
        return at[chosen], mirrored[chosen]

    def _spread(
        self,
        fill: Volume,
        middles: Tensor,
        index: Tensor,
        found: Found,
        direction: tuple[int, int, int],
    ) -> Found:
        """Try what the neighbour in one direction found, moved back by that direction."""
        step = middles.new_tensor(direction)
        beside = middles + step
        inside = ((beside >= 0) & (beside < middles.new_tensor(fill.size))).all(1)
        held = beside.clamp(min=0).minimum(middles.new_tensor(fill.size) - 1)
        neighbour = torch.where(inside, index[tuple(held.T)], -1)
        mirrored = found.mirrored[neighbour.clamp(min=0)]
        back = step.expand_as(middles).clone()
        back[:, 2] = torch.where(mirrored, -back[:, 2], back[:, 2])
        tried = found.middle[neighbour.clamp(min=0)] - back
        limits = middles.new_tensor(self.plate.size)
        inside = (neighbour >= 0) & ((tried >= 0) & (tried < limits)).all(1)
        tried = tried.clamp(min=0).minimum(limits - 1)
        able = torch.nonzero(inside & self.whole[tuple(tried.T)])[:, 0]
        distance = self._distance(fill, fill.at(middles[able]), tried[able], mirrored[able])
        won = distance < found.distance[able]
        able = able[won]
        middle, side, least = (x.clone() for x in (found.middle, found.mirrored, found.distance))
        middle[able], side[able], least[able] = tried[able], mirrored[able], distance[won]
        return Found(middle, side, least)

    def _distance(self, fill: Volume, places: Tensor, middle: Tensor, mirrored: Tensor) -> Tensor:
        """(N,) mean square difference of patches of the fill at `places` and of the plate."""
        total = fill.values.new_zeros(len(places))
        for offset, theirs in self.voxels(middle, mirrored):
            total += (fill.values[:, places + fill.step(*offset)] - theirs).square().sum(0)
        return total / (len(OFFSETS) * len(fill.values))

    def voxels(
        self, middle: Tensor, mirrored: Tensor
    ) -> Iterator[tuple[tuple[int, int, int], Tensor]]:
        """Each offset, and the plate's patches there: (3, N)."""
        at = self.plate.at(middle)
        for frame, row, column in OFFSETS:
            here = self.plate.step(frame, row, column)
            there = self.plate.step(frame, row, -column)
            yield (
                (frame, row, column),
                self.plate.values[:, at + torch.where(mirrored, there, here)],
            )


def _cut(volume: Volume, places: Tensor, mirrored: Tensor) -> Tensor:
    """(N,) places -> (N, voxels x channels) patches."""
    plain = places.new_tensor([volume.step(f, r, c) for f, r, c in OFFSETS])
    turned = places.new_tensor([volume.step(f, r, -c) for f, r, c in OFFSETS])
    offsets = torch.where(mirrored[:, None], turned, plain)  # (N, voxels)
    return volume.values[:, places[:, None] + offsets].permute(1, 2, 0).flatten(1)
