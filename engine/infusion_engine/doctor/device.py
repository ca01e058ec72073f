"""The device that a render would compute on, its processor, its memory and its precision."""

from __future__ import annotations

import platform
import re
from collections.abc import Sequence
from pathlib import Path

import torch

from infusion_engine.arithmetic import chosen
from infusion_engine.device import choose_device, device_errors
from infusion_engine.doctor.amount import GIB, amount
from infusion_engine.doctor.findings import Finding, Outcome, carried_out, ok, warning
from infusion_engine.doctor.memory import Memory, memory_of_this_machine
from infusion_engine.settings import PRESETS
from infusion_node.wire.knobs import knob

_CPUINFO = Path("/proc/cpuinfo")


def checks(asked: str) -> Sequence[Finding]:
    """Of the device that `--device` names as `asked`: `auto`, `cpu`, `cuda` or `cuda:N`."""
    told = carried_out("device", lambda: _device(asked))
    findings = [
        told,
        carried_out("processor", _processor),
        carried_out("memory", lambda: judged_memory(memory_of_this_machine())),
    ]
    if told.outcome is Outcome.FAILED:
        return findings
    device = choose_device(asked)
    if device.type == "cuda":
        findings.append(carried_out("GPU memory", lambda: _gpu_memory(device)))
    findings.append(carried_out("precision", lambda: _precision(device)))
    return findings


def _device(asked: str) -> Finding:
    """Its name; without a GPU also whether this torch could have used one."""
    device = choose_device(asked)
    if device.type == "cuda":
        return ok("device", f"{device}, {torch.cuda.get_device_name(device)}")
    if asked == "cpu":
        return ok("device", "cpu")
    return ok("device", f"cpu; torch {torch.__version__} finds no CUDA device")


def _processor() -> Finding:
    """Its name, the cores that this process may use, and what it has for bfloat16."""
    from infusion_engine.cores import available_cores  # noqa: PLC0415 - as every room's here

    cores = available_cores()
    has: dict[str, object] = getattr(torch.cpu, "get_capabilities", dict)()
    names = sorted(name for name, there in has.items() if "bf16" in name and there is True)
    parts = [
        processor_name(),
        "1 core" if cores == 1 else f"{cores} cores",
        torch.backends.cpu.get_cpu_capability(),
        f"bfloat16 by {', '.join(names)}" if names else "no bfloat16 of its own",
    ]
    return ok("processor", ", ".join(parts))


def processor_name() -> str:
    """As the system calls it."""
    if _CPUINFO.exists():
        found = re.search(r"(?m)^model name\s*:\s*(.+)$", _CPUINFO.read_text("utf-8", "replace"))
        if found is not None:
            return found[1].strip()
    return platform.processor() or platform.machine()


def judged_memory(memory: Memory | None) -> Finding:
    """Memory in all and free; a warning where a render may take more than that by itself."""
    if memory is None:
        return ok("memory", "this system does not tell")
    found = amount(memory.total)
    if memory.limit is not None:
        found += f", of which the container may take {amount(memory.limit)}"
    if memory.free is not None:
        found += f", {amount(memory.free)} free"
    known = [room for room in (memory.limit, memory.free) if room is not None]
    usual = str(knob("memory").default)
    if known and min(known) < int(usual.removesuffix("G")) * GIB:
        return warning(
            "memory",
            f"{found}; a render takes up to {usual}",
            "Close other programs, or render with a smaller --memory.",
        )
    return ok("memory", found)


def _gpu_memory(device: torch.device) -> Finding:
    """Of the GPU, in all and free; asking for it wakes the driver."""
    with device_errors(device):
        free, total = torch.cuda.mem_get_info(device)
    return ok("GPU memory", f"{amount(total)}, {amount(free)} free")


def _precision(device: torch.device) -> Finding:
    """What `draft` and `standard` compute in here."""
    with device_errors(device):
        found = chosen(PRESETS["draft"], device).precision
    return ok("precision", f"auto is {found.value} here")
