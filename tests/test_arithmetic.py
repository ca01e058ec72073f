"""Arithmetic: bfloat16 where the device has it, float32 elsewhere, and what is asked for."""

from __future__ import annotations

import platform
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from infusion_engine.arithmetic import chosen, has_bfloat16
from infusion_engine.settings import PRESETS, Precision

CPU = torch.device("cpu")
CPUINFO = Path("/proc/cpuinfo")


def pretend(monkeypatch: pytest.MonkeyPatch, **has: bool) -> None:
    """Have torch say that of the processor."""
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"avx2": True, **has})


@pytest.mark.parametrize(
    ("has", "found"),
    [
        ({}, Precision.FP32),
        ({"avx512_bf16": False, "amx_bf16": False}, Precision.FP32),
        ({"avx512_f": True, "avx512_vnni": True}, Precision.FP32),
        ({"avx512_bf16": True}, Precision.BF16),
        ({"amx_bf16": True, "avx512_bf16": False}, Precision.BF16),
    ],
)
def test_auto_is_what_the_processor_has(
    monkeypatch: pytest.MonkeyPatch, has: dict[str, bool], found: Precision
) -> None:
    """And nothing else of the settings is touched."""
    pretend(monkeypatch, **has)
    for name in ("draft", "standard"):
        assert PRESETS[name].precision is Precision.AUTO
        assert chosen(PRESETS[name], CPU) == replace(PRESETS[name], precision=found)


@pytest.mark.parametrize("asked", [Precision.FP32, Precision.BF16])
@pytest.mark.parametrize("native", [True, False])
def test_what_is_asked_for_by_name_is_kept(
    monkeypatch: pytest.MonkeyPatch, asked: Precision, native: bool
) -> None:
    """However slow it is."""
    pretend(monkeypatch, avx512_bf16=native)
    settings = replace(PRESETS["draft"], precision=asked)
    assert chosen(settings, CPU) is settings
    assert chosen(PRESETS["paper"], CPU).precision is Precision.FP32


@pytest.mark.skipif(
    platform.machine() != "x86_64" or not CPUINFO.exists(), reason="Linux on x86_64 alone tells"
)
def test_this_processor_is_known() -> None:
    """What torch says of it is what the system says."""
    flags = set(CPUINFO.read_text("utf-8").partition("flags")[2].partition("\n")[0].split())
    assert has_bfloat16(CPU) == bool(flags & {"avx512_bf16", "amx_bf16"})


def test_a_torch_that_cannot_tell_computes_in_float32(monkeypatch: pytest.MonkeyPatch) -> None:
    """Older ones have no such question."""
    monkeypatch.delattr(torch.cpu, "get_capabilities")
    assert not has_bfloat16(CPU)


@pytest.mark.parametrize("native", [True, False])
def test_the_gpu_that_computes_is_asked(monkeypatch: pytest.MonkeyPatch, native: bool) -> None:
    """Not the first one, and not whether it can imitate it."""
    current: list[torch.device] = []

    @contextmanager
    def made_current(device: torch.device) -> Iterator[None]:
        current.append(device)
        yield
        current.pop()

    def supported(*, including_emulation: bool) -> bool:
        assert current == [torch.device("cuda:1")]
        return including_emulation or native

    monkeypatch.setattr(torch.cuda, "device", made_current)
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", supported)
    assert has_bfloat16(torch.device("cuda:1")) == native
