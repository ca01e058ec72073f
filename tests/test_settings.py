"""Settings: the presets, and what each level and interval takes of them."""

from __future__ import annotations

import json
from dataclasses import fields, replace

import pytest

from infusion_engine.overrides import overridden
from infusion_engine.settings import (
    PRESETS,
    Settings,
    at_interval,
    at_level,
    described,
)

DRAFT = PRESETS["draft"]

PUBLISHED = {
    "network": "published",
    "channels": 32,
    "coarsest_hole_pixels": 0,
    "intervals": 20,
    "spacing": "timestep",
    "steps_per_interval": 10_000,
    "sampling_steps": 50,
    # There is no finer size; should one be asked for, these say the same as the ones above.
    "detail_intervals": 20,
    "detail_steps_per_interval": 10_000,
    "detail_sampling_steps": 50,
    "last_timestep": 1,
    "layouts": 1,  # ours; the paper draws one
    "settling_rounds": 0,  # nor has it this
    "resamplings": 0,  # nor this
    "still_frames": 0,  # nor this
    "seam_pixels": 0,  # nor this
    "sampler": "ancestral",
    "window_frames": 20,
    "crop_pixels": 0,
    "batch": 1,
    "layout_batches": 1,
    "fits_start": "previous",
    "optimiser": "adam",
    "learning_rate": 1e-4,
    "schedule": "constant",
    "objective": "known",
    "ema": 0.0,
    "camera": "locked",
    "area": "frame",
    "context_pixels": 0,
    "margin_pixels": 0,
    "working_size": [432, 240],
    "precision": "fp32",
}


def test_the_paper_is_the_published_method_to_the_letter() -> None:
    """It stands as a baseline for ever: not one number of it may change."""
    assert described(PRESETS["paper"]) == PUBLISHED


def test_there_are_three_presets() -> None:
    """Each passes its own checks."""
    assert list(PRESETS) == ["paper", "standard", "draft"]
    for settings in PRESETS.values():
        assert overridden(settings, {}) == settings


def test_every_setting_is_described_in_plain_values() -> None:
    """In the order of the fields, as JSON can say it."""
    for settings in PRESETS.values():
        told = described(settings)
        assert list(told) == [f.name for f in fields(Settings)]
        assert json.loads(json.dumps(told)) == told


@pytest.mark.parametrize("preset", list(PRESETS))
def test_finer_levels_take_the_detail_numbers(preset: str) -> None:
    """Three numbers at every level but the coarsest, and nothing else."""
    settings = replace(
        PRESETS[preset], detail_intervals=3, detail_steps_per_interval=5, detail_sampling_steps=7
    )
    assert at_level(settings, 0) == settings
    for level in (1, 2, 9):
        assert at_level(settings, level) == replace(
            settings, intervals=3, steps_per_interval=5, sampling_steps=7
        )


@pytest.mark.parametrize("preset", list(PRESETS))
def test_the_first_interval_of_all_takes_more_batches(preset: str) -> None:
    """The noisiest of the coarsest level alone, and nothing else of it is changed."""
    settings = replace(
        PRESETS[preset], batch=3, layout_batches=4, detail_intervals=2, detail_sampling_steps=7
    )
    for level, index in ((0, 1), (0, 9), (1, 0), (1, 1), (2, 0)):
        assert at_interval(settings, level, index) == at_level(settings, level)
    assert at_interval(settings, 0, 0) == replace(settings, batch=12)


def test_only_our_quick_preset_takes_more_batches() -> None:
    """One batch is the published number, and where a batch already is of many there is no need."""
    found = {name: settings.layout_batches for name, settings in PRESETS.items()}
    assert found == {"paper": 1, "standard": 1, "draft": 2}
