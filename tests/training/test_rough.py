"""The rough fill: the nearest frame that knows, the mean colour where none does."""

from __future__ import annotations

import torch
from torch import Tensor

from infusion_engine.training.rough import roughly_filled

SHAPE = (5, 6, 7)


def clip() -> Tensor:
    """(3, T, H, W), every value another."""
    return torch.arange(3.0 * 5 * 6 * 7).reshape(3, *SHAPE)


def moving() -> Tensor:
    """(1, T, H, W): a column of missing pixels that moves to the right, and a corner for good."""
    hole = torch.zeros(1, *SHAPE)
    for t in range(SHAPE[0]):
        hole[:, t, :, t : t + 3] = 1.0
    hole[:, :, :2, :2] = 1.0
    return hole


def by_hand(x_0: Tensor, hole: Tensor) -> Tensor:
    """Pixel by pixel; of two frames as near, the earlier."""
    known = hole[0] == 0
    mean = x_0[:, known].mean(1)
    filled = x_0.clone()
    for t, i, j in (hole[0] > 0).nonzero().tolist():
        frames = known[:, i, j].nonzero().flatten().tolist()
        if frames:
            filled[:, t, i, j] = x_0[:, min(frames, key=lambda f: (abs(f - t), f)), i, j]
        else:
            filled[:, t, i, j] = mean
    return filled


def test_what_is_missing_comes_from_the_nearest_frame_that_knows() -> None:
    """Before or after; the mean colour of all that is known where no frame does."""
    found = roughly_filled(clip(), moving())
    assert torch.equal(found, by_hand(clip(), moving()))
    # By hand once more, where it can be seen: row 4, column 3 is missing in frames 1 to 3.
    assert moving()[0, :, 4, 3].tolist() == [0, 1, 1, 1, 0]
    truth = clip()[0, :, 4, 3].tolist()
    assert found[0, :, 4, 3].tolist() == [truth[0], truth[0], truth[0], truth[4], truth[4]]
    mean = clip()[:, moving()[0] == 0].mean(1)
    assert torch.equal(found[:, 2, 0, 0], mean)


def test_random_holes_are_filled_alike() -> None:
    """Ends of the clip, gaps of any length, one frame and two."""
    generator = torch.Generator().manual_seed(0)
    for frames in (1, 2, 3, 9):
        for share in (0.2, 0.5, 0.9):
            x_0 = torch.randn(3, frames, 6, 7, generator=generator)
            hole = (torch.rand(1, frames, 6, 7, generator=generator) < share).float()
            assert torch.equal(roughly_filled(x_0, hole), by_hand(x_0, hole))


def test_what_is_known_stays() -> None:
    """Bit for bit; without a hole all of it does."""
    hole = moving()
    known = hole.expand(3, *SHAPE) == 0
    assert torch.equal(roughly_filled(clip(), hole)[known], clip()[known])
    assert torch.equal(roughly_filled(clip(), torch.zeros(1, *SHAPE)), clip())


def test_nothing_comes_from_under_the_matte() -> None:
    """Whatever stands there, NaN included."""
    hole = moving()
    poisoned = torch.where(hole > 0, torch.nan, clip())
    assert torch.equal(roughly_filled(poisoned, hole), roughly_filled(clip(), hole))


def test_a_clip_of_which_nothing_is_known_stays_as_it_is() -> None:
    """There is no colour to fill it with."""
    x_0 = torch.zeros(3, *SHAPE)
    assert torch.equal(roughly_filled(x_0, torch.ones(1, *SHAPE)), x_0)


def test_the_clip_itself_is_left_alone() -> None:
    """The caller's tensors are not written to."""
    x_0, hole = clip(), moving()
    roughly_filled(x_0, hole)
    assert torch.equal(x_0, clip())
    assert torch.equal(hole, moving())
