"""The input space: the plate's own colour space, to scene-linear light and back.

OpenColorIO converts, through OpenImageIO, in float32; nothing is clamped that the space's own
transform does not clamp. Known pixels are converted to be learnt from and only the fill comes back:
no pixel of the plate is ever written from here.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import OpenImageIO as oiio  # noqa: N813  (its own documentation's name for it)

from infusion_engine.errors import MatteError, UsageError
from infusion_engine.media.colour_config import ColourConfig, open_config
from infusion_engine.media.hush import hushed

SCENE_LINEAR = "scene_linear"
"""The role whose colour space the engine works in."""

_LEAST_STEP = 1e-4  # OpenColorIO's own powers and logarithms are off by some 1e-5 at 1
_FLOAT_STEP = 2.0**-11  # half a unit in the last place of a half float
_WIDEST = 2**16  # a list of values is handed over as a picture this wide: rows are copied whole


@dataclass(frozen=True)
class InputSpace:
    """A colour space that a plate is in, and the way to scene-linear and back."""

    name: str
    """The colour space, as its config spells it."""
    linear: str
    """The colour space that has the config's role `scene_linear`."""
    config: ColourConfig
    """The config that knows both."""
    identity: str
    """What the config is, for keys."""

    def to_linear(self, values: np.ndarray) -> npt.NDArray[np.float32]:
        """Plate values (..., 3), floats or 0..1 of full scale -> scene-linear, the same shape.

        Not finite where the space has no linear value for a pixel, such as 60 in a logarithm.

        Raises:
            UsageError: OpenColorIO cannot convert (any more).
        """
        return self._converted(values, self.name, self.linear)

    def from_linear(self, values: np.ndarray) -> npt.NDArray[np.float32]:
        """Scene-linear (..., 3) -> plate values, the same shape, finite where the light is.

        Beyond what the space can say lies the largest float; what it has no value for at all is 0.
        Light that is no number itself stays none: that is no matter of colour, and not hidden here.

        Raises:
            UsageError: OpenColorIO cannot convert (any more).
        """
        found = self._converted(values, self.linear, self.name)
        is_light = np.isfinite(values).all(axis=-1, keepdims=True)
        return np.where(is_light, np.nan_to_num(found, nan=0.0), np.float32(np.nan))

    def described(self) -> dict[str, object]:
        """What decides how values are converted, for keys: not where the config lies."""
        return {"space": self.name, "scene_linear": self.linear, "config": self.identity}

    def _converted(self, values: np.ndarray, source: str, goal: str) -> npt.NDArray[np.float32]:
        if values.size == 0:
            return np.zeros(values.shape, np.float32)
        flat = np.ascontiguousarray(values, np.float32).reshape(-1, 3)
        width = min(len(flat), _WIDEST)
        picture = np.zeros((-(-len(flat) // width), width, 3), np.float32)
        picture.reshape(-1, 3)[: len(flat)] = flat
        with hushed():
            result = oiio.ImageBufAlgo.colorconvert(
                oiio.ImageBuf(picture),
                source,
                goal,
                unpremult=False,
                colorconfig=self.config.source,
                nthreads=1,  # cores beyond --threads are not ours
            )
            trouble = result.geterror() if result.has_error else ""
            pixels = None if trouble else result.get_pixels(oiio.FLOAT)
        if pixels is None:
            said = " ".join(trouble.split()).rstrip(".") or "it does not say why"
            raise UsageError(
                f"OpenColorIO cannot convert '{source}' to '{goal}' of the config "
                f"{self.config.named()}: {said}.",
                remedy="The plate's colour space must be convertible both ways: choose another "
                "--input-space, or correct the config.",
            )
        return np.asarray(pixels.reshape(-1, 3)[: len(flat)].reshape(values.shape))


@dataclass(frozen=True)
class OpenedSpace:
    """What became of the name that was asked for."""

    space: InputSpace | None
    """The space; None where nothing is to be converted."""
    notes: tuple[str, ...]
    """Sentences that a user should be told."""


def open_input_space(name: str) -> OpenedSpace:
    """The colour space of that name, role or alias, in the config that holds; both ways tried.

    Raises:
        UsageError: the config cannot be read, does not know the name, has no scene-linear role, or
            cannot convert both ways.
    """
    config = open_config()
    found = config.names.get(name.lower())
    if found is None:
        closest = ", ".join(f"'{one}'" for one in config.closest(name))
        raise UsageError(
            f"--input-space: found {name!r}, expected one of the {len(config.spaces)} colour "
            f"spaces of the config {config.named()}, or a role or an alias"
            + (f"; the closest are {closest}." if closest else "."),
            remedy="Choose a name that the config knows, or set $OCIO to the config that knows "
            "this one.",
        )
    if found in config.no_colour:
        note = (
            f"The colour space {found!r} holds data, which nothing converts: the plate is taken "
            "as it would be without --input-space."
        )
        return OpenedSpace(None, (note,))
    if SCENE_LINEAR not in {role.lower() for role in config.roles}:
        raise UsageError(
            f"The config {config.named()} has no role {SCENE_LINEAR!r}, which says what colour "
            f"space to work in; it has {', '.join(config.roles) or 'none'}.",
            remedy="Add the role to the config, or leave --input-space out.",
        )
    space = InputSpace(found, config.names[SCENE_LINEAR], config, config.identity())
    space.from_linear(space.to_linear(np.full((1, 3), 0.5)))
    return OpenedSpace(space, ())


@dataclass(frozen=True, eq=False)
class Linear:
    """Known values as the engine sees them."""

    values: npt.NDArray[np.float32]
    """(N, 3) scene-linear, finite."""
    notes: tuple[str, ...]
    """Sentences about values that do not go there and back."""


def to_finite_linear(space: InputSpace, values: np.ndarray, *, bits: int | None) -> Linear:
    """Known plate values (N, 3) in scene-linear light, those left out that have no value there.

    `bits` of the plate's integers, None for floats: half a step of them is what a value may be off
    by, there and back, before the user is told.

    Raises:
        MatteError: not one value is left.
        UsageError: OpenColorIO cannot convert (any more).
    """
    linear = space.to_linear(values)
    has_value = np.asarray(np.isfinite(linear).all(axis=1))
    linear, plate = linear[has_value], values[has_value]
    if len(linear) == 0:
        raise MatteError(
            f"No known pixel of the plate has a scene-linear value as '{space.name}': nothing is "
            "left to learn from.",
            remedy="Choose the --input-space that the plate is in.",
        )
    notes = []
    if not has_value.all():
        notes.append(
            f"{_share(~has_value)} of the known pixels looked at have no scene-linear value as "
            f"'{space.name}': they stay as they are, and nothing is learnt from them."
        )
    if bits is None:
        step = np.maximum(_FLOAT_STEP * np.abs(plate).max(axis=1), _LEAST_STEP)
    else:
        step = np.asarray(max(0.5 / (2**bits - 1), _LEAST_STEP))
    lost = np.asarray(np.abs(space.from_linear(linear) - plate).max(axis=1) > step)
    if lost.any():
        notes.append(
            f"{_share(lost)} of the known pixels looked at do not come back from scene-linear to "
            f"'{space.name}' as they were (its transform clamps or has no exact inverse): a fill "
            "cannot have such values. Outside the matte nothing changes."
        )
    return Linear(linear, tuple(notes))


def _share(chosen: np.ndarray) -> str:
    """How many are True, in words."""
    percent = 100.0 * float(chosen.mean())
    return f"{percent:.1f} %" if percent >= 0.1 else "Less than 0.1 %"
