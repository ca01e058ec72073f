"""Reading an events file that is still being written."""

from __future__ import annotations

import time
from pathlib import Path

from infusion_node.follow import EventsReader
from infusion_node.wire.events import Preview, to_line


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
