"""The published denoiser: a 3-D UNet with 492,963 parameters (paper, section 4.1)."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn.functional import interpolate, max_pool3d, pad

from infusion_engine.diffusion.hint import Hint
from infusion_engine.diffusion.reach import Reach

TIME_CHANNELS = 16
COLOURS = 3


class TimeEmbedding(nn.Module):
    """Sines and cosines of the raw timestep (Vaswani et al. 2017, section 3.5)."""

    def forward(self, t: Tensor) -> Tensor:
        """(B,) timesteps -> (B, 16): eight sines, then eight cosines."""
        half = TIME_CHANNELS // 2
        rates = torch.exp(torch.arange(half, device=t.device) * (-math.log(10_000) / (half - 1)))
        angles = t[:, None].float() * rates[None]  # (B, 8)
        return torch.cat([angles.sin(), angles.cos()], dim=-1)  # (B, 16)


def _two_convolutions(inputs: int, outputs: int) -> nn.Sequential:
    """Two 3x3x3 convolutions, each with a ReLU."""
    return nn.Sequential(
        nn.Conv3d(inputs, outputs, 3, padding=1),
        nn.ReLU(),
        nn.Conv3d(outputs, outputs, 3, padding=1),
        nn.ReLU(),
    )


class Level(nn.Module):
    """One spatial level: two convolutions, the coarser level, and two more over the skip."""

    def __init__(self, *, levels: int, channels: int) -> None:
        super().__init__()
        self.pre = _two_convolutions(channels, channels)
        self.inner: nn.Module = (
            Level(levels=levels - 1, channels=channels)
            if levels > 1
            else _two_convolutions(channels, channels)
        )
        self.post = _two_convolutions(2 * channels, channels)

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, T, H, W) -> the same; H and W are multiples of 2**levels."""
        skip = self.pre(x)  # (B, C, T, H, W)
        x = self.inner(max_pool3d(skip, (1, 2, 2)))  # (B, C, T, H/2, W/2)
        x = interpolate(x, scale_factor=(1, 2, 2))  # (B, C, T, H, W)
        out: Tensor = self.post(torch.cat([x, skip], dim=1))
        return out


class PublishedUNet(nn.Module):
    """Predicts x_0 from x_t, the conditioning, the hole and the timestep."""

    levels = 3
    """Inside, H and W are multiples of 2**3."""
    reach = Reach(frames=16, pixels=56, grid=8, values=9.0, besides=60.0)
    """53 pixels, and whole multiples of what is halved away."""

    def __init__(self, *, channels: int = 32) -> None:
        super().__init__()
        self.time = TimeEmbedding()
        inputs = COLOURS + COLOURS + 1 + TIME_CHANNELS
        self.first = nn.Sequential(nn.Conv3d(inputs, channels, 3, padding=1), nn.ReLU())
        self.body = Level(levels=self.levels, channels=channels)
        self.last = nn.Conv3d(channels, COLOURS, 3, padding=1)

    def forward(
        self, x_t: Tensor, conditioning: Tensor, hole: Tensor, hint: Hint, t: Tensor
    ) -> Tensor:
        """Predicted x_0.

        Args:
            x_t: (B, 3, T, H, W), noisy clip; H and W may be any.
            conditioning: (B, 3, T, H, W), plate times known, in [-1, 1].
            hole: (B, 1, T, H, W), 1 = missing.
            hint: not looked at; the published network knows none.
            t: (B,) timesteps.

        Returns:
            (B, 3, T, H, W).
        """
        del hint  # part of the interface, not of the paper
        height, width = x_t.shape[-2:]
        # What is added to come to whole multiples is missing, and cut off again.
        more = (0, -width % 2**self.levels, 0, -height % 2**self.levels)
        x_t, conditioning = pad(x_t, more), pad(conditioning, more)
        hole = pad(hole, more, value=1.0)
        planes = self.time(t)[:, :, None, None, None].expand(-1, -1, *x_t.shape[2:])
        x = torch.cat([conditioning, x_t, hole, planes.to(x_t.dtype)], dim=1)  # (B, 23, T, H, W)
        out: Tensor = self.last(self.body(self.first(x)))
        return out[..., :height, :width]
