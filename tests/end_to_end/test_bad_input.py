"""Bad input: refused in one plain message before any training; and what is no error at all."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import OpenEXR
import pytest

if TYPE_CHECKING:
    from tests.end_to_end.conftest import Outcome, Run, ShotFiles

Render = Callable[..., "Outcome"]
Channels = Callable[..., dict[str, np.ndarray]]
ReadFiles = Callable[[Path], dict[str, bytes]]
LAYER = ("infusion.R", "infusion.G", "infusion.B")


def write(path: Path, pixels: dict[str, np.ndarray], name: str = "", **header: object) -> None:
    """One EXR of a single part."""
    base = {"type": OpenEXR.scanlineimage, "compression": OpenEXR.ZIPS_COMPRESSION}
    OpenEXR.File([OpenEXR.Part({**base, **header}, pixels, name)]).write(str(path))


def halves(height: int, width: int, names: str = "R G B") -> dict[str, np.ndarray]:
    """Grey channels of these names."""
    return {name: np.full((height, width), 0.5, np.float16) for name in names.split()}


def no_frame(shot: ShotFiles) -> None:
    (shot.folder / "plate/fire.1003.exr").unlink()


def no_matte_frame(shot: ShotFiles) -> None:
    (shot.folder / "matte/hole.1003.exr").unlink()


def other_size(shot: ShotFiles) -> None:
    write(shot.folder / "plate/fire.1003.exr", halves(40, 46))


def other_channels(shot: ShotFiles) -> None:
    write(shot.folder / "plate/fire.1003.exr", halves(40, 48, "R G B Z"))


def other_matte_size(shot: ShotFiles) -> None:
    for frame in shot.mattes:
        write(shot.folder / f"matte/hole.{frame}.exr", halves(40, 46, "A"))


def other_matte_range(shot: ShotFiles) -> None:
    for frame in shot.mattes:
        path = shot.folder / f"matte/hole.{frame}.exr"
        path.rename(path.with_name(f"hole.{frame - 900}.exr"))


def matte_of_everything(shot: ShotFiles) -> None:
    for frame in shot.mattes:
        write(shot.folder / f"matte/hole.{frame}.exr", {"A": np.ones((40, 48), np.float16)})


def cut_header(shot: ShotFiles) -> None:
    path = shot.folder / "plate/fire.1003.exr"
    path.write_bytes(path.read_bytes()[:100])


def cut_pixels(shot: ShotFiles) -> None:
    path = shot.folder / "plate/fire.1003.exr"
    path.write_bytes(path.read_bytes()[:-3000])


def garbage_pixels(shot: ShotFiles) -> None:
    path = shot.folder / "plate/fire.1003.exr"
    whole = path.read_bytes()
    path.write_bytes(whole[:-4000] + b"\xff" * 4000)


def damaged_matte(shot: ShotFiles) -> None:
    path = shot.folder / "matte/hole.1003.exr"
    path.write_bytes(path.read_bytes()[:-100])


def two_views(shot: ShotFiles) -> None:
    for frame in shot.plates:
        parts = [
            OpenEXR.Part({"type": OpenEXR.scanlineimage, "view": view}, halves(40, 48), view)
            for view in ("left", "right")
        ]
        OpenEXR.File(parts).write(str(shot.folder / f"plate/fire.{frame}.exr"))


def deep_flag(shot: ShotFiles) -> None:
    for frame in shot.plates:
        path = shot.folder / f"plate/fire.{frame}.exr"
        content = bytearray(path.read_bytes())
        content[5] |= 0x08  # the version field's bit for deep samples
        path.write_bytes(bytes(content))


def untouched(shot: ShotFiles) -> None:
    """Nothing is wrong with the files."""


REFUSED: dict[str, tuple[Callable[[ShotFiles], None], tuple[str, ...], int, str]] = {
    "missing frame": (no_frame, (), 3, "fire.1003.exr"),
    "missing matte frame": (no_matte_frame, (), 3, "hole.1003.exr"),
    "mixed sizes": (other_size, (), 3, "fire.1003.exr"),
    "mixed channels": (other_channels, (), 3, "channel set"),
    "matte of another size": (other_matte_size, (), 3, "hole"),
    "matte of another range": (other_matte_range, (), 3, "1001"),
    "damaged header": (cut_header, (), 3, "fire.1003.exr"),
    "deep": (deep_flag, (), 3, "fire.1001.exr"),
    "two views": (two_views, (), 2, "--view"),
    "reversed range": (untouched, ("--frames", "1005-1001"), 2, "reversed"),
    "layer name": (untouched, ("--layer", "2nd"), 2, "2nd"),
    "over the plate": (untouched, ("--output", "{}/plate"), 2, "plate"),
    "over the matte": (untouched, ("--output", "{}/matte/hole.%04d.exr"), 2, "matte"),
    "unknown setting": (untouched, ("--set", "speed=9"), 2, "steps_per_interval"),
    "no plate": (untouched, ("--job", "{}/none.json"), 2, "none.json"),
    "cache is a file": (untouched, ("--cache", "{}/plate/fire.1001.exr"), 5, "fire.1001.exr"),
}  # fmt: skip
"""What is wrong with the shot, flags, exit code, and words of the message."""

FOUND_IN_PIXELS = {
    "matte of everything": (matte_of_everything, "nothing is left to learn from"),
    "pixels cut off": (cut_pixels, "fire.1003.exr"),
    "pixels overwritten": (garbage_pixels, "fire.1003.exr"),
    "damaged matte": (damaged_matte, "hole.1003.exr"),
}
"""What only a look at every frame can find."""

LOOKED_AT = "import sys, atexit; atexit.register(lambda: print('torch' in sys.modules)); "


def check_refusal(outcome: Outcome, code: int, words: str) -> None:
    """One plain message, the right exit code, and no word of work begun."""
    assert outcome.code == code, outcome
    assert words in outcome.message
    assert outcome.message.startswith("Error: ")
    assert "Traceback" not in outcome.message
    assert len(outcome.message.splitlines()) <= 2, outcome.message
    assert outcome.events[-1]["event"] == "failed"
    assert outcome.events[-1]["exit_code"] == code
    assert outcome.hits == outcome.fitted == []
    assert outcome.phases <= {"loading", "looking"}


@pytest.mark.parametrize("name", REFUSED)
def test_bad_input_is_refused(
    exr_shot: Callable[..., ShotFiles],
    render: Render,
    files: ReadFiles,
    tmp_path: Path,
    name: str,
) -> None:
    """Exit code, one message that names what is wrong, and not a file more than before."""
    spoil, more, code, words = REFUSED[name]
    shot = exr_shot(tmp_path)
    spoil(shot)
    before = files(tmp_path)
    flags = tuple(part.format(tmp_path) for part in more)

    outcome = render(*shot.arguments(tmp_path / "out", tmp_path / "cache", *flags))

    check_refusal(outcome, code, words)
    assert "loading" not in outcome.phases, "torch would have been loaded for nothing"
    assert files(tmp_path) == before


@pytest.mark.parametrize("name", FOUND_IN_PIXELS)
def test_damage_in_the_middle_is_found_before_training(
    exr_shot: Callable[..., ShotFiles],
    render: Render,
    files: ReadFiles,
    tmp_path: Path,
    name: str,
) -> None:
    """Every frame is decoded once before the first step of work, and nothing is written."""
    spoil, words = FOUND_IN_PIXELS[name]
    shot = exr_shot(tmp_path)
    spoil(shot)

    outcome = render(*shot.arguments(tmp_path / "out", tmp_path / "cache"))

    check_refusal(outcome, 3, words)
    assert files(tmp_path / "out") == {}
    assert list((tmp_path / "cache").glob("*/*")) == []


@pytest.mark.parametrize("name", ["missing frame", "two views", "cache is a file"])
def test_a_refusal_never_loads_torch(
    exr_shot: Callable[..., ShotFiles], tmp_path: Path, name: str
) -> None:
    """In a process of its own, as a person would start it: a message within moments."""
    spoil, more, code, words = REFUSED[name]
    shot = exr_shot(tmp_path)
    spoil(shot)
    flags = tuple(part.format(tmp_path) for part in more)
    program = LOOKED_AT + "from infusion_engine.cli.render import main; main()"
    run = subprocess.run(
        [sys.executable, "-c", program, *shot.arguments(tmp_path / "o", tmp_path / "c", *flags)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == code, run.stderr
    assert words in run.stderr
    assert run.stdout.splitlines()[-1] == "False"


def test_frames_with_an_empty_matte_pass_through(
    exr_shot: Callable[..., ShotFiles], render: Render, channels: Channels, tmp_path: Path
) -> None:
    """In such a frame the layer is the plate with an A of zeros; the others are filled."""

    def empty_some(frame: int, plate: np.ndarray, matte: np.ndarray) -> None:
        matte *= frame not in (1001, 1004)

    shot = exr_shot(tmp_path, empty_some)
    outcome = render(*shot.arguments(tmp_path / "out", tmp_path / "cache"))

    assert (outcome.code, outcome.fitted) == (0, [0, 1, 2]), outcome.message
    for frame, plate in shot.plates.items():
        found = channels(tmp_path / f"out/fire.{frame}.exr")
        same = all(
            np.array_equal(found[name].view(np.uint16), plate[:, :, colour].view(np.uint16))
            for colour, name in enumerate(LAYER)
        )
        assert same == (frame in (1001, 1004))
        assert (found["infusion.A"].max() == 0) == same


def test_a_matte_that_is_empty_everywhere(
    exr_shot: Callable[..., ShotFiles], render: Render, channels: Channels, tmp_path: Path
) -> None:
    """A warning, no training at all, and every frame passes through with an empty layer."""

    def empty(frame: int, plate: np.ndarray, matte: np.ndarray) -> None:
        matte[...] = 0

    shot = exr_shot(tmp_path, empty)
    outcome = render(*shot.arguments(tmp_path / "out", tmp_path / "cache"))

    assert (outcome.code, outcome.hits, outcome.fitted) == (0, [], []), outcome.message
    assert "empty on every frame" in outcome.warnings
    assert outcome.all("frame", "frame") == list(shot.plates)
    for frame, plate in shot.plates.items():
        found = channels(tmp_path / f"out/fire.{frame}.exr")
        assert found["infusion.A"].max() == 0
        np.testing.assert_array_equal(found["infusion.G"], plate[:, :, 1])


@pytest.mark.parametrize(
    ("frames", "window"), [("1003", 4), ("1003", 1), ("1002-1003", 4), ("1001-1005", 1)]
)
def test_few_frames_are_a_shot(
    exr_shot: Callable[..., ShotFiles],
    render: Render,
    channels: Channels,
    tmp_path: Path,
    *,
    frames: str,
    window: int,
) -> None:
    """A range of one or two frames is fitted, sampled and written, in windows of any length."""
    shot = exr_shot(tmp_path)
    more = ("--frames", frames, "--set", f"window_frames={window}")
    outcome = render(*shot.arguments(tmp_path / "o", tmp_path / "c", *more))

    assert (outcome.code, outcome.fitted) == (0, [0, 1, 2]), outcome.message
    first, _, last = frames.partition("-")
    written = list(range(int(first), int(last or first) + 1))
    assert outcome.all("frame", "frame") == written
    assert len(list((tmp_path / "o").iterdir())) == len(written)
    for frame in written:
        found = channels(tmp_path / f"o/fire.{frame}.exr")
        changed = found["infusion.R"] != shot.plates[frame][:, :, 0]
        assert changed[shot.mattes[frame] > 0].mean() > 0.9
        assert not changed[shot.mattes[frame] == 0].any()


def test_our_own_output_is_replaced(
    exr_shot: Callable[..., ShotFiles], render: Render, files: ReadFiles, tmp_path: Path
) -> None:
    """A second run writes over the first one's frames; with another seed they are others."""
    shot = exr_shot(tmp_path)
    command = shot.arguments(tmp_path / "out", tmp_path / "cache")
    told, seen = [], []
    for seed in ("0", "1", "0"):
        told.append(render(*command, "--seed", seed).code)
        seen.append(files(tmp_path / "out"))
    assert told == [0, 0, 0]
    assert seen[0] == seen[2]
    assert all(seen[0][name] != seen[1][name] for name in seen[0])


def test_a_plate_that_holds_the_layer_already(
    exr_shot: Callable[..., ShotFiles], render: Render, channels: Channels, tmp_path: Path
) -> None:
    """Our own result as the plate of the next run: the layer is replaced, and that is said."""
    shot = exr_shot(tmp_path)
    first = render(*shot.arguments(tmp_path / "once", tmp_path / "cache"))
    command = list(shot.arguments(tmp_path / "twice", tmp_path / "cache", "--seed", "5"))
    command[0] = str(tmp_path / "once")

    second = render(*command)

    assert (first.code, second.code) == (0, 0), second.message
    assert "already holds a layer 'infusion'" in second.warnings
    assert second.fitted == []  # the plate's own RGB is what it was
    for frame, matte in shot.mattes.items():
        one = channels(tmp_path / f"once/fire.{frame}.exr")
        two = channels(tmp_path / f"twice/fire.{frame}.exr")
        assert one.keys() == two.keys()
        assert (one["infusion.R"] != two["infusion.R"])[matte > 0].mean() > 0.9


def test_the_first_word_comes_at_once(
    exr_shot: Callable[..., ShotFiles], fresh: Callable[..., Run], tmp_path: Path
) -> None:
    """`started` and `resolved` are said before torch is loaded, which is the phase `loading`."""
    shot = exr_shot(tmp_path)
    outcome = fresh(*shot.arguments(tmp_path / "out", tmp_path / "cache")).outcome()
    kinds = [event["event"] for event in outcome.events]
    assert kinds[:3] == ["started", "resolved", "progress"]
    assert outcome.events[2]["phase"] == "loading"
    assert kinds[-1] == "finished"
