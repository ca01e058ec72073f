"""The shelf: where clips lie while a shot is worked on, in memory or, if too large for it, on disk.

A clip on disk is mapped, and read and changed like any other; what was looked at is let go again,
so that no more of it is in memory than is being worked on. Whoever goes through a clip does so some
frames at a time.
"""

from __future__ import annotations

import mmap
import os
import tempfile
import weakref
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from infusion_engine.errors import StorageError

AT_ONCE = 1 << 22
"""Values of a clip that are carried on at once, beside what has to be held of all of it."""
MEASURED = 1 << 24
"""Values of a clip that are measured at once. A mean over more is put together from parts, which
rounds otherwise: it goes by the clip alone, and never by how much memory there is."""
_LEAST = 1 << 20
"""Bytes below which nothing is put on disk."""


class Shelf:
    """Gives room for clips."""

    def __init__(self, folder: Path | None = None) -> None:
        """In memory; or, for what is large and on the CPU, in files of `folder` without a name.

        A file without a name is gone with its last clip, and with the process, however that ends.
        """
        self.folder = folder
        self._maps: weakref.WeakSet[mmap.mmap] = weakref.WeakSet()

    @property
    def on_disk(self) -> bool:
        """True where what is large lies on disk."""
        return self.folder is not None

    def zeros(
        self,
        *size: int,
        dtype: torch.dtype = torch.float32,
        device: torch.device | None = None,
    ) -> Tensor:
        """Room for a clip, all 0.

        Raises:
            StorageError: the disk has no room for it.
        """
        values = int(np.prod(size))
        count = values * dtype.itemsize
        on_cpu = device is None or device.type == "cpu"
        if self.folder is None or not on_cpu or count < _LEAST:
            return torch.zeros(size, dtype=dtype, device=device)
        mapped = _mapped(self.folder, count)
        self._maps.add(mapped)
        return torch.frombuffer(mapped, dtype=dtype, count=values).reshape(size)

    def array(self, size: tuple[int, ...], dtype: np.dtype[np.generic]) -> np.ndarray:
        """Room for an array that is read from a file, all 0.

        Raises:
            StorageError: the disk has no room for it.
        """
        whole = self.zeros(int(np.prod(size)) * dtype.itemsize, dtype=torch.uint8)
        return whole.numpy().view(dtype).reshape(size)

    def copied(self, x: Tensor) -> Tensor:
        """(C, T, H, W), or the like of one: a copy that holds nothing of what x is a part of."""
        room = self.zeros(*x.shape, dtype=x.dtype, device=x.device)
        for frames in self.pieces(x):
            room[..., frames, :, :] = x[..., frames, :, :]
        return room

    def pieces(self, x: Tensor, values: int | None = None) -> Iterator[slice]:
        """Frames of (..., T, H, W), so many at once that they hold `values` numbers, or one.

        Without `values`: AT_ONCE.
        """
        for frames in pieces(x, values):
            yield frames
            self.rest()

    def rest(self) -> None:
        """Let go of what was looked at, or changed: the disk has it."""
        if not hasattr(mmap, "MADV_DONTNEED"):
            return  # Windows trims what is mapped by itself
        for mapped in self._maps:
            mapped.madvise(mmap.MADV_DONTNEED)


def pieces(x: Tensor, values: int | None = None) -> Iterator[slice]:
    """Frames of (..., T, H, W), so many at once that what is made of them on the way is small."""
    frames = x.shape[-3]
    at_once = max(1, (values or AT_ONCE) * frames // max(1, x.numel()))
    for first in range(0, frames, at_once):
        yield slice(first, min(first + at_once, frames))


def bands(x: Tensor, values: int | None = None) -> Iterator[slice]:
    """Rows of (..., T, H, W), so many at once that they hold `values` numbers, or one."""
    rows = x.shape[-2]
    at_once = max(1, (values or AT_ONCE) * rows // max(1, x.numel()))
    for first in range(0, rows, at_once):
        yield slice(first, min(first + at_once, rows))


def _mapped(folder: Path, count: int) -> mmap.mmap:
    """So many bytes of a new file without a name, all 0; room on the disk is taken at once.

    A file with holes in it would end the process where the disk runs full.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder, prefix="infusion-clip-") as file:
            if hasattr(os, "posix_fallocate"):
                os.posix_fallocate(file.fileno(), 0, count)
            else:
                file.truncate(count)
            return mmap.mmap(file.fileno(), count)
    except OSError as error:
        raise StorageError(
            f"The folder {folder} has no room for a clip of {count / 2**30:.1f} GiB: "
            f"{error.strerror or error}.",
            remedy="Make room there, name another folder with --scratch, or give more --memory, "
            "so that clips stay in it.",
        ) from error
