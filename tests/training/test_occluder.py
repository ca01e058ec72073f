"""Invented holes: the published blobs, and the shot's own matte moved elsewhere."""

from __future__ import annotations

from collections.abc import Callable
from itertools import product

import numpy as np
import pytest

from infusion_engine.training.occluder import bezier_blob, shifted_matte

Draw = Callable[[np.random.Generator], np.ndarray]


def blobs(count: int, frames: int = 6) -> list[np.ndarray]:
    """That many published occluders at the published size."""
    return [
        bezier_blob(np.random.default_rng(seed), frames=frames, height=240, width=432)
        for seed in range(count)
    ]


def is_still(occluder: np.ndarray) -> bool:
    """True when every frame is the first."""
    return bool((occluder == occluder[0]).all())


def an_l(frames: int = 5, size: int = 64) -> np.ndarray:
    """(T, H, W): an L that drifts by (1, 2) pixels a frame; no mirror image is a shift of it."""
    hole = np.zeros((frames, size, size), bool)
    for t in range(frames):
        y, x = 20 + t, 18 + 2 * t
        hole[t, y : y + 12, x : x + 3] = True
        hole[t, y + 9 : y + 12, x : x + 7] = True
    return hole


def test_blobs_cover_what_the_published_ones_do() -> None:
    """A tenth of the frame on average, between a fiftieth and a quarter (published: 2 to 19 %)."""
    cover = np.array([blob.mean() for blob in blobs(200, frames=1)])
    assert 0.085 < cover.mean() < 0.115
    assert 0.02 < cover.min() < cover.max() < 0.26


def test_half_of_the_blobs_stand_still() -> None:
    """As published; the others drift, keeping their shape and staying in the frame."""
    drawn = blobs(120, frames=12)
    still = [is_still(blob) for blob in drawn]
    assert 0.4 < np.mean(still) < 0.65  # a slow one, too, may never leave its pixel
    for blob in drawn:
        assert np.ptp(blob.sum((1, 2))) == 0
        assert blob.any()


def test_blobs_move_by_whole_pixels_and_not_far() -> None:
    """From frame to frame the box around a blob jumps a few pixels at most; at first two."""
    firsts = []
    for blob in blobs(80, frames=12):
        corners = np.array(
            [(np.flatnonzero(f.any(1))[0], np.flatnonzero(f.any(0))[0]) for f in blob]
        )
        jumps = np.abs(np.diff(corners, axis=0))
        assert jumps.max() <= 12
        firsts.append(jumps[0].max())
        box = [
            f[y : y + 20, x : x + 20] for f, (y, x) in zip(blob, corners, strict=True)
        ]  # the same corner of the shape
        assert all(np.array_equal(b, box[0]) for b in box)
    assert set(firsts) == {0, 1}


def test_blobs_are_single_and_round() -> None:
    """One filled curve: far fewer edges than a scatter of pixels of that cover would have."""
    for blob in blobs(20, frames=1):
        filled = blob[0]
        edges = (filled[1:] != filled[:-1]).sum() + (filled[:, 1:] != filled[:, :-1]).sum()
        assert edges < 8 * filled.sum() ** 0.5 + 400


@pytest.mark.parametrize(("height", "width"), [(16, 16), (17, 64), (240, 20)])
def test_blobs_fit_any_window(height: int, width: int) -> None:
    """Small and narrow windows are hidden in part, never wholly."""
    for seed in range(60):
        blob = bezier_blob(np.random.default_rng(seed), frames=3, height=height, width=width)
        assert blob.shape == (3, height, width)
        assert all(0 < frame.sum() < frame.size for frame in blob)


@pytest.mark.parametrize(
    "draw",
    [
        lambda rng: bezier_blob(rng, frames=4, height=32, width=48),
        lambda rng: shifted_matte(rng, an_l(), frames=4, height=32, width=48),
    ],
    ids=["blob", "matte"],
)
def test_the_generator_decides_everything(draw: Draw) -> None:
    """The same seed draws the same occluder; numpy's global state has no part in it."""
    drawn = [draw(np.random.default_rng(seed)) for seed in range(8)]
    again = [draw(np.random.default_rng(seed)) for seed in range(8)]
    assert all(np.array_equal(a, b) for a, b in zip(drawn, again, strict=True))
    assert len({d.tobytes() for d in drawn}) > 4


def test_a_shifted_matte_is_the_shot_s_own_moved_and_mirrored() -> None:
    """Undoing some mirroring and some shift in time and space gives the matte back, exactly."""
    hole = an_l()
    mirrorings = set()
    for seed in range(30):
        rng = np.random.default_rng(seed)
        out = shifted_matte(rng, hole, frames=5, height=41, width=41)
        found = [
            flips
            for flips in product((False, True), repeat=3)
            if _is_cut(np.flip(out, tuple(axis for axis in range(3) if flips[axis])), hole)
        ]
        assert found, f"seed {seed}"
        mirrorings.update(found)
    assert len(mirrorings) == 8


def _is_cut(window: np.ndarray, hole: np.ndarray) -> bool:
    """True when `window` is `hole` at some offset; before and after, its ends are held."""
    frames, height, width = window.shape
    total = len(hole)
    wide = np.pad(hole, ((0, 0), (height, height), (width, width)))
    for first in range(-frames + 1, total):
        held = wide[np.clip(np.arange(first, first + frames), 0, total - 1)]
        seen = int(np.argmax(window.any((1, 2))))
        y, x = (int(i[0]) for i in window[seen].nonzero())
        for top, left in np.argwhere(held[seen]):
            there = held[:, top - y : top - y + height, left - x : left - x + width]
            if there.shape == window.shape and np.array_equal(there, window):
                return True
    return False


def test_frames_around_the_window_change_nothing_in_it() -> None:
    """Whatever is asked for before and after: it is played backwards about the window."""
    moving = 0
    for seed in range(40):
        alone = shifted_matte(np.random.default_rng(seed), an_l(), frames=3, height=41, width=41)
        rng = np.random.default_rng(seed)
        all_frames = shifted_matte(rng, an_l(), frames=3, height=41, width=41, before=2, after=5)
        assert all_frames.shape == (10, 41, 41)
        assert np.array_equal(all_frames[2:5], alone)
        moving += not is_still(alone)
    assert moving > 20


def test_an_occluder_goes_on_moving_before_and_after_the_window() -> None:
    """At its own speed and in its own direction, until the matte's first and last frame."""
    directions = set()
    for seed in range(40):
        rng = np.random.default_rng(seed)
        out = shifted_matte(rng, an_l(), frames=2, height=51, width=51, before=5, after=5)
        corners = [(np.flatnonzero(f.any(1))[0], np.flatnonzero(f.any(0))[0]) for f in out]
        moves = [tuple(move) for move in np.diff(np.array(corners), axis=0).tolist()]
        moving = [i for i, move in enumerate(moves) if move != (0, 0)]
        assert moving == list(range(moving[0], moving[0] + 4))  # five frames, four moves
        assert len({moves[i] for i in moving}) == 1
        assert tuple(map(abs, moves[moving[0]])) == (1, 2)
        directions.add(moves[moving[0]])
    assert len(directions) == 4


def test_a_shifted_matte_lies_in_the_middle() -> None:
    """In some frame one of its voxels is the window's middle, so that it never misses."""
    for seed in range(40):
        out = shifted_matte(np.random.default_rng(seed), an_l(), frames=4, height=21, width=31)
        assert out[:, 10, 15].any()


def test_a_window_may_be_longer_and_larger_than_the_clip() -> None:
    """The ends hold; beyond the frame nothing is hidden."""
    hole = np.zeros((2, 8, 8), bool)
    hole[:, 2:4, 3:5] = True
    out = shifted_matte(np.random.default_rng(0), hole, frames=9, height=32, width=32)
    assert out.shape == (9, 32, 32)
    assert out.sum() == 9 * 4


@pytest.mark.parametrize("frames", [1, 4])
def test_an_occluder_can_become_a_tensor(frames: int) -> None:
    """However it was mirrored, no stride is negative: torch would refuse it."""
    for seed in range(16):
        rng = np.random.default_rng(seed)
        out = shifted_matte(rng, an_l(1), frames=frames, height=16, width=16)
        assert all(stride > 0 for stride in out.strides)
