"""Reading an events file that is still being written."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path

from infusion_node.follow import EventsReader
from infusion_node.node import InfusionNode
from infusion_node.status import State
from infusion_node.wire.events import Preview, to_line
from tests.node.stand_ins import FINISH, CountingHost, ended, make_engine, pressed, until


def test_a_line_is_taken_once_and_once_it_is_whole(tmp_path: Path) -> None:
    """A torn line waits for its rest, nothing is told twice, and no file is no news."""
    path = tmp_path / "events.ndjson"
    reader = EventsReader(path)
    assert reader.new_events() == []

    line = to_line(Preview("a.png"), time=1.0)
    path.write_text(line[:20])
    assert reader.new_events() == []
    with path.open("a") as file:
        file.write(line[20:] + "\n" + to_line(Preview("b.png"), time=2.0) + "\n")
    assert reader.new_events() == [Preview("a.png"), Preview("b.png")]
    assert reader.new_events() == []


def test_what_nobody_knows_is_a_sign_of_life_all_the_same(tmp_path: Path) -> None:
    """Events of a newer engine and torn lines are passed over, and break the silence."""
    path = tmp_path / "events.ndjson"
    reader = EventsReader(path)
    time.sleep(0.05)
    before = reader.silent_seconds
    path.write_text('{"event": "danced", "time": 1}\n{torn\n')
    assert reader.new_events() == []
    assert reader.silent_seconds < before


def test_a_file_that_is_only_touched_is_a_sign_of_life(tmp_path: Path) -> None:
    """An engine on a full disk can say no more than that."""
    path = tmp_path / "events.ndjson"
    path.write_text("")
    reader = EventsReader(path)
    reader.new_events()
    reader._last_heard -= 100
    reader.new_events()
    assert reader.silent_seconds >= 100
    os.utime(path, (1, 1))
    reader.new_events()
    assert reader.silent_seconds < 100


def test_an_event_that_cannot_be_understood_does_not_end_the_following(
    host: CountingHost, node_of: Callable[[CountingHost], InfusionNode], tmp_path: Path
) -> None:
    """An engine of another release may write other kinds of values; its end is still heard."""
    script = 'say("progress", phase=None, done=None, total="many", figures=3)\n' + FINISH
    node = node_of(host)
    pressed(node, {"engine": str(make_engine(tmp_path, script))})
    assert until(node, ended).state is State.DONE
