"""A denoiser that keeps within a memory: in tiles that fit, and in smaller ones if they do not."""

from __future__ import annotations

import torch
from torch import Tensor

from infusion_engine.device import is_out_of_memory
from infusion_engine.diffusion.denoise import Model, evaluation_bytes
from infusion_engine.diffusion.hint import Hint
from infusion_engine.diffusion.shelf import Shelf
from infusion_engine.diffusion.tiles import Tile, Tiled, windowed_tiles
from infusion_engine.progress import Report
from infusion_engine.settings import Settings


class Frugal:
    """Denoises one hole, piece by piece, with no more memory than it is given."""

    def __init__(
        self,
        model: Model,
        hole: Tensor,
        settings: Settings,
        *,
        memory: int,
        held: int,
        report: Report,
        window: int | None = None,
        shelf: Shelf | None = None,
    ) -> None:
        """Choose the pieces.

        Args:
            model: the denoiser.
            hole: (1, T, H, W), 1 = missing, of the clips that it will be asked for.
            settings: features and precision, which say what an evaluation takes.
            memory: bytes that there are.
            held: bytes of them that are taken already.
            report: hears it where they are too few.
            window: frames of the windows that clips are shown in; None for clips as a whole.
            shelf: where the hole lies and predictions are put; None for memory.
        """
        self.model = model
        self.memory = memory
        self._hole = hole
        self._shelf = shelf or Shelf()
        self._report = report
        self._window = window
        self._held = held
        self._bytes = evaluation_bytes(model, settings)
        self.pieces = self._fitting()
        if self._needed > memory:
            report.warn(
                f"--memory {_size(memory)} is too little for this shot: it is worked in the "
                f"smallest pieces there are, and takes about {_size(self._needed)}.",
            )

    @property
    def _largest(self) -> int:
        """Voxels of the largest piece."""
        return max((tile.seen.voxels for tile in self.pieces), default=0)

    @property
    def _needed(self) -> int:
        """Bytes that the pieces take, with what is held."""
        return int(self._held + self._largest * self._bytes)

    def _fitting(self) -> tuple[Tile, ...]:
        most = int((self.memory - self._held) / self._bytes)
        return windowed_tiles(
            self._hole,
            window=self._window,
            most_voxels=most,
            reach=self.model.reach,
            shelf=self._shelf,
        )

    def __call__(
        self, x_t: Tensor, conditioning: Tensor, hole: Tensor, hint: Hint, t: Tensor
    ) -> Tensor:
        """Predicted x_0; arguments and shape as :class:`Denoiser`.

        Where the device runs out of memory the evaluation is done over in smaller pieces: the same
        prediction but for rounding, and the user is told.

        Raises:
            RuntimeError: the device has not enough memory for the smallest pieces either.
        """
        while True:
            try:
                tiled = Tiled(self.model, self.pieces, self._shelf)
                return tiled(x_t, conditioning, hole, hint, t)
            except (RuntimeError, MemoryError) as error:
                if not is_out_of_memory(error) or not self._gave_way():
                    raise

    def _gave_way(self) -> bool:
        """Take smaller pieces; False if there are none."""
        before, needed = self._largest, self._needed
        self.memory = int(self._held + before * self._bytes / 2)
        self.pieces = self._fitting()
        if self._largest >= before:
            return False
        if torch.cuda.is_available():
            torch.cuda.empty_cache()
        self._report.warn(
            f"The device ran out of memory where {_size(needed)} were expected to do: the shot is "
            f"worked in smaller pieces from here on, of {_size(self._needed)}.",
            "The fill is the same but for rounding. Give --memory "
            f"{_size(self._needed)} to have the same bits again.",
        )
        return True


def _size(count: int) -> str:
    """Bytes as `--memory` takes them."""
    return f"{count / 2**30:.1f}G" if count >= 2**30 else f"{count / 2**20:.0f}M"
