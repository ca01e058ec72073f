"""A run that a farm does: what it needs before anything is written, and what of it is there."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path
from typing import Any, Mapping, Optional, Tuple

from infusion_node.engine import farm_beside
from infusion_node.errors import SetupError
from infusion_node.frame_range import numbered
from infusion_node.job_folder import RunFolder
from infusion_node.status import Status

VARIABLE = "INFUSION_FARM"
"""The environment variable that names the studio's scheduler."""


def check_farm(engine: Path, fields: Mapping[str, Any], environment: Mapping[str, str]) -> None:
    """See to it that a job can be sent, before its frames are written.

    Args:
        engine: the engine's command.
        fields: of the job, as the panel sets them.
        environment: the host's.

    Raises:
        EngineError: the farm's command is not beside the engine.
        SetupError: no scheduler is named, or the job keeps no cache.
    """
    farm_beside(engine)
    if not environment.get(VARIABLE):
        raise SetupError(
            f"No farm was named: {VARIABLE} is not set where this application was started.",
            remedy=f"Set {VARIABLE} to deadline-cloud or opencue, then start it again.",
        )
    if not fields.get("use_cache", True):
        raise SetupError(
            "A farm's machines hand on to each other through the cache, and it is turned off.",
            remedy="Turn Use cache on.",
        )


def frames_there(run: RunFolder, status: Status) -> Optional[Tuple[int, int]]:
    """(files of the result that are there, files in all), of every take.

    None where that does not tell: nobody knows the files, or they stand in a folder that is not the
    run's own, where an earlier run's would look the same.
    """
    if status.result is None or status.frames is None:
        return None
    there, count = 0, 0
    numbers = range(status.frames.first, status.frames.last + 1)
    for pattern in map(Path, (status.result, *status.further_results)):
        if run.path not in pattern.parents:
            return None
        names = {numbered(pattern.name, number) for number in numbers}
        count += len(names)
        with suppress(OSError):  # there is no such folder before the first frame
            # One question to the file server, and not one for each frame: polls come often.
            there += len(names & set(os.listdir(pattern.parent)))  # noqa: PTH208 - names are wanted
    return there, count
