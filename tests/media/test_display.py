"""Tests of the display transform."""

from __future__ import annotations

import numpy as np
import pytest

from infusion_engine.media.display import WHITE, to_display
from infusion_engine.media.shot import Transfer


@pytest.mark.parametrize(
    ("linear", "shown"),
    [(-3.5, 0.0), (0.0, 0.0), (0.18, 0.428), (1.0, 0.735), (16.0, 0.975), (WHITE, 1.0), (1e4, 1.0)],
)
def test_scene_linear_values_land_where_the_docstring_says(linear: float, shown: float) -> None:
    """Grey, diffuse white and a fire's core each have their place below 1."""
    pixels = np.array([linear], np.float32)
    assert to_display(pixels, Transfer.SCENE_LINEAR)[0] == pytest.approx(shown, abs=2e-3)


def test_brighter_is_always_shown_brighter_up_to_white() -> None:
    """The shoulder never flattens: differences in a fire's core stay visible."""
    ramp = np.linspace(0.0, WHITE, 2000, dtype=np.float32)
    assert (np.diff(to_display(ramp, Transfer.SCENE_LINEAR)) > 0).all()


def test_display_values_are_shown_as_stored() -> None:
    """Integers count in parts of full scale, with no curve."""
    eight = to_display(np.array([0, 51, 255], np.uint8), Transfer.DISPLAY)
    sixteen = to_display(np.array([0, 13107, 65535], np.uint16), Transfer.DISPLAY)
    np.testing.assert_allclose(eight, [0.0, 0.2, 1.0], atol=1e-7)
    np.testing.assert_allclose(sixteen, [0.0, 0.2, 1.0], atol=1e-7)


@pytest.mark.parametrize("transfer", list(Transfer))
def test_values_that_are_no_numbers_can_be_shown(transfer: Transfer) -> None:
    """NaN is black, infinity is white, and no warning is raised."""
    odd = np.array([np.nan, np.inf, -np.inf, 65504.0], np.float16)
    np.testing.assert_allclose(to_display(odd, transfer), [0.0, 1.0, 0.0, 1.0], atol=1e-6)
