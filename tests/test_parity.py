"""Parity: bfloat16 is taken where it is computed rightly, and float32 where it is not."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from infusion_engine import parity
from infusion_engine.errors import DeviceError
from infusion_engine.parity import Apart, check_parity, decided
from infusion_engine.progress import Report
from infusion_engine.settings import PRESETS, Precision
from infusion_node.wire.events import Warned
from tests.told import Told

CPU = torch.device("cpu")
DRAFT = PRESETS["draft"]


@pytest.fixture(autouse=True)
def has_bfloat16(monkeypatch: pytest.MonkeyPatch) -> None:
    """A processor that says that it has it."""
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"avx512_bf16": True})


@pytest.mark.parametrize(
    ("apart", "found"),
    [
        (Apart(0.002, 0.002), Precision.BF16),
        (Apart(0.004, 0.002), Precision.FP32),
        (Apart(0.002, 1.0), Precision.FP32),
        (Apart(float("nan"), 0.002), Precision.FP32),
        (Apart(0.002, float("nan")), Precision.FP32),
    ],
    ids=str,
)
def test_auto_is_bfloat16_only_with_parity(
    monkeypatch: pytest.MonkeyPatch, apart: Apart, found: Precision
) -> None:
    """And the user is told where it is not; nothing else of the settings is touched."""
    told = Told()

    def tried(_device: torch.device) -> Apart:
        return apart

    monkeypatch.setattr(parity, "measured", tried)

    assert decided(DRAFT, CPU, Report(told)) == replace(DRAFT, precision=found)
    warned = [event.message for event in told.events if isinstance(event, Warned)]
    assert len(warned) == (found is Precision.FP32)
    assert all(str(apart) in message for message in warned)


def test_what_is_asked_for_by_name_is_not_tried(monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither is float32, which is always right."""

    def tried(_device: torch.device) -> Apart:
        raise AssertionError("it was tried")

    monkeypatch.setattr(parity, "measured", tried)
    for asked in (Precision.BF16, Precision.FP32):
        settings = replace(DRAFT, precision=asked)
        assert decided(settings, CPU, Report()) is settings
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"avx2": True})
    assert decided(DRAFT, CPU, Report()).precision is Precision.FP32


@pytest.mark.parametrize("precision", [Precision.BF16, Precision.FP32])
def test_a_machine_of_a_farm_that_rounds_wrongly_is_refused(
    monkeypatch: pytest.MonkeyPatch, precision: Precision
) -> None:
    """Where the job was prepared for bfloat16 by another; in float32 nothing is tried."""
    found = Apart(0.5, 0.002)
    monkeypatch.setattr(parity, "measured", lambda _device: found)
    settings = replace(DRAFT, precision=precision)

    if precision is Precision.FP32:
        check_parity(settings, CPU)
        return
    with pytest.raises(DeviceError, match=r"0\.5000 from fp32") as caught:
        check_parity(settings, CPU)
    assert "precision=fp32" in caught.value.remedy
    found = Apart(0.002, 0.002)
    check_parity(settings, CPU)


def test_a_device_that_fails_meanwhile_is_said_to(monkeypatch: pytest.MonkeyPatch) -> None:
    """As anywhere else: exit code 4, and no traceback."""

    def tried(_device: torch.device) -> Apart:
        raise RuntimeError("CUDA error: an illegal memory access was encountered")

    monkeypatch.setattr(parity, "measured", tried)
    with pytest.raises(DeviceError, match="illegal memory access"):
        decided(DRAFT, CPU, Report())
