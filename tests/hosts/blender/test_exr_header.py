"""EXR headers as they are read without any library, held against OpenEXR's own writer."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import OpenEXR
import pytest

from infusion_hosts.blender_host.exr_header import read_header


def _part(name: str = "", **header: object) -> OpenEXR.Part:
    channels = {
        "R": np.zeros((4, 6), np.float16),
        "infusion.A": np.zeros((4, 6), np.float32),
    }
    found = {"type": OpenEXR.scanlineimage, "compression": OpenEXR.ZIP_COMPRESSION, **header}
    return OpenEXR.Part(found, channels, name)


def _box(left: int, top: int, right: int, bottom: int) -> object:
    return (np.array([left, top], np.int32), np.array([right, bottom], np.int32))


def test_channels_and_windows_are_found(tmp_path: Path) -> None:
    """A plain picture has its corner at the origin and stores what it shows."""
    path = tmp_path / "plain.exr"
    OpenEXR.File([_part(comments="a text before and after")]).write(str(path))
    header = read_header(path)
    assert header is not None
    assert header.channels == ("R", "infusion.A")
    assert header.data_window == header.display_window == (0, 0, 5, 3)
    assert header.is_plain


@pytest.mark.parametrize("shown", [(0, 0, 5, 3), (-3, -2, 2, 1)])
def test_a_window_that_is_moved_is_not_plain(
    tmp_path: Path, shown: tuple[int, int, int, int]
) -> None:
    """Neither when it differs from what is shown, nor when both have another origin."""
    path = tmp_path / "moved.exr"
    part = _part(dataWindow=_box(-3, -2, 2, 1), displayWindow=_box(*shown))
    OpenEXR.File([part]).write(str(path))
    header = read_header(path)
    assert header is not None
    assert header.data_window == (-3, -2, 2, 1)
    assert not header.is_plain


def test_other_files_have_no_header_here(tmp_path: Path) -> None:
    """Several parts, no EXR, half a header, nothing at all."""
    parts = tmp_path / "parts.exr"
    OpenEXR.File([_part("one"), _part("two")]).write(str(parts))
    whole = tmp_path / "whole.exr"
    OpenEXR.File([_part()]).write(str(whole))
    assert read_header(parts) is None
    for length in (0, 4, 8, 40, 120):
        torn = tmp_path / "torn.exr"
        torn.write_bytes(whole.read_bytes()[:length])
        assert read_header(torn) is None
    picture = tmp_path / "picture.exr"
    picture.write_bytes(b"\x89PNG" + bytes(100))
    assert read_header(picture) is None
    assert read_header(tmp_path / "none.exr") is None
