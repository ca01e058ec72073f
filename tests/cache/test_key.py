"""Keys change with everything that determines a result, and with nothing else."""

from __future__ import annotations

import json
from dataclasses import fields, replace
from enum import Enum
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from infusion_engine.cache.key import (
    SCHEMA_VERSION,
    BudgetIdentity,
    ClipDigest,
    FitIdentity,
    SampleIdentity,
    Started,
    digest,
    plain,
)

GOLDENS = json.loads((Path(__file__).parent / "golden_keys.json").read_text(encoding="utf-8"))

FIT = FitIdentity(
    clip="c" * 64,
    encoding={"kind": "log", "scale": 0.18},
    network={"channels": 32},
    training={"steps_per_interval": 200, "learning_rate": 1e-4, "working_size": (432, 240)},
    precision="bf16",
    fit_seed=0,
    level=0,
    interval=(950, 1000),
    started=Started.SCRATCH,
    parent=None,
)
SAMPLE = SampleIdentity(fit=FIT.key, seed=0, take=0, sampler={"steps": 10}, noisier=None)
BUDGET = BudgetIdentity(
    clip="c" * 64, settings={"channels": 32}, minutes=5.0, device="cpu", threads=2
)

scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(allow_nan=False, allow_infinity=False),
    st.text(),
)
parameters = st.dictionaries(st.text(max_size=8), scalars, max_size=3)
hexadecimal = st.text("0123456789abcdef", min_size=64, max_size=64)


@st.composite
def fits(draw: st.DrawFn) -> FitIdentity:
    """Any fit's identity."""
    started = draw(st.sampled_from(Started))
    low = draw(st.integers(0, 999))
    return FitIdentity(
        clip=draw(hexadecimal),
        encoding=draw(parameters),
        network=draw(parameters),
        training=draw(parameters),
        precision=draw(st.sampled_from(["fp32", "bf16"])),
        fit_seed=draw(st.integers(0, 9)),
        level=draw(st.integers(0, 3)),
        interval=(low, draw(st.integers(low + 1, 1000))),
        started=started,
        parent=None if started is Started.SCRATCH else draw(hexadecimal),
    )


samples = st.builds(
    SampleIdentity,
    fit=hexadecimal,
    seed=st.integers(0, 9),
    take=st.integers(0, 3),
    sampler=parameters,
    noisier=st.none() | hexadecimal,
)


def canonical(value: object) -> str:
    """An identity as text in which 1, 1.0 and True differ, and 0.0 and -0.0."""
    return json.dumps(plain(value), sort_keys=True)


def test_keys_are_the_same_on_every_machine_and_day() -> None:
    """The digests of known identities are those written down: a change must raise the schema."""
    assert GOLDENS["schema_version"] == SCHEMA_VERSION
    assert SCHEMA_VERSION not in {10, 11}  # builds that were taken back kept other fits under them
    assert FIT.key == GOLDENS["fit"]
    assert SAMPLE.key == GOLDENS["sample"]
    assert BUDGET.key == GOLDENS["budget"]
    assert clip_of(np.arange(12, dtype=np.float16).reshape(2, 2, 3)) == GOLDENS["clip"]
    assert digest({"b": [1, 1.0, True, None, "é"], "a": {}}) == GOLDENS["digest"]


@given(st.data())
def test_any_change_of_a_fit_changes_its_key(data: st.DataObject) -> None:
    """Taking any one field from another identity changes the key exactly when the field differs."""
    fit, other = data.draw(fits()), data.draw(fits())
    for field in fields(FitIdentity):
        if field.name in {"started", "parent"}:
            changed = replace(fit, started=other.started, parent=other.parent)
        else:
            changed = replace(fit, **{field.name: getattr(other, field.name)})
        same = canonical(fit.described()) == canonical(changed.described())
        assert (changed.key == fit.key) == same, field.name


@given(samples, samples)
def test_any_change_of_a_sample_changes_its_key(
    sample: SampleIdentity, other: SampleIdentity
) -> None:
    """Taking any one field from another identity changes the key exactly when the field differs."""
    for field in fields(SampleIdentity):
        changed = replace(sample, **{field.name: getattr(other, field.name)})
        same = canonical(sample.described()) == canonical(changed.described())
        assert (changed.key == sample.key) == same, field.name


@pytest.mark.parametrize(
    "change",
    [
        {"clip": "d" * 64},
        {"encoding": {"kind": "log", "scale": 0.18000000000000002}},
        {"network": {"channels": 33}},
        {"training": {**FIT.training, "learning_rate": 2e-4}},
        {"training": {**FIT.training, "batch": 1}},
        {"precision": "fp32"},
        {"fit_seed": 1},
        {"level": 1},
        {"interval": (950, 999)},
        {"started": Started.PREVIOUS, "parent": "e" * 64},
        {"started": Started.BASE, "parent": "e" * 64},
    ],
    ids=lambda change: next(iter(change)),
)
def test_each_field_of_a_fit_counts(change: dict[str, Any]) -> None:
    """The smallest change of each field gives another key."""
    assert replace(FIT, **change).key != FIT.key


@pytest.mark.parametrize(
    "change",
    [
        {"clip": "d" * 64},
        {"settings": {"channels": 33}},
        {"minutes": 5.5},
        {"device": "cuda"},
        {"threads": 3},
    ],
    ids=lambda change: next(iter(change)),
)
def test_each_field_of_a_budget_counts(change: dict[str, Any]) -> None:
    """The smallest change of each field gives another key, and there are no other fields."""
    assert {field.name for field in fields(BudgetIdentity)} == BUDGET.described().keys()
    assert replace(BUDGET, **change).key != BUDGET.key


def test_where_a_fit_started_counts_beside_its_parent() -> None:
    """`previous` and `base` with the same parent are different fits."""
    previous = replace(FIT, started=Started.PREVIOUS, parent="e" * 64)
    assert previous.key != replace(previous, started=Started.BASE).key


def test_a_fit_and_a_sample_never_share_a_key() -> None:
    """The kind is part of the key, so that no identity of one can stand for the other."""
    assert FIT.key != digest(FIT.described())
    assert SAMPLE.key != digest(SAMPLE.described())


@pytest.mark.parametrize(
    "change",
    [{"interval": (5, 5)}, {"interval": (-1, 5)}, {"parent": "e" * 64}, {"started": Started.BASE}],
    ids=str,
)
def test_an_identity_that_means_two_fits_is_refused(change: dict[str, Any]) -> None:
    """Empty intervals, and parents that do not go with the start, are refused."""
    with pytest.raises(ValueError, match=r"interval|parent"):
        replace(FIT, **change)


def test_tuples_enums_and_order_do_not_matter() -> None:
    """The same content spelled another way has the same digest."""

    class Colour(str, Enum):
        RED = "red"

    spelled = digest({"a": [1, 2], "b": "red", "c": 0.5})
    assert digest({"c": np.float64(0.5), "b": Colour.RED, "a": (1, 2)}) == spelled


@pytest.mark.parametrize(
    "value",
    [
        {"a": np.float32(1)},
        {"a": np.zeros(2)},
        {"a": Path("x")},
        {"a": {1, 2}},
        {"a": b"x"},
        {1: "a"},
        {"a": float("nan")},
        {"a": [float("inf")]},
    ],
    ids=str,
)
def test_what_has_no_canonical_form_is_refused(value: Any) -> None:
    """Nothing is silently turned into text that might differ between machines."""
    with pytest.raises(TypeError):
        digest(value)


# ------------------------------------------------------------------------------------ the clip


def clip_of(
    pixels: npt.NDArray[Any],
    known: npt.NDArray[np.bool_] | None = None,
    matte: npt.NDArray[np.float32] | None = None,
) -> str:
    """Digest of a clip of one frame."""
    clip = ClipDigest()
    if known is None:
        known = np.ones(pixels.shape[:2], bool)
    if matte is None:
        matte = (~known).astype(np.float32)
    clip.add_frame(pixels, known, matte)
    return clip.hexdigest()


shapes = st.tuples(st.integers(1, 5), st.integers(1, 5))


@given(st.data(), st.sampled_from([np.uint16, np.float16, np.uint32]))
def test_nothing_under_the_matte_counts(data: st.DataObject, word: type) -> None:
    """Whatever bits lie under the matte, NaN and Inf among them, the digest is the same."""
    height, width = data.draw(shapes)
    integer = np.dtype(f"u{np.dtype(word).itemsize}")
    bits = arrays.arrays(integer, (height, width, 3))
    clean, poison = data.draw(bits), data.draw(bits)
    known = data.draw(arrays.arrays(np.bool_, (height, width)))
    poisoned = np.where(known[..., None], clean, poison)
    assert clip_of(poisoned.view(word), known) == clip_of(clean.view(word), known)


@given(st.data(), st.sampled_from([np.uint8, np.float16, np.float32, np.uint32]))
def test_every_known_bit_counts(data: st.DataObject, word: type) -> None:
    """Flipping any one bit of a known pixel changes the digest."""
    height, width = data.draw(shapes)
    size = np.dtype(word).itemsize
    clean = data.draw(arrays.arrays(np.dtype(f"u{size}"), (height, width, 3)))
    y, x = data.draw(st.integers(0, height - 1)), data.draw(st.integers(0, width - 1))
    flipped = clean.copy()
    flipped[y, x, data.draw(st.integers(0, 2))] ^= 1 << data.draw(st.integers(0, 8 * size - 1))
    assert clip_of(flipped.view(word)) != clip_of(clean.view(word))


def test_values_that_compare_equal_are_told_apart_by_their_bits() -> None:
    """-0 is not 0, one NaN is not another, and a half is not a float of the same value."""
    zero = np.zeros((1, 1, 3), np.float16)
    other_nan = np.full((1, 1, 3), 0x7E01, np.uint16).view(np.float16)
    found = [zero, -zero, zero + np.float16("nan"), other_nan, zero.astype(np.float32)]
    assert len({clip_of(pixels) for pixels in found}) == len(found)


def test_matte_position_size_and_frames_count() -> None:
    """Another matte value, another place of the hole, another shape or frame count differ."""
    pixels = np.zeros((2, 2, 3), np.float16)
    hole = np.zeros((2, 2), bool)
    known_a, known_b = ~hole, ~hole
    known_a[0, 0] = False
    known_b[0, 1] = False
    soft = np.full((2, 2), 0.5, np.float32)
    twice = ClipDigest()
    for _ in range(2):
        twice.add_frame(pixels, ~hole, hole.astype(np.float32))
    found = [
        clip_of(pixels),
        clip_of(pixels, known_a),
        clip_of(pixels, known_b),
        clip_of(pixels, known_a, soft),
        clip_of(pixels, known_a, soft / np.float32(2)),
        clip_of(pixels.reshape(1, 4, 3)),
        clip_of(pixels.reshape(4, 1, 3)),
        twice.hexdigest(),
        ClipDigest().hexdigest(),
    ]
    assert len(set(found)) == len(found)


def test_byte_order_and_memory_layout_do_not_count() -> None:
    """The same values in the other byte order, or in a strided array, have the same digest."""
    pixels = np.arange(24, dtype=np.float16).reshape(2, 4, 3)
    known = np.array([[1, 0, 1, 1], [1, 1, 1, 0]], bool)
    matte = np.linspace(0, 1, 8, dtype=np.float32).reshape(2, 4)
    expected = clip_of(pixels, known, matte)
    assert clip_of(pixels.astype(">f2"), known, matte) == expected
    fortran = (np.asfortranarray(pixels), np.asfortranarray(known), np.asfortranarray(matte))
    assert clip_of(*fortran) == expected
    padded = np.zeros((4, 8, 3), np.float16)
    padded[::2, ::2] = pixels
    assert clip_of(padded[::2, ::2], known, matte) == expected


@pytest.mark.parametrize(
    ("known", "matte"),
    [
        (np.ones((2, 3), bool), np.zeros((2, 2), np.float32)),
        (np.ones((2, 2), bool), np.zeros((2, 3), np.float32)),
        (np.ones((2, 2), np.uint8), np.zeros((2, 2), np.float32)),
        (np.ones((2, 2), bool), np.zeros((2, 2), np.float64)),
    ],
    ids=["known shape", "matte shape", "known type", "matte type"],
)
def test_arrays_of_another_shape_or_type_are_refused(
    known: npt.NDArray[Any], matte: npt.NDArray[Any]
) -> None:
    """A uint8 `known` would be taken for indices: nothing but the agreed arrays is hashed."""
    with pytest.raises(ValueError, match="known"):
        ClipDigest().add_frame(np.zeros((2, 2, 3), np.float16), known, matte)
