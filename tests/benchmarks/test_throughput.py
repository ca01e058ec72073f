"""Throughput: rates from timings, and every preset timed as often as asked for."""

from __future__ import annotations

import pytest
import torch

from benchmarks import throughput
from benchmarks.claim import Holds
from benchmarks.throughput import (
    ON_CPU,
    ON_CUDA,
    TINY,
    Scale,
    judged,
    of_preset,
    rates,
    result,
    timed,
    training_holds,
)
from benchmarks.workbench import Workbench
from infusion_engine.overrides import overridden
from infusion_engine.settings import PRESETS

SMALL = {"channels": "4", "crop_pixels": "16", "batch": "1"}
ONE_TURN = Scale((2, 16, 16), 1, 1, 1, 32)
CPU = torch.device("cpu")


def test_rates_are_those_of_the_median() -> None:
    """One slow turn, which something else on the machine made slow, changes nothing."""
    found = rates([0.5, 9.0, 0.25], voxels=100, flops=4_000_000_000, peak=16e9)

    assert found["voxels_per_second"] == 200
    assert found["gflop_per_second"] == 8.0
    assert found["share_of_peak"] == 0.5
    assert found["every_turn"] == [0.5, 9.0, 0.25]


def test_everything_is_timed_by_turns() -> None:
    """Each kind of work of each preset, and the matrix product of each precision, once a turn."""
    scale = Scale((2, 16, 16), 2, 1, 1, 32)
    benches = {
        name: Workbench(overridden(PRESETS[name], SMALL), scale.clip, CPU)
        for name in ("draft", "paper")
    }

    taken = timed(benches, scale, CPU)

    kinds = {(name, kind) for name in benches for kind in ("step", "network", "evaluation")}
    assert set(taken) == kinds | {("bf16", "product"), ("fp32", "product")}
    assert {len(turns) for turns in taken.values()} == {scale.rounds}
    assert min(seconds for turns in taken.values() for seconds in turns) > 0.0


@pytest.mark.parametrize(("seconds", "expected"), [(1.0, True), (1.01, False)])
def test_training_holds_from_a_quarter_of_the_bf16_peak(seconds: float, expected: bool) -> None:
    """A quarter is enough, and nothing less; the precision's own peak has no say."""
    training = rates([seconds], voxels=1, flops=250_000_000_000, peak=1e9)

    assert training_holds(training, 1e12) is expected


@pytest.mark.parametrize(
    ("kind", "scale", "expected"),
    [
        ("cuda", ON_CUDA, True),
        ("cuda", TINY, False),
        ("cpu", ON_CPU, False),
        ("cpu", ON_CUDA, False),
    ],
)
def test_training_is_judged_on_cuda_beside_a_real_peak(
    kind: str, scale: Scale, expected: bool
) -> None:
    """A CPU is not what the goal is for, and the small product of a tiny run is no peak."""
    assert judged(torch.device(kind), scale) is expected


@pytest.mark.parametrize(
    ("bf16_peak", "judging", "expected"),
    [(1.0, True, True), (1e30, True, False), (1.0, False, None)],
)
def test_each_preset_of_ours_says_whether_its_training_holds(
    bf16_peak: float, judging: bool, expected: Holds
) -> None:
    """By its own step, against the peak in bf16; null where it is not judged."""
    bench = Workbench(overridden(PRESETS["draft"], SMALL), ONE_TURN.clip, CPU)
    bench.settings = overridden(bench.settings, {"precision": "fp32"})
    taken = {("draft", kind): [1.0] for kind in ("step", "network", "evaluation")}
    peaks = {"fp32": 1e6, "bf16": bf16_peak}

    found = of_preset(bench, "draft", taken, peaks, judging=judging)

    assert found["training_holds"] is expected


def test_a_result_of_a_cpu_judges_no_training(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is null for each preset of ours; the published method has no such claim."""
    presets = {name: overridden(PRESETS[name], SMALL) for name in throughput.NAMES}
    monkeypatch.setattr(throughput, "PRESETS", presets)

    found = result(CPU, ONE_TURN, profiled=False)["presets"]

    told = {name: one["training_holds"] for name, one in found.items() if "training_holds" in one}
    assert told == {"draft": None, "standard": None}
