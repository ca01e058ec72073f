"""Sequences on disk: how frames are found, named and written."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from infusion_engine.errors import SequenceError, UsageError
from infusion_engine.media.sequence import (
    FileSequence,
    check_not_plate,
    find_sequence,
    output_sequence,
)


def touch(folder: Path, *names: str) -> Path:
    """Empty files of these names in `folder`, which is made where needed."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in names:
        (folder / name).touch()
    return folder


@pytest.fixture
def plate(tmp_path: Path) -> Path:
    """A folder with plate.1001.exr to plate.1003.exr."""
    return touch(tmp_path / "plate", *(f"plate.{frame}.exr" for frame in (1001, 1002, 1003)))


@pytest.mark.parametrize(
    "text",
    ["", "plate.%04d.exr", "plate.####.exr", "plate.@@@@.exr", "plate.$F4.exr", "plate.1002.exr"],
)
def test_a_folder_a_pattern_and_a_frame_mean_the_same_sequence(plate: Path, text: str) -> None:
    """Every way of naming a sequence finds the same files, numbers and padding."""
    expected = FileSequence(plate, "plate.", ".exr", 4, (1001, 1002, 1003))
    assert find_sequence(str(plate / text)) == expected
    assert expected.pattern == "plate.%04d.exr"


@pytest.mark.parametrize(
    ("names", "padding", "frames"),
    [
        (["a.998.exr", "a.999.exr", "a.1000.exr"], 3, (998, 999, 1000)),
        (["a.0999.exr", "a.1000.exr"], 4, (999, 1000)),
        (["a.8.exr", "a.9.exr", "a.10.exr"], 1, (8, 9, 10)),
        (["a.000.exr", "a.001.exr"], 3, (0, 1)),
        (["a.-002.exr", "a.-001.exr", "a.0000.exr", "a.0001.exr"], 4, (-2, -1, 0, 1)),
        (["a.-2.exr", "a.-1.exr", "a.0.exr"], 1, (-2, -1, 0)),
        (["a-1.exr", "a-2.exr"], 1, (1, 2)),
        (["000001.exr", "000002.exr"], 6, (1, 2)),
    ],
)
def test_padding_is_the_files_own(
    tmp_path: Path, names: list[str], padding: int, frames: tuple[int, ...]
) -> None:
    """Numbers are written back exactly as they stand, whatever their width and sign."""
    found = find_sequence(touch(tmp_path, *names))
    assert (found.padding, found.frames) == (padding, frames)
    assert sorted(found.path(frame).name for frame in found.frames) == sorted(names)


@settings(max_examples=40)
@given(st.sets(st.integers(-2000, 20000), min_size=1, max_size=6), st.integers(1, 6))
def test_every_frame_found_is_a_file(
    tmp_path_factory: pytest.TempPathFactory, frames: set[int], padding: int
) -> None:
    """Whatever the numbers and the padding, a folder's frames are exactly its files."""
    folder = tmp_path_factory.mktemp("frames")
    touch(folder, *(f"p_{frame:0{padding}d}.exr" for frame in frames))
    found = find_sequence(folder)
    assert set(found.frames) == frames
    assert all(found.path(frame).is_file() for frame in frames)
    assert find_sequence(found.path(min(frames))) == found
    assert find_sequence(folder / found.pattern) == found


def test_padded_and_unpadded_frames_are_two_sequences(tmp_path: Path) -> None:
    """a.1.exr and a.0001.exr are not the same frame."""
    touch(tmp_path, "a.1.exr", "a.2.exr", "a.0001.exr", "a.0002.exr")
    assert find_sequence(tmp_path / "a.%04d.exr").path(1).name == "a.0001.exr"
    assert find_sequence(tmp_path / "a.2.exr").path(1).name == "a.1.exr"
    with pytest.raises(SequenceError, match="2 sequences"):
        find_sequence(tmp_path)


def test_versions_are_not_frames(tmp_path: Path) -> None:
    """fire_v01.1001 and fire_v02.1001 are two sequences, and fire_v3.exr is a lone file."""
    touch(tmp_path, "fire_v01.1001.exr", "fire_v02.1001.exr", "fire_v02.1002.exr")
    touch(tmp_path, "fire_v3.exr", "fire_v4.exr")
    assert find_sequence(tmp_path / "fire_v02.1001.exr").frames == (1001, 1002)
    assert find_sequence(tmp_path / "fire_v01.1001.exr").frames == (1001,)
    assert find_sequence(tmp_path / "fire_v3.exr").is_still


def test_sizes_and_words_are_not_frames(tmp_path: Path) -> None:
    """bars.200x150.exr and 10bit.dpx, 12bit.dpx are pictures on their own."""
    touch(tmp_path, "bars.200x150.exr", "10bit.dpx", "12bit.dpx")
    assert find_sequence(tmp_path / "bars.200x150.exr").is_still
    assert find_sequence(tmp_path / "10bit.dpx").is_still


def test_a_number_before_a_view_is_found_where_files_differ_in_it(tmp_path: Path) -> None:
    """shot.1001.left.exr has siblings, though its number does not stand before the extension."""
    names = [f"shot.{frame}.{view}.exr" for frame in (1001, 1002) for view in ("left", "right")]
    touch(tmp_path, *names)
    found = find_sequence(tmp_path / "shot.1001.left.exr")
    assert (found.pattern, found.frames) == ("shot.%04d.left.exr", (1001, 1002))


def test_a_lone_file_without_a_number_is_a_still(tmp_path: Path) -> None:
    """It has no frames and stands for every one of them."""
    still = find_sequence(touch(tmp_path, "matte.png") / "matte.png")
    assert still.is_still
    assert still.path(1001) == still.path(7) == tmp_path / "matte.png"
    assert find_sequence(tmp_path) == still


def test_a_lone_numbered_frame_keeps_its_number(tmp_path: Path) -> None:
    """One frame of a sequence is that frame, not a still."""
    found = find_sequence(touch(tmp_path, "plate.0042.exr") / "plate.0042.exr")
    assert (found.frames, found.padding, found.is_still) == ((42,), 4, False)


def test_a_folder_with_several_sequences_names_them(plate: Path) -> None:
    """Nothing is guessed: both sequences are listed with their ranges."""
    touch(plate, "depth.0001.exr", "depth.0002.exr")
    with pytest.raises(SequenceError) as caught:
        find_sequence(plate)
    assert "plate.%04d.exr 1001-1003" in str(caught.value)
    assert "depth.%04d.exr 1-2" in str(caught.value)


def test_other_files_beside_the_sequence_do_not_count(plate: Path) -> None:
    """A note, a contact sheet and a hidden temporary file leave the folder's meaning alone."""
    touch(plate, "notes.txt", "contact.png", ".x.0001.exr", ".x.0002.exr")
    assert find_sequence(plate).frames == (1001, 1002, 1003)


def test_a_folder_without_pictures_says_what_it_holds(tmp_path: Path) -> None:
    """An empty or foreign folder is refused with its content."""
    with pytest.raises(SequenceError, match=r"no image files.*no files"):
        find_sequence(tmp_path)
    touch(tmp_path, "notes.txt")
    with pytest.raises(SequenceError, match=r"no image files.*notes\.txt"):
        find_sequence(tmp_path)


@pytest.mark.parametrize(
    "name", ["plat.%04d.exr", "plate.%05d.exr", "plate.######.exr", "plate.1009.exr"]
)
def test_what_matches_nothing_is_said_with_what_is_there(plate: Path, name: str) -> None:
    """The message names what was looked for, where, and the nearest that exists."""
    with pytest.raises(SequenceError) as caught:
        find_sequence(plate / name)
    assert name in str(caught.value)
    assert f"'{plate}' holds plate.%04d.exr 1001-1003" in str(caught.value)


def test_a_folder_that_does_not_exist_is_named(tmp_path: Path) -> None:
    """The message names the missing folder and the last one that exists."""
    with pytest.raises(SequenceError) as caught:
        find_sequence(tmp_path / "no" / "such" / "plate.%04d.exr")
    assert str(tmp_path / "no" / "such") in str(caught.value)
    assert f"'{tmp_path}' exists" in str(caught.value)


@pytest.mark.parametrize("text", ["", "  ", "a\0b"])
def test_a_text_that_is_no_path_is_refused(text: str) -> None:
    """An empty path or one with a NUL is a slip of the job, not a missing file."""
    with pytest.raises(UsageError, match="not a path"):
        find_sequence(text)


def test_missing_frames_show_in_the_text(tmp_path: Path) -> None:
    """A sequence with holes says how many."""
    touch(tmp_path, "p.0001.exr", "p.0002.exr", "p.0005.exr")
    assert str(find_sequence(tmp_path)) == "p.%04d.exr 1-5 (2 missing)"


@pytest.mark.parametrize("text", ["out", "out/", "out.v2"])
def test_an_output_folder_keeps_the_plates_names(plate: Path, tmp_path: Path, text: str) -> None:
    """The folder need not exist, and frame numbers and padding are the plate's."""
    output = output_sequence(f"{tmp_path}/{text}", find_sequence(plate), ".exr")
    assert output.path(1002) == tmp_path / text / "plate.1002.exr"
    assert output.frames == (1001, 1002, 1003)


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("fire.####.exr", "fire.1002.exr"),
        ("f_%06d.exr", "f_001002.exr"),
        ("g.0001.exr", "g.1002.exr"),
    ],
)
def test_an_output_pattern_is_used_as_it_is(
    plate: Path, tmp_path: Path, text: str, name: str
) -> None:
    """A pattern, or one frame's path, sets the names."""
    output = output_sequence(tmp_path / text, find_sequence(plate), ".exr")
    assert output.path(1002) == tmp_path / name


def test_a_jpeg_plate_is_written_under_another_extension(tmp_path: Path) -> None:
    """Names stay, the extension becomes that of the files that are written."""
    jpeg = find_sequence(touch(tmp_path / "in", "p.001.jpg", "p.002.jpg"))
    assert output_sequence(tmp_path / "out", jpeg, ".png").path(2).name == "p.002.png"
    assert output_sequence(tmp_path / "out", jpeg, ".jpg").path(2).name == "p.002.jpg"


def test_an_output_of_another_kind_is_refused(plate: Path, tmp_path: Path) -> None:
    """Asking for PNG where EXR is written is refused, not ignored."""
    with pytest.raises(UsageError, match=r"'\.png'.*'\.exr'"):
        output_sequence(tmp_path / "fire.%04d.png", find_sequence(plate), ".exr")
    with pytest.raises(UsageError, match="no extension"):
        output_sequence(tmp_path / "fire.%04d", find_sequence(plate), ".exr")


def test_one_output_file_for_many_frames_is_refused(plate: Path, tmp_path: Path) -> None:
    """Each frame needs a file of its own."""
    with pytest.raises(UsageError, match=r"3 frames.*fire\.%04d\.exr"):
        output_sequence(tmp_path / "fire.exr", find_sequence(plate), ".exr")


def test_a_still_can_be_written_as_one_file_or_as_a_frame(tmp_path: Path) -> None:
    """A plate without a number goes to a name without one, or to a pattern."""
    still = find_sequence(touch(tmp_path / "in", "plate.exr"))
    assert output_sequence(tmp_path / "fire.exr", still, ".exr").path(1) == tmp_path / "fire.exr"
    assert output_sequence(tmp_path / "out", still, ".exr").path(1) == tmp_path / "out/plate.exr"
    numbered = output_sequence(tmp_path / "fire.##.exr", still, ".exr")
    assert numbered.path(1) == tmp_path / "fire.01.exr"


def test_an_output_that_is_the_plate_is_refused(plate: Path) -> None:
    """The plate's own folder is refused, and so is a longer way to it."""
    found = find_sequence(plate)
    for text in (plate, plate / ".." / plate.name, plate / "plate.%d.exr"):
        with pytest.raises(UsageError, match=r"overwrite the plate.*plate\.1001\.exr"):
            check_not_plate(output_sequence(text, found, ".exr"), found, (1001, 1002))


@pytest.mark.parametrize("link", [os.symlink, os.link])
def test_links_to_the_plate_are_seen_through(plate: Path, tmp_path: Path, link: object) -> None:
    """A symbolic or hard link under the output's name is still the plate."""
    assert callable(link)
    found = find_sequence(plate)
    out = touch(tmp_path / "out")
    link(plate / "plate.1003.exr", out / "plate.1002.exr")
    output = output_sequence(out, found, ".exr")
    with pytest.raises(UsageError, match=r"plate\.1002\.exr.*plate\.1003\.exr"):
        check_not_plate(output, found, (1001, 1002))
    check_not_plate(output, found, (1001,))


def test_our_own_earlier_output_is_no_plate(plate: Path, tmp_path: Path) -> None:
    """Files of an earlier run may be replaced."""
    found = find_sequence(plate)
    out = touch(tmp_path / "out", "plate.1001.exr")
    check_not_plate(output_sequence(out, found, ".exr"), found, found.frames)
