"""Sessions: which node of the core belongs to which group, and finding runs again after loading."""

from __future__ import annotations

import sys
from typing import Any, Callable, Dict, Iterator, List, Optional

import bpy

from infusion_hosts.blender_host import group as groups
from infusion_hosts.blender_host.binding import BlenderHost, has_folder_of_another
from infusion_hosts.blender_host.properties import shown
from infusion_hosts.blender_host.tree import TREE
from infusion_node.errors import SetupError
from infusion_node.node import InfusionNode
from infusion_node.status import State, Status

POLL_SECONDS = 0.5
"""How often runs that were found again are looked after."""


class Session:
    """One group's node at work: writing frames, following the engine, taking in the result."""

    def __init__(self, group_id: int) -> None:
        self.group_id = group_id
        self.node = InfusionNode(BlenderHost(group_id))
        self.has_operator = False
        """True while a modal operator steps it; else the timer does."""
        self._writing: Optional[Iterator[Status]] = None
        self._waiting: List[Callable[[], None]] = []
        self._complaint = ""

    def begin(self) -> None:
        """Start a run with what the panel holds.

        Raises:
            NodeError: it is at work already, or its group is not to be changed.
        """
        group = found_group(self.group_id)
        if group is None or group.library is not None:
            raise SetupError("The node's group is linked.", remedy="Make it local.")
        self._writing = self.node.inpaint(shown(group))

    def step(self) -> Status:
        """Write one more frame, or read what the engine said; takes in a result that is done.

        While Blender renders nothing is rendered or rebuilt: its render reads the same trees.
        """
        before = self.node.status
        if self._writing is not None:
            if is_rendering():
                return before
            status = next(self._writing, None)
            if status is None or not status.state.is_working:
                self._writing = None
        else:
            self.node.poll()
        status = self.node.status
        if status.state is State.DONE and before.state is not State.DONE:
            self.once_not_rendering(self.take_in)
        self.do_what_waits()
        return status

    def once_not_rendering(self, change: Callable[[], None]) -> None:
        """Make a change to the group now, or when Blender's render is over."""
        self._waiting.append(change)
        self.do_what_waits()
        if self._waiting:
            watch()

    def do_what_waits(self) -> None:
        """Make the changes that waited for the end of a render, unless it goes on."""
        while self._waiting and not is_rendering():
            self._waiting.pop(0)()

    @property
    def is_busy(self) -> bool:
        """True while it has to be stepped."""
        return self.node.status.state.is_working or bool(self._waiting)

    def attach(self) -> Status:
        """Find the last run again; one that is done is wired in unless it is already.

        A group that was never run has no folder yet, and is not given somebody else's; a copy goes
        on showing what it came with, and the other's run is not its to cancel.
        """
        group = found_group(self.group_id)
        if group is None or not group.infusion.folder or has_folder_of_another(group):
            return self.node.status
        status = self.node.attach()
        if status.state is State.DONE:
            self.once_not_rendering(lambda: self.take_in(anew=False))
        return status

    def complain(self, error: Exception) -> None:
        """Say in the terminal what went wrong, once and not with every tick."""
        if repr(error) != self._complaint:
            self._complaint = repr(error)
            sys.stderr.write(f"{trouble(error)}\n")

    def take_in(self, *, anew: bool = True) -> None:
        """Wire the result of the run that is done into the group.

        Unless `anew`, a group that holds that result already is left as it is.
        """
        group, status = found_group(self.group_id), self.node.status
        if group is None or status.result is None or status.frames is None:
            return
        frames = status.frames
        result = groups.Result(status.result, frames.first, frames.last, status.layers)
        if anew or groups.kept_result(group) != result:
            groups.keep_result(group, result)


# Operators, panels and handlers are classes and functions that Blender calls without anything of
# ours in hand, so what belongs to a group has to be found by the group alone.
SESSIONS: Dict[int, Session] = {}
"""The sessions of the file that is open, by their group's `session_uid`."""


def session_of(group: Any) -> Session:
    """The group's session, made when it has none."""
    return SESSIONS.setdefault(group.session_uid, Session(group.session_uid))


def status_of(group: Any) -> Status:
    """What to show of a group."""
    session = SESSIONS.get(group.session_uid)
    return Status() if session is None else session.node.status


def found_group(group_id: int) -> Optional[Any]:
    """The group of that `session_uid`; None when it is gone."""
    return next((g for g in infusion_groups() if g.session_uid == group_id), None)


def infusion_groups() -> Iterator[Any]:
    """All groups of ours in the open file."""
    for group in bpy.data.node_groups:
        if group.bl_idname == TREE and group.infusion.is_node:
            yield group


def attach_all() -> None:
    """Find the runs of every group of the open file again, and look after those that go on."""
    for group in infusion_groups():
        if group.library is None:
            session = session_of(group)
            try:
                session.attach()
            except Exception as error:  # noqa: BLE001 - the others have to be found, too
                session.complain(error)
    watch()


def watch() -> None:
    """Have Blender's timer look after the runs that no operator steps."""
    if not bpy.app.timers.is_registered(step_all):
        bpy.app.timers.register(step_all, first_interval=POLL_SECONDS)


def step_all() -> Optional[float]:
    """Step every run that no operator steps; returns when to be called again, None for never."""
    working = [session for session in SESSIONS.values() if session.is_busy]
    for session in working:
        if not session.has_operator:
            try:
                before = kept_by(session)
                session.step()
                if kept_by(session) != before:
                    push_undo()
            except Exception as error:  # noqa: BLE001 - the others have to be looked after
                session.complain(error)
            redraw()
    return POLL_SECONDS if working else None


def trouble(error: Exception) -> str:
    """What to say of an error that nobody has foreseen."""
    return f"Infusion Inpaint: Blender said {type(error).__name__}: {error}."


def kept_by(session: Session) -> Optional[groups.Result]:
    """The result that a session's group holds; None when it has none, or is gone."""
    group = found_group(session.group_id)
    return None if group is None else groups.kept_result(group)


def push_undo() -> None:
    """Make what the timer has changed a step of its own: else undoing it would undo more.

    What an operator changes Blender makes a step by itself.
    """
    bpy.ops.ed.undo_push(message="Infusion Inpaint")


def is_rendering() -> bool:
    """True while Blender renders in the background of its window."""
    return bool(bpy.app.is_job_running("RENDER"))


def show_take(kept: Any, _context: Any) -> None:
    """Show the take that the artist has chosen."""
    group = kept.id_data
    group_id = group.session_uid

    def rebuild() -> None:
        found = found_group(group_id)
        if found is not None:
            groups.rebuild(found)

    session_of(group).once_not_rendering(rebuild)


def redraw() -> None:
    """Have every compositor on screen draw itself again."""
    for window in bpy.context.window_manager.windows:
        for area in window.screen.areas:
            if area.type == "NODE_EDITOR":
                area.tag_redraw()


def forget_all() -> None:
    """Drop every session; engines that run go on."""
    SESSIONS.clear()
