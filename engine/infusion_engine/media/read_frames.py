"""Reading: the worked region of every frame, encoded, at working size, with its hole."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from infusion_engine.media.camera import CameraPath
from infusion_engine.media.encoding import Encoding, as_numbers
from infusion_engine.media.region import Region
from infusion_engine.media.shot import Shot

_LEAST_COVER = 0.5  # share of a reduced pixel that must be known for it to be known

FrameBits = Callable[[np.ndarray, np.ndarray, np.ndarray], None]
FrameClip = Callable[[int, np.ndarray, np.ndarray], None]


def read_frames(
    shot: Shot,
    region: Region,
    encoding: Encoding,
    *,
    on_bits: FrameBits,
    on_clip: FrameClip,
    on_frame: Callable[[int, int], None],
    camera: CameraPath | None = None,
) -> None:
    """Read every frame's region and encode it; one frame is held at a time.

    No value from under the matte has a part in it: hidden pixels are put aside before anything is
    resized, and a reduced pixel that the matte touches at all is missing.

    Args:
        shot: the plate and its matte.
        region: what to read, and the size to reduce it to.
        encoding: plate values to floats.
        on_bits: called for each frame with what `frame_bits` tells; for the cache's digest.
        on_clip: called for each frame with its index, x_0 (3, H, W) float32, the encoded plate and
            0 where it is not known, and its hole (1, H, W) float32, 1 = missing: the matte, NaN
            and Inf of the plate, what has no place in its colour space, and padding.
        on_frame: called with (frames done, frames).
        camera: the camera's path, where it was followed; `region` is then one of its picture.

    Raises:
        FrameError: a frame's pixels are damaged.
    """
    count = len(shot.frames_read)
    inside = (slice(0, region.height), slice(0, region.width))
    for i, frame in enumerate(shot.frames_read):
        pixels, known, matte = frame_bits(shot, region, frame, camera)
        on_bits(pixels, known, matte)
        hidden = matte > 0.0
        if camera is not None:
            numbers = as_numbers(pixels)  # between pixels there are no whole numbers
            pixels, known = camera.steady(frame, numbers, known, shot.canvas, region.box)
            hidden = ~known
        values, missing = _reduced(pixels, known, hidden, region, encoding)
        x_0 = np.zeros((3, *region.padded), np.float32)
        hole = np.ones((1, *region.padded), np.float32)
        x_0[:, *inside] = np.moveaxis(values, 2, 0)
        hole[0, *inside] = missing
        on_clip(i, x_0, hole)
        on_frame(i + 1, count)


def frame_bits(
    shot: Shot, region: Region, frame: int, camera: CameraPath | None = None
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """A frame's native pixels (h, w, 3), what is known of them (h, w), and its matte as used.

    In the region's box, or of the whole frame where the camera was followed: bits are the plate's
    own, never resampled ones, which another machine might round otherwise.

    Raises:
        FrameError: the frame's pixels are damaged.
    """
    place = (shot.canvas if camera is not None else region.box).slices(shot.canvas)
    matte = shot.read_matte(frame)[place]  # (h, w)
    plate = shot.read_plate(frame)
    return plate.pixels[place], plate.valid[place] & ~(matte > 0.0), matte


def _reduced(
    pixels: np.ndarray, known: np.ndarray, hidden: np.ndarray, region: Region, encoding: Encoding
) -> tuple[np.ndarray, np.ndarray]:
    """One frame at working size: encoded (H, W, 3), 0 where missing, and missing (H, W)."""
    clean = np.where(known[..., None], pixels, np.zeros((), pixels.dtype))
    encoded = encoding.encode(clean)
    known = known & np.isfinite(encoded).all(axis=2)  # not every value has a linear one
    encoded = np.where(known[..., None], encoded, np.float32(0.0))
    if region.is_native:
        return encoded, ~known
    cover = region.shrink(known)  # (H, W)
    missing = (region.shrink(hidden) > 0.0) | (cover < _LEAST_COVER)
    mean = region.shrink(encoded) / np.maximum(cover, _LEAST_COVER)[..., None]
    return np.where(missing[..., None], np.float32(0.0), mean), missing
