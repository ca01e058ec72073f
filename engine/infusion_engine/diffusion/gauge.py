"""The gauge of a level: the sizes by which its values are made unit values for the network."""

from __future__ import annotations

from dataclasses import dataclass, fields

import torch
from torch import Tensor

from infusion_engine.diffusion.axes import along
from infusion_engine.diffusion.bands import COUNT, Shares
from infusion_engine.diffusion.hint import Hint

LEAST_SPREAD = 0.4
"""Share of the level's spread below which no voxel's is taken to be: estimates err, and where they
are far too small the fill runs away (docs/decisions/local-spread.md)."""
SPREAD_MARGIN = 1.4
"""A voxel's spread is taken to be this much more than is expected. Too large a spread leaves the
network some noise to take away; too small a one has it shout against its own preconditioning."""


@dataclass(frozen=True)
class Gauge:
    """What is to be filled at one level, in numbers."""

    mean: Tensor
    """(3,) mean of the known voxels."""
    deviation: Tensor
    """() deviation of the known voxels."""
    spread: Tensor
    """() deviation of x_0 from the guess where it has to be filled, over all of the level."""
    moving: Tensor
    """() squared deviation from the guess for each unit of energy that is expected."""
    unseen: Tensor
    """() squared deviation from the guess where nothing is remembered, on top of that."""
    axes: Tensor
    """(3, 3), orthonormal rows: directions of colour in which the guess is out, furthest first."""
    shares: Tensor
    """(3,) in (0, 1], deviation along each of them as a part of the first's."""
    signal: Tensor
    """(COUNT,) each band's part of the squared deviation from the guess, summing to 1."""
    noise: Tensor
    """(COUNT,) each band's part of white noise in such holes, summing to 1."""

    def to(self, device: torch.device) -> Gauge:
        """The same gauge on a device."""
        return Gauge(**{f.name: getattr(self, f.name).to(device) for f in fields(self)})

    @property
    def bands(self) -> Shares:
        """How what is to be found, and noise, are shared among bands."""
        return Shares(self.signal, self.noise)

    @property
    def axis_shares(self) -> Tensor:
        """`shares`, (1, 3, 1, 1, 1)."""
        return self.shares[None, :, None, None, None]

    def along(self, x: Tensor) -> Tensor:
        """(B, 3, T, H, W) in red, green and blue -> the same along the axes of colour."""
        return along(x, self.axes)

    def back(self, x: Tensor) -> Tensor:
        """(B, 3, T, H, W) along the axes of colour -> the same in red, green and blue."""
        return along(x, self.axes.T)

    def expected(self, hint: Hint) -> Tensor:
        """Deviation of x_0 from the guess that is expected at each voxel, (B, 1, T, H, W).

        It is sigma_data of EDM, voxel by voxel: what hardly changes is not to be filled with the
        noise of what does.
        """
        squares = self.moving * hint.energy + self.unseen * (1.0 - hint.weight)
        whole = self.spread
        return (SPREAD_MARGIN * squares.sqrt()).clamp(min=LEAST_SPREAD * whole, max=whole)


def plain_gauge() -> Gauge:
    """What holds before a fit has looked at the shot."""
    half = torch.tensor(0.5)
    return Gauge(
        mean=torch.zeros(3),
        deviation=half,
        spread=half,
        moving=torch.tensor(0.0),
        unseen=half**2,
        axes=torch.eye(3),
        shares=torch.ones(3),
        signal=torch.full((COUNT,), 1.0 / COUNT),
        noise=torch.full((COUNT,), 1.0 / COUNT),
    )
