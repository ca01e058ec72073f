"""What stories need inside Blender: the extension, a compositor, and someone at its window."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import bpy

PATIENCE = 120.0  # seconds for anything at all: long before this something is wrong


def ours(module: str) -> Any:
    """A module of the extension, as Blender loaded it."""
    return sys.modules[f"infusion_hosts.blender_host.{module}"]


def enable() -> None:
    """Enable the extension as Blender's preferences do."""
    import addon_utils  # bpy puts it on the path

    found = addon_utils.enable("bl_ext.user_default.infusion_inpaint", default_set=True)
    assert found is not None, "the extension could not be enabled"
    copied = Path(found.__file__).parent / "lib"
    assert copied in Path(sys.modules["infusion_node.panel"].__file__ or "").parents


def disable() -> None:
    """Disable the extension as Blender's preferences do."""
    import addon_utils

    addon_utils.disable("bl_ext.user_default.infusion_inpaint", default_set=True)


def compositor() -> Any:
    """The empty compositor of a scene that begins at frame 1001."""
    scene = bpy.context.scene
    scene.frame_start, scene.frame_end = 1001, 1004
    scene.frame_set(1002)
    tree = ours("tree").wanted_scene_tree(scene)
    tree.nodes.clear()
    return tree


def sequence(tree: Any, first_file: str, count: int = 4) -> Any:
    """An Image node over so many files from 1001, at the frames of those numbers."""
    node = tree.nodes.new("CompositorNodeImage")
    node.image = bpy.data.images.load(first_file)
    node.image.source = "SEQUENCE"
    node.frame_duration, node.frame_start, node.frame_offset = count, 1001, 1000
    return node


def set_knobs(node: Any, knobs: dict[str, Any]) -> None:
    """Set widgets of the panel."""
    for name, value in knobs.items():
        setattr(node.node_tree.infusion.knobs, name, value)


def staged(args: dict[str, Any]) -> Any:
    """The node over plate and matte, in a file that was saved."""
    enable()
    tree = compositor()
    plate, matte = sequence(tree, args["plate"]), sequence(tree, args["matte"])
    bpy.ops.infusion.add_node()
    node = tree.nodes["Infusion Inpaint"]
    tree.links.new(plate.outputs["Image"], node.inputs["Image"])
    tree.links.new(matte.outputs["Alpha"], node.inputs["Matte"])
    set_knobs(node, args["knobs"])
    if args.get("blend"):
        bpy.ops.wm.save_as_mainfile(filepath=args["blend"])
    return node


def render(folder: str) -> None:
    """Render what the node gives, as 32-bit float EXR, from a frame before to one after."""
    tree = ours("tree").scene_tree(bpy.context.scene)
    node = tree.nodes["Infusion Inpaint"]
    ours("tree").add_file_output(tree, node.outputs["Image"], Path(folder), mode="RGBA", depth="32")
    scene = bpy.context.scene
    scene.frame_start, scene.frame_end = 1001, 1005
    bpy.ops.render.render(animation=True)
    tree.nodes.remove(next(n for n in tree.nodes if n.bl_idname == "CompositorNodeOutputFile"))


def told(node: Any) -> dict[str, Any]:
    """The node's status and what its group holds."""
    status = ours("sessions").status_of(node.node_tree)
    kept = node.node_tree.infusion
    return {
        "state": status.state.value, "line": status.line, "remedy": status.remedy,
        "pid": status.engine_pid, "details": list(status.details), "folder": kept.folder,
        "result": bpy.path.abspath(kept.result) if kept.result else "",
        "layers": kept.result_layers, "first": kept.result_first, "last": kept.result_last,
    }  # fmt: skip


def inpaint(node: Any) -> str:
    """Run the operator to its end; returns the error it reports, which a script gets raised."""
    try:
        bpy.ops.infusion.inpaint(node=node.name)
    except RuntimeError as error:
        return str(error)
    return ""


class Manager:
    """The window manager, but for the window's events: there is no window that would send any."""

    def __init__(self) -> None:
        self.timers: list[Any] = []

    def event_timer_add(self, seconds: float, *, window: Any) -> Any:
        """Blender's own."""
        self.timers.append(bpy.context.window_manager.event_timer_add(seconds, window=window))
        return self.timers[-1]

    def event_timer_remove(self, timer: Any) -> None:
        """Blender's own."""
        self.timers.remove(timer)
        bpy.context.window_manager.event_timer_remove(timer)

    def modal_handler_add(self, _operator: Any) -> None:
        """The artist sends the events."""

    def __getattr__(self, name: str) -> Any:
        return getattr(bpy.context.window_manager, name)


class Artist:
    """Presses the button in a compositor, and sends the modal operator what a window would."""

    def __init__(self, node: Any) -> None:
        self.operator = ours("operators").InpaintOperator
        self.node = node.name
        self.said: list[str] = []
        self.headers: list[str] = []
        self.manager = Manager()
        self.area = bpy.context.window.screen.areas[0]
        self.area.type = "NODE_EDITOR"
        self.area.ui_type = "CompositorNodeTree"
        window = {"window_manager": self.manager, "space_data": None}
        look = {"__getattr__": lambda _self, name: getattr(bpy.context, name), **window}
        self.context = type("Context", (), look)()
        (answer,) = self.operator._started(self, self.context)
        assert answer == "RUNNING_MODAL"
        self.session = ours("sessions").session_of(node.node_tree)
        assert self.session.has_operator

    def report(self, _kinds: set[str], text: str) -> None:
        """What an operator says at its end."""
        self.said.append(text)

    def __getattr__(self, name: str) -> Any:
        """The operator's own methods, on the artist in its place: nobody else can make one."""
        if name not in ("_begun", "_leave", "_reported"):
            raise AttributeError(name)
        return getattr(self.operator, name).__get__(self)

    def event(self, kind: str, value: str = "NOTHING", *, over: Any = None) -> str:
        """Send one event, the mouse over an area, else the compositor; returns the answer."""
        area = over or self.area
        place = {"mouse_x": area.x + area.width // 2, "mouse_y": area.y + area.height // 2}
        event = type("Event", (), {"type": kind, "value": value, **place})()
        (answer,) = self.operator.modal(self, self.context, event)
        self.headers.append(ours("operators").header_text(self.session.node.status))
        return str(answer)

    def tick_until(self, happened: Callable[[], bool]) -> None:
        """Let the timer tick until something has happened, or the operator has ended."""
        deadline = time.monotonic() + PATIENCE
        while not happened():
            assert time.monotonic() < deadline, f"it never happened: {self.session.node.status}"
            if self.event("TIMER") in ("FINISHED", "CANCELLED"):
                assert not self.manager.timers
                assert not self.session.has_operator
                return
            time.sleep(0.02)

    @property
    def events(self) -> str:
        """What the engine has said so far."""
        run = self.session.node.run
        return run.events.read_text() if run is not None and run.events.exists() else ""
