"""Host: the few things that an application must be able to do for the node.

Everything here is called on the thread that the application draws and computes with, and only
while the node serialises. A binding keeps the rest (panel, buttons, timers) to itself.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Optional, Protocol


class Clip(str, Enum):
    """The node's inputs."""

    PLATE = "plate"
    """The frames to repair."""
    MATTE = "matte"
    """What to replace: 1 = replace."""


@dataclass(frozen=True)
class Footage:
    """What is connected to an input."""

    first: int
    """Number of its first frame."""
    last: int
    """Number of its last frame, inclusive."""
    files: Optional[str] = None
    """Its files as a pattern (or one still), when they hold frame for frame what the input gives:
    a Read or Image node with nothing after it. None when the host has to write the frames."""
    suffix: str = ".exr"
    """What the host writes when it has to: `.exr` (half float), `.dpx` (10 bit) for DPX plates."""

    @property
    def is_still(self) -> bool:
        """True for a single frame, which as a matte holds for the whole shot."""
        return self.first == self.last


class Host(Protocol):
    """An application, as one node sees it."""

    @property
    def name(self) -> str:
        """Name and version, such as `Blender 4.5.3`; kept in the run's record."""

    def footage(self, clip: Clip) -> Optional[Footage]:
        """What is connected to the input; None when nothing is.

        Raises:
            SetupError: something is connected that cannot be handed over; says why.
        """

    def content(self, clip: Clip, frame: int) -> Optional[str]:
        """A text that changes whenever the picture of this frame does; None: nobody can tell.

        A frame whose text is what it was when it was written is not written again.
        """

    def write_frame(self, clip: Clip, frame: int, path: Path) -> None:
        """Render one frame of the input into `path`, which does not exist.

        It has the plate's colour, and every channel in which the matte may be.

        Raises:
            SetupError: the host could not; says what it said.
            StoppedError: the artist stopped it in the host's own window.
            OSError: the disk refused.
        """

    def workspace(self) -> Path:
        """The node's own folder, the same every time; it need not exist.

        Raises:
            SetupError: there is no place yet, for instance because the script was never saved.
        """
