"""Every preset keeps what the main job promises: bits, HDR, leakage, resume, cancel."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

if TYPE_CHECKING:
    from tests.end_to_end.conftest import Outcome, Run, ShotFiles

Render = Callable[..., "Outcome"]
ReadFiles = Callable[[Path], dict[str, bytes]]
PRESETS = ("paper", "standard", "draft")
PROMISED_SECONDS = 5.0


def hdr(frame: int, plate: np.ndarray, matte: np.ndarray) -> None:
    """Waves from -2 to 60, with what no arithmetic keeps outside the matte."""
    plate[:] = plate * 62 - 2
    plate[0, 0] = np.nan
    plate[0, 1] = np.inf, -np.inf, -0.0
    plate[0, 2] = 65504
    plate[matte > 0] = 7  # what is to be replaced
    plate[2, 2] = frame / 1001


def poisoned(frame: int, plate: np.ndarray, matte: np.ndarray) -> None:
    """The same with other values, and none, under the matte."""
    hdr(frame, plate, matte)
    plate[matte > 0] = np.nan if frame % 2 else -65504


@dataclass(frozen=True)
class Filled:
    """A shot that one preset has filled."""

    preset: str
    """Which."""
    shot: ShotFiles
    """The plate and the matte."""
    folder: Path
    """Holds `out` and `cache`."""
    outcome: Outcome
    """What the run said."""

    def arguments(self, output: Path, cache: Path, *more: str) -> tuple[str, ...]:
        """The same job elsewhere."""
        return self.shot.arguments(output, cache, "--preset", self.preset, *more)


@pytest.fixture(scope="module", params=PRESETS)
def filled(
    request: pytest.FixtureRequest,
    tmp_path_factory: pytest.TempPathFactory,
    exr_shot: Callable[..., ShotFiles],
    render: Render,
) -> Filled:
    """One run of each preset, from beginning to end."""
    folder = tmp_path_factory.mktemp(request.param)
    shot = exr_shot(folder, hdr)
    command = shot.arguments(folder / "out", folder / "cache", "--preset", request.param)
    outcome = render(*command)
    assert outcome.code == 0, outcome.message
    return Filled(request.param, shot, folder, outcome)


@pytest.fixture
def refilled(
    filled: Filled, exr_shot: Callable[..., ShotFiles], render: Render, tmp_path: Path
) -> Path:
    """The folder of the same shot with another picture under the matte, filled likewise."""
    shot = exr_shot(tmp_path, poisoned)
    command = shot.arguments(tmp_path / "out", tmp_path / "cache", "--preset", filled.preset)
    assert render(*command).code == 0
    return tmp_path


def test_every_bit_outside_is_the_plates(
    filled: Filled, channels: Callable[..., dict[str, np.ndarray]]
) -> None:
    """Of the plate's own channels everywhere, of the layer outside the matte."""
    for frame, plate in filled.shot.plates.items():
        found = channels(filled.folder / f"out/fire.{frame}.exr")
        outside = filled.shot.mattes[frame] == 0
        for index, name in enumerate("RGB"):
            bits = plate[:, :, index].view(np.uint16)
            assert np.array_equal(found[name].view(np.uint16), bits)
            layer = found[f"infusion.{name}"].view(np.uint16)
            assert np.array_equal(layer[outside], bits[outside])


def test_a_fill_is_as_bright_as_what_is_known(
    filled: Filled, channels: Callable[..., dict[str, np.ndarray]]
) -> None:
    """Finite, within the range of what is known, and far above 1, where a clamp would show."""
    shot = filled.shot
    known = [shot.plates[frame][matte == 0] for frame, matte in shot.mattes.items()]
    values = np.concatenate(known).astype(np.float32)
    values = values[np.isfinite(values)]
    fills = []
    for frame, matte in shot.mattes.items():
        found = channels(filled.folder / f"out/fire.{frame}.exr")
        fills.append(np.stack([found[f"infusion.{n}"] for n in "RGB"], axis=-1)[matte > 0])
    fill = np.concatenate(fills).astype(np.float32)
    assert np.isfinite(fill).all()
    assert values.min() <= fill.min()
    assert fill.max() <= values.max()
    assert fill.max() > 10


def test_nothing_under_the_matte_is_seen(
    filled: Filled, refilled: Path, files: ReadFiles, channels: Callable[..., dict[str, np.ndarray]]
) -> None:
    """Another picture under it, NaN included: the same keys, and the same bits of the layer."""
    assert _keys(files(refilled / "cache")) == _keys(files(filled.folder / "cache"))
    for frame in filled.shot.plates:
        name = f"out/fire.{frame}.exr"
        one, other = channels(filled.folder / name), channels(refilled / name)
        for colour in "RGBA":
            layer = f"infusion.{colour}"
            assert one[layer].tobytes() == other[layer].tobytes()


def test_killed_it_goes_on_to_the_same_bits(
    filled: Filled, render: Render, files: ReadFiles, tmp_path: Path
) -> None:
    """Killed after its first fit, the same command takes that from the cache."""
    command = filled.arguments(tmp_path / "out", tmp_path / "cache")
    killed = render(*command, flushes=4)  # as many as one entry of the cache takes
    assert killed.code == -signal.SIGKILL
    again = render(*command)
    assert (again.code, again.hits) == (0, [0]), again.message
    assert again.fitted == filled.outcome.fitted[1:]
    assert files(tmp_path / "out") == files(filled.folder / "out")


def test_a_signal_ends_it_in_time(
    filled: Filled, fresh: Callable[..., Run], files: ReadFiles, tmp_path: Path
) -> None:
    """Amid the first fit: code 130 and no frame."""
    more = ("--set", "steps_per_interval=100000")
    run = fresh(*filled.arguments(tmp_path / "out", tmp_path / "cache", *more))
    run.until(lambda: any(event.get("phase") == "inpainting" for event in run.told()))
    asked = time.monotonic()
    run.send(signal.SIGTERM)
    outcome = run.outcome()
    assert time.monotonic() - asked < PROMISED_SECONDS
    assert outcome.code == 130
    assert files(tmp_path / "out") == {}


def test_another_seed_is_another_fill_of_the_same_fits(
    filled: Filled, render: Render, files: ReadFiles, tmp_path: Path
) -> None:
    """Every fit is a hit, and the frames differ."""
    other = render(*filled.arguments(tmp_path / "out", filled.folder / "cache", "--seed", "1"))
    assert (other.code, other.fitted) == (0, []), other.message
    one, two = files(filled.folder / "out"), files(tmp_path / "out")
    assert one.keys() == two.keys()
    assert all(one[name] != two[name] for name in one)


def _keys(cache: dict[str, bytes]) -> set[str]:
    """Of every fit and sample in a cache."""
    return {name.rpartition("/")[0] for name in cache if name.endswith("record.json")}
