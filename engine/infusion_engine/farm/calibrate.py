"""Calibrate: how fast this device is on this shot, from a few real steps that are not kept."""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path

import torch

from infusion_engine.budget import batches, evaluations
from infusion_engine.cache.store import Store
from infusion_engine.device import choose_device, device_errors
from infusion_engine.encode import encode_shot
from infusion_engine.farm.division import Division
from infusion_engine.farm.rates import Rates, network_name
from infusion_engine.farm.work import Work
from infusion_engine.machine import made_with
from infusion_engine.parity import decided
from infusion_engine.plan import Plan
from infusion_engine.planned import infusion_of
from infusion_engine.progress import Report
from infusion_engine.render import surveyed
from infusion_engine.settings import FitsStart, Settings, at_level
from infusion_engine.source import Source
from infusion_engine.speed import measured
from infusion_engine.turn import turn

_IMPORTS = "import infusion_engine.cli.render, infusion_engine.render"


def calibrated(plan: Plan, division: Division, work: Work, report: Report) -> Rates:
    """Rates of the job's device on the job's own shot, once no render is at work on it.

    Args:
        plan: of the job.
        division: what it divides into; there is something to fill.
        work: what it takes.
        report: hears of the measuring.

    Raises:
        InputError: a frame is damaged.
        DeviceError: the device is not there, or fails.
        Cancelled: a stop was asked for meanwhile.
    """
    torch.set_num_threads(plan.threads)
    device = choose_device(plan.job.device)
    with turn(device, report, shares=plan.job.threads is not None):
        plan = replace(plan, settings=decided(plan.settings, device, report))
        began = time.monotonic()
        subprocess.run([sys.executable, "-c", _IMPORTS], check=True)
        started = time.monotonic()
        source = encoded(plan, device, report)
        frame_seconds = (time.monotonic() - started) / division.frames_read
        with tempfile.TemporaryDirectory(prefix="infusion-") as scratch, device_errors(device):
            store = Store(Path(scratch), on_damage=report.warn)
            speeds = measured(infusion_of(plan, source, store, report))
    # Levels that were left out, because too little is known there, are as quick as the coarsest.
    speeds = (speeds[0],) * (len(division.intervals) - len(speeds)) + speeds
    fitting = sum(
        _steps(plan.settings, level) * speed.step_seconds for level, speed in enumerate(speeds)
    )
    sampling = sum(
        evaluations(plan.settings, level) * speed.evaluation_seconds
        for level, speed in enumerate(speeds)
    )
    return Rates(
        device=str(made_with(device, plan.threads)["device"]),
        network=network_name(plan.settings.network.value, plan.settings.channels),
        precision=plan.settings.precision.value,
        fit_voxels_per_second=sum(work.fits) / fitting,
        sample_voxels_per_second=work.evaluated / sampling,
        start_seconds=started - began,
        frame_seconds=frame_seconds,
    )


def _steps(settings: Settings, level: int) -> int:
    """Steps of one batch that the fits of a level's intervals take; no base among them."""
    plain = replace(settings, fits_start=FitsStart.PREVIOUS)
    return batches(plain, level) * at_level(settings, level).steps_per_interval


def encoded(plan: Plan, device: torch.device, report: Report) -> Source:
    """The shot, encoded, at every size: what a run begins with."""

    def on_frame(done: int, total: int) -> None:
        report.progress("reading", done, total)

    found = surveyed(plan, report)
    if found.encoding is None:
        raise ValueError("there is nothing to fill")
    return encode_shot(plan, found, found.encoding, device, on_frame=on_frame).source
