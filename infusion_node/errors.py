"""Every error the node raises on purpose, drawn once.

    NodeError                never raised itself
    ├── SetupError           an input or a knob is not as a run needs it
    ├── EngineError          the engine is missing, too old, or did not start
    ├── FolderError          the job folder cannot be written, or what lies in it cannot be read
    ├── BusyError            the node is at work already
    └── StoppedError         the artist stopped what the host was writing

`message` says what was found and what was expected, `remedy` what to do: a panel shows both, each
on one line. What the engine itself refuses arrives as a `failed` event and is no exception here.
"""

from __future__ import annotations


class NodeError(Exception):
    """Base of every deliberate error of the node."""

    def __init__(self, message: str, *, remedy: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.remedy = remedy

    def __str__(self) -> str:
        """The message and the remedy as one line."""
        return f"{self.message} {self.remedy}".rstrip()


class SetupError(NodeError):
    """An input or a knob is not as a run needs it."""


class EngineError(NodeError):
    """The engine is missing, too old, or did not start."""


class FolderError(NodeError):
    """The job folder cannot be written, or what lies in it cannot be read."""


class BusyError(NodeError):
    """The node is at work already."""


class StoppedError(NodeError):
    """The artist stopped what the host was writing, which is no failure."""
