"""The panel: Nuke's knobs made from the node's one table, the buttons, and what is kept hidden."""

from __future__ import annotations

import html
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Dict, Iterator, Optional, Tuple

import nuke

from infusion_node.errors import SetupError
from infusion_node.panel import PANEL, resting, tooltip
from infusion_node.status import State, Status, spoken
from infusion_node.wire.knobs import Group as Heading
from infusion_node.wire.knobs import Kind, Knob

STATUS = "infusion_status"
"""Text: what the node does, or how it ended."""

PREVIEW = "infusion_preview"
"""Text with the last picture of the work in it; out of sight while there is none."""

_PREVIEW_WIDE = 480  # pixels in the panel: three small frames side by side

MERGE = "infusion_merge"
"""Switch: put the fill into RGB as well."""

TAKE = "infusion_take"
"""Number: which of several takes is put into RGB, counted from 1."""

IDENTITY = "infusion_id"
"""Hidden text that tells this node from every other; only our nodes have it."""

WORKSPACE = "infusion_workspace"
"""Hidden path of the node's own folder; empty until it is first needed."""

SETTLED = "infusion_settled"
"""Hidden number of the last run whose end is already shown, such as `0003`."""

SEND_TO_FARM = "infusion_farm"
"""The button that is only there where the farm's command is."""


@dataclass(frozen=True)
class Button:
    """One button of the panel."""

    name: str
    """Name of its knob."""
    label: str
    """What is written on it."""
    action: str
    """The function of `buttons` that it calls with the node."""
    tooltip: str
    """What it does, in one sentence."""


BUTTONS: Tuple[Button, ...] = (
    Button("infusion_inpaint", "Inpaint", "inpaint",
           "Write what has to be written, start the engine and go on working."),
    Button("infusion_cancel", "Cancel", "cancel",
           "Stop; everything finished is kept, and Inpaint goes on from there."),
    Button("infusion_new_take", "New take", "new_take",
           "Another fill from the same fits: moves the seed on and inpaints."),
    Button(SEND_TO_FARM, "Send to farm", "send_to_farm",
           "Write what has to be written and hand the job to infusion-farm."),
    Button("infusion_open_report", "Open report", "open_report",
           "Open the page of the last run in a browser."),
    Button("infusion_reveal", "Reveal files", "reveal_files",
           "Open the folder of the frames that were written."),
    Button("infusion_clear", "Clear", "clear",
           "Take the fill out of the node; its files are kept."),
    Button("infusion_doctor", "Doctor", "doctor",
           "Ask whether this machine is fit for the engine; the answer takes some seconds."),
)  # fmt: skip
"""The buttons, in the order of the panel."""


def add_panel(group: nuke.Group) -> None:
    """Give a new Group its knobs: status, buttons, the table's settings, and the hidden ones."""
    group.addKnob(nuke.Tab_Knob("infusion_tab", "Infusion Inpaint"))
    status = nuke.Text_Knob(STATUS, "Status", Status().line)
    status.setFlag(nuke.NO_UNDO)
    group.addKnob(status)
    preview = nuke.Text_Knob(PREVIEW, "Preview", "")
    preview.setFlag(nuke.NO_UNDO)
    preview.setVisible(False)
    group.addKnob(preview)
    for number, button in enumerate(BUTTONS):
        script = nuke.PyScript_Knob(button.name, button.label, _command(button))
        script.setTooltip(button.tooltip)
        if number == 0:
            script.setFlag(nuke.STARTLINE)
        group.addKnob(script)
    merge = nuke.Boolean_Knob(MERGE, "Fill in RGB")
    merge.setTooltip("Also blend the fill into RGB, by the layer's alpha. Off: RGB is the plate's.")
    merge.setFlag(nuke.STARTLINE)
    group.addKnob(merge)
    group.addKnob(_shown_take())
    heading: Optional[Heading] = None
    for knob in PANEL:
        if knob.group is not heading:
            heading = knob.group
            group.addKnob(nuke.Text_Knob(f"infusion_{heading.name.lower()}", heading.value))
        group.addKnob(_widget(knob))
    for name in (IDENTITY, SETTLED):
        group.addKnob(_hidden(nuke.String_Knob(name, name)))
    group.addKnob(_hidden(nuke.File_Knob(WORKSPACE, WORKSPACE)))


def shown(group: nuke.Group) -> Dict[str, Any]:
    """What the widgets hold, by the knobs' names.

    Raises:
        SetupError: a text is a TCL expression, which nobody outside of Nuke can read.
    """
    found: Dict[str, Any] = {}
    for knob in PANEL:
        value = group[knob.name].value()
        if knob.kind is Kind.WHOLE:
            found[knob.name] = int(value)
        elif knob.kind is Kind.NUMBER:
            found[knob.name] = float(value)
        elif knob.kind is Kind.SWITCH:
            found[knob.name] = bool(value)
        else:
            found[knob.name] = str(value or "")
            if "[" in found[knob.name]:
                raise SetupError(
                    f"{knob.label}: found {value!r}, expected a text without [ ].",
                    remedy="TCL expressions are not evaluated here: write what it stands for.",
                )
    return found


def show(group: nuke.Group, status: Status) -> None:
    """Put a status into the panel: nothing to undo, and while it works nothing to save either."""
    text, picture = status_text(status), preview_text(status)
    if group[STATUS].value() == text and group[PREVIEW].value() == picture:
        return
    script = nuke.root()
    was_modified = script.modified()
    with unrecorded():
        group[STATUS].setValue(text)
        if group[PREVIEW].value() != picture:
            group[PREVIEW].setValue(picture)
            group[PREVIEW].setVisible(bool(picture))
    if status.state.is_working:
        script.setModified(was_modified)


@contextmanager
def unrecorded() -> Iterator[None]:
    """Keep what the node does to itself out of the artist's undo history."""
    nuke.Undo.disable()
    try:
        yield
    finally:
        nuke.Undo.enable()


def status_text(status: Status) -> str:
    """What the panel writes of a status, a line for each thing to know."""
    line = status.line
    if status.state is State.RUNNING and status.fraction is not None:
        line = f"{100 * status.fraction:.0f} %: {line}"
        if status.eta_seconds is not None and "left" not in line:
            line += f" About {spoken(status.eta_seconds)} left."
    lines = [line, status.remedy, *status.warnings]
    if status.details:
        lines.append(status.details[-1])
    return "\n".join(text for text in lines if text)


def preview_text(status: Status) -> str:
    """The last picture of a run that goes on, as a text knob shows it; empty when there is none.

    It is gone when the run has ended: the frames themselves are in the node by then.
    """
    if not status.state.is_working or status.preview is None:
        return ""
    source = html.escape(Path(status.preview).as_posix())
    return f'<img src="{source}" width="{_PREVIEW_WIDE}">'


def is_ours(node: Optional[nuke.Node]) -> bool:
    """True for a Group that this binding has built."""
    return node is not None and node.Class() == "Group" and node.knob(IDENTITY) is not None


def _command(button: Button) -> str:
    """The Python that a button runs; it is saved with the script."""
    return (
        "import nuke\nfrom infusion_hosts.nuke_host import buttons\n"
        f"buttons.{button.action}(nuke.thisNode())"
    )


def _shown_take() -> nuke.Knob:
    """The number that the graph itself follows, so that choosing another take needs no callback."""
    take = nuke.Int_Knob(TAKE, "Shown take")
    take.setTooltip(
        "Which of several takes Fill in RGB gives, counted from 1; the last one where there are "
        "fewer. The output has the layers of all."
    )
    take.setFlag(nuke.NO_ANIMATION)
    take.setFlag(nuke.STARTLINE)
    take.setValue(1)
    return take


def _widget(knob: Knob) -> nuke.Knob:
    """The Nuke knob for one setting of the table, untouched."""
    widget = _typed(knob)
    widget.setTooltip(tooltip(knob))
    widget.setFlag(nuke.NO_ANIMATION)
    widget.setFlag(nuke.STARTLINE)
    if knob.kind is not Kind.CHOICE or knob.choices[0] != resting(knob):
        widget.setValue(resting(knob))
    return widget


def _typed(knob: Knob) -> nuke.Knob:
    """A Nuke knob of the kind that the setting needs."""
    if knob.kind is Kind.PATH:
        return nuke.File_Knob(knob.name, knob.label)
    if knob.kind is Kind.CHOICE:
        return nuke.Enumeration_Knob(knob.name, knob.label, list(knob.choices))
    if knob.kind is Kind.WHOLE:
        return nuke.Int_Knob(knob.name, knob.label)
    if knob.kind is Kind.NUMBER:
        number = nuke.Double_Knob(knob.name, knob.label)
        number.setRange(knob.least or 0.0, min(knob.most or 100.0, 100.0))
        return number
    if knob.kind is Kind.SWITCH:
        return nuke.Boolean_Knob(knob.name, knob.label)
    return nuke.String_Knob(knob.name, knob.label)


def _hidden(knob: nuke.Knob) -> nuke.Knob:
    """The same knob, out of sight but saved with the script."""
    knob.setFlag(nuke.INVISIBLE)
    knob.setFlag(nuke.NO_UNDO)
    return knob
