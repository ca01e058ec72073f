"""Runs of the chain on small clips: bits, resuming, and what is kept in the cache meanwhile."""

from __future__ import annotations

from dataclasses import fields, replace
from pathlib import Path
from typing import Literal

import numpy as np
import pytest
import torch

from infusion_engine.cache.entry import Kind
from infusion_engine.cache.store import Store
from infusion_engine.chain import Stage
from infusion_engine.diffusion.hint import Hint
from infusion_engine.diffusion.layout import halvings
from infusion_engine.diffusion.pyramid import PyramidLevel, coarser, without_detail
from infusion_engine.diffusion.schedule import alpha_bar
from infusion_engine.infuse import Infusion, Source
from infusion_engine.progress import Report
from infusion_engine.settings import PRESETS, Network, Optimiser, Settings
from tests.tiny import TINY

pytestmark = pytest.mark.usefixtures("one_thread")

FLAT = replace(TINY, coarsest_hole_pixels=0, intervals=3, layouts=1)
"""One level of three intervals."""
PAPER = replace(PRESETS["paper"], channels=4, intervals=3, steps_per_interval=2, sampling_steps=2)


def clip(*, size: tuple[int, int] = (16, 16)) -> PyramidLevel:
    """A small clip with a hole."""
    generator = np.random.default_rng(0)
    hole = np.zeros((1, 3, *size), np.float32)
    hole[..., 5:11, 5:11] = 1.0
    x_0 = generator.uniform(-1, 1, (3, 3, *size)).astype(np.float32) * (1 - hole)
    return PyramidLevel(torch.from_numpy(x_0), torch.from_numpy(hole))


def source(shot: PyramidLevel, settings: Settings) -> Source:
    """The clip at as many sizes as the settings ask for; its digest is told, not computed."""
    levels, side = [shot], float(shot.hole[0].sum((1, 2)).max()) ** 0.5
    for _ in range(halvings(side, settings.coarsest_hole_pixels)):
        levels.insert(0, coarser(levels[0]))
    return Source(levels=tuple(levels), clip="a" * 64, encoding={"knee": 0.1})


def infusion(
    folder: Path,
    *,
    settings: Settings = TINY,
    seed: int = 0,
    shot: PyramidLevel | None = None,
    report: Report | None = None,
) -> Infusion:
    """A run on a cache."""
    return Infusion(
        source(shot or clip(), settings),
        settings,
        seed=seed,
        take=0,
        store=store(folder),
        report=report or Report(),
        threads=1,
        memory=2**33,
    )


def store(folder: Path) -> Store:
    """The cache, which must never find anything damaged."""

    def damaged(message: str) -> None:
        raise AssertionError(message)

    return Store(folder, on_damage=damaged)


def chain(settings: Settings = TINY, shot: PyramidLevel | None = None) -> tuple[Stage, ...]:
    """The stages of a run."""
    return infusion(Path("nowhere"), settings=settings, shot=shot).stages


def run(
    folder: Path, *, settings: Settings = TINY, seed: int = 0, shot: PyramidLevel | None = None
) -> tuple[np.ndarray, list[str]]:
    """(filled clip, outcome of each interval) of a whole run on a cache."""
    report = Telling()
    filled = infusion(folder, settings=settings, seed=seed, shot=shot, report=report).run()
    return filled, report.outcomes


class Telling(Report):
    """Remembers which intervals were fitted and which were found."""

    def __init__(self) -> None:
        super().__init__()
        self.outcomes: list[str] = []

    def interval(
        self,
        index: int,
        count: int,
        outcome: Literal["hit", "fitted"],
        loss: float | None = None,
        *,
        take: int = 1,
    ) -> None:
        self.outcomes.append(f"{index} {outcome}")


class StoppedAfter(Exception):  # noqa: N818 - an event, no error of anyone's
    """The test's own end of a run."""


def stopped(
    folder: Path, after: int, *, settings: Settings = TINY, shot: PyramidLevel | None = None
) -> None:
    """A run that ends in the first step of interval `after`."""

    class Stopping(Report):
        def progress(self, phase: str, done: int, total: int, **figures: float) -> None:
            if figures["interval"] == after:
                raise StoppedAfter

    with pytest.raises(StoppedAfter):
        infusion(folder, settings=settings, shot=shot, report=Stopping()).run()


def samples(folder: Path, settings: Settings = TINY) -> list[int]:
    """Which stages' samples the cache holds."""
    found = enumerate(chain(settings))
    return [i for i, stage in found if store(folder).has(Kind.SAMPLE, stage.sample.key)]


def kept_sample(
    folder: Path, index: int, *, settings: Settings = TINY, shot: PyramidLevel | None = None
) -> np.ndarray:
    """The sample of a stage as a run that ends after it leaves it."""
    stopped(folder, index + 1, settings=settings, shot=shot)
    key = chain(settings, shot)[index].sample.key
    entry = store(folder).load(Kind.SAMPLE, key)
    assert entry is not None
    return entry.tensors["x"]


def test_the_small_clip_is_worked_at_two_sizes() -> None:
    """What the tests below rely on."""
    levels = [[stage.level for stage in chain(one)] for one in (TINY, FLAT, PAPER)]
    assert levels == [[0, 0, 1, 1], [0, 0, 0], [0, 0, 0]]


@pytest.mark.parametrize(
    "settings",
    [
        TINY,
        FLAT,
        PAPER,
        replace(PAPER, coarsest_hole_pixels=3, detail_intervals=1),
        replace(TINY, network=Network.PUBLISHED, optimiser=Optimiser.ADAM, margin_pixels=3),
    ],
    ids=["two levels", "one level", "paper", "paper with levels", "draft, published network"],
)
def test_known_voxels_come_out_as_they_went_in(tmp_path: Path, settings: Settings) -> None:
    """Bit for bit, and the hole is filled with finite values within the known range.

    No size of a level or of a sampled box is one that a network cannot take.
    """
    settings = replace(settings, detail_steps_per_interval=2, detail_sampling_steps=2)
    shot = clip(size=(18, 21))
    filled, outcomes = run(tmp_path, settings=settings, shot=shot)
    known = np.broadcast_to(shot.hole.numpy() == 0, filled.shape)
    assert np.array_equal(filled[known], shot.x_0.numpy()[known])
    assert (np.abs(filled[~known]) <= 1.0).all()
    assert filled[~known].std() > 0.0
    assert outcomes == [f"{i} fitted" for i in range(len(chain(settings, shot)))]


def test_a_second_run_finds_everything(tmp_path: Path) -> None:
    """The same bits, and nothing is fitted."""
    first, _ = run(tmp_path)
    again, outcomes = run(tmp_path)
    assert outcomes == ["0 hit", "1 hit", "2 hit", "3 hit"]
    assert np.array_equal(first, again)


def test_two_caches_give_the_same_bits(tmp_path: Path) -> None:
    """Nothing but the source, the settings and the seed has a say."""
    torch.manual_seed(1)
    first, _ = run(tmp_path / "a")
    torch.manual_seed(2)
    assert np.array_equal(run(tmp_path / "b")[0], first)


def test_another_seed_samples_from_the_same_fits(tmp_path: Path) -> None:
    """Another fill, and no interval of any level is fitted again."""
    first, _ = run(tmp_path)
    other, outcomes = run(tmp_path, seed=1)
    assert outcomes == ["0 hit", "1 hit", "2 hit", "3 hit"]
    assert not np.array_equal(first, other)


def test_one_run_draws_several_takes(tmp_path: Path) -> None:
    """Each is what a run of that seed alone would give, whichever take fitted what they need."""
    alone = [run(tmp_path / f"{seed}", seed=seed)[0] for seed in (5, 6)]
    report = Telling()
    both = infusion(tmp_path / "both", report=report)
    for number, seed in enumerate((5, 6), start=1):
        both.begin(seed, number=number, count=2)
        assert np.array_equal(both.run(), alone[number - 1])
    assert report.outcomes == [*(f"{i} fitted" for i in range(4)), *(f"{i} hit" for i in range(4))]


@pytest.mark.parametrize("settings", [TINY, PAPER], ids=["two levels", "paper"])
def test_going_on_from_any_interval_gives_the_same_bits(tmp_path: Path, settings: Settings) -> None:
    """A run that was stopped in any interval fits what is missing, and nothing else."""
    undisturbed, _ = run(tmp_path / "whole", settings=settings)
    count = len(chain(settings))
    for kept in range(count):
        folder = tmp_path / str(kept)
        stopped(folder, kept, settings=settings)
        again, outcomes = run(folder, settings=settings)
        assert np.array_equal(again, undisturbed)
        assert [o for o in outcomes if "fitted" in o] == [f"{i} fitted" for i in range(kept, count)]


@pytest.mark.parametrize("lost", range(4))
def test_a_fit_that_was_lost_is_made_again_alone(tmp_path: Path, lost: int) -> None:
    """From the fit before it, also where that is a coarser level's, and to the same bits."""
    undisturbed, _ = run(tmp_path)
    last = chain()[-1].sample.key
    store(tmp_path).drop(Kind.FIT, chain()[lost].fit.key)
    store(tmp_path).drop(Kind.SAMPLE, last)
    again, outcomes = run(tmp_path)
    assert np.array_equal(again, undisturbed)
    assert sorted(outcomes) == [f"{i} {'fitted' if i == lost else 'hit'}" for i in range(4)]


def test_a_coarser_level_is_kept_until_the_finer_one_is_done(tmp_path: Path) -> None:
    """Of each level only the last sample, and of finished levels only what is still needed."""
    kept = []
    for after in range(4):
        stopped(tmp_path, after)
        kept.append(samples(tmp_path))
    run(tmp_path)
    kept.append(samples(tmp_path))
    assert kept == [[], [0], [1], [1, 2], [3]]


@pytest.mark.parametrize("lost", [(1,), (2,), (1, 2)], ids=["coarser", "finer", "both"])
def test_a_pruned_sample_is_drawn_again(tmp_path: Path, lost: tuple[int, ...]) -> None:
    """In the middle of the finer level; also the coarser level's, without which it cannot go on."""
    undisturbed, _ = run(tmp_path / "whole")
    stopped(tmp_path, 3)
    for index in lost:
        store(tmp_path).drop(Kind.SAMPLE, chain()[index].sample.key)
    again, outcomes = run(tmp_path)
    assert np.array_equal(again, undisturbed)
    assert outcomes == ["0 hit", "1 hit", "2 hit", "3 fitted"]
    assert samples(tmp_path) == [3]


def test_a_finer_level_adds_detail_to_the_coarser(tmp_path: Path) -> None:
    """Where the plate has next to no detail, the fill is the coarser level's, enlarged."""
    y, x = np.mgrid[0:40, 0:48] / 9.0
    waves = np.stack([np.sin(x + c) * np.cos(y - c) for c in range(9)]).astype(np.float32)
    shot = clip(size=(40, 48))
    shot = replace(shot, x_0=torch.from_numpy(waves.reshape(3, 3, 40, 48)) * (1 - shot.hole))
    settings = replace(TINY, margin_pixels=99, learning_rate=1e-6, seam_pixels=0)
    coarse = kept_sample(tmp_path, 1, settings=settings, shot=shot)
    assert coarse.shape == (3, 3, 20, 24)
    filled, _ = run(tmp_path, settings=settings, shot=shot)
    enlarged = without_detail(torch.from_numpy(coarse), shot).numpy()
    hole = np.broadcast_to(shot.hole.numpy() > 0, filled.shape)
    added = (filled - enlarged)[hole]
    assert 0.0 < added.std() < 0.2 * enlarged[hole].std()


def test_a_finer_level_s_fit_goes_on_from_the_coarser_one_s(tmp_path: Path) -> None:
    """Weights that were fitted otherwise at the coarsest level are others at the finer one."""
    found = []
    for steps in (1, 2):
        settings = replace(TINY, steps_per_interval=steps)
        stopped(tmp_path, 3, settings=settings)
        entry = store(tmp_path).load(Kind.FIT, chain(settings)[2].fit.key)
        assert entry is not None
        found.append(entry.tensors["model.weights.network.stem.weight"])
    assert not np.array_equal(found[0], found[1])


def test_what_is_kept_between_intervals_is_at_the_next_one_s_noise_level(tmp_path: Path) -> None:
    """A sample is x_t where the next interval begins, its known voxels noisy like all others."""
    sample, shot = kept_sample(tmp_path, 0, settings=FLAT), clip()
    a = alpha_bar(chain(FLAT)[0].then)
    rest = sample - a**0.5 * shot.x_0.numpy()
    known = np.broadcast_to(shot.hole.numpy() == 0, rest.shape)
    count = int(known.sum())
    assert rest[known].var() == pytest.approx(1 - a, rel=4 * (2 / count) ** 0.5)


def test_a_finer_level_s_samples_are_in_its_own_unit(tmp_path: Path) -> None:
    """Of x_0 over the unit, with the noise of the next interval; the result is encoded again."""
    sample, shot = kept_sample(tmp_path, 2), clip()
    unit = infusion(tmp_path).units[1]
    assert unit > 2.0
    a = alpha_bar(chain()[2].then)
    rest = sample - a**0.5 * shot.x_0.numpy() / unit
    known = np.broadcast_to(shot.hole.numpy() == 0, rest.shape)
    count = int(known.sum())
    assert rest[known].var() == pytest.approx(1 - a, rel=4 * (2 / count) ** 0.5)


def still_shot() -> PyramidLevel:
    """A plate of grain that stands still, of which a matte that moves uncovers all."""
    generator, hole = np.random.default_rng(0), torch.zeros(1, 8, 24, 40)
    for t in range(8):
        hole[:, t, 8:15, 4 * t : 4 * t + 7] = 1.0
    plate = torch.from_numpy(generator.uniform(-1, 1, (3, 1, 24, 40)).astype(np.float32))
    return PyramidLevel(plate * (1 - hole), hole)


@pytest.mark.parametrize("settings", [FLAT, TINY], ids=["one level", "two levels"])
def test_what_other_frames_saw_of_a_still_plate_is_put_back(
    tmp_path: Path, settings: Settings
) -> None:
    """Its detail too, before anything is learnt, but for noise of the least spread there is."""
    shot = still_shot()
    unlearnt = replace(settings, learning_rate=1e-6, seam_pixels=0)
    filled, _ = run(tmp_path, settings=unlearnt, shot=shot)
    known = 1 - shot.hole.numpy()
    missed = filled - shot.x_0.numpy().sum(1, keepdims=True) / known.sum(1, keepdims=True)
    missed = missed[np.broadcast_to(known == 0, filled.shape)]
    assert missed.std() < (0.09 if settings is FLAT else 0.12) * filled.std()


def test_a_box_is_told_what_the_whole_clip_is_told_there(tmp_path: Path) -> None:
    """Hints come from all of the clip, and a margin does not change them."""
    shot, settings = still_shot(), replace(TINY, coarsest_hole_pixels=0)
    small, large = (
        infusion(tmp_path, settings=replace(settings, margin_pixels=margin), shot=shot)._scene(0)
        for margin in (3, 99)
    )
    assert (small.corner, small.x_0.shape[2:]) == ((5, 0), (13, 38))
    there = (..., slice(5, 18), slice(38))
    for f in fields(Hint):
        assert torch.equal(getattr(small.hint, f.name), getattr(large.hint, f.name)[there]), f.name


WIDE = (40, 48)  # (height, width) of a clip that is larger than its hole and a margin


def test_only_the_hole_and_a_margin_are_sampled(tmp_path: Path) -> None:
    """All else comes out as it went in."""
    settings, shot = replace(FLAT, margin_pixels=4), clip(size=WIDE)
    assert kept_sample(tmp_path, 0, settings=settings, shot=shot).shape == (3, 3, 14, 14)
    filled, _ = run(tmp_path, settings=settings, shot=shot)
    known = np.broadcast_to(shot.hole.numpy() == 0, filled.shape)
    assert np.array_equal(filled[known], shot.x_0.numpy()[known])
    assert filled[~known].std() > 0.0


def test_the_margin_is_counted_in_each_level_s_own_pixels(tmp_path: Path) -> None:
    """Two around a hole of six, and two around the four that it has at half the size."""
    settings, shot = replace(TINY, margin_pixels=2, layouts=1), clip(size=WIDE)
    for index, side in enumerate((8, 8, 10)):
        found = kept_sample(tmp_path, index, settings=settings, shot=shot)
        assert found.shape == (3, 3, side, side)


def test_a_box_has_the_noise_of_its_place(tmp_path: Path) -> None:
    """Known voxels of a sample are as noisy in a box as they are in the whole clip."""
    shot = clip(size=WIDE)
    shot = replace(shot, hole=shot.hole.roll((9, 13), (-2, -1)), x_0=shot.x_0 * 0)
    boxed, whole = replace(FLAT, margin_pixels=4), replace(FLAT, margin_pixels=99)
    small = kept_sample(tmp_path / "box", 0, settings=boxed, shot=shot)
    large = kept_sample(tmp_path / "whole", 0, settings=whole, shot=shot)
    box = (slice(None), slice(None), slice(14 - 4, 20 + 4), slice(18 - 4, 24 + 4))
    known = np.broadcast_to(shot.hole.numpy() == 0, large.shape)[box]
    assert np.array_equal(small[known], large[box][known])
    assert small[known].std() > 0.0


@pytest.mark.parametrize(("rounds", "turns"), [(2, 0), (0, 1), (2, 1)])
def test_layout_is_voted_on_and_gone_through_again(tmp_path: Path, rounds: int, turns: int) -> None:
    """Another fill from the same fits; the same again in another cache."""
    shot = clip(size=(32, 32))
    plain = replace(FLAT, intervals=4, settling_rounds=0, resamplings=0)
    changed = replace(plain, settling_rounds=rounds, resamplings=turns)
    asked = [s for s in chain(changed, shot) if s.rounds or s.repeats]
    assert len(asked) == bool(rounds) + bool(turns)
    predicted, _ = run(tmp_path / "one", settings=plain, shot=shot)
    filled, outcomes = run(tmp_path / "one", settings=changed, shot=shot)
    assert all(outcome.endswith("hit") for outcome in outcomes)
    assert not np.array_equal(predicted, filled)
    again, _ = run(tmp_path / "other", settings=changed, shot=shot)
    assert np.array_equal(filled, again)
