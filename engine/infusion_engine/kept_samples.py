"""Samples as the cache keeps them: a run's found, kept and dropped, and the clips they fill."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from infusion_engine.cache.entry import Kind
from infusion_engine.cache.store import Store
from infusion_engine.chain import Stage, superseded
from infusion_engine.diffusion.place import with_sample
from infusion_engine.diffusion.pyramid import PyramidLevel, beneath


@dataclass(frozen=True, eq=False)
class KeptSamples:
    """The samples of one shot's runs."""

    store: Store
    """Where they are kept."""
    levels: Sequence[PyramidLevel]
    """Coarsest first."""
    places: Sequence[tuple[slice, slice]]
    """(rows, columns) of each level that are sampled."""
    units: Sequence[float]
    """The encoded value that is 1 at each level."""

    def latest(self, stages: Sequence[Stage]) -> tuple[int, Tensor | None]:
        """(index of the last sample at hand that can be gone on from, the sample); (-1, None)."""
        for index in reversed(range(len(stages))):
            x = self.of(stages[index])
            if x is None:
                continue
            ended, level = stages[index].then < 0, stages[index].level
            if ended or level == 0 or self._finished(stages, level - 1) is not None:
                return index, x
        return -1, None

    def of(self, stage: Stage) -> Tensor | None:
        """A stage's sample, (3, T, H, W) or the layouts side by side; None if it is not there."""
        level = self.levels[stage.level]
        entry = self.store.load(Kind.SAMPLE, stage.sample.key, room=level.shelf)
        return None if entry is None else torch.from_numpy(entry.tensors["x"]).to(level.x_0.device)

    def keep(self, stage: Stage, x: Tensor, record: Mapping[str, Any]) -> None:
        """Keep a stage's sample.

        Raises:
            StorageError: the cache cannot be written.
        """
        self.store.save(
            Kind.SAMPLE,
            stage.sample.key,
            {"x": x.cpu().numpy()},
            {"identity": stage.sample.described(), **record},
            room=self.levels[stage.level].shelf,
        )

    def drop_before(self, stages: Sequence[Stage], index: int) -> None:
        """Drop what the sample of stage `index` supersedes."""
        for before in superseded(stages, index):
            self.store.drop(Kind.SAMPLE, stages[before].sample.key)

    def beneath(self, stages: Sequence[Stage], level: int) -> Tensor | None:
        """The coarser level's filled clip that `level` adds detail to, if it is at hand.

        As much of it as lies beneath the finer level's part, (3, T, h, w) encoded.
        """
        x = self._finished(stages, level - 1)
        if x is None:
            return None
        rows, columns = beneath(self.levels[level].part, self.levels[level - 1].part)
        return self.filled(level - 1, x)[..., rows, columns]

    def filled(self, level: int, x: Tensor) -> Tensor:
        """(3, T, H, W) encoded: a level's clip with what was sampled of it put in."""
        return with_sample(self.levels[level], self.places[level], x, self.units[level])

    def _finished(self, stages: Sequence[Stage], level: int) -> Tensor | None:
        """The last sample of a level, if it is at hand."""
        return self.of(next(stage for stage in reversed(stages) if stage.level == level))
