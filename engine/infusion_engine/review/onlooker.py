"""The onlooker: watches a render and has no say in it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import TracebackType
from typing import Any, Self

from infusion_engine.media.box import Box
from infusion_engine.media.layer import Fill
from infusion_engine.review.interval_done import IntervalDone

FillOf = Callable[[int], Fill | None]
"""The fill of a frame by its number; None where it has none."""


class Onlooker:
    """Watches a render from beginning to end; this one looks away."""

    def __enter__(self) -> Self:
        """The render begins."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """The render is over, or ended by `error`."""

    def phase(self, name: str) -> None:
        """A phase begins, and the one before it is over."""

    def looked(self, holes: Mapping[int, Box]) -> None:
        """The box around the hole of each frame to write is known."""

    def machine(self, values: Mapping[str, object]) -> None:
        """What computes is known, as `made_with` tells it."""

    def resolved(self, described: Mapping[str, Mapping[str, Any]]) -> None:
        """What was left open is decided: everything, as `Plan.described` tells it."""

    def interval(self, done: IntervalDone, fill_of: FillOf | None) -> None:
        """An interval is done; `fill_of` gives the fill as it is predicted, where it is known."""

    def filled(self, fill_of: FillOf) -> None:
        """Every frame is written."""
