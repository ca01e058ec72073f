"""Stages: processes that share nothing but a cache end with the bits of one that does it all."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

if TYPE_CHECKING:
    from tests.end_to_end.conftest import Outcome, ShotFiles

Render = Callable[..., "Outcome"]
ReadFiles = Callable[[Path], dict[str, bytes]]
STARTS = ("base", "scratch", "previous")


def start_of(name: str) -> tuple[str, ...]:
    """The flag that has fits start there."""
    return ("--set", f"fits_start={name}")


def in_stages(
    render: Render, command: Sequence[str], *, order: Sequence[int] = (1, 2, 3), takes: int = 1
) -> list[Outcome]:
    """Every stage as a process of its own, one after the other."""
    stages = [("prepare",), ("base",), *(("fit", "--interval", str(k)) for k in order)]
    stages += [("sample", "--take", str(take)) for take in range(1, takes + 1)]
    stages += [("write", "--write-frames", "1004-1005"), ("write", "--write-frames", "1001-1003")]
    told = [render(*command, "--stage", *stage) for stage in stages]
    assert [one.code for one in told] == [0] * len(told), [one.message for one in told]
    return told


def outcomes(told: Sequence[Outcome]) -> list[str]:
    """What became of each stage."""
    return [one.all("stage", "outcome")[0] for one in told]


@pytest.mark.parametrize("start", STARTS)
def test_stages_end_with_the_bits_of_one_run(
    start: str,
    exr_shot: Callable[..., ShotFiles],
    render: Render,
    files: ReadFiles,
    tmp_path: Path,
) -> None:
    """Two takes, every fit, frames in two pieces: the same files, and fits of the same names."""
    shot = exr_shot(tmp_path)
    more = (*start_of(start), "--takes", "2")
    whole = render(*shot.arguments(tmp_path / "whole", tmp_path / "one", *more))
    assert (whole.code, whole.fitted) == (0, [0, 1, 2]), whole.message

    told = in_stages(
        render, shot.arguments(tmp_path / "parts", tmp_path / "shared", *more), takes=2
    )

    assert files(tmp_path / "parts") == files(tmp_path / "whole")
    assert outcomes(told)[1] == ("done" if start == "base" else "nothing")
    assert weights(tmp_path / "shared") == weights(tmp_path / "one")
    assert [one.phases & {"reading", "looking"} for one in told[1:]] == [set()] * (len(told) - 1)


def weights(cache: Path) -> dict[str, bytes]:
    """The fitted weights by key."""
    found = {p.parent.name: p.read_bytes() for p in cache.glob("fits/*/weights.safetensors")}
    assert found
    return found


@pytest.mark.parametrize("start", [pytest.param("base", marks=pytest.mark.slow), "scratch"])
def test_fits_may_be_made_in_any_order(
    start: str,
    exr_shot: Callable[..., ShotFiles],
    render: Render,
    files: ReadFiles,
    tmp_path: Path,
) -> None:
    """From a base or from scratch; and whatever is asked for again is a hit."""
    shot = exr_shot(tmp_path)
    commands = [
        shot.arguments(tmp_path / name, tmp_path / f"cache-{name}", *start_of(start))
        for name in ("in-turn", "shuffled")
    ]
    in_stages(render, commands[0])
    in_stages(render, commands[1], order=(3, 1, 2))

    assert files(tmp_path / "in-turn") == files(tmp_path / "shuffled")
    assert weights(tmp_path / "cache-in-turn") == weights(tmp_path / "cache-shuffled")
    before = weights(tmp_path / "cache-shuffled")
    again = in_stages(render, commands[1], order=(2, 3, 1))
    assert set(outcomes(again)[2:6]) == {"hit"}
    assert outcomes(again)[0] == "hit"
    assert [one.fitted for one in again] == [[]] * len(again)
    assert weights(tmp_path / "cache-shuffled") == before


def test_what_is_missing_is_named(
    exr_shot: Callable[..., ShotFiles], render: Render, tmp_path: Path
) -> None:
    """Each stage says which one has to be run first, leaves with 5, and fits nothing silently."""
    shot = exr_shot(tmp_path)
    command = shot.arguments(tmp_path / "out", tmp_path / "cache", *start_of("base"))

    def refused(*stage: str) -> str:
        outcome = render(*command, "--stage", *stage)
        assert outcome.code == 5, outcome
        assert outcome.events[-1]["event"] == "failed"
        assert not outcome.fitted
        return str(outcome.events[-1]["remedy"])

    assert "--stage prepare" in refused("fit", "--interval", "1")
    assert render(*command, "--stage", "prepare").code == 0
    assert "--stage base" in refused("fit", "--interval", "2")
    assert render(*command, "--stage", "base").code == 0
    assert render(*command, "--stage", "fit", "--interval", "2").code == 0
    assert "--interval 1 first" in refused("sample", "--take", "1")
    assert "--stage sample --take 1" in refused("write")
    assert not (tmp_path / "out").exists() or not list((tmp_path / "out").iterdir())


def test_a_chain_s_fit_needs_the_one_before(
    exr_shot: Callable[..., ShotFiles], render: Render, tmp_path: Path
) -> None:
    """With fits_start=previous the second interval asks for the first."""
    shot = exr_shot(tmp_path)
    command = shot.arguments(tmp_path / "out", tmp_path / "cache")
    assert render(*command, "--stage", "prepare").code == 0
    outcome = render(*command, "--stage", "fit", "--interval", "2")
    assert outcome.code == 5
    assert "--stage fit --interval 1" in outcome.events[-1]["remedy"]


def test_parts_that_the_job_does_not_have(
    exr_shot: Callable[..., ShotFiles], render: Render, tmp_path: Path
) -> None:
    """An interval beyond the last is said and is no error; a take or a frame is one."""
    shot = exr_shot(tmp_path)
    command = shot.arguments(tmp_path / "out", tmp_path / "cache", *start_of("scratch"))
    in_stages(render, command)
    beyond = render(*command, "--stage", "fit", "--interval", "4")
    assert (beyond.code, beyond.all("stage", "outcome")) == (0, ["nothing"])
    assert "this shot has 3" in beyond.warnings
    for stage in (("sample", "--take", "2"), ("write", "--write-frames", "1005-1006")):
        outcome = render(*command, "--stage", *stage)
        assert (outcome.code, outcome.events[-1]["code"]) == (2, "usage")


def test_a_plate_that_changed_since_is_not_written(
    exr_shot: Callable[..., ShotFiles], render: Render, tmp_path: Path
) -> None:
    """Another plate under the same names is noticed by `write`, and `prepare` replaces the clip.

    Uncompressed frames have the same size whatever is in them.
    """
    shot = exr_shot(tmp_path)
    command = shot.arguments(tmp_path / "out", tmp_path / "cache", *start_of("scratch"))
    in_stages(render, command)
    files = sorted((tmp_path / "plate").iterdir())
    sizes = [path.stat().st_size for path in files]

    def other(frame: int, plate: np.ndarray, matte: np.ndarray) -> None:
        if frame == 1002:
            plate[2, 3] = plate[3, 2]

    exr_shot(tmp_path, other)
    for path, size in zip(files, sizes, strict=True):  # as large as before, to the byte
        with path.open("ab") as file:
            file.truncate(max(size, path.stat().st_size))
    if [path.stat().st_size for path in files] != sizes:
        pytest.skip("the changed frame compresses to another size, and so has another name")

    outcome = render(*command, "--stage", "write")

    assert (outcome.code, outcome.events[-1]["code"]) == (3, "frame")
    assert "1002" in outcome.events[-1]["message"]
    assert render(*command, "--stage", "prepare").all("stage", "outcome") == ["done"]
    assert "--interval 1" in render(*command, "--stage", "sample", "--take", "1").message


def test_two_shots_of_the_same_names_and_sizes_share_a_cache(
    exr_shot: Callable[..., ShotFiles], render: Render, files: ReadFiles, tmp_path: Path
) -> None:
    """Neither takes the other's clip, in whatever order their tasks come."""

    def darker(frame: int, plate: np.ndarray, matte: np.ndarray) -> None:
        plate *= np.float16(0.5)

    size = 2**16
    commands = []
    for name, change in (("first", None), ("second", darker)):
        shot = exr_shot(tmp_path / name, change)
        for path in (tmp_path / name).rglob("*.exr"):
            with path.open("ab") as file:  # as large as if nothing were compressed
                file.truncate(size)
        cache = tmp_path / "cache"
        commands.append(shot.arguments(tmp_path / f"{name}-out", cache, *start_of("scratch")))
    for command in commands:
        assert render(*command, "--stage", "prepare").code == 0
    for command in commands:
        assert outcomes(in_stages(render, command))[0] == "hit"
    alone = tmp_path / "alone"
    in_stages(render, shot.arguments(alone, tmp_path / "own", *start_of("scratch")))
    assert files(alone) == files(tmp_path / "second-out") != files(tmp_path / "first-out")


@pytest.mark.parametrize("frame", [1001, 1005])
def test_a_plate_that_changed_at_an_end_is_another(
    frame: int, exr_shot: Callable[..., ShotFiles], render: Render, tmp_path: Path
) -> None:
    """Then nothing is prepared, and the stage that is needed is named."""
    shot = exr_shot(tmp_path)
    command = shot.arguments(tmp_path / "out", tmp_path / "cache", *start_of("scratch"))
    assert render(*command, "--stage", "prepare").code == 0
    path = tmp_path / f"plate/fire.{frame}.exr"
    whole = bytearray(path.read_bytes())
    whole[-1] ^= 1
    path.write_bytes(whole)
    outcome = render(*command, "--stage", "fit", "--interval", "1")
    assert (outcome.code, outcome.fitted) == (5, [])
    assert "--stage prepare first: with the same files, as they are now" in outcome.message


def test_folders_do_not_name_a_prepared_job(
    exr_shot: Callable[..., ShotFiles], render: Render, files: ReadFiles, tmp_path: Path
) -> None:
    """A worker that sees the same files under another path finds what was prepared."""
    shot = exr_shot(tmp_path / "here")
    command = shot.arguments(tmp_path / "out", tmp_path / "cache", *start_of("scratch"))
    assert render(*command, "--stage", "prepare").code == 0
    (tmp_path / "there").symlink_to(tmp_path / "here", target_is_directory=True)
    elsewhere = [
        part.replace(f"{os.sep}here{os.sep}", f"{os.sep}there{os.sep}") for part in command
    ]
    assert elsewhere != list(command)
    outcome = render(*elsewhere, "--stage", "fit", "--interval", "1")
    assert (outcome.code, outcome.fitted) == (0, [0]), outcome.message


def test_an_empty_matte_passes_through_in_stages(
    exr_shot: Callable[..., ShotFiles], render: Render, files: ReadFiles, tmp_path: Path
) -> None:
    """There is nothing to fit, and every frame is written as the plate has it."""

    def clear(frame: int, plate: np.ndarray, matte: np.ndarray) -> None:
        matte[:] = 0.0

    shot = exr_shot(tmp_path, clear)
    whole = render(*shot.arguments(tmp_path / "whole", tmp_path / "one"))
    assert whole.code == 0, whole.message
    told = in_stages(render, shot.arguments(tmp_path / "parts", tmp_path / "shared"))
    assert outcomes(told)[1:6] == ["nothing"] * 5
    assert files(tmp_path / "parts") == files(tmp_path / "whole")


def test_a_prepared_job_is_part_of_its_shot(
    exr_shot: Callable[..., ShotFiles], render: Render, tmp_path: Path
) -> None:
    """The index names job, clip, fits and samples together, so that pruning keeps them."""
    shot = exr_shot(tmp_path)
    command = shot.arguments(tmp_path / "out", tmp_path / "cache", *start_of("base"))
    assert render(*command, "--stage", "prepare").code == 0
    (note,) = (tmp_path / "cache/shots").glob("*.json")
    keys = set(json.loads(note.read_text())["keys"])
    in_stages(render, command)
    found = (tmp_path / "cache").glob("*/*/record.json")
    entries = {path.parent.name for path in found}
    assert len(entries) == 7  # a job, a clip, a base, three fits, and the last sample
    assert entries <= keys


@pytest.mark.parametrize(
    "options",
    [
        ("--interval", "1"),
        ("--stage", "fit"),
        ("--stage", "fit", "--interval", "0"),
        ("--stage", "fit", "--interval", "0", "--take", "1"),
        ("--stage", "sample"),
        ("--stage", "prepare", "--write-frames", "1-2"),
        ("--stage", "fit", "--interval", "1", "--no-cache"),
    ],
    ids=" ".join,
)
def test_options_that_do_not_go_together(
    options: tuple[str, ...], exr_shot: Callable[..., ShotFiles], render: Render, tmp_path: Path
) -> None:
    """A usage error, before anything is computed."""
    shot = exr_shot(tmp_path)
    command = list(shot.arguments(tmp_path / "out", tmp_path / "cache"))
    if "--no-cache" in options:
        del command[command.index("--cache") : command.index("--cache") + 2]
    assert render(*command, *options).code == 2
