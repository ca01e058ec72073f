"""The patch basis: 2 x 2 colour patches as uncorrelated components, each with its own spread.

Natural texture has most of its energy in flat colour and little in fine detail, so that one
sigma_data cannot suit both: detail drowns in a skip that suits colour. The principal components
of this shot's own 2 x 2 x RGB patches separate them. The basis is orthonormal, so that white
noise stays white, and EDM's preconditioning holds component by component.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

PATCH = 2
COLOURS = 3
COMPONENTS = COLOURS * PATCH**2

_LEAST_SPREAD = 1e-3  # of the encoded range: below any plate's noise


@dataclass(frozen=True)
class PatchBasis:
    """Principal components of a shot's known patches."""

    mean: Tensor
    """(12,) mean patch."""
    basis: Tensor
    """(12, 12) orthonormal; row k is component k, the largest spread first."""
    spread: Tensor
    """(12,) deviation of each component."""
    fine: Tensor
    """(12,) deviation of each component from its mean over a 3 x 3 x 3 neighbourhood."""


def patch_basis(x_0: Tensor, hole: Tensor) -> PatchBasis:
    """The basis of the patches that are known.

    Args:
        x_0: (3, T, H, W) encoded clip; H and W even.
        hole: (1, T, H, W), 1 = not known.
    """
    patches = to_patches(x_0[None])[0].double()  # (12, T, H/2, W/2)
    known = to_patches(hole[None])[0].amax(0) == 0  # (T, H/2, W/2)
    seen = patches[:, known]  # (12, N)
    if seen.shape[1] < 2 * COMPONENTS:  # next to nothing is known: a plain basis will do
        seen = patches.flatten(1)
    mean = seen.mean(1)
    values, vectors = torch.linalg.eigh(torch.cov(seen))
    basis = vectors.flip(1).T.contiguous()
    # An eigenvector's sign is arbitrary: the largest entry is made positive on every machine.
    largest = basis.gather(1, basis.abs().argmax(1, keepdim=True))
    basis = basis * largest.sign()
    spread = values.flip(0).clamp(min=_LEAST_SPREAD**2).sqrt()
    z = torch.einsum("kc,cthw->kthw", basis, patches - mean[:, None, None, None])
    inner = -F.max_pool3d(-known[None].double(), 3, 1, 1)[0] > 0
    detail = (z - smoothed(z[None])[0])[:, inner] if bool(inner.any()) else z.flatten(1)
    fine = detail.pow(2).mean(1).sqrt().clamp(min=_LEAST_SPREAD)
    return PatchBasis(*(v.float() for v in (mean, basis, spread, fine)))


def smoothed(z: Tensor) -> Tensor:
    """Mean over 3 x 3 x 3 neighbours that exist; (B, C, T, H, W) -> the same."""
    return F.avg_pool3d(z, 3, stride=1, padding=1, count_include_pad=False)


def to_patches(x: Tensor) -> Tensor:
    """(B, C, T, H, W) -> (B, 4C, T, H/2, W/2): each 2 x 2 patch becomes channels."""
    b, c, t, h, w = x.shape
    x = x.reshape(b, c, t, h // PATCH, PATCH, w // PATCH, PATCH)
    x = x.permute(0, 1, 4, 6, 2, 3, 5)  # (B, C, 2, 2, T, H/2, W/2)
    return x.reshape(b, c * PATCH**2, t, h // PATCH, w // PATCH)


def from_patches(x: Tensor) -> Tensor:
    """(B, 4C, T, H/2, W/2) -> (B, C, T, H, W), the inverse of :func:`to_patches`."""
    b, c, t, h, w = x.shape
    x = x.reshape(b, c // PATCH**2, PATCH, PATCH, t, h, w)
    x = x.permute(0, 1, 4, 5, 2, 6, 3)  # (B, C, T, H/2, 2, W/2, 2)
    return x.reshape(b, c // PATCH**2, t, h * PATCH, w * PATCH)


def plain_basis() -> PatchBasis:
    """A basis of the right shapes, to be filled from saved weights."""
    ones = torch.ones(COMPONENTS)
    return PatchBasis(torch.zeros(COMPONENTS), torch.eye(COMPONENTS), ones, ones / math.sqrt(2))
