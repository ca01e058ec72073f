"""The table of knobs: what panels, the command line and the docs rely on."""

from __future__ import annotations

import math
from itertools import pairwise

import pytest

from infusion_node.wire.knobs import KNOBS, Group, Kind, Knob, knob


def test_names_are_told_apart() -> None:
    """No two knobs share a name or a label, which a panel would show twice."""
    assert len({entry.name for entry in KNOBS}) == len(KNOBS)
    assert len({entry.label for entry in KNOBS}) == len(KNOBS)


@pytest.mark.parametrize("entry", KNOBS, ids=lambda entry: entry.name)
def test_every_knob_explains_itself(entry: Knob) -> None:
    """A label, a sentence of help, and a default that it would accept itself."""
    assert entry.label
    assert entry.help.endswith(".")
    assert entry.required or entry.accepts(entry.default)


@pytest.mark.parametrize(
    "entry", [e for e in KNOBS if e.kind in (Kind.WHOLE, Kind.NUMBER)], ids=lambda entry: entry.name
)
def test_every_number_has_limits_that_hold_its_default(entry: Knob) -> None:
    """A panel can draw a slider for it, and the default stands on it."""
    assert entry.least is not None
    assert entry.most is not None
    assert entry.least < entry.most
    assert entry.default is None or entry.least <= entry.default <= entry.most


def test_knobs_are_grouped_in_the_readers_order() -> None:
    """Walking the table walks the headings once, in their order."""
    walked = list(dict.fromkeys(entry.group for entry in KNOBS))
    runs = sum(1 for a, b in pairwise(KNOBS) if a.group is not b.group) + 1

    assert walked == list(Group)
    assert runs == len(walked)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("seed", True),
        ("seed", 1.0),
        ("seed", None),
        ("matte_grow", math.nan),
        ("matte_grow", math.inf),
        ("matte_grow", False),
        ("matte_invert", 0),
        ("layer", None),
        ("matte", 3),
        ("settings", {"a": 1}),
    ],
)
def test_a_value_of_another_type_is_not_accepted(name: str, value: object) -> None:
    """Truth values are no numbers, numbers are no truth values, and NaN is no number at all."""
    assert not knob(name).accepts(value)


def test_an_unknown_knob_is_an_error() -> None:
    """Asking for a knob that is not there is a mistake in the program."""
    with pytest.raises(KeyError):
        knob("sead")
