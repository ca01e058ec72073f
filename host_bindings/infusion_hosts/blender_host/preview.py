"""Preview: the last picture of the work, as the sidebar shows it."""

from __future__ import annotations

from pathlib import Path
from typing import Any, List

import bpy.utils.previews

# Blender wants such a collection to be made when an extension is enabled and removed with it, and
# panels have nothing of ours in hand when they draw.
_COLLECTION: List[Any] = []
"""The collection of pictures, while the extension is enabled."""


def register() -> None:
    """Make the collection."""
    _COLLECTION.append(bpy.utils.previews.new())


def unregister() -> None:
    """Remove it."""
    while _COLLECTION:
        bpy.utils.previews.remove(_COLLECTION.pop())


def icon_of(path: str) -> int:
    """The icon that shows a picture; 0 when there is none. Only the last picture is held."""
    if not _COLLECTION or not Path(path).is_file():
        return 0
    pictures = _COLLECTION[-1]
    if path not in pictures:
        pictures.clear()
        pictures.load(path, path, "IMAGE")
    return int(pictures[path].icon_id)
