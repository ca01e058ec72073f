"""The sampled place: the hole of all frames and a margin, cut off at the clip's edges."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import Tensor

from infusion_engine.diffusion.place import sampled_place
from infusion_engine.settings import PRESETS, Area

DRAFT = PRESETS["draft"]


def hole() -> Tensor:
    """(1, T, H, W): six pixels each way in one frame, and a pixel below them in the next."""
    found = torch.zeros(1, 3, 40, 48)
    found[:, 0, 5:11, 5:11] = 1.0
    found[:, 1, 11, 7] = 1.0
    return found


@pytest.mark.parametrize(
    ("margin", "rows", "columns"),
    [(0, (5, 12), (5, 11)), (4, (1, 16), (1, 15)), (20, (0, 32), (0, 31)), (99, (0, 40), (0, 48))],
)
def test_it_is_the_hole_of_every_frame_and_a_margin(
    margin: int, rows: tuple[int, int], columns: tuple[int, int]
) -> None:
    """Half-open, and never beyond the clip."""
    found = sampled_place(hole(), replace(DRAFT, margin_pixels=margin))
    assert found == (slice(*rows), slice(*columns))


def test_the_whole_frame_is_sampled_where_all_of_it_is_worked_on() -> None:
    """As published, whatever the margin; and so it is where there is no hole to go around."""
    whole = (slice(0, 40), slice(0, 48))
    assert sampled_place(hole(), replace(DRAFT, area=Area.FRAME, margin_pixels=0)) == whole
    assert sampled_place(hole() * 0, replace(DRAFT, margin_pixels=0)) == whole
