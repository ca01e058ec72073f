"""Every path of a job becomes a folder that can be mapped, and names that stay."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from infusion_engine.errors import UsageError
from infusion_engine.farm.paths import FarmPath

if TYPE_CHECKING:
    from tests.farm.conftest import Shot


def told(paths: tuple[FarmPath, ...]) -> dict[str, tuple[str | None, str, str | None, str]]:
    """Flag, folder's name, files and flow of each path."""
    return {p.name: (p.flag, p.folder.name, p.files, p.flow.value) for p in paths}


def test_folders_stay_folders(shot: Shot) -> None:
    """What is read is IN, what is written OUT, the cache among it."""
    assert told(shot.farm().paths) == {
        "Plate": (None, "plate", None, "IN"),
        "Matte": ("--matte", "matte", None, "IN"),
        "Output": ("--output", "out", None, "OUT"),
        "Cache": ("--cache", "cache", None, "OUT"),
    }


def test_patterns_are_apart_from_their_folders(shot: Shot) -> None:
    """A pattern of any kind, or one frame's path."""
    folder = shot.folder
    farm = shot.farm(
        plate=str(folder / "plate/fire.%04d.exr"),
        matte=str(folder / "matte/hole.1001.exr"),
        output=str(folder / "out/done.####.exr"),
    )
    assert told(farm.paths) == {
        "Plate": (None, "plate", "fire.%04d.exr", "IN"),
        "Matte": ("--matte", "matte", "hole.1001.exr", "IN"),
        "Output": ("--output", "out", "done.####.exr", "OUT"),
        "Cache": ("--cache", "cache", None, "OUT"),
    }
    assert farm.job.output == str(folder / "out/done.####.exr")


def test_relative_paths_count_from_here(shot: Shot, monkeypatch: pytest.MonkeyPatch) -> None:
    """They are made absolute, because tasks start elsewhere."""
    monkeypatch.chdir(shot.folder)
    farm = shot.farm(plate="plate", matte=None, matte_channel="A", output="out", cache="cache")
    assert told(farm.paths).keys() == {"Plate", "Output", "Cache"}
    assert [path.folder for path in farm.paths] == [
        shot.folder / name for name in ("plate", "out", "cache")
    ]
    assert all(Path(path.whole).is_absolute() for path in farm.paths)


def test_a_job_without_a_cache_is_refused(shot: Shot) -> None:
    """Its tasks would have nothing to hand on."""
    with pytest.raises(UsageError, match="use_cache false"):
        shot.farm(use_cache=False, cache=None)
