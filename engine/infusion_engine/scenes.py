"""Scenes: what sampling knows of each level, in the level's unit and cut to what is sampled."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import torch
from torch import Tensor

from infusion_engine.diffusion.hint import Hint, bare, sampling_hint
from infusion_engine.diffusion.palette import Palette, palette_of
from infusion_engine.diffusion.pyramid import PyramidLevel, without_detail
from infusion_engine.diffusion.sample import Scene
from infusion_engine.diffusion.shelf import Shelf
from infusion_engine.diffusion.stillness import Stillness, stillness_of
from infusion_engine.settings import Network, Settings


@dataclass(frozen=True, eq=False)
class Scenes:
    """Makes the scene of any level of one shot."""

    levels: Sequence[PyramidLevel]
    """Coarsest first."""
    units: Sequence[float]
    """The encoded value that is 1 at each level."""
    variances: Sequence[float]
    """Of what memory is kept of at each level, over the shot."""
    places: Sequence[tuple[slice, slice]]
    """(rows, columns) of each level that are sampled."""
    range: tuple[tuple[float, ...], tuple[float, ...]]
    """Smallest and largest encoded value of each channel that is known."""
    settings: Settings
    """Which network, and after how many frames what stands still is believed to. The published
    one is told nothing but the clip and its hole, and held to nothing else."""
    _bounds: dict[int, tuple[Palette | None, Stillness]] = field(default_factory=dict)

    def of(self, number: int, coarse: Tensor | None) -> Scene:
        """The part of level `number` that is sampled, and what is to be added to.

        Args:
            number: 0 for the coarsest.
            coarse: (3, T, h, w), the coarser level's filled clip beneath this one's part, encoded;
                None at the coarsest level alone.
        """
        level, (rows, columns), unit = self.levels[number], self.places[number], self.units[number]
        palette, stillness = self._bounds_of(number)  # before anything large is held
        shelf = level.shelf
        x_0 = _divided(level.x_0, unit, shelf)

        def there(x: Tensor) -> Tensor:
            """What is sampled of it: a copy, so that nothing holds the rest."""
            return shelf.copied(x[..., rows, columns])

        return Scene(
            x_0=there(x_0),
            hole=there(level.hole),
            lowest=tuple(value / unit for value in self.range[0]),
            highest=tuple(value / unit for value in self.range[1]),
            hint=self._hint(number, x_0, coarse).within(slice(None), rows, columns).copied(shelf),
            corner=(level.corner[0] + rows.start, level.corner[1] + columns.start),
            palette=palette,
            stillness=None if stillness is None else stillness.within(rows, columns),
            shelf=shelf,
        )

    def _bounds_of(self, number: int) -> tuple[Palette | None, Stillness | None]:
        """Which colours a level's fill may have, and what stands still; measured once."""
        if self.settings.network is Network.PUBLISHED:
            return None, None
        if number not in self._bounds:
            level, unit = self.levels[number], self.units[number]
            self._bounds[number] = (
                palette_of(level, unit),
                stillness_of(level, unit, frames=self.settings.still_frames),
            )
        return self._bounds[number]

    def _hint(self, number: int, x_0: Tensor, coarse: Tensor | None) -> Hint:
        """What the denoiser is told at a level whose clip is x_0."""
        level = self.levels[number]
        if coarse is not None:
            coarse = _divided(coarse, self.units[number], level.shelf)
            coarse = without_detail(coarse, replace(level, x_0=x_0))
        if self.settings.network is Network.PUBLISHED:
            return bare(torch.zeros_like(x_0)[None] if coarse is None else coarse[None])
        return sampling_hint(
            x_0, coarse, level.hole, variance=self.variances[number], shelf=level.shelf
        )


def _divided(x: Tensor, unit: float, shelf: Shelf) -> Tensor:
    """(3, T, H, W) in parts of `unit`."""
    found = shelf.zeros(*x.shape, device=x.device)
    for frames in shelf.pieces(x):
        found[:, frames] = x[:, frames] / unit
    return found
