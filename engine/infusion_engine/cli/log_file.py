"""The log file: what the plain events say, appended to a file that outlives the process."""

from __future__ import annotations

from pathlib import Path

from infusion_engine.cli.terminal import Sentences
from infusion_engine.errors import StorageError
from infusion_node.wire.events import Event, Failed


class LogFile:
    """A sink that appends one sentence a line, without control codes, each at once on its way."""

    seconds_between = 5.0

    def __init__(self, path: Path) -> None:
        """Open `path` for appending; its folder is made if need be.

        Raises:
            StorageError: it cannot be written.
        """
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._file = path.open("a", encoding="utf-8", errors="backslashreplace")
        except OSError as error:
            raise StorageError(
                f"The log file '{path}' cannot be written: {error.strerror or error}.",
                remedy="Choose another path for --log-file.",
            ) from None
        self._path = path
        self._sentences = Sentences()

    @property
    def name(self) -> str:
        """The file's path."""
        return str(self._path)

    def write(self, event: Event, *, time: float) -> None:  # noqa: ARG002 - as on stdout
        """Append the event's sentence; of a failure too, which a terminal gets on stderr."""
        text = self._sentences.next(event)
        if isinstance(event, Failed):
            text = f"Error: {event.message} {event.remedy}".rstrip()
        if text:
            self._file.write(text + "\n")
            self._file.flush()

    def close(self) -> None:
        """Close the file."""
        self._file.close()
