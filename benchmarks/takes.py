"""Takes: whether takes of whole clips differ by as much as they are wrong, and what each is worth.

A clip is a folder with `plate` and `matte`, and its plate is the truth: that the engine never looks
under the matte is proved bit for bit in tests/end_to_end/test_presets.py. Run it as

    python -m benchmarks.takes CLIP ... --weights DIR [--takes 3] [--cache DIR] [--write DIR]
"""

from __future__ import annotations

import argparse
import json
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

from benchmarks.abreast import abreast
from benchmarks.attempt import evaluated, figures
from benchmarks.rendering import Rendering, add_rendering, rendered, rendering_of
from benchmarks.stamp import commit_here, put, stamped

OF_ALL = ("calibration", "diversity_hole", "diversity")
"""Figures of all takes together."""
AS_ASKED = (0.5, 1.5)
"""Where calibration is to lie: variance over takes against the squared error of their mean."""


def takes_of(
    clip: Path, rendering: Rendering, *, count: int, weights: Path | None, keep: Path, cache: Path
) -> dict[str, Any]:
    """Render a clip's takes from one set of fits, and score them together and one by one.

    Args:
        clip: with `plate` and `matte`.
        rendering: how.
        count: takes, 2 or more.
        weights: folder of the perceptual distance's network.
        keep: gets frames and the contact sheet.
        cache: where fits and samples are found and kept.

    Raises:
        RuntimeError: a command failed.
    """
    together = replace(rendering, flags=(*rendering.flags, "--takes", str(count)))
    rendered(together, clip / "plate", clip / "matte", keep, cache=cache)
    fills = [keep / "frames", *(keep / "frames" / f"take{k}" for k in range(2, count + 1))]
    truth, matte = clip / "plate", clip / "matte"
    found = evaluated(fills[0], truth, matte, weights=weights, others=fills[1:])
    further = [evaluated(fill, truth, matte, weights=weights) for fill in fills[1:]]
    told = {
        "clip": clip.name,
        "frames": found["frames"],
        **{name: round(float(found[name]), 4) for name in OF_ALL},
        "takes": [figures(one) for one in (found, *further)],
    }
    print(json.dumps(told), flush=True)
    return told


def as_asked(calibration: float) -> bool:
    """Whether takes differ by about as much as they are wrong."""
    return AS_ASKED[0] <= calibration <= AS_ASKED[1]


def main() -> None:
    """Render, score, print, and write where asked."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("clips", type=Path, nargs="+", help="folders with plate and matte")
    parser.add_argument("--weights", type=Path, help="of the perceptual distance")
    parser.add_argument("--takes", type=int, default=3, help="of each clip, 2 or more (3)")
    parser.add_argument("--at-once", type=int, default=2, help="renders at once")
    parser.add_argument(
        "--cache", type=Path, help="one folder a clip in here; default: thrown away"
    )
    parser.add_argument("--write", type=Path, help="folder for takes.json, frames and sheets")
    add_rendering(parser)
    arguments = parser.parse_args()
    rendering = rendering_of(arguments)
    began_at = commit_here()
    with tempfile.TemporaryDirectory(prefix="infusion-takes-") as name:
        keep, cache = arguments.write or Path(name), arguments.cache or Path(name) / "cache"

        def one(clip: Path) -> dict[str, Any]:
            return takes_of(
                clip,
                rendering,
                count=arguments.takes,
                weights=arguments.weights,
                keep=keep / clip.name,
                cache=cache / clip.name,
            )

        found = abreast(one, arguments.clips, at_once=arguments.at_once)
    result = {
        "asked": "Do takes differ by as much as they are wrong: calibration of 0.5 to 1.5?",
        "rendering": rendering.described,
        "holds": {told["clip"]: as_asked(told["calibration"]) for told in found},
        "clips": found,
    }
    file = arguments.write / "takes.json" if arguments.write else None
    put(stamped(result, device=arguments.device, began_at=began_at), file)


if __name__ == "__main__":
    main()
