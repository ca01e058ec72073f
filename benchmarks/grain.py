"""Grain: the noise of a fill has the power and the spectrum of the plate's, and changes like it.

Takes the difference of each frame and the one before, over sqrt 2, so that what stands still is
gone, and the spectra of small squares of it that lie wholly in the hole, or wholly in a ring around
it. Of moving texture that is its motion and no grain: only the finest band says anything. Run as

    python -m benchmarks.grain [--minutes 4]           # makes a grainy plate and renders it
    python -m benchmarks.grain --result out/ --plate plate/ --matte matte/ --layer infusion
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.ndimage import distance_transform_edt

from benchmarks.frames import (
    Frame,
    Mask,
    Source,
    Values,
    add_source,
    frames_of,
    source_of,
)
from benchmarks.grainy import Grainy, write_grainy
from benchmarks.rendering import Rendering, add_rendering, rendered, rendering_of
from benchmarks.stamp import commit_here, put, stamped

SIDE = 16
"""Pixels of a square each way."""
BANDS = {"coarse": (0.1, 0.2), "middle": (0.2, 0.35), "fine": (0.35, 0.75)}
"""Cycles a pixel, from and up to; what is slower than the first may be light and no grain."""
RIGHT = (0.75, 1.25)
"""Power inside over power outside."""
FROZEN = 0.25
"""By so much more than outside does frozen grain resemble that of the frame before."""
_RING = 40  # pixels around the hole in which squares are taken
_LEAST = 4  # squares on each side, or there is nothing to tell


@dataclass
class _Place:
    """Sums over the squares of one side of the matte's edge."""

    squares: int = 0
    power: Values = field(default_factory=lambda: np.zeros((SIDE, SIDE, 3)))
    """Of differences of frames over sqrt 2."""
    together: Values = field(default_factory=lambda: np.zeros(3))
    """Of a frame and the one before: what they share."""
    alone: Values = field(default_factory=lambda: np.zeros((2, 3)))
    """Of either by itself."""


def banded() -> tuple[Values, dict[str, Mask]]:
    """Cycles a pixel of each wave of a square, (SIDE, SIDE), and which are in each band."""
    waves = np.fft.fftfreq(SIDE)
    radius = np.hypot(waves[:, None], waves[None, :])
    return radius, {name: (radius >= a) & (radius < b) for name, (a, b) in BANDS.items()}


def spectra(squares: Values) -> npt.NDArray[np.complex128]:
    """Of squares (N, SIDE, SIDE, 3), same shape; white noise of variance v has mean power v."""
    row = np.hanning(SIDE + 1)[:-1]
    window = np.outer(row, row)[None, :, :, None]
    mean = (squares * window).sum((1, 2), keepdims=True) / window.sum()
    found = np.fft.fft2((squares - mean) * window, axes=(1, 2))
    return np.asarray(found / np.sqrt((window**2).sum()), np.complex128)


def corners(where: Mask) -> npt.NDArray[np.intp]:
    """(N, 2): upper left of each square that lies wholly in `where`, half a side apart."""
    if min(where.shape) < SIDE:
        return np.zeros((0, 2), np.intp)
    full = np.lib.stride_tricks.sliding_window_view(where, (SIDE, SIDE))
    step = SIDE // 2
    return np.argwhere(full[::step, ::step].all((2, 3))) * step


class GrainTally:
    """Gathers the spectra of a result's noise on both sides of the matte's edge."""

    def __init__(self) -> None:
        self._before: Frame | None = None
        self._places = {"inside": _Place(), "outside": _Place()}

    def add(self, frame: Frame) -> None:
        """Take in the next frame."""
        before, self._before = self._before, frame
        if before is None:
            return
        either, both = frame.hole | before.hole, frame.hole & before.hole
        if not both.any():
            return
        near = distance_transform_edt(~either) <= _RING
        for name, where in (("inside", both), ("outside", ~either & near)):
            self._add(self._places[name], frame.result, before.result, where)

    def _add(self, place: _Place, now: Values, before: Values, where: Mask) -> None:
        at = corners(where)
        if not len(at):
            return
        cut = [np.stack([v[y : y + SIDE, x : x + SIDE] for y, x in at]) for v in (now, before)]
        one, other = (spectra(squares) for squares in cut)
        _, bands = banded()
        heard = np.logical_or.reduce(list(bands.values()))
        place.squares += len(at)
        place.power += (np.abs(one - other) ** 2).sum(0) / 2.0
        place.together += (one * other.conj()).real[:, heard].sum((0, 1))
        place.alone += [(np.abs(v[:, heard]) ** 2).sum((0, 1)) for v in (one, other)]

    def figures(self) -> dict[str, Any]:
        """Ratios by channel and band, and the likeness of successive frames.

        Raises:
            ValueError: the hole or what is around it has no room for squares.
        """
        for name, place in self._places.items():
            if place.squares < _LEAST:
                raise ValueError(
                    f"{name} the hole are {place.squares} squares of {SIDE} pixels in two "
                    f"successive frames; expected {_LEAST}"
                )
        inside, outside = self._places["inside"], self._places["outside"]
        channels = {c: _channel(inside, outside, i) for i, c in enumerate("RGB")}
        ratios = [ratio for told in channels.values() for ratio in told["ratio"].values()]
        likeness = [told["likeness"] for told in channels.values()]
        return {
            "squares": {name: place.squares for name, place in self._places.items()},
            "channels": channels,
            "within_a_quarter": all(RIGHT[0] <= ratio <= RIGHT[1] for ratio in ratios),
            "frozen": any(one["inside"] > one["outside"] + FROZEN for one in likeness),
            "doubled": any(told["ratio"]["total"] > RIGHT[1] for told in channels.values()),
        }


def _channel(inside: _Place, outside: _Place, channel: int) -> dict[str, Any]:
    """Of one channel: deviation and likeness on each side, and power inside over outside."""
    _, bands = banded()
    bands["total"] = np.logical_or.reduce(list(bands.values()))
    power = {
        name: [float(p.power[where, channel].mean() / p.squares) for p in (inside, outside)]
        for name, where in bands.items()
    }
    likeness = [
        float(p.together[channel] / np.sqrt(max(p.alone[:, channel].prod(), 1e-300)))
        for p in (inside, outside)
    ]
    return {
        "ratio": {n: round(a / b, 4) if b else float("inf") for n, (a, b) in power.items()},
        "deviation": dict(
            zip(
                ("inside", "outside"), (float(f"{p**0.5:.4g}") for p in power["total"]), strict=True
            )
        ),
        "likeness": dict(
            zip(("inside", "outside"), (round(one, 4) for one in likeness), strict=True)
        ),
    }


def figures(frames: Iterable[Frame]) -> dict[str, Any]:
    """What `GrainTally` finds in the frames."""
    tally = GrainTally()
    for frame in frames:
        tally.add(frame)
    return tally.figures()


def made(rendering: Rendering, keep: Path) -> dict[str, Any]:
    """Seconds and figures of one render of a grainy plate; both go into the folder `keep`."""
    grainy = Grainy()
    write_grainy(keep / "shot", grainy)
    seconds = rendered(rendering, keep / "shot" / "plate", keep / "shot" / "matte", keep)
    source = Source(
        str(keep / "frames"), str(keep / "shot/plate"), str(keep / "shot/matte"), "infusion"
    )
    return {
        "shot": asdict(grainy),
        **rendering.described,
        "seconds": seconds,
        **figures(frames_of(source)),
    }


def main() -> None:
    """Measure a result, or one of a plate made for it; print, and write where asked."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    add_source(parser)
    add_rendering(parser)
    parser.add_argument("--write", type=Path, help="folder for grain.json, and what was rendered")
    asked = parser.parse_args()
    began_at = commit_here()
    source = source_of(asked)
    if source is not None:
        found = {"result": Path(source.result).name, **figures(frames_of(source))}
    else:
        with tempfile.TemporaryDirectory(prefix="infusion-grain-") as name:
            found = made(rendering_of(asked), asked.write or Path(name))
    told = stamped(
        {
            "claim": "The grain of a fill is the plate's: power within a quarter in each band and "
            "channel, new in every frame.",
            **found,
        },
        device=asked.device,
        began_at=began_at,
    )
    put(told, asked.write / "grain.json" if asked.write else None)


if __name__ == "__main__":
    main()
