"""Doctor: asks the engine's own check whether this machine is fit for what the panel holds."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any, Mapping, Tuple

from infusion_node.engine import find_engine, without_window
from infusion_node.errors import EngineError
from infusion_node.panel import job_fields
from infusion_node.wire.handshake import engine_environment

COMMAND = "infusion-doctor"
"""The doctor's command, which is installed with the engine."""

ANSWER_SECONDS = 120.0
"""How long it may take: it computes a little, and looks through the cache."""


def doctor_says(shown: Mapping[str, Any], environment: Mapping[str, str]) -> str:
    """The page of the doctor beside the engine; takes seconds, so hosts ask on a thread.

    `shown` is what the panel's widgets hold: the cache folder and the device are those that a run
    would be given.

    Raises:
        SetupError: one of these is not as a run needs it.
        EngineError: there is no engine, no doctor beside it, or it does not answer.
    """
    command = command_for(shown, environment)
    try:
        run: subprocess.CompletedProcess[bytes] = subprocess.run(
            list(command), stdin=subprocess.DEVNULL, capture_output=True, check=False,
            env=engine_environment(environment), timeout=ANSWER_SECONDS,
            **without_window(sys.platform),
        )  # fmt: skip
    except OSError as error:
        raise EngineError(
            f"'{command[0]}' cannot be started: {error.strerror or error}.",
            remedy="Install engine and node of one release.",
        ) from None
    except subprocess.TimeoutExpired:
        raise EngineError(
            f"'{command[0]}' did not answer within {ANSWER_SECONDS:.0f} s.",
            remedy="Try it in a terminal.",
        ) from None
    return (run.stdout + run.stderr).decode("utf-8", "replace")


def command_for(shown: Mapping[str, Any], environment: Mapping[str, str]) -> Tuple[str, ...]:
    """What is started, word by word.

    Raises:
        SetupError: cache folder or device is not as a run needs it.
        EngineError: there is no engine.
    """
    asked = {name: shown[name] for name in ("cache", "device") if name in shown}
    fields = job_fields(asked)
    engine, _ = find_engine(str(shown.get("engine") or "") or None, environment)
    words = [os.fspath(_beside(engine))]
    for name in ("cache", "device"):
        if fields.get(name):
            words += [f"--{name}", str(fields[name])]
    return tuple(words)


def _beside(engine: Path) -> Path:
    """The doctor's command in the engine's environment, which has the same suffix."""
    return engine.with_name(COMMAND + engine.suffix)
