"""Following the camera over real files: where it was, by what is not hidden."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from infusion_engine.errors import SequenceError
from infusion_engine.media.box import Box
from infusion_engine.media.camera import CameraPath
from infusion_engine.media.follow import followed
from infusion_engine.media.shot import Shot, open_shot
from infusion_node.wire.job import RenderJob

WritePicture = Callable[..., Path]
Change = Callable[[int, np.ndarray], None]
Pan = Callable[..., Shot]

SIZE = (64, 96)
SCENE = (SIZE[0] + 8, SIZE[1] + 160)


SQUARE = (slice(20, 44), slice(36, 60))
"""A hole in the middle."""


def scene() -> np.ndarray:
    """(H, W, 3): texture from 0.05 to some ten, much wider than a frame."""
    rng = np.random.default_rng(3)
    layers = [gaussian_filter(rng.standard_normal(SCENE), radius) for radius in (1.0, 3.0)]
    field = sum(layer / layer.std() for layer in layers)
    return np.asarray(np.exp(0.6 * field)[..., None] * np.array([1.0, 0.8, 0.5]))


@pytest.fixture
def pan(tmp_path: Path, write_picture: WritePicture) -> Pan:
    """Writes a shot of a camera that goes to the right: `pan(lefts, change, name, hole)`.

    `change(frame, pixels)` may paint into the (H, W, 3) of the plate. `hole` is hidden.
    """

    def written(
        lefts: list[int],
        change: Change | None = None,
        name: str = "shot",
        hole: tuple[slice, slice] = SQUARE,
    ) -> Shot:
        folder = tmp_path / name
        for i, left in enumerate(lefts):
            pixels = scene()[4 : 4 + SIZE[0], left : left + SIZE[1]].copy()
            if change is not None:
                change(1001 + i, pixels)
            half = pixels.astype(np.float16)
            matte = np.zeros(SIZE, np.float32)
            matte[hole] = 1.0
            colours = {channel: half[..., c] for c, channel in enumerate("RGB")}
            for kind, channels in (("plate", colours), ("matte", {"A": matte})):
                write_picture(
                    folder / f"{kind}/{kind}.{1001 + i}.exr",
                    channels,
                    corner=(-6, 3),
                    display=(0, 0, *reversed(SIZE)),
                )
        return open_shot(RenderJob(str(folder / "plate"), "out", matte=str(folder / "matte")))

    return written


def ignore(done: int, total: int) -> None:
    """Nobody watches."""


def off(path: CameraPath, lefts: list[int]) -> float:
    """Pixels by which it misses at most, at a frame's corners."""
    middle = lefts[len(lefts) // 2]
    corners = np.array([[-6, 89, -6, 89], [3, 3, 66, 66], [1, 1, 1, 1]], np.float64)
    most = 0.0
    for (_, matrix), left in zip(sorted(path.matrices.items()), lefts, strict=True):
        ends = matrix @ corners
        there = corners[:2] - np.array([[left - middle], [0]])
        most = max(most, float(np.abs(ends[:2] / ends[2] - there).max()))
    return most


def test_a_pan_is_followed(pan: Pan) -> None:
    """To a tenth of a pixel, over more than a frame's width, and every frame is told of."""
    lefts = [0, 4, 9, 15, 22, 30, 37, 45, 54, 64, 73, 83, 94, 106, 117]
    told: list[tuple[int, int]] = []
    path = followed(pan(lefts), lambda done, total: told.append((done, total)))
    assert off(path, lefts) < 0.1
    assert told == [(done, 15) for done in range(1, 16)]
    assert (path.canvas.width, path.canvas.height) == pytest.approx((96 + 117, 64), abs=2)


def test_corners_lie_on_parts_of_a_pixel(pan: Pan) -> None:
    """Rounding of another machine is not seen in the numbers, and a camera that stands is exact."""
    path = followed(pan([0, 3, 7, 10]), ignore)
    corners = np.array([[-6, 90, -6, 90], [3, 3, 67, 67], [1, 1, 1, 1]], np.float64)
    for matrix in path.matrices.values():
        ends = matrix @ corners
        steps = 256.0 * ends[:2] / ends[2]
        np.testing.assert_allclose(steps, np.round(steps), atol=1e-4)
    still = followed(pan([5, 5, 5], name="still"), ignore)
    assert all(np.array_equal(matrix, np.eye(3)) for matrix in still.matrices.values())
    assert still.canvas == Box(-6, 3, 90, 67)


def test_what_is_hidden_has_no_say(pan: Pan) -> None:
    """The same numbers to the bit, whatever stands there: a blaze, nothing, most of the picture."""
    lefts, large = [0, 3, 7, 10], (slice(4, 60), slice(24, 92))

    def poisoned(frame: int, pixels: np.ndarray) -> None:
        pixels[large] = 60000.0 if frame % 2 else np.nan

    def another_way(frame: int, pixels: np.ndarray) -> None:
        left = 60 - lefts[frame - 1001]
        pixels[large] = scene()[4 : 4 + SIZE[0], left : left + SIZE[1]][large]

    found = []
    for change in (None, poisoned, another_way):
        path = followed(pan(lefts, change, str(change), large), ignore)
        found.append([path.matrices[frame].tobytes() for frame in sorted(path.matrices)])
    assert found[0] == found[1] == found[2]
    assert len(set(found[0])) == len(lefts)


def test_a_cut_cannot_be_followed(pan: Pan) -> None:
    """The frames between which it is are named, and what to do."""

    def cut(frame: int, pixels: np.ndarray) -> None:
        if frame >= 1004:
            pixels[:] = np.exp(np.random.default_rng(frame).standard_normal(pixels.shape))

    with pytest.raises(SequenceError, match="from frame 1003 to 1004") as caught:
        followed(pan([0, 2, 4, 6, 8], cut), ignore)
    assert "camera=locked" in caught.value.remedy


def test_a_camera_that_goes_too_far_is_refused(pan: Pan, monkeypatch: pytest.MonkeyPatch) -> None:
    """Before a picture is worked on that no memory holds; its size is told."""
    monkeypatch.setattr("infusion_engine.media.follow._LARGEST", 1.2)
    with pytest.raises(SequenceError, match="too far to be followed") as caught:
        followed(pan([0, 10, 20, 30]), ignore)
    assert "96x64" in str(caught.value)
    assert "--frames" in caught.value.remedy
