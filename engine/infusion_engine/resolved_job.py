"""A job whose minutes have become numbers of steps: every machine then takes the same ones."""

from __future__ import annotations

from dataclasses import replace

import torch

from infusion_engine import devices
from infusion_engine.device import choose_device, device_errors
from infusion_engine.encode import encode_shot
from infusion_engine.job_schema import DECIDED_BY_MINUTES
from infusion_engine.media.encoding import Encoding
from infusion_engine.media.survey import Survey
from infusion_engine.minutes import budgeted
from infusion_engine.parity import decided
from infusion_engine.plan import Plan
from infusion_engine.progress import Report
from infusion_engine.render import open_store, surveyed, tell_resolved, telling
from infusion_engine.review.onlooker import Onlooker
from infusion_engine.settings import described
from infusion_engine.turn import turn
from infusion_node.wire.job import RenderJob


def resolved_job(plan: Plan, report: Report) -> RenderJob:
    """The plan's job with the numbers of steps that fit its minutes, in place of the minutes.

    They are what a render of the job on this machine would take, and that render's own where there
    was one: they are kept in its cache. Precision, threads and device stay as the job has them.
    Where the matte is empty nothing is fitted, and there are neither minutes nor numbers.

    Args:
        plan: of a job that gives minutes.
        report: hears of the reading and measuring, and at last what was resolved.

    Raises:
        InputError: a frame is damaged, or the matte covers everything.
        FitError: the steps that were tried diverged.
        DeviceError: there is no such device, or it ran out of memory.
        StorageError: the numbers cannot be kept.
        Cancelled: a stop was asked for.
    """
    job = plan.job
    found = surveyed(plan, report)
    if found.encoding is None:
        report.warn(
            "The matte is empty on every frame, so nothing is fitted: the job has no minutes and "
            "no steps."
        )
        return job.overridden(minutes=None)
    settled = _settled(plan, found, found.encoding, report)
    tell_resolved(settled, report, Onlooker())
    told = described(settled.settings)
    numbers = {name: str(told[name]) for name in DECIDED_BY_MINUTES}
    return job.overridden(minutes=None, settings={**job.settings, **numbers})


def _settled(plan: Plan, found: Survey, encoding: Encoding, report: Report) -> Plan:
    """The plan with the numbers of steps that a render of it here would take."""
    torch.set_num_threads(plan.threads)
    device = choose_device(devices.first(plan.job.device))
    with turn(device, report, shares=plan.job.threads is not None), device_errors(device):
        plan = replace(plan, settings=decided(plan.settings, device, report))
        on_frame = telling(report, "reading")
        shot = encode_shot(plan, found, encoding, device, on_frame=on_frame)
        with open_store(plan, report) as store:
            return budgeted(plan, shot.source, store, report)[0]
