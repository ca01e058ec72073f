"""The chain: every fit and sample of a run by name, coarsest and noisiest first.

Names come before work: what a shot's fits and samples are called follows from the clip's digest,
the settings and the seed, so that a run knows what the cache may already hold.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from infusion_engine.cache.key import FitIdentity, SampleIdentity, Started
from infusion_engine.diffusion.interval import (
    Interval,
    intervals,
    laid_out_by,
    sampling_timesteps,
)
from infusion_engine.settings import (
    ROUND_WORK,
    FitsStart,
    Precision,
    Settings,
    at_interval,
    at_level,
    described,
)

FIT_SEED = 0
"""Fits do not depend on the job's seed: another seed is another sample from the same fits."""

_SAMPLING_SETTINGS = (
    *("sampling_steps", "last_timestep", "sampler", "margin_pixels"),
    *("settling_rounds", "resamplings", "still_frames"),
)
_ONLY_SOME = ("layouts", "seam_pixels")
"""Sampling settings that are named in the stages alone that they change."""
SAMPLING_RULE = 3
"""Raised whenever the same settings would give another sample from the same fits."""
_REPLACED = (
    *("detail_intervals", "detail_steps_per_interval", "detail_sampling_steps"),
    "layout_batches",
    "fits_start",
)
"""In each interval these have already taken the place of the plain ones, or say nothing there."""


@dataclass(frozen=True)
class Named:
    """What gives a run's fits and samples their names."""

    clip: str
    """Digest of the known pixels and the matte."""
    encoding: Mapping[str, object]
    """The encoding's parameters."""
    tops: tuple[int, ...]
    """One past the noisiest timestep of each level, coarsest first."""
    units: tuple[float, ...]
    """The encoded value that is 1 at each level, in which its samples are kept."""
    seed: int
    """The job's seed."""
    take: int
    """0 for the first take."""


@dataclass(frozen=True)
class Stage:
    """One interval of one level, and what its fit and its sample are called in the cache."""

    level: int
    """0 for the coarsest."""
    settings: Settings
    """The interval's own."""
    interval: Interval
    """Timesteps to fit and to cross."""
    timesteps: tuple[int, ...]
    """Where the denoiser is evaluated, falling."""
    then: int
    """The level's next interval's first timestep; -1 after the level's last: its x_0 is done."""
    layouts: int
    """How many samples go down side by side: at the coarsest level alone more than one."""
    decides: bool
    """True where, at its end, one of several layouts is chosen."""
    rounds: int
    """How often the plate's patches vote on the layout at its end."""
    repeats: int
    """How often it is gone through again after the first time."""
    seam: int
    """Pixels over which the finished fill's seam is mended; 0 for all stages but the last."""
    fit: FitIdentity
    """The fit's name and what it stands for."""
    sample: SampleIdentity
    """The sample's name and what it stands for."""

    @property
    def evaluations(self) -> int:
        """How often the denoiser is asked, for one layout."""
        return len(self.timesteps) * (1 + self.repeats)

    @property
    def work_of_one(self) -> int:
        """What sampling one layout takes, votes included, in evaluations of its denoiser."""
        return self.evaluations + ROUND_WORK * self.rounds

    @property
    def work(self) -> int:
        """What sampling it takes in all: every layout, and a search for patches to compare each."""
        return self.layouts * (self.work_of_one + (ROUND_WORK if self.decides else 0))


@dataclass(frozen=True)
class Base:
    """The one fit that all others start from, where they start at a base."""

    settings: Settings
    """Its own: those of the coarsest level's noisiest interval."""
    interval: Interval
    """All timesteps of the coarsest level."""
    fit: FitIdentity
    """Its name and what it stands for."""
    level: int = 0
    """The coarsest: where every noise level is to be learnt, and a step costs least."""


def base_of(named: Named, settings: Settings) -> Base | None:
    """The fit that all others start from; None where they start elsewhere."""
    if settings.fits_start is not FitsStart.BASE:
        return None
    own, whole = at_interval(settings, 0, 0), Interval(index=0, low=0, high=named.tops[0])
    return Base(own, whole, _fit_identity(named, own, 0, whole, (Started.SCRATCH, None)))


def stages(named: Named, settings: Settings) -> tuple[Stage, ...]:
    """Every interval of every level with the identities of its fit and sample, in order."""
    chain: list[Stage] = []
    base = base_of(named, settings)
    for level, top in enumerate(named.tops):
        whole = at_level(settings, level)
        spans = intervals(whole.intervals, whole.spacing, top=top)
        laid_out = laid_out_by(spans) if level == 0 else None
        for interval, following in zip(spans, (*spans[1:], None), strict=True):
            own = at_interval(settings, level, interval.index)
            before = chain[-1] if chain else None
            then = -1 if following is None else following.high - 1
            start = _start(settings, base, before)
            fit = _fit_identity(named, own, level, interval, start)
            ends = then < 0 and level == len(named.tops) - 1
            some = {"seam_pixels": own.seam_pixels} if ends and own.seam_pixels else {}
            if level == 0 and own.layouts > 1:
                some["layouts"] = own.layouts
            chain.append(
                Stage(
                    level=level,
                    settings=own,
                    interval=interval,
                    timesteps=sampling_timesteps(
                        interval, own.sampling_steps, last=own.last_timestep
                    ),
                    then=then,
                    layouts=some.get("layouts", 1),
                    decides=level == 0 and then < 0 and own.layouts > 1,
                    rounds=own.settling_rounds if interval.index == laid_out else 0,
                    repeats=own.resamplings if interval.index - 1 == laid_out else 0,
                    seam=some.get("seam_pixels", 0),
                    fit=fit,
                    sample=SampleIdentity(
                        fit=fit.key,
                        seed=named.seed,
                        take=named.take,
                        sampler=_sampler(own, some),
                        noisier=None if before is None else before.sample.key,
                    ),
                )
            )
    return tuple(chain)


def superseded(chain: Sequence[Stage], index: int) -> list[int]:
    """The stages whose samples nobody needs any more once that of stage `index` is safe.

    Within a level that is the sample before; what a finer level begins with is needed until that
    level is done.
    """
    done = chain[index].then < 0
    return [
        before
        for before, stage in enumerate(chain[:index])
        if (stage.level == chain[index].level and before == index - 1)
        or (done and stage.level < chain[index].level)
    ]


def _sampler(own: Settings, some: Mapping[str, int]) -> dict[str, object]:
    """What of the settings a sample hangs on, beside its fit; `some` hold in this stage alone."""
    numbers = {name: described(own)[name] for name in _SAMPLING_SETTINGS}
    return {**numbers, **some, "rule": SAMPLING_RULE}


def _start(
    settings: Settings, base: Base | None, before: Stage | None
) -> tuple[Started, str | None]:
    """What a fit starts from, and that fit's key, where another stands before it or not."""
    if base is not None:
        return Started.BASE, base.fit.key
    if before is None or settings.fits_start is FitsStart.SCRATCH:
        return Started.SCRATCH, None
    return Started.PREVIOUS, before.fit.key


def _fit_identity(
    named: Named,
    own: Settings,
    level: int,
    interval: Interval,
    start: tuple[Started, str | None],
) -> FitIdentity:
    """The name of one fit; `start` is what it starts from, and that fit's key.

    Raises:
        ValueError: arithmetic was left to the device: a name says what is done.
    """
    if own.precision is Precision.AUTO:
        raise ValueError("arithmetic is chosen before a fit is named")
    numbers = described(own)
    for name in (*_SAMPLING_SETTINGS, *_ONLY_SOME, *_REPLACED, "coarsest_hole_pixels", "camera"):
        del numbers[name]
    precision = str(numbers.pop("precision"))
    network = {"kind": numbers.pop("network"), "channels": numbers.pop("channels")}
    return FitIdentity(
        clip=named.clip,
        encoding=named.encoding,
        network=network,
        # How often the clip was halved is all that coarsest_hole_pixels decides; where frames were
        # registered is in the clip's digest.
        training={**numbers, "levels": len(named.tops), "unit": named.units[level]},
        precision=precision,
        fit_seed=FIT_SEED,
        level=level,
        interval=(interval.low, interval.high),
        started=start[0],
        parent=start[1],
    )
