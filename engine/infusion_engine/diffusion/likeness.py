"""Likeness: how unlike its plate a fill looks, as one number by which layouts are compared."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from infusion_engine.diffusion.patches import Patches, Volume, touched


@torch.no_grad()
def unlikeness(x_0: Tensor, hole: Tensor, patches: Patches, *, check: Callable[[], None]) -> float:
    """How far the fill's patches are from the plate's, in the level's unit; 0 for a copy.

    The mean, over all patches that have a part in the hole, of the root mean square difference to
    the plate's patch that it looks most like. What the plate has nowhere is far from all of them:
    a smear, a shadow of the matte, a flame that ends at its edge. The root keeps a few patches
    that are like nothing from deciding alone.

    Args:
        x_0: (3, T, H, W), known voxels put back.
        hole: (1, T, H, W), 1 = missing; somewhere it is.
        patches: of the level's plate, in the same unit.
        check: called now and then; raises to stop.
    """
    middles = torch.nonzero(touched(hole))
    found = patches.nearest(Volume.of(x_0), middles, None, check)
    return float(found.distance.double().sqrt().mean())
