"""Registration: everything that Blender has to know of the node, and its taking back."""

from __future__ import annotations

from typing import Any, Tuple

import bpy

from infusion_hosts.blender_host import preview, sessions
from infusion_hosts.blender_host.adding import AddNodeOperator, draw_in_menu
from infusion_hosts.blender_host.opening import (
    DoctorOperator,
    OpenLogOperator,
    OpenReportOperator,
    RevealFilesOperator,
)
from infusion_hosts.blender_host.operators import CancelOperator, InpaintOperator, NewTakeOperator
from infusion_hosts.blender_host.properties import knob_class, node_class
from infusion_hosts.blender_host.sidebar import panel_classes

KNOBS = knob_class()
NODE = node_class(KNOBS, sessions.show_take)

CLASSES: Tuple[Any, ...] = (
    KNOBS,
    NODE,
    AddNodeOperator,
    InpaintOperator,
    NewTakeOperator,
    CancelOperator,
    OpenReportOperator,
    RevealFilesOperator,
    OpenLogOperator,
    DoctorOperator,
    *panel_classes(),
)
"""In the order in which they are registered: what others are made of comes first."""


def register() -> None:
    """Make the node known to Blender, and find the runs of a file that is open already."""
    preview.register()
    for entry in CLASSES:
        bpy.utils.register_class(entry)
    bpy.types.CompositorNodeTree.infusion = bpy.props.PointerProperty(type=NODE)
    bpy.types.NODE_MT_add.append(draw_in_menu)
    bpy.app.handlers.load_pre.append(before_loading)
    bpy.app.handlers.load_post.append(after_loading)
    bpy.app.timers.register(_attach_once, first_interval=0.1)  # data cannot be read just yet


def unregister() -> None:
    """Take all of it back; engines that run go on."""
    for callback in (_attach_once, sessions.step_all):
        if bpy.app.timers.is_registered(callback):
            bpy.app.timers.unregister(callback)
    bpy.app.handlers.load_post.remove(after_loading)
    bpy.app.handlers.load_pre.remove(before_loading)
    bpy.types.NODE_MT_add.remove(draw_in_menu)
    sessions.forget_all()
    del bpy.types.CompositorNodeTree.infusion
    for entry in reversed(CLASSES):
        bpy.utils.unregister_class(entry)
    preview.unregister()


@bpy.app.handlers.persistent
def before_loading(*_arguments: Any) -> None:
    """Forget the runs of the file that is closed."""
    sessions.forget_all()


@bpy.app.handlers.persistent
def after_loading(*_arguments: Any) -> None:
    """Find the runs of the file that was opened."""
    sessions.attach_all()


def _attach_once() -> None:
    """Find the runs of the file in which the extension was enabled."""
    sessions.attach_all()
