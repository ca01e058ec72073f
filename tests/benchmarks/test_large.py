"""The large shot: its matte moves within the frame, and a changed bit outside it is found."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import OpenEXR
import pytest

from benchmarks.large import changed_outside, channels, write_shot

SIZE, FRAMES, HOLE, DRIFT = (64, 48), 3, (20, 16), 3
Channels = dict[str, np.ndarray]


def rendered(folder: Path, change: Callable[[Channels, np.ndarray], None]) -> Path:
    """The shot with an output that replaces what is under the matte, and `change` in one frame."""
    write_shot(folder, SIZE, FRAMES, HOLE, DRIFT)
    (folder / "out").mkdir()
    for file in sorted((folder / "plate").iterdir()):
        plate = channels(file)
        inside = channels(folder / "matte" / file.name.replace("p.", "m."))["A"] > 0
        layer = {f"infusion.{n}": np.where(inside, np.float16(7), v) for n, v in plate.items()}
        out = plate | layer
        if file.name == "p.1002.exr":
            change(out, inside)
        header = {"type": OpenEXR.scanlineimage, "compression": OpenEXR.NO_COMPRESSION}
        OpenEXR.File(header, out).write(str(folder / "out" / file.name))
    return folder


def nothing(out: Channels, inside: np.ndarray) -> None:
    """Leave the output as it is."""


def a_channel_s_last_bit(out: Channels, inside: np.ndarray) -> None:
    """One bit of the plate's own red, under the matte."""
    y, x = np.argwhere(inside)[0]
    out["R"].view(np.uint16)[y, x] ^= 1


def two_of_the_layer(out: Channels, inside: np.ndarray) -> None:
    """The sign of two values of the layer beside the matte."""
    for y, x in np.argwhere(~inside)[:2]:
        out["infusion.G"].view(np.uint16)[y, x] ^= 0x8000


@pytest.mark.parametrize(
    ("change", "count"), [(nothing, 0), (a_channel_s_last_bit, 1), (two_of_the_layer, 2)]
)
def test_every_changed_bit_outside_is_counted(
    tmp_path: Path, change: Callable[[Channels, np.ndarray], None], count: int
) -> None:
    """In the layer outside the matte, in the plate's channels anywhere."""
    assert changed_outside(rendered(tmp_path, change)) == count


def test_the_matte_moves_and_the_plate_is_scene_linear(tmp_path: Path) -> None:
    """An ellipse of the size that was asked for, in another place in each frame."""
    write_shot(tmp_path, SIZE, FRAMES, HOLE, DRIFT)
    mattes = [channels(file)["A"] > 0 for file in sorted((tmp_path / "matte").iterdir())]
    firsts = [int(np.flatnonzero(matte.any(0))[0]) for matte in mattes]
    assert len(mattes) == FRAMES
    assert firsts == [firsts[0] + DRIFT * index for index in range(FRAMES)]
    for matte in mattes:
        assert abs(int(matte.any(0).sum()) - HOLE[0]) <= 1
        assert abs(int(matte.any(1).sum()) - HOLE[1]) <= 1
    red = channels(tmp_path / "plate" / "p.1001.exr")["R"]
    assert red.dtype == np.float16
    assert red.max() > 2.0


def test_a_hole_that_leaves_the_frame_is_refused(tmp_path: Path) -> None:
    """Its size and the frame's are told."""
    with pytest.raises(ValueError, match="60x16 leaves 64x48 within 3 frames"):
        write_shot(tmp_path, SIZE, FRAMES, (60, 16), DRIFT)
