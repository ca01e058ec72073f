"""Waves: a drifting pattern with a hole in it, of any size, for what is timed and not looked at."""

from __future__ import annotations

import torch

from infusion_engine.diffusion.pyramid import PyramidLevel

HOLE = 32
"""Pixels of the hole each way, or half of the clip's where that is less."""


def waves(size: tuple[int, int, int], device: torch.device) -> PyramidLevel:
    """Drifting waves with a hole in their middle, as a pyramid's only level.

    `size` is frames, rows and columns.
    """
    t, y, x = torch.meshgrid(*(torch.arange(n, dtype=torch.float32) for n in size), indexing="ij")
    pattern = torch.stack([torch.sin(x / (5 + c) + y / 9 + t / 2) * 0.8 for c in range(3)])
    hole = torch.zeros(1, *size)
    side = min(HOLE, size[1] // 2, size[2] // 2)
    top, left = (size[1] - side) // 2, (size[2] - side) // 2
    hole[:, :, top : top + side, left : left + side] = 1.0
    return PyramidLevel(x_0=(pattern * (1.0 - hole)).to(device), hole=hole.to(device))


def settle(device: torch.device) -> None:
    """Wait until the device has done all that it was given."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
