"""Results: which earlier run goes on, whose frames are kept, and what a run cut short replaced."""

from __future__ import annotations

import os
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Sequence

from infusion_node.errors import BusyError
from infusion_node.follow import EventsReader
from infusion_node.job_folder import JobFolder, RunFolder, Where
from infusion_node.launch import Running
from infusion_node.status import Status
from infusion_node.wire.events import Event, Failed, Finished

KEPT = 2
"""How many finished results stay when a further run begins: the one that is shown, and the one
before it, which an older version of the script, or a copy of the node, may still show."""


def remove_old_results(folder: JobFolder) -> None:
    """Remove the frames of earlier runs but the last finished ones; called before a run begins.

    What a farm does or did is never touched, nor is a run that may still be going on. Of a run that
    did not end well, what it wrote goes: its fits are in the cache. What a disk will not remove
    stays.
    """
    kept = 0
    for run in folder.runs():
        record = run.read_record()
        if not run.result.is_dir() or record is None or record.where is not Where.HERE:
            continue
        said = EventsReader(run.events).new_events()
        is_finished = any(isinstance(event, Finished) for event in said)
        if not said or not (_has_ended(said) or Running(record, None).is_gone):
            continue  # nobody can tell, or it goes on
        kept += is_finished
        if is_finished and kept <= KEPT:
            continue
        shutil.rmtree(run.result, ignore_errors=True)


def refuse_second(folder: JobFolder) -> None:
    """See to it that no engine of this machine is at work in the folder: two would mix frames.

    Another window or a terminal may have started it. A farm's runs have folders of their own, and
    of another machine's nobody here can tell whether it is still there.

    Raises:
        BusyError: there is one; names its run.
    """
    for run in folder.runs():
        record = run.read_record()
        if record is None or record.where is not Where.HERE:
            continue
        running = Running(record, None)
        if not running.was_here or running.is_gone:
            continue
        if not _has_ended(EventsReader(run.events).new_events()):
            raise BusyError(
                f"An engine works on this node already: process {record.pid}, '{run.path}'.",
                remedy="Wait, or cancel it there; opening the script again finds it.",
            )


def _has_ended(said: Sequence[Event]) -> bool:
    """True once the engine has had its last word."""
    return any(isinstance(event, (Finished, Failed)) for event in said)


def with_replaced(status: Status, run: RunFolder) -> Status:
    """The status of a run that ended early, with a warning where its frames replaced others.

    Only in a folder that the artist named: the node's own runs have a folder each.
    """
    if status.result is None or status.frames is None or not status.written:
        return status
    folder = Path(status.result).parent
    is_whole = status.written == (status.frames,) and not status.further_results
    if is_whole or run.result == folder or run.result in folder.parents:
        return status
    frames = ", ".join(
        str(part.first) if part.first == part.last else str(part) for part in status.written
    )
    warning = (
        f"Frames {frames} in '{os.fspath(folder)}' are this run's; all others there are as they "
        "were before it. Press Inpaint to write the rest."
    )
    return replace(status, warnings=(*status.warnings, warning))
