"""Handshake: who an engine is, as one line of JSON, asked before anything is handed to it."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import Optional, Tuple

from infusion_node.wire.job import SCHEMA_VERSION

EVENT = "version"
"""The word under `event` in the line; a run never sends it."""


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


def _numbers(version: str) -> Optional[Tuple[int, int]]:
    """MAJOR.MINOR as two numbers; None when it is not that."""
    major, dot, minor = version.partition(".")
    return (int(major), int(minor)) if dot and major.isdigit() and minor.isdigit() else None
