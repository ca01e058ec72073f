"""Edges: no line is left where a fill meets its plate, and its colour is that beside it.

Looks at the differences of neighbouring pixels that the matte's edge parts, and at those of pairs
just inside and just outside; and at the mean and spread of colour in a band on each side. All in
display values, as an eye would see them. Works on an existing result:

    python -m benchmarks.edges --result out/ --plate plate/ --matte matte/ [--layer infusion]
"""

from __future__ import annotations

import argparse
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.ndimage import distance_transform_edt

from benchmarks.frames import Frame, Mask, Values, add_source, frames_of, source_of
from benchmarks.stamp import put, stamped
from infusion_engine.media.display import to_display

BAND = 6.0
"""Pixels on each side of the edge that are compared."""
_STEPS = 4096  # of a histogram of differences, which keeps memory flat
_SIDES = ("across", "inside", "outside")


class EdgeTally:
    """Gathers differences and colours on both sides of the matte's edge, frame by frame."""

    def __init__(self, band: float = BAND) -> None:
        self._band = band
        self._counts = {side: np.zeros(_STEPS, np.int64) for side in _SIDES}
        self._sums = dict.fromkeys(_SIDES, 0.0)
        self._colours = {side: np.zeros((3, 3)) for side in _SIDES[1:]}

    def add(self, picture: Values, hole: Mask) -> None:
        """Take in the next frame: (H, W, 3) display values and (H, W), True in the hole."""
        if hole.all() or not hole.any():
            return
        depth = np.where(hole, distance_transform_edt(hole), -distance_transform_edt(~hole))
        near = np.abs(depth) <= self._band
        for one, other in (
            ((slice(1, None), slice(None)), (slice(None, -1), slice(None))),
            ((slice(None), slice(1, None)), (slice(None), slice(None, -1))),
        ):
            step = np.abs(picture[one] - picture[other]).mean(-1)
            a, b, close = hole[one], hole[other], near[one] & near[other]
            for side, where in zip(_SIDES, (a != b, a & b & close, ~a & ~b & close), strict=True):
                self._add(side, step[where])
        for side, where in (("inside", hole & near), ("outside", ~hole & near)):
            values = picture[where]
            self._colours[side] += [np.full(3, len(values)), values.sum(0), (values**2).sum(0)]

    def _add(self, side: str, steps: npt.NDArray[np.float64]) -> None:
        bins = np.minimum((steps * _STEPS).astype(np.int64), _STEPS - 1)
        self._counts[side] += np.bincount(bins, minlength=_STEPS)
        self._sums[side] += float(steps.sum())

    def figures(self) -> dict[str, Any]:
        """Ratios that are 1 where the edge cannot be seen, and colours on both sides.

        Raises:
            ValueError: the matte has no edge.
        """
        if not all(counts.any() for counts in self._counts.values()):
            raise ValueError("the matte has no edge with pixels on both sides")
        beside = self._counts["inside"] + self._counts["outside"]
        mean = {side: self._sums[side] / self._counts[side].sum() for side in _SIDES}
        mean["beside"] = (self._sums["inside"] + self._sums["outside"]) / beside.sum()
        high = {side: _percentile(self._counts[side], 0.95) for side in _SIDES}
        high["beside"] = _percentile(beside, 0.95)
        return {
            "pairs": {side: int(self._counts[side].sum()) for side in _SIDES},
            "across_to_beside": _ratios(mean, high, "across", "beside"),
            "across_to_outside": _ratios(mean, high, "across", "outside"),
            "inside_to_outside": _ratios(mean, high, "inside", "outside"),
            "colour": {c: self._colour(i) for i, c in enumerate("RGB")},
        }

    def _colour(self, channel: int) -> dict[str, Any]:
        """Mean and spread in the bands of one channel, and the spread's ratio."""
        means, spreads = {}, {}
        for side, sums in self._colours.items():
            count, total, square = sums[:, channel]
            means[side] = float(total / count)
            spreads[side] = float(np.sqrt(max(square / count - means[side] ** 2, 0.0)))
        return {
            "mean": {side: round(mean, 5) for side, mean in means.items()},
            "spread": {side: round(spread, 5) for side, spread in spreads.items()},
            "mean_difference": round(means["inside"] - means["outside"], 5),
            "spread_ratio": _ratio(spreads["inside"], spreads["outside"]),
        }


def figures(frames: Iterable[Frame], band: float = BAND) -> dict[str, Any]:
    """Of a result's frames, and of what they are held against at the same edge.

    The second is worth something where that is the truth; a plate has there what is to be removed.
    """
    result, other = EdgeTally(band), EdgeTally(band)
    for frame in frames:
        result.add(_shown(frame, frame.result), frame.hole)
        other.add(_shown(frame, frame.plate), frame.hole)
    return {"result": result.figures(), "plate": other.figures()}


def _shown(frame: Frame, values: Values) -> Values:
    return np.asarray(to_display(values, frame.transfer), np.float64)


def _percentile(counts: npt.NDArray[np.int64], share: float) -> float:
    """The middle of the step of the histogram below which `share` of the values lie."""
    place = int(np.searchsorted(np.cumsum(counts), share * counts.sum()))
    return (place + 0.5) / _STEPS


def _ratios(
    mean: dict[str, float], high: dict[str, float], one: str, other: str
) -> dict[str, float | None]:
    return {
        "mean": _ratio(mean[one], mean[other]),
        "percentile_95": _ratio(high[one], high[other]),
    }


def _ratio(one: float, other: float) -> float | None:
    """None where there is nothing to take a share of."""
    return round(one / other, 4) if other > 0.0 else None


def main() -> None:
    """Measure, print, and write where asked."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    add_source(parser)
    parser.add_argument("--band", type=float, default=BAND, help="pixels on each side of the edge")
    parser.add_argument("--write", type=Path, help="JSON file for the stamped result")
    asked = parser.parse_args()
    source = source_of(asked)
    if source is None:
        parser.error("--result is needed")
    told = stamped(
        {
            "claim": "Where a fill meets its plate there is no line and no other colour.",
            "result": Path(source.result).name,
            "band": asked.band,
            "figures": figures(frames_of(source), asked.band),
        }
    )
    put(told, asked.write)


if __name__ == "__main__":
    main()
