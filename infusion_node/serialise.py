"""Serialise: the host writes the frames that the engine will read, and only what has changed."""

from __future__ import annotations

import json
import os
from contextlib import suppress
from pathlib import Path
from typing import Dict, Iterator, Optional, Tuple

from infusion_node.errors import SetupError
from infusion_node.frame_range import FrameRange
from infusion_node.host import Clip, Footage, Host
from infusion_node.job_folder import JobFolder, cannot_write, read_json, write_text


def serialised(
    host: Host, clip: Clip, footage: Footage, frames: FrameRange, folder: JobFolder
) -> Iterator[Tuple[int, int]]:
    """Write the input's frames into the job folder; yields (done, total) before each and last.

    Frames whose content is what was written before are kept. A frame stands under its name only
    once it is whole, and what it holds is noted after every frame, so that a stop loses nothing.

    Raises:
        SetupError: the host could not render a frame.
        FolderError: the disk refused.
    """
    pattern = Path(files_of(clip, footage, folder))
    _remove_others(pattern, frames)
    contents = _Contents(folder.contents(clip.value))
    todo = [
        frame
        for frame in range(frames.first, frames.last + 1)
        if not contents.is_current(_of_frame(pattern, frame), host.content(clip, frame))
    ]
    for done, frame in enumerate(todo):
        yield done, len(todo)
        path = _of_frame(pattern, frame)
        # Asked again: the artist may have gone on working since the list was made.
        content = host.content(clip, frame)
        _write(host, clip, frame, path)
        contents.note(path, content)
    yield len(todo), len(todo)


def files_of(clip: Clip, footage: Footage, folder: JobFolder) -> str:
    """The pattern of the input's frames: its own files, or those that are written."""
    if footage.files is not None:
        return footage.files
    if clip is Clip.MATTE and footage.is_still:
        # No number, and a folder of its own: beside an earlier sequence it would be one of that.
        still = folder.footage(f"{clip.value}-still") / f"{clip.value}{footage.suffix}"
        return os.fspath(still)
    return os.fspath(folder.footage(clip.value) / f"{clip.value}.%04d{footage.suffix}")


def _of_frame(pattern: Path, frame: int) -> Path:
    """The file of one frame; a still's name has no number."""
    return pattern.with_name(pattern.name % frame) if "%" in pattern.name else pattern


def _remove_others(pattern: Path, frames: FrameRange) -> None:
    """Remove frames that an earlier request wrote and this one does not want.

    The engine takes as many handles as it finds, and these may show what has changed since.
    """
    wanted = {_of_frame(pattern, frame) for frame in range(frames.first, frames.last + 1)}
    try:
        for path in pattern.parent.glob(f"*{pattern.suffix}"):
            if path not in wanted:
                path.unlink()
    except OSError as error:
        raise cannot_write(pattern.parent, error) from None


def _write(host: Host, clip: Clip, frame: int, path: Path) -> None:
    """One frame, under a temporary name until it is whole."""
    # The suffix stays at the end: hosts choose the format by it.
    temporary = path.with_name(f".{path.stem}.{os.getpid()}{path.suffix}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        host.write_frame(clip, frame, temporary)
        if not temporary.is_file() or temporary.stat().st_size == 0:
            raise SetupError(
                f"The host wrote nothing for frame {frame} of the {clip.value}.",
                remedy="Look at that frame in the host; then press Inpaint again.",
            )
        temporary.replace(path)
    except OSError as error:
        raise cannot_write(path, error) from None
    finally:
        with suppress(OSError):
            temporary.unlink()


class _Contents:
    """What each written frame holds: its host's text, and its size and time on disk."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._entries: Dict[str, object] = dict(read_json(path))

    def is_current(self, path: Path, content: Optional[str]) -> bool:
        """True when the file is there, untouched, and holds that content."""
        if content is None:
            return False
        on_disk = _on_disk(path)
        return on_disk is not None and self._entries.get(path.name) == [content, *on_disk]

    def note(self, path: Path, content: Optional[str]) -> None:
        """Keep what the file holds now.

        Raises:
            FolderError: the disk refused.
        """
        on_disk = _on_disk(path)
        if content is None or on_disk is None:
            self._entries.pop(path.name, None)
        else:
            self._entries[path.name] = [content, *on_disk]
        write_text(self._path, json.dumps(self._entries, indent=0, sort_keys=True) + "\n")


def _on_disk(path: Path) -> Optional[Tuple[int, int]]:
    """Size in bytes and time of change in nanoseconds; None when there is no such file."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_size, found.st_mtime_ns
