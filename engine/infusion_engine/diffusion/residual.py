"""Our denoiser: a small residual 3-D UNet that adds to a guess what the guess leaves out.

Convolutions normalised per output channel, magnitude-preserving SiLU and sums follow Karras et
al. 2024 (EDM2, arXiv 2312.02696, section 2.3 and equations 66, 81 and 88); the preconditioning
follows EDM (arXiv 2206.00364, table 1), applied to what is missing from the guess.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, fields

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from infusion_engine.diffusion.axes import along
from infusion_engine.diffusion.convolution import convolve
from infusion_engine.diffusion.hint import Hint
from infusion_engine.diffusion.reach import Reach
from infusion_engine.diffusion.schedule import alpha_bars

INPUTS = 3 + 3 + 3 + 1 + 1 + 3 + 1 + 1
"""Noisy residual in the hole, known residual, the guess, the hole, ones, memory, its weight,
and how much is expected."""
DEEPEST = 4
"""The deepest features stand for 4 x 4 pixels."""
LEAST_SPREAD = 0.4
"""Share of the level's spread below which no voxel's is taken to be: estimates err, and where they
are far too small the fill runs away (docs/decisions/local-spread.md)."""
SPREAD_MARGIN = 1.4
"""A voxel's spread is taken to be this much more than is expected. Too large a spread leaves the
network some noise to take away; too small a one has it shout against its own preconditioning."""
SILU = 0.596
"""Root mean square of SiLU of a standard normal input (EDM2, equation 81)."""
SHARE = 0.4
"""Of a block's own in what it hands on (EDM2, equation 88)."""
LEVEL_CHANNELS = 16  # features that tell the network its noise level


def normalised(weight: Tensor) -> Tensor:
    """`weight` (outputs, fan-in) with unit mean square per row (EDM2, equation 66)."""
    size = torch.linalg.vector_norm(weight, dim=1, keepdim=True)
    scale: Tensor = math.sqrt(weight.shape[1]) / (size + 1e-6)
    return weight * scale


class Convolution(nn.Module):
    """A convolution whose output has its input's magnitude: weights normalised at every use.

    What only scales its input or its output is put into its kernels, which are small: passes over
    features are what a step waits for. But for gains of a batch of several, which differ.
    """

    def __init__(self, inputs: int, outputs: int, kernel: tuple[int, int, int]) -> None:
        super().__init__()
        self.kernel = kernel
        # A matrix, one row per output: the optimiser works on matrices.
        self.weight = nn.Parameter(torch.empty(outputs, inputs * math.prod(kernel)))
        self.padding = [size // 2 for size in kernel]

    def forward(self, x: Tensor, scale: float = 1.0, gain: Tensor | None = None) -> Tensor:
        """(B, inputs, T, H, W) -> (B, outputs, T, H, W), times `scale` and `gain` (B, outputs)."""
        if gain is None:
            return convolve(x, self.kernels(scale), None, self.padding)
        if len(gain) == 1:
            kernels = self.kernels(scale) * gain[0, :, None, None, None, None]
            return convolve(x, kernels, None, self.padding)
        y = convolve(x, self.kernels(scale), None, self.padding)
        return y * gain[:, :, None, None, None].to(y.dtype)

    def kernels(self, scale: float = 1.0) -> Tensor:
        """(outputs, inputs, kT, kH, kW), normalised, times `scale`."""
        weight = normalised(self.weight) * (scale / math.sqrt(self.weight.shape[1]))
        return weight.reshape(len(weight), -1, *self.kernel)


class Block(nn.Module):
    """Two convolutions around a noise-level gain, added to what came in.

    SiLU is scaled to keep the magnitude of a standard normal input, and the sum is that of
    uncorrelated terms (EDM2, equations 81 and 88).
    """

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.match = Convolution(inputs, outputs, (1, 1, 1)) if inputs != outputs else None
        self.first = Convolution(outputs, outputs, (3, 3, 3))
        self.second = Convolution(outputs, outputs, (1, 3, 3))
        self.gain = nn.Linear(LEVEL_CHANNELS, outputs)

    def forward(self, x: Tensor, level: Tensor) -> Tensor:
        """(B, inputs, T, H, W) and (B, LEVEL_CHANNELS) -> (B, outputs, T, H, W)."""
        return self.added(x if self.match is None else self.match(x), level)

    def joined(self, coarse: Tensor, fine: Tensor, level: Tensor) -> Tensor:
        """The block of `coarse` (B, c, T, H/2, W/2), each value repeated, and of `fine` beside it.

        A kernel of one voxel may come before the repeating: a quarter of the work, and the two
        need not be put side by side.
        """
        if self.match is None:
            raise ValueError("a block that matches nothing has nothing to join")
        kernels, inputs = self.match.kernels(), coarse.shape[1]
        own, beside = kernels[:, :inputs], kernels[:, inputs:]
        return self.added(plus_repeated(F.conv3d(fine, beside), F.conv3d(coarse, own)), level)

    def added(self, x: Tensor, level: Tensor) -> Tensor:
        """What the convolutions make of x (B, outputs, T, H, W), added to it."""
        whole = math.hypot(1.0 - SHARE, SHARE)
        y = self.first(F.silu(x), 1.0 / SILU, 1.0 + self.gain(level))
        y = F.silu(y, inplace=not torch.is_grad_enabled())  # large clips: held once, not twice
        y = self.second(y, SHARE / (whole * SILU))
        mixed: Tensor = y.add_(x, alpha=(1.0 - SHARE) / whole)
        return mixed


class ResidualUNet(nn.Module):
    """The network alone: three levels of blocks down and up."""

    def __init__(self, *, channels: int) -> None:
        super().__init__()
        whole, half, quarter = channels, channels * 3 // 2, channels * 2
        self.stem = Convolution(INPUTS, whole, (3, 3, 3))
        self.down_whole = Block(whole, whole)
        self.down_half = Block(whole, half)
        self.down_quarter = Block(half, quarter)
        self.up_quarter = Block(quarter, quarter)
        self.up_half = Block(quarter + half, half)
        self.up_whole = Block(half + whole, whole)
        self.last = nn.Conv3d(whole, 3, 3, padding=1)

    def forward(self, x: Tensor, level: Tensor) -> Tensor:
        """(B, INPUTS, T, H, W), (B, LEVEL_CHANNELS) -> (B, 3, T, H, W); H, W multiples of 4."""
        whole = self.down_whole(self.stem(x), level)  # (B, c, T, H, W)
        half = self.down_half(pooled(whole), level)  # (B, 3c/2, T, H/2, W/2)
        x = self.down_quarter(pooled(half), level)  # (B, 2c, T, H/4, W/4)
        x = self.up_quarter(x, level)
        x = self.up_half.joined(x, half, level)
        x = self.up_whole.joined(x, whole, level)
        return convolve(x, self.last.weight, self.last.bias, [1, 1, 1])


def pooled(x: Tensor) -> Tensor:
    """Means of (1, 2, 2) voxels, frame by frame: a CPU's three-dimensional ones are in float32."""
    batch, channels, frames, rows, columns = x.shape
    means = F.avg_pool2d(x.transpose(1, 2).flatten(0, 1), 2)  # (B T, C, H/2, W/2)
    return means.reshape(batch, frames, channels, rows // 2, columns // 2).transpose(1, 2)


def plus_repeated(x: Tensor, coarse: Tensor) -> Tensor:
    """Sum of x (B, C, T, H, W) and `coarse` (B, C, T, H/2, W/2) with each value repeated 2 x 2."""
    batch, channels, frames, rows, columns = x.shape
    cells = x.movedim(1, -1).reshape(batch, frames, rows // 2, 2, columns // 2, 2, channels)
    found = cells + coarse.movedim(1, -1)[:, :, :, None, :, None, :]
    # Channels last in memory, as convolutions want them, and said so: reshaped and not flattened.
    return found.reshape(batch, frames, rows, columns, channels).movedim(-1, 1)


@dataclass(frozen=True)
class Gauge:
    """The sizes by which one level's values are made unit values for the network."""

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

    def to(self, device: torch.device) -> Gauge:
        """The same gauge on a device."""
        return Gauge(**{f.name: getattr(self, f.name).to(device) for f in fields(self)})


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
    )


class ResidualDenoiser(nn.Module):
    """Predicts x_0 as the guess, plus a share of the noisy residual, plus a correction.

    The residual is x_0 minus the guess; c_skip and c_out are EDM's (table 1) with the residual's
    spread as sigma_data, so that an unfitted network already is a Wiener filter around the guess.
    Residuals are seen and said along the shot's own axes of colour, each with its share of that
    spread: what is never green is not to be filled with green noise
    (docs/decisions/colour-axes.md).
    """

    alpha_bars: Tensor
    reach = Reach(frames=8, pixels=36, grid=DEEPEST, values=6.0, besides=80.0)
    """33 pixels, and whole multiples of what is halved away."""

    def __init__(self, *, channels: int) -> None:
        super().__init__()
        self.network = ResidualUNet(channels=channels)
        self.gauge = plain_gauge()  # each fit takes the shot's own
        table = torch.from_numpy(alpha_bars().astype("float32"))
        self.register_buffer("alpha_bars", table, persistent=False)

    def forward(
        self, x_t: Tensor, conditioning: Tensor, hole: Tensor, hint: Hint, t: Tensor
    ) -> Tensor:
        """Predicted x_0, float32; arguments and shape as :class:`Denoiser`. H and W may be any.

        Known pixels enter at zero noise, through the conditioning alone.
        """
        a, sigma = self.alpha_bars[t], self.sigma(t)
        spread = self.spread(hint)
        spreads = self.spreads(hint)
        # The residual and noise, along the axes of colour.
        noisy = self.along(x_t / torch.sqrt(a)[:, None, None, None, None] - hint.guess)
        unit_noisy = noisy * torch.rsqrt(spreads**2 + sigma**2) * hole
        x = _laid_out(self._features(unit_noisy, conditioning, hole, hint, spread))
        level = self.level(-torch.log(sigma.flatten()) / 4.0)
        correction = self.network(x, level)
        height, width = x_t.shape[-2:]
        c_skip, c_out = scalings(spreads, sigma)
        added = c_skip * noisy + c_out * correction[..., :height, :width].float()
        return hint.guess + along(added, self.gauge.axes.T)

    def _features(
        self,
        unit_noisy: Tensor,
        conditioning: Tensor,
        hole: Tensor,
        hint: Hint,
        spread: Tensor,
    ) -> Tensor:
        """What the network sees, each feature of about unit size: (B, INPUTS, T, H, W)."""
        whole, known = self.gauge.spread, 1.0 - hole
        each = whole * self._shares
        mean = self.gauge.mean[None, :, None, None, None]
        return torch.cat(
            [
                unit_noisy,
                self.along(conditioning - hint.guess) * known / each,
                (hint.guess - mean) / self.gauge.deviation,
                hole,
                torch.ones_like(hole),
                self.along(hint.memory - hint.guess) * hint.weight / each,
                hint.weight.expand_as(hole),
                torch.log(spread / whole) * hole,
            ],
            dim=1,
        )

    def spread(self, hint: Hint) -> Tensor:
        """Deviation of x_0 from the guess that is expected at each voxel, (B, 1, T, H, W).

        It is sigma_data of EDM, voxel by voxel: what hardly changes is not to be filled with the
        noise of what does.
        """
        squares = self.gauge.moving * hint.energy + self.gauge.unseen * (1.0 - hint.weight)
        whole = self.gauge.spread
        return (SPREAD_MARGIN * squares.sqrt()).clamp(min=LEAST_SPREAD * whole, max=whole)

    def spreads(self, hint: Hint) -> Tensor:
        """The same along each axis of colour, (B, 3, T, H, W)."""
        return self.spread(hint) * self._shares

    @property
    def _shares(self) -> Tensor:
        """The gauge's shares, (1, 3, 1, 1, 1)."""
        return self.gauge.shares[None, :, None, None, None]

    def along(self, x: Tensor) -> Tensor:
        """(B, 3, T, H, W) in red, green and blue -> the same along the axes of colour."""
        return along(x, self.gauge.axes)

    def in_units(self, error: Tensor, hint: Hint, t: Tensor) -> Tensor:
        """An error of x_0 in what the network says: along the axes, over c_out, (B, 3, T, H, W)."""
        return self.along(error) / scalings(self.spreads(hint), self.sigma(t))[1]

    def sigma(self, t: Tensor) -> Tensor:
        """Noise per unit of signal, (B, 1, 1, 1, 1)."""
        a = self.alpha_bars[t][:, None, None, None, None]
        return torch.sqrt((1.0 - a) / a)

    @staticmethod
    def level(position: Tensor) -> Tensor:
        """(B,) log-SNR over 8 nats -> (B, LEVEL_CHANNELS) sines and cosines, slow ones first."""
        rates = 2.0 ** torch.arange(LEVEL_CHANNELS // 2, device=position.device) * 0.5
        angles = position[:, None] * rates[None]
        return torch.cat([angles.sin(), angles.cos()], dim=1)


def scalings(spread: Tensor, sigma: Tensor) -> tuple[Tensor, Tensor]:
    """(c_skip, c_out) of EDM (table 1) for data of deviation `spread`."""
    variance, noise = spread**2, sigma**2
    return variance / (variance + noise), torch.sqrt(variance * noise / (variance + noise))


def _laid_out(x: Tensor) -> Tensor:
    """X as convolutions want it: channels last, in their precision, H and W multiples of DEEPEST.

    Zeros stand below and to the right: "not there" (0 ones).
    """
    height, width = x.shape[-2:]
    if height % DEEPEST or width % DEEPEST:
        x = F.pad(x, (0, -width % DEEPEST, 0, -height % DEEPEST))
    device = x.device.type
    dtype = torch.get_autocast_dtype(device) if torch.is_autocast_enabled(device) else x.dtype
    return x.to(dtype=dtype, memory_format=torch.channels_last_3d)
