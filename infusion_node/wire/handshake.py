"""Handshake: who an engine is, as one line of JSON, asked before anything is handed to it."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import Dict, Mapping, Optional, Tuple, Union

from infusion_node.wire.job import SCHEMA_VERSION

EVENT = "version"
"""The word under `event` in the line; a run never sends it."""

QUESTION = ("--version", "--events", "json")
"""What the command is asked with."""

ANSWER_SECONDS = 60.0
"""How long it may take to say who it is; a cold network drive takes its time."""

_ASKERS_OWN = (
    "PYTHONHOME",
    "PYTHONPATH",
    "PYTHONSTARTUP",
    "PYTHONEXECUTABLE",
    "__PYVENV_LAUNCHER__",
)


@dataclass(frozen=True)
class Handshake:
    """What `infusion-render --version --events json` answers."""

    version: str
    """Version of the engine, such as `0.1.0`."""
    job_schema: str
    """MAJOR.MINOR of the jobs that it reads."""
    python: str
    """The interpreter that it runs in."""
    presets: Tuple[str, ...]
    """The presets that it knows."""

    @property
    def reads_our_jobs(self) -> bool:
        """True when its jobs have our major version and at least our minor one."""
        theirs, ours = _numbers(self.job_schema), _numbers(SCHEMA_VERSION)
        return theirs is not None and ours is not None and theirs[0] == ours[0] and theirs >= ours


def to_line(answer: Handshake) -> str:
    """The handshake as one line of ASCII JSON, without its newline."""
    return json.dumps({"event": EVENT, **asdict(answer)})


def from_line(line: str) -> Optional[Handshake]:
    """The handshake in `line`; None when it is none. Fields that are not known are passed over."""
    try:
        body = json.loads(line)
    except (ValueError, RecursionError):
        return None
    if not isinstance(body, dict) or body.get("event") != EVENT:
        return None
    texts = [body.get(name) for name in ("version", "job_schema", "python")]
    presets = body.get("presets")
    if not all(isinstance(text, str) for text in texts) or not isinstance(presets, list):
        return None
    version, job_schema, python = (str(text) for text in texts)
    return Handshake(version, job_schema, python, tuple(map(str, presets)))


def answer_of(printed: bytes, complained: bytes, exit_code: int) -> Union[Handshake, str]:
    """The handshake in what the command printed; else what it did instead, as a sentence's end.

    Libraries may print before the line, and whoever fails after it is no engine to start.

    Args:
        printed: on stdout.
        complained: on stderr.
        exit_code: what it left with.
    """
    answers = map(from_line, printed.decode("utf-8", "replace").splitlines())
    answer = next((one for one in answers if one is not None), None)
    if answer is not None and exit_code == 0:
        return answer
    words = (complained or printed).decode("utf-8", "replace").strip().splitlines()
    said = f": {words[-1][:200]}" if words else ""
    return f"did not say who it is, and left with {exit_code}{said}"


def engine_environment(environment: Mapping[str, str]) -> Dict[str, str]:
    """The environment without what whoever starts an engine has set for its own interpreter.

    A host that runs Python inside itself may point PYTHONHOME at its own library, with which no
    other Python starts.
    """
    return {name: value for name, value in environment.items() if name not in _ASKERS_OWN}


def _numbers(version: str) -> Optional[Tuple[int, int]]:
    """MAJOR.MINOR as two numbers; None when it is not that."""
    major, dot, minor = version.partition(".")
    return (int(major), int(minor)) if dot and major.isdigit() and minor.isdigit() else None
