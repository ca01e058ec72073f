"""Counter-based noise: standard normal, white, and a function of key and position alone."""

from __future__ import annotations

from statistics import NormalDist

import numpy as np
import pytest
import torch
from torch import Tensor

from infusion_engine.diffusion import noise

CPU = torch.device("cpu")
KEY = noise.key("sample", 0, 0, 0, 999)
GOLDEN = [-0.524052, 0.450574, 0.652568, 2.128611, -0.156647, -0.891955, 1.259344, -0.912720]


def field(
    noise_key: int = KEY,
    frames: range = range(8),
    rows: range = range(96),
    columns: range = range(96),
    channels: int = 3,
) -> Tensor:
    """A box of noise, (channels, T, H, W)."""
    return noise.gaussian(
        noise_key, frames=frames, rows=rows, columns=columns, channels=channels, device=CPU
    )


def by_hand(noise_key: int, frame: int, row: int, column: int, channel: int) -> float:
    """The same value from Python's own unbounded integers and the normal's quantiles."""

    def mix(word: int) -> int:
        word &= 0xFFFFFFFF
        word = ((word ^ (word >> 16)) * 0x7FEB352D) & 0xFFFFFFFF
        word = ((word ^ (word >> 15)) * 0x846CA68B) & 0xFFFFFFFF
        return word ^ (word >> 16)

    frame, row, column = (p & 0xFFFFFFFF for p in (frame, row, column))
    state = mix(frame ^ (noise_key & 0xFFFFFFFF))
    state = mix(state + row * 0x9E3779B1)
    state = mix(state + column * 0x85EBCA77 + (noise_key >> 32))
    word = mix(state ^ (channel * 0xC2B2AE3D))
    low, high = ((half + 0.5) / 65536 for half in (word & 0xFFFF, word >> 16))
    normal = NormalDist()
    return (normal.inv_cdf(low) + normal.inv_cdf(high)) / 2**0.5


def test_golden_values() -> None:
    """A change of the noise, which would change every cached result, is noticed."""
    assert KEY == 3922734768439428440
    box = field(frames=range(2), rows=range(2), columns=range(3), channels=2)
    assert box.flatten()[:8].tolist() == pytest.approx(GOLDEN, abs=1e-6)
    assert box.dtype == torch.float32


def test_a_large_box_is_what_its_frames_are_one_by_one() -> None:
    """It is hashed some frames at a time, the last of them fewer."""
    rows, columns = range(5, 605), range(-3, 597)  # three frames are more than are hashed at once
    whole = field(frames=range(7, 12), rows=rows, columns=columns, channels=2)
    for i, frame in enumerate(range(7, 12)):
        one = field(frames=range(frame, frame + 1), rows=rows, columns=columns, channels=2)
        assert torch.equal(whole[:, i : i + 1], one)


WHERE = [(0, 0, 0, 0), (7, 3, 90, 2), (1048, 1079, 1919, 1), (-8, -3, -90, 2), (2**31, 5, 1, 0)]


@pytest.mark.parametrize("where", WHERE)
def test_integers_wrap_as_unsigned_words_do(where: tuple[int, int, int, int]) -> None:
    """Products beyond 63 bits have no say: plain Python agrees, negative positions included."""
    frame, row, column, channel = where
    for noise_key in (KEY, 0, 2**64 - 1, noise.key("other")):
        box = field(
            noise_key,
            frames=range(frame, frame + 1),
            rows=range(row, row + 1),
            columns=range(column, column + 1),
        )
        # The table's own scaling to unit variance accounts for the difference.
        assert float(box[channel, 0, 0, 0]) == pytest.approx(by_hand(noise_key, *where), rel=1e-4)


def test_it_is_standard_normal() -> None:
    """Mean, variance, skewness, kurtosis and the tails of 220 thousand values."""
    values = field().double().flatten().numpy()
    count = len(values)
    assert abs(values.mean()) < 4 / count**0.5
    assert abs(values.var() - 1) < 4 * (2 / count) ** 0.5
    assert abs((values**3).mean()) < 4 * (15 / count) ** 0.5
    assert abs((values**4).mean() - 3) < 4 * (96 / count) ** 0.5
    normal = NormalDist()
    for edge in (-3.0, -2.0, -1.0, 0.0, 1.0, 2.0, 3.0):
        share = normal.cdf(edge)
        deviation = (share * (1 - share) / count) ** 0.5
        assert abs((values < edge).mean() - share) < 4 * deviation


@pytest.mark.parametrize("axis", [0, 1, 2, 3])
@pytest.mark.parametrize("lag", [1, 2])
def test_it_is_white(axis: int, lag: int) -> None:
    """Neighbours in channel, frame, row and column are uncorrelated, and so are their squares."""
    values = field().double()
    size = values.shape[axis] - lag
    a, b = values.narrow(axis, 0, size), values.narrow(axis, lag, size)
    count = a.numel()
    assert abs(float((a * b).mean())) < 4 / count**0.5
    assert abs(float(((a**2 - 1) * (b**2 - 1)).mean())) < 4 * 2 / count**0.5


def test_its_spectrum_is_flat() -> None:
    """No wave of any length or direction stands out."""
    power = torch.fft.fft2(field()[0, 0].double()).abs() ** 2 / 96**2
    bands = power[1:49].reshape(6, 8, 96).mean((1, 2))
    assert float((bands - 1).abs().max()) < 4 / (8 * 96 / 2) ** 0.5
    # The largest of n exponential values is near log n.
    assert float(power.max()) < np.log(power.numel()) + 7


@pytest.mark.parametrize(
    ("frames", "rows", "columns"),
    [
        (range(2, 5), range(16, 48), range(32, 80)),
        (range(7, 8), range(95, 96), range(96)),
        (range(8), range(96), range(1)),
    ],
)
def test_a_tile_is_cut_from_the_whole(frames: range, rows: range, columns: range) -> None:
    """A box of the field has the bits it has in any larger box: tiling changes nothing."""
    tile = field(frames=frames, rows=rows, columns=columns, channels=2)
    where = tuple(slice(r.start, r.stop) for r in (frames, rows, columns))
    assert torch.equal(tile, field()[:2, *where])


def test_another_key_is_another_field() -> None:
    """Seeds, takes, levels and timesteps next to one another share nothing."""
    keys = [
        noise.key("sample", seed, take, level, t)
        for seed, take, level, t in ((0, 0, 0, 5), (1, 0, 0, 5), (0, 1, 0, 5), (0, 0, 1, 5))
    ] + [noise.key("sample", 0, 0, 0, 6), noise.key("fit", 0, 0, 0, 5)]
    values = torch.stack([field(k, frames=range(2)).double().flatten() for k in keys])
    correlation = torch.corrcoef(values) - torch.eye(len(keys))
    assert float(correlation.abs().max()) < 4.5 / values.shape[1] ** 0.5


def test_a_key_tells_its_parts_apart() -> None:
    """("a", 12) and ("a1", 2) are different keys, within 64 bits."""
    keys = [noise.key("a", 12), noise.key("a1", 2), noise.key("a", 1, 2), noise.key("a", "12", "")]
    assert len(set(keys)) == len(keys)
    assert all(0 <= k < 2**64 for k in keys)


def test_no_global_generator_has_a_part() -> None:
    """The same bits whatever torch's and numpy's own seeds are, and neither is moved on."""
    torch.manual_seed(1)
    before = torch.get_rng_state()
    first = field()
    assert torch.equal(torch.get_rng_state(), before)
    torch.manual_seed(2)
    assert torch.equal(field(), first)
