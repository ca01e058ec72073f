"""Follow: read what the engine appends to its events file, as far as it has been written."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import List

from infusion_node.wire.events import Event, from_line

LOST_SECONDS = 30.0
"""Silence after which an engine is given up; it sends a heartbeat every three seconds."""


class EventsReader:
    """Reads one run's events file piece by piece; a line is taken once it is whole."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._offset = 0
        self._torn = b""
        self._last_heard = time.monotonic()
        self._changed = 0

    @property
    def silent_seconds(self) -> float:
        """How long nothing has been added, by this machine's own clock."""
        return time.monotonic() - self._last_heard

    def new_events(self) -> List[Event]:
        """What was said since the last call; nothing when the file is not there yet.

        Every byte counts as a sign of life, also events of a newer engine that nobody here knows;
        and so does the file's time of change, which is all that an engine on a full disk can say.
        """
        try:
            with self._path.open("rb") as file:
                changed = os.fstat(file.fileno()).st_mtime_ns
                file.seek(self._offset)
                added = file.read()
        except OSError:
            return []
        if changed != self._changed:
            self._changed = changed
            self._last_heard = time.monotonic()
        if not added:
            return []
        self._offset += len(added)
        self._last_heard = time.monotonic()
        *lines, self._torn = (self._torn + added).split(b"\n")
        stamped = (from_line(line.decode("ascii", "replace")) for line in lines)
        return [entry.event for entry in stamped if entry is not None]
