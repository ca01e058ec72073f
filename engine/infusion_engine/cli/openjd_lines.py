"""Lines that an OpenJD session reads on stdout: progress in percent, status, and why it failed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TextIO

from infusion_engine.cli.terminal import Sentences, details
from infusion_node.wire.events import Event, Failed, Finished, Progress, Waiting

_SPANS: Mapping[str, tuple[float, float]] = {
    "loading": (0.0, 0.0),
    "looking": (0.0, 2.0),
    "following": (2.0, 2.0),
    "reading": (2.0, 4.0),
    "measuring": (4.0, 5.0),
    "base": (5.0, 10.0),
    "fitting": (10.0, 80.0),
    "inpainting": (5.0, 97.0),
    "writing": (97.0, 100.0),
}
"""Where each phase of a whole render begins and ends, in percent."""
_OF_ITS_OWN: Mapping[str, Mapping[str, tuple[float, float]]] = {
    "prepare": {
        "looking": (0.0, 45.0),
        "following": (45.0, 45.0),
        "reading": (45.0, 90.0),
        "measuring": (90.0, 100.0),
    },
    "base": {"base": (0.0, 100.0)},
    "fit": {"inpainting": (0.0, 100.0)},
    "sample": {"inpainting": (0.0, 100.0)},
    "write": {"writing": (0.0, 100.0)},
}
"""The same of a stage, which is all that its process does."""


class OpenJDLines:
    """A sink of `openjd_progress`, `openjd_status` and `openjd_fail` lines; no control codes."""

    name = "stdout"
    seconds_between = 1.0

    def __init__(self, stream: TextIO, stage: str = "all") -> None:
        """Lines on `stream` of a process that does `stage`."""
        self._stream = stream
        self._spans = _OF_ITS_OWN.get(stage, _SPANS)
        self._percent = -1.0
        self._sentences = Sentences()

    def write(self, event: Event, *, time: float) -> None:  # noqa: ARG002 - a session has its own
        """Write what a session should know of the event; progress never goes back."""
        if isinstance(event, Failed):
            self._line("openjd_fail", f"{event.message} {event.remedy}")
        elif isinstance(event, Progress):
            self._progress(event)
        elif isinstance(event, Waiting):
            self._line("openjd_status", self._sentences.next(event))
        elif text := self._sentences.next(event):
            if isinstance(event, Finished):
                self._percentage(100.0)
            self._line("openjd_status", text)

    def close(self) -> None:
        """Nothing to do: every line was flushed."""

    def _progress(self, event: Progress) -> None:
        part = min(1.0, event.done / event.total) if event.total else 0.0
        low, high = self._spans.get(event.phase, (0.0, 0.0))
        self._percentage(low + (high - low) * part)
        self._line("openjd_status", "  ".join([event.phase, *details(event)]))

    def _percentage(self, percent: float) -> None:
        if percent > self._percent:
            self._percent = percent
            self._line("openjd_progress", f"{percent:.1f}")

    def _line(self, word: str, text: str) -> None:
        """One line; what the stream cannot show is spelled out.

        Raises:
            OSError: the reader went away.
        """
        encoding = self._stream.encoding or "utf-8"
        plain = " ".join(text.split()).encode(encoding, "backslashreplace").decode(encoding)
        self._stream.write(f"{word}: {plain}\n")
        self._stream.flush()
