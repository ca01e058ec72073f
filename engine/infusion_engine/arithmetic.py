"""Arithmetic: which precision convolutions are computed in, where that is left to the device."""

from __future__ import annotations

from dataclasses import replace

import torch

from infusion_engine.settings import Precision, Settings

_HAVE_BFLOAT16 = ("avx512_bf16", "amx_bf16", "bf16", "sve_bf16")
"""Names, as torch has them, of instructions that multiply bfloat16 numbers: x86, then ARM."""


def chosen(settings: Settings, device: torch.device) -> Settings:
    """The same settings, with `precision` as `device` has it where they leave it open.

    What was asked for by name is left as it is, however slow.
    """
    if settings.precision is not Precision.AUTO:
        return settings
    found = Precision.BF16 if has_bfloat16(device) else Precision.FP32
    return replace(settings, precision=found)


def has_bfloat16(device: torch.device) -> bool:
    """Whether the device itself multiplies bfloat16 numbers.

    A CPU that does not converts each of them: a training step then took thirteen times as long as
    in float32 (docs/decisions/precision.md), where one that does gains.
    """
    if device.type == "cuda":
        with torch.cuda.device(device):  # it is the current one that is asked about
            return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    # A torch that cannot tell is older than those this was measured with: float32 is always right.
    has: dict[str, object] = getattr(torch.cpu, "get_capabilities", dict)()
    return any(bool(has.get(name)) for name in _HAVE_BFLOAT16)
