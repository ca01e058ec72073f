"""Seam: what a fill is out by along the hole's edge is taken out of it, less and less further in.

A texture goes on across the edge of a hole as it goes on elsewhere. Where it jumps there, in one
way over more than a pixel or two, the eye draws the matte. Compositors have always spread such a
difference into what they put in (Perez et al. 2003, Poisson image editing, equations 2 and 4);
here as much is spread as is surely no texture.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional as F

from infusion_engine.diffusion.smooth import gaussian, smoothed

_BLUR = 1.5
"""Deviation, in pixels, of the smoothing along the edge."""
_SURE = 2.0
"""Squared mean of a jump, in its own variance, from which on it is believed. Of pure grain one in
nine passes, and the fill's power grows by a fiftieth."""
_LEAST_JUMPS = 4.0
"""Independent jumps without which nothing is believed; along a straight edge there are 5.3."""
_BESIDE = 3
"""Known pixels around a hole that are looked at: two say how the plate goes on."""
_REACHES = 3
"""How many times the distance at which a correction has fallen to 1 / e it is followed inwards."""
_SIDES = ((0, 1), (0, -1), (1, 0), (-1, 0))
"""From a pixel of the hole to the known one beside it: rows, columns."""


@torch.no_grad()
def mended(
    x_0: Tensor, hole: Tensor, *, pixels: float, check: Callable[[], None] = lambda: None
) -> Tensor:
    """The fill without its seam, each frame by itself.

    Args:
        x_0: (3, T, H, W), known pixels in place, all finite near the hole.
        hole: (1, T, H, W), 1 = missing.
        pixels: distance from the edge at which a correction has fallen to 1 / e; 0 for none.
        check: called at each frame; raises to stop.

    Returns:
        (3, T, H, W), x_0 itself where it is known.
    """
    if pixels <= 0:
        return x_0
    filled = x_0.clone()
    for frame in range(x_0.shape[1]):
        check()
        where = _around(hole[0, frame])
        if where is None:
            continue
        fill, inside = x_0[:, frame, *where][None], hole[:, frame, *where][None]  # (1, C, H, W)
        lacking = _carried(*_edge(fill, inside), inside, pixels=pixels)
        filled[:, frame, *where] = torch.where(inside > 0.0, fill + lacking, fill)[0]
    return filled


def _around(hole: Tensor) -> tuple[slice, slice] | None:
    """(rows, columns) of a frame's hole (H, W) and of what is looked at beside it; None of none."""
    rows, columns = (torch.nonzero(hole.amax(axis) > 0.0)[:, 0] for axis in (1, 0))
    if not len(rows):
        return None
    first, last = ([int(found[at]) for found in (rows, columns)] for at in (0, -1))
    rows_there, columns_there = (
        slice(max(low - _BESIDE, 0), high + 1 + _BESIDE)
        for low, high in zip(first, last, strict=True)
    )
    return rows_there, columns_there


def _edge(fill: Tensor, hole: Tensor) -> tuple[Tensor, Tensor]:
    """(what the fill lacks (1, 3, H, W), where that is known (1, 1, H, W) bool): along the edge.

    Jumps of single pixels are texture: they are averaged along the edge, and of the mean as much is
    left as is more than chance (James and Stein 1961, the positive part).
    """
    total, squares = torch.zeros_like(fill), torch.zeros_like(fill[:, :1])
    count = torch.zeros_like(hole)
    for rows, columns in _SIDES:
        out, deeper, further = (_moved(fill, rows * far, columns * far) for far in (1, -1, 2))
        open_out, open_deeper, open_further = (
            _moved(hole, rows * far, columns * far, beyond=beyond)
            for far, beyond in ((1, 1.0), (-1, 0.0), (2, 1.0))
        )
        told = hole * (1.0 - open_out) * open_deeper * (1.0 - open_further)
        # As steep from the hole's last pixel to the plate's first as on the two sides.
        lacking = told * ((out - fill) - 0.5 * ((fill - deeper) + (further - out)))
        total += lacking
        squares += lacking.square().sum(1, True)
        count += told
    kernel = gaussian(_BLUR, fill)
    weight = smoothed(count, kernel)
    jumps = weight.square() / smoothed(count, kernel.square()).clamp(min=1e-12)  # independent ones
    mean = smoothed(total, kernel) / weight.clamp(min=1e-9)
    size = mean.square().sum(1, True)
    about = (smoothed(squares, kernel) / weight.clamp(min=1e-9) - size).clamp(min=0.0)
    # The mean's variance by chance is about / (jumps - 1); of one or two jumps nothing is known.
    sure = 1.0 - _SURE * about / (jumps - 1.0).clamp(min=1e-9) / size.clamp(min=1e-12)
    return mean * torch.where(jumps >= _LEAST_JUMPS, sure.clamp(min=0.0), 0.0), count > 0.0


def _carried(value: Tensor, known: Tensor, hole: Tensor, *, pixels: float) -> Tensor:
    """(1, 3, H, W): the edge's value, carried into the hole a pixel at a time and fading."""
    at = known.to(value.dtype)
    value = value * at
    for _ in range(math.ceil(_REACHES * pixels)):
        reached = F.avg_pool2d(at, 3, 1, 1)
        new = (reached > 0.0) & (at == 0.0) & (hole > 0.0)
        if not bool(new.any()):
            break
        beside = F.avg_pool2d(value, 3, 1, 1) / reached.clamp(min=1e-9)
        value = torch.where(new, beside * math.exp(-1.0 / pixels), value)
        at = torch.where(new, 1.0, at)
    return value


def _moved(x: Tensor, rows: int, columns: int, *, beyond: float = 0.0) -> Tensor:
    """X at (row + rows, column + columns); `beyond` where that is outside."""
    height, width = x.shape[2:]
    far = max(abs(rows), abs(columns))
    padded = F.pad(x, (far, far, far, far), value=beyond)
    return padded[..., far + rows : far + rows + height, far + columns : far + columns + width]
