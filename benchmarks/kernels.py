"""Kernels: what takes the time of a training step, by torch's own profiler."""

from __future__ import annotations

import time
from typing import Any

from torch.profiler import ProfilerActivity, profile

from benchmarks.workbench import Workbench

MOST = 12
"""Kernels that are told."""
_LONGEST = 140  # letters of a kernel's name: templates go on for lines


def slowest_kernels(bench: Workbench, steps: int) -> dict[str, Any]:
    """The kernels (on a CPU: operators) of `steps` optimiser steps that take longest, as JSON.

    One step before them sets everything up. `busy` is the share of the time in which the device
    worked; what is missing from 1 is Python and the launching of kernels, made longer by the
    profiler itself.
    """
    cuda = bench.device.type == "cuda"
    activities = [ProfilerActivity.CPU, *([ProfilerActivity.CUDA] if cuda else [])]
    profiler = profile(activities=activities)
    moments: list[float] = []

    def heard(step: int) -> None:
        if step == 1:
            profiler.start()
        if step == steps + 1:
            profiler.stop()
        if step in {1, steps + 1}:
            moments.append(time.perf_counter())

    bench.fit(steps + 1, heard)
    wanted = "CUDA" if cuda else "CPU"
    found: list[tuple[float, int, str]] = []  # microseconds, calls, name
    for event in profiler.key_averages():
        if event.device_type.name != wanted or getattr(event, "is_user_annotation", False):
            continue
        spent = event.self_device_time_total if cuda else event.self_cpu_time_total
        found.append((float(spent), int(event.count), str(event.key)))
    found.sort(reverse=True)
    total = sum(spent for spent, _, _ in found)
    wall = (moments[1] - moments[0]) * 1e6
    return {
        "steps": steps,
        "milliseconds_per_step": round(wall / steps / 1e3, 3),
        "busy": round(total / wall, 3),
        "kernels_per_step": round(sum(count for _, count, _ in found) / steps, 1),
        "slowest": [
            {
                "name": name[:_LONGEST],
                "calls_per_step": round(count / steps, 1),
                "milliseconds_per_step": round(spent / steps / 1e3, 4),
                "share": round(spent / total, 3) if total else 0.0,
            }
            for spent, count, name in found[:MOST]
        ],
    }
