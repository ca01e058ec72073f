"""One run over one shot: fit or find, sample or find, coarsest and noisiest first.

Fits depend on the plate alone and go on from one another; samples go down through them. Whatever
the cache holds is not done again, and what is done is in the cache before the next thing begins,
so that a run which was ended anywhere goes on from the last finished interval.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import replace

import numpy as np
from torch import Tensor

from infusion_engine.cache.entry import Kind
from infusion_engine.cache.key import Started
from infusion_engine.cache.store import Store
from infusion_engine.chain import FIT_SEED, Base, Named, Stage, base_of, stages
from infusion_engine.clip_sizes import held_bytes
from infusion_engine.crossing import Crossing
from infusion_engine.diffusion.denoise import Model, build, initialise, load_state
from infusion_engine.diffusion.patches import Patches
from infusion_engine.diffusion.place import sampled_place
from infusion_engine.diffusion.pyramid import known_range
from infusion_engine.diffusion.sample import NoiseSource, Scene
from infusion_engine.diffusion.windows import window_frames_of
from infusion_engine.frugal import Frugal
from infusion_engine.kept_fit import parts_of, tensors_of
from infusion_engine.kept_samples import KeptSamples
from infusion_engine.machine import made_with
from infusion_engine.progress import Report
from infusion_engine.review.interval_done import IntervalDone, noted, thinned
from infusion_engine.scenes import Scenes
from infusion_engine.settings import Settings
from infusion_engine.shelving import check_room
from infusion_engine.source import Source
from infusion_engine.training.fit import FitState, fit_interval
from infusion_engine.training.ground import Ground, lay_ground, top_of
from infusion_engine.workload import Workload

__all__ = ["BASE", "Infusion", "Source"]

BASE = -1
"""Stands for an interval's index where the fit is meant that all intervals start from."""
_NOTHING = -2


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
        memory: int,
        on_interval: Callable[[IntervalDone], None] | None = None,
    ) -> None:
        self.source = source
        self.settings = settings
        self.store = store
        self.report = report
        self.on_interval = on_interval
        self.take = take
        self.memory = memory
        self.levels = source.levels
        self.shelf = source.levels[-1].shelf
        self.range = known_range(source.levels[-1])
        # Grounds are large: each is laid when it is fitted on, and only its measures are kept.
        grounds = (self.ground(level) for level in range(len(self.levels)))
        self.units, self.variances = zip(*((g.unit, g.variance) for g in grounds), strict=True)
        self.named = Named(
            clip=source.clip,
            encoding=source.encoding,
            tops=tuple(map(top_of, range(len(self.levels)))),
            units=self.units,
            seed=seed,
            take=take,
        )
        self.places = [sampled_place(one.hole, settings, one.shelf) for one in self.levels]
        self._scenes = Scenes(
            self.levels, self.units, self.variances, self.places, self.range, settings
        )
        self._samples = KeptSamples(store, self.levels, self.places, self.units)
        self.model: Model = build(settings.network, channels=settings.channels)
        self.device = source.levels[-1].x_0.device
        self.model.to(self.device)
        self._denoisers: dict[int, Frugal] = {}
        self._loaded = _NOTHING  # index of the stage whose fit the model holds
        self._carried: Mapping[str, Tensor] = {}
        self._machine = made_with(self.device, threads)
        self.begin(seed)

    def ground(self, level: int) -> Ground:
        """What windows of a level are cut from."""
        return lay_ground(self.levels[level], level, self.settings)

    def denoiser(self, level: int) -> Frugal:
        """The model as it samples a level within the run's memory: one for all its intervals."""
        if level not in self._denoisers:
            self._denoisers[level] = Frugal(
                self.model,
                self.levels[level].hole[..., *self.places[level]],
                self.settings,
                memory=self.memory,
                held=held_bytes(
                    sum(one.hole.numel() for one in self.levels),
                    self.levels[level].hole[..., *self.places[level]].numel(),
                    layouts=self.settings.layouts if level == 0 else 1,
                    on_disk=self.shelf.on_disk,
                ),
                report=self.report,
                window=window_frames_of(self.settings, level),
                shelf=self.shelf,
            )
        return self._denoisers[level]

    def begin(self, seed: int, *, number: int = 1, count: int = 1) -> None:
        """Have `run` draw the sample of `seed`, from the same fits: take `number` of `count`."""
        self.seed, self.number = seed, number
        self.base = base_of(self.named, self.settings)
        self.stages = stages(replace(self.named, seed=seed), self.settings)
        self._told: dict[int, str] = {}  # outcome of each stage's fit
        self._work = Workload(
            self.levels, self.places, self.stages, self.report, take=number, takes=count
        )

    @property
    def keys(self) -> tuple[str, ...]:
        """Every key this run may read or write."""
        of_stages = (key for s in self.stages for key in (s.fit.key, s.sample.key))
        return (*of_stages, *(() if self.base is None else (self.base.fit.key,)))

    def fit(self, index: int) -> None:
        """See to it that the cache holds the fit of stage `index`, and of what it starts from.

        `BASE` is the fit that all others start from; there is one where `base` is not None.

        Raises:
            StorageError: the cache cannot be written.
            Cancelled: a stop was asked for; what is finished is kept.
        """
        if index != BASE:
            self._work.only_fit(index)
        self._fit(index)

    def sample(self) -> None:
        """See to it that the cache holds the sample that `begin` named: every fit is there.

        Raises:
            StorageError: the cache cannot be written.
            Cancelled: a stop was asked for; every finished sample is kept.
        """
        self._work.only_sample(self.stages)
        self.run()

    def run(self) -> np.ndarray:
        """The finest level's clip, filled: (3, T, H, W) float32 encoded; known voxels as they were.

        Raises:
            StorageError: the cache cannot be written, or the disk has no room for clips.
            Cancelled: a stop was asked for; every finished fit and sample is kept.
        """
        while True:
            try:
                return self._run()
            except _Overtaken:  # what the other process left is found, and gone on from
                self.report.check()

    def _run(self) -> np.ndarray:
        """What `run` gives, unless another process drops what it needs meanwhile.

        Raises:
            _Overtaken: one did: it is further with the same sample.
        """
        finished, x = self._samples.latest(self.stages)
        if finished + 1 < len(self.stages):
            check_room(self.shelf, self.levels[-1].hole[..., *self.places[-1]].numel())
        for index in range(finished + 1):
            self._tell(index, "hit", None)
            self._hand_on(index, x if index == finished and self.stages[index].then < 0 else None)
        for index in range(finished + 1, len(self.stages)):
            self._fit(index)
            began = time.monotonic()
            x, predicted = self._sample(index, x)
            self._samples.drop_before(self.stages, index)
            self._hand_on(index, predicted, time.monotonic() - began)
        if x is None:
            raise AssertionError("a chain has at least one interval")
        return self._samples.filled(len(self.levels) - 1, x).cpu().numpy()

    def _fit(self, index: int) -> None:
        """See to it that the model holds the fit of stage `index`: from the cache, or fitted."""
        if self._loaded == index:
            return
        stage = self._of(index)
        key = stage.fit.key
        if self._load_fit(index):
            return
        with self.store.lock(key, on_wait=self._on_wait(index), check=self.report.check):
            if self._load_fit(index):  # another process did it while this one waited
                return
            self._start(index)
            began, losses = time.monotonic(), list[float]()
            state = self._fit_here(index, losses)
            told = {"seconds": round(time.monotonic() - began, 3), "losses": thinned(losses)}
            record = {"identity": stage.fit.described(), "loss": state.loss, **told}
            with self.report.stop.finishing():
                self.store.save(Kind.FIT, key, tensors_of(state), {**record, **self._machine})
        self._loaded, self._carried = index, state.optimiser
        self._tell(index, "fitted", state.loss)

    def _of(self, index: int) -> Stage | Base:
        """Whose fit an index means."""
        if index != BASE:
            return self.stages[index]
        if self.base is None:
            raise ValueError("these fits start from no base")
        return self.base

    def _start(self, index: int) -> None:
        """See to it that the model holds what the fit of stage `index` starts from."""
        started = self._of(index).fit.started
        if started is Started.PREVIOUS:
            self._fit(index - 1)
            return
        if started is Started.BASE:
            self._fit(BASE)
        else:
            initialise(self.model, FIT_SEED)
        self._carried = {}

    def _fit_here(self, index: int, losses: list[float]) -> FitState:
        """Fit the model, which holds what stage `index` starts from; `losses` gets each step's."""
        stage = self._of(index)

        def on_step(step: int, loss: float) -> None:
            losses.append(loss)
            if index == BASE:
                self.report.progress("base", step, stage.settings.steps_per_interval, loss=loss)
            else:
                self._work.fitted(index, step, loss)
            self.shelf.rest()

        self._loaded = _NOTHING
        return fit_interval(
            self.model,
            self.ground(stage.level),
            settings=stage.settings,
            interval=stage.interval,
            fit_seed=FIT_SEED,
            carried=self._carried,
            on_step=on_step,
        )

    def _load_fit(self, index: int) -> bool:
        """Take the fit of stage `index` from the cache into the model; False if it is not there."""
        entry = self.store.load(Kind.FIT, self._of(index).fit.key)
        if entry is None:
            return False
        model, optimiser = parts_of(entry.tensors)
        load_state(self.model, model)
        self.model.eval()
        self._loaded, self._carried = index, optimiser
        loss = entry.record.get("loss")
        self._tell(index, "hit", loss if isinstance(loss, float) else None)
        return True

    def _sample(self, index: int, x: Tensor | None) -> tuple[Tensor, Tensor | None]:
        """Carry the sample through stage `index`, or find it done by another process.

        Returns (the sample, the last predicted x_0 where it is known).
        """
        stage = self.stages[index]
        key = stage.sample.key
        with self.store.lock(key, on_wait=self._on_wait(index), check=self.report.check):
            found = self._samples.of(stage)
            if found is not None:
                return found, found if stage.then < 0 else None
            noise = NoiseSource(seed=self.seed, take=self.take, level=stage.level)
            scene = self._scene(index)
            begins = index == 0 or self.stages[index - 1].level < stage.level
            denoiser = self.denoiser(stage.level)
            crossing = Crossing(
                stage=stage,
                scene=scene,
                denoiser=denoiser,
                noise=noise,
                patches=lambda: Patches.of(self.levels[stage.level], self.units[stage.level]),
                check=self.report.check,
                on_work=lambda done: self._work.sampled(index, done),
            )
            x, x_0 = crossing.sample(None if begins else x)
            self.memory = denoiser.memory  # what did not fit will not fit the next time
            # The last interval's predicted x_0 is the level's result, as published.
            result = x_0 if stage.then < 0 else x
            with self.report.stop.finishing():
                self._samples.keep(stage, result, {"memory": denoiser.memory, **self._machine})
            return result, x_0

    def _scene(self, index: int) -> Scene:
        """What stage `index` is sampled in."""
        number = self.stages[index].level
        coarse = self._samples.beneath(self.stages, number) if number > 0 else None
        if number > 0 and coarse is None:  # it was there before this one was begun
            raise _Overtaken
        return self._scenes.of(number, coarse)

    def _tell(self, index: int, outcome: str, loss: float | None) -> None:
        """Report an interval once."""
        if index != BASE and index not in self._told:
            self._told[index] = outcome
            self.report.interval(
                index,
                len(self.stages),
                "hit" if outcome == "hit" else "fitted",
                loss,
                take=self.number,
            )

    def _hand_on(self, index: int, x_0: Tensor | None, seconds: float | None = None) -> None:
        """Tell whoever listens that stage `index` is done; x_0 as it was predicted last."""
        if self.on_interval is None or self.number > 1:  # further takes share every fit
            return
        stage = self.stages[index]
        done = IntervalDone(
            index=index,
            count=len(self.stages),
            level=stage.level,
            timesteps=(stage.interval.low, stage.interval.high),
            outcome="hit" if self._told[index] == "hit" else "fitted",
            fit=noted(self.store, stage.fit.key),
            sample_key=stage.sample.key,
            seconds=seconds,
            predicted=None if x_0 is None else self._samples.filled(stage.level, x_0),
            parts=tuple(level.part for level in self.levels),
        )
        self.on_interval(done)

    def _on_wait(self, index: int) -> Callable[[], None]:
        """What to say when another process holds the lock of stage `index`."""
        what = "the base of the fits" if index == BASE else f"interval {index + 1}"
        return lambda: self.report.waiting(
            f"another process that is at work on {what} of this shot"
        )


class _Overtaken(Exception):  # noqa: N818 - no error of anyone's
    """Another process went past with the same sample, and dropped what this one needs."""
