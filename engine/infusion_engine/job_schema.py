"""The job as a JSON schema: limits and words, checked the same for a file and for flags."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import jsonschema

from infusion_engine.errors import UsageError
from infusion_node.wire.job import SCHEMA_VERSION, JobError, RenderJob
from infusion_node.wire.knobs import KNOBS, Kind, Knob, knob

DECIDED_BY_MINUTES = (
    "steps_per_interval",
    "detail_steps_per_interval",
    "sampling_steps",
    "detail_sampling_steps",
)
"""Settings that `minutes` chooses, and that therefore cannot be set beside it."""

_JSON_TYPES = {
    Kind.PATH: "string",
    Kind.TEXT: "string",
    Kind.CHOICE: "string",
    Kind.WHOLE: "integer",
    Kind.NUMBER: "number",
    Kind.SWITCH: "boolean",
    Kind.PAIRS: "object",
}


_END = r"(?![\s\S])"  # the end of the text in every dialect; `$` lets a last newline pass in Python


def read_job(path: Path) -> RenderJob:
    """The job in a file, with its fields and their types checked (limits: `check_job`).

    Raises:
        UsageError: the file cannot be read or is no job of a version known here.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(
            f"{path}: cannot read the job: {error}.", remedy="Give --job the file of a job."
        ) from None
    try:
        return RenderJob.from_json(text, source=str(path))
    except JobError as error:
        raise UsageError(
            str(error), remedy="Correct the file, or write a fresh one with --write-job."
        ) from None


def check_job(job: RenderJob) -> None:
    """Hold every field against its type and limits.

    Raises:
        UsageError: a value is out of range, no known word, of the wrong form, or contradicts
            another.
    """
    for entry in KNOBS:  # the schema lets NaN pass: it is neither too small nor too large
        if not entry.accepts(getattr(job, entry.name)):
            raise _refusal(job, entry.name)
    errors = jsonschema.Draft202012Validator(JOB_SCHEMA).iter_errors(job.to_dict())
    for error in errors:
        raise _refusal(job, str(error.path[0]))
    _check_together(job)


def _check_together(job: RenderJob) -> None:
    """Hold fields against each other.

    Raises:
        UsageError: two of them contradict each other.
    """
    last, most = job.seed + job.takes - 1, knob("seed").most or 0
    if last > most:
        raise UsageError(
            f"--takes {job.takes}: the last take's seed would be {last}, expected {most} or less.",
            remedy="Choose a smaller --seed.",
        )
    decided = [name for name in DECIDED_BY_MINUTES if name in job.settings]
    if job.minutes is not None and decided:
        raise UsageError(
            f"--minutes {job.minutes:g} chooses {decided[0]}, which --set "
            f"{decided[0]}={job.settings[decided[0]]} chooses too.",
            remedy="Give one of the two.",
        )


def job_schema() -> dict[str, Any]:
    """The JSON schema of a job, made from the table of knobs."""
    major = SCHEMA_VERSION.split(".", maxsplit=1)[0]
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Infusion Inpaint render job",
        "type": "object",
        "properties": {
            "schema_version": {
                "description": "MAJOR.MINOR; another major is refused.",
                "type": "string",
                "default": SCHEMA_VERSION,
                "pattern": rf"^{major}\.[0-9]+{_END}",
            },
            **{entry.name: _field(entry) for entry in KNOBS},
        },
        "required": [entry.name for entry in KNOBS if entry.required],
        "additionalProperties": False,
    }


def _field(entry: Knob) -> dict[str, Any]:
    """One knob as a schema."""
    kind = _JSON_TYPES[entry.kind]
    schema: dict[str, Any] = {
        "description": entry.help,
        "type": [kind, "null"] if entry.is_optional else kind,
    }
    if not entry.required:
        schema["default"] = entry.default
    if entry.choices:
        schema["enum"] = list(entry.choices)
    if entry.pattern:
        schema["pattern"] = f"^(?:{entry.pattern}){_END}"
    elif entry.kind is Kind.PATH:
        schema["pattern"] = rf"^[^\u0000]+{_END}"
    if entry.kind is Kind.PAIRS:
        schema["additionalProperties"] = {"type": "string"}
    if entry.least is not None:
        schema["minimum"] = entry.least
    if entry.most is not None:
        schema["maximum"] = entry.most
    return schema


def _refusal(job: RenderJob, name: str) -> UsageError:
    """The error for the field `name` of `job`: what was found and what is expected."""
    entry = knob(name)
    where = entry.flag if entry.name != "plate" else "PLATE"
    return UsageError(
        f"{where}: found {getattr(job, name)!r}, expected {entry.expected()}.",
        remedy="Change that value.",
    )


JOB_SCHEMA = job_schema()
