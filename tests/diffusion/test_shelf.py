"""The shelf: clips on disk are as clips in memory, and little of them is in memory at a time."""

from __future__ import annotations

import gc
import resource
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from infusion_engine.diffusion.shelf import Shelf, bands, pieces
from infusion_engine.errors import StorageError


def test_what_is_large_lies_in_a_file_without_a_name(tmp_path: Path) -> None:
    """Nobody finds it, its room is taken at once, and it is gone with its clip."""
    shelf, before = Shelf(tmp_path), shutil.disk_usage(tmp_path).used
    clip = shelf.zeros(3, 40, 500, 500)
    assert list(tmp_path.iterdir()) == []
    assert shutil.disk_usage(tmp_path).used - before > 100e6
    del clip
    gc.collect()
    assert shutil.disk_usage(tmp_path).used - before < 20e6


def test_what_was_let_go_of_is_still_there(tmp_path: Path) -> None:
    """Every value, however it was written."""
    shelf = Shelf(tmp_path)
    clip = shelf.zeros(2, 8, 300, 300)
    assert not clip.any()
    values = torch.rand(2, 8, 300, 300)
    for frames in shelf.pieces(clip, 2 * 3 * 300 * 300):
        clip[:, frames] = values[:, frames]
    assert torch.equal(clip, values)
    shelf.rest()
    assert torch.equal(shelf.copied(clip[..., 10:290, 20:280]), values[..., 10:290, 20:280])


def test_an_array_to_read_into_is_of_any_shape_and_type(tmp_path: Path) -> None:
    """As the cache asks for it."""
    for dtype in ("<f4", "<i8", "|u1"):
        array = Shelf(tmp_path).array((3, 700, 900), np.dtype(dtype))
        assert array.shape == (3, 700, 900)
        assert array.dtype == np.dtype(dtype)
        assert not array.any()
        array[1] = 7
        assert array.sum() == 7 * 700 * 900
    assert Shelf().array((), np.dtype("<f4")).shape == ()


@pytest.mark.parametrize("size", [(3, 7, 5, 4), (1, 3, 7, 5, 4), (7, 5, 4)])
@pytest.mark.parametrize("values", [1, 50, 10**6])
def test_pieces_and_bands_leave_nothing_out(size: tuple[int, ...], values: int) -> None:
    """Each frame, and each row, once and in order."""
    clip = torch.zeros(size)
    assert [i for some in pieces(clip, values) for i in range(7)[some]] == list(range(7))
    assert [i for some in bands(clip, values) for i in range(5)[some]] == list(range(5))
    largest = max(clip[..., some, :, :].numel() for some in pieces(clip, values))
    assert largest <= max(values, clip.numel() // 7)


def test_a_disk_without_room_is_named(tmp_path: Path) -> None:
    """Before anything is written: a file with holes in it would end the process later."""
    limit = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (2**20, limit[1]))
    try:
        with pytest.raises(StorageError, match="no room for a clip"):
            Shelf(tmp_path).zeros(3, 40, 500, 500)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limit)


_GONE_THROUGH = """
import resource, sys
from pathlib import Path
from infusion_engine.diffusion.shelf import Shelf
shelf = Shelf(Path(sys.argv[1]))
clip = shelf.zeros(3, 2, 500, 500)
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
clip = shelf.zeros(3, int(sys.argv[2]), 500, 500)
for frames in shelf.pieces(clip):
    clip[:, frames] = 1.0
print(sum(float(clip[:, f].mean()) for f in shelf.pieces(clip)) > 0)
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
"""


def test_going_through_a_clip_takes_the_memory_of_a_piece(tmp_path: Path) -> None:
    """However long it is: 0.9 GiB are written and read within a tenth of that."""
    command = [sys.executable, "-c", _GONE_THROUGH, str(tmp_path), "320"]
    found = subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()
    assert found[0] == "True"
    assert int(found[1]) * 1024 < 96e6
