"""Tries the node in a licensed Nuke: `nuke -t smoke_test.py` prints PASS, or what failed.

Nuke makes a plate of five small frames and a matte; the node fills it within seconds, with the
engine that is found as always. Nothing is left behind but a folder below the system's temporary
one, whose name is printed.
"""

from __future__ import annotations

import sys
import tempfile
import traceback
from pathlib import Path
from typing import Callable, List, cast

import nuke

from infusion_hosts.nuke_host import panel, sessions, terminal
from infusion_node.panel import PANEL
from infusion_node.status import State

FIRST, LAST = 1001, 1005
HOLE = (18, 14, 28, 23)
"""Left, bottom, right and top of the matte, in pixels."""

SETTINGS = (
    "intervals=2 steps_per_interval=2 sampling_steps=2 channels=8 detail_intervals=1 "
    "detail_steps_per_interval=2 detail_sampling_steps=2 coarsest_hole_pixels=6 crop_pixels=16 "
    "window_frames=4 context_pixels=12"
)
"""So small that a run takes a moment; what comes out is of no use for the eye."""


class Failed(Exception):  # noqa: N818 - that is what it says
    """Something is not as it has to be."""


def main() -> int:
    """Run everything; 0 for PASS."""
    folder = Path(tempfile.mkdtemp(prefix="infusion-smoke-"))
    nuke.tprint(f"Nuke {nuke.NUKE_VERSION_STRING}, files in {folder}")
    try:
        group = _scene(folder)
        _check_panel(group)
        status = terminal.run(group, lambda line: nuke.tprint(f"  {line}"))
        _hold(status.state is State.DONE, f"the run ended: {panel.status_text(status)}")
        _check_output(group)
        _check_reopened(folder, group.name())
    except Failed as error:
        nuke.tprint(f"FAILED: {error}")
        return 1
    except Exception:  # noqa: BLE001 - whatever it was, it is what the test is for
        nuke.tprint(f"FAILED:\n{traceback.format_exc()}")
        return 1
    nuke.tprint("PASS")
    return 0


def _scene(folder: Path) -> nuke.Group:
    """A saved script with a plate on disk, a matte of Nuke's own, and the node."""
    nuke.addFormat("48 40 0 0 48 40 1 infusion_smoke")
    root = nuke.root()
    root["format"].setValue("infusion_smoke")
    root["first_frame"].setValue(FIRST)
    root["last_frame"].setValue(LAST)
    noise = nuke.nodes.Noise()
    noise["zoffset"].setExpression("frame / 4")
    files = (folder / "plate.%04d.exr").as_posix()
    write = nuke.nodes.Write(name="write_smoke", inputs=[noise])
    write["file"].setValue(files)
    write["file_type"].setValue("exr")
    write["channels"].setValue("rgba")
    write["raw"].setValue(True)
    nuke.execute(write, FIRST, LAST, 1)
    plate = nuke.nodes.Read(name="plate_smoke")
    for name, value in (("file", files), ("first", FIRST), ("last", LAST), ("raw", True)):
        plate[name].setValue(value)
    matte = nuke.nodes.Radial(name="matte_smoke")
    matte["area"].setValue([float(edge) for edge in HOLE])
    matte["softness"].setValue(0.0)
    group = sessions.create()
    group.setInput(0, plate)
    group.setInput(1, matte)
    for name, text in (
        ("settings", SETTINGS), ("device", "cpu"), ("cache", (folder / "cache").as_posix()),
    ):  # fmt: skip
        group[name].setValue(text)
    group["threads"].setValue(1)
    nuke.scriptSaveAs((folder / "smoke.nk").as_posix(), True)
    return group


def _check_panel(group: nuke.Group) -> None:
    """Every setting and button has its knob."""
    wanted = [knob.name for knob in PANEL] + [button.name for button in panel.BUTTONS]
    missing = [name for name in wanted if group.knob(name) is None]
    _hold(not missing, f"knobs are missing: {', '.join(missing)}")


def _check_output(group: nuke.Group) -> None:
    """The layer is there, its alpha is the matte, and outside of the matte nothing has changed."""
    nuke.frame(FIRST + 2)
    plate = group.input(0)
    if plate is None:
        raise Failed("the plate is not connected any more")
    for x, y in ((4, 4), (40, 30), (10, 20)):
        for component in ("red", "green", "blue"):
            truth = _sample(plate, component, x + 0.5, y + 0.5)
            for channel in (component, f"infusion.{component}"):
                found = _sample(group, channel, x + 0.5, y + 0.5)
                _hold(found == truth, f"{channel} at {x}, {y} is {found}, the plate has {truth}")
        alpha = _sample(group, "infusion.alpha", x + 0.5, y + 0.5)
        _hold(abs(alpha) < 1e-4, f"infusion.alpha outside of the matte is {alpha}")
    middle = ((HOLE[0] + HOLE[2]) / 2, (HOLE[1] + HOLE[3]) / 2)
    alpha = _sample(group, "infusion.alpha", *middle)
    _hold(abs(alpha - 1) < 1e-4, f"infusion.alpha in the matte is {alpha}")


def _check_reopened(folder: Path, name: str) -> None:
    """The saved script still has it."""
    script = (folder / "smoke.nk").as_posix()
    nuke.scriptSave(script)
    nuke.scriptClear()
    nuke.scriptOpen(script)
    found: List[nuke.Node] = [node for node in nuke.allNodes("Group") if node.name() == name]
    _hold(len(found) == 1 and panel.is_ours(found[0]), "the node is not in the saved script")
    nuke.frame(FIRST)
    alpha = _sample(found[0], "infusion.alpha", HOLE[0] + 4.5, HOLE[1] + 4.5)
    _hold(
        abs(alpha - 1) < 1e-4,
        f"after opening the script again infusion.alpha in the matte is {alpha}",
    )


def _sample(node: nuke.Node, channel: str, x: float, y: float) -> float:
    """A channel at the current frame; a pixel's centre lies at a half, which the stubs deny."""
    sample = cast(Callable[[nuke.Node, str, float, float], float], nuke.sample)
    return sample(node, channel, x, y)


def _hold(is_so: bool, otherwise: str) -> None:
    """Raise Failed unless it is so."""
    if not is_so:
        raise Failed(otherwise)


if __name__ == "__main__":
    sys.exit(main())
