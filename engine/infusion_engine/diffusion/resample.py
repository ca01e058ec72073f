"""Resampling: an interval is gone through again with fresh noise, so that a fill joins its plate.

Each turn noises the sample back to where the interval began and carries it down once more
(RePaint, Lugmayr et al. 2022, arXiv 2201.09865, section 4.2): what the first turn settled is seen
beside what is known, and texture that votes of patches had smoothed is drawn anew.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace

from torch import Tensor

from infusion_engine.diffusion.denoise import Denoiser
from infusion_engine.diffusion.sample import NoiseSource, Scene, sample_interval
from infusion_engine.diffusion.schedule import alpha_bar
from infusion_engine.settings import Sampler


def resampled_interval(
    denoiser: Denoiser,
    x_t: Tensor,
    scene: Scene,
    *,
    timesteps: tuple[int, ...],
    then: int,
    repeats: int,
    sampler: Sampler,
    source: NoiseSource,
    on_step: Callable[[int], None],
) -> tuple[Tensor, Tensor]:
    """Carry x_t through an interval once, and then as often as `repeats` says again.

    Args:
        denoiser: the interval's model.
        x_t: (3, T, H, W) at timesteps[0].
        scene: the clip, its hole and its range.
        timesteps: where the denoiser is evaluated in each turn.
        then: the next interval's first timestep.
        repeats: how often the interval is gone through after the first time; 0 for not at all.
        sampler: ancestral (DDPM), deterministic (DDIM) or multistep steps.
        source: the sample's noise; each turn has its own.
        on_step: called with the number of steps done, over all turns.

    Returns:
        (x at `then`, last predicted and reprojected x_0), each (3, T, H, W).
    """
    x_0: Tensor | None = None
    for turn in range(repeats + 1):
        own = replace(source, turn=turn)
        if turn > 0:
            x_0 = None  # not to be held while the next is made
            noise_back(x_t, scene, own, then, timesteps[0])
        x_t, x_0 = sample_interval(
            denoiser,
            x_t,
            scene,
            timesteps=timesteps,
            then=then,
            sampler=sampler,
            source=own,
            on_step=_after(turn * len(timesteps), on_step),
        )
    if x_0 is None:
        raise ValueError(f"an interval cannot be repeated {repeats} times")
    return x_t, x_0


def noise_back(x: Tensor, scene: Scene, source: NoiseSource, s: int, t: int) -> None:
    """Turn a sample at timestep s into what it may have been at the noisier t: q(x_t | x_s).

    A Gaussian of mean sqrt(alpha-bar_t / alpha-bar_s) x_s and variance 1 - alpha-bar_t /
    alpha-bar_s (RePaint, equation 1, over any stride). In place and some frames at a time, as a
    large clip is held as few times as can be; x is (3, T, H, W).
    """
    kept = alpha_bar(t) / alpha_bar(s)
    for frames in scene.shelf.pieces(x):
        noise = source.at(t, x[:, frames], scene.corner, first=frames.start)
        x[:, frames] = math.sqrt(kept) * x[:, frames] + math.sqrt(1.0 - kept) * noise


def _after(done: int, on_step: Callable[[int], None]) -> Callable[[int], None]:
    """`on_step`, for steps that are counted from 1 after `done` others."""
    return lambda step: on_step(done + step)
