"""A folder that may not be there yet: what of it stands, and whether it takes files."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from infusion_engine.errors import StorageError

_PROBE_BYTES = 65536


def standing(folder: Path) -> Path:
    """`folder`, or what is nearest above it and exists; that may be a file."""
    there = folder.absolute()
    while not os.path.lexists(there) and there != there.parent:
        there = there.parent
    return there


def check_takes_files(folder: Path, *, what: str) -> None:
    """Put a file that nobody sees into `folder`, or where it would be made.

    Raises:
        StorageError: a file is in the way, or the disk refuses; names the folder as `what`.
    """
    # Not plan.check_writable: it needs libraries, whose lack is another check's finding.
    there = standing(folder)
    if not there.is_dir():
        raise StorageError(
            f"The {what} '{folder}' cannot be used: '{there}' is not a folder.",
            remedy="Choose another path.",
        )
    try:
        with tempfile.TemporaryFile(dir=there) as probe:
            probe.write(bytes(_PROBE_BYTES))
            probe.flush()
    except OSError as error:
        raise StorageError(
            f"The {what} '{folder}' cannot be written: {error.strerror or error}.",
            remedy="Free some space, change its permissions, or choose another path.",
        ) from error
