"""The patch basis: square colour patches as uncorrelated components, each with its own spread.

Natural texture has most of its energy in flat colour and little in fine detail, so that one
sigma_data cannot suit both: detail drowns in a skip that suits colour. The principal components
of this shot's own patches separate them. The basis is orthonormal, so that white noise stays
white, and EDM's preconditioning holds component by component.

Noise hides detail, so that a noisy interval loses nothing by looking at larger patches: only their
leading components stand out of the noise, there are fewer patches to go through, and a network of
the same size sees further.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

COLOURS = 3
COMPONENTS = 12
"""Leading components that are fitted: all of a 2 x 2 patch, the coarsest of a larger one."""

PATCH_SIZES = (8, 4, 2)
"""Sides of the square patches to choose from, in pixels."""

_HIDDEN = 0.5
"""A component is left out where its spread is below this share of the interval's least noise."""
_LEAST_WHOLE = 1 / 4
"""Least share of the hole in whole patches: only those are learnt, and a thin matte has none."""
_OUTLIERS = 0.001
"""Share of patches, at either end, whose components are not taken for the shot's range."""

_LEAST_SPREAD = 1e-3  # of the encoded range: below any plate's noise


@dataclass(frozen=True)
class PatchBasis:
    """Leading principal components of a shot's known patches of P x P pixels."""

    mean: Tensor
    """(3, P, P) mean patch."""
    basis: Tensor
    """(12, 3, P, P) orthonormal; component k, the largest spread first."""
    spread: Tensor
    """(12,) deviation of each component."""
    fine: Tensor
    """(12,) deviation of each component from its mean over a 3 x 3 x 3 neighbourhood."""
    lowest: Tensor
    """(12,) least value of each component that the shot knows, outliers apart."""
    highest: Tensor
    """(12,) largest value of each component that the shot knows, outliers apart."""
    rest: Tensor
    """() deviation of what the components leave out; 0 when they leave out nothing."""

    @property
    def size(self) -> int:
        """P, in pixels."""
        return int(self.mean.shape[-1])

    def to(self, device: torch.device) -> PatchBasis:
        """The same basis on another device."""
        return PatchBasis(**{name: tensor.to(device) for name, tensor in vars(self).items()})

    def components(self, x: Tensor) -> Tensor:
        """(B, 3, T, H, W) deviations from the mean patch -> (B, 12, T, H/P, W/P), float32."""
        with torch.autocast(x.device.type, enabled=False):
            kernel = self.basis[:, :, None]  # (12, 3, 1, P, P)
            return F.conv3d(x.float(), kernel, stride=(1, self.size, self.size))

    def pixels(self, z: Tensor) -> Tensor:
        """(B, 12, T, H/P, W/P) -> (B, 3, T, H, W) deviations from the mean patch."""
        with torch.autocast(z.device.type, enabled=False):
            kernel = self.basis[:, :, None]
            return F.conv_transpose3d(z, kernel, stride=(1, self.size, self.size))

    def tiled_mean(self, like: Tensor) -> Tensor:
        """The mean patch over and over, (1, 3, 1, H, W) for `like` of (B, C, T, H, W)."""
        height, width = like.shape[-2] // self.size, like.shape[-1] // self.size
        return self.mean.repeat(1, height, width)[None, :, None]


def plain_basis() -> PatchBasis:
    """2 x 2 patches as they are: what a denoiser holds before a shot's own basis is chosen."""
    size = PATCH_SIZES[-1]
    return PatchBasis(
        mean=torch.zeros(COLOURS, size, size),
        basis=torch.eye(COMPONENTS).reshape(COMPONENTS, COLOURS, size, size),
        spread=torch.ones(COMPONENTS),
        fine=torch.ones(COMPONENTS),
        lowest=torch.full((COMPONENTS,), -torch.inf),
        highest=torch.full((COMPONENTS,), torch.inf),
        rest=torch.zeros(()),
    )


def choose_basis(x_0: Tensor, hole: Tensor, *, least_sigma: float) -> PatchBasis:
    """The basis of the largest patches that suit the interval's noise and the hole.

    What their components leave out has to drown in the noise, and some have to fit into the hole.

    Args:
        x_0: (3, T, H, W) encoded clip.
        hole: (1, T, H, W), 1 = not known.
        least_sigma: noise per unit of signal at the interval's least noisy timestep.
    """
    for size in PATCH_SIZES[:-1]:
        if min(x_0.shape[-2:]) < 2 * size or _whole_share(hole, size) < _LEAST_WHOLE:
            continue
        basis = patch_basis(x_0, hole, size=size)
        if float(basis.rest) <= _HIDDEN * least_sigma:
            return basis
    return patch_basis(x_0, hole, size=PATCH_SIZES[-1])


def _whole_share(hole: Tensor, size: int) -> float:
    """Share of the hole that whole patches hold, on average over where their grid may begin.

    1 for a clip with no hole.
    """
    hidden = float(hole.sum())
    whole = -F.max_pool2d(-hole[0], size, stride=1)  # 1 where a patch could stand
    return float(whole.sum()) / hidden if hidden > 0.0 else 1.0


def patch_basis(x_0: Tensor, hole: Tensor, *, size: int) -> PatchBasis:
    """The basis of the known patches of `size` x `size` pixels; arguments as `choose_basis`."""
    x_0, hole = padded(x_0[None], size), padded(hole[None], size)
    patches = to_patches(x_0, size)[0].double()  # (3PP, T, H/P, W/P)
    known = to_patches(hole, size)[0].amax(0) == 0  # (T, H/P, W/P)
    seen = patches[:, known]  # (3PP, N)
    if seen.shape[1] < 2 * len(patches):  # next to nothing is known: a plain basis will do
        seen = patches.flatten(1)
    values, vectors = torch.linalg.eigh(torch.cov(seen))
    basis = vectors.flip(1).T[:COMPONENTS].contiguous()  # (12, 3PP)
    # An eigenvector's sign is arbitrary: the largest entry is made positive on every machine.
    largest = basis.gather(1, basis.abs().argmax(1, keepdim=True))
    basis = basis * largest.sign()
    variances = values.flip(0).clamp(min=_LEAST_SPREAD**2)
    left_out = variances[COMPONENTS:]
    rest = left_out.amax().sqrt() if len(left_out) else torch.zeros(())
    mean = seen.mean(1)
    z = torch.einsum("kc,cthw->kthw", basis, patches - mean[:, None, None, None])
    along = z[:, known] if bool(known.any()) else z.flatten(1)  # (12, N)
    inner = -F.max_pool3d(-known[None].double(), 3, 1, 1)[0] > 0
    detail = (z - smoothed(z[None])[0])[:, inner] if bool(inner.any()) else z.flatten(1)
    return PatchBasis(
        mean=mean.reshape(COLOURS, size, size).float(),
        basis=basis.reshape(COMPONENTS, COLOURS, size, size).float(),
        spread=variances[:COMPONENTS].sqrt().float(),
        fine=detail.pow(2).mean(1).sqrt().clamp(min=_LEAST_SPREAD).float(),
        lowest=_ranked(along, _OUTLIERS),
        highest=_ranked(along, 1.0 - _OUTLIERS),
        rest=rest.float(),
    )


def _ranked(values: Tensor, share: float) -> Tensor:
    """(12, N) -> (12,) float32: the value below which `share` of each row lies."""
    place = round(share * (values.shape[1] - 1))
    return values.sort(dim=1).values[:, place].float()


def smoothed(z: Tensor) -> Tensor:
    """Mean over those of 3 x 3 x 3 neighbours that exist; (B, C, T, H, W) -> the same."""
    around = [1] * 6
    total = F.avg_pool3d(F.pad(z, around), 3, stride=1)
    there = F.avg_pool3d(F.pad(torch.ones_like(z[:1, :1]), around), 3, stride=1)
    return total / there


def padded(x: Tensor, multiple: int) -> Tensor:
    """(B, C, T, H, W) with its last rows and columns repeated up to a multiple."""
    below, right = -x.shape[-2] % multiple, -x.shape[-1] % multiple
    if below == 0 and right == 0:
        return x
    return F.pad(x, (0, right, 0, below, 0, 0), mode="replicate")


def to_patches(x: Tensor, size: int) -> Tensor:
    """(B, C, T, H, W) -> (B, C P P, T, H/P, W/P): each patch becomes channels."""
    b, c, t, h, w = x.shape
    x = x.reshape(b, c, t, h // size, size, w // size, size)
    x = x.permute(0, 1, 4, 6, 2, 3, 5)  # (B, C, P, P, T, H/P, W/P)
    return x.reshape(b, c * size**2, t, h // size, w // size)
