"""Training windows: short pieces of the clip with an invented occluder, drawn step by step."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from infusion_engine.diffusion import noise
from infusion_engine.diffusion.hint import Hint, bare, coarsest_hint, detail_hint
from infusion_engine.diffusion.interval import LOG_SNR_FIRST, Interval
from infusion_engine.diffusion.memory import Memory, remembered
from infusion_engine.diffusion.schedule import alpha_bars, log_snr
from infusion_engine.settings import Network, Objective, Settings, Spacing
from infusion_engine.training.ground import Ground
from infusion_engine.training.occluder import bezier_blob, shifted_matte

_TRIES = 4
"""Crops drawn for each window; the one with the least of the user's matte in it is kept."""


@dataclass(frozen=True)
class Window:
    """A batch of training windows of one size, on the device."""

    x_0: Tensor
    """(B, 3, T, H, W), encoded plate; under the user's matte what it was handed."""
    x_t: Tensor
    """(B, 3, T, H, W), x_0 with noise."""
    conditioning: Tensor
    """(B, 3, T, H, W), x_0 where it is known to the network, else 0."""
    hole: Tensor
    """(B, 1, T, H, W), occluder or matte: what the network is told is missing."""
    hint: Hint
    """Guess, and memory of all frames of the shot as far as the occluder leaves them open."""
    counted: Tensor
    """(B, 1, T, H, W), 1 where the loss is taken; never under the user's matte."""
    t: Tensor
    """(B,) timesteps within the interval."""


def draw_window(
    ground: Ground, *, settings: Settings, interval: Interval, fit_seed: int, step: int
) -> Window:
    """The windows of one optimiser step: a function of (fit seed, level, interval, step).

    Args:
        ground: what they are cut from.
        settings: window, crop and batch sizes, and the objective.
        interval: timesteps to draw from.
        fit_seed: seed of the fit.
        step: optimiser step, from 0.
    """
    rng = _generator(fit_seed, ground.level, interval, step)
    pieces = [_draw_piece(rng, ground.missing, settings) for _ in range(settings.batch)]
    clean = torch.stack([piece.cut(ground.x_0) for piece in pieces])  # (B, 3, T, H, W)
    matte = torch.stack([piece.cut(ground.hole) for piece in pieces])  # (B, 1, T, H, W)
    occluder = torch.stack([piece.hidden for piece in pieces]).to(clean)  # (B, 1, T, H, W)
    missing = torch.maximum(occluder, matte)
    if settings.network is Network.PUBLISHED:
        hint = bare(clean)  # it looks at no hint
    else:
        memory = _remembered([piece.all_frames(ground) for piece in pieces], ground.variance)
        if ground.guess is None:
            hint = coarsest_hint(clean, missing, memory)
        else:
            coarse = torch.stack([piece.cut(ground.guess) for piece in pieces])
            hint = detail_hint(clean, coarse, missing, memory)
    counted = 1.0 - matte if settings.objective is Objective.KNOWN else occluder * (1.0 - matte)
    t = torch.tensor([_draw_timestep(rng, interval, settings) for _ in pieces])
    a = torch.from_numpy(alpha_bars()[t.numpy()].astype(np.float32)).to(clean.device)
    a = a[:, None, None, None, None]
    noisy = _noise(clean, fit_seed, ground.level, interval, step)
    return Window(
        x_0=clean,
        x_t=a.sqrt() * clean + (1.0 - a).sqrt() * noisy,
        conditioning=clean * (1.0 - missing),
        hole=missing,
        hint=hint,
        counted=counted,
        t=t.to(clean.device),
    )


@dataclass(frozen=True)
class _Piece:
    """Where one window lies in the clip, and what hides in it."""

    place: tuple[slice, slice, slice]
    """Frames, rows and columns of the clip."""
    occluder: np.ndarray
    """(all frames of the shot, H, W) bool: what it hides before and after the window, too."""
    mirrored: bool
    """Left and right exchanged."""

    def cut(self, clip: Tensor) -> Tensor:
        """(C, T, H, W) of the whole clip -> (C, T, H, W) of the window."""
        piece = clip[:, *self.place]
        return piece.flip(-1) if self.mirrored else piece

    @property
    def hidden(self) -> Tensor:
        """(1, T, H, W) bool, the occluder in the window."""
        return torch.from_numpy(self.occluder[self.place[0]])[None]

    def all_frames(self, ground: Ground) -> tuple[Tensor, Tensor]:
        """(what memory is kept of, 1 where it is seen) in the window's place in every frame."""
        everywhere = (slice(None), slice(None), *self.place[1:])
        hidden = torch.from_numpy(self.occluder)[None].to(ground.hole)
        clip, hole = ground.remembering[everywhere], ground.hole[everywhere]
        if self.mirrored:  # as the window is; the occluder is drawn for what comes out
            clip, hole = clip.flip(-1), hole.flip(-1)
        return clip, (1.0 - hole) * (1.0 - hidden)


def _remembered(pieces: list[tuple[Tensor, Tensor]], variance: float) -> Memory:
    """The memory of a batch of windows, each (3, all T, H, W) and (1, all T, H, W)."""
    clips, seen = zip(*pieces, strict=True)
    return remembered(torch.stack(clips), torch.stack(seen), variance=variance)


def _draw_piece(rng: np.random.Generator, hole: np.ndarray, settings: Settings) -> _Piece:
    """A window and its occluder; full-frame windows are the published ones, never mirrored."""
    frames = min(settings.window_frames, hole.shape[0])
    crop_pixels = settings.crop_pixels
    height, width = hole.shape[1:]
    cropped = crop_pixels > 0
    if cropped:
        height, width = min(crop_pixels, height), min(crop_pixels, width)
    draws = [_draw_place(rng, hole.shape, (frames, height, width)) for _ in range(_TRIES)]
    place = min(draws, key=lambda where: hole[where].mean()) if cropped else draws[0]
    size = {"frames": frames, "height": height, "width": width}
    before = place[0].start
    after = hole.shape[0] - place[0].stop
    if settings.objective is Objective.KNOWN:
        blob = bezier_blob(rng, **size)
        occluder = np.pad(blob, ((before, after), (0, 0), (0, 0)), mode="edge")
    else:
        occluder = shifted_matte(rng, hole, before=before, after=after, **size)
    return _Piece(place=place, occluder=occluder, mirrored=cropped and rng.uniform() < 0.5)


def _draw_place(
    rng: np.random.Generator, whole: tuple[int, ...], size: tuple[int, int, int]
) -> tuple[slice, slice, slice]:
    """A uniformly drawn box of `size` frames, rows and columns within `whole`."""
    starts = [int(rng.integers(total - part + 1)) for total, part in zip(whole, size, strict=True)]
    frames, rows, columns = (slice(a, a + n) for a, n in zip(starts, size, strict=True))
    return frames, rows, columns


def _draw_timestep(rng: np.random.Generator, interval: Interval, settings: Settings) -> int:
    """Uniform over timesteps as published, or over log-SNR where intervals are spaced by it."""
    if settings.spacing is Spacing.TIMESTEP:
        return int(rng.integers(interval.low, interval.high))
    ladder = np.array([log_snr(t) for t in range(interval.low, interval.high)])
    # All of t beyond the first level counts as one nat, at its noisiest: it is nearly all noise.
    least = max(ladder[-1], LOG_SNR_FIRST - 1.0)
    drawn = rng.uniform(least, ladder[0])
    if drawn < LOG_SNR_FIRST:
        return interval.high - 1  # a finer level ends before T
    return interval.low + int(np.argmin(np.abs(ladder - drawn)))


def _generator(fit_seed: int, level: int, interval: Interval, step: int) -> np.random.Generator:
    """The random choices of one step, whatever came before it: resuming equals not stopping."""
    seed = noise.key("window", fit_seed, level, interval.low, interval.high, step)
    return np.random.Generator(np.random.Philox(key=seed))


def _noise(like: Tensor, fit_seed: int, level: int, interval: Interval, step: int) -> Tensor:
    """Standard normal noise of one step, (B, 3, T, H, W) like `like`."""
    batch, channels, frames, rows, columns = like.shape
    return (
        noise.gaussian(
            noise.key("fit", fit_seed, level, interval.low, interval.high, step),
            frames=range(batch * frames),
            rows=range(rows),
            columns=range(columns),
            channels=channels,
            device=like.device,
        )
        .reshape(channels, batch, frames, rows, columns)
        .transpose(0, 1)
    )
