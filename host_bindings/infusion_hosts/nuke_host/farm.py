"""Send to farm: the frames and the job of a run, handed to infusion-farm and not to an engine."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import Any, Iterator, Mapping, Optional, Tuple

import nuke

from infusion_node.engine import engine_environment, find_engine
from infusion_node.errors import EngineError, NodeError, SetupError
from infusion_node.host import Clip, Footage, Host
from infusion_node.job_folder import JobFolder, write_text
from infusion_node.panel import job_fields
from infusion_node.serialise import FrameRange, files_of, serialised
from infusion_node.wire.job import RenderJob

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
    fields = job_fields(shown)
    plate, matte = host.footage(Clip.PLATE), host.footage(Clip.MATTE)
    if plate is None:
        raise SetupError("Nothing is connected to the plate.", remedy="Connect the plate.")
    text = fields.pop("frames", None)
    frames = FrameRange(plate.first, plate.last) if text is None else FrameRange.parse(text)
    folder = JobFolder(host.workspace())
    wanted = frames.with_handles(fields.get("handles", 0), plate)
    for clip, footage in ((Clip.PLATE, plate), (Clip.MATTE, matte)):
        if footage is not None and footage.files is None:
            yield from serialised(host, clip, footage, _of(wanted, clip, footage), folder)
    run = folder.new_run()
    job = RenderJob(
        **{
            "output": os.fspath(folder.path / "result"),
            **fields,
            "plate": files_of(Clip.PLATE, plate, folder),
            "matte": None if matte is None else files_of(Clip.MATTE, matte, folder),
            "frames": str(frames),
            "report": os.fspath(run.report),
            "events_file": os.fspath(run.events),
        }
    )
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


def _of(wanted: FrameRange, clip: Clip, footage: Footage) -> FrameRange:
    """The frames of an input to write: all that are wanted, or the one that a still has."""
    if clip is Clip.MATTE and footage.first == footage.last:
        return FrameRange(footage.first, footage.last)
    return wanted
