"""BlenderHost: what the node needs of Blender, for one Infusion Inpaint group in one scene."""

from __future__ import annotations

import re
from contextlib import suppress
from itertools import chain, count
from pathlib import Path
from typing import Any, Iterator, Optional, Tuple

import bpy

from infusion_hosts.blender_host.direct import content_of, direct_footage, source_socket
from infusion_hosts.blender_host.tree import GROUP, TREE, scene_tree
from infusion_hosts.blender_host.writing import write_socket
from infusion_node.errors import SetupError
from infusion_node.host import Clip, Footage

SOCKETS = {Clip.PLATE: "Image", Clip.MATTE: "Matte"}
"""The group's input for each clip."""

_MODES = {Clip.PLATE: "RGBA", Clip.MATTE: "RGB"}  # without A the engine takes a matte's R


class BlenderHost:
    """One group, found anew for each question: undo and loading move everything in memory."""

    def __init__(self, group_id: int) -> None:
        self._group_id = group_id

    @property
    def name(self) -> str:
        """Name and version of the application."""
        return f"Blender {bpy.app.version_string}"

    def footage(self, clip: Clip) -> Optional[Footage]:
        """What is connected to the input; None when nothing is.

        What Blender computes has the scene's frames. A matte that it computes is asked for at the
        plate's, wherever those are.

        Raises:
            SetupError: there is no matte, and none in the plate.
        """
        scene, node = self.place()
        source = source_socket(node.inputs[SOCKETS[clip]])
        if source is None:
            if clip is Clip.MATTE:
                _check_plate_may_hold_matte(node)
            return None
        direct = direct_footage(clip, source)
        if direct is not None:
            return direct
        first, last = scene.frame_start, scene.frame_end
        if clip is Clip.MATTE:
            plate = self.footage(Clip.PLATE)
            if plate is not None:
                first, last = plate.first, plate.last
        return Footage(first, last)

    def content(self, clip: Clip, frame: int) -> Optional[str]:
        """What a picture is made of when it is a file and nothing else; None for all other."""
        _, node = self.place()
        source = source_socket(node.inputs[SOCKETS[clip]])
        return None if source is None else content_of(source, frame)

    def write_frame(self, clip: Clip, frame: int, path: Path) -> None:
        """Render one frame of the input into `path` as half float EXR.

        Raises:
            SetupError: Blender could not; says what it said.
            OSError: the disk refused.
        """
        scene, node = self.place()
        write_socket(scene, node.name, SOCKETS[clip], frame, path, mode=_MODES[clip])

    def workspace(self) -> Path:
        """The node's own folder: beside the saved file, or within the chosen output folder.

        It is kept in the group, relative to the file where it lies beside it, so that both can be
        renamed. A copy of a group came with that of the other, and gets one of its own.

        Raises:
            SetupError: the file was never saved and no output folder was chosen.
        """
        _, node = self.place()
        kept = node.node_tree.infusion
        if not kept.folder or has_folder_of_another(node.node_tree):
            kept.folder = next(_folders(node))
        if kept.folder.startswith("//") and not bpy.data.filepath:
            raise _no_place()
        return Path(bpy.path.abspath(kept.folder))

    def place(self) -> Tuple[Any, Any]:
        """The scene that the group is used in, and the node that uses it.

        Raises:
            SetupError: no scene's compositor has it, or not at its top level.
        """
        for scene in bpy.data.scenes:
            tree = scene_tree(scene)
            for node in () if tree is None else tree.nodes:
                uses = node.node_tree if node.bl_idname == GROUP else None
                if uses is not None and uses.session_uid == self._group_id:
                    return scene, node
        raise SetupError(
            "The node is in no scene's compositor.",
            remedy="Use it in a scene's own compositor, not inside another group.",
        )


def _check_plate_may_hold_matte(node: Any) -> None:
    """Raise SetupError where no matte is connected, unless the plate may have it as a channel.

    What Blender writes is opaque as a rule, and an opaque alpha is 1: replace everything.
    """
    plate = source_socket(node.inputs[SOCKETS[Clip.PLATE]])
    is_named = bool(node.node_tree.infusion.knobs.matte_channel)
    if plate is not None and not is_named and direct_footage(Clip.PLATE, plate) is None:
        raise SetupError("Nothing is connected to the matte.", remedy="Connect the matte.")


def claim_folder(node: Any) -> None:
    """Give a node that was just added a folder that no other node ever had, where there is a place.

    Without this it would find the runs of a node of its name that was deleted.
    """
    with suppress(SetupError):
        node.node_tree.infusion.folder = next(
            folder for folder in _folders(node) if not Path(bpy.path.abspath(folder)).exists()
        )


def has_folder_of_another(group: Any) -> bool:
    """True for a copy that still has the folder of the group that it was copied from.

    The original is the one that Blender numbered first: in the order in which they were made, and
    in a file that was opened in that of their names, where a copy's is the later one.
    """
    folder = group.infusion.folder
    return bool(folder) and any(
        other.bl_idname == TREE
        and other.session_uid < group.session_uid
        and bpy.path.abspath(other.infusion.folder) == bpy.path.abspath(folder)
        for other in bpy.data.node_groups
        if other.library is None
    )


def _folders(node: Any) -> Iterator[str]:
    """Folders for a node that has none, the best one first; no other node of this file has them.

    Raises:
        SetupError: the file was never saved and no output folder was chosen.
    """
    words = _as_name(node.name)
    if bpy.data.filepath:
        start = f"//infusion/{_as_name(Path(bpy.data.filepath).stem)}-{words}"
    else:
        output = node.node_tree.infusion.knobs.output
        if not output or output.startswith("//"):
            raise _no_place()
        chosen = Path(output)
        start = str((chosen.parent if chosen.suffix else chosen) / "infusion" / words)
    taken = {
        group.infusion.folder
        for group in bpy.data.node_groups
        if group.bl_idname == TREE and group != node.node_tree
    }
    numbered = (f"{start}-{number}" for number in count(2))
    return (folder for folder in chain((start,), numbered) if folder not in taken)


def _as_name(text: str) -> str:
    """A text as part of a file name that every system takes."""
    return re.sub(r"[^\w.-]+", "_", text).strip("._") or "node"


def _no_place() -> SetupError:
    """What to say where nothing can be kept yet."""
    return SetupError(
        "There is no place for the frames: this file was never saved.",
        remedy="Save the file, or choose an output folder.",
    )
