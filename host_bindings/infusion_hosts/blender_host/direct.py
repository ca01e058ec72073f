"""Files that the engine may read as they are, because the input gives what they hold, bit for bit.

The plate's own files keep every channel, part and bit, and nothing has to be written. Wherever
Blender might show anything else than the file holds, the answer is None and frames are written.
"""

from __future__ import annotations

import json
import os
import re
from pathlib import Path
from typing import Any, Optional, Tuple

import bpy

from infusion_hosts.blender_host.exr_header import ExrHeader, read_header
from infusion_hosts.blender_host.tree import IMAGE, REROUTE
from infusion_node.host import Clip, Footage

_NUMBERED = re.compile(r"(.*?)([0-9]+)([^0-9]*)")  # Blender counts with the last number in a name


def source_socket(socket: Any) -> Optional[Any]:
    """The output that feeds an input, past reroutes; None when nothing does."""
    while socket.is_linked:
        link = socket.links[0]
        if link.is_muted or not link.is_valid:
            return None
        if link.from_node.bl_idname != REROUTE:
            return link.from_socket
        socket = link.from_node.inputs[0]
    return None


def image_node(source: Any) -> Optional[Any]:
    """The Image node that `source` is an output of, when it has an image and is not muted."""
    node = source.node
    is_one = node.bl_idname == IMAGE and not node.mute and node.image is not None
    return node if is_one else None


def direct_footage(clip: Clip, source: Any) -> Optional[Footage]:
    """The footage whose files hold what `source` gives; None when no files certainly do."""
    node = image_node(source)
    if node is None or node.image.source != "SEQUENCE" or not _is_shown_as_it_is(node.image):
        return None
    frames = sequence_frames(node)
    pattern = file_pattern(node.image)
    if frames is None or pattern is None:
        return None
    headers = [read_header(Path(pattern % frame)) for frame in range(frames[0], frames[1] + 1)]
    if not all(header is not None and _gives(clip, source, node, header) for header in headers):
        return None
    return Footage(frames[0], frames[1], pattern)


def sequence_frames(node: Any) -> Optional[Tuple[int, int]]:
    """First and last frame at which the node shows the file of that very number; else None."""
    is_numbered_alike = node.frame_offset == node.frame_start - 1 and not node.use_cyclic
    if not is_numbered_alike or node.frame_duration < 1:
        return None
    return node.frame_start, node.frame_start + node.frame_duration - 1


def file_pattern(image: Any) -> Optional[str]:
    """The image's files as `dir/plate.%04d.exr`; None for a name without a number."""
    path = _file_of(image)
    match = _NUMBERED.fullmatch(path.stem)
    if match is None or "%" in str(path) or path.suffix.lower() != ".exr":
        return None
    before, digits, behind = match.groups()
    return str(path.parent / f"{before}%0{len(digits)}d{behind}{path.suffix}")


def content_of(source: Any, frame: int) -> Optional[str]:
    """What `source` shows at a frame, as text, when that is a file; None for all other."""
    node = image_node(source)
    if node is None or node.image.source not in ("FILE", "SEQUENCE") or _is_edited(node.image):
        return None
    path = _file_of(node.image)
    if node.image.source == "SEQUENCE":
        if node.use_cyclic or frame < node.frame_start:
            return None
        number = min(frame - node.frame_start + 1, node.frame_duration)
        path = _numbered(path, number + node.frame_offset)
    try:
        found = path.stat()
    except OSError:
        return None
    space = node.image.colorspace_settings.name
    return json.dumps([
        str(path), found.st_size, found.st_mtime_ns, space, node.image.alpha_mode, source.name,
        node.image.use_multiview, node.layer if node.has_layers else "", bpy.app.version_string,
    ])  # fmt: skip


def _file_of(image: Any) -> Path:
    """The image's file, or one of its files."""
    return Path(os.path.normpath(bpy.path.abspath(image.filepath, library=image.library)))


def _numbered(path: Path, number: int) -> Path:
    """The file of a sequence with that number."""
    match = _NUMBERED.fullmatch(path.stem)
    if match is None:
        return path
    before, digits, behind = match.groups()
    return path.with_name(f"{before}{number:0{len(digits)}d}{behind}{path.suffix}")


def _is_edited(image: Any) -> bool:
    """True when Blender shows something else than what lies on the disk."""
    return image.is_dirty or image.packed_file is not None


def _is_shown_as_it_is(image: Any) -> bool:
    """True when Blender changes nothing on the way from the file to the compositor."""
    space = image.colorspace_settings
    is_linear = space.is_data or space.name in ("scene_linear", _scene_linear())
    return is_linear and not image.use_multiview and not _is_edited(image)


def _scene_linear() -> str:
    """The colour space that Blender computes in, as it names it."""
    probe = bpy.data.images.new("infusion-probe", 1, 1, float_buffer=True)
    try:
        return str(probe.colorspace_settings.name)
    finally:
        bpy.data.images.remove(probe)


def _gives(clip: Clip, source: Any, node: Any, header: ExrHeader) -> bool:
    """True when the engine finds in such a file what the output gives.

    Of a plate it takes R, G and B; of a matte A, else the only channel.
    """
    channels = header.channels
    if not header.is_plain:
        return False
    if clip is Clip.MATTE:
        is_alpha = source.name == "Alpha" and "A" in channels
        return is_alpha or (source.name == "Image" and channels == ("Y",))
    is_straight = node.image.alpha_mode == "STRAIGHT" and "A" in channels
    return (
        source.name in ("Image", "Combined") and {"R", "G", "B"} <= {*channels} and not is_straight
    )
