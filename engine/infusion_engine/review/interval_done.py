"""What a run tells of one interval when its fit and its sample are there."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

import numpy as np
import numpy.typing as npt
from torch import Tensor

from infusion_engine.cache.entry import Kind, read_record
from infusion_engine.cache.store import Store
from infusion_engine.diffusion.pyramid import beneath, doubled
from infusion_engine.media.box import Box

_MOST_LOSSES = 120
"""Points of a fit's loss that are worth keeping: more cannot be told apart in a plot."""


@dataclass(frozen=True)
class FitNote:
    """What the cache's record tells of a fit beside its weights."""

    loss: float | None
    """Loss at the end; None where the record does not tell."""
    seconds: float | None
    """How long the fit took when it was made; None where the record does not tell."""
    losses: tuple[float, ...]
    """Loss over the fit, in equal spans of steps; empty where the record does not tell."""


@dataclass(frozen=True, eq=False)
class IntervalDone:
    """One interval of a run, its sample at hand or superseded."""

    index: int
    """Which interval of the run; 0 is the noisiest of the coarsest level."""
    count: int
    """How many there are."""
    level: int
    """Its pyramid level, 0 for the coarsest."""
    timesteps: tuple[int, int]
    """[low, high), half-open."""
    outcome: Literal["hit", "fitted"]
    """Where its fit comes from."""
    fit: FitNote
    """What the cache tells of its fit."""
    sample_key: str
    """Key of its sample: a picture of another key is of another fill."""
    seconds: float | None
    """How long this run sampled; None where the sample is an earlier run's."""
    predicted: Tensor | None
    """(3, T, h, w) encoded clip at its level, its hole filled with the last predicted x_0; None
    where an earlier run drew the sample and this is not the last interval of a level."""
    parts: tuple[Box, ...]
    """What every level keeps of its grid, coarsest first; the last is what is filled."""

    def frame(self, index: int) -> npt.NDArray[np.float32]:
        """Frame `index` of `predicted`, enlarged to what is filled: (3, H, W) encoded float32.

        Raises:
            ValueError: nothing was predicted.
        """
        if self.predicted is None:
            raise ValueError("the sample of this interval was not drawn by this run")
        picture = self.predicted[:, index : index + 1]
        for coarse, fine in pairwise(self.parts[self.level :]):
            rows, columns = beneath(fine, coarse)
            picture = doubled(picture[..., rows, columns], (fine.height, fine.width))
        return np.asarray(picture[:, 0].cpu().numpy())


def noted(store: Store, key: str) -> FitNote:
    """What the record of the fit `key` tells; of a record that is gone or damaged, nothing.

    Never an error: the fit itself was found or made by other means.
    """
    try:
        record = read_record(store.entry_folder(Kind.FIT, key), Kind.FIT, key)
    except OSError:
        record = None
    if not isinstance(record, dict):
        return FitNote(loss=None, seconds=None, losses=())
    losses = record.get("losses")
    return FitNote(
        loss=_number(record.get("loss")),
        seconds=_number(record.get("seconds")),
        losses=tuple(map(float, losses)) if isinstance(losses, list) else (),
    )


def thinned(losses: Sequence[float], most: int = _MOST_LOSSES) -> list[float]:
    """At most `most` means over equal spans of `losses`, in their order."""
    if len(losses) <= most:
        return [float(loss) for loss in losses]
    return [float(part.mean()) for part in np.array_split(np.asarray(losses, np.float64), most)]


def _number(value: object) -> float | None:
    """A number of a record, or None."""
    return float(value) if isinstance(value, (int, float)) else None
