"""Real folders, disks and processes for the cache's tests."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest

from infusion_engine.cache.key import digest
from infusion_engine.cache.store import Store, Tensors

Spawn = Callable[..., subprocess.Popen[str]]


@pytest.fixture
def reports() -> list[str]:
    """What the store under test reported."""
    return []


@pytest.fixture
def store(tmp_path: Path, reports: list[str]) -> Store:
    """A store in a folder that does not exist yet."""
    return Store(tmp_path / "cache", on_damage=reports.append)


@pytest.fixture
def tensors() -> Tensors:
    """Awkward arrays: a NaN, a negative zero, a scalar, a transposed one."""
    return {
        "half": np.array([np.nan, -0.0, 65504], np.float16),
        "scalar": np.array(3.5, np.float32),
        "transposed": np.arange(6, dtype=np.float32).reshape(2, 3).T,
    }


@pytest.fixture
def key() -> str:
    """Some key."""
    return digest({"some": "identity"})


@pytest.fixture
def spawn() -> Iterator[Spawn]:
    """Starts `python -c SCRIPT ARGUMENTS...`; whatever still runs at the end is killed."""
    started: list[subprocess.Popen[str]] = []

    def start(script: str, *arguments: object) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, "-c", script, *map(str, arguments)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()
        process.communicate()


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A filesystem of 1 MiB of its own; skips where this user may not mount one."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(folder)]
    outcome: subprocess.CompletedProcess[str] | None = None
    with suppress(FileNotFoundError):
        outcome = subprocess.run(mount, capture_output=True, text=True, check=False)
    if outcome is None or outcome.returncode != 0:
        pytest.skip(f"no small disk: {outcome.stderr.strip() if outcome else 'no mount command'}")
    try:
        yield folder
    finally:
        subprocess.run(["umount", str(folder)], check=True)
