"""Overrides: settings changed by what a user types (`--set KEY=VALUE`), and what no run could use.

No torch here either: a wrong number is told before anything is loaded.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, replace
from enum import Enum
from typing import Any

from infusion_engine.errors import UsageError
from infusion_engine.settings import Network, Optimiser, Settings


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
    "last_timestep": 0,
    "layouts": 1,
    "settling_rounds": 0,
    "resamplings": 0,
    "still_frames": 0,
    "seam_pixels": 0,
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
    if settings.last_timestep > 10:
        raise UsageError(
            f"--set last_timestep={settings.last_timestep}: expected 0 to 10.",
            remedy="The preset paper has 1, the others 0.",
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
