"""Compositor trees: all in which Blender 4.5 and 5.0 differ, found by what is there.

4.5 keeps a tree inside the scene, numbers what a File Output node writes, and has nodes of the
compositor's own for arithmetic; 5.0 keeps the tree as a node group and shares the shader's nodes.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Iterable, Optional

import bpy

TREE = "CompositorNodeTree"
GROUP = "CompositorNodeGroup"
IMAGE = "CompositorNodeImage"
REROUTE = "NodeReroute"


def scene_tree(scene: Any) -> Optional[Any]:
    """The compositor's tree of a scene; None where the scene has none."""
    if hasattr(scene, "compositing_node_group"):
        return scene.compositing_node_group
    return scene.node_tree if scene.use_nodes else None


def wanted_scene_tree(scene: Any) -> Any:
    """The compositor's tree of a scene, made when the scene has none."""
    if hasattr(scene, "compositing_node_group"):
        if scene.compositing_node_group is None:
            tree = bpy.data.node_groups.new("Compositing", TREE)
            tree.interface.new_socket("Image", in_out="OUTPUT", socket_type="NodeSocketColor")
            scene.compositing_node_group = tree
        return scene.compositing_node_group
    scene.use_nodes = True
    return scene.node_tree


def copied_scene(scene: Any) -> Any:
    """A copy of the scene with a compositor tree of its own; its objects are shared."""
    copy = scene.copy()
    if hasattr(copy, "compositing_node_group") and copy.compositing_node_group is not None:
        copy.compositing_node_group = copy.compositing_node_group.copy()
    return copy


def remove_copy(scene: Any) -> None:
    """Remove a scene that `copied_scene` made, with its tree."""
    tree = getattr(scene, "compositing_node_group", None)
    bpy.data.scenes.remove(scene)
    if tree is not None and tree.users == 0:
        bpy.data.node_groups.remove(tree)


def output_node(tree: Any) -> Any:
    """A new node whose first input is what the scene shows and renders."""
    try:
        return tree.nodes.new("CompositorNodeComposite")
    except RuntimeError:  # 5.0: the tree is a group, and has the output that groups have
        return tree.nodes.new("NodeGroupOutput")


def add_file_output(tree: Any, socket: Any, folder: Path, *, mode: str, depth: str) -> None:
    """Have the tree write what comes out of `socket` into `folder`, one EXR for each frame.

    `mode` is `RGB` or `RGBA`, `depth` is `16` (half) or `32` (float). The file's name is left to
    Blender: it numbers them as it likes.
    """
    node = tree.nodes.new("CompositorNodeOutputFile")
    if hasattr(node, "file_output_items"):
        node.directory, node.file_name = f"{folder}/", "frame"
        node.format.media_type = "IMAGE"
        node.format.file_format = "OPEN_EXR"
        node.file_output_items.clear()
        node.file_output_items.new("RGBA", "Image")
    else:
        node.base_path = f"{folder}/"
        node.format.file_format = "OPEN_EXR"
        node.file_slots[0].path = "frame"
    node.format.color_mode = mode
    node.format.color_depth = depth
    node.format.exr_codec = "ZIP"
    tree.links.new(socket, node.inputs[0])


def set_still_format(scene: Any, path: Path) -> None:
    """Have the scene's own output, should it write any, be a picture at `path`."""
    settings = scene.render.image_settings
    if hasattr(settings, "media_type"):
        settings.media_type = "IMAGE"
    settings.file_format = "OPEN_EXR"
    scene.render.filepath = str(path)


def math_node(tree: Any, operation: str) -> Any:
    """A new node that computes with numbers."""
    return _first_known(tree, ("ShaderNodeMath", "CompositorNodeMath"), operation)


def replace_alpha_node(tree: Any) -> Any:
    """A new node that takes its colour from `Image` and its alpha from `Alpha`."""
    node = tree.nodes.new("CompositorNodeSetAlpha")
    if "Type" in node.inputs:
        node.inputs["Type"].default_value = "Replace Alpha"
    else:
        node.mode = "REPLACE_ALPHA"
    return node


def _first_known(tree: Any, kinds: Iterable[str], operation: str) -> Any:
    """A node of the first of these kinds that this Blender has."""
    for kind in kinds:
        try:
            node = tree.nodes.new(kind)
        except RuntimeError:
            continue
        node.operation = operation
        return node
    raise RuntimeError(f"this Blender has none of the nodes {', '.join(kinds)}")
