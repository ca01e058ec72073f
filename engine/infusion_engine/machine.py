"""The machine that computes: what a result was made with, recorded beside it and part of no key."""

from __future__ import annotations

import platform

import torch

from infusion_engine import __version__


def made_with(device: torch.device, threads: int) -> dict[str, object]:
    """Device, CPU threads, the CPU's instruction set and the versions, as plain JSON values."""
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else platform.processor()
    return {
        "device": f"{device} {name}".strip(),
        "threads": threads,
        "cpu_capability": torch.backends.cpu.get_cpu_capability(),
        "versions": {
            "infusion": __version__,
            "torch": torch.__version__,
            "python": platform.python_version(),
        },
    }
