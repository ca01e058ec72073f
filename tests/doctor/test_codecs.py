"""Codecs: frames go through the project's own reading and writing, and one wrong bit is seen."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from infusion_engine.doctor.codecs import (
    Kind,
    checks,
    differing,
    round_trip,
    the_dpx,
    the_exr,
    the_png,
)
from infusion_engine.doctor.findings import Outcome
from infusion_engine.errors import FrameError, StorageError
from infusion_engine.media.image_io import read_channels, read_header
from infusion_engine.media.layer import WriteMode
from infusion_engine.media.specimen import write_specimen

HALVES = {name: np.zeros((6, 8), np.float16) for name in "RGB"}
"""PNG has no such type."""
FINE = {name: np.full((6, 8), 1, np.uint16) for name in "RGB"}
"""10 bits have no such value."""


def test_every_kind_comes_through_here() -> None:
    """EXR, DPX and PNG, each with every bit as it should be."""
    findings = checks()
    assert [finding.name for finding in findings] == ["EXR", "DPX", "PNG"]
    assert [finding for finding in findings if finding.outcome is not Outcome.OK] == []


def test_one_wrong_bit_is_named_by_its_channel() -> None:
    """A sign of zero counts; so do another type, a missing channel and one too many."""
    plate = {"R": np.zeros((2, 2), np.float16), "G": np.ones((2, 2), np.float16)}
    assert differing(plate, {name: pixels.copy() for name, pixels in plate.items()}) == ""
    assert differing(plate, {**plate, "R": -plate["R"]}) == "R"
    assert differing(plate, {**plate, "G": plate["G"].astype(np.float32)}) == "G"
    assert differing(plate, {"R": plate["R"], "B": plate["R"]}) == "B, G"


@pytest.mark.parametrize(
    ("kind", "said"),
    [
        (replace(the_png(), channels=HALVES), "read otherwise than written: B, G, R"),
        (replace(the_dpx(), channels=FINE), "read otherwise than written: B, G, R"),
        (
            replace(the_exr(), mode=WriteMode.FILL),
            "filled otherwise than asked: A, B, G, R, depth.Z, infusion.A",
        ),
    ],
    ids=["png", "dpx", "exr"],
)
def test_what_does_not_come_back_fails_by_its_channels(
    tmp_path: Path, kind: Kind, said: str
) -> None:
    """Values that a format cannot hold, and a file of less than was asked for, are no success."""
    finding = round_trip(kind, tmp_path)
    assert (finding.outcome, finding.exit_code) == (Outcome.FAILED, 1)
    assert said in finding.found
    assert finding.remedy


def test_without_a_temporary_folder_it_is_storage_that_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file stands where temporary ones should go."""
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "file"))
    with pytest.raises(StorageError, match="temporary files"):
        checks()


@pytest.mark.parametrize("suffix", ["exr", "png", "tif"])
def test_a_specimen_holds_what_it_was_given(tmp_path: Path, suffix: str) -> None:
    """Every value of every channel, in its own type."""
    kind = np.float16 if suffix == "exr" else np.uint16
    channels = {name: np.arange(at, at + 6).reshape(2, 3).astype(kind) for at, name in
                enumerate("RGBA")}  # fmt: skip
    path = tmp_path / f"specimen.{suffix}"
    write_specimen(path, channels)
    found = read_channels(read_header(path), part=0, names=tuple(channels))
    assert differing(channels, {n: found[:, :, at] for at, n in enumerate(channels)}) == ""


def test_a_specimen_that_cannot_be_written_says_what_was_said(tmp_path: Path) -> None:
    """An unknown suffix, and a folder that is not there."""
    channels = {"R": np.zeros((2, 2), np.float16)}
    for path in (tmp_path / "specimen.nothing", tmp_path / "none" / "specimen.exr"):
        with pytest.raises(FrameError, match="could not be written") as caught:
            write_specimen(path, channels)
        assert str(path) in caught.value.message
