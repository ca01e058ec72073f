"""Frames: values as files hold them, the layer that was asked for, the matte as it was used."""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path

import numpy as np
import OpenEXR
import pytest
from PIL import Image

from benchmarks.frames import Source, add_source, frames_of, source_of


def there(folder: Path) -> Source:
    """Result, plate and matte below a folder."""
    return Source(str(folder / "out"), str(folder / "plate"), str(folder / "matte"))


def test_float_values_are_as_stored_and_the_layer_is_read(tmp_path: Path) -> None:
    """The plate's colour from one file, the fill from the layer of the other, the matte grown."""
    plate = np.full((6, 8, 3), 2.5, np.float16)
    matte = np.zeros((6, 8), np.float16)
    matte[2, 3] = 0.5
    for kind in ("plate", "out", "matte"):
        (tmp_path / kind).mkdir()
    for frame in ("1", "2"):
        OpenEXR.File({}, {"RGB": plate}).write(str(tmp_path / f"plate/a.{frame}.exr"))
        OpenEXR.File({}, {"A": matte}).write(str(tmp_path / f"matte/a.{frame}.exr"))
        out = {"RGB": plate, "infusion": np.full_like(plate, 7)}
        OpenEXR.File({}, out).write(str(tmp_path / f"out/a.{frame}.exr"))
    source = there(tmp_path)

    (whole, _), (filled, _) = (
        list(frames_of(one)) for one in (source, replace(source, layer="infusion", grow=1.0))
    )

    assert (whole.result == 2.5).all()
    assert (filled.result == 7.0).all()
    assert (filled.plate == 2.5).all()
    assert (whole.hole.sum(), filled.hole.sum()) == (1, 5)


def test_integers_count_in_parts_of_their_full_scale(tmp_path: Path) -> None:
    """255 of 8 bits is 1."""
    for kind, value in (("out", 51), ("plate", 255), ("matte", 255)):
        (tmp_path / kind).mkdir()
        picture = np.full((6, 8, 3), value, np.uint8)
        Image.fromarray(picture).save(tmp_path / kind / "a.1.png")
    (frame,) = frames_of(there(tmp_path))

    assert (frame.result == 0.2).all()
    assert (frame.plate == 1.0).all()
    assert frame.hole.all()


def test_a_result_is_named_with_its_plate() -> None:
    """Without a result nothing is named; with one the plate has to be."""
    parser = argparse.ArgumentParser()
    add_source(parser)
    assert source_of(parser.parse_args([])) is None
    found = source_of(parser.parse_args(["--result", "o", "--plate", "p", "--matte-grow", "2"]))
    assert found == Source("o", "p", None, grow=2.0)
    with pytest.raises(ValueError, match="--plate"):
        source_of(parser.parse_args(["--result", "o"]))
