"""Writes docs/knobs.md from the one table: `python -m tests.wire.knobs_page`, after a change there.

Settings stand under the headings of panels and of `--help`, in their order.
"""

from __future__ import annotations

from pathlib import Path

from infusion_node.panel import PANEL
from infusion_node.wire.knobs import ENGINE, KNOBS, Group, Kind, Knob

PAGE = Path(__file__).resolve().parents[2] / "docs/knobs.md"

_HEAD = """\
# Every setting

One table makes the panels in Nuke and in Blender, the options of `infusion-render`, the fields of a
job file and this page. *In a panel* is what a widget is called; where it says *input*, plate and
matte are what is connected, and where it says *none*, the node decides by itself. As an option a
setting is called like its field, with dashes: `matte_grow` is `--matte-grow`; but the plate has no
option's name, `settings` is `--set`, `use_cache` is turned off by `--no-cache`, and `engine` is the
node's alone. Where the default is empty, the setting is not set, and the help says what holds then.
"""

_TABLE_HEAD = """
| field | in a panel | type | default | range | unit | what it does |
|---|---|---|---|---|---|---|
"""


def page() -> str:
    """The whole page."""
    text = _HEAD
    for group in Group:
        rows = [_row(knob) for knob in (*KNOBS, ENGINE) if knob.group is group]
        text += f"\n## {group.value}\n{_TABLE_HEAD}" + "".join(rows)
    return text


def _row(knob: Knob) -> str:
    """One setting."""
    cells = (
        f"`{knob.name}`", _widget(knob), knob.kind.value, _default(knob), _range(knob), knob.unit,
        knob.help,
    )  # fmt: skip
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |\n"


def _widget(knob: Knob) -> str:
    """The label in a panel, or where the node has the setting from."""
    if knob in PANEL:
        return knob.label
    return "input" if knob.name in ("plate", "matte") else "none"


def _default(knob: Knob) -> str:
    """The default as a job file writes it; nothing where there is none."""
    if knob.default is None or knob.kind is Kind.PAIRS or knob.default == "":
        return ""
    if knob.kind is Kind.SWITCH:
        return "on" if knob.default else "off"
    return f"`{knob.default}`"


def _range(knob: Knob) -> str:
    """The words or numbers that are allowed."""
    if knob.kind is Kind.CHOICE:
        return ", ".join(f"`{word}`" for word in knob.choices)
    if knob.wording:
        return knob.wording
    if knob.least is None:
        return ""
    least = _number(knob, knob.least)
    return f"{least} or more" if knob.most is None else f"{least} to {_number(knob, knob.most)}"


def _number(knob: Knob, value: float) -> str:
    """A limit, a whole number with all of its digits."""
    return str(int(value)) if knob.kind is Kind.WHOLE else f"{value:g}"


if __name__ == "__main__":
    PAGE.write_text(page(), "utf-8")
