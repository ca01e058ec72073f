"""Ground: what training windows of one level are cut from, in the level's own unit."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor

from infusion_engine.diffusion.interval import top_timestep
from infusion_engine.diffusion.moments import moments_known
from infusion_engine.diffusion.pyramid import PyramidLevel, detail_spread, doubled, halved
from infusion_engine.diffusion.schedule import T
from infusion_engine.diffusion.shelf import Shelf
from infusion_engine.settings import Objective, Settings
from infusion_engine.training.rough import roughly_filled

DETAIL_SPREAD = 0.06
"""Deviation that a finer level's detail is brought to, within a fourth root of 2 either way."""


@dataclass(frozen=True, eq=False)
class Ground:
    """What windows of one level are cut from; values are in parts of `unit`."""

    x_0: Tensor
    """(3, T, H, W) encoded clip; under the matte 0 (as published) or a rough fill."""
    hole: Tensor
    """(1, T, H, W) float, the user's matte (and whatever else is not known)."""
    missing: np.ndarray
    """(T, H, W) bool, the hole where numpy can see it."""
    guess: Tensor | None
    """(3, T, H, W), x_0 without this level's detail; None at the coarsest level."""
    remembering: Tensor
    """(3, T, H, W), what memory is kept of: x_0, or its detail at a finer level."""
    level: int
    """0 for the coarsest."""
    unit: float
    """The encoded value that is 1 here."""
    variance: float
    """What `remembering` varies by over the known voxels, mean of the channels."""
    shelf: Shelf = field(default_factory=Shelf)
    """Where all of it lies."""


def lay_ground(level: PyramidLevel, index: int, settings: Settings) -> Ground:
    """What windows of pyramid level `index` (0 for the coarsest) are cut from.

    The coarsest level is worked in encoded values. A finer level's unit is such that its detail
    has the deviation DETAIL_SPREAD: the last timesteps' noise is then faint against it, however
    fine it is, and none of it is lost where the ladder of timesteps ends.
    """
    shelf = level.shelf
    rough = roughly_filled(level.x_0, level.hole, shelf)
    unit = 1.0 if index == 0 else _detail_unit(level, rough)
    # Without grey under the matte, what is learnt beside it still holds in sampling.
    if settings.objective is not Objective.OCCLUDER:
        rough = level.x_0
    clean = shelf.zeros(*rough.shape, device=rough.device)
    for frames in shelf.pieces(rough):
        clean[:, frames] = rough[:, frames] / unit
    del rough  # not to be held beside what is made of the clean clip
    guess, remembering = _parted(clean, level) if index > 0 else (None, clean)
    moments = moments_known(remembering, level.hole, shelf)
    return Ground(
        x_0=clean,
        hole=level.hole,
        missing=_missing(level),
        guess=guess,
        remembering=remembering,
        level=index,
        unit=unit,
        shelf=shelf,
        variance=1.0 if moments is None else float(moments[1].mean()),
    )


def _parted(clean: Tensor, level: PyramidLevel) -> tuple[Tensor, Tensor]:
    """(x_0 without the level's detail, the detail), each (3, T, H, W)."""
    shelf = level.shelf
    guess, detail = (shelf.zeros(*clean.shape, device=clean.device) for _ in range(2))
    for frames in shelf.pieces(clean):
        guess[:, frames] = doubled(halved(clean[:, frames]), level.size)
        detail[:, frames] = clean[:, frames] - guess[:, frames]
    return guess, detail


def _missing(level: PyramidLevel) -> np.ndarray:
    """(T, H, W) bool, the hole where numpy can see it."""
    found = level.shelf.zeros(*level.hole.shape[1:], dtype=torch.bool)
    for frames in level.shelf.pieces(level.hole):
        found[frames] = level.hole[0, frames].bool().cpu()
    return found.numpy()


def _detail_unit(level: PyramidLevel, rough: Tensor) -> float:
    """A power of sqrt(2), so that another machine's last digit finds the same."""
    spread = detail_spread(level, rough)
    return float(2.0 ** (round(2.0 * math.log2(spread / DETAIL_SPREAD)) / 2.0))


def top_of(level: int) -> int:
    """One past the noisiest timestep of a level: T, or where its detail is drowned."""
    return T if level == 0 else top_timestep(DETAIL_SPREAD)
