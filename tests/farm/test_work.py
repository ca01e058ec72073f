"""Voxels and bytes that are told before a run are those that it comes to."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import torch

from infusion_engine.cache.store import Store
from infusion_engine.farm.bundle import FarmJob
from infusion_engine.farm.calibrate import encoded
from infusion_engine.farm.parameters import parameters
from infusion_engine.farm.work import work_of
from infusion_engine.infuse import Infusion
from infusion_engine.kept_clip import tensors_of
from infusion_engine.progress import Report
from infusion_engine.settings import FitsStart, Settings
from infusion_engine.workload import Workload

if TYPE_CHECKING:
    from tests.farm.conftest import Shot

TRAINING = 3
"""What Workload counts a voxel of a training step for, where an evaluation's counts once."""


def infusion(farm: FarmJob, folder: Path, settings: Settings) -> Infusion:
    """A run of the job that has not begun."""
    return Infusion(
        encoded(farm.plan, torch.device("cpu"), Report()),
        settings,
        seed=0,
        take=0,
        store=Store(folder, on_damage=pytest.fail),
        report=Report(),
        threads=1,
        memory=2**30,
    )


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"settings": {"area": "frame"}},
        {"settings": {"layouts": "3", "resamplings": "2", "intervals": "4"}},
        {"settings": {"working_size": "32x24", "crop_pixels": "0", "batch": "2"}},
        {"frames": "1001-1002", "matte_grow": 2.0},
    ],
    ids=["as it is", "whole frame", "three layouts", "reduced", "grown"],
)
def test_voxels_are_those_of_a_run(shot: Shot, changes: dict[str, Any]) -> None:
    """Of every fit and of a sample; where a plate is reduced, the sampled place within a pixel."""
    changes = {**changes, "settings": {**shot.job().settings, **changes.get("settings", {})}}
    farm = shot.farm(**changes)
    run = infusion(farm, shot.folder / "scratch", farm.plan.settings)
    counted = Workload(run.levels, run.places, run.stages, run.report)
    assert len(run.levels) == len(farm.division.intervals)

    work = work_of(farm.plan.settings, farm.division)

    fits = [step * n for step, n in zip(counted.fit_step, counted.fit_steps, strict=True)]
    assert [TRAINING * voxels for voxels in work.fits] == fits
    sampled = sum(
        stage.work * step for stage, step in zip(run.stages, counted.sample_step, strict=True)
    )
    told = work.evaluated + work.searched
    if "working_size" in changes["settings"]:
        assert sampled <= told <= 1.2 * sampled
    else:
        assert told == sampled
    clip = sum(tensor.nbytes for tensor in tensors_of(run.levels).values())
    corners = 16 * len(run.levels)
    assert work.clip_bytes == clip - corners


def test_a_base_is_as_long_as_the_first_fit(shot: Shot) -> None:
    """It has that fit's steps and windows."""
    farm = shot.farm()
    settings = replace(farm.plan.settings, fits_start=FitsStart.BASE)
    run = infusion(farm, shot.folder / "scratch", settings)
    assert run.base is not None
    assert run.base.settings == run.stages[0].settings
    work = work_of(farm.plan.settings, farm.division)
    assert work.base == work.fits[0] > 0


def test_a_fit_is_as_large_as_its_parameters(shot: Shot) -> None:
    """Four bytes for each; what is kept beside them is less than a hundredth of a real network."""
    farm = shot.farm(settings={**shot.job().settings, "channels": "32", "steps_per_interval": "1"})
    store = shot.folder / "scratch"
    run = infusion(farm, store, farm.plan.settings)
    run.fit(0)
    (weights,) = store.glob("fits/*/weights.safetensors")
    told = 4 * parameters(farm.plan.settings)
    assert told <= weights.stat().st_size <= 1.01 * told + 20_000


def test_nothing_to_fill_takes_nothing(make_shot: Callable[..., Shot], tmp_path: Path) -> None:
    """No fit, no sample, no byte."""
    farm = make_shot(tmp_path, hole=0).farm()
    work = work_of(farm.plan.settings, farm.division)
    assert (work.fits, work.evaluated, work.clip_bytes, work.sample_bytes) == ((), 0, 0, 0)
