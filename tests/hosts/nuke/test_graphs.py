"""The node graph: new, with a result of two takes, with a result that has no layer, and cleared."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import OpenEXR
import pytest

from infusion_hosts.nuke_host import buttons, group, panel, sessions
from infusion_node.panel import PANEL, tooltip
from tests.hosts.nuke.conftest import Shot, as_fake, read_node
from tests.hosts.nuke.drawing import drawn, held
from tests.hosts.nuke.fake_nuke.pictures import picture
from tests.hosts.nuke.fake_nuke.stage import Stage

if TYPE_CHECKING:
    import nuke


def _run(node: nuke.Group, stage: Stage) -> None:
    """Inpaint with the stand-in, to its end."""
    buttons.inpaint(node)
    assert stage.messages == []
    follower = sessions.session_of(node).follower
    assert follower is not None
    stage.pump(lambda: follower.is_over)


def _held(name: str, node: nuke.Group, tmp_path: Path) -> None:
    identity = str(node[panel.IDENTITY].value())
    held(name, drawn(as_fake(node)), folder=tmp_path.as_posix(), identity=identity)


def test_a_new_node(node: nuke.Group, tmp_path: Path) -> None:
    """A new node is the plate, a disabled Write for each input, and a Read that waits."""
    _held("graph_new.txt", node, tmp_path)


def test_it_is_made_below_what_is_selected(stage: Stage, shot: Shot) -> None:
    """A new node takes what is selected for its plate, and opens its panel."""
    plate = read_node(shot.plate)
    as_fake(plate).selectOnly()
    made = sessions.create()
    assert made.input(0) == plate
    assert stage.panels == ["InfusionInpaint1"]


def test_every_setting_of_the_table_has_its_knob(node: nuke.Group) -> None:
    """The panel has the table's settings in their order and with their help, and no others."""
    names = [knob.name() for knob in as_fake(node).user_knobs()]
    assert [name for name in names if not name.startswith("infusion_")] == [k.name for k in PANEL]
    for knob in PANEL:
        assert as_fake(node)[knob.name].tooltip() == tooltip(knob)


def test_an_untouched_panel_asks_for_the_defaults(node: nuke.Group) -> None:
    """What the widgets of a new node hold makes a job of defaults."""
    from infusion_node.panel import job_fields
    from infusion_node.wire.job import RenderJob

    fields = job_fields(panel.shown(node))
    plain = RenderJob(plate="p", output="o").to_dict()
    assert {name: value for name, value in fields.items() if plain[name] != value} == {}


def test_two_takes(
    node: nuke.Group, stage: Stage, stand_in: Callable[[str], Path], tmp_path: Path
) -> None:
    """A result's layers are copied beside the plate, one Copy for each take."""
    stand_in("finish")
    node["takes"].setValue(2)
    _run(node, stage)
    _held("graph_two_takes.txt", node, tmp_path)
    assert set(stage.layers) == {"infusion", "infusion2"}
    assert stage.undo_is_off == 0


def test_a_result_without_a_layer(
    node: nuke.Group, stage: Stage, stand_in: Callable[[str], Path], tmp_path: Path
) -> None:
    """Where the files hold the fill alone, their RGB becomes the layer and its alpha is 1."""
    stand_in("finish")
    node["write"].setValue("merged")
    _run(node, stage)
    _held("graph_merged.txt", node, tmp_path)


def test_two_takes_without_a_layer(
    node: nuke.Group, stage: Stage, stand_in: Callable[[str], Path], tmp_path: Path
) -> None:
    """Where each take has a folder of its own, each has a Read, and its RGB becomes a layer."""
    stand_in("finish")
    node["write"].setValue("merged")
    node["takes"].setValue(2)
    _run(node, stage)
    _held("graph_two_takes_merged.txt", node, tmp_path)
    assert set(stage.layers) == {"infusion", "infusion2"}


def _wired(node: nuke.Group, shot: Shot, *, layers: tuple[str, ...]) -> Path:
    """A result of the frames 1002 to 1004, half as bright as the plate; returns its folder."""
    folder = shot.folder / "result"
    folder.mkdir()
    for frame in (1002, 1003, 1004):
        with OpenEXR.File(shot.plate % frame, separate_channels=True) as file:
            plate = {name: one.pixels / 2 for name, one in file.channels().items()}
        named = {f"{layer}.{name}": plate[name] for layer in layers for name in "RGB"}
        alphas = {f"{layer}.A": np.ones_like(plate["R"]) for layer in layers}
        header = {"compression": OpenEXR.ZIPS_COMPRESSION}
        OpenEXR.File(header, {**plate, **named, **alphas}).write(f"{folder}/fire.{frame}.exr")
    group.wire(node, group.Result(f"{folder}/fire.%04d.exr", 1002, 1004, layers, "infusion"))
    node[panel.MERGE].setValue(True)
    return folder


@pytest.mark.parametrize("layers", [(), ("infusion",)])
def test_beyond_the_result_the_plate_is_seen(
    node: nuke.Group, shot: Shot, layers: tuple[str, ...]
) -> None:
    """With the fill in RGB frames before and after the result are the plate's, and not black."""
    _wired(node, shot, layers=layers)
    plate = node.input(0)
    assert plate is not None
    for frame, is_filled in ((1001, False), (1002, True), (1004, True), (1005, False)):
        before, after = picture(as_fake(plate), frame), picture(as_fake(node), frame)
        expected = before["rgba.red"] / 2 if is_filled else before["rgba.red"]
        np.testing.assert_array_equal(after["rgba.red"], expected, err_msg=str(frame))
        assert (after["infusion.alpha"] == is_filled).all(), frame


def test_a_frame_of_the_result_that_is_missing_is_an_error(node: nuke.Group, shot: Shot) -> None:
    """A hole in the result must not pass for the plate, or for black, in the final render."""
    (_wired(node, shot, layers=()) / "fire.1003.exr").unlink()
    with pytest.raises(RuntimeError, match=r"fire\.1003\.exr"):
        picture(as_fake(node), 1003)


@pytest.mark.parametrize("is_merged", [False, True], ids=["layers", "folders"])
def test_the_shown_take_is_what_fills_rgb(node: nuke.Group, shot: Shot, *, is_merged: bool) -> None:
    """Each take is a layer of the output; the panel's number says which is seen in RGB."""
    layers = ("infusion", "infusion2", "infusion3")
    folder = _wired(node, shot, layers=() if is_merged else layers)
    factors = (0.5, 0.25, 0.125)
    for frame in (1002, 1003, 1004):
        _takes(folder, f"fire.{frame}.exr", factors, () if is_merged else layers)
    further = tuple(f"{folder}/take{take}/fire.%04d.exr" for take in (2, 3)) if is_merged else ()
    held = () if is_merged else layers
    files = f"{folder}/fire.%04d.exr"
    group.wire(node, group.Result(files, 1002, 1004, held, "infusion", further))
    plate = picture(as_fake(node.input(0) or node), 1003)["rgba.red"]
    for take, factor in ((0, 0.5), (1, 0.5), (2, 0.25), (3, 0.125), (9, 0.125)):
        node[panel.TAKE].setValue(take)
        output = picture(as_fake(node), 1003)
        np.testing.assert_array_equal(output["rgba.red"], plate * np.float32(factor), str(take))
        for layer, own in zip(layers, factors, strict=True):
            np.testing.assert_array_equal(output[f"{layer}.red"], plate * np.float32(own))
        before = picture(as_fake(node), 1001)
        assert (before["infusion2.alpha"] == 0).all()
    group.unwire(node)
    left = {inside.name() for inside in as_fake(node).nodes()}  # type: ignore[attr-defined]
    assert not [name for name in left if name.startswith(("copy", "result2"))]


def _takes(folder: Path, name: str, factors: tuple[float, ...], layers: tuple[str, ...]) -> None:
    """Write three takes of a frame: into the layers of one file, or into a folder for each.

    The file that is there holds the first take, half as bright as the plate.
    """
    with OpenEXR.File(str(folder / name), separate_channels=True) as file:
        half = {channel: file.channels()[channel].pixels for channel in "RGB"}
    header = {"compression": OpenEXR.ZIPS_COMPRESSION}
    takes = [{name: half[name] * (factor * 2) for name in "RGB"} for factor in factors]
    takes = [{name: p.astype(half[name].dtype) for name, p in take.items()} for take in takes]
    if layers:
        named = {f"{at}.{n}": p for at, take in zip(layers, takes, strict=True)
                 for n, p in {**take, "A": np.ones_like(half["R"])}.items()}  # fmt: skip
        OpenEXR.File(header, {**half, **named}).write(str(folder / name))
        return
    for number, take in enumerate(takes[1:], start=2):
        path = folder / f"take{number}" / name
        path.parent.mkdir(exist_ok=True)
        OpenEXR.File(header, take).write(str(path))


def test_clear(node: nuke.Group, stage: Stage, stand_in: Callable[[str], Path]) -> None:
    """Clear leaves the graph as it was before, and the files where they are."""
    stand_in("finish")
    before = [line.split("(")[0] for line in drawn(as_fake(node)).splitlines() if "(" in line]
    _run(node, stage)
    buttons.clear(node)
    after = [line.split("(")[0] for line in drawn(as_fake(node)).splitlines() if "(" in line]
    assert sorted(after) == sorted(before)
    assert node.knob("infusion_status") is not None
    assert node["infusion_status"].value() == "Ready."
    fill = as_fake(node.node("fill_in_rgb") or node)
    above = fill.input(0)
    assert above is not None
    assert above.name() == "plate"
    assert fill["disable"].value() is True
    session = sessions.session_of(node)
    run = session.last_run()
    assert run is not None
    assert run.job.is_file()
