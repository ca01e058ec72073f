"""Settings: every number behind a preset, and the three presets themselves.

No torch here: `--dry-run` and all checks of a job come before torch is imported.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from enum import Enum
from typing import Any

from infusion_engine.errors import UsageError


class Network(str, Enum):
    """Which denoiser is fitted."""

    PUBLISHED = "published"
    """The paper's UNet: 32 channels, 16 convolutions, ReLU, no normalisation; 492,963 parameters."""
    RESIDUAL = "residual"
    """Residual blocks with SiLU and weights normalised per output channel."""


class Spacing(str, Enum):
    """How [0, T) is cut into intervals."""

    TIMESTEP = "timestep"
    """Equal numbers of timesteps, as published."""
    LOG_SNR = "log_snr"
    """Equal spans of log signal-to-noise ratio: no budget is spent where all is noise."""


class Objective(str, Enum):
    """Where the loss is taken and how timesteps are weighed."""

    KNOWN = "known"
    """Every pixel outside the user's matte, unweighted, as published."""
    OCCLUDER = "occluder"
    """Only pixels that the network cannot copy: those under the invented occluder."""


class Schedule(str, Enum):
    """The learning rate over one interval."""

    CONSTANT = "constant"
    """The same throughout; optimiser state is carried from interval to interval, as published."""
    WARMUP_COSINE = "warmup_cosine"
    """A short linear rise, then half a cosine to zero; the optimiser starts afresh."""


class Area(str, Enum):
    """Which part of the plate is worked on."""

    FRAME = "frame"
    """The whole frame, resized to exactly the working size when it is larger, as published."""
    MATTE = "matte"
    """The matte's neighbourhood, at native size if it fits the working size."""


class Precision(str, Enum):
    """Arithmetic of the network's convolutions; weights are kept in float32."""

    FP32 = "fp32"
    BF16 = "bf16"


@dataclass(frozen=True)
class Settings:
    """The method's numbers, each of which changes the result and is part of a cache key."""

    network: Network
    """Which denoiser is fitted."""
    channels: int
    """Features at the full working resolution."""
    intervals: int
    """Number of noise intervals, each with a fit of its own."""
    spacing: Spacing
    """How timesteps are shared among intervals."""
    steps_per_interval: int
    """Optimiser updates for one interval."""
    sampling_steps: int
    """Denoiser evaluations for one interval when sampling."""
    window_frames: int
    """Consecutive frames in a training window, or the clip's length if that is shorter."""
    crop_pixels: int
    """Side of the square training crop at working size; 0 trains on the whole region."""
    batch: int
    """Training windows in one optimiser update."""
    learning_rate: float
    """Peak learning rate."""
    schedule: Schedule
    """Learning rate over one interval."""
    objective: Objective
    """Where the loss is taken."""
    ema: float
    """Length of the weights' exponential average as a fraction of the interval; 0 keeps the last weights."""
    area: Area
    """Which part of the plate is worked on."""
    context_pixels: int
    """Pixels of plate kept around the matte on each side, at working size (area = matte)."""
    working_size: tuple[int, int]
    """(width, height) that the worked region is reduced to when it is larger."""
    precision: Precision
    """Arithmetic of the convolutions."""
