"""Large: a render of a large moving hole keeps within the memory that it is given.

Makes a half EXR plate of any size with an elliptic matte that moves, renders it with a tiny budget
of fitting and `--memory`, in a process of its own, reads the peak of its resident memory, and holds
every pixel outside the matte against the plate's, bit for bit. Run it as

    python -m benchmarks.large --size 4096x2160 --frames 48 --hole 600x900 --memory 6G
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import OpenEXR

from benchmarks.memory import measured
from benchmarks.stamp import put, stamped

_TILE = 256  # of noise, repeated: making a large plate should not take longer than filling it


def write_shot(
    folder: Path, size: tuple[int, int], frames: int, hole: tuple[int, int], drift: int
) -> None:
    """A plate of drifting grain over waves, to 4 and below 0, and its matte.

    Args:
        folder: gets `plate` and `matte`.
        size: (width, height) of a frame in pixels.
        frames: how many.
        hole: (width, height) of the ellipse in pixels.
        drift: pixels that it goes to the right in a frame; it goes down by one at most.

    Raises:
        ValueError: the hole does not fit into the frame on its way.
    """
    (width, height), (wide, tall) = size, hole
    down = min(1.0, (height - tall) / frames)
    if wide + drift * frames > width or tall > height:
        raise ValueError(f"a hole of {wide}x{tall} leaves {width}x{height} within {frames} frames")
    for name in ("plate", "matte"):
        (folder / name).mkdir(parents=True)
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    waves = np.sin(x / 61) * np.sin(y / 37) * 2 + 1.8
    grain = np.random.default_rng(0).standard_normal((_TILE, _TILE)).astype(np.float32)
    repeats = (-(-height // _TILE), -(-width // _TILE))
    header = {"type": OpenEXR.scanlineimage, "compression": OpenEXR.NO_COMPRESSION}
    for index in range(frames):
        moved = np.tile(np.roll(grain, (7 * index, 13 * index), (0, 1)), repeats)
        picture = waves + 0.1 * moved[:height, :width]
        plate = {
            n: (picture * g).astype(np.float16) for n, g in zip("RGB", (1, 0.5, 0.2), strict=True)
        }
        OpenEXR.File(dict(header), plate).write(str(folder / f"plate/p.{1001 + index}.exr"))
        left = (width - wide - drift * frames) // 2 + drift * index
        top = int((height - tall - down * frames) // 2 + down * index)
        away = ((x - left) / wide * 2 - 1) ** 2 + ((y - top) / tall * 2 - 1) ** 2
        matte = (away < 1.0).astype(np.float16)
        OpenEXR.File(dict(header), {"A": matte}).write(str(folder / f"matte/m.{1001 + index}.exr"))


def channels(file: Path) -> dict[str, np.ndarray]:
    """(H, W) of each channel of an EXR."""
    with OpenEXR.File(str(file), separate_channels=True) as exr:
        return {name: np.array(channel.pixels) for name, channel in exr.channels().items()}


def changed_outside(folder: Path) -> int:
    """Values of the plate's channels that differ in the output, and of the layer outside the matte.

    Args:
        folder: holds `plate`, `matte` and `out`.
    """
    count = 0
    for file in sorted((folder / "plate").iterdir()):
        plate, found = channels(file), channels(folder / "out" / file.name)
        outside = channels(folder / "matte" / file.name.replace("p.", "m."))["A"] == 0
        for name, values in plate.items():
            bits = values.view(np.uint16)
            count += int((found[name].view(np.uint16) != bits).sum())
            layer = found[f"infusion.{name}"].view(np.uint16)
            count += int((layer != bits)[outside].sum())
    return count


def result(
    size: tuple[int, int], frames: int, hole: tuple[int, int], drift: int, memory: str
) -> dict[str, Any]:
    """Peak memory, seconds and changed values of one render, stamped."""
    with tempfile.TemporaryDirectory(prefix="infusion-large-") as name:
        folder = Path(name)
        write_shot(folder, size, frames, hole, drift)
        figures = measured(folder, "--memory", memory, steady=False)
        return stamped(
            {
                "claim": "A large hole is filled in a given memory, and no bit changes outside.",
                "size": f"{size[0]}x{size[1]}",
                "frames": frames,
                "hole": f"{hole[0]}x{hole[1]}",
                "drift": drift,
                "memory": memory,
                **figures,
                "changed_outside": changed_outside(folder),
            }
        )


def main() -> None:
    """Measure, print, and write where asked."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--size", type=_size, default=(4096, 2160), help="of a frame, in pixels")
    parser.add_argument("--frames", type=int, default=48)
    parser.add_argument("--hole", type=_size, default=(600, 900), help="in pixels")
    parser.add_argument("--drift", type=int, default=4, help="of the hole, in pixels a frame")
    parser.add_argument("--memory", default="6G", help="as infusion-render takes it")
    parser.add_argument("--write", type=Path, help="JSON file for the stamped result")
    asked = parser.parse_args()
    shot = (asked.size, asked.frames, asked.hole, asked.drift)
    put(result(*shot, asked.memory), asked.write)


def _size(text: str) -> tuple[int, int]:
    """WIDTHxHEIGHT."""
    width, height = text.split("x")
    return int(width), int(height)


if __name__ == "__main__":
    main()
