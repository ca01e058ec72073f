"""Fixtures of the node's tests."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from infusion_node.node import InfusionNode
from tests.node.stand_ins import CountingHost, ended, until


@pytest.fixture
def host(tmp_path: Path) -> CountingHost:
    """A host with three frames of plate and matte that it has to write."""
    return CountingHost(tmp_path / "work")


@pytest.fixture
def node_of() -> Iterator[Callable[[CountingHost], InfusionNode]]:
    """Makes nodes, with an empty environment, whose engines are stopped when the test is over."""
    made: list[InfusionNode] = []

    def make(host: CountingHost) -> InfusionNode:
        made.append(InfusionNode(host, environment={"PATH": ""}))
        return made[-1]

    yield make
    for node in made:
        node.cancel()
        until(node, ended)
