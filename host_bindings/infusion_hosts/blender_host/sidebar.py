"""Sidebar: the panel in the compositor, with the buttons, the status and every knob."""

from __future__ import annotations

import textwrap
from typing import Any, List, Tuple

import bpy

from infusion_hosts.blender_host import sessions
from infusion_hosts.blender_host.active import meant_node
from infusion_hosts.blender_host.adding import AddNodeOperator
from infusion_hosts.blender_host.group import kept_result
from infusion_hosts.blender_host.opening import (
    DoctorOperator,
    OpenLogOperator,
    OpenReportOperator,
    RevealFilesOperator,
)
from infusion_hosts.blender_host.operators import (
    CancelOperator,
    InpaintOperator,
    NewTakeOperator,
    time_left,
)
from infusion_hosts.blender_host.preview import icon_of
from infusion_hosts.blender_host.tree import TREE
from infusion_node.panel import PANEL
from infusion_node.status import State, Status
from infusion_node.wire.knobs import Group

CATEGORY = "Infusion"
PREVIEW_LINES = 8.0
"""Height of the preview in lines of text."""
_ICONS = {State.DONE: "CHECKMARK", State.FAILED: "ERROR", State.CANCELLED: "CANCEL"}
_LETTER_PIXELS = 6.5  # about the width of one in Blender's own font at its usual size
_BESIDE_PIXELS = 50  # of the sidebar's width: its tabs, and the margins of panel and box
_ICON_LETTERS = 5  # as wide as an icon
_FEWEST_LETTERS = 16


class StatusPanel(bpy.types.Panel):
    """Buttons, progress, and what the last run has to say."""

    bl_idname = "INFUSION_PT_status"
    bl_label = "Infusion Inpaint"
    bl_space_type = "NODE_EDITOR"
    bl_region_type = "UI"
    bl_category = CATEGORY

    @classmethod
    def poll(cls, context: Any) -> bool:
        """True in the compositor."""
        return bool(context.space_data.tree_type == TREE)

    def draw(self, context: Any) -> None:
        """Draw it for the node that is meant."""
        layout = self.layout
        node = meant_node(context)
        if node is None:
            layout.label(text="No Infusion Inpaint node is chosen.")
            layout.operator(AddNodeOperator.bl_idname, text="Add one", icon="ADD")
            return
        group = node.node_tree
        status = sessions.status_of(group)
        row = layout.row(align=True)
        if status.state.is_working:
            row.operator(CancelOperator.bl_idname, icon="CANCEL").node = node.name
        else:
            row.operator(InpaintOperator.bl_idname, icon="PLAY").node = node.name
            row.operator(NewTakeOperator.bl_idname, icon="ADD").node = node.name
        width = context.region.width if context.region is not None else 260
        scale = context.preferences.system.ui_scale or 1.0  # 0: no window
        draw_status(layout, status, int((width / scale - _BESIDE_PIXELS) / _LETTER_PIXELS))
        result = kept_result(group)
        if result is not None and (len(result.layers) > 1 or group.infusion.knobs.takes > 1):
            layout.prop(group.infusion, "shown_take")
        row = layout.row(align=True)
        # Their whole names are wider than half a sidebar.
        row.operator(OpenReportOperator.bl_idname, text="Report", icon="URL")
        row.operator(RevealFilesOperator.bl_idname, text="Files", icon="FILE_FOLDER")
        row.operator(OpenLogOperator.bl_idname, text="Log", icon="TEXT")
        layout.operator(DoctorOperator.bl_idname, icon="HEART")


def draw_status(layout: Any, status: Status, letters: int) -> None:
    """The bar, the words, the log's last line, the picture and the warnings.

    Lines have `letters`.
    """
    box = layout.box().column(align=True)
    if status.state.is_working and status.fraction is not None:
        left = time_left(status)
        text = f"{100 * status.fraction:.0f} %{left and f', {left}'}"
        box.progress(factor=status.fraction, text=text)
    draw_text(box, status.line, letters, _ICONS.get(status.state, "NONE"))
    if status.remedy:
        draw_text(box, status.remedy, letters)
    if status.details:  # the last thing that was printed; Log has the rest
        draw_text(box, status.details[-1], letters)
    icon = 0 if status.preview is None else icon_of(status.preview)
    if icon:
        layout.template_icon(icon_value=icon, scale=PREVIEW_LINES)
    for warning in status.warnings:
        draw_text(layout.column(align=True), warning, letters, "INFO")


def draw_text(layout: Any, text: str, letters: int, icon: str = "NONE") -> None:
    """A sentence in as many labels as it takes: labels do not wrap."""
    room = letters if icon == "NONE" else letters - _ICON_LETTERS
    lines = textwrap.wrap(text, max(_FEWEST_LETTERS, room), break_on_hyphens=False)
    for number, line in enumerate(lines):
        layout.label(text=line, icon=icon if number == 0 else "NONE")


def _knob_panel(heading: Group) -> type:
    """The panel of one group of knobs, below the first."""

    def draw(self: Any, context: Any) -> None:
        layout = self.layout
        layout.use_property_split = True
        layout.use_property_decorate = False
        node = meant_node(context)
        column = layout.column()
        for knob in PANEL:
            if node is not None and knob.group is heading:
                column.prop(node.node_tree.infusion.knobs, knob.name)

    def poll(_cls: type, context: Any) -> bool:
        return meant_node(context) is not None

    return type(
        f"INFUSION_PT_{heading.name.lower()}",
        (bpy.types.Panel,),
        {
            "bl_idname": f"INFUSION_PT_{heading.name.lower()}",
            "bl_label": heading.value,
            "bl_parent_id": StatusPanel.bl_idname,
            "bl_space_type": "NODE_EDITOR",
            "bl_region_type": "UI",
            "bl_category": CATEGORY,
            "bl_options": {"DEFAULT_CLOSED"} if heading is Group.MACHINE else set(),
            "draw": draw,
            "poll": classmethod(poll),
        },
    )


def panel_classes() -> Tuple[type, ...]:
    """The panels in the order in which they stand: the status, then each group that has knobs."""
    used: List[Group] = [
        heading for heading in Group if any(knob.group is heading for knob in PANEL)
    ]
    return (StatusPanel, *map(_knob_panel, used))
