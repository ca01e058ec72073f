"""The smallest settings that a render takes."""

from __future__ import annotations

SMALLEST = {
    "intervals": "1",
    "steps_per_interval": "1",
    "sampling_steps": "1",
    "channels": "4",
    "crop_pixels": "16",
    "window_frames": "3",
}
