"""FrameRange: a shot's frames, as an artist writes them."""

from __future__ import annotations

import re
from dataclasses import dataclass

from infusion_node.errors import SetupError

_NUMBER = re.compile(r"%0?[0-9]*d")


@dataclass(frozen=True)
class FrameRange:
    """Frame numbers from `first` to `last`, both included."""

    first: int
    """The first."""
    last: int
    """The last."""

    def __str__(self) -> str:
        return f"{self.first}-{self.last}"

    @staticmethod
    def parse(text: str) -> FrameRange:
        """`1001-1048`, or one number.

        Raises:
            SetupError: it is neither, or runs backwards.
        """
        match = re.fullmatch(r"\s*(-?[0-9]+)(?:\s*-\s*(-?[0-9]+))?\s*", text)
        if match is None:
            raise SetupError(
                f"Frame range: found {text!r}, expected FIRST-LAST or one frame.",
                remedy="For instance 1001-1048.",
            )
        first = int(match.group(1))
        last = first if match.group(2) is None else int(match.group(2))
        if last < first:
            raise SetupError(
                f"Frame range: {first}-{last} runs backwards.", remedy=f"Write {last}-{first}."
            )
        return FrameRange(first, last)

    def with_handles(self, handles: int, *, first: int, last: int) -> FrameRange:
        """The range widened by `handles` frames on each side, as far as `first` and `last` go."""
        return FrameRange(
            max(self.first - handles, min(first, self.first)),
            min(self.last + handles, max(last, self.last)),
        )


def numbered(name: str, frame: int) -> str:
    """The file name of one frame: a pattern with its number, or a lone file's own name.

    Any other % is part of the name.
    """
    found = list(_NUMBER.finditer(name))
    if not found:
        return name
    last = found[-1]
    return name[: last.start()] + last.group() % frame + name[last.end() :]
