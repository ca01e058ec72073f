"""Minutes become steps once, and what they became is kept."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

from infusion_engine.cache.entry import Kind
from infusion_engine.cache.store import Store
from infusion_engine.diffusion.pyramid import PyramidLevel, coarser
from infusion_engine.errors import Cancelled
from infusion_engine.infuse import Infusion, Source
from infusion_engine.minutes import budgeted
from infusion_engine.plan import Plan, prepare
from infusion_engine.progress import Report
from infusion_engine.settings import PRESETS, Settings
from infusion_engine.speed import _Enough, _Watch, measured
from infusion_engine.training import fit
from infusion_engine.training.window import Window, draw_window
from infusion_node.wire.events import Event, Progress, Waiting, Warned
from infusion_node.wire.job import RenderJob

SMALL = {
    "channels": "4",
    "coarsest_hole_pixels": "5",
    "crop_pixels": "16",
    "window_frames": "3",
    "precision": "fp32",
}
AMPLE = 100_000.0
"""Minutes in which ten times the preset's steps are done."""
SCARCE = 0.1
"""Minutes of which nothing is left when the run has taken an hour already."""


class Heard:
    """A sink that remembers what it heard."""

    name = "the listener"
    seconds_between = 0.0

    def __init__(self) -> None:
        self.events: list[Event] = []

    def write(self, event: Event, *, time: float) -> None:
        self.events.append(event)

    def close(self) -> None:
        """Nothing to close."""

    @property
    def measured(self) -> bool:
        """Whether anything was measured."""
        return any(isinstance(e, Progress) and e.phase == "measuring" for e in self.events)

    @property
    def warnings(self) -> list[str]:
        """What it was warned of."""
        return [event.message for event in self.events if isinstance(event, Warned)]


@dataclass(frozen=True)
class Kept:
    """A first run with ample minutes."""

    store: Store
    """The cache that it left its budget in."""
    plan: Plan
    """With the budget's numbers."""
    key: str
    """The budget's."""
    heard: Heard
    """What was said meanwhile."""


@pytest.fixture(scope="module")
def job(tmp_path_factory: pytest.TempPathFactory) -> RenderJob:
    """A job on three small PNG frames."""
    folder = tmp_path_factory.mktemp("shot")
    for name, mode in (("plate", "RGB"), ("matte", "L")):
        for frame in (1, 2, 3):
            path = folder / name / f"{name}.{frame}.png"
            path.parent.mkdir(exist_ok=True)
            Image.new(mode, (16, 16), "grey").save(path)
    return RenderJob(
        plate=str(folder / "plate"),
        matte=str(folder / "matte"),
        output=str(folder / "out"),
        settings=SMALL,
        minutes=AMPLE,
        threads=1,
        device="cpu",
    )


@pytest.fixture
def store(tmp_path: Path) -> Store:
    """A cache in which nothing is ever damaged."""
    return sound(tmp_path / "cache")


@pytest.fixture(scope="module")
def kept(job: RenderJob, tmp_path_factory: pytest.TempPathFactory) -> Kept:
    """What a first run with ample minutes left behind."""
    store = sound(tmp_path_factory.mktemp("kept"))
    return Kept(store, *resolved(job, store))


def sound(folder: Path) -> Store:
    """A cache in which nothing is ever damaged."""

    def damaged(message: str) -> None:
        raise AssertionError(message)

    return Store(folder, on_damage=damaged)


def source(clip: str = "a" * 64) -> Source:
    """A clip of two levels."""
    hole = np.zeros((1, 3, 16, 16), np.float32)
    hole[..., 5:11, 5:11] = 1.0
    x_0 = np.random.default_rng(0).uniform(-1, 1, (3, 3, 16, 16)).astype(np.float32) * (1 - hole)
    finest = PyramidLevel(torch.from_numpy(x_0), torch.from_numpy(hole))
    return Source((coarser(finest), finest), clip, {"knee": 0.1})


def resolved(
    job: RenderJob,
    store: Store,
    *,
    hours_gone: float = 0.0,
    hours_waited: float = 0.0,
    clip: str = "a" * 64,
) -> tuple[Plan, str, Heard]:
    """(plan with a budget, its key, what was heard) of a run that began some hours ago.

    For some of them it may have waited for its turn.
    """
    heard = Heard()
    began: list[float] = []

    def clock() -> float:
        began.append(0.0)
        return 0.0 if len(began) == 1 else hours_gone * 3600.0

    plan = replace(prepare(job), threads=job.threads or 1)
    report = Report(heard, clock=clock)
    report.waited = hours_waited * 3600.0
    found, key = budgeted(plan, source(clip), store, report)
    return found, key, heard


def test_ample_minutes_give_the_most_steps(kept: Kept) -> None:
    """Measured, without a warning, and the plan tells the numbers and the time."""
    plan, heard = kept.plan, kept.heard
    draft = PRESETS["draft"]
    assert heard.measured
    assert heard.warnings == []
    assert plan.settings.steps_per_interval == 10 * draft.steps_per_interval
    assert plan.settings.detail_steps_per_interval == 10 * draft.detail_steps_per_interval
    assert plan.settings.channels == 4
    method = plan.described()["method"]
    assert method["minutes"] == AMPLE
    assert method["steps_per_interval"] == 10 * draft.steps_per_interval
    assert 0.0 < method["expected_seconds"] < AMPLE * 60.0


def test_too_few_minutes_give_the_least_and_a_warning(job: RenderJob, store: Store) -> None:
    """It names the time that is expected: here the hour that has gone, and as long for writing."""
    job = job.overridden(minutes=SCARCE)
    plan, _, heard = resolved(job, store, hours_gone=1.0)

    assert plan.settings.steps_per_interval == 150
    assert plan.settings.sampling_steps == 8
    (warning,) = heard.warnings
    assert "--minutes 0.1 is too short" in warning
    assert plan.expected_seconds is not None
    assert f"about {plan.expected_seconds / 60:.1f} minutes" in warning
    assert plan.expected_seconds > 2 * 3600.0


def test_waiting_for_its_turn_is_no_time_of_the_render(job: RenderJob, store: Store) -> None:
    """A render that others held up for a year has all of its minutes yet."""
    plan, _, heard = resolved(job, store, hours_gone=9000.0, hours_waited=9000.0)
    assert heard.warnings == []
    assert plan.settings.steps_per_interval == 10 * PRESETS["draft"].steps_per_interval


def test_what_is_kept_is_not_measured_again(job: RenderJob, kept: Kept) -> None:
    """A later run that has no time left still goes on with the numbers of the first.

    It needs no lock for that, so that a cache that can only be read serves as well.
    """
    kept.store.lock_file(kept.key).unlink(missing_ok=True)
    again, key, heard = resolved(job, kept.store, hours_gone=1e6)

    assert (again.settings, again.expected_seconds) == (
        kept.plan.settings,
        kept.plan.expected_seconds,
    )
    assert key == kept.key
    assert not kept.store.lock_file(key).exists()
    assert not heard.measured
    assert heard.warnings == []


def test_what_another_process_measures_is_waited_for(
    job: RenderJob, kept: Kept, store: Store
) -> None:
    """Two runs of one job have one budget: the second finds what the first has just kept."""
    entry = kept.store.load(Kind.BUDGET, kept.key)
    assert entry is not None
    record = {name: entry.record[name] for name in ("identity", "steps", "expected_seconds")}
    record["steps"] = {"steps_per_interval": 77}
    others, tensors = ExitStack(), entry.tensors

    class Obliging(Heard):
        """Has the other process finish as soon as it is waited for."""

        def write(self, event: Event, *, time: float) -> None:
            super().write(event, time=time)
            if isinstance(event, Waiting):
                store.save(Kind.BUDGET, kept.key, tensors, record)
                others.close()

    others.enter_context(store.lock(kept.key, on_wait=pytest.fail, check=lambda: None))
    heard = Obliging()
    plan, key = budgeted(replace(prepare(job), threads=1), source(), store, Report(heard))

    assert key == kept.key
    assert plan.settings.steps_per_interval == 77
    assert not heard.measured


def test_it_is_kept_with_the_speeds_it_rests_on(kept: Kept) -> None:
    """One number a level, and before any fit is there."""
    entry = kept.store.load(Kind.BUDGET, kept.key)
    assert entry is not None
    assert {name: array.shape for name, array in entry.tensors.items()} == {
        "step_seconds": (2,),
        "evaluation_seconds": (2,),
    }
    assert (kept.store.folder / "budgets" / kept.key).is_dir()
    assert not any((kept.store.folder / "fits").iterdir())
    assert not any((kept.store.folder / "samples").iterdir())


@pytest.mark.parametrize("changes", [{"seed": 9}, {"takes": 5}, {"layer": "fire"}])
def test_another_sample_keeps_the_numbers(
    job: RenderJob, kept: Kept, changes: dict[str, object]
) -> None:
    """Seeds and takes go on from the same fits."""
    _, other, heard = resolved(job.overridden(**changes), kept.store)
    assert (other, heard.measured) == (kept.key, False)


def test_further_takes_are_expected_to_take_longer(job: RenderJob, kept: Kept) -> None:
    """By their sampling, and by as much each; the numbers stay."""
    one, two, three = (resolved(replace(job, takes=count), kept.store)[0] for count in (1, 2, 3))

    assert one.expected_seconds == kept.plan.expected_seconds
    assert one.settings == two.settings == three.settings
    seconds = [plan.expected_seconds or 0.0 for plan in (one, two, three)]
    assert 0.0 < seconds[1] - seconds[0] == pytest.approx(seconds[2] - seconds[1])


@pytest.mark.parametrize(
    ("changes", "clip"),
    [({"minutes": AMPLE - 1}, "a" * 64), ({"threads": 2}, "a" * 64), ({}, "b" * 64)],
    ids=["minutes", "threads", "clip"],
)
def test_another_job_has_another_budget(
    job: RenderJob, kept: Kept, changes: dict[str, object], clip: str
) -> None:
    """It is measured for itself."""
    _, other, heard = resolved(job.overridden(**changes), kept.store, clip=clip)
    assert other != kept.key
    assert heard.measured


def trial(job: RenderJob, store: Store, report: Report) -> Infusion:
    """A run that may be measured."""
    settings = prepare(job).settings
    return Infusion(
        source(), settings, seed=0, take=0, store=store, report=report, threads=1, memory=2**33
    )


def test_every_level_is_measured_and_nothing_kept(job: RenderJob, store: Store) -> None:
    """Seconds above 0 for both kinds of step, and no fit or sample in the cache."""
    speeds = measured(trial(job, store, Report()))
    assert len(speeds) == 2
    assert all(speed.step_seconds > 0 and speed.evaluation_seconds > 0 for speed in speeds)
    assert not store.folder.exists()


def test_a_moment_of_other_work_is_no_slow_device(
    job: RenderJob, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One step that waits for somebody else: it is the others that tell."""
    infusion = trial(job, store, Report())
    ticks = iter([0.0, 3.0, 3.1, 3.2, 3.3, 3.4, 9.0])
    monkeypatch.setattr("infusion_engine.speed.time.perf_counter", lambda: next(ticks))
    watch = _Watch(infusion)
    for _ in range(5):
        watch.done()
    with pytest.raises(_Enough):
        watch.done()
    assert watch.typical == pytest.approx(0.1)


@pytest.mark.parametrize(("long", "evaluations"), [(1e-9, 1), (60.0, 2)])
def test_an_evaluation_that_takes_long_is_not_repeated(
    job: RenderJob, store: Store, monkeypatch: pytest.MonkeyPatch, *, long: float, evaluations: int
) -> None:
    """Of a large hole each takes minutes; a short one is repeated, as the first sets things up."""
    monkeypatch.setattr("infusion_engine.speed._LONG", long)
    monkeypatch.setattr("infusion_engine.speed._SECONDS", 0.0)
    monkeypatch.setattr("infusion_engine.speed._FEW", 1)
    infusion = trial(job, store, Report())
    count: dict[int, int] = {}
    denoiser_of = infusion.denoiser

    def counted(level: int) -> Callable[..., Tensor]:
        def denoise(*given: Any) -> Tensor:
            count[level] = count.get(level, 0) + 1
            return denoiser_of(level)(*given)

        return denoise

    monkeypatch.setattr(infusion, "denoiser", counted)
    measured(infusion)
    assert count == {0: evaluations, 1: evaluations}


@pytest.mark.parametrize("intervals", ["1", "4"])
def test_what_is_measured_is_a_step_of_one_batch(
    job: RenderJob, store: Store, monkeypatch: pytest.MonkeyPatch, intervals: str
) -> None:
    """The budget counts an interval of several batches as often, so no step may have them all."""
    drawn: list[int] = []

    def draw(*args: Any, settings: Settings, **kwargs: Any) -> Window:
        drawn.append(settings.batch)
        return draw_window(*args, settings=settings, **kwargs)

    monkeypatch.setattr(fit, "draw_window", draw)
    changes = {"batch": "2", "layout_batches": "3", "intervals": intervals}
    measured(trial(job.overridden(settings={**SMALL, **changes}), store, Report()))
    assert set(drawn) == {2}


def test_a_level_whose_last_interval_is_a_single_timestep_is_measured(
    job: RenderJob, store: Store
) -> None:
    """[0, 1) has no timestep that is sampled: speed is taken where there are many."""
    changes = {"detail_intervals": "30"}
    speeds = measured(trial(job.overridden(settings={**SMALL, **changes}), store, Report()))
    assert all(speed.evaluation_seconds > 0 for speed in speeds)


def test_a_stop_is_noticed_while_measuring(job: RenderJob, store: Store) -> None:
    """Also amid the steps of one level, and nothing is kept."""

    class Stopping(Report):
        def progress(self, phase: str, done: int, total: int, **figures: float) -> None:
            if not done:
                self.stop.ask("SIGINT")

    with pytest.raises(Cancelled):
        measured(trial(job, store, Stopping()))
    assert not store.folder.exists()
