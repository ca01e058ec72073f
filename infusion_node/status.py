"""Status: what a panel shows of a node, and how each event of the engine changes it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import Enum
from typing import Any, Dict, Mapping, Optional, Tuple

from infusion_node.errors import SetupError
from infusion_node.frame_range import FrameRange
from infusion_node.wire.events import (
    Event,
    Failed,
    Finished,
    Frame,
    Preview,
    Progress,
    Resolved,
    Started,
    Waiting,
    Warned,
)


class State(str, Enum):
    """Where a node stands: idle -> serialising -> running -> done | failed | cancelled."""

    IDLE = "idle"
    """Nothing was asked for yet."""
    SERIALISING = "serialising"
    """The host writes the frames that the engine will read."""
    RUNNING = "running"
    """The engine is at work, in a process of its own."""
    DONE = "done"
    """The new layer is on disk."""
    FAILED = "failed"
    """It ended without a result; `line` and `remedy` say why and what to do."""
    CANCELLED = "cancelled"
    """Somebody stopped it; everything finished is kept."""

    @property
    def is_working(self) -> bool:
        """True while something is being done."""
        return self in (State.SERIALISING, State.RUNNING)


@dataclass(frozen=True)
class Status:
    """One moment of a node, ready to be shown."""

    state: State = State.IDLE
    """Where the node stands."""
    line: str = "Ready."
    """One sentence for the panel."""
    remedy: str = ""
    """What to do about it, in one sentence; empty when nothing has to be done."""
    fraction: Optional[float] = None
    """How much of the whole run is done, 0 to 1; None while nobody can know."""
    eta_seconds: Optional[float] = None
    """Seconds until the fill is there, at the recent pace; None while unknown."""
    preview: Optional[str] = None
    """The last picture of the work, as a path."""
    warnings: Tuple[str, ...] = ()
    """What the user should know although the run went on."""
    result: Optional[str] = None
    """The frames that are written, as a pattern; None until the engine has resolved the job."""
    frames: Optional[FrameRange] = None
    """The frames that are written; None until then."""
    layers: Tuple[str, ...] = ()
    """The layers that those frames hold, one for each take; empty when they are merged."""
    further_results: Tuple[str, ...] = ()
    """Those of further takes, where each take has files of its own."""
    written: Tuple[FrameRange, ...] = ()
    """The frames of the result that stand under their final names."""
    engine_pid: Optional[int] = None
    """Process id of the engine, as it says itself."""
    details: Tuple[str, ...] = ()
    """The log's last lines, when the run failed."""


PHASES: Mapping[str, Tuple[float, float, str]] = {
    "loading": (0.00, 0.01, "Starting the engine."),
    "looking": (0.01, 0.02, "Looking at the frames"),
    "following": (0.02, 0.02, "Following the camera"),
    "reading": (0.02, 0.03, "Reading around the matte"),
    "measuring": (0.03, 0.04, "Trying this machine's speed"),
    "base": (0.04, 0.04, "Fitting what all intervals start from"),
    "fitting": (0.04, 0.04, "Fitting on several devices"),
    "inpainting": (0.04, 0.97, "Inpainting"),
    "writing": (0.97, 1.00, "Writing"),
    "sending": (0.02, 0.04, "Sending the job to the farm."),
    "farm": (0.04, 1.00, "Waiting for the farm's frames"),
}
"""Each phase of a run: where it begins and ends in the whole, and what a panel says of it.

Inpainting is all but a few seconds of any run, so the shares of the rest only keep the bar moving.
"""


_CANCELLED_CODE = 130
_CANCELLED = ("Cancelled; everything finished is kept.", "Press Inpaint to go on from there.")


def after(status: Status, event: Event) -> Status:
    """The status once the engine has said `event`; what no panel shows changes nothing."""
    if isinstance(event, Started):
        return replace(
            status, state=State.RUNNING, line="The engine looks at the job.",
            fraction=0.0, engine_pid=event.pid,
        )  # fmt: skip
    if isinstance(event, Resolved):
        return _resolved(status, event.plan)
    if isinstance(event, Waiting):
        return replace(status, line=f"Waiting for {event.waiting_for}.", eta_seconds=None)
    if isinstance(event, Progress):
        return _progressed(status, event)
    if isinstance(event, Preview):
        return replace(status, preview=event.path)
    if isinstance(event, Frame):
        return replace(status, written=_with_frame(status.written, event.frame))
    if isinstance(event, Warned):
        text = f"{event.message} {event.remedy}".rstrip()
        return replace(status, warnings=(*status.warnings, text))
    if isinstance(event, Finished):
        return replace(
            status, state=State.DONE, fraction=1.0, eta_seconds=None,
            line=f"Done: {_counted(event.frames, 'frame')} in {spoken(event.seconds)}.",
        )  # fmt: skip
    if isinstance(event, Failed):
        return _failed(status, event)
    return status


_CODES: Mapping[int, Tuple[str, str]] = {
    2: ("it refused the job, or a fit diverged", "Look at the knobs; the log says more."),
    3: ("a frame or the matte cannot be used", "Look at the inputs; the log says more."),
    4: (
        "the device was lost, or had no memory left",
        "Lower Memory, or name another Device; then press Inpaint to go on.",
    ),
    5: (
        "a disk is full, or cannot be read or written",
        "Make room where the node's folder, the result and the cache are; then press Inpaint.",
    ),
}
"""What the engine's exit codes say, and what to do, where no event of it arrived."""


def ended_silently(exit_code: Optional[int]) -> Tuple[State, str, str]:
    """State, line and remedy where the engine ended without a last word in its events.

    `exit_code` is negative for a signal, and None where nobody here can know it.
    """
    if exit_code == _CANCELLED_CODE:
        return State.CANCELLED, *_CANCELLED
    how, remedy = "", "Press Inpaint to go on from what was finished; the log says more."
    if exit_code is not None and exit_code in _CODES:
        words, remedy = _CODES[exit_code]
        how = f" with code {exit_code} ({words})"
    elif exit_code is not None:
        how = f" with code {exit_code}" if exit_code >= 0 else f" by signal {-exit_code}"
    return State.FAILED, f"The engine ended{how} without a last word.", remedy


def spoken(seconds: float) -> str:
    """A length of time as a person says it: `12 s`, `6 min`, `2 h 05 min`."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    minutes = round(seconds / 60)
    if minutes < 60:
        return f"{minutes} min"
    return f"{minutes // 60} h {minutes % 60:02d} min"


def _resolved(status: Status, plan: Mapping[str, Any]) -> Status:
    """The status once the job is understood: where the frames go and what they hold."""
    output = _section(plan, "output")
    layers: Tuple[str, ...] = ()
    further = tuple(str(name) for name in output.get("further_takes") or [] if name)
    is_merged = output.get("write") == "merged"
    if not is_merged:
        layers = tuple(str(name) for name in [output.get("layer"), *further] if name)
    files = output.get("files")
    return replace(
        status,
        result=str(files) if files else None,
        frames=_frames(_section(plan, "plate").get("frames")),
        layers=layers,
        further_results=further if is_merged else (),
    )


def _frames(text: object) -> Optional[FrameRange]:
    """The range that a plan tells; None when an engine of another release tells it otherwise."""
    try:
        return FrameRange.parse(str(text))
    except SetupError:
        return None


def _with_frame(ranges: Tuple[FrameRange, ...], frame: int) -> Tuple[FrameRange, ...]:
    """The ranges with one more frame, which as a rule is the one after the last."""
    if any(one.first <= frame <= one.last for one in ranges):
        return ranges  # of another take
    if ranges and ranges[-1].last == frame - 1:
        return (*ranges[:-1], FrameRange(ranges[-1].first, frame))
    return (*ranges, FrameRange(frame, frame))


def _progressed(status: Status, event: Progress) -> Status:
    """The status after some of a phase was done."""
    begins, ends, words = PHASES.get(event.phase, (0.0, 0.0, event.phase.capitalize()))
    part = event.done / event.total if event.total else 0.0
    fraction = max(status.fraction or 0.0, begins + (ends - begins) * min(1.0, part))
    eta = event.eta_seconds if event.phase == "inpainting" else None
    return replace(
        status, fraction=fraction, eta_seconds=eta, line=_progress_line(event, words, eta)
    )


def _progress_line(event: Progress, words: str, eta: Optional[float]) -> str:
    """What a panel says while a phase goes on."""
    if words.endswith(".") or not event.total:
        return words.rstrip(".") + "."
    if event.phase != "inpainting":
        return f"{words}, {event.done} of {event.total}."
    parts = [words]
    take, takes = _figure(event, "take"), _figure(event, "takes")
    if take is not None and takes is not None and takes > 1:
        parts.append(f"take {take:.0f} of {takes:.0f}")
    interval, intervals = _figure(event, "interval"), _figure(event, "intervals")
    if interval is not None and intervals is not None:
        parts.append(f"interval {interval + 1:.0f} of {intervals:.0f}")
    if eta is not None:
        parts.append(f"about {spoken(eta)} left")
    return ", ".join(parts) + "."


def _figure(event: Progress, name: str) -> Optional[float]:
    """A figure of that name; None where there is none, or it was no finite number (`null`)."""
    figures: object = event.figures
    found = figures.get(name) if isinstance(figures, dict) else None
    return found if isinstance(found, (int, float)) and not isinstance(found, bool) else None


def _failed(status: Status, event: Failed) -> Status:
    """The status after the engine gave up, or was told to stop."""
    if event.code == "cancelled":
        return replace(
            status, state=State.CANCELLED, eta_seconds=None,
            line=_CANCELLED[0], remedy=_CANCELLED[1],
        )  # fmt: skip
    if event.code == "left":
        return replace(
            status, state=State.CANCELLED, line=event.message, remedy=event.remedy, eta_seconds=None
        )
    return replace(
        status, state=State.FAILED, line=event.message, remedy=event.remedy, eta_seconds=None
    )


def _section(plan: Mapping[str, Any], name: str) -> Dict[str, Any]:
    """A section of a resolved plan; empty when an engine of another release has none."""
    section = plan.get(name)
    return section if isinstance(section, dict) else {}


def _counted(number: int, noun: str) -> str:
    """A number with its noun, in the right one of both forms."""
    return f"{number} {noun}" + ("" if number == 1 else "s")
