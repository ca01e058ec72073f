"""Panel: which knobs a host shows, what an untouched widget holds, and what a job makes of them."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Dict, Mapping, Optional, Tuple

from infusion_node.errors import SetupError
from infusion_node.wire.knobs import ENGINE, KNOBS, Kind, Knob

_FROM_THE_NODE = ("plate", "matte", "events_file", "report", "contact_sheet")

PANEL: Tuple[Knob, ...] = (
    *(knob for knob in KNOBS if knob.name not in _FROM_THE_NODE),
    ENGINE,
)
"""What a panel shows, in order. The rest of a job comes from the node's inputs and its folder."""


def resting(knob: Knob) -> Any:
    """What the widget holds while nobody has touched it.

    Widgets know no "nothing": an empty text, and 0 for a number that may be left out, stand for it.
    """
    if knob.kind is Kind.PAIRS:
        return ""
    if knob.default is not None:
        return knob.default
    return {Kind.WHOLE: 0, Kind.NUMBER: 0.0}.get(knob.kind, "")


def tooltip(knob: Knob) -> str:
    """The knob's help with its unit and range, as a panel shows it."""
    extra = []
    if knob.kind is Kind.PAIRS:
        extra.append("Several are separated by spaces.")
    if knob.default is None and knob.kind in (Kind.WHOLE, Kind.NUMBER):
        extra.append("0: not set.")
    if knob.unit and knob.least is not None and knob.most is not None:
        extra.append(f"In {knob.unit}, {knob.least:g} to {knob.most:g}.")
    return " ".join([knob.help, *extra])


def job_fields(shown: Mapping[str, Any]) -> Dict[str, Any]:
    """The fields of a job that the panel sets, from what its widgets hold.

    A knob that is not in `shown` keeps its default; `engine` is not part of a job.

    Raises:
        SetupError: a value is of the wrong kind or out of its range; names the knob by its label.
    """
    fields: Dict[str, Any] = {}
    for knob in PANEL:
        if knob is ENGINE or knob.name not in shown:
            continue
        value = _unset(knob, shown[knob.name])
        if value is None:
            continue
        if knob.kind is Kind.PAIRS:
            value = _pairs(knob, str(value))
        elif knob.kind is Kind.NUMBER and isinstance(value, (int, float)):
            value = float(value)
        _check(knob, value)
        if knob.kind is Kind.PATH:
            _refuse_relative(knob, str(value))
        fields[knob.name] = value
    return fields


def _unset(knob: Knob, value: Any) -> Optional[Any]:
    """The value, or None when the widget rests on what stands for nothing."""
    if knob.default is None or knob.kind is Kind.PAIRS:
        if isinstance(value, str):
            return value.strip() or None
        if knob.kind in (Kind.WHOLE, Kind.NUMBER) and not value:
            return None
    return value


def _pairs(knob: Knob, text: str) -> Dict[str, str]:
    """`KEY=VALUE KEY=VALUE` as texts by name."""
    pairs: Dict[str, str] = {}
    for word in text.replace(",", " ").split():
        key, equals, value = word.partition("=")
        if not (key and equals):
            raise SetupError(
                f"{knob.label}: found {word!r}, expected KEY=VALUE.",
                remedy="For instance steps_per_interval=500.",
            )
        pairs[key] = value
    return pairs


def _refuse_relative(knob: Knob, path: str) -> None:
    """Raise SetupError for a path that depends on a folder: the engine works in its run's own."""
    if not (Path(path).is_absolute() or path.startswith("~")):
        raise SetupError(
            f"{knob.label}: found {path!r}, expected a whole path: nobody can tell which folder "
            "it counts from.",
            remedy=f"Write it from the root on, such as {Path.home() / path}.",
        )


def _check(knob: Knob, value: Any) -> None:
    """Raise SetupError unless the knob accepts the value and it lies in its range."""
    is_number = knob.kind in (Kind.WHOLE, Kind.NUMBER)
    is_good = knob.accepts(value)
    if is_good and is_number:
        low = knob.least is None or value >= knob.least
        is_good = low and (knob.most is None or value <= knob.most)
    if is_good and knob.kind is Kind.CHOICE:
        is_good = value in knob.choices
    if not is_good:
        raise SetupError(
            f"{knob.label}: found {value!r}, expected {knob.expected()}.",
            remedy="Change the knob, then press Inpaint again.",
        )
