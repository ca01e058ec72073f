"""The palette: which colours a level's plate has at each brightness; a fill is held to them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from infusion_engine.diffusion.axes import along
from infusion_engine.diffusion.pyramid import PyramidLevel

HELD_BELOW = 0.8
"""Noise sigma below which predictions are held. In more noise x_0 is a mean of many fills, and
the mean of black and yellow is a grey that a fire has nowhere."""
_BINS = 64
"""Steps of brightness."""
_SHARE = 0.005
"""Of the plate's colours at a brightness, so many lie beyond either bound."""
_LEAST = 16
"""Known voxels that a step needs, to say what it has."""
_BEYOND = 0.0005
"""Share of the voxels that may be darker than the first step, or brighter than the last: one
blazing pixel must not spread the steps over what the plate has nowhere."""
_MOST = 1 << 21
"""Known voxels looked at, spread evenly over the clip."""


@dataclass(frozen=True, eq=False)
class Palette:
    """The colours of a level's known voxels, in that level's unit."""

    mean: Tensor
    """(3,) of the known voxels."""
    axes: Tensor
    """(3, 3), orthonormal rows: directions in which they vary, furthest first. The first is called
    brightness here, because in most plates it is."""
    darkest: float
    """Brightness of the first step, counted from the mean; whatever is darker is taken for it."""
    brightest: float
    """Brightness of the last step."""
    least: Tensor
    """(2, _BINS), smallest part along the two other axes, from the darkest to the brightest."""
    most: Tensor
    """(2, _BINS), largest part."""

    def held(self, x_0: Tensor) -> Tensor:
        """(3, T, H, W): brightness as it is, and the rest within what the plate has there."""
        mean = self.mean[:, None, None, None]
        turned = along(x_0 - mean, self.axes)
        step = (turned[0] - self.darkest) * ((_BINS - 1) / (self.brightest - self.darkest))
        step = step.clamp(0.0, _BINS - 1.0)
        below = step.long().clamp(0, _BINS - 2)  # (T, H, W); what is no number goes through
        share = step - below

        def between(bound: Tensor) -> Tensor:
            """(2, _BINS) -> (2, T, H, W), linear from step to step."""
            return torch.lerp(bound[:, below], bound[:, below + 1], share)

        rest = turned[1:].clamp(between(self.least), between(self.most))
        return along(torch.cat([turned[:1], rest]), self.axes.T) + mean


def palette_of(level: PyramidLevel, unit: float) -> Palette | None:
    """The palette of a level whose values are worked in parts of `unit`.

    None where the plate is flat, or too little of it is known to say.
    """
    colours = _some_known(level).double().cpu().numpy() / unit  # (3, N)
    if colours.shape[1] < _LEAST:
        return None
    mean = colours.mean(1)
    colours -= mean[:, None]
    # No BLAS, which would sum on cores that are not ours, and so in another order.
    products = np.einsum("in,jn->ij", colours, colours, optimize=False) / colours.shape[1]
    squares, columns = np.linalg.eigh(products)  # rising
    axes = np.ascontiguousarray(columns.T[::-1])
    turned = np.einsum("ij,jn->in", axes, colours, optimize=False)
    darkest, brightest = map(float, np.quantile(turned[0], (_BEYOND, 1.0 - _BEYOND)))
    if squares[-1] <= 0.0 or brightest <= darkest:
        return None
    steps = (turned[0] - darkest) / (brightest - darkest) * (_BINS - 1)
    steps = np.rint(steps).clip(0, _BINS - 1).astype(int)
    bounds = _bounds(turned[1:], steps)
    if bounds is None:
        return None

    def there(values: np.ndarray) -> Tensor:
        return torch.from_numpy(values).float().to(level.x_0.device)

    least, most = map(there, bounds)
    return Palette(there(mean), there(axes), darkest, brightest, least, most)


def _some_known(level: PyramidLevel) -> Tensor:
    """(3, N): known voxels, all of them or every so many, in their order."""
    counts = [int((level.hole[0, frames] == 0.0).sum()) for frames in level.shelf.pieces(level.x_0)]
    step = max(1, -(-sum(counts) // _MOST))
    found, before = [], 0
    for frames, count in zip(level.shelf.pieces(level.x_0), counts, strict=True):
        seen = level.x_0[:, frames][:, level.hole[0, frames] == 0.0]
        found.append(seen[:, -before % step :: step].clone())
        before += count
    return torch.cat(found, 1)


def _bounds(rest: np.ndarray, steps: np.ndarray) -> tuple[np.ndarray, np.ndarray] | None:
    """(least, most), each (2, _BINS), of parts (2, N) whose steps of brightness are (N,).

    Steps of which too few voxels are known take what lies between their neighbours'.
    """
    order = np.argsort(steps, kind="stable")
    starts = np.searchsorted(steps[order], np.arange(_BINS + 1))
    told = [b for b in range(_BINS) if starts[b + 1] - starts[b] >= _LEAST]
    if not told:
        return None
    quantiles = np.stack(
        [
            np.quantile(rest[:, order[starts[b] : starts[b + 1]]], (_SHARE, 1 - _SHARE), 1)
            for b in told
        ]
    )  # (told, 2 bounds, 2 axes)
    every = np.arange(_BINS)
    least, most = (
        np.stack([np.interp(every, told, quantiles[:, bound, axis]) for axis in (0, 1)])
        for bound in (0, 1)
    )
    return least, most
