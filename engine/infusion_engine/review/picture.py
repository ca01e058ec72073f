"""Pictures for looking at: display values as 8-bit pixels, fitted to a size, outlined, saved."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image
from scipy import ndimage

from infusion_engine.media.atomic import replacing

Picture = npt.NDArray[np.uint8]
"""(H, W, 3)."""

OUTLINE = (0, 230, 255)
"""Colour of a line around the matte: neither fire nor water nor leaves have it."""
_JPEG_QUALITY = 92


def picture_of(pixels: npt.NDArray[np.float32]) -> Picture:
    """(H, W, 3) display values in [0, 1] as 8-bit pixels."""
    return (np.clip(pixels, 0.0, 1.0) * 255.0 + 0.5).astype(np.uint8)


def fitted(picture: Picture, *, across: int, down: int) -> Picture:
    """The picture made to fit `across` x `down` pixels.

    Small pictures are enlarged a whole number of times, large ones are averaged down.
    """
    height, width = picture.shape[:2]
    zoom = min(across // width, down // height)
    if zoom >= 1:
        return picture.repeat(zoom, axis=0).repeat(zoom, axis=1)
    return reduced(picture, across=across, down=down)


def reduced(picture: Picture, *, across: int, down: int) -> Picture:
    """The picture averaged down to fit `across` x `down` pixels; a smaller one stays as it is."""
    height, width = picture.shape[:2]
    scale = min(across / width, down / height)
    if scale >= 1:
        return picture
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    return np.asarray(Image.fromarray(picture).resize(size, Image.Resampling.BOX))


def outlined(picture: Picture, hole: npt.NDArray[np.bool_]) -> Picture:
    """The picture with a one-pixel line just outside the hole, which may be of another size."""
    height, width = picture.shape[:2]
    rows = np.arange(height) * hole.shape[0] // height
    columns = np.arange(width) * hole.shape[1] // width
    shown = hole[np.ix_(rows, columns)]
    line = ndimage.binary_dilation(shown) & ~shown
    out = picture.copy()
    out[line] = OUTLINE
    return out


def save_png(picture: Picture, path: Path) -> None:
    """Write the picture bit for bit, whole or not at all.

    Raises:
        StorageError: the file cannot be written.
    """
    with replacing(path) as partial:
        Image.fromarray(picture).save(partial, format="PNG")


def save_jpeg(picture: Picture, path: Path) -> None:
    """Write the picture small, its colours at full resolution, whole or not at all.

    Raises:
        StorageError: the file cannot be written.
    """
    with replacing(path) as partial:
        # Without `optimize`: pillow's buffer for that is too small for noise at full colour.
        Image.fromarray(picture).save(partial, format="JPEG", quality=_JPEG_QUALITY, subsampling=0)
