"""By turns: two ways of one thing, timed A B A B ..., so that whatever else runs falls on both."""

from __future__ import annotations

import argparse
import os
import platform
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from benchmarks.stamp import put, stamped
from benchmarks.waves import settle
from infusion_engine.device import choose_device

ROUNDS = 5
"""Turns of each way; the median is told."""
BUSY = 0.75
"""Load for each core before the run, above which the figures say more of others than of us."""

Step = Callable[[], object]


def compared(a: Step, b: Step, device: torch.device) -> tuple[list[float], list[float]]:
    """Seconds of each call of `a` and `b`, by turns, after one call of each to warm up."""
    taken: tuple[list[float], list[float]] = ([], [])
    for turn in range(ROUNDS + 1):
        for step, seconds in zip((a, b), taken, strict=True):
            settle(device)
            began = time.perf_counter()
            step()
            settle(device)
            if turn:
                seconds.append(time.perf_counter() - began)
    return taken


def ratio(a: list[float], b: list[float]) -> dict[str, float | list[float]]:
    """How often `b` goes into `a`: of the medians, and the least and most of the pairs."""
    pairs = [one / other for one, other in zip(a, b, strict=True)]
    return {
        "ratio": round(statistics.median(a) / statistics.median(b), 2),
        "least_and_most_of_pairs": [round(min(pairs), 2), round(max(pairs), 2)],
    }


def told(
    claim: str, measure: Callable[[torch.device], dict[str, Any]], device: torch.device
) -> dict[str, Any]:
    """What `measure` finds on a device, stamped, with how busy the machine was before."""
    before = os.getloadavg()[0]
    runs = measure(device)
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else platform.machine()
    return stamped(
        {
            "claim": claim,
            "rounds": ROUNDS,
            "runs": runs,
            "load_before": round(before, 2),
            "busy_machine": before > BUSY * (os.cpu_count() or 1),
            "cpu_capability": torch.backends.cpu.get_cpu_capability(),
            "threads": torch.get_num_threads(),
            "torch": torch.__version__,
        },
        device=f"{device}, {name}",
    )


def command(doc: str | None, result: Callable[[torch.device], dict[str, Any]]) -> None:
    """A benchmark's command line: measure, print, and write where asked."""
    parser = argparse.ArgumentParser(description=(doc or "").partition("\n")[0])
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda or cuda:N")
    parser.add_argument("--threads", type=int, default=os.cpu_count() or 1, help="CPU threads")
    parser.add_argument("--write", type=Path, help="JSON file for the stamped result")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    put(result(choose_device(arguments.device)), arguments.write)
