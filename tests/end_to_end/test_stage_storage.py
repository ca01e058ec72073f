"""A shared cache that takes nothing more: read-only and full volumes, told in one line."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.end_to_end.test_storage import check_refusal, mounted

if TYPE_CHECKING:
    from tests.end_to_end.conftest import Outcome, ShotFiles

Render = Callable[..., "Outcome"]
SCRATCH = ("--set", "fits_start=scratch")
FIT = ("--stage", "fit", "--interval", "1")


def test_a_read_only_cache(
    exr_shot: Callable[..., ShotFiles], render: Render, tmp_path: Path
) -> None:
    """A fit that could not be kept is refused with exit code 5, before it is begun."""
    shot = exr_shot(tmp_path)
    with mounted(tmp_path / "disk", "size=16m") as disk:
        command = shot.arguments(tmp_path / "out", disk / "cache", *SCRATCH)
        for stage in (("--stage", "prepare"), FIT):
            assert render(*command, *stage).code == 0
        subprocess.run(["mount", "-o", "remount,ro", str(disk)], check=True)

        refused = render(*command, "--stage", "fit", "--interval", "2")

    check_refusal(refused, tmp_path / "disk", "read-only")
    assert not refused.fitted


def test_frames_are_written_from_a_cache_that_is_only_read(
    exr_shot: Callable[..., ShotFiles], render: Render, tmp_path: Path
) -> None:
    """Nothing is to be kept: with every sample there it does, and without one the lack is named."""
    shot = exr_shot(tmp_path)
    with mounted(tmp_path / "disk", "size=16m") as disk:
        command = shot.arguments(tmp_path / "out", disk / "cache", *SCRATCH)
        for stage in (("prepare",), *(("fit", "--interval", str(k)) for k in (1, 2, 3))):
            assert render(*command, "--stage", *stage).code == 0
        subprocess.run(["mount", "-o", "remount,ro", str(disk)], check=True)
        lacking = render(*command, "--stage", "write")
        subprocess.run(["mount", "-o", "remount,rw", str(disk)], check=True)
        assert render(*command, "--stage", "sample", "--take", "1").code == 0
        subprocess.run(["mount", "-o", "remount,ro", str(disk)], check=True)
        written = render(*command, "--stage", "write")

    check_refusal(lacking, tmp_path / "disk", "has no sample of take 1")
    assert written.code == 0, written.message
    assert written.all("frame", "frame") == list(range(1001, 1006))
    assert written.warnings == ""


def test_a_cache_without_room(
    exr_shot: Callable[..., ShotFiles], render: Render, tmp_path: Path
) -> None:
    """The clip does not fit: exit code 5 and nothing left over; with room the same task is done."""
    shot = exr_shot(tmp_path)
    with mounted(tmp_path / "disk", "size=72k") as disk:
        command = shot.arguments(tmp_path / "out", disk / "cache", *SCRATCH)
        refused = render(*command, "--stage", "prepare")
        left = list((disk / "cache").rglob(".tmp-*"))
        subprocess.run(["mount", "-o", "remount,size=16m", str(disk)], check=True)
        again = render(*command, "--stage", "prepare")

    check_refusal(refused, tmp_path / "disk", "full")
    assert left == []
    assert again.code == 0


@pytest.mark.parametrize("stage", [FIT, ("--stage", "base")], ids=["fit", "base"])
def test_a_cache_that_filled_up_is_found_before_the_work(
    stage: tuple[str, ...], exr_shot: Callable[..., ShotFiles], render: Render, tmp_path: Path
) -> None:
    """Without a single block left no step is fitted; with room again the same task is done."""
    shot = exr_shot(tmp_path)
    with mounted(tmp_path / "disk", "size=16m") as disk:
        base = ("--set", "fits_start=base") if "base" in stage else SCRATCH
        command = shot.arguments(tmp_path / "out", disk / "cache", *base)
        assert render(*command, "--stage", "prepare").code == 0
        ballast = disk / "ballast"
        with ballast.open("wb", buffering=0) as file:
            while shutil.disk_usage(disk).free:
                file.write(b"\0" * 4096)
        refused = render(*command, *stage)
        ballast.unlink()
        again = render(*command, *stage)

    check_refusal(refused, tmp_path / "disk", "full")
    assert not refused.phases & {"inpainting", "base"}
    assert again.code == 0, again.message
    assert again.phases & {"inpainting", "base"}


@pytest.mark.parametrize("stage", [("--stage", "write"), FIT], ids=["write", "fit"])
def test_a_log_file_that_cannot_be_written(
    stage: tuple[str, ...],
    exr_shot: Callable[..., ShotFiles],
    render: Render,
    tmp_path: Path,
) -> None:
    """Exit code 5 before anything is done."""
    shot = exr_shot(tmp_path)
    (tmp_path / "taken").mkdir()
    command = shot.arguments(tmp_path / "out", tmp_path / "cache", *SCRATCH)
    outcome = render(*command, *stage, "--log-file", str(tmp_path / "taken"))
    assert outcome.code == 5
    assert str(tmp_path / "taken") in outcome.message
