"""Values: HDR goes through unclamped, and nothing from under the matte has any influence."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

if TYPE_CHECKING:
    from tests.end_to_end.conftest import Outcome, ShotFiles

Render = Callable[..., "Outcome"]
Channels = Callable[..., dict[str, np.ndarray]]
Change = Callable[[int, np.ndarray, np.ndarray], None]
LAYER = ("infusion.R", "infusion.G", "infusion.B")


def scaled(low: float, high: float) -> Change:
    """Stretches the plate's values, which lie in [0, 1], to [low, high]."""

    def change(frame: int, plate: np.ndarray, matte: np.ndarray) -> None:
        plate[...] = low + (high - low) * plate.astype(np.float64)

    return change


def filled(shot: ShotFiles, output: Path, channels: Channels) -> np.ndarray:
    """Every value of the fill, where the matte is 1."""
    found = []
    for frame, matte in shot.mattes.items():
        frame_channels = channels(output / f"fire.{frame}.exr")
        found += [frame_channels[name][matte == 1] for name in LAYER]
    return np.concatenate(found).astype(np.float64)


@pytest.mark.parametrize(
    ("low", "high"), [(55.0, 65.0), (-4.0, -2.0), (0.0, 60.0), (3000.0, 60000.0)]
)
def test_the_fill_has_the_plates_range(
    exr_shot: Callable[..., ShotFiles],
    render: Render,
    channels: Channels,
    tmp_path: Path,
    *,
    low: float,
    high: float,
) -> None:
    """Known pixels around 60, all below 0, or far above 1 are filled with values of that order."""
    shot = exr_shot(tmp_path, scaled(low, high))
    known = np.concatenate([p[shot.mattes[f] == 0] for f, p in shot.plates.items()])
    outcome = render(*shot.arguments(tmp_path / "out", tmp_path / "cache"))

    assert outcome.code == 0, outcome.message
    fill = filled(shot, tmp_path / "out", channels)
    span = float(known.max()) - float(known.min())
    assert fill.min() >= float(known.min()) - 0.05 * span
    assert fill.max() <= float(known.max()) + 0.05 * span
    assert fill.max() - fill.min() > 0.05 * span
    for frame, plate in shot.plates.items():
        layer = channels(tmp_path / f"out/fire.{frame}.exr")
        outside = shot.mattes[frame] == 0
        for colour, name in enumerate(LAYER):
            np.testing.assert_array_equal(layer[name][outside], plate[:, :, colour][outside])


POISONS = {
    "NaN": np.nan,
    "Inf": np.inf,
    "-Inf": -np.inf,
    "65504": 65504.0,
    "-65504": -65504.0,
    "-0": -0.0,
}


def poisoned(value: float) -> Change:
    """Puts one value under the whole matte, its half transparent column included."""

    def change(frame: int, plate: np.ndarray, matte: np.ndarray) -> None:
        plate[matte > 0] = value

    return change


@pytest.mark.parametrize(
    "more",
    [
        (),
        ("--set", "working_size=32x24", "--set", "context_pixels=40"),
        ("--set", "area=frame", "--set", "working_size=32x24"),
        ("--matte-grow", "1.5", "--matte-feather", "2"),
    ],
    ids=["native", "reduced", "reduced frame", "shaped"],
)
def test_nothing_under_the_matte_leaks(
    exr_shot: Callable[..., ShotFiles],
    render: Render,
    channels: Channels,
    tmp_path: Path,
    more: tuple[str, ...],
) -> None:
    """With other extremes under the matte: the same keys, and the same bits in the hole.

    Each poisoned plate is rendered into a cache of its own, so that all is fitted again.
    """
    wholesome = exr_shot(tmp_path / "wholesome")
    expected = render(*wholesome.arguments(tmp_path / "a", tmp_path / "a-cache", *more))
    # A larger hole is halved once more, and has an interval more.
    assert expected.fitted[:3] == [0, 1, 2], expected.message
    keys = {path.name for path in (tmp_path / "a-cache").glob("*/*/")}

    for name, value in POISONS.items():
        shot = exr_shot(tmp_path / name, poisoned(value))
        out, cache = tmp_path / f"{name}-out", tmp_path / f"{name}-cache"
        outcome = render(*shot.arguments(out, cache, *more))

        assert (outcome.code, outcome.fitted) == (0, expected.fitted), outcome.message
        assert {path.name for path in cache.glob("*/*/")} == keys
        for frame in wholesome.mattes:
            one = channels(tmp_path / f"a/fire.{frame}.exr")
            other = channels(out / f"fire.{frame}.exr")
            for channel in (*LAYER, "infusion.A"):
                bits = one[channel].view(np.uint16) == other[channel].view(np.uint16)
                assert bits.all(), (name, frame, channel)


def test_hidden_extremes_of_a_float_plate(
    exr_shot: Callable[..., ShotFiles],
    render: Render,
    channels: Channels,
    tmp_path: Path,
) -> None:
    """The same for values that only a float plate can hold, whole different in every frame."""
    outputs = []
    for name, poison in (("a", 0.5), ("b", 1e9), ("c", -3e38)):
        shot = exr_shot(tmp_path / name)
        for frame, plate in shot.plates.items():
            values = plate.astype(np.float32)
            values[shot.mattes[frame] > 0] = poison * (1 if frame % 2 else -1)
            write_float(tmp_path / name / f"plate/fire.{frame}.exr", values)
        out = tmp_path / f"{name}-out"
        cache = tmp_path / f"{name}-cache"
        outcome = render(*shot.arguments(out, cache, "--set", "working_size=32x24"))
        assert outcome.fitted == [0, 1, 2], outcome.message
        outputs.append([channels(path) for path in sorted(out.iterdir())])
    for one, *others in zip(*outputs, strict=True):
        for other in others:
            for channel in LAYER:
                np.testing.assert_array_equal(one[channel], other[channel])


def write_float(path: Path, values: np.ndarray) -> None:
    """(H, W, 3) as a float EXR."""
    import OpenEXR

    header = {"type": OpenEXR.scanlineimage, "compression": OpenEXR.ZIPS_COMPRESSION}
    found = {name: values[:, :, c].copy() for c, name in enumerate("RGB")}
    OpenEXR.File(header, found).write(str(path))
