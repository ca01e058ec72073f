"""Settings: every number behind a preset, and the three presets themselves.

No torch here: `--dry-run` and all checks of a job come before torch is imported.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from enum import Enum
from typing import Any


class Network(str, Enum):
    """Which denoiser is fitted."""

    PUBLISHED = "published"
    """The paper's UNet: 16 convolutions of 32 channels, ReLU, 492,963 parameters."""
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


class Optimiser(str, Enum):
    """How weights are moved."""

    ADAM = "adam"
    """Adam for every weight, as published."""
    MUON = "muon"
    """Muon for the convolutions, Adam for the rest; needs network=residual."""


class Schedule(str, Enum):
    """The learning rate over one interval."""

    CONSTANT = "constant"
    """The same throughout; optimiser state is carried from interval to interval, as published."""
    WARMUP_COSINE = "warmup_cosine"
    """A short linear rise, then half a cosine to zero; the optimiser starts afresh."""


class FitsStart(str, Enum):
    """What each interval's fit starts from."""

    PREVIOUS = "previous"
    """The fit of the noisier interval, as published: a chain, one after the other."""
    BASE = "base"
    """One fit over all timesteps of the coarsest level; the others can then be made at once."""
    SCRATCH = "scratch"
    """Random weights: all fits can be made at once."""


class Sampler(str, Enum):
    """How a sample moves from one noise level to the next."""

    ANCESTRAL = "ancestral"
    """The DDPM posterior: noise is added at every step."""
    DETERMINISTIC = "deterministic"
    """DDIM with eta 0: only the starting noise chooses the sample."""
    MULTISTEP = "multistep"
    """DPM-Solver++(2M) in its stochastic form: long steps keep the texture's energy."""


class Area(str, Enum):
    """Which part of the plate is worked on."""

    FRAME = "frame"
    """The whole frame, resized to exactly the working size when it is larger, as published."""
    MATTE = "matte"
    """The matte's neighbourhood, at native size if it fits the working size."""


class Camera(str, Enum):
    """What is known of the plate's camera."""

    LOCKED = "locked"
    """It stands still, or its frames are taken as they are."""
    FOLLOWED = "followed"
    """Frames are registered by homographies, worked on as if it stood, and the fill is put back."""


class Precision(str, Enum):
    """Arithmetic of the network's convolutions; weights are kept in float32."""

    AUTO = "auto"
    """bf16 where the device computes with it, fp32 where it would have to be imitated."""
    FP32 = "fp32"
    BF16 = "bf16"


@dataclass(frozen=True)
class Settings:
    """The method's numbers, each of which changes the result and is part of a cache key."""

    network: Network
    """Which denoiser is fitted."""
    channels: int
    """Features at the full working resolution."""
    coarsest_hole_pixels: int
    """Halve the clip until the hole is no wider than this in pixels; 0 works at one size."""
    intervals: int
    """Number of noise intervals at the coarsest size, each with a fit of its own."""
    spacing: Spacing
    """How timesteps are shared among intervals."""
    steps_per_interval: int
    """Optimiser updates for one interval."""
    sampling_steps: int
    """Denoiser evaluations for one interval when sampling."""
    detail_intervals: int
    """As intervals, at each finer size."""
    detail_steps_per_interval: int
    """As steps_per_interval, at each finer size."""
    detail_sampling_steps: int
    """As sampling_steps, at each finer size."""
    last_timestep: int
    """Timestep of the last evaluation, whose predicted x_0 is the result: at 1 noise has a sigma
    of 0.0148, at 0 one of 0.01, and finer texture than that is lost."""
    layouts: int
    """Samples that are drawn at the coarsest size; the one whose patches look most like the
    plate's is gone on with."""
    settling_rounds: int
    """How often patches of the plate vote on the coarsest size's layout; 0 for not at all."""
    resamplings: int
    """How often the interval after that is gone through again, with fresh noise."""
    still_frames: int
    """Frames that have to see a place before it is wholly held to what they saw, if it stands
    still; 0 for never."""
    seam_pixels: int
    """Pixels from the matte's edge over which what the fill is out by there fades to 1 / e; 0 to
    leave it as it is."""
    sampler: Sampler
    """How a sample moves from one noise level to the next."""
    window_frames: int
    """Consecutive frames in a training window, or the clip's length if that is shorter; ours is
    sampled in windows as long at the coarsest size."""
    crop_pixels: int
    """Side of the square training crop at working size; 0 trains on the whole region."""
    batch: int
    """Training windows in one optimiser update."""
    layout_batches: int
    """As many batches in each update of the coarsest size's noisiest interval, which lays out."""
    fits_start: FitsStart
    """What each fit starts from; all but `previous` can be fitted on many machines at once."""
    optimiser: Optimiser
    """How weights are moved."""
    learning_rate: float
    """Peak learning rate."""
    schedule: Schedule
    """Learning rate over one interval."""
    objective: Objective
    """Where the loss is taken."""
    ema: float
    """Length of the weights' exponential average as a share of the interval; 0 keeps the last."""
    camera: Camera
    """What is known of the plate's camera."""
    area: Area
    """Which part of the plate is worked on."""
    context_pixels: int
    """Pixels of plate around the matte, on each side, to learn from (area = matte)."""
    margin_pixels: int
    """Pixels of plate around the matte, on each side, that sampling sees (area = matte)."""
    working_size: tuple[int, int]
    """(width, height) that the worked region is reduced to when it is larger."""
    precision: Precision
    """Arithmetic of the convolutions."""


PRESETS: Mapping[str, Settings] = {
    # The published method to the letter, so that it can stand as our own baseline for ever.
    "paper": Settings(
        network=Network.PUBLISHED,
        channels=32,
        coarsest_hole_pixels=0,
        intervals=20,
        spacing=Spacing.TIMESTEP,
        steps_per_interval=10_000,
        sampling_steps=50,
        detail_intervals=20,
        detail_steps_per_interval=10_000,
        detail_sampling_steps=50,
        last_timestep=1,
        layouts=1,
        settling_rounds=0,
        resamplings=0,
        still_frames=0,
        seam_pixels=0,
        sampler=Sampler.ANCESTRAL,
        window_frames=20,
        crop_pixels=0,
        batch=1,
        layout_batches=1,
        fits_start=FitsStart.PREVIOUS,
        optimiser=Optimiser.ADAM,
        learning_rate=1e-4,
        schedule=Schedule.CONSTANT,
        objective=Objective.KNOWN,
        ema=0.0,
        camera=Camera.LOCKED,
        area=Area.FRAME,
        context_pixels=0,
        margin_pixels=0,
        working_size=(432, 240),
        precision=Precision.FP32,
    ),
    # Today's best for a GPU.
    "standard": Settings(
        network=Network.RESIDUAL,
        channels=48,
        coarsest_hole_pixels=32,
        intervals=4,
        spacing=Spacing.LOG_SNR,
        steps_per_interval=4_000,
        sampling_steps=24,
        detail_intervals=2,
        detail_steps_per_interval=1_500,
        detail_sampling_steps=16,
        last_timestep=0,
        layouts=1,
        settling_rounds=3,
        resamplings=1,
        still_frames=24,
        seam_pixels=4,
        sampler=Sampler.MULTISTEP,
        window_frames=12,
        crop_pixels=48,
        batch=8,
        layout_batches=1,
        fits_start=FitsStart.PREVIOUS,
        optimiser=Optimiser.MUON,
        learning_rate=1e-2,
        schedule=Schedule.WARMUP_COSINE,
        objective=Objective.OCCLUDER,
        ema=0.1,
        camera=Camera.LOCKED,
        area=Area.MATTE,
        context_pixels=128,
        margin_pixels=48,
        working_size=(1920, 1080),
        precision=Precision.AUTO,
    ),
    # A small shot on two CPU cores in minutes.
    "draft": Settings(
        network=Network.RESIDUAL,
        channels=32,
        coarsest_hole_pixels=32,
        intervals=4,
        spacing=Spacing.LOG_SNR,
        steps_per_interval=600,
        sampling_steps=16,
        detail_intervals=2,
        detail_steps_per_interval=200,
        detail_sampling_steps=8,
        last_timestep=0,
        layouts=1,
        settling_rounds=3,
        resamplings=1,
        still_frames=24,
        seam_pixels=4,
        sampler=Sampler.MULTISTEP,
        window_frames=8,
        crop_pixels=40,
        batch=1,
        layout_batches=2,
        fits_start=FitsStart.PREVIOUS,
        optimiser=Optimiser.MUON,
        learning_rate=1e-2,
        schedule=Schedule.WARMUP_COSINE,
        objective=Objective.OCCLUDER,
        ema=0.1,
        camera=Camera.LOCKED,
        area=Area.MATTE,
        context_pixels=96,
        margin_pixels=24,
        working_size=(1920, 1080),
        precision=Precision.AUTO,
    ),
}


ROUND_WORK = 10
"""Evaluations of the denoiser that a round of votes takes as long as: 7 and 13 were seen, of clips
that were shown as a whole. In windows an evaluation takes up to twice the time, and this is more
than enough."""


def at_level(settings: Settings, level: int) -> Settings:
    """The settings of one pyramid level (0 for the coarsest): `detail_*` stand in for the rest."""
    if level == 0:
        return settings
    return replace(
        settings,
        intervals=settings.detail_intervals,
        steps_per_interval=settings.detail_steps_per_interval,
        sampling_steps=settings.detail_sampling_steps,
    )


def at_interval(settings: Settings, level: int, index: int) -> Settings:
    """The settings of interval `index` (0 for the noisiest) of a level.

    The first of all begins from nothing, where the least is seen, and settles the layout: its
    updates are means over more windows.
    """
    own = at_level(settings, level)
    first = level == 0 and index == 0
    return replace(own, batch=own.batch * own.layout_batches) if first else own


def described(settings: Settings) -> dict[str, Any]:
    """Every number as plain JSON values, for `--dry-run`, events and records."""
    return {
        key: value.value
        if isinstance(value, Enum)
        else list(value)
        if isinstance(value, tuple)
        else value
        for key, value in asdict(settings).items()
    }
