"""Finding a run again: one that goes on, one that has ended, and what only looks like one."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from infusion_node.node import InfusionNode
from infusion_node.status import State, Status
from tests.node.stand_ins import (
    DIES,
    FINISH,
    REFUSES,
    UNTIL_CANCELLED,
    CountingHost,
    NowhereHost,
    ended,
    make_engine,
    pressed,
    until,
)

NodeOf = Callable[[CountingHost], InfusionNode]


def test_a_run_that_goes_on_is_found_again_by_another_host(
    host: CountingHost, node_of: NodeOf, tmp_path: Path
) -> None:
    """A host that opens the script again follows the run, and can cancel it."""
    pressed(node_of(host), {"engine": str(make_engine(tmp_path, UNTIL_CANCELLED))})
    second = node_of(CountingHost(host.folder))
    assert second.attach().state is State.RUNNING
    second.cancel()
    assert until(second, ended).state is State.CANCELLED


@pytest.mark.parametrize(
    ("script", "state"), [(FINISH, State.DONE), (REFUSES, State.FAILED), (DIES, State.FAILED)]
)
def test_a_run_that_has_ended_is_picked_up_with_its_end(
    host: CountingHost, node_of: NodeOf, tmp_path: Path, script: str, state: State
) -> None:
    """However it ended while the host was closed, the panel shows it."""
    first = node_of(host)
    pressed(first, {"engine": str(make_engine(tmp_path, script))})
    told = until(first, ended)
    found = node_of(CountingHost(host.folder)).attach()

    assert found.state is state
    assert told.line.startswith(found.line.partition(" by signal")[0].partition(" without")[0])


def test_a_process_id_that_is_another_by_now_is_not_taken_for_the_engine(
    host: CountingHost, node_of: NodeOf, tmp_path: Path
) -> None:
    """Ids are used again: this test's own process is not an engine, and is not signalled."""
    first = node_of(host)
    pressed(first, {"engine": str(make_engine(tmp_path, DIES))})
    until(first, ended)
    assert first.run is not None
    record = json.loads(first.run.record.read_text())
    first.run.record.write_text(json.dumps({**record, "pid": os.getpid()}))
    assert node_of(CountingHost(host.folder)).attach().state is State.FAILED


def test_attaching_where_nothing_ever_ran_changes_nothing(
    host: CountingHost, node_of: NodeOf, tmp_path: Path
) -> None:
    """A new node, and one without a place, are idle."""
    assert node_of(host).attach() == Status()
    assert node_of(NowhereHost(tmp_path)).attach() == Status()
