"""Parity: whether a device's bfloat16 convolutions are what its float32 ones are, but for rounding.

Some versions of the libraries beneath torch give wrong bfloat16 convolutions without a word
(pytorch issues 163539 for cuDNN; training/fit.py has one of a CPU's). A fit from them looks like
any other until somebody looks at the fill, so one convolution is tried before the first.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from infusion_engine.arithmetic import chosen
from infusion_engine.device import device_errors
from infusion_engine.diffusion import noise
from infusion_engine.diffusion.denoise import precise
from infusion_engine.diffusion.residual import Convolution
from infusion_engine.errors import DeviceError
from infusion_engine.progress import Report
from infusion_engine.settings import PRESETS, Precision, Settings

ALLOWED = 2.0**-8
"""Largest relative error that is parity.

bfloat16 keeps 8 bits, so that rounding moves a number by up to 2^-9 of itself. Both factors and the
result are rounded, independently of each other: in the mean over many numbers that is less than
sqrt(3) 2^-9, and the next power of two is allowed."""

_DRAFT = PRESETS["draft"]


@dataclass(frozen=True)
class Apart:
    """How far bfloat16 is from float32, as root mean square over that of float32's numbers."""

    result: float
    """Of what the convolution gives."""
    gradient: float
    """Of the gradient by its weights, which training goes by."""

    @property
    def is_parity(self) -> bool:
        """Whether rounding to 8 bits explains it; what is not a number never is."""
        return self.result <= ALLOWED and self.gradient <= ALLOWED

    def __str__(self) -> str:
        """As findings and warnings have it."""
        return (
            f"a convolution is {self.result:.4f} from fp32, its gradient {self.gradient:.4f} "
            f"({ALLOWED:.4f} is allowed)"
        )


def decided(settings: Settings, device: torch.device, report: Report) -> Settings:
    """The same settings, with a `precision` that `device` has and computes rightly.

    Where it is left open and the device has bfloat16, that is tried; without parity it is float32,
    and `report` hears so. What was asked for by name is left as it is, and not tried.

    Raises:
        DeviceError: the device failed.
    """
    found = chosen(settings, device)
    if found.precision is settings.precision or found.precision is not Precision.BF16:
        return found
    with device_errors(device):
        apart = measured(device)
    if apart.is_parity:
        return found
    report.warn(
        f"bfloat16 is wrong on {device}: {apart}. The render goes on in float32, and takes longer.",
        "Another version of torch or of the device's driver may mend it; infusion-doctor tells "
        "the versions, for a report.",
    )
    return replace(found, precision=Precision.FP32)


def check_parity(settings: Settings, device: torch.device) -> None:
    """Refuse a device that would compute wrongly in the precision that another one was found for.

    Args:
        settings: with the precision decided where the job was prepared.
        device: computes a stage of that job; it may be of another kind, or another driver's.

    Raises:
        DeviceError: its bfloat16 is wrong, or it failed.
    """
    if settings.precision is not Precision.BF16:
        return
    with device_errors(device):
        apart = measured(device)
    if not apart.is_parity:
        raise DeviceError(
            f"The job was prepared for bfloat16, and that is wrong on {device}: {apart}.",
            remedy="Prepare the job with --set precision=fp32, or run its stages on machines "
            "where infusion-doctor finds parity.",
        )


def measured(device: torch.device, *, pixels: int = _DRAFT.crop_pixels) -> Apart:
    """The convolution of a window of `draft`, `pixels` on each side, in both precisions."""
    inputs = _drawn("inputs", pixels, device)  # (1, C, T, H, W)
    towards = _drawn("towards", pixels, device)
    layer = Convolution(_DRAFT.channels, _DRAFT.channels, (3, 3, 3)).to(device)
    with torch.no_grad():
        outputs, fan_in = layer.weight.shape
        drawn = noise.gaussian(
            noise.key("parity", "weights"),
            frames=range(1),
            rows=range(outputs),
            columns=range(fan_in),
            channels=1,
            device=device,
        )
        layer.weight.copy_(drawn[0, 0])
    results, gradients = zip(
        *(_through(layer, inputs, towards, one) for one in (Precision.FP32, Precision.BF16)),
        strict=True,
    )
    return Apart(_relative(*results), _relative(*gradients))


def _through(
    layer: Convolution, inputs: Tensor, towards: Tensor, precision: Precision
) -> tuple[Tensor, Tensor]:
    """(result, gradient by the weights) in float32, computed in `precision`."""
    with precise(precision, inputs.device):
        result = layer(inputs)
    (gradient,) = torch.autograd.grad((result.float() * towards).sum(), [layer.weight])
    return result.detach().float(), gradient.float()


def _relative(exact: Tensor, rounded: Tensor) -> float:
    """Size of the difference over the size of `exact`."""
    return float((rounded - exact).norm() / exact.norm())


def _drawn(name: str, pixels: int, device: torch.device) -> Tensor:
    """Unit normals as large as the features of one training window: (1, C, T, H, W)."""
    return noise.gaussian(
        noise.key("parity", name),
        frames=range(_DRAFT.window_frames),
        rows=range(pixels),
        columns=range(pixels),
        channels=_DRAFT.channels,
        device=device,
    )[None]
