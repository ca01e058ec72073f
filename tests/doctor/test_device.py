"""Device: the one that renders would get is named, or it is said why there is none."""

from __future__ import annotations

import pytest
import torch

from infusion_engine.doctor.amount import GIB
from infusion_engine.doctor.device import checks, judged_memory, processor_name
from infusion_engine.doctor.findings import Outcome
from infusion_engine.doctor.memory import Memory


def test_the_cpu_is_told_with_its_memory_and_its_precision() -> None:
    """Every line but that of memory is well wherever the tests run."""
    found = {finding.name: finding for finding in checks("cpu")}
    assert list(found) == ["device", "processor", "memory", "precision"]
    assert found["device"].found == "cpu"
    assert processor_name() in found["processor"].found
    assert torch.backends.cpu.get_cpu_capability() in found["processor"].found
    assert found["precision"].found in ("auto is bf16 here", "auto is fp32 here")
    assert {found[name].outcome for name in ("device", "processor", "precision")} == {Outcome.OK}


def test_a_device_that_is_not_there_fails_alone() -> None:
    """The device error is told once, with its exit code; the processor is shown all the same."""
    first, *others = checks("cuda:99")
    assert (first.name, first.outcome, first.exit_code) == ("device", Outcome.FAILED, 4)
    assert "cuda:99" in first.found
    assert "--device cpu" in first.remedy
    assert [finding.name for finding in others] == ["processor", "memory"]
    assert Outcome.FAILED not in {finding.outcome for finding in others}


@pytest.mark.parametrize(
    ("memory", "outcome"),
    [
        (None, Outcome.OK),
        (Memory(64 * GIB, None, None), Outcome.OK),
        (Memory(64 * GIB, 8 * GIB, None), Outcome.OK),
        (Memory(64 * GIB, 8 * GIB - 1, None), Outcome.WARNING),
        (Memory(64 * GIB, 60 * GIB, 4 * GIB), Outcome.WARNING),
    ],
)
def test_less_memory_than_a_render_takes_is_a_warning(
    memory: Memory | None, outcome: Outcome
) -> None:
    """8G is what `--memory` is without being said; it can be made less."""
    finding = judged_memory(memory)
    assert finding.outcome is outcome
    assert ("--memory" in finding.remedy) == (outcome is Outcome.WARNING)


@pytest.mark.gpu
def test_a_gpu_is_told_with_its_memory() -> None:
    """Its name and its memory stand on the page."""
    if not torch.cuda.is_available():
        pytest.skip(f"torch {torch.__version__} sees no CUDA device")
    found = {finding.name: finding for finding in checks("auto")}
    assert torch.cuda.get_device_name(0) in found["device"].found
    assert "GiB" in found["GPU memory"].found
    assert {finding.outcome for finding in found.values()} <= {Outcome.OK, Outcome.WARNING}
