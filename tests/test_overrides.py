"""Overrides: single numbers replaced, and every refusal in plain words."""

from __future__ import annotations

from dataclasses import fields, replace

import pytest

from infusion_engine.errors import UsageError
from infusion_engine.overrides import overridden
from infusion_engine.settings import (
    PRESETS,
    Area,
    Camera,
    FitsStart,
    Network,
    Objective,
    Optimiser,
    Precision,
    Sampler,
    Schedule,
    Settings,
    Spacing,
    described,
)

DRAFT = PRESETS["draft"]


@pytest.mark.parametrize("preset", list(PRESETS))
def test_a_description_read_back_is_the_same_settings(preset: str) -> None:
    """What a record says can be asked for again with --set."""
    told = described(PRESETS[preset])
    told["working_size"] = "x".join(map(str, told["working_size"]))
    changes = {key: str(value) for key, value in told.items()}
    assert overridden(DRAFT, changes) == PRESETS[preset]


@pytest.mark.parametrize(
    ("key", "text", "value"),
    [
        ("intervals", "7", 7),
        ("steps_per_interval", "20", 20),
        ("sampling_steps", "4", 4),
        ("coarsest_hole_pixels", "0", 0),
        ("coarsest_hole_pixels", "48", 48),
        ("detail_intervals", "50", 50),
        ("detail_steps_per_interval", "20", 20),
        ("detail_sampling_steps", "1000", 1000),
        ("window_frames", "1", 1),
        ("crop_pixels", "0", 0),
        ("crop_pixels", "48", 48),
        ("batch", "3", 3),
        ("layout_batches", "1", 1),
        ("layout_batches", "4", 4),
        ("learning_rate", "3e-4", 3e-4),
        ("ema", "0.25", 0.25),
        ("ema", "1", 1.0),
        ("margin_pixels", "64", 64),
        ("last_timestep", "10", 10),
        ("still_frames", "0", 0),
        ("seam_pixels", "0", 0),
        ("working_size", "320x180", (320, 180)),
        ("working_size", "320X180", (320, 180)),
        ("spacing", "timestep", Spacing.TIMESTEP),
        ("sampler", "deterministic", Sampler.DETERMINISTIC),
        ("sampler", "ancestral", Sampler.ANCESTRAL),
        ("fits_start", "scratch", FitsStart.SCRATCH),
        ("optimiser", "adam", Optimiser.ADAM),
        ("schedule", "constant", Schedule.CONSTANT),
        ("objective", "known", Objective.KNOWN),
        ("camera", "followed", Camera.FOLLOWED),
        ("area", "frame", Area.FRAME),
        ("precision", "fp32", Precision.FP32),
    ],
)
def test_a_single_number_is_replaced(key: str, text: str, value: object) -> None:
    """The value has its own type, and nothing else changes."""
    found = overridden(DRAFT, {key: text})
    assert getattr(found, key) == value
    assert type(getattr(found, key)) is type(getattr(DRAFT, key))
    assert replace(found, **{key: getattr(DRAFT, key)}) == DRAFT


def test_an_unknown_key_lists_the_known_ones() -> None:
    """All of them, and the one that was found."""
    with pytest.raises(UsageError) as caught:
        overridden(DRAFT, {"step_per_interval": "3"})
    assert "step_per_interval" in str(caught.value)
    for field in fields(Settings):
        assert field.name in caught.value.remedy


@pytest.mark.parametrize(
    ("key", "text"),
    [
        ("intervals", "0"),
        ("intervals", "five"),
        ("intervals", "2.5"),
        ("intervals", ""),
        ("intervals", "1001"),
        ("steps_per_interval", "-1"),
        ("steps_per_interval", "0"),
        ("sampling_steps", "0"),
        ("sampling_steps", "900"),
        ("coarsest_hole_pixels", "-1"),
        ("coarsest_hole_pixels", "none"),
        ("detail_intervals", "0"),
        ("detail_intervals", "51"),
        ("detail_steps_per_interval", "0"),
        ("detail_sampling_steps", "0"),
        ("detail_sampling_steps", "1001"),
        ("window_frames", "0"),
        ("batch", "0"),
        ("layout_batches", "0"),
        ("layout_batches", "-2"),
        ("layout_batches", "1.5"),
        ("fits_start", "anywhere"),
        ("channels", "0"),
        ("channels", "30"),
        ("crop_pixels", "-16"),
        ("crop_pixels", "8"),
        ("crop_pixels", "50"),
        ("context_pixels", "-1"),
        ("learning_rate", "-0.1"),
        ("learning_rate", "nan"),
        ("learning_rate", "inf"),
        ("learning_rate", "fast"),
        ("ema", "-0.1"),
        ("ema", "1.01"),
        ("ema", "nan"),
        ("ema", "inf"),
        ("margin_pixels", "-1"),
        ("working_size", "432"),
        ("working_size", "432x240x3"),
        ("working_size", "432xall"),
        ("working_size", "8x240"),
        ("network", "resnet"),
        ("precision", "fp16"),
        ("sampler", "ANCESTRAL"),
        ("optimiser", "sgd"),
        ("last_timestep", "11"),
        ("last_timestep", "-1"),
        ("layouts", "0"),
        ("resamplings", "-1"),
        ("still_frames", "-1"),
        ("seam_pixels", "-1"),
    ],
)
def test_a_value_that_no_run_could_use_is_refused(key: str, text: str) -> None:
    """The message names the setting and what was found; the remedy gives a way out."""
    with pytest.raises(UsageError) as caught:
        overridden(DRAFT, {key: text})
    words = str(caught.value)
    assert key in words or key.replace("_", " ") in words
    assert text in words
    assert caught.value.remedy


def test_a_wrong_name_lists_the_right_ones() -> None:
    """For choices, every choice is told."""
    with pytest.raises(UsageError, match="published, residual"):
        overridden(DRAFT, {"network": "unet"})
    with pytest.raises(UsageError, match="ancestral, deterministic, multistep"):
        overridden(DRAFT, {"sampler": "euler"})


def test_the_published_network_is_not_moved_by_muon() -> None:
    """It has no matrices for it; said from whichever side it is asked for, with the way out."""
    for settings, changes in (
        (DRAFT, {"network": "published"}),
        (PRESETS["paper"], {"optimiser": "muon"}),
    ):
        with pytest.raises(UsageError, match=r"optimiser=muon.*published") as caught:
            overridden(settings, changes)
        assert "optimiser=adam" in caught.value.remedy
    both = overridden(DRAFT, {"network": "published", "optimiser": "adam"})
    assert (both.network, both.optimiser) == (Network.PUBLISHED, Optimiser.ADAM)


def test_intervals_and_steps_together_stay_within_the_timesteps() -> None:
    """1000 evaluations at most; two changes are checked as one."""
    assert overridden(DRAFT, {"intervals": "100", "sampling_steps": "10"}).intervals == 100
    with pytest.raises(UsageError, match="1000"):
        overridden(DRAFT, {"intervals": "101", "sampling_steps": "10"})
