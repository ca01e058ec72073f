"""Settings: the presets, single numbers replaced, and every refusal in plain words."""

from __future__ import annotations

import json
from dataclasses import fields, replace

import pytest

from infusion_engine.errors import UsageError
from infusion_engine.settings import (
    PRESETS,
    Area,
    Network,
    Objective,
    Precision,
    Sampler,
    Schedule,
    Settings,
    Spacing,
    described,
    overridden,
)

DRAFT = PRESETS["draft"]

PUBLISHED = {
    "network": "published",
    "channels": 32,
    "intervals": 20,
    "spacing": "timestep",
    "steps_per_interval": 10_000,
    "sampling_steps": 50,
    "sampler": "ancestral",
    "window_frames": 20,
    "crop_pixels": 0,
    "batch": 1,
    "learning_rate": 1e-4,
    "schedule": "constant",
    "objective": "known",
    "ema": 0.0,
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
        ("window_frames", "1", 1),
        ("crop_pixels", "0", 0),
        ("crop_pixels", "48", 48),
        ("batch", "3", 3),
        ("learning_rate", "3e-4", 3e-4),
        ("ema", "0.25", 0.25),
        ("ema", "1", 1.0),
        ("margin_pixels", "64", 64),
        ("working_size", "320x180", (320, 180)),
        ("working_size", "320X180", (320, 180)),
        ("network", "published", Network.PUBLISHED),
        ("spacing", "timestep", Spacing.TIMESTEP),
        ("sampler", "deterministic", Sampler.DETERMINISTIC),
        ("schedule", "constant", Schedule.CONSTANT),
        ("objective", "known", Objective.KNOWN),
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
        ("window_frames", "0"),
        ("batch", "0"),
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


def test_intervals_and_steps_together_stay_within_the_timesteps() -> None:
    """1000 evaluations at most; two changes are checked as one."""
    assert overridden(DRAFT, {"intervals": "100", "sampling_steps": "10"}).intervals == 100
    with pytest.raises(UsageError, match="1000"):
        overridden(DRAFT, {"intervals": "101", "sampling_steps": "10"})
