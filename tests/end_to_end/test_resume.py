"""Resume: whatever ends a run, the same command goes on and ends with the same bits."""

from __future__ import annotations

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
LAST_FLUSH = 33
"""Flushes to the disk of one whole run, less one: 4 for each of 3 fits and 3 samples, 2 a frame."""


@dataclass(frozen=True)
class Undisturbed:
    """A shot, and what comes out of it when nothing goes wrong."""

    shot: ShotFiles
    """The plate and the matte."""
    output: Path
    """The frames."""
    cache: Path
    """What the run left in the cache."""
    outcome: Outcome
    """What it said."""


@pytest.fixture(scope="module")
def undisturbed(
    tmp_path_factory: pytest.TempPathFactory, exr_shot: Callable[..., ShotFiles], render: Render
) -> Undisturbed:
    """One run from beginning to end."""
    folder = tmp_path_factory.mktemp("undisturbed")
    shot = exr_shot(folder)
    outcome = render(*shot.arguments(folder / "out", folder / "cache"))
    assert (outcome.code, outcome.fitted) == (0, [0, 1, 2]), outcome.message
    return Undisturbed(shot, folder / "out", folder / "cache", outcome)


def fits(cache: Path) -> dict[str, tuple[int, int]]:
    """(inode, time of writing) of every finished fit's weights, by key."""
    found = {}
    for path in cache.glob("fits/*/weights.safetensors"):
        if not path.parent.name.startswith("."):
            found[path.parent.name] = (path.stat().st_ino, path.stat().st_mtime_ns)
    return found


def locks(cache: Path) -> int:
    """How many pieces of work were begun."""
    return len(list(cache.glob("locks/*.lock")))


def test_killed_again_and_again(
    undisturbed: Undisturbed, fresh: Callable[..., Run], tmp_path: Path, files: ReadFiles
) -> None:
    """Killed in every phase, the same command ends with the undisturbed run's bits.

    What a killed run had finished is a hit for the next one, and its weights are not written again.
    """
    out, cache = tmp_path / "out", tmp_path / "cache"
    command = (*undisturbed.shot.arguments(out, cache), "--set", "steps_per_interval=12")
    plain = tmp_path / "plain"
    instants: list[Callable[[Run], None]] = [
        lambda run: run.until_told("progress", phase="looking"),
        lambda run: run.until(lambda: locks(cache) == 1),  # amid the first fit
        lambda run: run.until_told("interval", index=0),  # amid the first sampling
        lambda run: run.until_told("interval", index=1, outcome="fitted"),
        lambda run: run.until_told("frame", frame=1002),
    ]
    told: list[Outcome] = []
    for instant in instants:
        finished = fits(cache)
        run = fresh(*command)
        instant(run)
        told.append(run.killed())
        assert finished.items() <= fits(cache).items()
        assert len(finished) >= len(told[-1].hits)
    finished = fits(cache)

    told.append(fresh(*command).outcome())

    assert told[-1].code == 0, told[-1].message
    assert told[-1].hits == [0, 1, 2]
    assert fits(cache) == finished
    for interval in range(3):
        assert sum(outcome.fitted.count(interval) for outcome in told) <= 1
    undisturbed_run = fresh(*command, "--output", str(plain), "--cache", str(tmp_path / "c"))
    assert undisturbed_run.outcome().fitted == [0, 1, 2]
    assert files(out).keys() - files(plain).keys() == {n for n in files(out) if n.startswith(".")}
    assert {name: files(out)[name] for name in files(plain)} == files(plain)


def crash_and_resume(
    undisturbed: Undisturbed, render: Render, files: ReadFiles, folder: Path, flushes: int
) -> None:
    """Kill a run at one flush, run it again, and compare with the undisturbed one."""
    command = undisturbed.shot.arguments(folder / "out", folder / "cache")
    crashed = render(*command, flushes=flushes)
    assert crashed.code == -9, f"flush {flushes} never came"
    finished = fits(folder / "cache")
    whole = {name: content for name, content in files(folder / "out").items() if name[0] != "."}
    expected = files(undisturbed.output)
    assert whole.items() <= expected.items()

    again = render(*command)

    assert again.code == 0, again.message
    assert again.hits == list(range(len(finished)))
    assert again.fitted == list(range(len(finished), 3))
    assert finished.items() <= fits(folder / "cache").items()
    assert expected.items() <= files(folder / "out").items()
    assert fits(folder / "cache").keys() == fits(undisturbed.cache).keys()


@pytest.mark.parametrize("flushes", [0, 1, 3, 6, 13, 22, 24, 25, LAST_FLUSH])
def test_killed_at_a_flush(
    undisturbed: Undisturbed, render: Render, files: ReadFiles, tmp_path: Path, flushes: int
) -> None:
    """Killed while an entry or a frame is half on the disk: nothing is lost, nothing is torn."""
    crash_and_resume(undisturbed, render, files, tmp_path, flushes)


@pytest.mark.slow
@pytest.mark.parametrize("flushes", range(LAST_FLUSH + 1))
def test_killed_at_every_flush(
    undisturbed: Undisturbed, render: Render, files: ReadFiles, tmp_path: Path, flushes: int
) -> None:
    """The same at each of them."""
    crash_and_resume(undisturbed, render, files, tmp_path, flushes)


def test_there_are_no_more_flushes(
    undisturbed: Undisturbed, render: Render, tmp_path: Path
) -> None:
    """The tests above know the last one: with one more allowed, the run comes to its end."""
    command = undisturbed.shot.arguments(tmp_path / "out", tmp_path / "cache")
    assert render(*command, flushes=LAST_FLUSH + 1).code == 0


def test_a_process_of_its_own_gives_the_same_bits(
    undisturbed: Undisturbed, fresh: Callable[..., Run], tmp_path: Path, files: ReadFiles
) -> None:
    """The command from nothing, as a person runs it, agrees with the forked runs of these tests."""
    run = fresh(*undisturbed.shot.arguments(tmp_path / "out", tmp_path / "cache"))
    assert run.outcome().fitted == [0, 1, 2]
    assert files(tmp_path / "out") == files(undisturbed.output)


def test_another_seed_costs_only_sampling(
    undisturbed: Undisturbed,
    render: Render,
    tmp_path: Path,
    channels: Callable[..., dict[str, np.ndarray]],
) -> None:
    """Every fit is a hit; the fill is another one, and what is outside the hole is the plate's."""
    before = fits(undisturbed.cache)
    outcome = render(*undisturbed.shot.arguments(tmp_path, undisturbed.cache, "--seed", "1"))

    assert (outcome.code, outcome.hits, outcome.fitted) == (0, [0, 1, 2], [])
    assert "inpainting" in outcome.phases
    assert fits(undisturbed.cache) == before
    for frame, matte in undisturbed.shot.mattes.items():
        first = channels(undisturbed.output / f"fire.{frame}.exr")
        second = channels(tmp_path / f"fire.{frame}.exr")
        for name in ("infusion.R", "infusion.G", "infusion.B"):
            differs = first[name].view(np.uint16) != second[name].view(np.uint16)
            assert not differs[matte == 0].any()
            assert differs[matte > 0].mean() > 0.9


@pytest.mark.parametrize(
    "more",
    [
        ("--layer", "clean"),
        ("--write", "fill"),
        ("--write", "merged", "--contact-sheet", "{}/sheet.png"),
        ("--frames", "1001-1005", "--threads", "2"),
    ],
)
def test_what_does_not_matter_costs_nothing(
    undisturbed: Undisturbed, render: Render, tmp_path: Path, more: tuple[str, ...]
) -> None:
    """Another layer, output, way of writing or contact sheet: no fit, not one step of sampling."""
    more = tuple(part.format(tmp_path) for part in more)
    outcome = render(*undisturbed.shot.arguments(tmp_path / "o", undisturbed.cache, *more))

    assert (outcome.code, outcome.hits, outcome.fitted) == (0, [0, 1, 2], []), outcome.message
    assert "writing" in outcome.phases
    assert "inpainting" not in outcome.phases


def test_moved_and_renumbered_files_are_the_same_shot(
    undisturbed: Undisturbed, render: Render, tmp_path: Path
) -> None:
    """File names, folders, times and frame numbers are no part of what was learnt."""
    for name in ("plate", "matte"):
        (tmp_path / "moved" / name).mkdir(parents=True)
        for path in (undisturbed.shot.folder / name).iterdir():
            number = int(path.name.split(".")[1]) - 990
            target = tmp_path / "moved" / name / f"other.{number:06d}.exr"
            target.write_bytes(path.read_bytes())
    moved = type(undisturbed.shot)(tmp_path / "moved", {}, {})

    outcome = render(*moved.arguments(tmp_path / "o", undisturbed.cache))

    assert (outcome.code, outcome.fitted) == (0, [])
    assert "inpainting" not in outcome.phases
    names = [path.name for path in sorted((tmp_path / "o").iterdir())]
    assert names == [f"other.{number:06d}.exr" for number in range(11, 16)]


def flip_a_pixel(frame: int, plate: np.ndarray, matte: np.ndarray) -> None:
    """The least bit of one known pixel in one frame."""
    if frame == 1003:
        plate.view(np.uint16)[8, 30, 1] ^= 1


def change_the_matte(frame: int, plate: np.ndarray, matte: np.ndarray) -> None:
    """One pixel of the matte a little less, and still in the hole."""
    if frame == 1003:
        matte[18, 25] = 0.75


@pytest.mark.parametrize(
    ("change", "more"),
    [
        (flip_a_pixel, ()),
        (change_the_matte, ()),
        (None, ("--matte-grow", "1")),
        (None, ("--set", "learning_rate=0.011")),
        (None, ("--frames", "1001-1004")),
    ],
    ids=["a pixel", "the matte", "its shaping", "a setting", "the frames"],
)
def test_what_matters_never_hits(
    undisturbed: Undisturbed,
    render: Render,
    exr_shot: Callable[..., ShotFiles],
    tmp_path: Path,
    *,
    change: Callable[..., None] | None,
    more: tuple[str, ...],
) -> None:
    """One known bit, one matte pixel, one number of the method: all is fitted anew."""
    shot = exr_shot(tmp_path, change)
    outcome = render(*shot.arguments(tmp_path / "out", undisturbed.cache, *more))
    # A larger hole is halved once more, and has an interval more.
    assert (outcome.code, outcome.hits, outcome.fitted[:3]) == (0, [], [0, 1, 2])
