"""Send to farm: the frames and the job of a run, handed to infusion-farm and not to an engine."""

from __future__ import annotations

import os
import subprocess
from dataclasses import replace
from pathlib import Path
from typing import Any, Iterator, Mapping, Optional, Tuple

import nuke

from infusion_node.engine import engine_environment, find_engine
from infusion_node.errors import EngineError, NodeError
from infusion_node.host import Host
from infusion_node.job_folder import JobFolder, write_text
from infusion_node.request import request_of, written

COMMAND = "infusion-farm"
"""The farm's command; it is installed with the engine or not at all."""

SUBMIT = ("submit", "--job")
"""What stands before the job file on its command line."""


def command_for(group: nuke.Group) -> Optional[Path]:
    """The farm's command beside the engine's; None when there is none."""
    return _beside(str(group["engine"].value() or ""))


def send(host: Host, shown: Mapping[str, Any]) -> Iterator[Tuple[int, int]]:
    """Write the frames, then the job, then hand it over; yields (done, total) frames of an input.

    Raises:
        NodeError: an input, a knob, the disk or the farm refuses; says what and why.
    """
    command = _beside(str(shown.get("engine") or ""))
    if command is None:
        raise EngineError(
            f"There is no {COMMAND} beside the engine.", remedy="Press Inpaint to work here."
        )
    request = request_of(host, shown)
    folder = JobFolder(host.workspace())
    for _, done, total in written(host, request, folder):
        yield done, total
    run = folder.new_run()
    job = replace(request.job(folder, run), events_file=os.fspath(run.events))
    write_text(run.job, job.to_json())
    _submit(command, run.job)


def _submit(command: Path, job: Path) -> None:
    """Hand a job to the farm's command, which answers within moments.

    Raises:
        EngineError: it cannot be started, or refuses; says what it said.
    """
    try:
        done = subprocess.run(
            [os.fspath(command), *SUBMIT, os.fspath(job)],
            stdin=subprocess.DEVNULL, capture_output=True, check=False,
            env=engine_environment(os.environ), timeout=120,
        )  # fmt: skip
    except (OSError, subprocess.TimeoutExpired) as error:
        raise EngineError(f"'{command}' could not be asked: {error}.") from None
    if done.returncode != 0:
        said = (done.stderr or done.stdout).decode("utf-8", "replace").strip().splitlines()
        raise EngineError(
            f"The farm refused the job: {said[-1] if said else f'code {done.returncode}'}",
            remedy=f"The job is kept in '{job}'.",
        )


def _beside(knob: str) -> Optional[Path]:
    """The farm's command beside the engine that this knob, the variable or PATH names."""
    try:
        engine, _ = find_engine(knob or None, os.environ)
    except NodeError:
        return None
    for name in (COMMAND, f"{COMMAND}.exe"):
        if (engine.parent / name).is_file():
            return engine.parent / name
    return None
