"""The list of breaks: it fits the source as it stands, and covers every promise."""

from __future__ import annotations

import ast
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest

from tests.breaks.break_list import Break, broken, read_breaks

PROMISES = range(1, 11)
LEAST = 3
BREAKS = read_breaks()
IDS = [f"{one.promise}: {one.says}" for one in BREAKS]


@pytest.mark.parametrize("one", BREAKS, ids=IDS)
def test_a_break_fits_the_source(checkout: Path, one: Break) -> None:
    """What it looks for is there once; what it leaves is another source, which Python can read."""
    after = broken((checkout / one.file).read_text("utf-8"), one)
    assert one.before != one.after
    ast.parse(after)


@pytest.mark.parametrize("one", BREAKS, ids=IDS)
def test_a_break_names_a_test_that_exists(checkout: Path, one: Break) -> None:
    """The node id's file is there and has that function."""
    tree = ast.parse((checkout / one.module).read_text("utf-8"))
    names = [node.name for node in tree.body if isinstance(node, ast.FunctionDef)]
    assert one.function.startswith("test_")
    assert one.function in names


def test_every_promise_has_breaks() -> None:
    """At least three each, each said once, and none for a promise that was not given."""
    count = Counter(one.promise for one in BREAKS)
    assert count.keys() == set(PROMISES)
    assert min(count.values()) >= LEAST, count
    assert len(set(IDS)) == len(IDS)


@pytest.mark.parametrize("source", ["", "twice twice"])
def test_a_source_that_has_moved_on_is_said_so(source: str) -> None:
    """A break that no longer finds its place says so, and what to do."""
    with pytest.raises(AssertionError, match=r"(?s)the source has moved on: .* as `before`"):
        broken(source, replace(BREAKS[0], before="twice"))
