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
    settling_rounds: int
    """How often patches of the plate vote on the coarsest size's layout; 0 for not at all."""
    sampler: Sampler
    """How a sample moves from one noise level to the next."""
    window_frames: int
    """Consecutive frames in a training window, or the clip's length if that is shorter."""
    crop_pixels: int
    """Side of the square training crop at working size; 0 trains on the whole region."""
    batch: int
    """Training windows in one optimiser update."""
    layout_batches: int
    """As many batches in each update of the coarsest size's noisiest interval, which lays out."""
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
        settling_rounds=0,
        sampler=Sampler.ANCESTRAL,
        window_frames=20,
        crop_pixels=0,
        batch=1,
        layout_batches=1,
        optimiser=Optimiser.ADAM,
        learning_rate=1e-4,
        schedule=Schedule.CONSTANT,
        objective=Objective.KNOWN,
        ema=0.0,
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
        settling_rounds=3,
        sampler=Sampler.MULTISTEP,
        window_frames=12,
        crop_pixels=48,
        batch=8,
        layout_batches=1,
        optimiser=Optimiser.MUON,
        learning_rate=1e-2,
        schedule=Schedule.WARMUP_COSINE,
        objective=Objective.OCCLUDER,
        ema=0.1,
        area=Area.MATTE,
        context_pixels=128,
        margin_pixels=48,
        working_size=(1920, 1080),
        precision=Precision.BF16,
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
        settling_rounds=3,
        sampler=Sampler.MULTISTEP,
        window_frames=8,
        crop_pixels=40,
        batch=1,
        layout_batches=2,
        optimiser=Optimiser.MUON,
        learning_rate=1e-2,
        schedule=Schedule.WARMUP_COSINE,
        objective=Objective.OCCLUDER,
        ema=0.1,
        area=Area.MATTE,
        context_pixels=96,
        margin_pixels=24,
        working_size=(1920, 1080),
        precision=Precision.BF16,
    ),
}


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


def overridden(settings: Settings, changes: Mapping[str, str]) -> Settings:
    """The same settings with single numbers replaced, each given as text (`--set KEY=VALUE`).

    Raises:
        UsageError: an unknown key (the known ones are listed), or a value of the wrong kind or
            out of range.
    """
    known = {f.name: getattr(settings, f.name) for f in fields(settings)}
    parsed: dict[str, Any] = {}
    for key, text in changes.items():
        if key not in known:
            raise UsageError(
                f"--set {key}={text}: there is no setting {key!r}.",
                remedy=f"Known settings: {', '.join(known)}.",
            )
        parsed[key] = _parse(key, text, like=known[key])
    result = replace(settings, **parsed)
    _check(result)
    return result


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


def _parse(key: str, text: str, *, like: Any) -> Any:
    """`text` as a value of the same kind as `like`."""
    try:
        if isinstance(like, Enum):
            return type(like)(text)
        if isinstance(like, tuple):
            width, height = text.lower().split("x")
            return (int(width), int(height))
        return type(like)(text)
    except ValueError:
        raise UsageError(
            f"--set {key}={text}: expected {_expected(like)}.",
            remedy=f"For instance --set {key}={_example(like)}.",
        ) from None


def _expected(like: Any) -> str:
    """What a value of this kind looks like, in words."""
    if isinstance(like, Enum):
        return "one of " + ", ".join(member.value for member in type(like))
    if isinstance(like, tuple):
        return "WIDTHxHEIGHT in pixels"
    return "a whole number" if isinstance(like, int) else "a number"


def _example(like: Any) -> str:
    """A value of this kind as a user would type it."""
    if isinstance(like, Enum):
        return str(like.value)
    return "x".join(map(str, like)) if isinstance(like, tuple) else str(like)


# Smallest value that makes sense, by setting.
_LEAST: Mapping[str, float] = {
    "channels": 4,
    "coarsest_hole_pixels": 0,
    "intervals": 1,
    "steps_per_interval": 1,
    "sampling_steps": 1,
    "detail_intervals": 1,
    "detail_steps_per_interval": 1,
    "detail_sampling_steps": 1,
    "settling_rounds": 0,
    "window_frames": 1,
    "crop_pixels": 0,
    "batch": 1,
    "layout_batches": 1,
    "learning_rate": 0.0,
    "ema": 0.0,
    "context_pixels": 0,
    "margin_pixels": 0,
}


def _check(settings: Settings) -> None:
    """Raise UsageError for a number that no run could use."""
    for key, least in _LEAST.items():
        value = getattr(settings, key)
        if not value >= least:
            raise UsageError(
                f"--set {key}={value}: expected {least:g} or more.", remedy="Choose a larger value."
            )
    if settings.learning_rate == float("inf"):
        raise UsageError(
            f"--set learning_rate={settings.learning_rate}: expected a finite number.",
            remedy="For instance --set learning_rate=0.01.",
        )
    if settings.ema > 1.0:
        raise UsageError(
            f"--set ema={settings.ema}: expected a share of the interval, from 0 to 1.",
            remedy="For instance --set ema=0.1.",
        )
    if settings.channels % 4:
        raise UsageError(
            f"--set channels={settings.channels}: expected a multiple of 4.",
            remedy="Choose 16, 32, 48 or 64.",
        )
    if settings.intervals > 1000 or settings.intervals * settings.sampling_steps > 1000:
        raise UsageError(
            f"{settings.intervals} intervals of {settings.sampling_steps} sampling steps are more "
            "than the 1000 timesteps there are.",
            remedy="Lower --set intervals or --set sampling_steps.",
        )
    if settings.detail_intervals > 50 or settings.detail_sampling_steps > 1000:
        raise UsageError(
            f"--set detail_intervals={settings.detail_intervals}, detail_sampling_steps="
            f"{settings.detail_sampling_steps}: expected at most 50 intervals of 1000 steps.",
            remedy="The preset draft has 2 of 8.",
        )
    if settings.optimiser is Optimiser.MUON and settings.network is not Network.RESIDUAL:
        raise UsageError(
            "--set optimiser=muon: it works on the matrices of network=residual, and the network "
            f"is {settings.network.value}.",
            remedy="Use --set optimiser=adam.",
        )
    if min(settings.working_size) < 16:
        raise UsageError(
            f"--set working_size={_example(settings.working_size)}: expected 16x16 or more.",
            remedy="The preset paper has 432x240, the others 1920x1080.",
        )
    if 0 < settings.crop_pixels < 16 or settings.crop_pixels % 8:
        raise UsageError(
            f"--set crop_pixels={settings.crop_pixels}: expected 0 (the whole region) or a "
            "multiple of 8 from 16 up.",
            remedy="For instance --set crop_pixels=64.",
        )
