"""Make a plate with a still half and a moving half, both hidden for long by a hoist going up.

    python examples/still/make_plate.py build/still

writes half-float EXR 1001-1120 into three folders below the one that is named, and one picture:

    plate/still.1001.exr   wall and water with the hoist in front of them    R G B
    matte/still.1001.exr   where the hoist is to be replaced                 A, 1 = replace
    truth/still.1001.exr   the same without the hoist                        R G B
    still/still.exr        which pixels are wall, the same in every frame    A, 1 = still

With `--pan 0.8` the camera goes to the right by so many pixels a frame, and there is a picture of
what is wall for each frame, too.

The wall has no grain: in the truth each of its pixels has the same bits in all frames. The water is
a sum of waves, each at the speed that its length has on deep water (Tessendorf 2001), whose slopes
glint. Everything follows from the seed.
"""

from __future__ import annotations

import argparse
import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import OpenEXR

Field = npt.NDArray[np.float64]
"""(H, W), rows downwards."""
Picture = npt.NDArray[np.float64]
"""(H, W, 3), scene-linear."""

FIRST_FRAME = 1001
HIDDEN = 0.55  # of the shot's frames, for which each pixel of the hoist's way is behind it
FREE = 6  # frames before and after, together, in which the hoist is out of the picture
MARGIN = 1.0  # pixels beyond the hoist where the matte is full
FADE = 2.0  # pixels over which the matte then goes to 0
SHUTTER = 0.5  # of a frame
SAMPLES = 8  # of the shutter


@dataclass(frozen=True)
class Way:
    """How the hoist goes through the picture: straight up, at one speed."""

    left: float
    """Its left side, in pixels."""
    right: float
    """Its right side."""
    tall: float
    """Pixels from its roof to its floor; more than the picture has."""
    speed: float
    """Pixels upwards in a frame."""
    start: float
    """Row of its roof at the first frame: below the picture."""

    def reach(self, time: float, y: Field, x: Field) -> Field:
        """Signed distance to the hoist in pixels, negative inside, `time` in frames."""
        roof = self.start - self.speed * time
        rows = np.maximum(roof - y, y - roof - self.tall)
        columns = np.maximum(self.left - x, x - self.right)
        return np.asarray(np.maximum(rows, columns), np.float64)


def way_through(frames: int, height: int, width: int) -> Way:
    """One behind which every pixel that it covers is hidden for HIDDEN of the frames.

    Raises:
        ValueError: there are too few frames to enter, to hide and to leave.
    """
    hidden = round(HIDDEN * frames)
    passing = frames - hidden - FREE
    if passing < 1:
        raise ValueError(f"{frames} frames are too few to come, to hide and to go; expected 16")
    speed = height / passing
    return Way(0.35 * width, 0.65 * width, hidden * speed, speed, height + speed * FREE / 2)


def smooth_noise(rng: np.random.Generator, height: int, width: int, radius: float) -> Field:
    """(H, W) of mean 0 and deviation 1, blurred over about `radius` pixels, periodic."""
    y, x = np.fft.fftfreq(height)[:, None], np.fft.rfftfreq(width)[None, :]
    waves = np.fft.rfft2(rng.standard_normal((height, width)))
    waves *= np.exp(-0.5 * (2 * np.pi * radius) ** 2 * (y**2 + x**2))
    waves[0, 0] = 0.0
    field = np.fft.irfft2(waves, (height, width))
    return np.asarray(field / field.std(), np.float64)


def wall(rng: np.random.Generator, height: int, width: int) -> Picture:
    """Courses of stone with joints, coarse and fine stain, and a lamp: from 0.02 to about 8."""
    y, x = np.mgrid[:height, :width].astype(np.float64)
    course = np.floor(y / 12)
    along = (x + 9.0 * (course % 2) + 3.0 * np.sin(5.0 * course)) % 21
    joint = (y % 12 < 1) | (along < 1)
    tone = rng.uniform(-0.35, 0.35, (height // 12 + 1, width // 21 + 3))
    stone = tone[course.astype(int), ((x + 9.0 * (course % 2)) // 21).astype(int)]
    stain = 0.25 * smooth_noise(rng, height, width, 4.0) + 0.2 * smooth_noise(
        rng, height, width, 0.5
    )
    lamp = 4.0 * np.exp(-np.hypot(y - 0.3 * height, x - 0.42 * width) / (0.09 * width))
    light = (0.25 + lamp) * np.exp(stone + stain) * np.where(joint, 0.4, 1.0)
    warmth = 1.0 + 0.15 * smooth_noise(rng, height, width, 6.0)[..., None] * [0.5, 0.0, -0.5]
    return np.asarray(np.maximum(light[..., None] * [1.0, 0.8, 0.6] * warmth, 0.02), np.float64)


class Water:
    """Waves on deep water, periodic on both axes."""

    def __init__(self, rng: np.random.Generator, height: int, width: int) -> None:
        y, x = np.fft.fftfreq(height)[:, None], np.fft.fftfreq(width)[None, :]
        k = 2 * np.pi * np.hypot(y, x)
        k[0, 0] = 1.0  # the mean, which is taken out below
        self.pulse = np.sqrt(0.15 * k)  # waves 16 pixels long go 0.6 pixels in a frame
        onwards = (2 * np.pi * (0.5 * x + 0.87 * y) / k) ** 2  # most waves go one way
        power = k**-3.0 * np.exp(-1.0 / (k * 6.0) ** 2) * np.exp(-((0.5 * k) ** 2)) * onwards
        noise = rng.standard_normal((2, height, width))
        self.slopes = np.sqrt(power) * k * (noise[0] + 1j * noise[1])
        self.slopes[0, 0] = 0.0
        self.slopes /= np.sqrt((np.abs(self.slopes) ** 2).sum() / 2) / (height * width)

    def frame(self, time: float) -> Picture:
        """Its light, `time` in frames; slopes of deviation 1 glint up to about 10."""
        slope = np.fft.ifft2(self.slopes * np.exp(1j * self.pulse * time)).real
        glint = 0.12 * np.exp(1.1 * slope)[..., None] * [0.75, 0.95, 1.1]
        return np.asarray(0.03 + glint, np.float64)


def hoist(way: Way, index: int, y: Field, x: Field) -> tuple[Picture, Field, Field]:
    """Its light (H, W, 3), its coverage and the matte (H, W) in one frame, blurred by its motion.

    The matte is what an artist would draw: full a little beyond the hoist, then fading, so that it
    is above 0 wherever the hoist leaves a trace.
    """
    light = np.zeros((*y.shape, 3))
    coverage, matte = np.zeros(y.shape), np.zeros(y.shape)
    for shutter in np.linspace(-SHUTTER / 2, SHUTTER / 2, SAMPLES):
        distance = way.reach(index + shutter, y, x)
        covered = np.clip(0.5 - distance, 0.0, 1.0) / SAMPLES
        down = y - way.start + way.speed * (index + shutter)
        slats = 0.5 + 0.3 * np.sin(down / 3.0) + 0.2 * np.sin(x / 5.0)
        light += (covered * slats)[..., None] * [0.9, 0.22, 0.05]
        coverage += covered
        matte = np.maximum(matte, np.clip(1.0 - (distance - MARGIN) / FADE, 0.0, 1.0))
    return light, coverage, matte


def write(path: Path, channels: dict[str, npt.NDArray[np.float64]]) -> None:
    """One half-float EXR; compression ZIPS keeps every bit."""
    path.parent.mkdir(parents=True, exist_ok=True)
    header = {
        "compression": OpenEXR.ZIPS_COMPRESSION,
        "type": OpenEXR.scanlineimage,
        "comments": "made by examples/still/make_plate.py",
    }
    halves = {name: pixels.astype(np.float16) for name, pixels in channels.items()}
    OpenEXR.File(header, halves).write(str(path))


def cut(field: npt.NDArray[np.float64], left: float, width: int) -> npt.NDArray[np.float64]:
    """(H, width[, C]) of a field that begins between its columns: a mean of two."""
    whole = int(left)
    part = left - whole
    if part == 0.0:
        return field[:, whole : whole + width]
    near, far = field[:, whole : whole + width], field[:, whole + 1 : whole + 1 + width]
    return np.asarray((1.0 - part) * near + part * far, np.float64)


def make(
    folder: Path, *, frames: int, height: int, width: int, seed: int, pan: float = 0.0
) -> None:
    """Write plate, matte, truth and still below `folder`.

    Raises:
        ValueError: the camera would go to the left.
    """
    if pan < 0.0:
        raise ValueError(f"a pan of {pan} pixels a frame goes to the left; expected 0 or more")
    rng = np.random.default_rng(seed)
    shown, width = width, width + math.ceil(pan * (frames - 1))
    stones, water = wall(rng, height, width), Water(rng, height, width)
    way = way_through(frames, height, width)
    y, x = np.mgrid[:height, :width].astype(np.float64)
    still = x < 0.5 * width + 0.02 * width * np.sin(y / 7.0)
    if not pan:
        write(folder / "still" / "still.exr", {"A": still.astype(np.float64)})
    for index in range(frames):
        clean = np.where(still[..., None], stones, water.frame(index))
        light, coverage, matte = hoist(way, index, y, x)
        name = f"still.{FIRST_FRAME + index:04d}.exr"
        covered = np.where(
            coverage[..., None] > 0, clean * (1 - coverage[..., None]) + light, clean
        )
        left = pan * index
        write(folder / "plate" / name, {"RGB": cut(covered, left, shown)})
        write(folder / "truth" / name, {"RGB": cut(clean, left, shown)})
        write(folder / "matte" / name, {"A": cut(matte, left, shown)})
        if pan:
            write(folder / "still" / name, {"A": cut(still.astype(np.float64), left, shown)})


def main() -> None:
    """Read the command line and write the three sequences and the picture."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("folder", type=Path, help="plate/, matte/, truth/ and still/ go below it")
    parser.add_argument("--frames", type=int, default=120, help="how many, from 1001 (default 120)")
    parser.add_argument("--width", type=int, default=160, metavar="PIXELS")
    parser.add_argument("--height", type=int, default=96, metavar="PIXELS")
    parser.add_argument("--seed", type=int, default=3, help="another seed is another shot")
    parser.add_argument(
        "--pan",
        type=float,
        default=0.0,
        metavar="PIXELS",
        help="of the camera to the right, a frame",
    )
    options = parser.parse_args()
    size = (options.height, options.width)
    make(
        options.folder,
        frames=options.frames,
        height=size[0],
        width=size[1],
        seed=options.seed,
        pan=options.pan,
    )
    last = FIRST_FRAME + options.frames - 1
    print(f"{options.folder}: plate, matte and truth, {FIRST_FRAME}-{last}, {size[1]}x{size[0]}")


if __name__ == "__main__":
    main()
