"""The chain of intervals: fit or find, sample or find, noisiest first, until the hole is filled.

Fits depend on the plate alone and go on from one another; samples go down through them. Whatever
the cache holds is not done again, and what is done is in the cache before the next thing begins,
so that a run which was ended anywhere goes on from the last finished interval.
"""

from __future__ import annotations

import platform
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from infusion_engine import __version__
from infusion_engine.cache.entry import Kind
from infusion_engine.cache.key import FitIdentity, SampleIdentity, Started
from infusion_engine.cache.store import Store
from infusion_engine.diffusion.denoise import Model, build, initialise, load_state, precise
from infusion_engine.diffusion.interval import Interval, intervals, sampling_timesteps
from infusion_engine.diffusion.sample import NoiseSource, Scene, sample_interval
from infusion_engine.progress import Report
from infusion_engine.settings import Area, Settings, described
from infusion_engine.training.fit import FitState, fit_interval

FIT_SEED = 0
"""Fits do not depend on the job's seed: another seed is another sample from the same fits."""

LEVEL = 0
"""The only resolution level there is so far."""

_SAMPLING_SETTINGS = ("sampling_steps", "sampler", "margin_pixels")
_BACKWARD_COST = 3  # a training step costs about three forward passes over the same voxels


@dataclass(frozen=True)
class Source:
    """What the chain works on."""

    x_0: Tensor
    """(3, T, H, W) encoded clip on the device, 0 where it is not known."""
    hole: Tensor
    """(1, T, H, W), 1 = missing."""
    lowest: float
    """Smallest known encoded value."""
    highest: float
    """Largest known encoded value."""
    clip: str
    """Digest of the known pixels and the matte."""
    encoding: Mapping[str, object]
    """The encoding's parameters."""


@dataclass(frozen=True)
class Stage:
    """One interval and what its fit and its sample are called in the cache."""

    interval: Interval
    timesteps: tuple[int, ...]
    then: int
    """The next interval's first timestep; -1 after the last."""
    fit: FitIdentity
    sample: SampleIdentity


def stages(source: Source, settings: Settings, *, seed: int, take: int) -> tuple[Stage, ...]:
    """Every interval with the identities of its fit and sample, noisiest first."""
    numbers = described(settings)
    sampler = {name: numbers.pop(name) for name in _SAMPLING_SETTINGS}
    precision = str(numbers.pop("precision"))
    network = {"kind": numbers.pop("network"), "channels": numbers.pop("channels")}
    spans = intervals(settings.intervals, settings.spacing)
    chain: list[Stage] = []
    parent: str | None = None
    noisier: str | None = None
    for interval, following in zip(spans, (*spans[1:], None), strict=True):
        fit = FitIdentity(
            clip=source.clip,
            encoding=source.encoding,
            network=network,
            training=numbers,
            precision=precision,
            fit_seed=FIT_SEED,
            level=LEVEL,
            interval=(interval.low, interval.high),
            started=Started.SCRATCH if parent is None else Started.PREVIOUS,
            parent=parent,
        )
        sample = SampleIdentity(fit=fit.key, seed=seed, take=take, sampler=sampler, noisier=noisier)
        chain.append(
            Stage(
                interval=interval,
                timesteps=sampling_timesteps(interval, settings.sampling_steps),
                then=-1 if following is None else following.high - 1,
                fit=fit,
                sample=sample,
            )
        )
        parent, noisier = fit.key, sample.key
    return tuple(chain)


class Infusion:
    """One run of the chain over one shot; `run` gives the filled clip."""

    def __init__(
        self,
        source: Source,
        settings: Settings,
        *,
        seed: int,
        take: int,
        store: Store,
        report: Report,
        threads: int,
    ) -> None:
        self.source = source
        self.settings = settings
        self.store = store
        self.report = report
        self.noise = NoiseSource(seed=seed, take=take, level=LEVEL)
        self.stages = stages(source, settings, seed=seed, take=take)
        self.place = _sampled_place(source.hole, settings)
        self.model: Model = build(settings.network, channels=settings.channels)
        self.model.to(source.x_0.device)
        self._loaded = -1  # index of the stage whose fit the model holds
        self._carried: Mapping[str, Tensor] = {}
        self._told: set[int] = set()
        self._work = _Work(source, settings, self.stages, report)
        self._machine = _machine(source.x_0.device, threads)

    @property
    def keys(self) -> tuple[str, ...]:
        """Every key this run may read or write."""
        return tuple(key for s in self.stages for key in (s.fit.key, s.sample.key))

    def run(self) -> np.ndarray:
        """The filled clip, (3, T, H, W) float32 encoded; known voxels as they were.

        Raises:
            StorageError: the cache cannot be written.
            Cancelled: a stop was asked for; every finished fit and sample is kept.
        """
        finished, x = self._latest_sample()
        for index in range(finished + 1):
            self._tell(index, "hit", None)
        for index in range(finished + 1, len(self.stages)):
            self._fit(index)
            x = self._sample(index, x)
            if index > 0:
                self.store.drop(Kind.SAMPLE, self.stages[index - 1].sample.key)
        assert x is not None  # there is at least one interval  # noqa: S101 - internal invariant
        filled = self.source.x_0.clone()
        filled[:, :, *self.place] = x
        return filled.cpu().numpy()

    def _latest_sample(self) -> tuple[int, Tensor | None]:
        """(index of the least noisy interval whose sample is at hand, the sample)."""
        for index in reversed(range(len(self.stages))):
            entry = self.store.load(Kind.SAMPLE, self.stages[index].sample.key)
            if entry is not None:
                return index, self._on_device(entry.tensors["x"])
        return -1, None

    def _fit(self, index: int) -> None:
        """See to it that the model holds the fit of stage `index`: from the cache, or fitted."""
        if self._loaded == index:
            return
        stage = self.stages[index]
        key = stage.fit.key
        if self._load_fit(index):
            return
        with self.store.lock(key, on_wait=self._on_wait(index), check=self.report.check):
            if self._load_fit(index):  # another process did it while this one waited
                return
            if index == 0:
                initialise(self.model, FIT_SEED)
                self._carried = {}
            else:
                self._fit(index - 1)
            state = self._fit_here(index)
            tensors = {f"model.{k}": v.numpy() for k, v in state.model.items()}
            tensors |= {f"optimiser.{k}": v.numpy() for k, v in state.optimiser.items()}
            self.store.save(
                Kind.FIT,
                key,
                tensors,
                {"identity": stage.fit.described(), "loss": state.loss, **self._machine},
            )
        self._loaded, self._carried = index, state.optimiser
        self._tell(index, "fitted", state.loss)

    def _fit_here(self, index: int) -> FitState:
        """Fit the model, which holds what stage `index` starts from."""

        def on_step(step: int, loss: float) -> None:
            self._work.fitted(index, step, loss)

        self._loaded = -1
        return fit_interval(
            self.model,
            self.source.x_0,
            self.source.hole,
            settings=self.settings,
            interval=self.stages[index].interval,
            fit_seed=FIT_SEED,
            carried=self._carried,
            on_step=on_step,
        )

    def _load_fit(self, index: int) -> bool:
        """Take the fit of stage `index` from the cache into the model; False if it is not there."""
        entry = self.store.load(Kind.FIT, self.stages[index].fit.key)
        if entry is None:
            return False
        parts: dict[str, dict[str, Tensor]] = {"model": {}, "optimiser": {}}
        for name, array in entry.tensors.items():
            part, _, rest = name.partition(".")
            parts[part][rest] = torch.from_numpy(array)
        load_state(self.model, parts["model"])
        self.model.eval()
        self._loaded, self._carried = index, parts["optimiser"]
        loss = entry.record.get("loss")
        self._tell(index, "hit", loss if isinstance(loss, float) else None)
        return True

    def _sample(self, index: int, x: Tensor | None) -> Tensor:
        """Carry the sample through stage `index`, or find it done by another process."""
        stage = self.stages[index]
        key = stage.sample.key
        with self.store.lock(key, on_wait=self._on_wait(index), check=self.report.check):
            entry = self.store.load(Kind.SAMPLE, key)
            if entry is not None:
                return self._on_device(entry.tensors["x"])
            scene = self._scene()
            if x is None:
                x = self.noise.at(stage.timesteps[0], scene.x_0, scene.corner)
            with precise(self.settings.precision, x.device):
                x, x_0 = sample_interval(
                    self.model,
                    x,
                    scene,
                    timesteps=stage.timesteps,
                    then=stage.then,
                    sampler=self.settings.sampler,
                    source=self.noise,
                    on_step=lambda step: self._work.sampled(index, step),
                )
            # The last interval's predicted x_0 is the result, as published.
            result = x_0 if stage.then < 0 else x
            self.store.save(
                Kind.SAMPLE,
                key,
                {"x": result.cpu().numpy()},
                {"identity": stage.sample.described(), **self._machine},
            )
            return result

    def _scene(self) -> Scene:
        """The part of the clip that is sampled."""
        source, (rows, columns) = self.source, self.place
        return Scene(
            x_0=source.x_0[:, :, rows, columns],
            hole=source.hole[:, :, rows, columns],
            lowest=source.lowest,
            highest=source.highest,
            corner=(rows.start, columns.start),
        )

    def _on_device(self, array: np.ndarray) -> Tensor:
        return torch.from_numpy(array).to(self.source.x_0.device)

    def _tell(self, index: int, outcome: str, loss: float | None) -> None:
        """Report an interval once."""
        if index not in self._told:
            self._told.add(index)
            self.report.interval(
                index, len(self.stages), "hit" if outcome == "hit" else "fitted", loss
            )

    def _on_wait(self, index: int) -> Callable[[], None]:
        """What to say when another process holds the lock of stage `index`."""
        return lambda: self.report.waiting(
            f"another process that is at work on interval {index + 1} of this shot"
        )


class _Work:
    """How much of the whole is done, in voxels seen by the network, as progress of one phase."""

    def __init__(
        self, source: Source, settings: Settings, chain: tuple[Stage, ...], report: Report
    ) -> None:
        self.report = report
        frames, height, width = source.hole.shape[1:]
        rows, columns = _sampled_place(source.hole, settings)
        side = settings.crop_pixels
        crop = min(side, height) * min(side, width) if side else height * width
        window = min(settings.window_frames, frames) * crop * settings.batch
        self.fit_step = _BACKWARD_COST * window
        self.sample_step = frames * (rows.stop - rows.start) * (columns.stop - columns.start)
        self.fit_steps = settings.steps_per_interval
        self.starts: list[int] = []
        total = 0
        for stage in chain:
            self.starts.append(total)
            total += self.fit_step * self.fit_steps + self.sample_step * len(stage.timesteps)
        self.total = total

    def fitted(self, index: int, step: int, loss: float) -> None:
        """`step` optimiser steps of stage `index` are done."""
        self._tell(index, self.fit_step * step, loss=loss)

    def sampled(self, index: int, step: int) -> None:
        """`step` denoiser evaluations of stage `index` are done."""
        self._tell(index, self.fit_step * self.fit_steps + self.sample_step * step)

    def _tell(self, index: int, within: int, **figures: float) -> None:
        self.report.progress(
            "inpainting",
            self.starts[index] + within,
            self.total,
            interval=index,
            intervals=len(self.starts),
            **figures,
        )


def _sampled_place(hole: Tensor, settings: Settings) -> tuple[slice, slice]:
    """(rows, columns) of the clip that sampling looks at: all of it, or the hole and a margin.

    hole is (1, T, H, W).
    """
    height, width = hole.shape[-2:]
    if settings.area is Area.FRAME or not bool(hole.any()):
        return slice(0, height), slice(0, width)
    anywhere, margin = hole[0].amax(0) > 0, settings.margin_pixels
    rows, columns = anywhere.any(1).nonzero().flatten(), anywhere.any(0).nonzero().flatten()
    return (
        slice(max(0, int(rows[0]) - margin), min(height, int(rows[-1]) + 1 + margin)),
        slice(max(0, int(columns[0]) - margin), min(width, int(columns[-1]) + 1 + margin)),
    )


def _machine(device: torch.device, threads: int) -> dict[str, object]:
    """What a result was made with: recorded beside it, and no part of its key."""
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else platform.processor()
    return {
        "device": f"{device} {name}".strip(),
        "threads": threads,
        "cpu_capability": torch.backends.cpu.get_cpu_capability(),
        "versions": {
            "infusion": __version__,
            "torch": torch.__version__,
            "python": platform.python_version(),
        },
    }
