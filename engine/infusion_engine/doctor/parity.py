"""Parity: one convolution of our network in bfloat16 and in float32, on the device itself."""

from __future__ import annotations

from collections.abc import Sequence

from infusion_engine.arithmetic import chosen
from infusion_engine.device import choose_device, device_errors
from infusion_engine.doctor.findings import Finding, carried_out, failed, ok, warning
from infusion_engine.errors import DeviceError
from infusion_engine.parity import Apart, measured
from infusion_engine.settings import PRESETS, Precision

NAME = "bf16 parity"


def checks(asked: str) -> Sequence[Finding]:
    """Of the device that `--device` names as `asked`."""
    return (carried_out(NAME, lambda: _parity(asked)),)


def _parity(asked: str) -> Finding:
    """Tried only where a render would compute in bfloat16."""
    try:
        device = choose_device(asked)
    except DeviceError:
        return warning(NAME, "not tried: there is no such device", "See the device above.")
    if chosen(PRESETS["draft"], device).precision is not Precision.BF16:
        return ok(NAME, "not used here: precision auto is fp32 on this device")
    with device_errors(device):
        return judged(measured(device))


def judged(apart: Apart) -> Finding:
    """Whether it is what rounding to 8 bits explains."""
    if apart.is_parity:
        return ok(NAME, str(apart))
    return failed(
        NAME,
        str(apart),
        "A render takes float32 here by itself, as with --set precision=fp32, and is slower; "
        "report this with the versions above.",
        exit_code=DeviceError.exit_code,
    )
