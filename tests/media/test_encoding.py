"""The encoding: invertible for any finite value, monotonic, and chosen by known pixels alone."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from infusion_engine.media.encoding import Curve, Encoding, choose_encoding
from infusion_engine.media.shot import Transfer

EPSILON = 2.0**-23  # of float32, in which encoded values are kept


def fire() -> np.ndarray:
    """Scene-linear values of a burning plate: mostly dark, up to 60, with a few negatives."""
    rng = np.random.default_rng(0)
    values = np.exp(rng.normal(-2.5, 1.8, 50_000))
    values[:200] = -rng.random(200) * 0.01
    return np.clip(values, -1.0, 60.0).astype(np.float16)


FIRE = choose_encoding(fire(), Transfer.SCENE_LINEAR)

encodings = st.one_of(
    st.just(FIRE),
    st.just(Encoding(Curve.STRAIGHT, knee=0.0, low=0.0, high=1.0)),
    st.builds(
        lambda knee, low, width: Encoding(Curve.SYMMETRIC_LOG, knee, low, low + width),
        st.floats(1e-4, 10.0),
        st.floats(-5.0, 5.0),
        st.floats(0.01, 100.0),
    ),
)
values_of_plates = st.one_of(
    st.floats(-1e6, 1e6),
    st.sampled_from([0.0, -0.0, 6e-8, -6e-8, 1e-30, 65504.0, -65504.0, 60.0, -3.5, 1.0]),
)


def error_allowed(encoding: Encoding, value: float) -> float:
    """What rounding the encoded value to float32 may cost, in plate values.

    One half step of the encoded value, times how far the plate value moves for it, and the half
    step of the result.
    """
    if encoding.curve is Curve.STRAIGHT:
        return EPSILON * (abs(value) + 1.0)
    bend = abs(value) + encoding.knee  # d value / d shaped
    shaped = [math.log1p(abs(v) / encoding.knee) for v in (value, encoding.low, encoding.high)]
    return bend * EPSILON * (2.0 * max(shaped) + 1.0) + 1e-44


@given(encodings, values_of_plates)
def test_any_finite_value_comes_back(encoding: Encoding, value: float) -> None:
    """Within float32's own precision of the logarithm, far outside [-1, 1] too."""
    there = encoding.encode(np.array([value], np.float32))
    back = float(encoding.decode(there)[0])
    assert there.dtype == np.float32
    assert abs(back - float(np.float32(value))) <= error_allowed(encoding, float(np.float32(value)))


@given(encodings, values_of_plates, values_of_plates)
def test_order_is_kept(encoding: Encoding, a: float, b: float) -> None:
    """A larger plate value is never a smaller encoded one."""
    low, high = sorted((np.float32(a), np.float32(b)))
    encoded = encoding.encode(np.array([low, high], np.float32))
    assert encoded[0] <= encoded[1]


@pytest.mark.parametrize("value", [60.0, 65504.0, -3.5, 0.02, 1e-4, -1e-4])
def test_a_fire_s_values_come_back_as_half_floats(value: float) -> None:
    """After the round trip a half-float plate's value rounds to its own bits again."""
    half = np.float16(value)
    back = FIRE.decode(FIRE.encode(np.array([half])))
    assert back.astype(np.float16)[0] == half


def test_every_half_float_comes_back() -> None:
    """All 63,488 finite ones: within a ten-thousandth, and no one becomes infinite."""
    halves = np.arange(65536, dtype=np.uint16).view(np.float16)
    halves = halves[np.isfinite(halves)]
    back = FIRE.decode(FIRE.encode(halves)).astype(np.float64)
    exact = halves.astype(np.float64)
    assert (np.abs(back - exact) <= 1e-5 * np.abs(exact) + 1e-6 * FIRE.knee).all()
    assert np.isfinite(back.astype(np.float16)).all()


def test_outliers_lie_beyond_one_and_are_not_clamped() -> None:
    """Most of the plate is within +-1; 65504 and -3.5 are outside, at a bearable distance."""
    encoded = FIRE.encode(fire())
    assert np.mean(np.abs(encoded) <= 1.0) > 0.98
    high, low = FIRE.encode(np.array([65504.0, -3.5]))
    assert 1.0 < high < 6.0
    assert -6.0 < low < -1.0


def test_one_hot_pixel_does_not_squeeze_the_rest() -> None:
    """A single 65504 among the known pixels leaves the encoding nearly what it was."""
    hot = fire().copy()
    hot[0] = 65504.0
    found = choose_encoding(hot, Transfer.SCENE_LINEAR)
    assert found.high == pytest.approx(FIRE.high, rel=0.02)
    assert found.knee == pytest.approx(FIRE.knee, rel=0.02)


def test_the_percentiles_become_one() -> None:
    """The scale is the known pixels' own: half a percent lies beyond each end."""
    encoded = FIRE.encode(fire())
    assert np.mean(encoded < -1.0) == pytest.approx(0.005, abs=0.001)
    assert np.mean(encoded > 1.0) == pytest.approx(0.005, abs=0.001)
    assert FIRE.encode(np.array([FIRE.low, FIRE.high])).tolist() == pytest.approx([-1.0, 1.0])


def test_it_is_odd_and_linear_near_zero() -> None:
    """Both signs are shaped alike; well below the knee the slope is constant."""
    encoding = Encoding(Curve.SYMMETRIC_LOG, knee=0.1, low=-2.0, high=2.0)
    values = np.array([1e-4, 0.01, 1.0, 60.0])
    assert np.allclose(encoding.encode(values), -encoding.encode(-values), rtol=1e-6)
    small = encoding.encode(np.array([1e-4, 2e-4])).astype(np.float64)
    assert small[1] / small[0] == pytest.approx(2.0, rel=1e-3)
    expected = math.log1p(1.0 / 0.1) / math.log1p(2.0 / 0.1)
    assert float(encoding.encode(np.array([1.0]))[0]) == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize("kind", [np.uint8, np.uint16, np.uint32])
def test_integers_go_straight(kind: type[np.unsignedinteger]) -> None:
    """0 becomes -1 and full scale +1; every 8- and 16-bit value rounds to its own again."""
    most = int(np.iinfo(kind).max)
    encoding = choose_encoding(np.array([5, 9], kind), Transfer.DISPLAY)
    assert encoding.curve is Curve.STRAIGHT
    assert encoding.encode(np.array([0, most], kind)).tolist() == [-1.0, 1.0]
    assert float(encoding.encode(np.array([most // 2], kind))[0]) == pytest.approx(0, abs=0.005)
    codes = np.arange(0, min(most, 65535) + 1).astype(kind)
    back = np.rint(encoding.decode(encoding.encode(codes)).astype(np.float64) * most)
    if most <= 65535:
        assert np.array_equal(back, codes)


def test_nan_and_infinity_stay_what_they_are() -> None:
    """They are missing pixels to others; the encoding neither hides nor clamps them."""
    encoded = FIRE.encode(np.array([np.nan, np.inf, -np.inf, 0.5], np.float32))
    assert np.isnan(encoded[0])
    assert encoded[1] == np.inf
    assert encoded[2] == -np.inf
    assert np.isfinite(encoded[3])


@pytest.mark.parametrize(
    "flat", [np.zeros(100, np.float32), np.full(100, 0.18, np.float16), np.full(100, -5.0)]
)
def test_a_flat_plate_can_be_encoded(flat: np.ndarray) -> None:
    """One value everywhere still has an encoding that gives it back."""
    encoding = choose_encoding(flat, Transfer.SCENE_LINEAR)
    encoded = encoding.encode(flat)
    assert np.isfinite(encoded).all()
    assert np.allclose(encoding.decode(encoded), flat, rtol=1e-5, atol=1e-6)
    assert abs(float(encoding.decode(np.array([1.0], np.float32))[0]) - float(flat[0])) < 1.0


def test_its_parameters_are_plain_numbers() -> None:
    """For keys and records: what JSON can say, and enough to make the same encoding again."""
    described = FIRE.described()
    assert described == {
        "curve": Curve.SYMMETRIC_LOG,
        "knee": FIRE.knee,
        "low": FIRE.low,
        "high": FIRE.high,
    }
    assert all(type(described[name]) is float for name in ("knee", "low", "high"))
