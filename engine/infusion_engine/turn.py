"""A turn on the device: one render at a time on a GPU, or on all of a machine's cores."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import torch

from infusion_engine.cache.lock import held
from infusion_engine.progress import Report


@contextmanager
def turn(
    device: torch.device, report: Report, *, shares: bool, folder: Path | None = None
) -> Iterator[None]:
    """Compute inside the block; other renders on the same device wait until it is left.

    Ten renders that compute at once take longer than ten in a row, and need the memory of all ten.
    A render that was told its number of threads `shares` a CPU: whoever says so has counted. A GPU
    is never shared. The turn ends with the process, however it ends.

    Args:
        folder: where the lock files are; None is the folder for temporary files, which the renders
            of one user have in common. Where the file is another user's, a warning is given, and
            nobody is waited for.

    Raises:
        Cancelled: a stop was asked for meanwhile.
    """
    if device.type == "cpu" and shares:
        yield
        return
    place = folder if folder is not None else Path(tempfile.gettempdir())
    began = report.seconds
    with held(
        place / f"infusion-{_name(device)}.lock",
        on_wait=lambda: report.waiting(f"the {_spoken(device)}: another render is using it"),
        check=report.check,
        on_no_lock=lambda why: report.warn(  # a lock only saves trouble: without one they share
            f"Other renders on this {_spoken(device)} are not waited for: {why}."
        ),
    ):
        report.waited += report.seconds - began
        yield


def _name(device: torch.device) -> str:
    """A name that is the same in every process that computes on this very device."""
    if device.type == "cuda":
        return f"gpu-{torch.cuda.get_device_properties(device).uuid}"
    cores = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else [0]
    return f"cpu-{cores[0]}-{cores[-1]}-{len(cores)}"


def _spoken(device: torch.device) -> str:
    """What a person calls it."""
    return "GPU" if device.type == "cuda" else "CPU"
