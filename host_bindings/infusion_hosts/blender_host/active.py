"""The node that a button or a script means: by name, else the active one, else the only one."""

from __future__ import annotations

from typing import Any, List, Optional

from infusion_hosts.blender_host.group import is_infusion
from infusion_hosts.blender_host.tree import TREE, scene_tree


def meant_node(context: Any, name: str = "") -> Optional[Any]:
    """The Infusion Inpaint node of that name, or the one the artist looks at; None without one."""
    ours = our_nodes(context)
    if name:
        return next((node for node in ours if node.name == name), None)
    active = ours[0].id_data.nodes.active if ours else None
    if active is not None and is_infusion(active):
        return active
    return ours[0] if len(ours) == 1 else None


def our_nodes(context: Any) -> List[Any]:
    """All Infusion Inpaint nodes of the compositor that the artist looks at."""
    tree = _looked_at(context)
    return [] if tree is None else [node for node in tree.nodes if is_infusion(node)]


def own_group(node: Any) -> Any:
    """The node's group, which a node that was duplicated gets a copy of for itself.

    The copy starts with a folder of its own: two nodes would overwrite each other's frames.
    """
    if node.node_tree.users - node.node_tree.use_fake_user > 1:  # the fake one shares nothing
        node.node_tree = node.node_tree.copy()
        node.node_tree.infusion.folder = ""
    return node.node_tree


def _looked_at(context: Any) -> Optional[Any]:
    """The compositor's tree in the editor, else the scene's."""
    space = context.space_data
    if space is not None and space.type == "NODE_EDITOR" and space.tree_type == TREE:
        return space.node_tree
    return scene_tree(context.scene)
