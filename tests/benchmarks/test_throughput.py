"""Throughput: rates from timings, and every preset timed as often as asked for."""

from __future__ import annotations

import torch

from benchmarks.throughput import Scale, rates, timed
from benchmarks.workbench import Workbench
from infusion_engine.overrides import overridden
from infusion_engine.settings import PRESETS


def test_rates_are_those_of_the_median() -> None:
    """One slow turn, which something else on the machine made slow, changes nothing."""
    found = rates([0.5, 9.0, 0.25], voxels=100, flops=4_000_000_000, peak=16e9)

    assert found["voxels_per_second"] == 200
    assert found["gflop_per_second"] == 8.0
    assert found["share_of_peak"] == 0.5
    assert found["every_turn"] == [0.5, 9.0, 0.25]


def test_everything_is_timed_by_turns() -> None:
    """Each kind of work of each preset, and the matrix product of each precision, once a turn."""
    small = {"channels": "4", "crop_pixels": "16", "batch": "1"}
    device, scale = torch.device("cpu"), Scale((2, 16, 16), 2, 1, 1, 32)
    benches = {
        name: Workbench(overridden(PRESETS[name], small), scale.clip, device)
        for name in ("draft", "paper")
    }

    taken = timed(benches, scale, device)

    kinds = {(name, kind) for name in benches for kind in ("step", "network", "evaluation")}
    assert set(taken) == kinds | {("bf16", "product"), ("fp32", "product")}
    assert {len(turns) for turns in taken.values()} == {scale.rounds}
    assert min(seconds for turns in taken.values() for seconds in turns) > 0.0
