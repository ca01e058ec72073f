"""Our denoiser: a small residual 3-D UNet whose weights and activations keep their magnitude.

Convolutions normalised per output channel, magnitude-preserving SiLU and sums follow Karras et
al. 2024 (EDM2, arXiv 2312.02696, section 2.3 and equations 66, 81 and 88); the preconditioning
follows EDM (arXiv 2206.00364, table 1). Pixels enter as components of square patches, so that
no convolution runs at full resolution: 78 % of the published network's arithmetic is spent there.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from infusion_engine.diffusion.patches import COMPONENTS, padded, plain_basis, smoothed
from infusion_engine.diffusion.schedule import alpha_bars

INPUTS = 4 * COMPONENTS + 1 + 1
"""Noisy patches in the hole, known patches, detail of both on two scales, the hole, ones."""
DEEPEST = 4
"""The deepest level has a patch for each 4 x 4 of the first."""
LEVEL_CHANNELS = 16  # features that tell the network its noise level


def normalised(weight: Tensor) -> Tensor:
    """`weight` with unit mean square per output channel (EDM2, equation 66)."""
    dims = tuple(range(1, weight.ndim))
    size = torch.linalg.vector_norm(weight, dim=dims, keepdim=True)
    scale: Tensor = math.sqrt(weight[0].numel()) / (size + 1e-6)
    return weight * scale


class Convolution(nn.Module):
    """A convolution whose output has its input's magnitude: weights normalised at every use."""

    def __init__(self, inputs: int, outputs: int, kernel: tuple[int, int, int]) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(outputs, inputs, *kernel))
        self.padding = [size // 2 for size in kernel]

    def forward(self, x: Tensor) -> Tensor:
        """(B, inputs, T, H, W) -> (B, outputs, T, H, W)."""
        weight = normalised(self.weight) / math.sqrt(self.weight[0].numel())
        return F.conv3d(x, weight, padding=self.padding)


def silu(x: Tensor) -> Tensor:
    """SiLU scaled to keep the magnitude of a standard normal input (EDM2, equation 81)."""
    return F.silu(x) / 0.596


def blend(a: Tensor, b: Tensor, share: float) -> Tensor:
    """Magnitude-preserving weighted sum of uncorrelated a and b (EDM2, equation 88)."""
    return (a * (1.0 - share) + b * share) / math.hypot(1.0 - share, share)


class Block(nn.Module):
    """Two convolutions around a noise-level gain, added to what came in."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.match = Convolution(inputs, outputs, (1, 1, 1)) if inputs != outputs else None
        self.first = Convolution(outputs, outputs, (3, 3, 3))
        self.second = Convolution(outputs, outputs, (1, 3, 3))
        self.gain = nn.Linear(LEVEL_CHANNELS, outputs)

    def forward(self, x: Tensor, level: Tensor) -> Tensor:
        """(B, inputs, T, H, W) and (B, LEVEL_CHANNELS) -> (B, outputs, T, H, W)."""
        if self.match is not None:
            x = self.match(x)
        gain = 1.0 + self.gain(level)[:, :, None, None, None]  # (B, outputs, 1, 1, 1)
        y = self.first(silu(x))
        y = self.second(silu(y * gain.to(y.dtype)))
        return blend(x, y, 0.4)


class ResidualUNet(nn.Module):
    """The network alone: patches, three levels of blocks down and up, patches back to pixels."""

    def __init__(self, *, channels: int) -> None:
        super().__init__()
        # Widths at one, two and four patches a step: half, quarter and eighth of the size when
        # patches are the smallest.
        half, quarter, eighth = channels, channels * 3 // 2, channels * 2
        self.stem = Convolution(INPUTS, half, (3, 3, 3))
        self.down_half = Block(half, half)
        self.down_quarter = Block(half, quarter)
        self.down_eighth = Block(quarter, eighth)
        self.up_eighth = Block(eighth, eighth)
        self.up_quarter = Block(eighth + quarter, quarter)
        self.up_half = Block(quarter + half, half)
        self.last = nn.Conv3d(half, COMPONENTS, 3, padding=1)

    def forward(self, x: Tensor, level: Tensor) -> Tensor:
        """(B, INPUTS, T, h, w), (B, LEVEL_CHANNELS) -> (B, COMPONENTS, T, h, w), in patches."""
        half = self.down_half(self.stem(x), level)  # (B, c, T, h, w)
        quarter = self.down_quarter(F.avg_pool3d(half, (1, 2, 2)), level)  # (B, 3c/2, T, h/2, w/2)
        x = self.down_eighth(F.avg_pool3d(quarter, (1, 2, 2)), level)  # (B, 2c, T, h/4, w/4)
        x = self.up_eighth(x, level)
        x = self.up_quarter(torch.cat([doubled(x), quarter], dim=1), level)
        x = self.up_half(torch.cat([doubled(x), half], dim=1), level)
        out: Tensor = self.last(x)
        return out


def doubled(x: Tensor) -> Tensor:
    """Nearest (1, 2, 2) upsampling."""
    return F.interpolate(x, scale_factor=(1, 2, 2))


class ResidualDenoiser(nn.Module):
    """Predicts x_0 component by component: a skip of the noisy patch plus a correction.

    c_skip and c_out are EDM's (table 1) with each component's own spread as sigma_data, so that
    an unfitted network already is the Wiener filter of the shot's patches. What the components
    leave out of a patch gets that filter alone.
    """

    alpha_bars: Tensor

    def __init__(self, *, channels: int) -> None:
        super().__init__()
        self.network = ResidualUNet(channels=channels)
        self.patches = plain_basis()  # each interval's fit chooses the shot's own
        table = torch.from_numpy(alpha_bars().astype("float32"))
        self.register_buffer("alpha_bars", table, persistent=False)

    def forward(self, x_t: Tensor, conditioning: Tensor, hole: Tensor, t: Tensor) -> Tensor:
        """Predicted x_0, float32; arguments and shape as :meth:`PublishedUNet.forward`.

        Known pixels enter at zero noise, through the conditioning alone. H and W may be any.
        """
        height, width = x_t.shape[-2:]
        multiple = self.patches.size * DEEPEST
        x_t, conditioning, hole = (padded(x, multiple) for x in (x_t, conditioning, hole))
        sigma = self.sigma(t)
        mean = self.patches.tiled_mean(x_t)
        noisy = x_t / torch.sqrt(self.alpha_bars[t])[:, None, None, None, None] - mean
        z = self.patches.components(noisy)  # (B, 12, T, H/P, W/P)
        x = self._features(z, noisy, conditioning - mean, hole, sigma)
        level = self.level(-torch.log(sigma.flatten()) / 4.0)
        correction = self.network(x.contiguous(memory_format=torch.channels_last_3d), level)
        c_skip, c_out = self.scalings(t)
        rest = noisy - self.patches.pixels(z)
        keep = self.patches.rest**2 / (self.patches.rest**2 + sigma**2)
        z_0 = c_skip * z + c_out * correction.float()
        if not self.training:
            # The known range of colours is wide; that of each component is not. Without this a
            # slight excess of colour over a large hole grows from step to step.
            z_0 = z_0.clamp(_wide(self.patches.lowest), _wide(self.patches.highest))
        x_0 = mean + self.patches.pixels(z_0) + keep * rest
        return x_0[..., :height, :width]

    def _features(
        self, z: Tensor, noisy: Tensor, conditioning: Tensor, hole: Tensor, sigma: Tensor
    ) -> Tensor:
        """What the network sees, each feature of about unit size: (B, INPUTS, T, H/P, W/P).

        `noisy` and `conditioning` are (B, 3, T, H, W), less the mean patch.
        """
        size = (1, self.patches.size, self.patches.size)
        covered = F.avg_pool3d(hole, size)  # share of each patch that is missing
        hidden = (covered > 0).to(z.dtype)
        known = self.patches.components(conditioning * (1.0 - hole))
        seen = self.patches.components(torch.where(hole > 0, noisy, conditioning))
        detail = seen - smoothed(seen)
        spread, fine = _wide(self.patches.spread), _wide(self.patches.fine)
        return torch.cat(
            [
                z * hidden / torch.sqrt(spread**2 + sigma**2),
                known / spread,
                detail / torch.sqrt(fine**2 + sigma**2),
                # Where texture is flat, detail is noise; edges would dwarf it on one scale.
                torch.tanh(detail / (2.0 * sigma)),
                covered,
                torch.ones_like(covered),
            ],
            dim=1,
        )

    def sigma(self, t: Tensor) -> Tensor:
        """Noise per unit of signal, (B, 1, 1, 1, 1)."""
        a = self.alpha_bars[t][:, None, None, None, None]
        return torch.sqrt((1.0 - a) / a)

    def scalings(self, t: Tensor) -> tuple[Tensor, Tensor]:
        """(c_skip, c_out) of EDM for each component, each (B, 12, 1, 1, 1)."""
        variance, noise = _wide(self.patches.spread) ** 2, self.sigma(t) ** 2
        return variance / (variance + noise), torch.sqrt(variance * noise / (variance + noise))

    @staticmethod
    def level(position: Tensor) -> Tensor:
        """(B,) log-SNR over 8 nats -> (B, LEVEL_CHANNELS) sines and cosines, slow ones first."""
        rates = 2.0 ** torch.arange(LEVEL_CHANNELS // 2, device=position.device) * 0.5
        angles = position[:, None] * rates[None]
        return torch.cat([angles.sin(), angles.cos()], dim=1)


def _wide(values: Tensor) -> Tensor:
    """(12,) -> (1, 12, 1, 1, 1)."""
    return values[None, :, None, None, None]
