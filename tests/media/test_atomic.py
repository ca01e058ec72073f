"""Files put in place whole: what killed processes left goes, what others are writing stays."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from infusion_engine.media.atomic import replacing

HOUR, DAY = 3600.0, 86_400.0


@pytest.mark.parametrize("days", [-1, 0, 1], ids=["behind", "alike", "ahead"])
def test_what_is_swept_goes_by_the_disk_s_own_clock(tmp_path: Path, days: int) -> None:
    """A file server whose clock is a day off stamps all files so: the young one is at work."""
    target = tmp_path / "fire.1001.exr"
    young, old = (tmp_path / f".fire.1001.{name}.part.exr" for name in ("young", "old"))
    now = time.time() + days * DAY
    for path, age in ((young, 60.0), (old, 2 * HOUR)):
        path.touch()
        os.utime(path, (now - age, now - age))
    with replacing(target) as temporary:
        temporary.write_bytes(b"frame")
        os.utime(temporary, (now, now))
    assert sorted(tmp_path.iterdir()) == sorted([target, young])
