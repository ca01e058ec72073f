"""Moments of a clip's known voxels: mean and variance of each channel, however long the clip is."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor

from infusion_engine.diffusion.shelf import MEASURED, Shelf


def mean_known(x: Tensor, hole: Tensor, shelf: Shelf) -> Tensor | None:
    """(C,) mean over the known voxels of (C, T, H, W), float32; None where none is known.

    Args:
        x: (C, T, H, W); not looked at where it is missing.
        hole: (1, T, H, W), 1 = missing.
        shelf: where both lie.
    """
    parts = [(seen.shape[1], seen.mean(1)) for seen in _known(x, hole, shelf) if seen.numel()]
    if len(parts) <= 1:
        return parts[0][1] if parts else None
    total = sum(count for count, _ in parts)
    return torch.stack([mean.double() * (n / total) for n, mean in parts]).sum(0).to(x.dtype)


def moments_known(x: Tensor, hole: Tensor, shelf: Shelf) -> tuple[Tensor, Tensor] | None:
    """(mean, variance), each (C,) double, over the known voxels; None where none is known.

    Args:
        x: (C, T, H, W); not looked at where it is missing.
        hole: (1, T, H, W), 1 = missing.
        shelf: where both lie.
    """
    parts = []
    for seen in _known(x, hole, shelf):
        if seen.numel():
            exact = seen.double()
            parts.append((seen.shape[1], exact.mean(1), exact.var(1, unbiased=False)))
    if not parts:
        return None
    count, mean, variance = parts[0]
    for more, other, spread in parts[1:]:  # two samples as one (Chan et al. 1979)
        share = more / (count + more)
        apart = other - mean
        mean = mean + share * apart
        variance = (1.0 - share) * (variance + share * apart.square()) + share * spread
        count += more
    return mean, variance


def _known(x: Tensor, hole: Tensor, shelf: Shelf) -> Iterator[Tensor]:
    """Known voxels, (C, N), piece by piece."""
    for frames in shelf.pieces(x, MEASURED):
        yield x[:, frames][:, hole[0, frames] == 0.0]
