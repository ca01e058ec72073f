"""Buttons: what each button of the panel does; what goes wrong becomes a message."""

from __future__ import annotations

import os
import threading
import webbrowser
from pathlib import Path

import nuke

from infusion_hosts.nuke_host import panel
from infusion_hosts.nuke_host.group import wired_files
from infusion_hosts.nuke_host.sessions import Session, session_of
from infusion_hosts.nuke_host.updates import Bar
from infusion_node.doctor import doctor_says
from infusion_node.errors import NodeError
from infusion_node.job_folder import JobFolder, Where
from infusion_node.status import State, Status


def inpaint(group: nuke.Group, where: Where = Where.HERE) -> None:
    """Serialise with a progress window, start the engine, and leave the rest to a thread."""
    session = session_of(group)
    if nuke.executing():
        nuke.message("Nuke is rendering. Press the button again when it is done.")
        return
    try:
        steps = session.node.inpaint(session.host.shown(), where)
    except NodeError as error:
        nuke.message(str(error))
        return
    session.unfollow()  # only now: a run that was there already is still being followed
    bar = Bar(f"Infusion Inpaint: {group.name()}")
    status = session.node.status
    for status in steps:
        if bar.show(status):
            session.node.cancel()
    bar.close()
    _begin_or_say(session, status)


def cancel(group: nuke.Group) -> None:
    """Ask what is going on to stop; the panel tells when it has."""
    node = session_of(group).node
    if node.status.state.is_working:
        node.cancel()
    else:
        nuke.message("This node is not at work.")


def new_take(group: nuke.Group) -> None:
    """Move the seed past the takes that there are, and inpaint from the same fits.

    Those of a run that a farm did are the farm's.
    """
    session = session_of(group)
    if session.node.status.state.is_working:
        nuke.message("This node is at work. Cancel it, or wait until it is done.")
        return
    seed = group["seed"]
    seed.setValue(int(seed.value()) + max(1, int(group["takes"].value())))
    inpaint(group, session.last_where())


def send_to_farm(group: nuke.Group) -> None:
    """Serialise, hand the job to the farm's command, and wait for its frames on a thread."""
    inpaint(group, Where.FARM)


def open_report(group: nuke.Group) -> None:
    """Open the last run's page."""
    session = session_of(group)
    if session.last_where() is Where.FARM:
        nuke.message("A farm's run has no report: none of its tasks sees all of the work.")
        return
    run = session.last_run()
    page = None if run is None else run.report / "index.html"
    if page is None or not page.is_file():
        nuke.message("There is no report yet. It is written as soon as the engine works.")
        return
    webbrowser.open(page.as_uri())


def reveal_files(group: nuke.Group) -> None:
    """Open the folder of the result, or the node's own folder while there is none."""
    session = session_of(group)
    try:
        workspace = session.host.workspace()
    except NodeError as error:
        nuke.message(str(error))
        return
    found = session.node.status.result
    run = session.last_run()
    own = [] if run is None else [run.result]
    wired = [path.parent for path in (wired_files(group),) if path is not None]
    folders = ([Path(found).parent] if found else []) + own + wired + [workspace]
    for folder in folders:
        if folder.is_dir():
            webbrowser.open(folder.as_uri())
            return
    nuke.message(f"There are no files yet. They will be in {JobFolder(workspace).path}.")


def clear(group: nuke.Group) -> None:
    """Let the plate through again; the files stay where they are."""
    session = session_of(group)
    if session.node.status.state.is_working:
        nuke.message("This node is at work. Cancel it first.")
        return
    session.clear()


def doctor(group: nuke.Group) -> None:
    """Ask the engine's doctor on a thread, and show its page when it has answered."""
    try:
        held = panel.shown(group)
    except NodeError as error:
        nuke.message(str(error))
        return

    def ask() -> None:
        try:
            said = doctor_says(held, os.environ)
        except NodeError as error:
            said = str(error)
        nuke.executeInMainThread(nuke.message, args=(said,))

    threading.Thread(target=ask, name="infusion-doctor", daemon=True).start()


def _begin_or_say(session: Session, status: Status) -> None:
    """Follow a run that has begun; say at once why one has not."""
    if status.state is State.RUNNING:
        session.follow()  # first: a run has to be looked after, whatever the panel says to it
    session.show(status)
    if status.state is State.FAILED:
        nuke.message(f"{status.line} {status.remedy}".rstrip())
