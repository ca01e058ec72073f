"""Takes: what each of several samples from one set of fits is called, and where it is written."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from infusion_engine.media.layer import WriteMode
from infusion_engine.media.sequence import FileSequence

FIRST_TAKE = 0
"""Of any seed: a further take of a render is the first one of a later seed."""


@dataclass(frozen=True)
class Take:
    """One of a render's samples."""

    number: int
    """From 1."""
    seed: int
    """Its sample is the first take of this seed."""
    layer: str
    """Name of its layer."""
    output: FileSequence
    """The files that hold it; the first take's where layers stand side by side in one file."""


def takes_of(
    count: int, *, seed: int, layer: str, output: FileSequence, mode: WriteMode
) -> tuple[Take, ...]:
    """The takes of a render, in order.

    In layers they stand side by side in each file: `infusion`, `infusion2`, `infusion3`. A merged
    file holds one fill, so further takes have folders `take2`, `take3` beside the first one's
    files, each as a render of that seed alone would write it.

    Args:
        count: how many, from 1.
        seed: of the first; take k has seed + k - 1.
        layer: name of the first one's layer.
        output: files of the first.
        mode: how frames are written.
    """
    found = []
    for number in range(1, count + 1):
        own_layer, own_output = layer, output
        if number > 1 and mode is WriteMode.MERGED:
            own_output = replace(output, folder=output.folder / f"take{number}")
        elif number > 1:
            own_layer = f"{layer}{number}"
        found.append(Take(number, seed + number - 1, own_layer, own_output))
    return tuple(found)


def by_files(takes: Sequence[Take]) -> tuple[tuple[Take, ...], ...]:
    """The takes that share files, together, in order."""
    groups: dict[FileSequence, list[Take]] = {}
    for take in takes:
        groups.setdefault(take.output, []).append(take)
    return tuple(tuple(group) for group in groups.values())
