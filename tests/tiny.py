"""The least settings that are still ours: a chain of them is fitted and sampled within seconds."""

from __future__ import annotations

from dataclasses import replace

from infusion_engine.settings import PRESETS, Precision

TINY = replace(
    PRESETS["draft"],
    channels=4,
    coarsest_hole_pixels=5,
    window_frames=3,
    crop_pixels=16,
    intervals=2,
    steps_per_interval=2,
    sampling_steps=2,
    detail_intervals=2,
    detail_steps_per_interval=2,
    detail_sampling_steps=2,
    settling_rounds=1,
    precision=Precision.FP32,
)
"""Two levels of two intervals each, for a hole of 6 x 6 pixels."""
