"""Make a burning plate: simulated fire in scene-linear light, a figure walking past, and the truth.

    python examples/fire/make_plate.py build/demo

writes half-float EXR 1001-1048 into three folders below the one that is named:

    plate/fire.1001.exr   the fire with the figure in front of it     R G B
    matte/fire.1001.exr   where the figure is to be replaced          A, 1 = replace
    truth/fire.1001.exr   the same fire without the figure            R G B

The fire is a small two-dimensional gas simulation (stable fluids: Stam 1999; vorticity confinement:
Fedkiw 2001) whose temperature glows. Its core reaches about 60, its blacks carry grain below zero,
and everything follows from the seed.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import OpenEXR

Field = npt.NDArray[np.float32]
"""(H, W) on the simulation's grid, rows downwards."""
Picture = npt.NDArray[np.float32]
"""(H, W, 3), scene-linear."""

FIRST_FRAME = 1001
WARM_UP = 48  # frames until the flames have filled the frame and forgotten how they began
SUBSTEPS = 2  # simulation steps in one frame
HEADROOM = 1.5  # the grid is taller than the frame; above, gas is stilled before it wraps
STRETCH = 1.6  # a grid cell is that much taller than wide in the picture: tongues, not mushrooms
UPDRAFT = 0.55  # cells a step by which all of the air rises


@dataclass
class Gas:
    """The state of the simulation: velocities in grid cells a step, temperature 0 to about 1."""

    across: Field
    """Velocity to the right."""
    down: Field
    """Velocity downwards; flames have it negative."""
    heat: Field
    """Temperature."""


class Fire:
    """A fire on a grid that is periodic on both axes; `step` moves it on."""

    def __init__(self, width: int, height: int, rng: np.random.Generator) -> None:
        self.rng = rng
        self.unit = height / 144.0  # lengths and speeds below were chosen at 144 rows
        self.visible = height
        self.rows = int(height * HEADROOM / STRETCH)
        self.width = width
        shape = (self.rows, width)
        self.gas = Gas(*(np.zeros(shape, np.float32) for _ in range(3)))
        self.y, self.x = np.mgrid[: self.rows, :width].astype(np.float32)
        self.wave_y = np.fft.fftfreq(self.rows)[:, None].astype(np.float32)
        self.wave_x = np.fft.rfftfreq(width)[None, :].astype(np.float32)
        # 0 where the grid wraps around, 1 in the picture
        self.above = np.clip((self.y - 2) / (0.25 * self.rows), 0.0, 1.0)
        self.flicker = np.zeros(width, np.float32)

    def step(self) -> None:
        """One simulation step: burn, rise, swirl, keep the gas incompressible, carry it along."""
        gas = self.gas
        self._burn()
        gas.down -= 0.075 * self.unit * gas.heat
        self._swirl(0.28)
        self._project()
        gas.across *= 0.995 * (0.7 + 0.3 * self.above)
        gas.down *= 0.995 * (0.7 + 0.3 * self.above)
        self._carry()

    def picture_heat(self, height: int, width: int) -> Field:
        """The visible part, (height, width), stretched and averaged to the picture's pixels."""
        ground = self.rows - int(3 * self.unit)  # cool air wraps around below it
        fine = self.gas.heat[ground - round(self.visible / STRETCH) : ground]
        y = (np.arange(self.visible) + 0.5) * len(fine) / self.visible - 0.5
        y = np.clip(y, 0, len(fine) - 1.001)[:, None]
        below = np.floor(y).astype(int)[:, 0]
        part = (y - below[:, None]).astype(np.float32)
        tall = fine[below] * (1 - part) + fine[below + 1] * part
        side = self.visible // height
        return np.asarray(tall.reshape(height, side, width, side).mean((1, 3)), np.float32)

    def _noise_along(self, length: float) -> Field:
        """A smooth random row, standard deviation 1, correlated over `length` pixels."""
        row = np.fft.rfft(self.rng.standard_normal(self.width))
        row *= np.exp(-0.5 * (2 * np.pi * self.wave_x[0] * length) ** 2)
        smooth = np.fft.irfft(row, self.width)
        return np.asarray(smooth / (smooth.std() + 1e-9), np.float32)

    def _burn(self) -> None:
        """Feed a flickering bed at the bottom, and cool: radiation as T^4, and a little for air."""
        gas = self.gas
        self.flicker = 0.93 * self.flicker + 0.367 * self._noise_along(6.0 * self.unit)
        centre = (self.x[0] - 0.5 * self.width) / (0.44 * self.width)
        bed = np.clip(1.15 - centre**4, 0.0, 1.0) * np.clip(0.55 + 0.55 * self.flicker, 0.0, 1.2)
        depth = (self.y - (self.rows - 3.0 * self.unit)) / (4.0 * self.unit)
        source = bed[None, :] * np.exp(-(depth**2))
        gas.heat = np.maximum(gas.heat, source.astype(np.float32))
        gas.heat -= 0.03 * gas.heat**4 + 0.013 * gas.heat + 0.001
        np.clip(gas.heat, 0.0, None, out=gas.heat)
        gas.heat *= self.above

    def _swirl(self, strength: float) -> None:
        """Vorticity confinement: give back the curls that interpolation takes away."""
        gas = self.gas
        curl = 0.5 * (
            np.roll(gas.down, -1, 1)
            - np.roll(gas.down, 1, 1)
            - np.roll(gas.across, -1, 0)
            + np.roll(gas.across, 1, 0)
        )
        size = np.abs(curl)
        up_y = 0.5 * (np.roll(size, -1, 0) - np.roll(size, 1, 0))
        up_x = 0.5 * (np.roll(size, -1, 1) - np.roll(size, 1, 1))
        length = np.sqrt(up_x**2 + up_y**2) + 1e-5
        gas.across += strength * up_y / length * curl
        gas.down -= strength * up_x / length * curl

    def _project(self) -> None:
        """Take the compressing part out of the velocity, in Fourier space."""
        across, down = np.fft.rfft2(self.gas.across), np.fft.rfft2(self.gas.down)
        square = self.wave_x**2 + self.wave_y**2
        square[0, 0] = 1.0
        along = (across * self.wave_x + down * self.wave_y) / square
        shape = (self.rows, self.width)
        self.gas.across = np.fft.irfft2(across - along * self.wave_x, shape).astype(np.float32)
        self.gas.down = np.fft.irfft2(down - along * self.wave_y, shape).astype(np.float32)

    def _carry(self) -> None:
        """Move everything with the gas; temperature by MacCormack, so that edges stay sharp."""
        gas = self.gas
        rise = gas.down - UPDRAFT * self.unit
        back_y, back_x = self.y - rise, self.x - gas.across
        stack = np.stack([gas.across, gas.down, gas.heat])
        across, down, first = _sampled(stack, back_y, back_x)
        again = _sampled(first[None], self.y + rise, self.x + gas.across)[0]
        heat = first + 0.5 * (gas.heat - again)
        low, high = first.copy(), first.copy()
        for dy, dx in ((0, 1), (1, 0), (0, -1), (-1, 0)):
            near = np.roll(first, (dy, dx), (0, 1))
            low, high = np.minimum(low, near), np.maximum(high, near)
        self.gas = Gas(across, down, np.clip(heat, low, high))


def _sampled(fields: Field, y: Field, x: Field) -> Field:
    """Bilinear values of (N, H, W) `fields` at fractional rows and columns, wrapping around."""
    rows, columns = fields.shape[1:]
    y0, x0 = np.floor(y).astype(np.int32), np.floor(x).astype(np.int32)
    fy, fx = (y - y0).astype(np.float32), (x - x0).astype(np.float32)
    y0, x0 = y0 % rows, x0 % columns
    y1, x1 = (y0 + 1) % rows, (x0 + 1) % columns
    top = fields[:, y0, x0] * (1 - fx) + fields[:, y0, x1] * fx
    bottom = fields[:, y1, x0] * (1 - fx) + fields[:, y1, x1] * fx
    return np.asarray(top * (1 - fy) + bottom * fy, np.float32)


def glow(heat: Field) -> Picture:
    """Temperature as scene-linear light, (H, W, 3): dull red, orange, a core of about 60."""
    t = np.clip(heat, 0.0, 1.05)[..., None]
    light = np.array([52.0, 30.0, 10.0]) * t ** np.array([2.6, 3.7, 5.2])
    return np.asarray(light, np.float32)


def bloom(light: Picture, radius: float) -> Picture:
    """What the lens scatters: the light blurred over about `radius` pixels."""
    mirrored = np.concatenate([light, light[::-1]])  # else the ground would glow in the sky
    y = np.fft.fftfreq(mirrored.shape[0])[:, None]
    x = np.fft.rfftfreq(mirrored.shape[1])[None, :]
    kernel = 1.0 / (1.0 + (2 * np.pi * radius) ** 2 * (y**2 + x**2)) ** 1.5
    waves = np.fft.rfft2(mirrored, axes=(0, 1)) * kernel[..., None]
    blurred = np.fft.irfft2(waves, mirrored.shape[:2], (0, 1))
    return np.asarray(blurred[: len(light)], np.float32)


class Embers:
    """Sparks that the gas carries up, each glowing for about a second."""

    def __init__(self, count: int, height: int, width: int, rng: np.random.Generator) -> None:
        self.rng, self.height, self.width, self.unit = rng, height, width, height / 144.0
        self.y = rng.uniform(0.0, height, count)
        self.x = rng.uniform(0.15 * width, 0.85 * width, count)
        self.age = rng.uniform(0.0, 1.0, count)
        self.drift = np.zeros(count)

    def frame(self) -> Picture:
        """Move by one frame and draw the streaks of that frame, (H, W, 3)."""
        born = self.age >= 1.0
        self.y[born] = self.rng.uniform(0.6, 1.0, born.sum()) * self.height
        self.x[born] = self.rng.uniform(0.15, 0.85, born.sum()) * self.width
        self.age[born] = 0.0
        self.drift = 0.9 * self.drift + 0.35 * self.unit * self.rng.standard_normal(len(self.x))
        self.age = np.minimum(self.age + 1.0 / 26.0, 1.0)
        light = np.zeros((self.height, self.width, 3), np.float32)
        rows, columns = np.arange(self.height)[:, None], np.arange(self.width)[:, None]
        for shutter in np.linspace(0.0, 0.5, 4):
            y = self.y - shutter * 3.0 * self.unit
            x = self.x + shutter * self.drift
            tall = np.exp(-0.5 * ((rows - y) / (0.55 * self.unit)) ** 2)
            wide = np.exp(-0.5 * ((columns - x) / (0.55 * self.unit)) ** 2)
            power = 9.0 * (1.0 - self.age) ** 1.5
            spot = (tall * power) @ wide.T
            light += spot[..., None] * np.array([1.0, 0.42, 0.1])
        self.y -= 3.0 * self.unit
        self.x += self.drift
        return light


def figure_distance(height: int, width: int, centre: float, phase: float) -> Field:
    """Signed distance in pixels to a walking figure, (H, W), negative inside.

    `centre` is the column of its hips, `phase` its stride in radians.
    """
    y, x = np.mgrid[:height, :width].astype(np.float32)
    u = height / 144.0
    foot, hip, neck = 146.0 * u, 98.0 * u, 68.0 * u
    swing, lift = 11.0 * u * np.sin(phase), 9.0 * u * np.cos(phase)
    limbs = [  # (x0, y0, x1, y1, radius)
        (centre + u, neck - 8 * u, centre + u, neck - 8 * u, 7.0 * u),
        (centre, neck + 5 * u, centre, hip, 8.0 * u),
        (centre, hip, centre + swing, foot - max(lift, 0.0), 4.4 * u),
        (centre, hip, centre - swing, foot - max(-lift, 0.0), 4.4 * u),
        (centre, neck + 4 * u, centre - 1.1 * swing, hip + 2 * u, 3.2 * u),
        (centre, neck + 4 * u, centre + 1.1 * swing, hip + 2 * u, 3.2 * u),
    ]
    nearest = np.full((height, width), np.inf, np.float32)
    for x0, y0, x1, y1, radius in limbs:
        dx, dy = x1 - x0, y1 - y0
        along = np.clip(((x - x0) * dx + (y - y0) * dy) / (dx * dx + dy * dy + 1e-6), 0.0, 1.0)
        distance = np.hypot(x - x0 - along * dx, y - y0 - along * dy) - radius
        nearest = np.minimum(nearest, distance.astype(np.float32))
    return nearest


def figure(frame: int, frames: int, height: int, width: int) -> tuple[Field, Field]:
    """(coverage, matte) of the figure in one frame, both (H, W) in [0, 1], blurred by its motion.

    The matte is what an artist would draw: full a little beyond the figure, then fading, so that it
    is above 0 wherever the figure leaves a trace.
    """
    unit = height / 144.0
    coverage, matte = np.zeros((height, width), np.float32), np.zeros((height, width), np.float32)
    samples = 7
    for shutter in np.linspace(-0.25, 0.25, samples):
        way = (frame + shutter) / max(frames - 1, 1)
        centre = (0.30 + 0.38 * way) * width
        distance = figure_distance(height, width, centre, 0.27 * (frame + shutter))
        coverage += np.clip(0.5 - distance, 0.0, 1.0) / samples
        matte = np.maximum(matte, np.clip(1.0 - (distance - 2.0 * unit) / (3.0 * unit), 0.0, 1.0))
    return coverage, matte


def exposed(light: Picture, grain: Picture) -> npt.NDArray[np.float16]:
    """The camera's file: grain (standard normal) that grows with the light, blacks below zero."""
    return (light + grain * (0.006 + 0.012 * np.sqrt(light))).astype(np.float16)


def write(path: Path, channels: dict[str, npt.NDArray[np.float16]]) -> None:
    """One half-float EXR frame; compression ZIPS keeps every bit."""
    path.parent.mkdir(parents=True, exist_ok=True)
    header = {
        "compression": OpenEXR.ZIPS_COMPRESSION,
        "type": OpenEXR.scanlineimage,
        "comments": "simulated by examples/fire/make_plate.py",
    }
    OpenEXR.File(header, channels).write(str(path))


def make(folder: Path, *, frames: int, height: int, width: int, seed: int) -> None:
    """Write plate, matte and truth below `folder`."""
    rng = np.random.default_rng(seed)
    supersample = 2
    fire = Fire(width * supersample, height * supersample, rng)
    embers = Embers(30, height, width, rng)
    wall = 0.02 + 0.006 * bloom(rng.standard_normal((height, width, 3)).astype(np.float32), 1.5)
    for index in range(-WARM_UP, frames):
        for _ in range(SUBSTEPS):
            fire.step()
        sparks = embers.frame()
        if index < 0:
            continue
        light = glow(fire.picture_heat(height, width)) + sparks
        scattered = bloom(light, 0.12 * height)
        clean = light + 0.012 * scattered + wall * (0.1 + 0.7 * scattered)
        coverage, matte = figure(index, frames, height, width)
        rim = 0.02 * scattered * np.array([0.5, 0.3, 0.2], np.float32)  # it stands in firelight
        covered = clean * (1.0 - coverage[..., None]) + rim * coverage[..., None]
        grain = rng.standard_normal(clean.shape).astype(np.float32)
        name = f"fire.{FIRST_FRAME + index:04d}.exr"
        write(folder / "plate" / name, {"RGB": exposed(covered, grain)})
        write(folder / "truth" / name, {"RGB": exposed(clean, grain)})
        write(folder / "matte" / name, {"A": matte.astype(np.float16)})


def main() -> None:
    """Read the command line and write the three sequences."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("folder", type=Path, help="plate/, matte/ and truth/ are made below it")
    parser.add_argument("--frames", type=int, default=48, help="how many, from 1001 (default 48)")
    parser.add_argument("--width", type=int, default=256, metavar="PIXELS")
    parser.add_argument("--height", type=int, default=144, metavar="PIXELS")
    parser.add_argument("--seed", type=int, default=7, help="another seed is another fire")
    options = parser.parse_args()
    size = (options.height, options.width)
    make(options.folder, frames=options.frames, height=size[0], width=size[1], seed=options.seed)
    last = FIRST_FRAME + options.frames - 1
    print(f"{options.folder}: plate, matte and truth, {FIRST_FRAME}-{last}, {size[1]}x{size[0]}")


if __name__ == "__main__":
    main()
