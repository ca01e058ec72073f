"""Runs the node without Nuke's GUI: `nuke -t terminal.py --frames=1001-1048 comp.nk [NODE ...]`.

Nuke takes a number or a frame range at the end of its command line for itself, so the frames are
given with `--frames=` and the script or a node's name stands last.
"""

from __future__ import annotations

import argparse
import signal
import sys
import time
from contextlib import suppress
from typing import Callable, List, Optional, Sequence, Tuple, cast

import nuke

from infusion_hosts.nuke_host import panel
from infusion_hosts.nuke_host.binding import ours
from infusion_hosts.nuke_host.sessions import Session, session_of
from infusion_node.errors import NodeError
from infusion_node.job_folder import Where
from infusion_node.node import POLL_SECONDS
from infusion_node.status import State, Status

Say = Callable[[str], None]
"""Tells the person at the terminal one line."""


def run(group: nuke.Group, say: Say) -> Status:
    """Inpaint one node and wait for its end; the status is the last one. Ctrl-C stops it."""
    session = session_of(group)
    try:
        _wait_for_another(session, say)
        steps = session.node.inpaint(session.host.shown())
    except NodeError as error:
        return Status(State.FAILED, error.message, error.remedy)
    for status in steps:
        say(status.line)
    while session.node.status.state is State.RUNNING:
        try:
            _follow(session, say)
        except KeyboardInterrupt:  # noqa: PERF203 - it may come at any look
            session.node.cancel()  # the engine would go on without us
    session.show(session.node.status)
    return session.node.status


def _wait_for_another(session: Session, say: Say) -> None:
    """Wait for a run that somebody else has started on the node; it is theirs to cancel.

    It may be for other frames or settings, so what was asked here is done after it: from the same
    fits, where they are the same.
    """
    if session.last_where() is Where.HERE and session.node.attach().state is State.RUNNING:
        run = session.node.run
        say(f"A run goes on already{'' if run is None else f', {run.path}'}: waiting for its end.")
        _follow(session, say)


def _follow(session: Session, say: Say) -> None:
    """Say what the engine says, until its end."""
    told = panel.status_text(session.node.status)
    while session.node.status.state is State.RUNNING:
        time.sleep(POLL_SECONDS)
        text = panel.status_text(session.node.poll())
        if text != told:
            told = text
            say(text)


def main(arguments: Sequence[str]) -> int:
    """Open a script, run its nodes one after another; 0 when all are done, else 1."""
    parser = argparse.ArgumentParser(prog="nuke -t terminal.py", description=__doc__)
    parser.add_argument("--frames", help="frames to write instead of each node's own")
    parser.add_argument("--save", action="store_true", help="save the script afterwards")
    parser.add_argument("script", help="the Nuke script")
    parser.add_argument("node", nargs="*", help="names of nodes; all of ours without any")
    asked = parser.parse_args(arguments)
    with suppress(ValueError, OSError):  # not ours to set where Nuke keeps it for itself
        signal.signal(signal.SIGTERM, signal.default_int_handler)  # a farm stops with it
    nuke.scriptOpen(asked.script)
    nodes, missing = _nodes(asked.node)
    if missing is not None:
        nuke.tprint(missing)
        return 1
    failed = False
    for group in nodes:
        if asked.frames:
            group["frames"].setValue(asked.frames)
        nuke.tprint(f"{group.fullName()}:")
        status = run(group, lambda line: nuke.tprint(f"  {line}"))
        if status.state is not State.DONE:
            failed = True
            nuke.tprint(f"  {status.line} {status.remedy}".rstrip())
    if asked.save:
        nuke.scriptSave(asked.script)
    return 1 if failed else 0


def _nodes(names: List[str]) -> Tuple[List[nuke.Group], Optional[str]]:
    """The nodes of those names, or all of ours; and what to say when one is missing."""
    found = [cast(nuke.Group, node) for node in ours()]
    if not names:
        return found, None if found else "There is no Infusion Inpaint in this script."
    by_name = {group.fullName(): group for group in found}
    for name in names:
        if name not in by_name:
            there = ", ".join(sorted(by_name)) or "there are none"
            return [], f"There is no Infusion Inpaint called '{name}'; found: {there}."
    return [by_name[name] for name in names], None


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
