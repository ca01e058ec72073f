"""A Gaussian over rows and columns."""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional as F


def gaussian(deviation: float, like: Tensor) -> Tensor:
    """(2 R + 1,) weights that sum to 1, R three deviations in pixels, rounded up."""
    radius = math.ceil(3 * deviation)
    steps = torch.arange(-radius, radius + 1, device=like.device, dtype=like.dtype)
    weights = torch.exp(-0.5 * (steps / deviation).square())
    return weights / weights.sum()


def smoothed(x: Tensor, kernel: Tensor) -> Tensor:
    """(N, C, H, W) under the kernel in rows and in columns; 0 beyond the border."""
    radius = len(kernel) // 2
    flat = x.reshape(-1, 1, *x.shape[2:])
    flat = F.conv2d(flat, kernel[None, None, :, None], padding=(radius, 0))
    return F.conv2d(flat, kernel[None, None, None, :], padding=(0, radius)).reshape(x.shape)
