"""FrameRange: the inclusive run of frame numbers that is read or written."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from infusion_engine.errors import UsageError

_TEXT = re.compile(r"\s*(?P<first>-?\d+)\s*(?:-\s*(?P<last>-?\d+)\s*)?", re.ASCII)


@dataclass(frozen=True)
class FrameRange:
    """Every frame number from `first` to `last`, both included."""

    first: int
    """First frame."""
    last: int
    """Last frame, never before the first."""

    def __post_init__(self) -> None:
        """Raises: UsageError when the range is reversed."""
        if self.last < self.first:
            raise UsageError(
                f"The frame range {self.first}-{self.last} is reversed: "
                "the first frame must not come after the last.",
                remedy=f"Write {self.last}-{self.first}.",
            )

    @staticmethod
    def parse(text: str) -> FrameRange:
        """The range written as `1001-1048` or `1001`; negative frames are allowed, as in `-8--5`.

        Raises:
            UsageError: the text is not a frame range, or the range is reversed.
        """
        match = _TEXT.fullmatch(text)
        if match is None:
            raise UsageError(
                f"'{text}' is not a frame range; expected FIRST-LAST, both included, "
                "such as 1001-1048, or one frame number.",
                remedy="Steps and lists of frames are not supported: render each range on its own.",
            )
        first = int(match["first"])
        return FrameRange(first, first if match["last"] is None else int(match["last"]))

    def grown(self, frames: int) -> FrameRange:
        """The range with `frames` more on each side."""
        return FrameRange(self.first - frames, self.last + frames)

    def __iter__(self) -> Iterator[int]:
        """The frame numbers in ascending order."""
        return iter(range(self.first, self.last + 1))

    def __len__(self) -> int:
        """How many frames."""
        return self.last - self.first + 1

    def __contains__(self, frame: object) -> bool:
        """True for a frame number inside the range."""
        return isinstance(frame, int) and self.first <= frame <= self.last

    def __str__(self) -> str:
        """`1001-1048`, or `1001` for a single frame."""
        return str(self.first) if self.first == self.last else f"{self.first}-{self.last}"
