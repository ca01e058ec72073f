"""A sink that remembers every event it is told."""

from __future__ import annotations

from infusion_node.wire.events import Event


class Told:
    """Stands where a terminal or an events file does."""

    seconds_between = 0.0
    name = "the test"

    def __init__(self) -> None:
        self.events: list[Event] = []

    def write(self, event: Event, *, time: float) -> None:
        """Remember it."""
        self.events.append(event)

    def close(self) -> None:
        """Nothing to say."""
