"""Files that others damaged, or of kinds we do not take: each is refused in one plain message.

Every file is opened and read in a process of its own making, because the libraries underneath are
known to abort on some of them, and an abort must fail a test rather than end the suite.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest

WritePicture = Callable[..., Path]

_PROGRAM = """
import json, sys
from infusion_engine.errors import InfusionError
from infusion_engine.media.shot import open_shot
from infusion_node.wire.job import RenderJob

for text in json.load(sys.stdin):
    job = RenderJob(text["plate"], "out").overridden(**text["job"])
    try:
        shot = open_shot(job)
        for frame in shot.frames_read:
            shot.read_plate(frame)
            shot.read_matte(frame)
        print(json.dumps([0, ""]), flush=True)
    except InfusionError as error:
        print(json.dumps([error.exit_code, str(error)]), flush=True)
"""


def outcomes(plates: Sequence[Path], **job: object) -> list[tuple[int, str]]:
    """(exit code, message) of opening each plate and reading all of it; 0 where that works."""
    jobs = [{"plate": str(plate), "job": job} for plate in plates]
    run = subprocess.run(
        [sys.executable, "-c", _PROGRAM],
        input=json.dumps(jobs),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert run.returncode == 0, f"after {run.stdout.count(chr(10))} of {len(jobs)}: {run.stderr}"
    return [(code, message) for code, message in map(json.loads, run.stdout.splitlines())]


def write_frames(folder: Path, write_picture: WritePicture) -> Path:
    """Three compressed frames of noise with alpha."""
    rng = np.random.default_rng(1)
    for frame in (1, 2, 3):
        pixels = {name: rng.random((64, 64)).astype(np.float16) for name in "RGBA"}
        write_picture(folder / f"p.{frame}.exr", pixels, attributes={"compression": "zips"})
    return folder


@pytest.mark.parametrize(
    "damage",
    [
        lambda whole: whole[:0],
        lambda whole: whole[:200],
        lambda whole: whole[: len(whole) // 2],
        lambda whole: whole[:-4000] + b"\xff" * 4000,
        lambda whole: b"not a picture" + whole,
    ],
    ids=["empty", "no header", "half", "garbage", "text"],
)
def test_a_damaged_frame_in_the_middle_is_named(
    tmp_path: Path, write_picture: WritePicture, damage: Callable[[bytes], bytes]
) -> None:
    """Cut, emptied or overwritten files are refused by name as unusable input."""
    folder = write_frames(tmp_path, write_picture)
    whole = (folder / "p.2.exr").read_bytes()
    (folder / "p.2.exr").write_bytes(damage(whole))
    ((code, message),) = outcomes([folder])
    assert code == 3
    assert "p.2.exr" in message


def test_undamaged_frames_are_read(tmp_path: Path, write_picture: WritePicture) -> None:
    """The same frames without the damage are read to the end."""
    assert outcomes([write_frames(tmp_path, write_picture)]) == [(0, "")]


def test_a_folder_under_a_frames_name_is_refused(
    tmp_path: Path, write_picture: WritePicture
) -> None:
    """A folder called p.2.exr is no frame: the frame is missing."""
    folder = write_frames(tmp_path, write_picture)
    (folder / "p.2.exr").unlink()
    (folder / "p.2.exr").mkdir()
    ((code, message),) = outcomes([folder])
    assert code == 3
    assert "Frame 2 is missing" in message


def test_files_that_others_damaged_are_refused(outside_media: Path) -> None:
    """Each of the collections' damaged files gives exit code 3 and a message that names it."""
    files = sorted((outside_media / "media/exr/damaged").iterdir())
    found = outcomes(files, matte_channel="R")
    assert len(files) == len(found) == 24
    for file, (code, message) in zip(files, found, strict=True):
        assert code == 3, (file, message)
        assert file.name in message
        assert "\n" not in message


@pytest.mark.parametrize(
    ("path", "code", "words"),
    [
        ("dpx/missing_second", 3, "Frame 2 is missing"),
        ("dpx/corrupted_second", 3, "000002.dpx"),
        ("dpx/8bit-OffsetToData0.dpx", 3, "8bit-OffsetToData0.dpx"),
        ("dpx/flavours", 3, "7 sequences or single pictures"),
        ("exr/compression/comp_b44.exr", 3, "luminance-chroma"),
        ("exr/beachball", 3, "multipart.%04d.exr 1-4, singlepart.%04d.exr 1-4"),
        ("exr/beachball/multipart.0001.exr", 2, "2 views: right, left"),
        ("exr/beachball/singlepart.0001.exr", 2, "2 views: right, left"),
        ("exr/layers/imitateProductionLayers1.exr", 3, "pixel type"),
        ("exr/layers/weirdPartNames.exr", 3, "no colour"),
        ("exr/values/floatValues.exr", 3, "no colour"),
    ],
)
def test_awkward_media_is_refused_by_name(
    outside_media: Path, path: str, code: int, words: str
) -> None:
    """What cannot be used as a plate says why, in words of the file itself."""
    ((found, message),) = outcomes([outside_media / "media" / path], matte_channel="R")
    assert found == code
    assert words in message
