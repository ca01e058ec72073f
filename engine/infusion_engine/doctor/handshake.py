"""The engine's command as a node would start it: where it is, and what it answers."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

from infusion_engine import __version__
from infusion_engine.doctor.findings import Finding, carried_out, failed, ok, warning
from infusion_node.wire.handshake import (
    ANSWER_SECONDS,
    QUESTION,
    Handshake,
    answer_of,
    engine_environment,
)

COMMAND = "infusion-render"
_NAME = "handshake"
_REMEDY = "Install the engine again, in an environment of its own."


def checks(beside: Path, search_path: str) -> Sequence[Finding]:
    """Of the command in the folder `beside` of this interpreter, and of the one that PATH finds."""
    return (carried_out(_NAME, lambda: _engine(beside, search_path)),)


def _engine(beside: Path, search_path: str) -> Finding:
    own, on_path = (shutil.which(COMMAND, path=path) for path in (os.fspath(beside), search_path))
    first = own or on_path
    if first is None:
        return failed(_NAME, f"there is no {COMMAND} in {beside}, nor on PATH", _REMEDY)
    answer = asked(Path(first))
    if isinstance(answer, str):
        return failed(_NAME, f"{first} {answer}", _REMEDY)
    said = f"{answer.version}, reads jobs {answer.job_schema}, {first}"
    if not answer.reads_our_jobs:
        return failed(_NAME, f"{said}: not those of {__version__}", _REMEDY)
    if answer.version != __version__:
        return warning(_NAME, f"{said}; this is {__version__}", _other(first))
    if on_path is None:
        return ok(_NAME, f"{said} (not on PATH)")
    if Path(on_path).samefile(first):
        return ok(_NAME, said)
    other = asked(Path(on_path))
    if isinstance(other, str):
        return warning(_NAME, f"{said}; PATH has {on_path}, which {other}", _other(first))
    if other.version != answer.version:
        return warning(_NAME, f"{said}; PATH has {other.version}, {on_path}", _other(first))
    return ok(_NAME, f"{said}; the same version on PATH, {on_path}")


def asked(command: Path) -> Handshake | str:
    """What the command answers; else what it did instead, as the end of a sentence."""
    try:
        run = subprocess.run(
            [os.fspath(command), *QUESTION],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            env=engine_environment(os.environ),
            timeout=ANSWER_SECONDS,
            check=False,
        )
    except OSError as error:
        return f"cannot be started: {error.strerror or error}"
    except subprocess.TimeoutExpired:
        return f"did not say who it is within {ANSWER_SECONDS:.0f} s"
    return answer_of(run.stdout, run.stderr, run.returncode)


def _other(first: str) -> str:
    """What to do where several engines might be started."""
    return f"Name one in the node's Engine knob, such as {first}, or put one right on PATH."
