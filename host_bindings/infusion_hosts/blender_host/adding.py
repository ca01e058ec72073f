"""Adding: a new Infusion Inpaint node, from the compositor's Add menu."""

from __future__ import annotations

from typing import Any, Set

import bpy

from infusion_hosts.blender_host.binding import claim_folder
from infusion_hosts.blender_host.group import NAME, new_group
from infusion_hosts.blender_host.tree import GROUP, TREE, wanted_scene_tree

WIDTH = 200


class AddNodeOperator(bpy.types.Operator):
    """Add a node that replaces what a matte covers by more of the moving texture around it."""

    bl_idname = "infusion.add_node"
    bl_label = NAME
    bl_options = {"REGISTER", "UNDO"}  # noqa: RUF012 - Blender reads it as it stands

    def execute(self, context: Any) -> Set[str]:
        """Add it, selected and alone, where the mouse is."""
        node = add_node(wanted_scene_tree(context.scene))
        space = context.space_data
        if space is not None and space.type == "NODE_EDITOR":
            node.location = space.cursor_location
        return {"FINISHED"}


def add_node(tree: Any) -> Any:
    """A new node in a scene's compositor, with a group of its own."""
    for other in tree.nodes:
        other.select = False
    node = tree.nodes.new(GROUP)
    node.node_tree = new_group()
    node.name = node.label = NAME
    node.width = WIDTH
    tree.nodes.active = node
    claim_folder(node)
    return node


def draw_in_menu(menu: Any, context: Any) -> None:
    """The entry in the compositor's Add menu."""
    if context.space_data.tree_type == TREE:
        menu.layout.separator()
        menu.layout.operator(AddNodeOperator.bl_idname, text=NAME)
