"""An estimate follows from the work and the speed, and the command tells it."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import torch
from click.testing import CliRunner, Result

from infusion_engine.cli import farm as command
from infusion_engine.errors import Cancelled
from infusion_engine.farm.calibrate import calibrated
from infusion_engine.farm.estimate import Estimate, estimated
from infusion_engine.farm.rates import Rates, read_rates
from infusion_engine.farm.steps import Fits
from infusion_engine.farm.work import work_of
from infusion_engine.progress import Report, StopRequest
from infusion_engine.turn import turn
from infusion_node.wire.events import Event, Waiting

if TYPE_CHECKING:
    from tests.farm.conftest import Shot

RATES = Rates("a device", "residual 8", "fp32", 100.0, 1000.0, 2.0, 0.5)


def estimate(shot: Shot, fits: Fits = Fits.BASE, *, shots: int = 1, **changes: Any) -> Estimate:
    """An estimate with round numbers, of two frames to a task."""
    made = shot.farm(fits, **changes)
    return estimated(
        made,
        work_of(made.plan.settings, made.division),
        RATES,
        parameters=1000,
        frames_per_task=2,
        workers=(1, 2, 20),
        shots=shots,
    )


def test_every_task_has_its_seconds(shot: Shot) -> None:
    """A start of the engine each, and what it does by its speed."""
    made = shot.farm(takes=2)
    work = work_of(made.plan.settings, made.division)
    found = {step.timed.name: step.timed.seconds for step in estimate(shot, takes=2).steps}
    sample = 2.0 + (work.evaluated + work.searched) / 1000.0
    assert found == {
        "Prepare": (2.0 + 5 * 0.5,),
        "Base": (2.0 + work.base / 100.0,),
        "Fit": tuple(2.0 + voxels / 100.0 for voxels in work.fits),
        "Sample": (sample, sample),
        "Write": (2.0 + 5 * 0.5 / 3,) * 3,
    }


@pytest.mark.parametrize("fits", Fits)
def test_sums_and_curve(shot: Shot, fits: Fits) -> None:
    """One machine alone starts once, and fits no base; others are measured against it."""
    found = estimate(shot, fits)
    made = shot.farm(fits)
    work = work_of(made.plan.settings, made.division)
    sampling = (work.evaluated + work.searched) / 1000.0
    fitting = sum(work.fits) / 100.0
    assert found.alone_seconds == pytest.approx(2.0 + 10 * 0.5 + fitting + sampling)
    base = 2.0 + work.base / 100.0 if fits is Fits.BASE else 0.0
    assert found.device_seconds == pytest.approx(base + 3 * 2.0 + fitting + 2.0 + sampling)
    one, _, many = found.curve
    everything = sum(sum(step.timed.seconds) for step in found.steps)
    assert one.workers == 1
    assert one.seconds == pytest.approx(everything)
    assert one.times == pytest.approx(found.alone_seconds / everything)
    assert many.seconds < one.seconds
    assert found.fit_bytes == 4000
    kept = 3 + (fits is Fits.BASE)
    assert found.cache_bytes == 4000 * kept + work.clip_bytes + work.sample_bytes


def test_the_optimiser_is_kept_where_fits_go_on_with_it(shot: Shot) -> None:
    """As published: two moments of Adam for each parameter."""
    settings = {**shot.job().settings, "schedule": "constant"}
    assert estimate(shot, settings=settings).fit_bytes == 3 * 4000


def test_shots_share_the_machines(shot: Shot) -> None:
    """Two shots on one machine take twice as long; sums stay those of one shot."""
    one, two = estimate(shot), estimate(shot, shots=2)
    assert two.curve[0].seconds == pytest.approx(2 * one.curve[0].seconds)
    assert two.curve[2].seconds < 2 * one.curve[2].seconds
    assert (two.device_seconds, two.alone_seconds) == (one.device_seconds, one.alone_seconds)


def here(*arguments: object) -> Result:
    """Run the command in this process."""
    return CliRunner().invoke(command.main, ["estimate", *map(str, arguments)])


def speed_file(shot: Shot, rates: Rates = RATES) -> Path:
    """A file of rates."""
    path = shot.folder / "speed.json"
    path.write_text(rates.to_json())
    return path


def test_tables(shot: Shot) -> None:
    """Each step and each number of machines has its row; piped there are no control codes."""
    run = here(shot.job_file(), "--speed", speed_file(shot), "--workers", "1,3", "--shots", "7")
    assert (run.exit_code, run.stderr) == (0, "")
    assert "\x1b" not in run.output
    for words in (
        "a device, residual 8, fp32; fits: base",
        "Prepare",
        "Fit",
        "7 shots",
        "MB a shot",
    ):
        assert words in run.output


def test_json(shot: Shot) -> None:
    """One object, and nothing beside it."""
    run = here(shot.job_file(takes=2), "--speed", speed_file(shot), "--json", "--workers", "2")
    assert run.exit_code == 0
    found = json.loads(run.stdout)
    expected = estimate(shot, takes=2)
    assert [(s["name"], s["tasks"]) for s in found["steps"]] == [
        ("Prepare", 1), ("Base", 1), ("Fit", 3), ("Sample", 2), ("Write", 1),
    ]  # fmt: skip
    assert found["device_seconds"] == pytest.approx(expected.device_seconds)
    assert (found["intervals"], found["takes"], found["fits"]) == ([2, 1], 2, "base")
    assert [one["workers"] for one in found["workers"]] == [2]


def test_another_network_is_told(shot: Shot) -> None:
    """Its speed says little of this job's."""
    path = speed_file(shot, replace(RATES, network="residual 48"))
    run = here(shot.job_file(), "--speed", path)
    assert run.exit_code == 0
    assert "measured with the network residual 48; the job has residual 8" in run.stderr


@pytest.mark.parametrize(("asked", "told"), [("fp32", True), ("bf16", False), ("auto", False)])
def test_another_precision_is_told(shot: Shot, asked: str, *, told: bool) -> None:
    """A device may be several times as fast in one as in the other."""
    path = speed_file(shot, replace(RATES, precision="bf16"))
    settings = {**shot.job().settings, "precision": asked}
    run = here(shot.job_file(settings=settings), "--speed", path)
    assert run.exit_code == 0
    assert ("measured in bf16; the job computes in fp32" in run.stderr) is told


class Impatient:
    """A sink that has the run stop as soon as it has to wait."""

    name = "the test"
    seconds_between = 0.0

    def __init__(self, stop: StopRequest) -> None:
        self.stop = stop
        self.heard: list[Event] = []

    def write(self, event: Event, *, time: float) -> None:
        self.heard.append(event)
        if isinstance(event, Waiting):
            self.stop.ask("the test")

    def close(self) -> None:
        """Nothing to close."""


def test_a_render_at_work_is_waited_for(shot: Shot, monkeypatch: pytest.MonkeyPatch) -> None:
    """Measured beside it, the device would seem half as fast as it is."""
    monkeypatch.setattr(tempfile, "tempdir", str(shot.folder))
    farm = shot.farm(threads=None)
    work = work_of(farm.plan.settings, farm.division)
    stop = StopRequest()
    listener = Impatient(stop)
    with turn(torch.device("cpu"), Report(), shares=False), pytest.raises(Cancelled):
        calibrated(farm.plan, farm.division, work, Report(listener, stop=stop))
    assert any(isinstance(event, Waiting) for event in listener.heard)


def test_minutes_are_told(shot: Shot) -> None:
    """They choose other numbers of steps than those that are told."""
    settings = {k: v for k, v in shot.job().settings.items() if "steps" not in k}
    job = shot.job_file(minutes=3.0, settings=settings)
    assert "Prepare will choose" in here(job, "--speed", speed_file(shot)).stderr


def test_this_machine_is_measured(shot: Shot, one_thread: None) -> None:
    """Without a file: by real steps on the job's own shot, none of which is kept."""
    path = shot.folder / "measured.json"
    run = here(shot.job_file(), "--save-speed", path)
    assert (run.exit_code, run.stderr) == (0, "")
    rates = read_rates(path)
    assert (rates.device, rates.network, rates.precision) == ("cpu", "residual 8", "fp32")
    assert min(rates.fit_voxels_per_second, rates.sample_voxels_per_second) > 0
    assert not (shot.folder / "cache").exists()


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["--workers", "0"], 2, "expected numbers from 1"),
        (["--workers", "1,,2"], 2, "expected numbers from 1"),
        (["--shots", "0"], 2, "--shots"),
        (["--speed", "gone.json"], 2, "gone.json"),
        (["--speed", "gone.json", "--save-speed", "new.json"], 2, "--save-speed"),
        (["--device", "cuda:99"], 4, "cuda:99"),
    ],
)
def test_what_makes_no_sense(shot: Shot, arguments: list[str], code: int, words: str) -> None:
    """Code and words for each."""
    run = here(shot.job_file(), *arguments)
    assert run.exit_code == code
    assert words in run.stderr


def test_nothing_to_fill(make_shot: Callable[..., Shot], tmp_path: Path) -> None:
    """There is nothing to estimate, and that is said."""
    shot = make_shot(tmp_path, hole=0)
    run = here(shot.job_file(), "--speed", speed_file(shot))
    assert run.exit_code == 2
    assert "The matte is empty on every frame" in run.stderr
