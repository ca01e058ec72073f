"""Our network as its equations are printed, each thing in its turn: what the quick one has to be.

EDM2 (Karras et al. 2024, arXiv 2312.02696), equations 81 and 88, and a 3-D UNet around them.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional as F

from infusion_engine.diffusion.residual import SHARE, SILU, Block, ResidualUNet


def silu(x: Tensor) -> Tensor:
    """SiLU scaled to keep the magnitude of a standard normal input (equation 81)."""
    return F.silu(x) / SILU


def blend(a: Tensor, b: Tensor) -> Tensor:
    """Magnitude-preserving sum of uncorrelated a and b (equation 88)."""
    return (a * (1.0 - SHARE) + b * SHARE) / math.hypot(1.0 - SHARE, SHARE)


def plain_network(network: ResidualUNet, x: Tensor, level: Tensor) -> Tensor:
    """What `network` says of x (B, INPUTS, T, H, W) and level (B, LEVEL_CHANNELS).

    Returns:
        (B, 3, T, H, W).
    """
    whole = _block(network.down_whole, network.stem(x), level)
    half = _block(network.down_half, _halved(whole), level)
    x = _block(network.down_quarter, _halved(half), level)
    x = _block(network.up_quarter, x, level)
    x = _block(network.up_half, _beside(x, half), level)
    x = _block(network.up_whole, _beside(x, whole), level)
    return network.last(x)  # type: ignore[no-any-return]  # a module's call is untyped


def _block(block: Block, x: Tensor, level: Tensor) -> Tensor:
    """(B, inputs, T, H, W) -> (B, outputs, T, H, W)."""
    x = x if block.match is None else block.match(x)
    gain = 1.0 + block.gain(level)[:, :, None, None, None]
    y = block.first(silu(x))
    return blend(x, block.second(silu(y * gain.to(y.dtype))))


def _halved(x: Tensor) -> Tensor:
    return F.avg_pool3d(x, (1, 2, 2))


def _beside(coarse: Tensor, fine: Tensor) -> Tensor:
    return torch.cat([F.interpolate(coarse, scale_factor=(1, 2, 2)), fine], dim=1)
