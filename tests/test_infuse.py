"""The chain of intervals: which setting changes the name of which fit and which sample."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import fields, replace
from itertools import pairwise
from pathlib import Path
from typing import Literal

import numpy as np
import pytest
import torch

from infusion_engine.cache.entry import Kind
from infusion_engine.cache.key import Started
from infusion_engine.cache.store import Store
from infusion_engine.diffusion.schedule import alpha_bar
from infusion_engine.infuse import Infusion, Source, Stage, stages
from infusion_engine.progress import Report
from infusion_engine.settings import PRESETS, Area, Settings, overridden

DRAFT = PRESETS["draft"]
TINY = replace(
    DRAFT, channels=4, intervals=3, steps_per_interval=2, sampling_steps=2, window_frames=3
)

CHANGES: Mapping[str, str] = {
    "network": "published",
    "channels": "16",
    "intervals": "7",
    "spacing": "timestep",
    "steps_per_interval": "301",
    "sampling_steps": "9",
    "sampler": "deterministic",
    "window_frames": "9",
    "crop_pixels": "48",
    "batch": "2",
    "learning_rate": "0.02",
    "schedule": "constant",
    "objective": "known",
    "ema": "0.2",
    "area": "frame",
    "context_pixels": "33",
    "margin_pixels": "17",
    "working_size": "320x240",
    "precision": "fp32",
}
ONLY_SAMPLING = {"sampling_steps", "sampler", "margin_pixels"}


@pytest.fixture(autouse=True, scope="module")
def one_thread() -> Iterator[None]:
    """Arithmetic on one thread."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def source(*, clip: str = "a" * 64, knee: float = 0.1, size: tuple[int, int] = (16, 16)) -> Source:
    """A small clip with a hole; its digest is told, not computed."""
    generator = np.random.default_rng(0)
    hole = np.zeros((1, 3, *size), np.float32)
    hole[..., 5:11, 5:11] = 1.0
    x_0 = generator.uniform(-1, 1, (3, 3, *size)).astype(np.float32) * (1 - hole)
    return Source(
        x_0=torch.from_numpy(x_0),
        hole=torch.from_numpy(hole),
        lowest=-1.0,
        highest=1.0,
        clip=clip,
        encoding={"knee": knee},
    )


def chain(settings: Settings = DRAFT, *, seed: int = 0, take: int = 0) -> tuple[Stage, ...]:
    """The chain of the small clip."""
    return stages(source(), settings, seed=seed, take=take)


def fit_keys(chain: tuple[Stage, ...]) -> list[str]:
    """The name of each fit."""
    return [stage.fit.key for stage in chain]


def sample_keys(chain: tuple[Stage, ...]) -> list[str]:
    """The name of each sample."""
    return [stage.sample.key for stage in chain]


def test_each_fit_goes_on_from_the_noisier_one() -> None:
    """The first starts from scratch, every other from the one before; samples likewise."""
    found = chain()
    assert len(found) == DRAFT.intervals
    assert found[0].fit.started is Started.SCRATCH
    assert found[0].sample.noisier is None
    for before, after in pairwise(found):
        assert after.fit.started is Started.PREVIOUS
        assert after.fit.parent == before.fit.key
        assert after.sample.noisier == before.sample.key
    assert all(stage.sample.fit == stage.fit.key for stage in found)
    assert len(set(fit_keys(found) + sample_keys(found))) == 2 * DRAFT.intervals


def test_each_stage_hands_over_to_the_next() -> None:
    """`then` is where the next stage's walk begins; after the last there is no noise."""
    for settings in PRESETS.values():
        found = chain(settings)
        assert [s.then for s in found] == [*(s.timesteps[0] for s in found[1:]), -1]
        assert all(stage.then < stage.timesteps[-1] for stage in found)
        spans = [(stage.interval.low, stage.interval.high) for stage in found]
        assert [stage.fit.interval for stage in found] == spans


def test_the_published_chain() -> None:
    """20 stages of 50 evaluations but the last, which leaves t = 0 out."""
    found = chain(PRESETS["paper"])
    assert [len(stage.timesteps) for stage in found] == [50] * 19 + [49]
    assert [stage.then for stage in found] == [*range(949, 0, -50), -1]


def test_the_same_job_has_the_same_names() -> None:
    """In another process, too: nothing but the identity is in a key."""
    assert fit_keys(chain()) == fit_keys(chain())
    assert sample_keys(chain()) == sample_keys(chain())


@pytest.mark.parametrize(("seed", "take"), [(1, 0), (0, 1)], ids=["seed", "take"])
def test_a_seed_or_take_changes_only_samples(seed: int, take: int) -> None:
    """Every fit is used again."""
    other = chain(seed=seed, take=take)
    assert fit_keys(chain()) == fit_keys(other)
    assert not set(sample_keys(chain())) & set(sample_keys(other))


def test_every_setting_has_a_change_to_be_tried() -> None:
    """The table above knows all settings and changes each."""
    assert list(CHANGES) == [f.name for f in fields(Settings)]
    for key, text in CHANGES.items():
        assert overridden(DRAFT, {key: text}) != DRAFT


@pytest.mark.parametrize("key", list(CHANGES))
def test_every_setting_changes_the_right_names(key: str) -> None:
    """Those of sampling change samples alone; all others change fits, and so samples too."""
    changed = chain(overridden(DRAFT, {key: CHANGES[key]}))
    assert not set(sample_keys(chain())) & set(sample_keys(changed))
    if key in ONLY_SAMPLING:
        assert fit_keys(chain()) == fit_keys(changed)
    else:
        assert not set(fit_keys(chain())) & set(fit_keys(changed))


def test_another_clip_or_encoding_is_another_fit() -> None:
    """Known pixels, the matte and the encoding's parameters are in every name."""
    for other in (source(clip="b" * 64), source(knee=0.2)):
        found = stages(other, DRAFT, seed=0, take=0)
        assert not set(fit_keys(chain())) & set(fit_keys(found))


def run(
    folder: Path, *, settings: Settings = TINY, seed: int = 0, shot: Source | None = None
) -> tuple[np.ndarray, list[str]]:
    """(filled clip, outcome of each interval) of a whole run on a cache."""
    report = Telling()
    infusion = Infusion(
        shot or source(),
        settings,
        seed=seed,
        take=0,
        store=Store(folder, on_damage=report.warn),
        report=report,
        threads=1,
    )
    return infusion.run(), report.outcomes


class Telling(Report):
    """Remembers which intervals were fitted and which were found."""

    def __init__(self) -> None:
        super().__init__()
        self.outcomes: list[str] = []

    def interval(
        self, index: int, count: int, outcome: Literal["hit", "fitted"], loss: float | None = None
    ) -> None:
        self.outcomes.append(f"{index} {outcome}")


def test_known_voxels_come_out_as_they_went_in(tmp_path: Path) -> None:
    """Bit for bit, and the hole is filled with finite values within the known range."""
    filled, outcomes = run(tmp_path)
    shot = source()
    known = np.broadcast_to(shot.hole.numpy() == 0, filled.shape)
    assert np.array_equal(filled[known], shot.x_0.numpy()[known])
    assert (np.abs(filled[~known]) <= 1.0).all()
    assert filled[~known].std() > 0.0
    assert outcomes == ["0 fitted", "1 fitted", "2 fitted"]


def test_a_second_run_finds_everything(tmp_path: Path) -> None:
    """The same bits, and nothing is fitted."""
    first, _ = run(tmp_path)
    again, outcomes = run(tmp_path)
    assert outcomes == ["0 hit", "1 hit", "2 hit"]
    assert np.array_equal(first, again)


def test_two_caches_give_the_same_bits(tmp_path: Path) -> None:
    """Nothing but the source, the settings and the seed has a say."""
    torch.manual_seed(1)
    first, _ = run(tmp_path / "a")
    torch.manual_seed(2)
    assert np.array_equal(run(tmp_path / "b")[0], first)


def test_another_seed_samples_from_the_same_fits(tmp_path: Path) -> None:
    """Another fill, and no interval is fitted again."""
    first, _ = run(tmp_path)
    other, outcomes = run(tmp_path, seed=1)
    assert outcomes == ["0 hit", "1 hit", "2 hit"]
    assert not np.array_equal(first, other)


@pytest.mark.parametrize("settings", [TINY, None], ids=["draft", "paper"])
def test_going_on_from_any_interval_gives_the_same_bits(
    tmp_path: Path, settings: Settings | None
) -> None:
    """A run that lost its last fits and samples makes them again, from what is left."""
    if settings is None:
        settings = replace(
            PRESETS["paper"], channels=4, intervals=3, steps_per_interval=2, sampling_steps=2
        )
    undisturbed, _ = run(tmp_path / "whole", settings=settings)
    for kept in range(3):
        folder = tmp_path / str(kept)
        with pytest.raises(StoppedAfter):
            stopped(folder, settings, kept)
        again, outcomes = run(folder, settings=settings)
        assert np.array_equal(again, undisturbed)
        assert [o for o in outcomes if "fitted" in o] == [f"{i} fitted" for i in range(kept, 3)]


class StoppedAfter(Exception):  # noqa: N818 - an event, no error of anyone's
    """The test's own end of a run."""


def stopped(folder: Path, settings: Settings, after: int, shot: Source | None = None) -> None:
    """A run that ends in the first step of interval `after`."""

    class Stopping(Report):
        def progress(self, phase: str, done: int, total: int, **figures: float) -> None:
            if figures["interval"] == after:
                raise StoppedAfter

    Infusion(
        shot or source(),
        settings,
        seed=0,
        take=0,
        store=Store(folder, on_damage=Report().warn),
        report=Stopping(),
        threads=1,
    ).run()


def test_what_is_kept_between_intervals_is_at_the_next_one_s_noise_level(tmp_path: Path) -> None:
    """A sample is x_t where the next interval begins, its known voxels noisy like all others."""
    with pytest.raises(StoppedAfter):
        stopped(tmp_path, TINY, 1)
    first = chain(TINY)[0]
    entry = Store(tmp_path, on_damage=Report().warn).load(Kind.SAMPLE, first.sample.key)
    assert entry is not None
    a, shot = alpha_bar(first.then), source()
    rest = entry.tensors["x"] - a**0.5 * shot.x_0.numpy()
    known = np.broadcast_to(shot.hole.numpy() == 0, rest.shape)
    count = int(known.sum())
    assert rest[known].var() == pytest.approx(1 - a, rel=4 * (2 / count) ** 0.5)


WIDE = (40, 48)
"""(height, width) of a clip that is larger than its hole and a margin."""


def kept_sample(folder: Path, settings: Settings, shot: Source) -> np.ndarray:
    """The first stage's sample as a run that ends after it leaves it."""
    with pytest.raises(StoppedAfter):
        stopped(folder, settings, 1, shot)
    first = stages(shot, settings, seed=0, take=0)[0]
    entry = Store(folder, on_damage=Report().warn).load(Kind.SAMPLE, first.sample.key)
    assert entry is not None
    return entry.tensors["x"]


@pytest.mark.parametrize(
    ("margin", "size"), [(0, (6, 6)), (4, (14, 14)), (20, (31, 31)), (99, WIDE)]
)
def test_sampling_looks_at_the_hole_and_a_margin(
    tmp_path: Path, margin: int, size: tuple[int, int]
) -> None:
    """A box around the hole, cut off at the clip's edges; all else comes out as it went in."""
    settings = replace(TINY, margin_pixels=margin)
    shot = source(size=WIDE)
    assert kept_sample(tmp_path, settings, shot).shape == (3, 3, *size)
    filled, _ = run(tmp_path, settings=settings, shot=shot)
    known = np.broadcast_to(shot.hole.numpy() == 0, filled.shape)
    assert filled.shape == (3, 3, *WIDE)
    assert np.array_equal(filled[known], shot.x_0.numpy()[known])
    assert np.isfinite(filled).all()
    assert filled[~known].std() > 0.0


def test_the_whole_frame_is_sampled_where_all_of_it_is_worked_on(tmp_path: Path) -> None:
    """As published, whatever the margin."""
    settings = replace(TINY, margin_pixels=0, area=Area.FRAME)
    assert kept_sample(tmp_path, settings, source(size=WIDE)).shape == (3, 3, *WIDE)


def test_a_box_has_the_noise_of_its_place(tmp_path: Path) -> None:
    """Known voxels of a sample are as noisy in a box as they are in the whole clip."""
    shot = source(size=WIDE)
    shot = replace(shot, hole=shot.hole.roll((9, 13), (-2, -1)), x_0=shot.x_0 * 0)
    small = kept_sample(tmp_path / "box", replace(TINY, margin_pixels=4), shot)
    large = kept_sample(tmp_path / "whole", replace(TINY, margin_pixels=99), shot)
    box = (slice(None), slice(None), slice(14 - 4, 20 + 4), slice(18 - 4, 24 + 4))
    known = np.broadcast_to(shot.hole.numpy() == 0, large.shape)[box]
    assert np.array_equal(small[known], large[box][known])
    assert small[known].std() > 0.0
