"""Fixtures that write small real pictures for the media room's tests."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import OpenImageIO as oiio  # noqa: N813  (its own documentation's name for it)
import pytest

WritePicture = Callable[..., Path]


@pytest.fixture(scope="session")
def write_picture() -> WritePicture:
    """Writes one picture: `write_picture(path, {"R": array}, corner=(x, y), display=(...))`."""
    return _write


def _write(
    path: Path,
    channels: Mapping[str, np.ndarray],
    *,
    corner: tuple[int, int] = (0, 0),
    display: tuple[int, int, int, int] | None = None,
    attributes: Mapping[str, object] | None = None,
) -> Path:
    """Channels (H, W) as a single-part picture in the arrays' own types; the corner is absolute."""
    path.parent.mkdir(parents=True, exist_ok=True)
    first = next(iter(channels.values()))
    height, width = first.shape
    spec = oiio.ImageSpec(width, height, len(channels), _word(first))
    spec.channelnames = tuple(channels)
    if len({array.dtype for array in channels.values()}) > 1:
        spec.channelformats = tuple(oiio.TypeDesc(_word(array)) for array in channels.values())
    spec.x, spec.y = corner
    x0, y0, x1, y1 = display or (0, 0, width, height)
    spec.full_x, spec.full_y, spec.full_width, spec.full_height = x0, y0, x1 - x0, y1 - y0
    for name, value in (attributes or {}).items():
        if isinstance(value, tuple):
            spec.attribute(name, oiio.TypeDesc(f"string[{len(value)}]"), value)
        else:
            spec.attribute(name, value)
    output = oiio.ImageOutput.create(str(path))
    assert output is not None, oiio.geterror()
    assert output.open(str(path), spec), output.geterror()
    pixels = np.stack([array.astype(first.dtype) for array in channels.values()], axis=2)
    assert output.write_image(np.ascontiguousarray(pixels)), output.geterror()
    assert output.close(), output.geterror()
    return path


def _word(array: np.ndarray) -> str:
    word = str(array.dtype)
    return {"float16": "half", "float32": "float", "uint32": "uint"}.get(word, word)
