"""Flops: how many multiplications and additions a piece of torch work has, and a device's most."""

from __future__ import annotations

import time
from collections.abc import Callable

import torch
from torch.utils.flop_counter import FlopCounterMode

from benchmarks.waves import settle
from infusion_engine.settings import Precision

_REPEATS = 5


def counted(work: Callable[[], object]) -> int:
    """Floating point operations of the convolutions and matrix products in `work`, which is run.

    A multiplication and the addition after it count as two. What is done voxel by voxel does not
    count: it is memory's work, and a matrix product has none of it.
    """
    with FlopCounterMode(display=False) as counter:
        work()
    total: int = counter.get_total_flops()
    return total


def product_seconds(side: int, precision: Precision, device: torch.device) -> float:
    """Seconds of one product of two `side` x `side` matrices, after one to warm up.

    float32 products are what torch makes of them by itself: no TF32 unless somebody asked for it.
    """
    kind = torch.bfloat16 if precision is Precision.BF16 else torch.float32
    generator = torch.Generator().manual_seed(0)
    a, b = (torch.randn(side, side, generator=generator).to(device, kind) for _ in range(2))
    out = a @ b
    settle(device)
    began = time.perf_counter()
    for _ in range(_REPEATS):
        torch.matmul(a, b, out=out)
    settle(device)
    return (time.perf_counter() - began) / _REPEATS


def product_flops(side: int) -> int:
    """Floating point operations of that product."""
    return 2 * side**3
