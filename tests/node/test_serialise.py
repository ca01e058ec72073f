"""Writing an input's frames: whole, and only those that have changed."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from infusion_node.errors import FolderError, SetupError
from infusion_node.frame_range import FrameRange
from infusion_node.host import Clip, Footage
from infusion_node.job_folder import JobFolder
from infusion_node.serialise import files_of, serialised
from tests.node.stand_ins import CountingHost

FRAMES = FrameRange(1001, 1003)
FOOTAGE = Footage(1001, 1003)


def write(host: CountingHost) -> list[tuple[int, int]]:
    """Serialise the plate; what was told meanwhile."""
    return list(serialised(host, Clip.PLATE, FOOTAGE, FRAMES, JobFolder(host.folder)))


def frames_written(host: CountingHost) -> list[int]:
    """Numbers of the frames written since the last call."""
    numbers = [number for _, number in host.written]
    host.written.clear()
    return numbers


def test_every_frame_is_written_once_under_its_number(host: CountingHost) -> None:
    """Progress before each and at the end, and nothing temporary is left."""
    assert write(host) == [(0, 3), (1, 3), (2, 3), (3, 3)]
    folder = host.folder / "footage" / "plate"
    assert sorted(path.name for path in folder.iterdir()) == [
        f"plate.{number}.exr" for number in (1001, 1002, 1003)
    ]
    assert (folder / "plate.1002.exr").read_text() == "plate 1002"


def test_only_what_has_changed_is_written_again(host: CountingHost) -> None:
    """A frame with another content, one that was touched on disk, and one that is gone."""
    write(host)
    assert frames_written(host) == [1001, 1002, 1003]
    write(host)
    assert frames_written(host) == []

    host.pictures[1002] = "repainted"
    write(host)
    assert frames_written(host) == [1002]

    plate = Path(files_of(Clip.PLATE, FOOTAGE, JobFolder(host.folder)))
    plate.with_name("plate.1001.exr").write_text("by somebody else")
    plate.with_name("plate.1003.exr").unlink()
    write(host)
    assert frames_written(host) == [1001, 1003]


def test_frames_that_are_not_wanted_any_more_are_removed(host: CountingHost) -> None:
    """The engine would take them for handles, and they may show what has changed since."""
    write(host)
    fewer = FrameRange(1002, 1002)
    list(serialised(host, Clip.PLATE, FOOTAGE, fewer, JobFolder(host.folder)))
    folder = host.folder / "footage" / "plate"
    assert [path.name for path in folder.iterdir()] == ["plate.1002.exr"]
    frames_written(host)
    write(host)
    assert frames_written(host) == [1001, 1003]


def test_a_host_that_cannot_tell_writes_every_time(host: CountingHost) -> None:
    """Better too often than a stale frame."""
    host.pictures = dict.fromkeys(range(1001, 1004))
    write(host)
    write(host)
    assert frames_written(host) == [1001, 1002, 1003] * 2


def test_a_note_that_was_damaged_costs_a_writing_and_no_more(host: CountingHost) -> None:
    """Frames whose content nobody knows are written again."""
    write(host)
    frames_written(host)
    JobFolder(host.folder).contents("plate").write_text("{torn")
    write(host)
    assert frames_written(host) == [1001, 1002, 1003]


def test_a_frame_that_fails_leaves_nothing_half_written(host: CountingHost) -> None:
    """What was written before it stays and counts; the frame itself has no file."""

    class Failing(CountingHost):
        def write_frame(self, clip: Clip, frame: int, path: Path) -> None:
            super().write_frame(clip, frame, path)
            if frame == 1002:
                raise OSError(28, "No space left on device")

    with pytest.raises(FolderError, match="No space left on device"):
        write(Failing(host.folder))
    folder = host.folder / "footage" / "plate"
    assert [path.name for path in folder.iterdir()] == ["plate.1001.exr"]
    write(host)
    assert frames_written(host) == [1002, 1003]


def test_a_host_that_writes_nothing_is_noticed(host: CountingHost) -> None:
    """An empty or missing file is never handed to the engine."""

    class Silent(CountingHost):
        def write_frame(self, clip: Clip, frame: int, path: Path) -> None:
            path.touch()

    with pytest.raises(SetupError, match="wrote nothing for frame 1001 of the plate"):
        write(Silent(host.folder))


def test_a_dpx_plate_is_written_as_dpx() -> None:
    """The suffix is the host's word."""
    footage = Footage(1, 2, suffix=".dpx")
    pattern = files_of(Clip.PLATE, footage, JobFolder(Path("work")))
    assert pattern == os.path.join("work", "footage", "plate", "plate.%04d.dpx")  # noqa: PTH118


@pytest.mark.parametrize(
    ("text", "expected"),
    [("1001-1048", (1001, 1048)), ("7", (7, 7)), (" 1 - 3 ", (1, 3)), ("-5--2", (-5, -2))],
)
def test_a_frame_range_is_read(text: str, expected: tuple[int, int]) -> None:
    """Both ends are included, a single frame is a range, and numbers may be negative."""
    found = FrameRange.parse(text)
    assert (found.first, found.last) == expected


@pytest.mark.parametrize("text", ["", "a-b", "1-2-3", "1001:1048", "5-3"])
def test_what_is_no_frame_range_is_refused(text: str) -> None:
    """The message names the knob."""
    with pytest.raises(SetupError, match="Frame range"):
        FrameRange.parse(text)
