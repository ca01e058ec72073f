"""Rates: how fast a device works, as a file that is measured once and used for other shots."""

from __future__ import annotations

import json
import math
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from infusion_engine.errors import UsageError


@dataclass(frozen=True)
class Rates:
    """How fast one device is with one network."""

    device: str
    """What it is called."""
    network: str
    """Kind and channels of the network."""
    precision: str
    """Arithmetic of its convolutions."""
    fit_voxels_per_second: float
    """Voxels of training windows, forwards and backwards and the step with it."""
    sample_voxels_per_second: float
    """Voxels that the network is asked about when it samples."""
    start_seconds: float
    """From the start of a task's process to its first work."""
    frame_seconds: float
    """To look at a frame and read it; writing one is taken to be as long."""

    def to_json(self) -> str:
        """The file's text."""
        return json.dumps(asdict(self), indent=2) + "\n"


def network_name(kind: str, channels: int) -> str:
    """How a network is named in a file of rates."""
    return f"{kind} {channels}"


def read_rates(path: Path) -> Rates:
    """The rates in a file that `infusion-farm estimate --save-speed` wrote.

    Raises:
        UsageError: it cannot be read, or says something else.
    """
    try:
        values: Any = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise _no_rates(path, str(error)) from None
    names = [field.name for field in fields(Rates)]
    if not isinstance(values, dict) or sorted(values) != sorted(names):
        raise _no_rates(path, f"expected one object with {', '.join(names)}")
    for name, value in values.items():
        is_text = name in ("device", "network", "precision")
        if is_text and isinstance(value, str):
            continue
        if is_text or isinstance(value, bool) or not isinstance(value, (int, float)):
            expected = "a text" if is_text else "a number"
            raise _no_rates(path, f"{name}: found {json.dumps(value)}, expected {expected}")
        least = 0.0 if name in ("start_seconds", "frame_seconds") else 1e-9
        if not least <= value < math.inf:
            raise _no_rates(path, f"{name}: found {value}, expected a number above 0")
    return Rates(**values)


def _no_rates(path: Path, why: str) -> UsageError:
    return UsageError(
        f"{path} holds no speed of a device: {why}.",
        remedy="Write one with infusion-farm estimate --save-speed FILE, on that device.",
    )
