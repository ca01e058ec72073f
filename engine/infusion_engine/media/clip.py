"""The clip: the worked region of every frame, encoded, at working size, with its hole."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from infusion_engine.media.encoding import Encoding
from infusion_engine.media.region import Region
from infusion_engine.media.shot import Shot

_LEAST_COVER = 0.5  # share of a reduced pixel that must be known for it to be known

FrameBits = Callable[[np.ndarray, np.ndarray, np.ndarray], None]


@dataclass(frozen=True, eq=False)
class Clip:
    """What fitting and sampling see of a shot; axes C T H W."""

    x_0: np.ndarray
    """(3, T, H, W) float32, encoded plate; 0 where it is not known."""
    hole: np.ndarray
    """(1, T, H, W) float32, 1 = missing: the matte, NaN and Inf of the plate, and padding."""
    lowest: tuple[float, ...]
    """Smallest known encoded value of each channel."""
    highest: tuple[float, ...]
    """Largest known encoded value of each channel."""


def encode_clip(
    shot: Shot,
    region: Region,
    encoding: Encoding,
    *,
    on_bits: FrameBits,
    on_frame: Callable[[int, int], None],
) -> Clip:
    """Read every frame's region into one encoded clip; frames are streamed.

    No value from under the matte has a part in it: hidden pixels are put aside before anything is
    resized, and a reduced pixel that the matte touches at all is missing.

    Args:
        shot: the plate and its matte.
        region: what to read, and the size to reduce it to.
        encoding: plate values to floats.
        on_bits: called for each frame with its native pixels (h, w, 3), what of them is known
            (h, w), and the matte as used (h, w), all in the region; for the cache's digest.
        on_frame: called with (frames done, frames).

    Raises:
        FrameError: a frame's pixels are damaged.
    """
    count = len(shot.frames_read)
    padded_h, padded_w = region.padded
    x_0 = np.zeros((3, count, padded_h, padded_w), np.float32)
    hole = np.ones((1, count, padded_h, padded_w), np.float32)
    inside = (slice(0, region.height), slice(0, region.width))
    place = region.box.slices(shot.canvas)
    for i, frame in enumerate(shot.frames_read):
        matte = shot.read_matte(frame)[place]  # (h, w)
        plate = shot.read_plate(frame)
        pixels, hidden = plate.pixels[place], matte > 0.0
        known = plate.valid[place] & ~hidden
        on_bits(pixels, known, matte)
        values, missing = _reduced(pixels, known, hidden, region, encoding)
        x_0[:, i, *inside] = np.moveaxis(values, 2, 0)
        hole[0, i, *inside] = missing
        on_frame(i + 1, count)
    seen = x_0[:, hole[0] == 0.0]
    if seen.size == 0:
        return Clip(x_0, hole, lowest=(-1.0,) * 3, highest=(1.0,) * 3)
    lowest, highest = seen.min(1), seen.max(1)  # (3,)
    return Clip(x_0, hole, lowest=tuple(lowest.tolist()), highest=tuple(highest.tolist()))


def _reduced(
    pixels: np.ndarray, known: np.ndarray, hidden: np.ndarray, region: Region, encoding: Encoding
) -> tuple[np.ndarray, np.ndarray]:
    """One frame at working size: encoded (H, W, 3), 0 where missing, and missing (H, W)."""
    clean = np.where(known[..., None], pixels, np.zeros((), pixels.dtype))
    encoded = np.where(known[..., None], encoding.encode(clean), np.float32(0.0))
    if region.is_native:
        return encoded, ~known
    cover = region.shrink(known)  # (H, W)
    missing = (region.shrink(hidden) > 0.0) | (cover < _LEAST_COVER)
    mean = region.shrink(encoded) / np.maximum(cover, _LEAST_COVER)[..., None]
    return np.where(missing[..., None], np.float32(0.0), mean), missing
