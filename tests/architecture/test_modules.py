"""House rules that hold for every Python file of the project."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

FOLDERS = ("infusion_node", "engine", "host_bindings", "tests", "examples", "benchmarks")
LONGEST = 400
NAMELESS = {"util", "utils", "common", "helper", "helpers", "misc", "manager", "data"}

CHECKOUT = Path(__file__).resolve().parents[2]
FILES = sorted(
    path.relative_to(CHECKOUT) for folder in FOLDERS for path in (CHECKOUT / folder).rglob("*.py")
)


def test_there_are_files_to_check() -> None:
    """The rules below look at the engine, the node and the tests, not at an empty list."""
    assert {"infusion_node", "engine", "host_bindings", "tests"} <= {
        path.parts[0] for path in FILES
    }


@pytest.mark.parametrize("path", FILES, ids=str)
def test_a_module_begins_with_a_sentence(path: Path) -> None:
    """The first line says what the file does: it would serve as its row in a table."""
    docstring = ast.get_docstring(ast.parse((CHECKOUT / path).read_text("utf-8"))) or ""
    first = docstring.partition("\n")[0]
    assert re.match(r"[A-Z]|`|infusion-", first), f"{path} begins with {first!r}"
    assert first[-1] in ".:", f"{path}: {first!r} is not a sentence on one line"


@pytest.mark.parametrize("path", FILES, ids=str)
def test_a_file_can_be_read_in_one_sitting(path: Path) -> None:
    """No file is longer than four hundred lines."""
    lines = len((CHECKOUT / path).read_text("utf-8").splitlines())
    assert lines <= LONGEST, f"{path} has {lines} lines"


def test_no_room_is_a_drawer() -> None:
    """Files and folders are named for what they are, never `utils` or the like."""
    assert [
        path for path in FILES if NAMELESS & {part.removesuffix(".py") for part in path.parts}
    ] == []


@pytest.mark.parametrize("path", [p for p in FILES if p.name.startswith("test_")], ids=str)
def test_a_test_states_the_behaviour(path: Path) -> None:
    """Each test has a docstring, and each test file has a test."""
    tree = ast.parse((CHECKOUT / path).read_text("utf-8"))
    tests = [
        node
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef) and node.name.startswith("test_")
    ]
    assert tests, f"{path} tests nothing"
    assert [test.name for test in tests if not ast.get_docstring(test)] == []
