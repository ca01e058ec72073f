"""Sessions: which InfusionNode belongs to which Group, also after opening, pasting and undoing."""

from __future__ import annotations

import os
import uuid
from contextlib import suppress
from typing import Dict, Optional, cast

import nuke

from infusion_hosts.nuke_host import panel
from infusion_hosts.nuke_host.binding import NukeHost, ours
from infusion_hosts.nuke_host.group import NAME, Result, build, show_view, unwire, wire
from infusion_hosts.nuke_host.panel import unrecorded
from infusion_hosts.nuke_host.updates import Follower
from infusion_node.engine import farm_beside, find_engine
from infusion_node.errors import NodeError
from infusion_node.job_folder import JobFolder, RunFolder, Where
from infusion_node.node import InfusionNode
from infusion_node.status import State, Status

_SESSIONS: Dict[str, Session] = {}
"""Every node at work, by its hidden identity. Nuke's callbacks and buttons come with nothing but
the node, so what belongs to it has to be found again in a table of the process."""


class Session:
    """One Group and the node's core behind it."""

    def __init__(self, group: nuke.Group) -> None:
        self.group = group
        self.host = NukeHost(group)
        self.node = InfusionNode(self.host)
        self.follower: Optional[Follower] = None

    @property
    def is_alive(self) -> bool:
        """False once the Group was deleted or its script closed."""
        try:
            return bool(self.group.name())
        except ValueError:  # Nuke's answer for a node that is no more
            return False

    def last_run(self) -> Optional[RunFolder]:
        """The folder of the last run, whoever started it; None before the first."""
        if self.node.run is not None:
            return self.node.run
        if not self.group[panel.WORKSPACE].value():
            return None
        with suppress(NodeError):
            return JobFolder(self.host.workspace()).latest_run()
        return None

    def last_where(self) -> Where:
        """Who does, or did, the last run."""
        run = self.last_run()
        record = None if run is None else run.read_record()
        return Where.HERE if record is None else record.where

    def show(self, status: Status) -> None:
        """Show a status: in the panel, and with a run's end in the graph. Main thread only."""
        panel.show(self.group, status)
        run = self.node.run
        if status.state.is_working or run is None:
            return
        if status.state is State.DONE:
            result = _result_of(status, str(self.group["layer"].value()))
            if result is not None:
                wire(self.group, result)
                show_view(self.group, self._view())
        with unrecorded():
            self.group[panel.SETTLED].setValue(run.path.name)

    def follow(self) -> None:
        """Keep the panel up to date until the run has ended; returns at once."""
        self.unfollow()
        self.follower = Follower(self.node, self.show, lambda: self.is_alive, self.group.name())
        self.follower.start()

    def unfollow(self) -> None:
        """Let an earlier run that has not been shown yet be."""
        if self.follower is not None:
            self.follower.stop()
            self.follower = None

    def clear(self) -> None:
        """Take the fill out of the node and forget the run; files are kept. Not while it works."""
        run = self.last_run()
        self.unfollow()
        self.node = InfusionNode(self.host)
        unwire(self.group)
        show_view(self.group, "")
        with unrecorded():
            self.group[panel.SETTLED].setValue("" if run is None else run.path.name)
        panel.show(self.group, self.node.status)

    def _view(self) -> str:
        """The node's view, or nothing where that is unclear by now."""
        try:
            return self.host.view()
        except NodeError:
            return ""


def register() -> None:
    """Have Nuke tell of every Group that is made, read from a script or pasted, and changed."""
    nuke.addOnCreate(_created, nodeClass="Group")
    nuke.addKnobChanged(_changed, nodeClass="Group")


def create() -> nuke.Group:
    """A new Infusion Inpaint below the selected node, as every node of Nuke's menu is made."""
    selected = nuke.selectedNodes()
    group = cast(nuke.Group, nuke.createNode("Group", inpanel=False))
    group.setName(NAME)
    build(group)
    if len(selected) == 1:  # a Group without inputs, as it was made, was not connected
        group.setInput(0, selected[0])
    _adopt(group)
    if nuke.GUI:
        group.showControlPanel()
    return group


def session_of(group: nuke.Group) -> Session:
    """The session of a node, made when it has none."""
    identity = str(group[panel.IDENTITY].value() or "")
    found = _SESSIONS.get(identity)
    if not identity or found is None or not found.is_alive:
        found = _adopt(group)
    return found


def _created() -> None:
    """What Nuke calls for each Group, before the nodes inside of it are there."""
    node = nuke.thisNode()
    if not panel.is_ours(node):
        return
    known = _SESSIONS.get(str(node[panel.IDENTITY].value()))
    if known is not None and known.is_alive and known.group.fullName() == node.fullName():
        return  # both NUKE_PATH and an init.py name our folder, so Nuke tells twice
    session = _adopt(cast(nuke.Group, node))
    if nuke.GUI:
        _attach(session)


def _changed() -> None:
    """What Nuke calls for each knob of each Group that is changed in a panel."""
    node = nuke.thisNode()
    if nuke.thisKnob().name() == "engine" and panel.is_ours(node):
        _show_farm(cast(nuke.Group, node))


def _adopt(group: nuke.Group) -> Session:
    """Give a Group a session; one that was copied gets an identity and a folder of its own."""
    identity = str(group[panel.IDENTITY].value() or "")
    others = {str(node[panel.IDENTITY].value()) for node in ours(group)}
    with unrecorded():
        if not identity or identity in others:
            group[panel.WORKSPACE].setValue("")
            group[panel.SETTLED].setValue("")
            identity = uuid.uuid4().hex
            group[panel.IDENTITY].setValue(identity)
            panel.show(group, Status())  # what it came with is the other node's
        _show_farm(group)
    _SESSIONS[identity] = Session(group)
    return _SESSIONS[identity]


def _show_farm(group: nuke.Group) -> None:
    """Show Send to farm where the engine that the node would start has the farm's command."""
    try:
        engine, _ = find_engine(str(group["engine"].value() or "") or None, os.environ)
        farm_beside(engine)
    except NodeError:
        group[panel.SEND_TO_FARM].setVisible(False)
    else:
        group[panel.SEND_TO_FARM].setVisible(True)


def _attach(session: Session) -> None:
    """Find a run that went on, or ended, while the script was closed."""
    run = session.last_run()
    if run is None:
        panel.show(session.group, Status())  # its runs are elsewhere, and nobody follows them
        return
    if run.path.name == str(session.group[panel.SETTLED].value()):
        return
    if session.node.attach().state is not State.IDLE:
        session.follow()  # shows it once the script has been read to its end


def _result_of(status: Status, layer: str) -> Optional[Result]:
    """What a run has written; None where its engine did not tell."""
    if status.result is None or status.frames is None:
        return None
    frames = status.frames
    further = status.further_results
    return Result(status.result, frames.first, frames.last, status.layers, layer, further)
