"""Steps wait for what they need, and each of their tasks is one command line."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from infusion_engine.farm.steps import Fits, Step, steps
from infusion_engine.settings import FitsStart

if TYPE_CHECKING:
    from tests.farm.conftest import Shot


def waiting(found: tuple[Step, ...]) -> dict[str, tuple[str, ...]]:
    """What each step waits for."""
    return {step.name: step.after for step in found}


def test_fits_from_a_base_wait_for_it(shot: Shot) -> None:
    """One task for each interval of every size, one for each take, and chunks of frames."""
    found = shot.farm(Fits.BASE, takes=2).steps
    assert waiting(found) == {
        "Prepare": (),
        "Base": ("Prepare",),
        "Fit": ("Prepare", "Base"),
        "Sample": ("Prepare", "Base", "Fit"),
        "Write": ("Prepare", "Sample"),
    }
    assert [step.tasks(2) for step in found] == [1, 1, 3, 2, 3]
    assert [(step.first, step.last) for step in found[2:]] == [(1, 3), (1, 2), (1001, 1005)]


def test_fits_from_scratch_wait_for_nothing_else(shot: Shot) -> None:
    """There is no base."""
    assert waiting(shot.farm(Fits.SCRATCH).steps) == {
        "Prepare": (),
        "Fit": ("Prepare",),
        "Sample": ("Prepare", "Fit"),
        "Write": ("Prepare", "Sample"),
    }


def test_a_chain_is_a_step_for_each_fit(shot: Shot) -> None:
    """Each waits for the one before; the sample waits for all."""
    found = shot.farm(Fits.CHAIN).steps
    assert waiting(found) == {
        "Prepare": (),
        "Fit001": ("Prepare",),
        "Fit002": ("Prepare", "Fit001"),
        "Fit003": ("Prepare", "Fit002"),
        "Sample": ("Prepare", "Fit001", "Fit002", "Fit003"),
        "Write": ("Prepare", "Sample"),
    }
    assert [(step.first, step.last) for step in found[1:4]] == [(1, 1), (2, 2), (3, 3)]


def test_an_empty_matte_has_nothing_to_fit(make_shot: Callable[..., Shot], tmp_path: Path) -> None:
    """Its frames are passed through."""
    found = steps(make_shot(tmp_path, hole=0).farm().division, Fits.BASE)
    assert waiting(found) == {"Prepare": (), "Write": ("Prepare",)}


def test_each_step_says_which_task_it_is(shot: Shot) -> None:
    """What a command line of infusion-render has for it."""
    found = {step.name: step.arguments("7") for step in shot.farm().steps}
    assert found == {
        "Prepare": ["--stage", "prepare"],
        "Base": ["--stage", "base"],
        "Fit": ["--stage", "fit", "--interval", "7"],
        "Sample": ["--stage", "sample", "--take", "7"],
        "Write": ["--stage", "write", "--write-frames", "7"],
    }


@pytest.mark.parametrize(
    ("start", "fits"),
    [
        (FitsStart.PREVIOUS, Fits.BASE),
        (FitsStart.BASE, Fits.BASE),
        (FitsStart.SCRATCH, Fits.SCRATCH),
    ],
)
def test_a_job_keeps_its_start_unless_that_is_a_chain(start: FitsStart, fits: Fits) -> None:
    """A chain is asked for by name, since no second machine helps with it."""
    assert Fits.of(start) is fits
    assert fits.start is FitsStart(fits.value)
    assert Fits.CHAIN.start is FitsStart.PREVIOUS
