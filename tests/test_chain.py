"""The chain of intervals: which setting changes the name of which fit and which sample."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, replace
from itertools import pairwise

import pytest

from infusion_engine.budget import evaluations
from infusion_engine.cache.key import Started
from infusion_engine.chain import Named, Stage, stages
from infusion_engine.diffusion.schedule import T, sigma
from infusion_engine.overrides import overridden
from infusion_engine.settings import Optimiser, Precision, Settings, Spacing
from tests.decided import PRESETS

DRAFT = PRESETS["draft"]
ADAM = replace(DRAFT, optimiser=Optimiser.ADAM)
"""What any one setting can be changed from: the published network cannot be moved by Muon."""
TOPS = (T, 600, 400)
"""Where the levels of the named shot begin: two finer ones."""
UNITS = (1.0, 0.5, 0.25)
"""What is 1 at each of them."""

CHANGES: Mapping[str, str] = {
    "network": "published",
    "channels": "16",
    "coarsest_hole_pixels": "16",
    "intervals": "7",
    "spacing": "timestep",
    "steps_per_interval": "301",
    "sampling_steps": "9",
    "detail_intervals": "3",
    "detail_steps_per_interval": "201",
    "detail_sampling_steps": "7",
    "last_timestep": "1",
    "layouts": "2",
    "settling_rounds": "2",
    "resamplings": "2",
    "still_frames": "12",
    "seam_pixels": "6",
    "sampler": "deterministic",
    "window_frames": "9",
    "crop_pixels": "48",
    "batch": "2",
    "layout_batches": "3",
    "fits_start": "base",
    "optimiser": "muon",
    "learning_rate": "0.02",
    "schedule": "constant",
    "objective": "known",
    "ema": "0.2",
    "camera": "followed",
    "area": "frame",
    "context_pixels": "33",
    "margin_pixels": "17",
    "working_size": "320x240",
    "precision": "bf16",
}
ONLY_SAMPLING = {
    *("sampling_steps", "sampler", "margin_pixels", "detail_sampling_steps"),
    *("layouts", "settling_rounds", "resamplings", "still_frames", "last_timestep"),
}
ONLY_FINER = {"detail_intervals", "detail_steps_per_interval", "detail_sampling_steps"}
ONLY_THE_LAST = {"seam_pixels"}
"""What is done to the finished fill alone: one sample."""
NOTHING = {"coarsest_hole_pixels", "camera"}
"""As long as the number of levels that it leads to is the same, and the clip's digest."""


def named(
    *,
    clip: str = "a" * 64,
    knee: float = 0.1,
    tops: tuple[int, ...] = TOPS,
    units: tuple[float, ...] = UNITS,
    seed: int = 0,
    take: int = 0,
) -> Named:
    """What gives a small shot its names."""
    return Named(clip=clip, encoding={"knee": knee}, tops=tops, units=units, seed=seed, take=take)


def chain(settings: Settings = ADAM, *, seed: int = 0, take: int = 0) -> tuple[Stage, ...]:
    """The chain of the small shot."""
    return stages(named(seed=seed, take=take), settings)


def fit_keys(chain: tuple[Stage, ...], *levels: int) -> list[str]:
    """The name of each fit, of some levels or of all."""
    return [stage.fit.key for stage in chain if not levels or stage.level in levels]


def sample_keys(chain: tuple[Stage, ...], *levels: int) -> list[str]:
    """The name of each sample, of some levels or of all."""
    return [stage.sample.key for stage in chain if not levels or stage.level in levels]


def test_each_fit_goes_on_from_the_one_before() -> None:
    """The first starts from scratch, every other from the one before, over levels too."""
    found = chain()
    assert [stage.level for stage in found] == [0] * 4 + [1] * 2 + [2] * 2
    assert found[0].fit.started is Started.SCRATCH
    assert found[0].sample.noisier is None
    for before, after in pairwise(found):
        assert after.fit.started is Started.PREVIOUS
        assert after.fit.parent == before.fit.key
        assert after.sample.noisier == before.sample.key
    assert all(stage.sample.fit == stage.fit.key for stage in found)
    assert len(set(fit_keys(found) + sample_keys(found))) == 2 * len(found)


def test_each_stage_hands_over_to_the_next_of_its_level() -> None:
    """`then` is where the next stage's walk begins; after a level's last there is no noise."""
    for settings in PRESETS.values():
        found = chain(settings)
        for stage, following in zip(found, (*found[1:], None), strict=True):
            is_last = following is None or following.level > stage.level
            assert stage.then == (-1 if is_last else following.timesteps[0])  # type: ignore[union-attr]
            assert stage.then < stage.timesteps[-1]
            assert stage.fit.level == stage.level
            assert stage.fit.interval == (stage.interval.low, stage.interval.high)


@pytest.mark.parametrize("preset", list(PRESETS))
def test_each_level_s_intervals_go_from_its_top_to_zero(preset: str) -> None:
    """A finer level begins where its detail is drowned, and not in pure noise."""
    for level, top in enumerate(TOPS):
        spans = [s.interval for s in chain(PRESETS[preset]) if s.level == level]
        assert [span.high for span in spans] == [top, *(span.low for span in spans[:-1])]
        assert spans[-1].low == 0


def test_finer_levels_have_their_own_numbers() -> None:
    """`detail_intervals`, steps and sampling steps hold at every level but the coarsest."""
    own = replace(
        ADAM,
        intervals=3,
        steps_per_interval=31,
        sampling_steps=13,
        detail_intervals=2,
        detail_steps_per_interval=17,
        detail_sampling_steps=5,
    )
    found = chain(own)
    assert [stage.level for stage in found] == [0, 0, 0, 1, 1, 2, 2]
    assert [s.settings.steps_per_interval for s in found] == [31] * 3 + [17] * 4
    assert [len(s.timesteps) for s in found] == [13] * 3 + [5] * 4


def test_only_the_first_fit_of_all_draws_more_windows() -> None:
    """So many batches at the coarsest level's noisiest interval; one at every other."""
    found = chain(replace(ADAM, batch=3, layout_batches=2))
    assert [stage.settings.batch for stage in found] == [6] + [3] * (len(found) - 1)
    steps = [stage.settings.steps_per_interval for stage in found]
    assert steps == [ADAM.steps_per_interval] * 4 + [ADAM.detail_steps_per_interval] * 4


def test_a_fit_is_named_by_the_windows_it_draws() -> None:
    """However the number of them was come by: `layout_batches` itself is in no name."""
    assert all("layout_batches" not in stage.fit.training for stage in chain())
    twice, plain = (
        chain(replace(ADAM, batch=batch, layout_batches=many)) for batch, many in ((2, 3), (6, 1))
    )
    assert twice[0].fit == plain[0].fit
    assert [stage.fit.training["batch"] for stage in twice] == [6] + [2] * (len(twice) - 1)
    once, more = (chain(replace(ADAM, layout_batches=many)) for many in (1, 2))
    for before, after in zip(once[1:], more[1:], strict=True):
        assert after.fit.parent != before.fit.parent
        assert replace(after.fit, parent=before.fit.parent) == before.fit


def test_the_published_chain() -> None:
    """20 stages of 50 evaluations at one size, but the last, which leaves t = 0 out."""
    assert PRESETS["paper"].coarsest_hole_pixels == 0
    found = stages(named(tops=(T,)), PRESETS["paper"])
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
        assert overridden(ADAM, {key: text}) != ADAM


@pytest.mark.parametrize("key", list(ONLY_THE_LAST))
def test_what_is_done_to_the_finished_fill_changes_one_name(key: str) -> None:
    """The last sample's of the finest level."""
    before, after = chain(), chain(overridden(ADAM, {key: CHANGES[key]}))
    assert fit_keys(before) == fit_keys(after)
    assert sample_keys(before)[:-1] == sample_keys(after)[:-1]
    assert sample_keys(before)[-1] != sample_keys(after)[-1]


@pytest.mark.parametrize("key", [key for key in CHANGES if key not in ONLY_THE_LAST])
def test_every_setting_changes_the_right_names(key: str) -> None:
    """Those of sampling change samples alone, those of finer levels nothing of the coarsest.

    All others change every fit, and so every sample too.
    """
    before, after = chain(), chain(overridden(ADAM, {key: CHANGES[key]}))
    for level in range(len(TOPS)):
        same = key in NOTHING or (key in ONLY_FINER and level == 0)
        for keys, stays in ((fit_keys, same or key in ONLY_SAMPLING), (sample_keys, same)):
            if stays:
                assert keys(before, level) == keys(after, level)
            else:
                assert not set(keys(before, level)) & set(keys(after, level))


def test_the_number_of_levels_is_in_every_name() -> None:
    """The coarsest level of two is another clip than the coarsest of three."""
    other = stages(named(tops=TOPS[:2]), ADAM)
    assert not set(fit_keys(chain())) & set(fit_keys(other))
    assert not set(sample_keys(chain())) & set(sample_keys(other))


def test_another_beginning_of_a_level_changes_it_and_what_is_finer() -> None:
    """Coarser levels keep their names."""
    other = stages(named(tops=(T, 500, 400)), ADAM)
    for keys in (fit_keys, sample_keys):
        assert keys(chain(), 0) == keys(other, 0)
        assert not set(keys(chain(), 1, 2)) & set(keys(other, 1, 2))


def test_another_unit_of_a_level_changes_it_and_what_is_finer() -> None:
    """A machine whose rounding finds another reads no sample that is in the wrong one."""
    other = stages(named(units=(1.0, 0.5 * 2**0.5, 0.25)), ADAM)
    for keys in (fit_keys, sample_keys):
        assert keys(chain(), 0) == keys(other, 0)
        assert not set(keys(chain(), 1, 2)) & set(keys(other, 1, 2))


def test_another_clip_or_encoding_is_another_fit() -> None:
    """Known pixels, the matte and the encoding's parameters are in every name."""
    for other in (named(clip="b" * 64), named(knee=0.2)):
        assert not set(fit_keys(chain())) & set(fit_keys(stages(other, ADAM)))


def test_layout_settles_once_when_its_noise_is_faint() -> None:
    """After the coarsest size's interval that ends below sigma 1; never without rounds."""
    spaced = replace(ADAM, spacing=Spacing.LOG_SNR, intervals=4, settling_rounds=2)
    found = [stage for stage in chain(spaced) if stage.rounds]
    assert [(stage.level, stage.interval.index) for stage in found] == [(0, 1)]
    assert sigma(found[0].then) < 1.0 <= sigma(found[0].interval.high - 1)
    assert not any(stage.rounds for stage in chain(replace(spaced, settling_rounds=0)))
    assert not any(stage.rounds for stage in chain(replace(spaced, intervals=1)))


def test_the_interval_after_the_layout_is_gone_through_again() -> None:
    """That one alone, whether patches vote or not; each evaluation counts."""
    spaced = replace(ADAM, spacing=Spacing.LOG_SNR, intervals=4, resamplings=2)
    found = chain(spaced)
    assert [s.repeats for s in found if s.level == 0] == [0, 0, 2, 0]
    assert {s.repeats for s in found if s.level > 0} == {0}
    assert [s.evaluations // len(s.timesteps) for s in found[:4]] == [1, 1, 3, 1]
    assert not any(stage.repeats for stage in chain(replace(spaced, intervals=1)))


def test_layouts_go_down_side_by_side_until_one_is_chosen() -> None:
    """Through the coarsest size, whose last stage chooses; every one of them is work."""
    spaced = replace(ADAM, spacing=Spacing.LOG_SNR, intervals=4, layouts=3, settling_rounds=2)
    found = chain(spaced)
    assert [s.layouts for s in found] == [3, 3, 3, 3] + [1] * 4
    assert [s.decides for s in found] == [False, False, False, True] + [False] * 4
    first, votes, _, last = found[:4]
    assert first.work == 3 * first.evaluations
    assert votes.work == 3 * (votes.evaluations + 2 * 10)
    assert last.work == 3 * (last.evaluations + 10)
    assert {(s.layouts, s.decides) for s in chain(replace(spaced, layouts=1))} == {(1, False)}


def test_one_layout_is_called_what_it_always_was() -> None:
    """Where nothing is chosen the number of layouts is in no sample's name."""
    assert not any("layouts" in s.sample.sampler for s in chain(replace(ADAM, layouts=1)))


@pytest.mark.parametrize(("preset", "last"), [("draft", 0), ("standard", 0), ("paper", 1)])
def test_every_level_ends_at_the_preset_s_last_timestep(preset: str, last: int) -> None:
    """There predicted x_0 is the result."""
    ends = [s.timesteps[-1] for s in stages(named(), PRESETS[preset]) if s.then < 0]
    assert ends
    assert set(ends) == {last}


@pytest.mark.parametrize("spacing", list(Spacing))
@pytest.mark.parametrize("count", [1, 2, 3, 4, 8])
def test_the_budget_counts_the_chain_s_evaluations(spacing: Spacing, count: int) -> None:
    """As many as the chain then takes, or a few more where timesteps are too few."""
    settings = replace(PRESETS["draft"], spacing=spacing, intervals=count)
    taken = stages(named(), settings)
    for level in (0, 1):
        found = sum(s.layouts * s.evaluations for s in taken if s.level == level)
        counted = evaluations(settings, level)
        assert counted * 0.9 <= found <= counted


@pytest.mark.parametrize("preset", ["draft", "standard"])
def test_nothing_is_named_before_its_arithmetic_is_chosen(preset: str) -> None:
    """Two machines' fits must not have one name where one is of bfloat16."""
    open_yet = replace(PRESETS[preset], precision=Precision.AUTO)
    with pytest.raises(ValueError, match="arithmetic"):
        chain(open_yet)
