"""Events: what the engine says while it works, one JSON object per line.

A line is `{"event": TYPE, "time": SECONDS, ...fields}`; `time` is in seconds since 1970 (UTC).
Readers ignore types and fields that they do not know, and lines that a killed process left torn,
so that an older host follows a newer engine. The last event of a run is `finished` or `failed`.
"""

from __future__ import annotations

import json
import math
from dataclasses import MISSING, asdict, dataclass, field, fields
from typing import Any, ClassVar, Dict, Mapping, Optional, Tuple, Type


@dataclass(frozen=True)
class Event:
    """Base of every event."""

    type: ClassVar[str] = ""
    """The word that stands under `event` in the line."""


@dataclass(frozen=True)
class Started(Event):
    """The engine runs; nothing has been looked at yet."""

    type: ClassVar[str] = "started"
    version: str
    """Version of the engine."""
    pid: int
    """Process id of the engine."""
    machine: str
    """Name of the machine it runs on."""


@dataclass(frozen=True)
class Resolved(Event):
    """The job is understood and can be done; sent before any work.

    Sent once more when the device has decided what was left to it, and when `minutes` has become
    numbers of steps.
    """

    type: ClassVar[str] = "resolved"
    plan: Mapping[str, Any]
    """Everything that was found out: every setting, frames, size, matte, files, device."""


@dataclass(frozen=True)
class Waiting(Event):
    """The run stands still until somebody else is done."""

    type: ClassVar[str] = "waiting"
    waiting_for: str
    """What it waits for, such as another process that fits the same interval."""


@dataclass(frozen=True)
class Progress(Event):
    """How far a phase has come."""

    type: ClassVar[str] = "progress"
    phase: str
    """What is being done, such as `fitting`."""
    done: int
    """Units of this phase that are done."""
    total: int
    """Units of this phase in all; 0 when nobody can know."""
    eta_seconds: Optional[float] = None
    """Seconds until the phase ends, at the recent pace; None while unknown."""
    figures: Mapping[str, float] = field(default_factory=dict)
    """Figures by name: `interval` (0 is the noisiest), `intervals`, `loss`, `take`, ..."""


@dataclass(frozen=True)
class Interval(Event):
    """The fit of one interval is there."""

    type: ClassVar[str] = "interval"
    index: int
    """Which interval; 0 is the noisiest."""
    count: int
    """How many intervals there are."""
    outcome: str
    """`hit` (taken from the cache) or `fitted`."""
    loss: Optional[float] = None
    """Loss at the end of the fit, when known."""
    take: int = 1
    """Which take needed it, from 1."""


@dataclass(frozen=True)
class Staged(Event):
    """A stage of a render that a scheduler divides is done."""

    type: ClassVar[str] = "stage"
    stage: str
    """`prepare`, `base`, `fit`, `sample` or `write`."""
    outcome: str
    """`done`, `hit` (the cache held it already) or `nothing` (this job has no such work)."""
    detail: str
    """Which part of the work, such as `interval 3/8`."""


@dataclass(frozen=True)
class Preview(Event):
    """A picture of the work so far was written."""

    type: ClassVar[str] = "preview"
    path: str
    """The picture."""


@dataclass(frozen=True)
class Frame(Event):
    """One frame of the result stands under its final name."""

    type: ClassVar[str] = "frame"
    frame: int
    """Its number."""
    path: str
    """Its file."""


@dataclass(frozen=True)
class Warned(Event):
    """Something the user should know, that does not stop the run."""

    type: ClassVar[str] = "warning"
    message: str
    """What was found, in which file, and what was expected."""
    remedy: str = ""
    """What to do about it."""


@dataclass(frozen=True)
class Finished(Event):
    """The run is done; nothing follows."""

    type: ClassVar[str] = "finished"
    frames: int
    """Frames written."""
    seconds: float
    """How long the run took."""
    hits: int
    """Intervals taken from the cache."""
    fitted: int
    """Intervals fitted by this run."""


@dataclass(frozen=True)
class Failed(Event):
    """The run ended without its result; everything finished is kept. Nothing follows."""

    type: ClassVar[str] = "failed"
    code: str
    """The kind of error in one word: usage, fit, sequence, frame, matte, device, storage,
    cancelled; internal for a defect."""
    message: str
    """What was found, in which file, and what was expected."""
    remedy: str = ""
    """What to do about it."""
    exit_code: int = 1
    """What the process leaves with."""


@dataclass(frozen=True)
class Heartbeat(Event):
    """The engine lives, also while nothing else is said; sent every few seconds."""

    type: ClassVar[str] = "heartbeat"
    seconds: float
    """How long the run has taken so far."""
    phase: str = ""
    """The phase it is in."""


@dataclass(frozen=True)
class Stamped:
    """An event and when it was sent."""

    time: float
    """Seconds since 1970 (UTC)."""
    event: Event
    """What was said."""


EVENT_TYPES: Tuple[Type[Event], ...] = (
    Started,
    Resolved,
    Waiting,
    Progress,
    Interval,
    Staged,
    Preview,
    Frame,
    Warned,
    Finished,
    Failed,
    Heartbeat,
)
"""Every event, in the order in which a run may send them."""

_BY_TYPE: Dict[str, Type[Event]] = {kind.type: kind for kind in EVENT_TYPES}


def to_line(event: Event, *, time: float) -> str:
    """The event as one line of ASCII JSON, without its newline; `time` in seconds since 1970.

    JSON has no NaN and no infinity: such a figure becomes `null`.
    """
    body: Dict[str, Any] = {"event": event.type, "time": round(time, 3), **asdict(event)}
    return json.dumps(_finite(body), allow_nan=False)


def from_line(line: str) -> Optional[Stamped]:
    """The event in `line`; None for a type that is not known, a torn line, or no event at all."""
    try:
        body = json.loads(line)
    except (ValueError, RecursionError):
        return None
    if not isinstance(body, dict) or not isinstance(body.get("time"), (int, float)):
        return None
    kind = _BY_TYPE.get(str(body.get("event")))
    if kind is None:
        return None
    given = {}
    for entry in fields(kind):
        if entry.name in body:
            given[entry.name] = body[entry.name]
        elif entry.default is MISSING and entry.default_factory is MISSING:
            return None
    return Stamped(time=float(body["time"]), event=kind(**given))


def _finite(value: Any) -> Any:
    """`value` with every NaN and infinity replaced by None."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {key: _finite(entry) for key, entry in value.items()}
    if isinstance(value, (list, tuple)):
        return [_finite(entry) for entry in value]
    return value
