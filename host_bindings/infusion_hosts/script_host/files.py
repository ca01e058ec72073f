"""FilesHost: inputs that are files on disk already, so that nothing has to be rendered."""

from __future__ import annotations

import os
import platform
from dataclasses import dataclass
from pathlib import Path
from typing import Optional, Union

from infusion_node.errors import SetupError
from infusion_node.frame_range import FrameRange
from infusion_node.host import Clip, Footage

PathLike = Union[str, "os.PathLike[str]"]


@dataclass(frozen=True)
class FilesHost:
    """A host for plain Python: plate and matte are sequences, the workspace is a folder."""

    plate: PathLike
    """The plate's files as a pattern, such as `plate/fire.%04d.exr`, or a folder."""
    frames: FrameRange
    """The frames that the plate has, first and last inclusive."""
    folder: PathLike
    """Where the node keeps its runs, and its result unless `output` is given."""
    matte: Optional[PathLike] = None
    """The matte's files, or one still; None takes a channel of the plate."""

    @property
    def name(self) -> str:
        """The interpreter."""
        return f"Python {platform.python_version()}"

    def footage(self, clip: Clip) -> Optional[Footage]:
        """The files as they are; relative ones count from the current folder."""
        files = self.plate if clip is Clip.PLATE else self.matte
        if files is None:
            return None
        # The engine is started in its run's folder, so nothing relative may reach it.
        return Footage(self.frames.first, self.frames.last, files=os.fspath(Path(files).absolute()))

    def content(self, clip: Clip, frame: int) -> Optional[str]:
        """Nobody asks: nothing is ever written."""
        return None

    def write_frame(self, clip: Clip, frame: int, path: Path) -> None:
        """Refuse: files need no rendering.

        Raises:
            SetupError: always.
        """
        raise SetupError(f"Frame {frame} of the {clip.value} is a file and is not rendered.")

    def workspace(self) -> Path:
        """The folder that was given."""
        return Path(self.folder).absolute()
