"""Fixtures of the benchmarks' tests: one thread, whatever the machine has, and a tiny suite."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from benchmarks.proof import Asked
from benchmarks.suite import PARTS


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    """Work this small is slower on more threads, by far where other processes want them too."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture
def asked(tmp_path: Path) -> Asked:
    """All parts of a tiny suite, for which there is time, into the folder `told`."""
    return Asked(
        folder=tmp_path / "told",
        clips=(),
        weights=None,
        device=torch.device("cpu"),
        threads=1,
        minutes=5.0,
        parts=frozenset(PARTS),
        tiny=True,
    )
