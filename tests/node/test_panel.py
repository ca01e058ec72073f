"""From widgets to a job: one table for every host."""

from __future__ import annotations

from typing import Any

import pytest

from infusion_node.errors import SetupError
from infusion_node.panel import PANEL, job_fields, resting, tooltip
from infusion_node.wire.job import RenderJob
from infusion_node.wire.knobs import Knob


def test_an_untouched_panel_is_an_untouched_job() -> None:
    """What widgets rest on, empty texts and zeros included, means every default."""
    fields = job_fields({knob.name: resting(knob) for knob in PANEL})
    assert RenderJob("p", "o", **fields) == RenderJob("p", "o")


@pytest.mark.parametrize("knob", PANEL, ids=lambda knob: knob.name)
def test_every_knob_explains_itself(knob: Knob) -> None:
    """The tooltip is the table's help, and says what 0 means where it stands for nothing."""
    text = tooltip(knob)
    assert text.startswith(knob.help)
    assert ("0: not set." in text) == (knob.name in ("minutes", "threads"))


def test_the_panel_has_what_the_engine_and_the_node_need() -> None:
    """Frame range, matte, method and the engine; inputs and run files are the node's own."""
    names = [knob.name for knob in PANEL]
    assert {"frames", "matte_grow", "preset", "seed", "takes", "layer", "output", "engine"} <= set(
        names
    )
    assert not {"plate", "matte", "events_file", "report"} & set(names)


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("minutes", 12, 12.0),
        ("minutes", 0.0, None),
        ("threads", 4, 4),
        ("seed", 0, 0),
        ("view", "  left ", "left"),
        ("output", "", None),
        ("output", "/shots/fill", "/shots/fill"),
        ("cache", "~/cache", "~/cache"),
        ("settings", "batch=4, channels=8", {"batch": "4", "channels": "8"}),
        ("matte_grow", 3, 3.0),
        ("use_cache", False, False),
    ],
)
def test_a_widget_becomes_a_field(name: str, value: Any, expected: object) -> None:
    """Numbers of their kind, texts without blanks, and nothing where nothing was set."""
    assert job_fields({name: value}).get(name) == expected


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("seed", -1, "Seed: found -1"),
        ("preset", "best", "Preset: found 'best', expected one of draft"),
        ("matte_grow", 2000.0, "Grow matte: found 2000.0"),
        ("settings", "batch", "Settings: found 'batch', expected KEY=VALUE"),
        ("takes", 0, "Takes: found 0"),
        ("output", "fill/comp.%04d.exr", "Output: found 'fill/comp.%04d.exr', expected a whole"),
        ("cache", "./cache", "Cache folder: found './cache', expected a whole path"),
        ("scratch", "..", "Scratch folder: found '..', expected a whole path"),
    ],
)
def test_a_value_that_cannot_be_is_named_by_its_label(name: str, value: Any, words: str) -> None:
    """The artist sees labels, not names."""
    with pytest.raises(SetupError) as caught:
        job_fields({name: value})
    assert words in caught.value.message
