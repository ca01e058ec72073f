"""Engine: where the `infusion-render` command is, and whether it reads what this node writes."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Dict, Mapping, Optional, Tuple

from infusion_node.errors import EngineError
from infusion_node.windows import CREATE_NO_WINDOW
from infusion_node.wire import handshake
from infusion_node.wire.handshake import Handshake
from infusion_node.wire.job import SCHEMA_VERSION

COMMAND = "infusion-render"
"""The engine's command."""

FARM_COMMAND = "infusion-farm"
"""The farm's command, which is installed with the engine."""

VARIABLE = "INFUSION_ENGINE"
"""The environment variable that names the engine where the knob is empty."""


@dataclass(frozen=True)
class Engine:
    """An engine that answered."""

    path: Path
    """The command."""
    found_by: str
    """What named it: `the Engine knob`, `INFUSION_ENGINE` or `PATH`."""
    answer: Handshake
    """What it said of itself."""


def find_engine(knob: Optional[str], environment: Mapping[str, str]) -> Tuple[Path, str]:
    """The command and what named it: the knob, then `INFUSION_ENGINE`, then `PATH`.

    The first two may name the command, or the folder of the environment that it is installed in.

    Raises:
        EngineError: there is none; says where it was looked for.
    """
    for named, by in ((knob, "the Engine knob"), (environment.get(VARIABLE), VARIABLE)):
        if named:
            found = _command_at(Path(named).expanduser())
            if found is None:
                raise EngineError(
                    f"There is no {COMMAND} at '{named}', which {by} names.",
                    remedy=f"Name the {COMMAND} command, or the folder of its environment.",
                )
            return found, by
    on_path = shutil.which(COMMAND, path=environment.get("PATH", os.defpath))
    if on_path is None:
        raise EngineError(
            f"The engine was not found: the Engine knob and {VARIABLE} are empty, and no "
            f"{COMMAND} is on PATH.",
            remedy=f"Install the engine, then name its {COMMAND} in the Engine knob.",
        )
    return Path(on_path), "PATH"


def ask(path: Path, found_by: str, environment: Mapping[str, str]) -> Engine:
    """Have the command say who it is.

    Raises:
        EngineError: it does not run, does not answer, or reads no jobs of this node's version.
    """
    try:
        run: subprocess.CompletedProcess[bytes] = subprocess.run(
            [os.fspath(path), *handshake.QUESTION],
            stdin=subprocess.DEVNULL, capture_output=True, check=False,
            env=handshake.engine_environment(environment), timeout=handshake.ANSWER_SECONDS,
            **without_window(sys.platform),
        )  # fmt: skip
    except OSError as error:
        raise EngineError(
            f"'{path}' cannot be started: {error.strerror or error}.",
            remedy=f"Name a working {COMMAND} in the Engine knob.",
        ) from None
    except subprocess.TimeoutExpired:
        raise EngineError(
            f"'{path}' did not say who it is within {handshake.ANSWER_SECONDS:.0f} s.",
            remedy="Try it in a terminal with --version; then press Inpaint again.",
        ) from None
    answer = handshake.answer_of(run.stdout, run.stderr, run.returncode)
    if isinstance(answer, str):
        raise EngineError(
            f"'{path}' is no engine that this node knows: it {answer}.",
            remedy="Install the engine of this node's release, or name it in the Engine knob.",
        )
    if not answer.reads_our_jobs:
        raise EngineError(
            f"The engine {answer.version} at '{path}' reads jobs of version {answer.job_schema}; "
            f"this node writes {SCHEMA_VERSION}.",
            remedy="Install engine and node of one release.",
        )
    return Engine(path, found_by, answer)


def farm_beside(engine: Path) -> Path:
    """The farm's command of the engine's environment.

    Raises:
        EngineError: there is none.
    """
    for name in (FARM_COMMAND, f"{FARM_COMMAND}.exe"):
        found = engine.with_name(name)
        if found.is_file():
            return found
    raise EngineError(
        f"There is no {FARM_COMMAND} beside the engine '{engine}'.",
        remedy="Install engine and node of one release, or press Inpaint to work here.",
    )


def without_window(system: str) -> Dict[str, Any]:
    """How `subprocess` starts a command that is waited for; `system` is `sys.platform`.

    On Windows a host without a console would have a window flash up for each.
    """
    return {"creationflags": CREATE_NO_WINDOW} if system == "win32" else {}


def _command_at(named: Path) -> Optional[Path]:
    """The command that `named` is or holds; None when it does neither."""
    # Whoever names the command on Windows leaves its suffix out, as in a terminal.
    paths = [named, named.parent / f"{named.name}.exe"]
    beside = (f"bin/{COMMAND}", f"Scripts/{COMMAND}.exe", COMMAND, f"{COMMAND}.exe")
    paths += [named / name for name in beside]
    for path in paths:
        if path.is_file():
            return path.absolute()
    return None
