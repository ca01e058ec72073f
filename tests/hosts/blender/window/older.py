"""Older Blenders: what one before 4.5 lacks of what the node uses, so that its window can be seen.

The node asks for 4.5. A Blender with a window is not always at hand in that version, and what is to
be seen in a window, panels, headers, a modal operator's events, is alike since long before.
"""

from __future__ import annotations

from typing import Any

import bpy

OLDEST = (4, 5, 0)


class _Interface:
    """`tree.interface`, over the sockets that trees had before 4.0."""

    def __init__(self, tree: Any) -> None:
        self.tree = tree

    def new_socket(self, name: str, *, in_out: str, socket_type: str) -> Any:
        sockets = self.tree.inputs if in_out == "INPUT" else self.tree.outputs
        return sockets.new(socket_type, name)


def make_up() -> None:
    """Supply what is missing; nothing in a Blender that the node is made for."""
    if bpy.app.version >= OLDEST:
        return
    bpy.types.NodeTree.interface = property(_Interface)
    bpy.types.ID.session_uid = property(lambda block: block.as_pointer() % (1 << 30))
    bpy.types.UILayout.progress = _progress
    from infusion_hosts.blender_host import group

    vars(group)["rebuild"] = _rebuild  # before anybody imports it from there


def _progress(layout: Any, *, factor: float, text: str) -> None:
    """A bar, as its text alone."""
    del factor
    layout.label(text=text)


def _rebuild(tree: Any) -> None:
    """The plate, or the result's layer at every frame: a switch had no socket for the frame yet."""
    from infusion_hosts.blender_host import group

    tree.nodes.clear()
    enter, leave = tree.nodes.new("NodeGroupInput"), tree.nodes.new("NodeGroupOutput")
    result = group.kept_result(tree)
    layer = None if result is None else group._layer_socket(tree, result)
    plate = enter.outputs["Image"]
    shown = plate if layer is None else group._with_alpha_of(tree, layer, plate)
    tree.links.new(shown, leave.inputs["Image"])
