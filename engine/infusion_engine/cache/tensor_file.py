"""A tensor file: arrays by name in the safetensors format, written and read piece by piece.

The library packs a whole file in memory first, and that beside the arrays themselves; a sample of
a long shot is larger than memory. What is written here is byte for byte what the library writes.
"""

from __future__ import annotations

import io
import json
import math
from collections.abc import Callable, Iterator, Mapping
from typing import Protocol

import numpy as np
import numpy.typing as npt

Tensors = dict[str, npt.NDArray[np.generic]]
_NAMES = {
    "F64": "<f8", "F32": "<f4", "F16": "<f2", "I64": "<i8", "U64": "<u8", "I32": "<i4",
    "U32": "<u4", "I16": "<i2", "U16": "<u2", "I8": "|i1", "U8": "|u1", "BOOL": "|b1",
}  # fmt: skip
"""Types as the format names them, and as numpy does."""
_AT_ONCE = 1 << 24
"""Bytes that are read or written at once."""
_LONGEST_HEADER = 1 << 24
_ALIGNED = 8  # bytes: what the header's length is a multiple of


class TensorFileError(ValueError):
    """A file holds no tensors; its text is the end of a sentence."""


class Room(Protocol):
    """Gives room for arrays, and lets go of what was looked at of them."""

    def array(self, size: tuple[int, ...], dtype: np.dtype[np.generic]) -> np.ndarray:
        """An array to read into."""
        ...

    def rest(self) -> None:
        """A piece was read or written."""
        ...


class Memory:
    """Room in memory, where nothing is let go of."""

    def array(self, size: tuple[int, ...], dtype: np.dtype[np.generic]) -> np.ndarray:
        """An array of zeros."""
        return np.zeros(size, dtype)

    def rest(self) -> None:
        """Nothing."""


def packed(tensors: Mapping[str, npt.NDArray[np.generic]], room: Room) -> Iterator[bytes]:
    """The file of some arrays, piece by piece.

    Args:
        tensors: arrays by name, of numpy's plain numeric types.
        room: where they lie.

    Raises:
        TypeError: an array's type is none that the format knows.
    """
    arrays = {name: np.asarray(array, order="C") for name, array in tensors.items()}
    # As the library does: what is widest first, so that every array begins where it may.
    names = sorted(arrays, key=lambda name: (_order(arrays[name].dtype), name))
    header, at = {}, 0
    for name in names:
        array = arrays[name]
        span = [at, at + array.nbytes]
        header[name] = {
            "dtype": _name(array.dtype),
            "shape": list(array.shape),
            "data_offsets": span,
        }
        at = span[1]
    text = json.dumps(header, separators=(",", ":"), ensure_ascii=False).encode()
    text += b" " * (-len(text) % _ALIGNED)
    yield len(text).to_bytes(8, "little") + text
    for name in names:
        flat = arrays[name].reshape(-1).view(np.uint8)
        for first in range(0, len(flat), _AT_ONCE):
            yield flat[first : first + _AT_ONCE].tobytes()
            room.rest()


def unpacked(
    file: io.BufferedReader,
    count: int,
    room: Room | None,
    on_bytes: Callable[[bytes | memoryview], None],
) -> Tensors:
    """The arrays of a file, each put into room of its own.

    Args:
        file: at its beginning.
        count: its bytes.
        room: where arrays are put; None to read them and keep none, in little memory.
        on_bytes: hears every byte of the file, in order.

    Raises:
        TensorFileError: it holds no tensors.
        OSError: it cannot be read.
    """

    def read(count: int) -> bytes:
        found = file.read(count)
        on_bytes(found)
        if len(found) != count:
            raise TensorFileError("it ends too early")
        return found

    length = int.from_bytes(read(8), "little")
    if length > _LONGEST_HEADER:
        raise TensorFileError("its header is longer than any")
    found: Tensors = {}
    for name, size, dtype in _described(read(length), count - 8 - length):
        if room is None:
            left = math.prod(size) * dtype.itemsize
            while left:
                left -= len(read(min(left, _AT_ONCE)))
            continue
        array = room.array(size, dtype)
        flat = array.reshape(-1).view(np.uint8).data
        for first in range(0, len(flat), _AT_ONCE):
            piece = flat[first : first + _AT_ONCE]
            if file.readinto(piece) != len(piece):
                raise TensorFileError("it ends too early")
            on_bytes(piece)
            room.rest()
        found[name] = array
    return found


def _described(text: bytes, count: int) -> list[tuple[str, tuple[int, ...], np.dtype[np.generic]]]:
    """(name, shape, type) of each array of a header that `count` bytes follow, in their order."""
    try:
        header = json.loads(text)
        header.pop("__metadata__", None)
        found, at = [], 0
        for name, told in sorted(header.items(), key=lambda item: item[1]["data_offsets"]):
            dtype, size = np.dtype(_NAMES[told["dtype"]]), tuple(map(int, told["shape"]))
            first, last = told["data_offsets"]
            length = math.prod(size) * dtype.itemsize
            if (first, last) != (at, at + length) or min(size, default=0) < 0:
                raise TensorFileError("its tensors do not lie one after the other")
            at = last
            found.append((name, size, dtype))
        if at != count:
            raise TensorFileError("its tensors are not as long as it is")
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise TensorFileError(f"its header says nothing ({error})") from error
    return found


def _name(dtype: np.dtype[np.generic]) -> str:
    """A type as the format names it."""
    for name, ours in _NAMES.items():
        if np.dtype(ours) == dtype:
            return name
    raise TypeError(f"an array of {dtype} cannot be kept in a tensor file")


def _order(dtype: np.dtype[np.generic]) -> int:
    """Where a type stands in the file: the widest come first."""
    order = ("BOOL", "U8", "I8", "I16", "U16", "F16", "I32", "U32", "F32", "F64", "I64", "U64")
    return -order.index(_name(dtype))
