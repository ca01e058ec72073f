"""Damage in what a frame holds beside its colour: found before the work, where writing needs it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import OpenEXR
import pytest

from infusion_engine.media.image_io import read_channels, read_header

if TYPE_CHECKING:
    from tests.end_to_end.conftest import Outcome, ShotFiles

Render = Callable[..., "Outcome"]
MakeShot = Callable[..., "ShotFiles"]
ReadFiles = Callable[[Path], dict[str, bytes]]
Channels = Callable[..., dict[str, np.ndarray]]


def rewrite(shot: ShotFiles, make: Callable[[dict[str, np.ndarray]], list[OpenEXR.Part]]) -> Path:
    """Write every plate anew, of the parts that `make` makes of R, G, B; the path of the middle."""
    for frame, pixels in shot.plates.items():
        colour = {name: pixels[:, :, c].copy() for c, name in enumerate("RGB")}
        OpenEXR.File(make(colour)).write(str(shot.folder / f"plate/fire.{frame}.exr"))
    return shot.folder / "plate/fire.1003.exr"


def noise() -> np.ndarray:
    """(H, W) float32."""
    return np.random.default_rng(7).random((40, 48), np.float32)


def zips() -> dict[str, object]:
    """A header of scanlines, one in a chunk."""
    return {"type": OpenEXR.scanlineimage, "compression": OpenEXR.ZIPS_COMPRESSION}


def second_part(shot: ShotFiles) -> None:
    """Beauty and motion; the middle frame's last lines of motion are overwritten."""
    path = rewrite(
        shot,
        lambda colour: [
            OpenEXR.Part(zips(), colour, "beauty"),
            OpenEXR.Part(zips(), {"u": noise()}, "motion"),
        ],
    )
    path.write_bytes(path.read_bytes()[:-400] + b"\xff" * 400)


def depth_in_the_same_part(shot: ShotFiles) -> None:
    """R, G, B, A, Z as DWAA, which keeps Z apart: the middle frame's is overwritten."""
    header = {"type": OpenEXR.scanlineimage, "compression": OpenEXR.DWAA_COMPRESSION}
    alpha = np.ones((40, 48), np.float16)
    path = rewrite(
        shot,
        lambda colour: [OpenEXR.Part(dict(header), {**colour, "A": alpha, "Z": noise()}, "")],
    )
    whole = path.read_bytes()
    at = len(whole) - 2400  # in the last chunk's first half, where Z lies
    path.write_bytes(whole[:at] + b"\xff" * 8 + whole[at + 8 :])


BESIDE = {"second part": second_part, "depth in the same part": depth_in_the_same_part}
BY_NAME = pytest.mark.parametrize("spoil", BESIDE.values(), ids=BESIDE)


def check_colour(shot: ShotFiles) -> None:
    """The middle frame's colour is sound, or the test would be about something else."""
    header = read_header(shot.folder / "plate/fire.1003.exr")
    assert read_channels(header, part=0, names=("R", "G", "B")).shape == (40, 48, 3)


@BY_NAME
@pytest.mark.parametrize("mode", ["layer", "merged"])
def test_it_is_found_before_training(
    exr_shot: MakeShot,
    render: Render,
    files: ReadFiles,
    tmp_path: Path,
    *,
    spoil: Callable[[ShotFiles], None],
    mode: str,
) -> None:
    """One plain message names the file; nothing is fitted, and nothing is written."""
    shot = exr_shot(tmp_path)
    spoil(shot)
    check_colour(shot)

    outcome = render(*shot.arguments(tmp_path / "out", tmp_path / "cache", "--write", mode))

    assert outcome.code == 3, outcome
    message, remedy = outcome.message.splitlines()
    assert message.startswith("Error: ")
    assert "fire.1003.exr is damaged" in message
    assert remedy == "Render or copy this frame again."
    assert outcome.hits == outcome.fitted == []
    assert outcome.phases <= {"loading", "looking"}
    assert files(tmp_path / "out") == {}
    assert list((tmp_path / "cache").glob("*/*")) == []


def test_events_stay_events(exr_shot: MakeShot, tmp_path: Path) -> None:
    """The library prints of it on stdout; whoever reads events there meets JSON alone."""
    shot = exr_shot(tmp_path)
    second_part(shot)
    command = [sys.executable, "-m", "infusion_engine.cli.render"]
    run = subprocess.run(
        [*command, *shot.arguments(tmp_path / "out", tmp_path / "cache"), "--events", "json"],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
        capture_output=True,
        text=True,
        check=False,
    )
    events = [json.loads(line) for line in run.stdout.splitlines()]
    assert run.returncode == events[-1]["exit_code"] == 3
    assert (events[0]["event"], events[-1]["event"]) == ("started", "failed")
    assert run.stderr == f"Error: {events[-1]['message']}\n{events[-1]['remedy']}\n"


@pytest.mark.parametrize(
    "more", [("--write", "fill"), ("--frames", "1004-1005", "--handles", "1")], ids=lambda m: m[0]
)
@BY_NAME
def test_what_is_not_written_need_not_be_whole(
    exr_shot: MakeShot,
    render: Render,
    channels: Channels,
    tmp_path: Path,
    *,
    spoil: Callable[[ShotFiles], None],
    more: tuple[str, ...],
) -> None:
    """A lone fill takes only the colour from the plate; of a handle nothing else is read."""
    shot = exr_shot(tmp_path)
    spoil(shot)

    outcome = render(*shot.arguments(tmp_path / "out", tmp_path / "cache", *more))

    assert (outcome.code, outcome.fitted) == (0, [0, 1, 2]), outcome
    for frame in outcome.all("frame", "frame"):
        found = channels(tmp_path / f"out/fire.{frame}.exr")
        layer = {"infusion.R", "infusion.G", "infusion.B", "infusion.A"}
        assert layer == found.keys() if "fill" in more else layer < found.keys()
