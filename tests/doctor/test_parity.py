"""Parity: bfloat16 is as far from float32 as rounding explains, and no further."""

from __future__ import annotations

import pytest
import torch

from infusion_engine.arithmetic import has_bfloat16
from infusion_engine.doctor.findings import Outcome
from infusion_engine.doctor.parity import checks, judged
from infusion_engine.parity import ALLOWED, Apart, measured

CPU = torch.device("cpu")


def test_this_processor_rounds_and_does_no_more() -> None:
    """Result and gradient differ by some of what 8 bits allow: neither exact, nor beyond it."""
    apart = measured(CPU, pixels=12)
    assert ALLOWED / 4 < apart.result <= ALLOWED
    assert ALLOWED / 4 < apart.gradient <= ALLOWED
    assert judged(apart).outcome is Outcome.OK


@pytest.mark.gpu
def test_this_gpu_rounds_and_does_no_more() -> None:
    """The same on CUDA, with the size that the doctor takes."""
    if not torch.cuda.is_available():
        pytest.skip(f"torch {torch.__version__} sees no CUDA device")
    assert judged(measured(torch.device("cuda"))).outcome is Outcome.OK


@pytest.mark.parametrize(
    "apart",
    [Apart(0.0040, 0.002), Apart(0.002, 0.0040), Apart(float("nan"), 0.002), Apart(0.002, 1.0)],
    ids=str,
)
def test_more_than_rounding_is_the_device_s_failure(apart: Apart) -> None:
    """What is not a number is, too; float32 is named as the way out."""
    finding = judged(apart)
    assert (finding.outcome, finding.exit_code) == (Outcome.FAILED, 4)
    assert "precision=fp32" in finding.remedy


def test_only_what_a_render_computes_in_is_tried(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where `precision=auto` is float32, bfloat16 is not tried, and all is well."""
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"avx2": True})
    assert not has_bfloat16(CPU)
    (finding,) = checks("cpu")
    assert finding.outcome is Outcome.OK
    assert "not used here" in finding.found


def test_without_the_device_nothing_is_tried() -> None:
    """The device's own line fails; this one only says why it has nothing to say."""
    (finding,) = checks("cuda:99")
    assert finding.outcome is Outcome.WARNING
    assert "not tried" in finding.found
