"""Events on a full disk: lines wait, whole and in order, and the engine is not taken for lost."""

from __future__ import annotations

import errno
import json
import os
import shutil
import subprocess
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from infusion_engine.progress import LinesFile, Report
from infusion_node.wire.events import Frame, Heartbeat, Warned, from_line
from tests.told import Told


class FullDisk:
    """`os` for a file on a disk that has so many bytes left; what is written fits in part."""

    def __init__(self, room: int) -> None:
        self.room = room

    def write(self, file: int, data: bytes) -> int:
        if data and not self.room:
            raise OSError(errno.ENOSPC, "No space left on device")
        written = os.write(file, data[: self.room])
        self.room -= written
        return written

    def __getattr__(self, name: str) -> Any:
        return getattr(os, name)


@pytest.mark.parametrize("room", [0, 10, 70])
def test_lines_wait_while_the_disk_is_full(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, room: int
) -> None:
    """Once there is room each line is there, whole and in its order; beats were signs of life."""
    disk = FullDisk(room)
    monkeypatch.setattr("infusion_engine.progress.os", disk)
    listener, path = Told(), tmp_path / "events.ndjson"
    report = Report(LinesFile(path), listener, wall_clock=lambda: 5.0)
    report.frame(1, Path("a"))
    report.frame(2, Path("b"))
    os.utime(path, (1, 1))
    report.heartbeat()
    assert path.stat().st_mtime > 1
    assert path.stat().st_size == room
    disk.room = 1 << 20
    report.frame(3, Path("c"))
    report.heartbeat()
    report.close()

    events = [from_line(line) for line in path.read_text().splitlines()]
    assert [one.event for one in events if one is not None] == [
        Frame(1, "a"), Frame(2, "b"), Frame(3, "c"), Heartbeat(report_seconds(listener), ""),
    ]  # fmt: skip
    assert None not in events
    assert not any(isinstance(event, Warned) for event in listener.events)


def report_seconds(listener: Told) -> float:
    """What the last heartbeat said."""
    (*_, last) = [event for event in listener.events if isinstance(event, Heartbeat)]
    return last.seconds


def test_what_waited_is_written_at_the_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Room that was made after the last event is enough for it."""
    disk = FullDisk(0)
    monkeypatch.setattr("infusion_engine.progress.os", disk)
    report = Report(LinesFile(tmp_path / "events.ndjson"))
    report.finished()
    disk.room = 1 << 20
    report.close()
    assert '"event": "finished"' in (tmp_path / "events.ndjson").read_text()


def test_a_real_disk_that_fills_up(tmp_path: Path) -> None:
    """On a file system of its own, which a large file fills and then leaves."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(disk)]
    if shutil.which("mount") is None or subprocess.run(mount, check=False).returncode:
        pytest.skip("no file system can be mounted here")
    report = Report(LinesFile(disk / "events.ndjson"), wall_clock=lambda: 5.0)
    try:
        report.frame(1, Path("a"))
        with suppress(OSError), (disk / "large").open("wb", buffering=0) as large:
            while large.write(bytes(4096)):
                pass
        for number in range(2, 200):  # more than what is left of the last block
            report.frame(number, Path("b" * 100))
        (disk / "large").unlink()
        report.frame(200, Path("c"))
        report.close()
        lines = (disk / "events.ndjson").read_text().splitlines()
    finally:
        report.close()
        subprocess.run(["umount", "--lazy", str(disk)], check=True)
    assert [json.loads(line)["frame"] for line in lines] == list(range(1, 201))
