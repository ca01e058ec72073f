"""The Group: what is inside of it, and how a result is wired in and taken out."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Optional, Sequence, Tuple, cast

import nuke

from infusion_hosts.nuke_host import panel
from infusion_hosts.nuke_host.panel import unrecorded
from infusion_node.host import Clip

NAME = "InfusionInpaint1"
"""What the first node is called; Nuke counts on from it."""

HELP = (
    "Fills moving texture under the matte (1 = replace) with a small diffusion network that is "
    "fitted to the plate itself. Connect plate and matte, press Inpaint, go on working. The output "
    "is the plate with the layer that the Layer knob names."
)

COMPONENTS = ("red", "green", "blue", "alpha")
"""Nuke's names for what files call R, G, B and A."""

_EXR = {"datatype": "16 bit half", "compression": "Zip (1 scanline)", "metadata": "all metadata"}
_DPX = {"datatype": "10 bit"}


@dataclass(frozen=True)
class Result:
    """Frames that the engine has written."""

    files: str
    """Their pattern."""
    first: int
    """Number of the first frame."""
    last: int
    """Number of the last frame, inclusive."""
    layers: Tuple[str, ...]
    """The layers in them, one for each take; empty when the fill is the files' own RGB."""
    layer: str
    """The layer that the output gets where the files have none."""
    further: Tuple[str, ...] = ()
    """The patterns of further takes, where each take has files of its own."""

    @property
    def given(self) -> Tuple[str, ...]:
        """The layers that the output gets, one for each take, named as the engine names them."""
        if self.layers:
            return self.layers
        takes = range(2, len(self.further) + 2)
        return (self.layer, *(f"{self.layer}{take}" for take in takes))


def build(group: nuke.Group) -> None:
    """Fill a new Group: inputs, panel, the Writes, the Read and the output."""
    panel.add_panel(group)
    for name, value in (("help", HELP), ("icon", "infusion_inpaint.png")):
        knob = group.knob(name)
        if knob is not None:
            knob.setValue(value)
    with group:
        plate = nuke.nodes.Input(name="plate", number=0)
        matte = nuke.nodes.Input(name="matte", number=1)
        for clip, source in ((Clip.PLATE, plate), (Clip.MATTE, matte)):
            _write_node(f"{clip.value}_write", source)
        nuke.nodes.Read(name="result", disable=True)
        fill = nuke.nodes.Expression(name="fill_in_rgb", inputs=[plate], disable=True)
        view = nuke.nodes.OneView(name="one_view", inputs=[fill], disable=True)
        nuke.nodes.Output(name="Output1", inputs=[view])


def child(group: nuke.Group, name: str) -> nuke.Node:
    """A node inside of the Group.

    Raises:
        LookupError: it is not there, for instance because the script is still being read.
    """
    found = group.node(name)
    if found is None:
        raise LookupError(f"There is no node '{name}' inside of {group.fullName()}.")
    return found


def prepare_write(write: nuke.Node, suffix: str, channels: str = "all") -> None:
    """Have the Write write the stream's own values of these channels, in the suffix's format."""
    write["file_type"].setValue(suffix.lstrip("."))
    write["channels"].setValue(channels)
    write["raw"].setValue(True)
    for name, wanted in (_DPX if suffix == ".dpx" else _EXR).items():
        knob = write.knob(name)
        if knob is not None:
            _choose(cast(nuke.Enumeration_Knob, knob), wanted)


def wire(group: nuke.Group, result: Result) -> None:
    """Read the result, and copy its layers beside the plate."""
    with unrecorded(), group:
        _remove_copies(group)
        read = child(group, "result")
        _read(read, result.files, result)
        below = child(group, "plate")
        for number, layer in enumerate(result.given, start=1):
            if number > 1 and result.further:
                read = nuke.nodes.Read(name=f"copy{number}_result")
                _read(read, result.further[number - 2], result)
            below = _copy(below, read, number, layer, result)
        fill = child(group, "fill_in_rgb")
        fill.setInput(0, below)
        for number, (own, component) in enumerate(zip("rgb", COMPONENTS)):
            blends = [_blend(own, f"{at}.{component}", f"{at}.alpha") for at in result.given]
            fill[f"expr{number}"].setValue(_chosen(blends))
        fill["disable"].setExpression(f"1 - parent.{panel.MERGE}")


def unwire(group: nuke.Group) -> None:
    """Let the plate through as it is; the result's files are not touched."""
    with unrecorded(), group:
        _remove_copies(group)
        fill = child(group, "fill_in_rgb")
        fill.setInput(0, child(group, "plate"))
        fill["disable"].clearAnimated()
        fill["disable"].setValue(True)
        child(group, "result")["disable"].setValue(True)


def wired_files(group: nuke.Group) -> Optional[Path]:
    """The pattern of the result that the node shows; None while it shows none."""
    read = child(group, "result")
    return None if read["disable"].value() else Path(str(read["file"].value()))


def show_view(group: nuke.Group, view: str) -> None:
    """Give out that view alone, in all views; an empty name gives out every view as it is."""
    with unrecorded():
        node = child(group, "one_view")
        if view:
            node["view"].setValue(view)
        node["disable"].setValue(not view)


def _write_node(name: str, source: nuke.Node) -> None:
    """A Write that is disabled, so that rendering the script never runs it."""
    write = nuke.nodes.Write(name=name, inputs=[source], disable=True)
    prepare_write(write, ".exr")


def _read(read: nuke.Node, files: str, result: Result) -> None:
    """Have the Read give one pattern of the result, from files read anew."""
    read["file"].setValue(files.replace("\\", "/"))
    for name, value in (
        ("first", result.first), ("last", result.last),
        ("origfirst", result.first), ("origlast", result.last),
        ("before", "black"), ("after", "black"), ("on_error", "error"),
        ("raw", True), ("disable", False),
    ):  # fmt: skip
        read[name].setValue(value)
    cast(nuke.Script_Knob, read["reload"]).execute()


def _copy(below: nuke.Node, read: nuke.Node, number: int, layer: str, result: Result) -> nuke.Node:
    """One layer of the result, copied over what lies below; returns the last node."""
    is_own_layer = bool(result.layers)
    nuke.Layer(layer, [f"{layer}.{component}" for component in COMPONENTS])
    copy = nuke.nodes.Copy(name=f"copy{number}", inputs=[below, read])
    for index, component in enumerate(COMPONENTS if is_own_layer else COMPONENTS[:3]):
        source = f"{layer}.{component}" if is_own_layer else f"rgba.{component}"
        copy[f"from{index}"].setValue(source)
        copy[f"to{index}"].setValue(f"{layer}.{component}")
    if is_own_layer:
        return copy
    # Without a layer the whole picture is the fill, so its alpha is 1 wherever there is one: at
    # other frames the Read is black, and the plate has to be seen.
    copy["from3"].setValue("none")
    copy["to3"].setValue("none")
    opaque = nuke.nodes.Expression(name=f"copy{number}_alpha", inputs=[copy])
    opaque["channel0"].setValue(f"{layer}.alpha")
    opaque["expr0"].setValue(f"frame >= {result.first} && frame <= {result.last}")
    return opaque


def _remove_copies(group: nuke.Group) -> None:
    """Remove what an earlier result was copied with."""
    for node in list(group.nodes()):
        if node.name().startswith("copy"):
            nuke.delete(node)


def _blend(own: str, fill: str, alpha: str) -> str:
    """The expression that puts the fill over a channel: exact where alpha is 0 or 1."""
    return f"{alpha} <= 0 ? {own} : ({alpha} >= 1 ? {fill} : {own} + ({fill} - {own}) * {alpha})"


def _chosen(blends: Sequence[str]) -> str:
    """The expression of the take that the panel names: a first and a last one are always there."""
    found = blends[-1]
    for take in range(len(blends) - 1, 0, -1):
        found = f"parent.{panel.TAKE} <= {take} ? ({blends[take - 1]}) : ({found})"
    return found


def _choose(knob: nuke.Enumeration_Knob, wanted: str) -> None:
    """Choose an entry however this release spells it; leave the default where there is none."""
    for entry in knob.values():
        if str(entry).lower() == wanted.lower():
            knob.setValue(entry)
            return
