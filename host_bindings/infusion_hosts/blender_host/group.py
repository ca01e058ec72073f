"""The node group: plate and matte in, the plate with the result's layer out once it is there.

Between the first and the last frame of the result a switch gives its layer, with the plate's
alpha; at all other frames, and before there is a result, the plate goes through.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Optional, Tuple

import bpy

from infusion_hosts.blender_host import tree as trees
from infusion_node.frame_range import numbered

NAME = "Infusion Inpaint"
_RESULT_IMAGE = "Infusion result"


@dataclass(frozen=True)
class Result:
    """Frames that a run wrote."""

    files: str
    """Their pattern, such as `/shot/result/plate.%04d.exr`."""
    first: int
    """Number of the first."""
    last: int
    """Number of the last, inclusive."""
    layers: Tuple[str, ...] = ()
    """The layer of each take; empty when each take has files of its own and the fill is in RGB."""

    def of_take(self, take: int) -> Tuple[Path, Optional[str]]:
        """The first file of a take (counted from 1) and the layer in it; None: the picture."""
        pattern = Path(self.files)
        name = numbered(pattern.name, self.first)
        if self.layers:
            return pattern.parent / name, self.layers[min(take, len(self.layers)) - 1]
        folder = pattern.parent / f"take{take}" if take > 1 else pattern.parent
        if not folder.is_dir():
            folder = pattern.parent
        return folder / name, None


def new_group() -> Any:
    """A new group, through which the plate goes as it is."""
    group = bpy.data.node_groups.new(NAME, trees.TREE)
    face = group.interface
    image = face.new_socket("Image", in_out="INPUT", socket_type="NodeSocketColor")
    image.description = "The plate"
    matte = face.new_socket("Matte", in_out="INPUT", socket_type="NodeSocketFloat")
    matte.description = "What to replace: 1 = replace"
    matte.min_value, matte.max_value = 0.0, 1.0
    face.new_socket("Image", in_out="OUTPUT", socket_type="NodeSocketColor")
    group.infusion.is_node = True
    rebuild(group)
    return group


def is_infusion(node: Any) -> bool:
    """True for a node that uses one of our groups."""
    group = node.node_tree if node.bl_idname == trees.GROUP else None
    return group is not None and group.infusion.is_node


def kept_result(group: Any) -> Optional[Result]:
    """The result that the group holds; None when it has none."""
    kept = group.infusion
    if not kept.result:
        return None
    layers = tuple(kept.result_layers.split())
    return Result(bpy.path.abspath(kept.result), kept.result_first, kept.result_last, layers)


def keep_result(group: Any, result: Result) -> None:
    """Have the group hold a result and show it, from frames read anew."""
    kept = group.infusion
    kept.result = _beside_the_file(result.files)
    kept.result_layers = " ".join(result.layers)
    kept.result_first, kept.result_last = result.first, result.last
    rebuild(group)


def rebuild(group: Any) -> None:
    """Make the group's nodes anew: the plate, or the result that it holds."""
    images = {node.image for node in group.nodes if node.bl_idname == trees.IMAGE and node.image}
    group.nodes.clear()
    for image in images:
        if image.users == 0:
            bpy.data.images.remove(image)
    enter, leave = group.nodes.new("NodeGroupInput"), group.nodes.new("NodeGroupOutput")
    enter.location, leave.location = (-600, 0), (600, 0)
    result = kept_result(group)
    layer = None if result is None else _layer_socket(group, result)
    if result is None or layer is None:
        group.links.new(enter.outputs["Image"], leave.inputs["Image"])
        return
    with_alpha = _with_alpha_of(group, layer, enter.outputs["Image"])
    switch = group.nodes.new("CompositorNodeSwitch")
    switch.location = (400, 0)
    links = group.links
    links.new(_is_between(group, result.first, result.last), switch.inputs["Switch"])
    links.new(enter.outputs["Image"], switch.inputs["Off"])
    links.new(with_alpha, switch.inputs["On"])
    links.new(switch.outputs[0], leave.inputs["Image"])


def _layer_socket(group: Any, result: Result) -> Optional[Any]:
    """The output of a new Image node that gives the take to show; None when it is not there."""
    path, layer = result.of_take(group.infusion.shown_take)
    try:
        image = bpy.data.images.load(str(path))
    except RuntimeError:  # it is not there, or Blender cannot read it
        return None
    image.name = _RESULT_IMAGE
    is_lone = numbered(Path(result.files).name, result.first) == Path(result.files).name
    image.source = "FILE" if is_lone else "SEQUENCE"
    image.filepath = _beside_the_file(str(path))
    node = group.nodes.new(trees.IMAGE)
    node.location, node.label = (-600, -250), _RESULT_IMAGE
    node.image = image
    node.frame_start, node.frame_offset = result.first, result.first - 1
    node.frame_duration = result.last - result.first + 1
    node.use_auto_refresh = True
    if layer is not None:
        return node.outputs.get(layer)
    return node.outputs.get("Image") or node.outputs.get("Combined")


def _with_alpha_of(group: Any, colour: Any, plate: Any) -> Any:
    """The colour with the plate's alpha: the layer's own is the matte, and no picture's alpha."""
    parts = group.nodes.new("CompositorNodeSeparateColor")
    parts.location = (-200, 0)
    replace = trees.replace_alpha_node(group)
    replace.location = (100, -150)
    group.links.new(plate, parts.inputs["Image"])
    group.links.new(colour, replace.inputs["Image"])
    group.links.new(parts.outputs["Alpha"], replace.inputs["Alpha"])
    return replace.outputs["Image"]


def _is_between(group: Any, first: int, last: int) -> Any:
    """A number that is 1 from the first to the last frame, and 0 at all others."""
    time = group.nodes.new("CompositorNodeSceneTime")
    time.location = (-200, 250)
    compare = trees.math_node(group, "COMPARE")
    compare.location = (100, 250)
    compare.inputs[1].default_value = (first + last) / 2
    compare.inputs[2].default_value = (last - first) / 2 + 0.25
    group.links.new(time.outputs["Frame"], compare.inputs[0])
    return compare.outputs[0]


def _beside_the_file(path: str) -> str:
    """The path relative to the file, where it lies beside it, so that both can be moved."""
    if bpy.data.filepath and Path(bpy.data.filepath).parent in Path(path).parents:
        return str(bpy.path.relpath(path))
    return path
