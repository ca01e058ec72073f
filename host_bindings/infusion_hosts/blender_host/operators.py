"""Operators: Inpaint, which runs the engine without blocking Blender, another take, and Cancel."""

from __future__ import annotations

import time
from typing import Any, Set

import bpy

from infusion_hosts.blender_host import sessions
from infusion_hosts.blender_host.active import meant_node, our_nodes, own_group
from infusion_hosts.blender_host.sessions import Session, session_of
from infusion_hosts.blender_host.tree import TREE
from infusion_node.errors import NodeError
from infusion_node.status import State, Status, spoken

TICK_SECONDS = 0.1
"""How often the modal operator writes a frame or reads what the engine said."""

RENDERING = "Blender is rendering. Press the button again when it is done."
"""What a button says while no tree may be rendered or changed."""


def node_name() -> Any:
    """The property by which a button or a script says which node it means."""
    words = "Name of the node; empty for the active one"
    return bpy.props.StringProperty(name="Node", description=words, options={"SKIP_SAVE"})


class InpaintOperator(bpy.types.Operator):
    """Hand plate and matte to the engine, and take the new layer in when it is done."""

    bl_idname = "infusion.inpaint"
    bl_label = "Inpaint"
    bl_options = {"UNDO"}  # noqa: RUF012 - Blender reads it as it stands
    __annotations__ = {"node": node_name()}

    @classmethod
    def poll(cls, context: Any) -> bool:
        """True when there is a node of ours."""
        return bool(our_nodes(context))

    def execute(self, context: Any) -> Set[str]:
        """Run to the end: for scripts and for Blender without a window."""
        session = self._begun(context)
        if session is None:
            return {"CANCELLED"}
        status = session.step()
        while status.state.is_working:
            if status.state is State.RUNNING:
                time.sleep(TICK_SECONDS)
            status = session.step()
        return self._reported(status)

    def invoke(self, context: Any, _event: Any) -> Set[str]:
        """Start, and come back with every tick of a timer; without a window, run to the end."""
        return self.execute(context) if bpy.app.background else self._started(context)

    def modal(self, context: Any, event: Any) -> Set[str]:
        """Step with the timer, stop with Esc over a compositor, leave all else to Blender."""
        is_escape = event.type == "ESC" and event.value == "PRESS"
        if is_escape and is_over_compositor(context, event):
            self._session.node.cancel()
            return {"RUNNING_MODAL"}
        if event.type != "TIMER":
            return {"PASS_THROUGH"}
        try:
            status = self._session.step()
            if status.state.is_working:
                show_progress(context, status)
                return {"PASS_THROUGH"}
        except Exception as error:  # noqa: BLE001 - Blender would leave header and timer as they are
            self._leave(context)
            sessions.watch()
            self.report({"ERROR"}, sessions.trouble(error))
            return {"CANCELLED"}
        self._leave(context)
        return self._reported(status)

    def cancel(self, context: Any) -> None:
        """Blender ends the operator, for instance with its window; the timer goes on with it."""
        self._leave(context)
        sessions.watch()

    def _started(self, context: Any) -> Set[str]:
        """Begin, and take hold of the timer, the cursor and the window's events."""
        session = self._begun(context)
        if session is None:
            return {"CANCELLED"}
        session.has_operator = True
        self._session: Session = session
        manager = context.window_manager
        self._timer: Any = manager.event_timer_add(TICK_SECONDS, window=context.window)
        manager.progress_begin(0, 100)
        manager.modal_handler_add(self)
        return {"RUNNING_MODAL"}

    def _begun(self, context: Any) -> Any:
        """The session of the node that is meant, at work; None when it could not be begun."""
        node = meant_node(context, self.node)
        if node is None:
            self.report({"ERROR"}, "There is no such Infusion Inpaint node.")
            return None
        if sessions.is_rendering():
            self.report({"ERROR"}, RENDERING)
            return None
        session = session_of(own_group(node))
        try:
            session.begin()
        except NodeError as error:
            self.report({"ERROR"}, str(error))
            return None
        return session

    def _leave(self, context: Any) -> None:
        """Give back the timer, the cursor and the texts."""
        self._session.has_operator = False
        context.window_manager.event_timer_remove(self._timer)
        context.window_manager.progress_end()
        show_progress(context, None)

    def _reported(self, status: Status) -> Set[str]:
        """Say how it ended."""
        if status.state is State.FAILED:
            self.report({"ERROR"}, f"{status.line} {status.remedy}".rstrip())
            return {"CANCELLED"}
        self.report({"INFO"}, status.line)
        return {"FINISHED"} if status.state is State.DONE else {"CANCELLED"}


class NewTakeOperator(bpy.types.Operator):
    """Inpaint again with new seeds: another fill from the same fits, so it costs little."""

    bl_idname = "infusion.new_take"
    bl_label = "New take"
    bl_options = {"UNDO"}  # noqa: RUF012 - Blender reads it as it stands
    __annotations__ = {"node": node_name()}

    @classmethod
    def poll(cls, context: Any) -> bool:
        """True when there is a node of ours."""
        return bool(our_nodes(context))

    def execute(self, context: Any) -> Set[str]:
        """Move the seed past the takes that there are, and inpaint."""
        node = meant_node(context, self.node)
        if node is None:
            self.report({"ERROR"}, "There is no such Infusion Inpaint node.")
            return {"CANCELLED"}
        if sessions.is_rendering():
            self.report({"ERROR"}, RENDERING)
            return {"CANCELLED"}
        knobs = own_group(node).infusion.knobs
        knobs.seed += max(1, knobs.takes)
        how = "EXEC_DEFAULT" if bpy.app.background else "INVOKE_DEFAULT"
        try:
            answer = bpy.ops.infusion.inpaint(how, node=node.name)
        except RuntimeError as error:  # what the other operator reported
            self.report({"ERROR"}, str(error).strip())
            return {"CANCELLED"}
        return {"CANCELLED"} if "CANCELLED" in answer else {"FINISHED"}


class CancelOperator(bpy.types.Operator):
    """Stop the run; everything finished is kept, and Inpaint goes on from there."""

    bl_idname = "infusion.cancel"
    bl_label = "Cancel"
    __annotations__ = {"node": node_name()}

    @classmethod
    def poll(cls, context: Any) -> bool:
        """True when a node of ours is at work."""
        groups = [node.node_tree for node in our_nodes(context)]
        return any(sessions.status_of(group).state.is_working for group in groups)

    def execute(self, context: Any) -> Set[str]:
        """Ask for the end; it is there within seconds."""
        node = meant_node(context, self.node)
        if node is None:
            return {"CANCELLED"}
        session_of(node.node_tree).node.cancel()
        return {"FINISHED"}


def is_over_compositor(context: Any, event: Any) -> bool:
    """True when the mouse is over a compositor, its sidebar and header included.

    Elsewhere Esc ends something else: a transform, playback, a menu.
    """
    return any(
        area.type == "NODE_EDITOR"
        and area.ui_type == TREE
        and area.x <= event.mouse_x < area.x + area.width
        and area.y <= event.mouse_y < area.y + area.height
        for area in context.window.screen.areas
    )


def show_progress(context: Any, status: Any) -> None:
    """Show a status in the compositors' headers, the status bar and the cursor; None: no more."""
    text = None if status is None else header_text(status)
    if status is not None and status.fraction is not None:
        context.window_manager.progress_update(100 * status.fraction)
    if context.workspace is not None:
        context.workspace.status_text_set(text)
    for window in context.window_manager.windows:
        for area in window.screen.areas:
            if area.type == "NODE_EDITOR":
                area.header_text_set(text)
                area.tag_redraw()


def header_text(status: Status) -> str:
    """A status as one line for a header."""
    share = "" if status.fraction is None else f"{100 * status.fraction:.0f} %  "
    left = time_left(status)
    known = f"{share}{status.line}{left and f'  About {left}.'}"
    return f"Infusion: {known}  Esc over the compositor cancels."


def time_left(status: Status) -> str:
    """Such as `4 min left`; nothing where that is not known, or the status's line says it."""
    if status.eta_seconds is None or "left" in status.line:
        return ""
    return f"{spoken(status.eta_seconds)} left"
