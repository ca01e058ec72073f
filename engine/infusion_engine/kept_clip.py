"""A clip as the cache keeps it: every level of the encoded shot as arrays by name, and back."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch

from infusion_engine.cache.entry import Kind, Tensors
from infusion_engine.cache.store import Store
from infusion_engine.diffusion.pyramid import PyramidLevel
from infusion_engine.errors import StorageError


def tensors_of(levels: Sequence[PyramidLevel]) -> Tensors:
    """The levels, coarsest first, bit for bit; a hole is 0 or 1 and takes a byte a voxel."""
    tensors: Tensors = {}
    for number, level in enumerate(levels):
        tensors[f"{number}.x_0"] = level.x_0.cpu().numpy()
        tensors[f"{number}.hole"] = level.hole.cpu().numpy().astype(np.uint8)
        tensors[f"{number}.corner"] = np.array(level.corner, np.int64)
    return tensors


def levels_of(tensors: Tensors, device: torch.device) -> tuple[PyramidLevel, ...]:
    """The levels that `tensors_of` was given, on a device."""
    found = []
    for number in range(len(tensors) // 3):
        top, left = (int(one) for one in tensors[f"{number}.corner"])
        found.append(
            PyramidLevel(
                x_0=torch.from_numpy(tensors[f"{number}.x_0"]).to(device),
                hole=torch.from_numpy(tensors[f"{number}.hole"].astype(np.float32)).to(device),
                corner=(top, left),
            )
        )
    return tuple(found)


def load_levels(store: Store, key: str, device: torch.device) -> tuple[PyramidLevel, ...]:
    """The levels of the clip that was prepared, on a device.

    Raises:
        StorageError: it is gone, or cannot be read.
    """
    entry = store.load(Kind.CLIP, key)
    if entry is None:
        raise StorageError(
            f"The cache {store.folder} no longer holds the prepared clip.",
            remedy="Run --stage prepare again.",
        )
    return levels_of(entry.tensors, device)
