"""Allowance: what is still begun in the time that is left, and what was left out and why."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

Clock = Callable[[], float]


class Allowance:
    """Seconds that run down from the moment this is made, and a list of what they did not reach."""

    def __init__(self, seconds: float, clock: Clock = time.monotonic) -> None:
        self._clock = clock
        self._end = clock() + seconds
        self.left_out: list[dict[str, str]] = []
        """What was left out, in order: {"what": ..., "why": ...}."""

    @property
    def left(self) -> float:
        """Seconds that are left, 0 where none are."""
        return max(0.0, self._end - self._clock())

    def free(self, reserved: float = 0.0) -> float:
        """Seconds that are left beside those kept for what comes later, 0 where none are."""
        return max(0.0, self.left - reserved)

    def admits(self, what: str, seconds: float, *, reserved: float = 0.0) -> bool:
        """Whether `what` is begun; if it is not, that is noted.

        Args:
            what: its name, as a reader knows it.
            seconds: that it takes, about.
            reserved: seconds that are kept for what comes after it.
        """
        free = self.free(reserved)
        if seconds <= free:
            return True
        kept = f", with {reserved:.0f} s kept for what comes after it" if reserved else ""
        self.leave_out(what, f"it takes about {seconds:.0f} s and {free:.0f} s were left{kept}")
        return False

    def leave_out(self, what: str, why: str) -> None:
        """Note that `what` was left out."""
        self.left_out.append({"what": what, "why": why})

    def largest(
        self,
        what: str,
        shares: Sequence[float],
        seconds: Callable[[float], float],
        *,
        reserved: float = 0.0,
    ) -> float | None:
        """The first of `shares` (largest first) of `what` that is begun; None if none is.

        `seconds` tells how long a share takes. Each that does not fit is noted.
        """
        for share in shares:
            name = what if share == 1.0 else f"{what}, {share:g} of its steps"
            if self.admits(name, seconds(share), reserved=reserved):
                return share
        return None
