"""Bands: what is in a hole taken apart by its size, so that noise is told from what is large.

The mean of many noisy voxels is hardly noisy, and what most fills miss of their guess is large.
One ratio of signal to noise for all of it lets an unfitted network see next to nothing where
everything large is plain, and a fit has to find the missing gain anew at each noise level. So the
Wiener filter that a fit starts from has a gain for each band, as for each scale of a pyramid
(Burt and Adelson 1983, *The Laplacian Pyramid as a Compact Image Code*).
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

BLURS = ((1.0, 0.6), (2.5, 1.2), (6.0, 2.4))
"""Deviations in pixels and in frames of the Gaussians between one band and the next, finest first;
cut off at three deviations, which is no further than a network sees."""
COUNT = len(BLURS) + 1
"""Bands there are."""
_BLOCK = 96  # columns that are smoothed at once: a product of what is near, however wide the clip


def bands(field: Tensor, hole: Tensor) -> Iterator[Tensor]:
    """The bands of a field, finest first; together they are the field in the hole.

    Means are taken within the hole alone: nothing of what is known comes in.

    Args:
        field: (B, C, T, H, W), float32.
        hole: (B, 1, T, H, W), 1 = missing.

    Yields:
        COUNT tensors like `field`, 0 where it is known.
    """
    rest = field * hole
    whole = torch.cat([rest, hole], dim=1)  # (B, C + 1, T, H, W)
    for pixels, frames in BLURS:
        sums = _smoothed(_smoothed(_smoothed(whole, pixels, 4), pixels, 3), frames, 2)
        mean = sums[:, :-1] / sums[:, -1:].clamp(min=1e-6) * hole
        yield rest - mean
        rest = mean
    yield rest


@dataclass(frozen=True, eq=False)
class Shares:
    """How a deviation is shared among bands."""

    signal: Tensor
    """(COUNT,) of what the guess misses, summing to 1."""
    noise: Tensor
    """(COUNT,) of white noise, summing to 1."""

    def estimated(self, noisy: Tensor, hole: Tensor, spread: Tensor, sigma: Tensor) -> Tensor:
        """What is in the hole, by a Wiener filter on each band.

        Where both shares are alike it is c_skip of EDM (arXiv 2206.00364, table 1) times `noisy`.

        Args:
            noisy: (B, 3, T, H, W), with noise.
            hole: (B, 1, T, H, W), 1 = missing.
            spread: (B, 3, T, H, W) or less, deviation expected without noise.
            sigma: (B, 1, 1, 1, 1), deviation of the noise.

        Returns:
            (B, 3, T, H, W), 0 where it is known.
        """
        found = torch.zeros_like(noisy)
        for band, signal, noise in zip(bands(noisy, hole), self.signal, self.noise, strict=True):
            expected = signal * spread**2
            found += band * (expected / (expected + noise * sigma**2))
        return found

    def remaining(self, spread: Tensor, sigma: Tensor) -> Tensor:
        """Deviation of what is in the hole from `estimated`, like `spread`: c_out.

        Where both shares are alike it is that of EDM (arXiv 2206.00364, table 1).
        """
        left = torch.zeros_like(spread * sigma)
        for signal, noise in zip(self.signal, self.noise, strict=True):
            expected, drowning = signal * spread**2, noise * sigma**2
            left += expected * drowning / (expected + drowning)
        return left.sqrt()


def _smoothed(x: Tensor, deviation: float, dim: int) -> Tensor:
    """Sums of x (B, C, T, H, W) along `dim`, under a Gaussian of height 1."""
    x, length, radius = x.transpose(dim, -1), x.shape[dim], math.ceil(3 * deviation)
    found = []
    for start in range(0, length, _BLOCK):
        stop = min(start + _BLOCK, length)
        low, high = max(0, start - radius), min(length, stop + radius)
        there = torch.arange(low, high, device=x.device, dtype=x.dtype)
        here = torch.arange(start, stop, device=x.device, dtype=x.dtype)
        apart = there[:, None] - here[None]
        weights = torch.exp(-0.5 * (apart / deviation).square()) * (apart.abs() <= radius)
        found.append(x[..., low:high] @ weights)
    return torch.cat(found, dim=-1).transpose(dim, -1)
