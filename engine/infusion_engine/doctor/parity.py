"""Parity: one convolution of our network in bfloat16 and in float32, on the device itself."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from infusion_engine.arithmetic import chosen
from infusion_engine.device import choose_device, device_errors
from infusion_engine.diffusion import noise
from infusion_engine.diffusion.denoise import precise
from infusion_engine.diffusion.residual import Convolution
from infusion_engine.doctor.findings import Finding, carried_out, failed, ok, warning
from infusion_engine.errors import DeviceError
from infusion_engine.settings import PRESETS, Precision

NAME = "bf16 parity"
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


def checks(asked: str) -> Sequence[Finding]:
    """Of the device that `--device` names as `asked`."""
    return (carried_out(NAME, lambda: _parity(asked)),)


def _parity(asked: str) -> Finding:
    """Tried only where a render would compute in bfloat16."""
    try:
        device = choose_device(asked)
    except DeviceError:
        return warning(NAME, "not tried: there is no such device", "See the device above.")
    if chosen(_DRAFT, device).precision is not Precision.BF16:
        return ok(NAME, "not used here: precision auto is fp32 on this device")
    with device_errors(device):
        return judged(measured(device))


def measured(device: torch.device, *, pixels: int = _DRAFT.crop_pixels) -> Apart:
    """The convolution of a window of `draft`, `pixels` on each side, in both precisions."""
    inputs = _drawn("inputs", pixels, device)  # (1, C, T, H, W)
    towards = _drawn("towards", pixels, device)
    layer = Convolution(_DRAFT.channels, _DRAFT.channels, (3, 3, 3)).to(device)
    with torch.no_grad():
        outputs, fan_in = layer.weight.shape
        drawn = noise.gaussian(
            noise.key("doctor", "weights"),
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


def judged(apart: Apart) -> Finding:
    """Whether it is what rounding to 8 bits explains; what is not a number never is."""
    said = (
        f"a convolution is {apart.result:.4f} from fp32, its gradient {apart.gradient:.4f} "
        f"({ALLOWED:.4f} is allowed)"
    )
    if apart.result <= ALLOWED and apart.gradient <= ALLOWED:
        return ok(NAME, said)
    return failed(
        NAME,
        said,
        "Render with --set precision=fp32, and report this with the versions above.",
        exit_code=DeviceError.exit_code,
    )


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
        noise.key("doctor", name),
        frames=range(_DRAFT.window_frames),
        rows=range(pixels),
        columns=range(pixels),
        channels=_DRAFT.channels,
        device=device,
    )[None]
