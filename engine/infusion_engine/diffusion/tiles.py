"""Tiles: a large clip denoised piece by piece, each with all around it that has a say in it.

A network sees only so far. Where a tile is that much larger than what is kept of it, the kept part
is what the whole clip, or the window that it is shown in, would have given, to rounding; what has
no hole near is not computed at all.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import pairwise

from torch import Tensor

from infusion_engine.diffusion.denoise import Denoiser
from infusion_engine.diffusion.hint import Hint
from infusion_engine.diffusion.reach import Reach
from infusion_engine.diffusion.shelf import Shelf
from infusion_engine.diffusion.windows import shares_of, windows_of

_CUTS = (1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64)
"""Numbers of pieces that a side may be cut into."""


@dataclass(frozen=True)
class Span:
    """Half-open ranges of frames, rows and columns."""

    frames: slice
    rows: slice
    columns: slice

    @property
    def voxels(self) -> int:
        """How many there are."""
        sides = (self.frames, self.rows, self.columns)
        return _length(sides[0]) * _length(sides[1]) * _length(sides[2])

    def later(self, frames: int) -> Span:
        """The same so many frames later."""
        start, stop = self.frames.start + frames, self.frames.stop + frames
        return replace(self, frames=slice(start, stop))


@dataclass(frozen=True)
class Tile:
    """A piece of a clip."""

    kept: Span
    """What it answers for."""
    seen: Span
    """What the denoiser is given: `kept` and as far around it as it sees."""
    shares: tuple[float, ...] = ()
    """How far it is believed in each kept frame, where others answer for it too; none: alone."""

    @property
    def inner(self) -> Span:
        """`kept`, counted within `seen`."""
        kept, seen = self.kept, self.seen
        return Span(
            _counted(kept.frames, seen.frames),
            _counted(kept.rows, seen.rows),
            _counted(kept.columns, seen.columns),
        )


def tiles(
    hole: Tensor, *, most_voxels: int, reach: Reach, shelf: Shelf | None = None
) -> tuple[Tile, ...]:
    """Tiles that hold every missing voxel, of at most so many voxels each where that can be.

    Of all ways to cut time, height and width evenly, the one that computes the fewest voxels. A
    matte that moves is followed: each stretch of frames has a box of its own.

    Args:
        hole: (1, T, H, W), 1 = missing.
        most_voxels: largest tile, halo and all; the smallest there is where none is small enough.
        reach: of the denoiser.
        shelf: where the hole lies; None for memory.
    """
    shelf = shelf or Shelf()
    boxes = _boxes(hole, shelf)
    size = (hole.shape[1], hole.shape[2], hole.shape[3])
    lengths = {-(-len(boxes) // pieces) for pieces in range(1, len(boxes) + 1)}
    least = min(len(boxes), reach.frames)  # what keeps less than one halo is mostly halo
    ways = []
    for frames in sorted((n for n in lengths if n >= least), reverse=True):
        firsts = range(0, size[0], frames)
        parts = [_cut(boxes[i : i + frames], i, size, most_voxels, reach) for i in firsts]
        there = [part for part in parts if part is not None]
        ways.append((_Cost.of(there, most_voxels), there))
    best = min(ways, key=lambda way: way[0])[1]
    found = [_tile(kept, size, reach) for part in best for kept in part.spans]
    return tuple(tile for tile in found if _misses(hole[0][_index(tile.kept)], shelf))


def windowed_tiles(
    hole: Tensor, *, window: int | None, most_voxels: int, reach: Reach, shelf: Shelf | None = None
) -> tuple[Tile, ...]:
    """Tiles of each window by itself, which see nothing outside it.

    Args:
        hole: (1, T, H, W), 1 = missing.
        window: frames of one; None for tiles of the clip as a whole.
        most_voxels: as `tiles`.
        reach: as `tiles`.
        shelf: as `tiles`.
    """
    if window is None or window >= hole.shape[1]:
        return tiles(hole, most_voxels=most_voxels, reach=reach, shelf=shelf)
    windows, found = windows_of(hole.shape[1], window), list[Tile]()
    for one, shares in zip(windows, shares_of(windows), strict=True):
        for tile in tiles(hole[:, one], most_voxels=most_voxels, reach=reach, shelf=shelf):
            own = shares[tile.kept.frames]
            found.append(Tile(tile.kept.later(one.start), tile.seen.later(one.start), own))
    return tuple(found)


class Tiled:
    """A denoiser that works tile by tile; only what is missing is worked out in full."""

    def __init__(
        self, denoiser: Denoiser, pieces: tuple[Tile, ...], shelf: Shelf | None = None
    ) -> None:
        """Work by these pieces; what is predicted lies on `shelf`, None for memory."""
        self.denoiser = denoiser
        self.pieces = pieces
        self.shelf = shelf or Shelf()

    def __call__(
        self, x_t: Tensor, conditioning: Tensor, hole: Tensor, hint: Hint, t: Tensor
    ) -> Tensor:
        """Predicted x_0; arguments and shape as :class:`Denoiser`."""
        predicted = self.shelf.zeros(*x_t.shape, device=x_t.device)
        for tile in self.pieces:
            seen = (..., *_index(tile.seen))
            part = self.denoiser(
                x_t[seen], conditioning[seen], hole[seen], hint.within(*_index(tile.seen)), t
            )
            kept = part[..., *_index(tile.inner)].to(predicted)  # (B, 3, t, h, w)
            if tile.shares:
                kept = kept * predicted.new_tensor(tile.shares)[:, None, None]
                kept += predicted[..., *_index(tile.kept)]
            predicted[..., *_index(tile.kept)] = kept
            self.shelf.rest()
        return predicted


def _boxes(hole: Tensor, shelf: Shelf) -> list[tuple[int, int, int, int] | None]:
    """(top, bottom, left, right) around the hole of each frame of (1, T, H, W), half-open."""
    found: list[tuple[int, int, int, int] | None] = []
    for frames in shelf.pieces(hole):
        missing = hole[0, frames] > 0.0
        for rows, columns in zip(missing.any(2).cpu(), missing.any(1).cpu(), strict=True):
            y, x = rows.nonzero().flatten().tolist(), columns.nonzero().flatten().tolist()
            found.append((y[0], y[-1] + 1, x[0], x[-1] + 1) if y else None)
    return found


def _misses(hole: Tensor, shelf: Shelf) -> bool:
    """True where any voxel of (T, H, W) is missing."""
    return any(bool((hole[frames] > 0.0).any()) for frames in shelf.pieces(hole))


@dataclass(frozen=True, order=True)
class _Cost:
    """What speaks against a way to cut, what counts most first."""

    too_large: int
    """Voxels of the largest tile, where that is more than asked for."""
    voxels: int
    """Of all tiles together."""
    count: int
    """Of tiles."""

    @staticmethod
    def of(parts: list[_Part], most_voxels: int) -> _Cost:
        """Of stretches together."""
        largest = max((part.largest for part in parts), default=0)
        return _Cost(
            largest if largest > most_voxels else 0,
            sum(part.voxels for part in parts),
            sum(len(part.spans) for part in parts),
        )


@dataclass(frozen=True)
class _Part:
    """A stretch of frames, and how its box is cut."""

    frames: slice
    rows: tuple[slice, ...]
    columns: tuple[slice, ...]
    largest: int
    """Voxels of the largest tile."""
    voxels: int
    """Of all its tiles."""

    @property
    def spans(self) -> list[Span]:
        """What each tile keeps."""
        return [Span(self.frames, y, x) for y in self.rows for x in self.columns]


def _cut(
    boxes: list[tuple[int, int, int, int] | None],
    first: int,
    size: tuple[int, int, int],
    most_voxels: int,
    reach: Reach,
) -> _Part | None:
    """How to cut the frames whose boxes are given, the first of which is frame `first`."""
    there = [(i, box) for i, box in enumerate(boxes) if box is not None]
    if not there:
        return None
    frames = slice(first + there[0][0], first + there[-1][0] + 1)
    top, left = min(b[0] for _, b in there), min(b[2] for _, b in there)
    bottom, right = max(b[1] for _, b in there), max(b[3] for _, b in there)
    depth = _length(_around(frames, size[0], reach.frames, 1))

    def pieces(low: int, high: int, whole: int) -> list[tuple[tuple[slice, ...], int, int]]:
        """Ways to cut a side: (pieces, length of the longest as seen, lengths together)."""
        found = []
        for count in (n for n in _CUTS if n == 1 or (high - low) // n >= reach.pixels):
            cut = tuple(_pieces(low, high, count))
            seen = [_length(_around(p, whole, reach.pixels, reach.grid)) for p in cut]
            found.append((cut, max(seen), sum(seen)))
        return found

    found = []
    for rows, tall, heights in pieces(top, bottom, size[1]):
        for columns, wide, widths in pieces(left, right, size[2]):
            found.append(
                _Part(frames, rows, columns, depth * tall * wide, depth * heights * widths)
            )
            if found[-1].largest <= most_voxels:
                break  # more cuts only add halo
        if len(columns) == 1:
            break
    return min(found, key=lambda part: _Cost.of([part], most_voxels))


def _pieces(start: int, stop: int, count: int) -> Iterator[slice]:
    """[start, stop) in `count` pieces, none more than one longer than another."""
    edges = [start + (stop - start) * i // count for i in range(count + 1)]
    for low, high in pairwise(edges):
        yield slice(low, high)


def _tile(kept: Span, size: tuple[int, int, int], reach: Reach) -> Tile:
    """The tile that answers for `kept` in a clip of that size."""
    seen = Span(
        _around(kept.frames, size[0], reach.frames, 1),
        _around(kept.rows, size[1], reach.pixels, reach.grid),
        _around(kept.columns, size[2], reach.pixels, reach.grid),
    )
    return Tile(kept, seen)


def _around(piece: slice, whole: int, far: int, step: int) -> slice:
    """`piece` and as `far` on each side as there is, beginning at a multiple of `step`."""
    low = max(0, piece.start - far)
    return slice(low - low % step, min(whole, piece.stop + far))


def _index(span: Span) -> tuple[slice, slice, slice]:
    return span.frames, span.rows, span.columns


def _counted(piece: slice, whole: slice) -> slice:
    return slice(piece.start - whole.start, piece.stop - whole.start)


def _length(piece: slice) -> int:
    return int(piece.stop - piece.start)
