"""What the network's kernels gain is told of both ways, by turns."""

from __future__ import annotations

import torch

from benchmarks.by_turns import ROUNDS
from benchmarks.network import result
from infusion_engine.arithmetic import chosen
from infusion_engine.settings import PRESETS


def test_both_ways_are_timed_by_turns() -> None:
    """Each kind of pass has as many timings of either way, in draft's precision on the device."""
    device = torch.device("cpu")
    runs = result(device, large=(2, 8, 8))["runs"]

    assert list(runs) == ["training, 8 x 40 x 40", "sampling, 8 x 40 x 40", "sampling, 2 x 8 x 8"]
    for run in runs.values():
        assert run["precision"] == chosen(PRESETS["draft"], device).precision.value
        assert len(run["plain_seconds"]) == len(run["our_seconds"]) == ROUNDS
        least, most = run["least_and_most_of_pairs"]
        assert 0.0 < least <= most
