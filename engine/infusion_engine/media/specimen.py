"""Specimens: tiny pictures written from nothing, to try reading and writing with."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import OpenImageIO as oiio  # noqa: N813  (its own documentation's name for it)

from infusion_engine.errors import FrameError

_WORDS = {"float16": "half", "float32": "float"}


def write_specimen(
    path: Path, channels: Mapping[str, np.ndarray], *, bits: int | None = None
) -> None:
    """Write `channels`, each (H, W) and all of one type, in the format of the path's suffix.

    `bits` are those stored for a value, where they are fewer than the arrays have.

    Raises:
        FrameError: OpenImageIO does not write it; says what it said.
    """
    pixels = np.ascontiguousarray(np.stack(list(channels.values()), axis=2))
    height, width, count = pixels.shape
    word = str(pixels.dtype)
    spec = oiio.ImageSpec(width, height, count, _WORDS.get(word, word))
    spec.channelnames = tuple(channels)
    spec["oiio:UnassociatedAlpha"] = 1  # alpha multiplies nothing
    if bits is not None:
        spec["oiio:BitsPerSample"] = bits
    output = oiio.ImageOutput.create(str(path))
    if output is None:
        raise _refused(path, oiio.geterror())
    written = output.open(str(path), spec) and output.write_image(pixels)
    if not (output.close() and written):
        raise _refused(path, output.geterror())


def _refused(path: Path, said: str) -> FrameError:
    """What OpenImageIO said, on one line."""
    reason = " ".join(said.split()).rstrip(".") or "no reason was given"
    return FrameError(f"{path} could not be written: {reason}.")
