"""What docs/farm.md says on paper is what the estimate of this very code comes to."""

from __future__ import annotations

import re
import runpy
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

from infusion_engine.farm.bundle import farm_job
from infusion_engine.farm.division import divided
from infusion_engine.farm.estimate import Estimate, estimated
from infusion_engine.farm.parameters import parameters
from infusion_engine.farm.rates import Rates
from infusion_engine.farm.steps import Fits
from infusion_engine.farm.work import work_of
from infusion_engine.plan import prepare
from infusion_node.wire.job import RenderJob

if TYPE_CHECKING:
    from infusion_engine.plan import Plan

RATES = Rates("a device", "residual", "fp32", 1e6, 3e6, 5.0, 0.05)
"""What the page says of its machines."""
FRAMES, HEIGHT, WIDTH = 48, 144, 256
SHOTS = 300


@pytest.fixture(scope="module")
def demo(checkout: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The demo's matte, as examples/fire draws it, and frames of its size: fire costs no more."""
    folder = tmp_path_factory.mktemp("demo")
    made = runpy.run_path(str(checkout / "examples" / "fire" / "make_plate.py"))
    flat = np.zeros((HEIGHT, WIDTH), np.float16)
    for index in range(FRAMES):
        _, matte = made["figure"](index, FRAMES, HEIGHT, WIDTH)
        name = f"fire.{1001 + index}.exr"
        made["write"](folder / "plate" / name, dict.fromkeys("RGB", flat))
        made["write"](folder / "matte" / name, {"A": matte.astype(np.float16)})
    return folder


def plan_of(demo: Path, preset: str) -> Plan:
    """The demo's job with a preset."""
    plate, matte, output, cache = (str(demo / one) for one in ("plate", "matte", "out", "cache"))
    job = RenderJob(
        plate=plate, matte=matte, output=output, cache=cache, preset=preset, device="cpu"
    )
    return prepare(job)


def estimate(demo: Path, preset: str, fits: Fits, shots: int) -> Estimate:
    """What the page's machines come to."""
    plan = plan_of(demo, preset)
    farm = farm_job(plan, divided(plan, lambda _done, _total: None), fits)
    return estimated(
        farm,
        work_of(plan.settings, farm.division),
        RATES,
        parameters=parameters(plan.settings),
        frames_per_task=10,
        workers=(1, 5, 20),
        shots=shots,
    )


@pytest.mark.parametrize("preset", ["draft", "standard", "paper"])
@pytest.mark.parametrize("fits", Fits)
def test_the_table_of_times_quicker(checkout: Path, demo: Path, preset: str, fits: Fits) -> None:
    """Every row, for one shot and for many."""
    curves = [estimate(demo, preset, fits, shots).curve for shots in (1, SHOTS)]
    told = [", ".join(f"{one.times:.1f}" for one in curve) for curve in curves]
    page = (checkout / "docs" / "farm.md").read_text(encoding="utf-8")
    assert f"| `{preset}` | `{fits.value}` | {told[0]} | {told[1]} |" in page


def test_the_cache_of_a_film(checkout: Path, demo: Path) -> None:
    """What so many shots keep with `standard`, and the bytes of a fit with each preset."""
    page = (checkout / "docs" / "farm.md").read_text(encoding="utf-8")
    found = {name: estimate(demo, name, Fits.BASE, 1) for name in ("draft", "standard", "paper")}
    whole = SHOTS * found["standard"].cache_bytes / 1e9
    assert f"{SHOTS} like this one take {whole:.0f} GB of cache with `standard`" in page
    sizes = " | ".join(f"{one.fit_bytes / 1e6:.1f} MB" for one in found.values())
    assert re.search(rf"^\| one fit \|.*\| {re.escape(sizes)} \|$", page, re.MULTILINE)
