"""Tensor files: as the library writes them, read back whole, and refused where they are not."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load, save

from infusion_engine.cache.tensor_file import (
    Memory,
    TensorFileError,
    Tensors,
    packed,
    unpacked,
)

TYPES = ("f8", "f4", "f2", "i8", "u8", "i4", "u4", "i2", "u2", "i1", "u1", "?")


def several() -> Tensors:
    """Arrays of every type and of unusual shapes."""
    rng = np.random.default_rng(0)
    found: Tensors = {
        "weights": rng.standard_normal((3, 4, 5)).astype("f4"),
        "turned": rng.standard_normal((3, 4)).astype("f4").T,
        "number": np.array(3.0, "f4"),
        "none": np.zeros((0, 4), "f8"),
        "ü": np.arange(7, dtype="u1"),
    }
    return found | {f"of {name}": np.arange(5).astype(name) for name in TYPES}


def read(content: bytes) -> tuple[Tensors, bytes]:
    """(arrays, all bytes that were told)."""
    told: list[bytes] = []
    with tempfile.NamedTemporaryFile() as file:
        file.write(content)
        file.flush()
        with Path(file.name).open("rb") as there:
            found = unpacked(there, len(content), Memory(), lambda piece: told.append(bytes(piece)))
    return found, b"".join(told)


def test_it_is_what_the_library_writes_and_reads(monkeypatch: pytest.MonkeyPatch) -> None:
    """To the byte, in pieces of any size."""
    monkeypatch.setattr("infusion_engine.cache.tensor_file._AT_ONCE", 7)
    arrays = several()
    content = b"".join(packed(arrays, Memory()))
    plain = {name: np.asarray(array, order="C") for name, array in arrays.items()}
    assert content == save(plain)
    assert load(content).keys() == arrays.keys()
    found, told = read(content)
    assert told == content
    for name, array in arrays.items():
        assert found[name].dtype == array.dtype
        assert found[name].shape == array.shape
        assert np.array_equal(found[name], array)


def header(**changes: object) -> bytes:
    """A file of one array of two floats, said to be otherwise."""
    told = {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]} | changes
    text = json.dumps({"x": told}).encode()
    return len(text).to_bytes(8, "little") + text + bytes(8)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "ends too early"),
        (header()[:40], "ends too early"),
        (b"\xff" * 40, "longer than any"),
        (b"\x08" + bytes(7) + b"no JSON!", "says nothing"),
        (header(dtype="F31"), "says nothing"),
        (header(shape="long"), "says nothing"),
        (header(shape=[-2], data_offsets=[0, -8]), "one after the other"),
        (header(shape=[2**60], data_offsets=[0, 2**62]), "not as long"),
        (header(data_offsets=[4, 12]), "one after the other"),
        (header(shape=[3], data_offsets=[0, 12]), "not as long"),
        (header() + b"more", "not as long"),
    ],
)
def test_what_is_no_tensor_file_is_refused(content: bytes, reason: str) -> None:
    """Before room for anything that it claims is asked for."""
    with pytest.raises(TensorFileError, match=reason):
        read(content)


def test_a_type_that_the_format_has_not_is_refused() -> None:
    """Nothing is written as what it is not."""
    with pytest.raises(TypeError, match="complex"):
        list(packed({"x": np.zeros(2, "c8")}, Memory()))
