"""An engine that is too old: the node fails with a remedy, and runs once it was installed anew."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from infusion_node.node import InfusionNode
from infusion_node.status import State
from tests.node.stand_ins import FINISH, CountingHost, ended, make_engine, pressed, until

NodeOf = Callable[[CountingHost], InfusionNode]


def test_an_engine_that_is_too_old_fails_with_a_remedy_and_a_newer_one_works(
    host: CountingHost, node_of: NodeOf, tmp_path: Path
) -> None:
    """Nothing was started; installed anew at the same place, the next press runs."""
    node = node_of(host)
    engine = str(make_engine(tmp_path, FINISH, schema="0.9"))
    pressed(node, {"engine": engine})
    status = node.status
    assert (status.state, node.run) == (State.FAILED, None)
    assert "reads jobs of version 0.9" in status.line
    assert status.remedy == "Install engine and node of one release."
    assert engine == str(make_engine(tmp_path, FINISH))
    pressed(node, {"engine": engine})
    assert until(node, ended).state is State.DONE
