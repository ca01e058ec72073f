"""Fringe: how much of a blurred disc stays around the hole, by the pixels the matte is grown.

Makes a disc whose true alpha is known and three mattes of it, grows each as `--matte-grow` does,
and tells what of the disc lies outside the hole, and what a merged picture keeps under a soft
matte even where the fill is perfect. With `--render` it also renders at each growth, and tells how
much of the disc's colour the fill has learnt from what was left. Run it as

    python -m benchmarks.fringe [--render hard --minutes 1] [--write DIR]
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from scipy.ndimage import distance_transform_edt

from benchmarks.blurred import COLOUR, MATTES, Blurred, Field, alphas, behind, write_blurred
from benchmarks.frames import Source, frames_of
from benchmarks.rendering import Rendering, add_rendering, rendered, rendering_of
from benchmarks.stamp import commit_here, put, stamped
from infusion_engine.media.matte import shaped

GROWN = (0.0, 1.0, 2.0, 3.0, 4.0, 6.0)
"""Pixels that are tried."""
_RIM = 3.0  # pixels just inside and just outside the edge of the hole


def as_used(matte: Field, grow: float) -> Field:
    """A clip's matte (T, H, W) as the engine uses it."""
    grown = [shaped(one.astype(np.float32), grow=grow, feather=0.0) for one in matte]
    return np.asarray(grown, np.float64)


def left(alpha: Field, used: Field) -> dict[str, float]:
    """What of the disc is left, (T, H, W) each, as shares of full cover, fills being perfect.

    Outside the hole all of it is, as the plate's bits are kept; in a merged picture there is also
    what the matte lets through of the plate: alpha (1 - matte).
    """
    outside, merged = alpha * (used <= 0), alpha * (1.0 - used)
    return {
        "outside_largest": round(float(outside.max()), 4),
        "outside_share": round(float(outside.sum() / alpha.sum()), 5),
        "merged_largest": round(float(merged.max()), 4),
        "merged_share": round(float(merged.sum() / alpha.sum()), 5),
        "hole_to_trace": round(float((used > 0).sum() / (alpha > 0).sum()), 4),
    }


def remains(picture: Field, truth: Field, where: np.ndarray) -> float | None:
    """How much of the disc's colour is in `picture`, (T, H, W, 3), as a share of full cover.

    The error along the way from the truth to the colour, by least squares over `where`
    (T, H, W): noise and texture have no part in it. None where there is nothing.
    """
    if not where.any():
        return None
    way = COLOUR - truth[where]
    return round(float(((picture[where] - truth[where]) * way).sum() / (way**2).sum()), 4)


def _zones(used: Field) -> dict[str, np.ndarray]:
    """(T, H, W) bool: just outside the hole, just inside it, and deeper."""
    depth = np.stack(
        [distance_transform_edt(one > 0) - distance_transform_edt(one <= 0) for one in used]
    )
    return {
        "outside": (depth < 0) & (depth >= -_RIM),
        "rim": (depth > 0) & (depth <= _RIM),
        "deep": depth > _RIM,
    }


def _rms(error: Field, where: np.ndarray) -> float:
    return round(float(np.sqrt((error[where] ** 2).mean())), 5)


def tried(
    rendering: Rendering, blurred: Blurred, kind: str, grow: float, *, shot: Path, output: Path
) -> dict[str, Any]:
    """Seconds of one render, and what of the disc's colour it has where.

    Args:
        rendering: how.
        blurred: the shot in the folder `shot`.
        kind: of its mattes.
        grow: pixels by which that is grown.
        shot: holds what `write_blurred` made.
        output: gets frames and a contact sheet.
    """
    flags = ("--matte-grow", f"{grow:g}", "--write", "merged")
    seconds = rendered(rendering, shot / "plate", shot / kind, output, *flags)
    truth, alpha = behind(blurred), alphas(blurred)
    fill, merged = (
        np.stack(
            [
                frame.result
                for frame in frames_of(
                    Source(str(output / "frames"), str(shot / "truth"), str(shot / kind), layer)
                )
            ]
        )
        for layer in ("infusion", None)
    )
    zones = _zones(as_used(MATTES[kind](alpha), grow))
    soft = (alpha > 0) & (alpha < 1)
    return {
        "seconds": seconds,
        "fill": {zone: remains(fill, truth, where) for zone, where in zones.items()},
        "merged": {zone: remains(merged, truth, where) for zone, where in zones.items()},
        "fill_rms_where_alpha_is_soft": _rms(fill - truth, soft),
        "merged_rms_where_alpha_is_soft": _rms(merged - truth, soft),
        "fill_rms_in_the_trace": _rms(fill - truth, alpha > 0),
        "merged_rms_in_the_trace": _rms(merged - truth, alpha > 0),
    }


def result(
    blurred: Blurred,
    grown: Sequence[float],
    rendering: Rendering,
    *,
    kinds: Sequence[str],
    keep: Path,
) -> dict[str, Any]:
    """What is left for each matte and growth, and in renders of the mattes `kinds`, stamped."""
    began_at = commit_here()
    alpha = alphas(blurred)
    mattes = {
        kind: {f"{g:g}": left(alpha, as_used(make(alpha), g)) for g in grown}
        for kind, make in MATTES.items()
    }
    renders: dict[str, Any] = {}
    if kinds:
        write_blurred(keep / "shot", blurred)
    for kind in kinds:
        renders[kind] = {}
        for g in grown:
            place = keep / f"{kind}-{g:g}"
            found = tried(rendering, blurred, kind, g, shot=keep / "shot", output=place)
            renders[kind][f"{g:g}"] = found
    return stamped(
        {
            "asked": "How far has a matte to be grown until nothing of what it hides is left?",
            "shot": asdict(blurred),
            "left": mattes,
            "rendered": {**rendering.described, "mattes": renders} if kinds else None,
        },
        device=rendering.device,
        began_at=began_at,
    )


def main() -> None:
    """Measure, print, and write where asked."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    add_rendering(parser)
    parser.add_argument("--render", choices=MATTES, nargs="+", default=[], help="these mattes, too")
    parser.add_argument("--grow", type=float, nargs="+", default=GROWN, help="pixels to try")
    parser.add_argument(
        "--speed", type=float, default=Blurred.speed, help="of the disc; it is blurred over half"
    )
    parser.add_argument("--write", type=Path, help="folder for fringe.json and what was rendered")
    asked = parser.parse_args()
    blurred = Blurred(speed=asked.speed)
    with tempfile.TemporaryDirectory(prefix="infusion-fringe-") as name:
        keep = asked.write or Path(name)
        told = result(blurred, asked.grow, rendering_of(asked), kinds=asked.render, keep=keep)
    put(told, asked.write / "fringe.json" if asked.write else None)


if __name__ == "__main__":
    main()
