"""Template: a job's steps as an OpenJD job template (jobtemplate-2023-09), and its parameters."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from infusion_engine.errors import UsageError
from infusion_engine.farm.needs import Needs
from infusion_engine.farm.paths import FarmPath
from infusion_engine.farm.steps import Counted, Step

JOB_FILE = "job.json"
"""Name of the job in its bundle."""
ENGINE = "infusion-render"
"""Command that tasks start, where the farm does not call it otherwise."""
NOTICE_SECONDS = 30
"""Between a scheduler's asking a task to stop and its ending it."""
_LONGEST = 1024  # characters of a parameter's value
_LONGEST_NAME = 128
_PARAMETERS = {
    Counted.INTERVALS: "Interval",
    Counted.TAKES: "Take",
    Counted.FRAMES: "Frames",
}


@dataclass(frozen=True)
class Terms:
    """How tasks are run."""

    frames: int
    """Frames that one task writes."""
    timeout_seconds: int
    """After which a task is taken to hang; OpenCue is told none."""
    engine: str = ENGINE
    """The command infusion-render as the farm's machines know it."""


def template(
    name: str,
    paths: Sequence[FarmPath],
    steps: Sequence[tuple[Step, Needs]],
    terms: Terms,
) -> dict[str, Any]:
    """The job template as plain values.

    Nothing in it depends on where the job's files are: that is in its parameters.

    Args:
        name: what the scheduler shows; cut to what it allows.
        paths: of the job.
        steps: each with what its tasks need.
        terms: how they are run.
    """
    return {
        "specificationVersion": "jobtemplate-2023-09",
        "extensions": ["TASK_CHUNKING"],
        "name": _shown(name),
        "parameterDefinitions": _definitions(paths, terms.engine),
        "steps": [_step(step, needs, paths, terms) for step, needs in steps],
    }


def parameter_values(paths: Sequence[FarmPath]) -> dict[str, str]:
    """Every parameter that has no default, by name.

    Raises:
        UsageError: a path is longer than OpenJD allows, or holds bytes that are no text.
    """
    values = {}
    for path in paths:
        values[f"{path.name}Folder"] = _allowed(str(path.folder))
        if path.files is not None:
            values[f"{path.name}Files"] = _allowed(path.files)
    return values


def asset_references(paths: Sequence[FarmPath]) -> dict[str, Any]:
    """The folders that are read and written, for a scheduler that copies them."""
    read = [str(path.folder) for path in paths if path.flow.value == "IN"]
    written = [str(path.folder) for path in paths if path.flow.value == "OUT"]
    return {
        "assetReferences": {
            "inputs": {"filenames": [], "directories": sorted(set(read))},
            "outputs": {"directories": sorted(set(written))},
            "referencedPaths": [],
        }
    }


def _definitions(paths: Sequence[FarmPath], engine: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = [
        {
            "name": "JobFile",
            "type": "PATH",
            "objectType": "FILE",
            "dataFlow": "IN",
            "default": JOB_FILE,
            "description": "The job; its paths are overridden by those here.",
        }
    ]
    for path in paths:
        found.append(
            {
                "name": f"{path.name}Folder",
                "type": "PATH",
                "objectType": "DIRECTORY",
                "dataFlow": path.flow.value,
                "description": path.help,
            }
        )
        if path.files is not None:
            found.append(
                {
                    "name": f"{path.name}Files",
                    "type": "STRING",
                    "description": f"Their names in {path.name}Folder.",
                }
            )
    found.append(
        {
            "name": "Engine",
            "type": "STRING",
            "default": engine,
            "description": "The command infusion-render as the farm's machines know it.",
        }
    )
    return found


def _step(step: Step, needs: Needs, paths: Sequence[FarmPath], terms: Terms) -> dict[str, Any]:
    found: dict[str, Any] = {"name": step.name}
    if step.after:
        found["dependencies"] = [{"dependsOn": name} for name in step.after]
    found["hostRequirements"] = {"amounts": _amounts(needs)}
    number = ""
    if step.counted is not Counted.NOTHING:
        found["parameterSpace"] = {"taskParameterDefinitions": [_numbers(step, terms)]}
        number = f"{{{{Task.Param.{_PARAMETERS[step.counted]}}}}}"
    found["script"] = {
        "actions": {
            "onRun": {
                "command": "{{Param.Engine}}",
                "args": [*_arguments(paths), *step.arguments(number), "--events", "openjd"],
                "timeout": terms.timeout_seconds,
                "cancelation": {
                    "mode": "NOTIFY_THEN_TERMINATE",
                    "notifyPeriodInSeconds": NOTICE_SECONDS,
                },
            }
        }
    }
    return found


def _numbers(step: Step, terms: Terms) -> dict[str, Any]:
    """What tells a step's tasks apart."""
    found: dict[str, Any] = {
        "name": _PARAMETERS[step.counted],
        "type": "INT",
        "range": f"{step.first}-{step.last}" if step.last > step.first else str(step.first),
    }
    if step.counted is Counted.FRAMES:
        found["type"] = "CHUNK[INT]"
        found["chunks"] = {"defaultTaskCount": terms.frames, "rangeConstraint": "CONTIGUOUS"}
    return found


def _arguments(paths: Sequence[FarmPath]) -> list[str]:
    """The command line up to what tells one step from the next.

    Where the job names no scratch folder, it is the session's, which the scheduler clears away.
    """
    found = []
    for path in paths:
        value = f"{{{{Param.{path.name}Folder}}}}"
        if path.files is not None:
            value += f"/{{{{Param.{path.name}Files}}}}"
        found += [value] if path.flag is None else [path.flag, value]
    if not any(path.name == "Scratch" for path in paths):
        found += ["--scratch", "{{Session.WorkingDirectory}}"]
    return [*found, "--job", "{{Param.JobFile}}"]


def _amounts(needs: Needs) -> list[dict[str, Any]]:
    amounts = [("memory", needs.memory)]
    if needs.cores is not None:
        amounts.append(("vcpu", needs.cores))
    if needs.gpus:
        amounts += [("gpu", needs.gpus), ("gpu.memory", needs.gpu_memory)]
    return [{"name": f"amount.worker.{name}", "min": least} for name, least in amounts]


def _shown(name: str) -> str:
    """A name as OpenJD allows it: no braces, which it would read, and nothing unprintable."""
    plain = "".join(c for c in name if c.isprintable() and c not in "{}")
    return plain[:_LONGEST_NAME].strip() or "Infusion"


def _allowed(text: str) -> str:
    if len(text) > _LONGEST:
        raise UsageError(
            f"'{text[:60]}...' has {len(text)} characters; OpenJD allows {_LONGEST} in a path.",
            remedy="Put it where the path is shorter.",
        )
    try:
        text.encode()
    except UnicodeEncodeError:
        raise UsageError(
            f"{text!r} holds bytes that are no text, and a job bundle is text.",
            remedy="Rename the folder or the files.",
        ) from None
    return text
