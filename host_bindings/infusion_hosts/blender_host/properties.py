"""Properties: what the panel's widgets hold, made from the one table of knobs."""

from __future__ import annotations

from typing import Any, Callable, Dict

import bpy

from infusion_node.panel import PANEL, resting, tooltip
from infusion_node.wire.knobs import Kind, Knob

_LARGEST_WHOLE = 2**31 - 1  # what Blender's whole numbers hold
_FOLDERS = ("output", "cache", "scratch")


def knob_class() -> type:
    """The class of `tree.infusion.knobs`: a property of Blender's for each knob, by its name."""
    annotations = {knob.name: _property(knob) for knob in PANEL}
    return type("InfusionKnobs", (bpy.types.PropertyGroup,), {"__annotations__": annotations})


def node_class(knobs: type, update_shown_take: Callable[[Any, Any], None]) -> type:
    """The class of `tree.infusion`, which holds the knobs and what is kept of a node.

    `update_shown_take` is called when the artist chooses another take to look at.
    """
    props = bpy.props
    annotations = {
        "is_node": props.BoolProperty(name="Is an Infusion Inpaint group", default=False),
        "knobs": props.PointerProperty(type=knobs),
        "folder": props.StringProperty(
            name="Folder",
            description="Where this node keeps its runs; kept when file or node are renamed",
        ),
        "shown_take": props.IntProperty(
            name="Shown take", description="Which of several takes the node gives",
            default=1, min=1, max=99, update=update_shown_take,
        ),
        "result": props.StringProperty(name="Result", description="The frames that are wired in"),
        "result_layers": props.StringProperty(name="Layers of the result"),
        "result_first": props.IntProperty(name="First frame of the result"),
        "result_last": props.IntProperty(name="Last frame of the result"),
    }  # fmt: skip
    return type(
        "InfusionNodeProperties", (bpy.types.PropertyGroup,), {"__annotations__": annotations}
    )


def shown(tree: Any) -> Dict[str, Any]:
    """What the widgets of a group hold, by the knobs' names, as `InfusionNode.inpaint` wants it."""
    return {knob.name: _value(knob, getattr(tree.infusion.knobs, knob.name)) for knob in PANEL}


def _value(knob: Knob, held: Any) -> Any:
    """A widget's value as the node understands it."""
    if knob.kind is Kind.PATH and held:
        return bpy.path.abspath(held)
    if knob.kind is Kind.NUMBER:
        return round(held, 6)  # Blender holds 32 bits: 0.1 would be 0.10000000149
    return held


def _property(knob: Knob) -> Any:
    """The property that holds a knob."""
    props = bpy.props
    words: Dict[str, Any] = {"name": knob.label, "description": tooltip(knob)}
    words["default"] = resting(knob)
    if knob.kind is Kind.SWITCH:
        return props.BoolProperty(**words)
    if knob.kind is Kind.CHOICE:
        items = [(word, word.capitalize(), "") for word in knob.choices]
        return props.EnumProperty(items=items, **words)
    if knob.kind in (Kind.WHOLE, Kind.NUMBER):
        # A number that may be left out has to reach 0, which stands for that.
        least = 0.0 if knob.default is None or knob.least is None else knob.least
        most = _LARGEST_WHOLE if knob.most is None else min(knob.most, _LARGEST_WHOLE)
        if knob.kind is Kind.WHOLE:
            return props.IntProperty(min=int(least), max=int(most), **words)
        return props.FloatProperty(min=least, max=most, precision=1, **words)
    if knob.kind is Kind.PATH:
        words["subtype"] = "DIR_PATH" if knob.name in _FOLDERS else "FILE_PATH"
    return props.StringProperty(**words)
