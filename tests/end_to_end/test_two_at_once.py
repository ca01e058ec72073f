"""Two at once: processes that share a cache help each other and never disturb each other."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

if TYPE_CHECKING:
    from tests.end_to_end.conftest import Outcome, Run, ShotFiles, Zygote

Render = Callable[..., "Outcome"]
ReadFiles = Callable[[Path], dict[str, bytes]]
LONGER = ("--set", "steps_per_interval=20")


def test_one_shot_is_fitted_once(
    exr_shot: Callable[..., ShotFiles],
    fresh: Callable[..., Run],
    render: Render,
    files: ReadFiles,
    tmp_path: Path,
) -> None:
    """Two processes on one shot and cache: the same bits from both, no interval fitted twice."""
    shot = exr_shot(tmp_path)
    runs = [fresh(*shot.arguments(tmp_path / name, tmp_path / "shared", *LONGER)) for name in "ab"]
    told = [run.outcome() for run in runs]

    assert [outcome.code for outcome in told] == [0, 0], [outcome.message for outcome in told]
    assert sorted(told[0].fitted + told[1].fitted) == [0, 1, 2]
    for outcome in told:
        assert sorted(outcome.hits + outcome.fitted) == [0, 1, 2]
    alone = render(*shot.arguments(tmp_path / "alone", tmp_path / "own", *LONGER))
    assert alone.fitted == [0, 1, 2]
    assert files(tmp_path / "a") == files(tmp_path / "b") == files(tmp_path / "alone")
    assert entries(tmp_path / "shared") == entries(tmp_path / "own")


def test_the_second_waits_and_says_so(
    exr_shot: Callable[..., ShotFiles], zygote: Zygote, tmp_path: Path
) -> None:
    """Who finds another at work on an interval tells that it waits, and then has a hit."""
    shot = exr_shot(tmp_path)
    slow = ("--set", "steps_per_interval=60")
    first = zygote.start(*shot.arguments(tmp_path / "a", tmp_path / "cache", *slow))
    first.until(lambda: any((tmp_path / "cache/locks").glob("*.lock")))
    second = zygote.start(*shot.arguments(tmp_path / "b", tmp_path / "cache", *slow))
    told = [first.outcome(), second.outcome()]

    assert [outcome.code for outcome in told] == [0, 0], [outcome.message for outcome in told]
    assert told[0].fitted[0] == 0
    assert 0 in told[1].hits
    assert "interval 1 of this shot" in told[1].all("waiting", "waiting_for")[0]


def test_two_shots_share_a_cache(
    exr_shot: Callable[..., ShotFiles], zygote: Zygote, files: ReadFiles, tmp_path: Path
) -> None:
    """Each shot gets what it would have got alone."""

    def darker(frame: int, plate: np.ndarray, matte: np.ndarray) -> None:
        plate *= np.float16(0.5)

    shots = [exr_shot(tmp_path / "one"), exr_shot(tmp_path / "two", darker)]
    together, apart = [], []
    for index, shot in enumerate(shots):
        together.append(zygote.start(*shot.arguments(tmp_path / f"t{index}", tmp_path / "cache")))
    told = [run.outcome() for run in together]
    for index, shot in enumerate(shots):
        run = zygote.start(*shot.arguments(tmp_path / f"a{index}", tmp_path / f"cache{index}"))
        apart.append(run.outcome())

    assert [outcome.fitted for outcome in told + apart] == [[0, 1, 2]] * 4
    for index in range(2):
        assert files(tmp_path / f"t{index}") == files(tmp_path / f"a{index}")
    assert entries(tmp_path / "cache") == entries(tmp_path / "cache0") | entries(
        tmp_path / "cache1"
    )


@pytest.mark.parametrize("interval", [0, 1])
def test_a_killed_process_leaves_no_lock(
    exr_shot: Callable[..., ShotFiles], zygote: Zygote, tmp_path: Path, interval: int
) -> None:
    """A process killed amid a fit held its lock: the next one does not wait a moment."""
    shot = exr_shot(tmp_path)
    slow = ("--set", "steps_per_interval=100")
    command = shot.arguments(tmp_path / "a", tmp_path / "cache", *slow)
    first = zygote.start(*command)
    # One lock for the fit and one for the sample of each interval before.
    first.until(lambda: len(list((tmp_path / "cache/locks").glob("*"))) == 2 * interval + 1)
    killed = first.killed()
    assert killed.fitted == list(range(interval))

    again = zygote.start(*command).outcome()

    assert (again.code, again.hits) == (0, list(range(interval))), again.message
    assert again.all("waiting", "waiting_for") == []


def entries(cache: Path) -> set[str]:
    """The keys of all finished fits and samples."""
    found = {path.parent.name for path in cache.glob("*/*/record.json")}
    assert not any(name.startswith(".") for name in found)
    return found
