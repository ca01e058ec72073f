"""What a job divides into is found from the matte alone, and is what a render finds."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from infusion_engine.diffusion.layout import lay_out
from infusion_engine.farm.division import divided
from infusion_engine.media.survey import survey
from infusion_engine.plan import prepare
from infusion_engine.progress import Report
from infusion_engine.render import surveyed
from tests.farm.conftest import TINY, WIDTH

if TYPE_CHECKING:
    from tests.farm.conftest import Shot


@pytest.mark.parametrize(
    ("hole", "grow", "levels"), [(3, 0.0, 1), (9, 0.0, 2), (9, 2.0, 3), (20, 0.0, 3)]
)
def test_sizes_are_those_of_a_render(
    make_shot: Callable[..., Shot], tmp_path: Path, hole: int, grow: float, levels: int
) -> None:
    """However large the hole, and grown: the layout that a survey of everything leads to."""
    plan = prepare(make_shot(tmp_path, hole=hole).job(matte_grow=grow))
    found = survey(plan.shot, mode=plan.write, on_frame=lambda _done, _total: None)
    expected = lay_out(found.hole, found.hole_pixels, plan.shot.canvas, plan.settings)

    division = divided(plan, lambda _done, _total: None)

    assert division.layout == expected
    assert division.hole == found.hole
    assert division.intervals == (2, 1, 1, 1)[: len(expected.parts)]
    assert division.fits == sum(division.intervals)
    assert len(expected.parts) == levels


def test_sizes_are_those_of_a_camera_that_is_followed(shot: Shot) -> None:
    """The hole of all frames in the steady picture, as a render finds it there."""
    plan = prepare(shot.job(settings={**TINY, "camera": "followed"}))
    found = surveyed(plan, Report())
    assert found.camera is not None
    assert found.camera.canvas.width > WIDTH

    division = divided(plan, lambda _done, _total: None)

    expected = lay_out(found.hole, found.hole_pixels, found.camera.canvas, plan.settings)
    assert (division.hole, division.layout) == (found.hole, expected)


def test_frames_handles_and_takes(shot: Shot) -> None:
    """Handles are read and not written; each frame of the matte is told once."""
    told: list[tuple[int, int]] = []
    plan = prepare(shot.job(frames="1002-1003", handles=1, takes=3))
    division = divided(plan, lambda done, total: told.append((done, total)))
    assert (str(division.frames), division.frames_read, division.takes) == ("1002-1003", 4, 3)
    assert told == [(1, 4), (2, 4), (3, 4), (4, 4)]


def test_an_empty_matte_leaves_nothing_to_fit(
    make_shot: Callable[..., Shot], tmp_path: Path
) -> None:
    """No level, no interval."""
    plan = prepare(make_shot(tmp_path, hole=0).job())
    division = divided(plan, lambda _done, _total: None)
    assert (division.layout, division.intervals, division.fits) == (None, (), 0)


def test_no_torch_is_loaded(shot: Shot) -> None:
    """A bundle is written within a second or two, because nothing waits for torch."""
    code = (
        "import sys\n"
        "from infusion_engine.cli.farm import main\n"
        "main(sys.argv[1:], standalone_mode=False)\n"
        "print('torch' in sys.modules)\n"
    )
    command = [sys.executable, "-c", code, "bundle", shot.job_file(), "--output"]
    run = subprocess.run(
        [*map(str, command), str(shot.folder / "bundle")],
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    )
    assert run.stdout.splitlines()[-1] == "False"
    assert (shot.folder / "bundle/template.yaml").is_file()
