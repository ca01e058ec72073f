"""Threads by default: as many as this process may keep busy, in a container too."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from infusion_engine import cores
from infusion_engine.cores import available_cores

ALL = 16


@pytest.fixture(autouse=True)
def machine(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine of 16 cores, all of which this process may run on."""
    monkeypatch.setattr(os, "sched_getaffinity", lambda _pid: set(range(ALL)), raising=False)


def groups(folder: Path, own: str, **files: str) -> int:
    """What is found where the control groups have these files (`__` parts a path, `_` a word)."""
    (folder / "own").write_text(own)
    for name, text in files.items():
        path = folder / "groups" / name.replace("__", "/").replace("_max", ".max")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text + "\n")
    return available_cores(folder / "groups", folder / "own")


@pytest.mark.parametrize(
    ("quota", "found"),
    [
        ("max 100000", ALL),
        ("200000 100000", 2),
        ("250000 100000", 2),
        ("50000 100000", 1),
        ("3200000 100000", ALL),
        ("", ALL),
        ("none of it", ALL),
        ("1 0", ALL),
    ],
)
def test_a_container_s_quota_counts(tmp_path: Path, quota: str, found: int) -> None:
    """Whole cores of it, one at least, and never more than there are; nonsense is no limit."""
    assert groups(tmp_path, "0::/\n", cpu_max=quota) == found


def test_the_tightest_group_above_counts(tmp_path: Path) -> None:
    """A job's own group may have no limit, and the one of its worker has."""
    own = "0::/farm/job\n"
    assert (
        groups(tmp_path, own, farm__job__cpu_max="max 100000", farm__cpu_max="400000 100000") == 4
    )


def test_the_older_control_groups_count(tmp_path: Path) -> None:
    """Version 1 has files of other names below one folder for each controller; -1 is no limit."""
    folder = tmp_path / "groups/cpu/job"
    folder.mkdir(parents=True)
    (folder / "cpu.cfs_period_us").write_text("100000\n")
    for quota, found in (("300000", 3), ("-1", ALL)):
        (folder / "cpu.cfs_quota_us").write_text(quota + "\n")
        assert groups(tmp_path, "4:memory:/x\n3:cpu,cpuacct:/job\n0::/\n") == found


def test_without_control_groups_all_cores_count(tmp_path: Path) -> None:
    """As on other systems than Linux."""
    assert available_cores(tmp_path / "groups", tmp_path / "own") == ALL
    assert 1 <= cores.available_cores() <= ALL
