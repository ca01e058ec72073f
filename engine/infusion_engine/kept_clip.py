"""A clip as the cache keeps it: every level of the encoded shot as arrays by name, and back."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch

from infusion_engine.cache.entry import Kind
from infusion_engine.cache.store import Store
from infusion_engine.cache.tensor_file import Tensors
from infusion_engine.diffusion.pyramid import PyramidLevel
from infusion_engine.diffusion.shelf import Shelf
from infusion_engine.errors import StorageError


def tensors_of(levels: Sequence[PyramidLevel]) -> Tensors:
    """The levels, coarsest first, bit for bit; a hole is 0 or 1 and takes a byte a voxel."""
    tensors: Tensors = {}
    for number, level in enumerate(levels):
        hole = level.shelf.zeros(*level.hole.shape, dtype=torch.uint8)
        for frames in level.shelf.pieces(hole):
            hole[:, frames] = level.hole[:, frames].to("cpu", torch.uint8)
        tensors[f"{number}.x_0"] = level.x_0.cpu().numpy()
        tensors[f"{number}.hole"] = hole.numpy()
        tensors[f"{number}.corner"] = np.array(level.corner, np.int64)
    return tensors


def levels_of(tensors: Tensors, device: torch.device, shelf: Shelf) -> tuple[PyramidLevel, ...]:
    """The levels that `tensors_of` was given, on a device; their tensors lie on `shelf`."""
    found = []
    for number in range(len(tensors) // 3):
        top, left = (int(one) for one in tensors[f"{number}.corner"])
        kept = torch.from_numpy(tensors[f"{number}.hole"])
        hole = shelf.zeros(*kept.shape, device=device)
        for frames in shelf.pieces(hole):
            hole[:, frames] = kept[:, frames].to(hole)
        x_0 = torch.from_numpy(tensors[f"{number}.x_0"]).to(device)
        found.append(PyramidLevel(x_0, hole, (top, left), shelf))
    return tuple(found)


def load_levels(
    store: Store, key: str, device: torch.device, shelf: Shelf
) -> tuple[PyramidLevel, ...]:
    """The levels of the clip that was prepared, on a device and a shelf.

    Raises:
        StorageError: it is gone, or cannot be read; or a disk has no room for it.
    """
    entry = store.load(Kind.CLIP, key, room=shelf)
    if entry is None:
        raise StorageError(
            f"The cache {store.folder} no longer holds the prepared clip.",
            remedy="Run --stage prepare again.",
        )
    return levels_of(entry.tensors, device, shelf)
