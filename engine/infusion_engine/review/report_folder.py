"""The report's folder: what lies where in it, and what it must not take the place of; no torch."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from infusion_engine.errors import StorageError, UsageError

INDEX = "index.html"
"""The page's name."""
PICTURES = "pictures"
"""Folder of its pictures."""
GENERATOR = "Infusion Inpaint"
"""Stands in the page's head, so that a page of ours is told from anybody else's."""
_HEAD_BYTES = 4096


def check_report_folder(folder: Path, sequences: Iterable[Path]) -> None:
    """See to it that a report takes the place of nothing but an earlier report.

    Args:
        folder: the report's.
        sequences: folders of the plate, the matte and the output.

    Raises:
        UsageError: the folder holds somebody else's index.html, or frames lie among its pictures.
        StorageError: its index.html cannot be read or replaced.
    """
    pictures = (folder / PICTURES).resolve()
    if any(sequence.resolve() == pictures for sequence in sequences):
        raise UsageError(
            f"The report's pictures would lie among frames, in '{folder / PICTURES}'.",
            remedy="Choose another folder for --report.",
        )
    index = folder / INDEX
    if not index.exists():
        return
    try:
        with index.open("rb") as file:
            head = file.read(_HEAD_BYTES)
    except OSError as error:
        raise StorageError(
            f"'{index}' cannot be read, and the report would replace it: "
            f"{error.strerror or error}; expected nothing, or the page of an earlier report.",
            remedy="Choose another folder for --report.",
        ) from None
    if GENERATOR.encode() not in head:
        raise UsageError(
            f"'{index}' is not the page of a report, and the report would replace it.",
            remedy="Choose another folder for --report.",
        )
