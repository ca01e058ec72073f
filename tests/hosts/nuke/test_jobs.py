"""What the engine is asked to do, for every way in which plate and matte may be connected."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

from infusion_hosts.nuke_host import buttons, sessions
from infusion_node.status import State
from tests.hosts.nuke.conftest import FIRST, Shot, as_fake, read_node
from tests.hosts.nuke.drawing import held
from tests.hosts.nuke.fake_nuke.pictures import picture
from tests.hosts.nuke.fake_nuke.stage import Stage

if TYPE_CHECKING:
    import nuke

    from infusion_hosts.nuke_host.sessions import Session


@pytest.fixture(autouse=True)
def engine(stand_in: Callable[[str], Path]) -> None:
    """An engine that ends at once."""
    stand_in("finish")


def _session(node: nuke.Group) -> Session:
    buttons.inpaint(node)
    return sessions.session_of(node)


def _job(node: nuke.Group, stage: Stage) -> str:
    session = _session(node)
    assert stage.messages == []
    assert session.node.run is not None
    return session.node.run.job.read_text("utf-8")


def _refused(node: nuke.Group, stage: Stage) -> str:
    session = _session(node)
    assert session.node.run is None
    (message,) = stage.messages
    return message


def test_two_reads(node: nuke.Group, stage: Stage, tmp_path: Path) -> None:
    """Reads with nothing after them are handed over as they are; nothing is rendered."""
    held("job_two_reads.json", _job(node, stage), folder=tmp_path.as_posix())
    assert stage.rendered == []


def test_dots_change_nothing(node: nuke.Group, stage: Stage, tmp_path: Path) -> None:
    """A Read behind Dots is still a Read."""
    import nuke

    dot: nuke.Node = nuke.nodes.Dot(inputs=[node.input(0)])
    node.setInput(0, dot)
    held("job_two_reads.json", _job(node, stage), folder=tmp_path.as_posix())


def test_a_graded_plate(node: nuke.Group, stage: Stage, tmp_path: Path) -> None:
    """A plate that is no file is rendered, frame by frame; its alpha is not needed."""
    import nuke
    import OpenEXR

    grade: nuke.Node = nuke.nodes.Grade(multiply=2.0, inputs=[node.input(0)])
    node.setInput(0, grade)
    text = _job(node, stage)
    held("job_graded_plate.json", text, folder=tmp_path.as_posix())
    name = "InfusionInpaint1.plate_write"
    assert stage.rendered == [(name, frame) for frame in range(1001, 1006)]
    written = tmp_path / "infusion/comp_v001-InfusionInpaint1/footage/plate/plate.1002.exr"
    with OpenEXR.File(str(written), separate_channels=True) as file:
        channels = file.parts[0].channels
        assert set(channels) == set("RGB")
        assert (channels["R"].pixels == picture(as_fake(grade), 1002)["rgba.red"]).all()
    assert [as_fake(node.node(f"{clip}_write") or node)["disable"].value()
            for clip in ("plate", "matte")] == [True, True]  # fmt: skip


@pytest.mark.parametrize(
    "case",
    [
        ("plate", "", ("rgba", "depth"), "RGBA"),
        ("plate", "A", ("rgba", "depth"), "RGBA"),
        ("plate", "mask.A", ("rgba", "mask"), "RGBA mask"),
        ("plate", "", ("rgb", "mask"), "RGB mask"),
        ("matte", "", ("rgba", "depth"), "RGBA"),
        ("matte", "mask.A", ("rgba", "mask"), "RGBA mask"),
        ("matte", "", ("mask",), "mask"),
    ],
)
def test_channels_that_nobody_needs_are_not_written(
    node: nuke.Group, stage: Stage, tmp_path: Path, case: tuple[str, str, tuple[str, ...], str]
) -> None:
    """The plate's colour and what may be the matte are; CG streams have hundreds of layers."""
    import OpenEXR

    clip, channel, layers, written = case
    names = {"rgba": tuple("RGBA"), "rgb": tuple("RGB"), "mask": ("mask.A",), "depth": ("depth.Z",)}
    (tmp_path / "cg").mkdir()
    for frame in range(1001, 1006):
        plane = np.full((40, 48), 0.5, np.float16)
        channels = {name: plane for layer in layers for name in names[layer]}
        header = {"compression": OpenEXR.ZIPS_COMPRESSION}
        OpenEXR.File(header, channels).write(f"{tmp_path}/cg/cg.{frame}.exr")
    read = read_node(f"{tmp_path.as_posix()}/cg/cg.%04d.exr", frame_mode="offset", frame="2")
    read["frame"].setValue("1")  # so that its files are not what it gives
    node.setInput(0 if clip == "plate" else 1, read)
    if clip == "plate":
        node.setInput(1, None)
    node["matte_channel"].setValue(channel)
    _job(node, stage)
    path = next(tmp_path.glob(f"infusion/*/footage/{clip}/{clip}.1002.exr"))
    with OpenEXR.File(str(path), separate_channels=True) as file:
        found = set(file.parts[0].channels)
    expected = {name for word in written.split() for name in names.get(word.lower(), (word,))}
    assert found == expected


def test_a_matte_of_nukes_own(node: nuke.Group, stage: Stage, tmp_path: Path) -> None:
    """A shape is rendered for every frame of the plate, whatever range it calls its own."""
    import nuke

    node.setInput(1, nuke.nodes.Radial(area=[18.0, 14.0, 28.0, 23.0]))
    held("job_radial_matte.json", _job(node, stage), folder=tmp_path.as_posix())
    assert [frame for _, frame in stage.rendered] == list(range(1001, 1006))


def test_a_matte_in_the_plate(node: nuke.Group, stage: Stage, tmp_path: Path) -> None:
    """With nothing on the matte's input it is a channel of the plate."""
    node.setInput(1, None)
    node["matte_channel"].setValue("A")
    held("job_matte_in_plate.json", _job(node, stage), folder=tmp_path.as_posix())


def test_handles_and_takes(node: nuke.Group, stage: Stage, tmp_path: Path) -> None:
    """Range, handles and takes are the panel's; frames of the handles are rendered, too."""
    import nuke

    node.setInput(0, nuke.nodes.Grade(multiply=2.0, inputs=[node.input(0)]))
    for name, value in (("frames", "1003"), ("handles", 1), ("takes", 2), ("matte_grow", 2.5)):
        node[name].setValue(value)
    held("job_handles_and_takes.json", _job(node, stage), folder=tmp_path.as_posix())
    assert [frame for _, frame in stage.rendered] == [1002, 1003, 1004]


def test_stereo_reads_by_view(node: nuke.Group, stage: Stage, shot: Shot, tmp_path: Path) -> None:
    """With a file for each view, the chosen view's are handed over, and the output is that view."""
    stage.views = ["left", "right"]
    for frame in range(1001, 1006):
        file = Path(shot.plate % frame)
        file.rename(file.with_name(f"fire.left.{frame}.exr"))
    node.setInput(0, read_node(shot.plate.replace("fire.", "fire.%V.")))
    node["view"].setValue("left")
    held("job_stereo.json", _job(node, stage), folder=tmp_path.as_posix())
    follower = sessions.session_of(node).follower
    assert follower is not None
    stage.pump(lambda: follower.is_over)
    view: nuke.Node | None = node.node("one_view")
    assert view is not None
    assert (view["view"].value(), view["disable"].value()) == ("left", False)


def test_stereo_in_one_file(node: nuke.Group, stage: Stage) -> None:
    """With both views in one file the engine is told which."""
    stage.views = ["left", "right"]
    node["view"].setValue("right")
    assert '"view": "right"' in _job(node, stage)


def test_stereo_wants_a_view(node: nuke.Group, stage: Stage) -> None:
    """In a script of several views the node says no until one is chosen."""
    stage.views = ["left", "right"]
    assert "the View knob names none of them" in _refused(node, stage)


def test_stereo_renders_nothing(node: nuke.Group, stage: Stage) -> None:
    """What would have to be rendered is refused in a script of several views."""
    import nuke

    stage.views = ["left", "right"]
    node["view"].setValue("left")
    node.setInput(0, nuke.nodes.Grade(multiply=2.0, inputs=[node.input(0)]))
    assert "connect their Read" in _refused(node, stage)


def test_proxy_mode(node: nuke.Group, stage: Stage, tmp_path: Path) -> None:
    """In proxy mode full-size files are handed over, and nothing is rendered smaller."""
    import nuke

    stage.root["proxy"].setValue(True)
    held("job_two_reads.json", _job(node, stage), folder=tmp_path.as_posix())
    node.setInput(0, nuke.nodes.Grade(multiply=2.0, inputs=[node.input(0)]))
    session = sessions.session_of(node)
    follower = session.follower
    assert follower is not None
    stage.pump(lambda: follower.is_over)
    buttons.inpaint(node)
    (message,) = stage.messages
    assert message.startswith("The plate has to be written, and proxy mode is on. Turn proxy")


@pytest.mark.parametrize(
    ("knob", "value"),
    [
        ("colorspace", "sRGB"), ("colorspace", "ACES2065-1"), ("frame", "frame - 1000"),
        ("frame_mode", "start at"), ("disable", True),
    ],
)  # fmt: skip
def test_a_read_that_changes_something_is_rendered(
    node: nuke.Group, stage: Stage, knob: str, value: object
) -> None:
    """Colour conversion, a frame offset or a disabled Read: then the file is not the picture."""
    plate = node.input(0)
    assert plate is not None
    plate[knob].setValue(value)
    if knob == "frame_mode":
        plate["frame"].setValue("1")
    if knob == "disable":
        node.setInput(1, None)
        plate["file"].setValue("")
    session = _session(node)
    assert session.node.run is None or "footage" in session.node.run.job.read_text()


@pytest.mark.parametrize(
    "colorspace", ["linear", "scene_linear (ACES - ACEScg)", "default (linear)"]
)
def test_a_linear_read_is_handed_over(node: nuke.Group, stage: Stage, colorspace: str) -> None:
    """A colourspace that is the working space's own changes nothing."""
    plate = node.input(0)
    assert plate is not None
    plate["colorspace"].setValue(colorspace)
    assert "footage" not in _job(node, stage)


def test_a_path_that_only_nuke_understands_is_rendered(
    node: nuke.Group, stage: Stage, shot: Shot
) -> None:
    """TCL in a path, a relative path and a file that is not there are left to Nuke."""
    from infusion_hosts.nuke_host.reads import files_of

    plate = node.input(0)
    assert plate is not None
    assert files_of(plate, "main") == shot.plate
    for file in ("[getenv SHOT]/fire.%04d.exr", "plate/fire.%04d.exr", shot.plate + ".gone"):
        plate["file"].setValue(file)
        assert files_of(plate, "main") is None


def test_what_the_engine_cannot_read_is_rendered(
    node: nuke.Group, stage: Stage, shot: Shot
) -> None:
    """A movie, and one picture held for many frames, are left to Nuke as well."""
    from infusion_hosts.nuke_host.reads import files_of

    plate = node.input(0)
    assert plate is not None
    plate["raw"].setValue(True)
    movie = shot.folder / "plate" / "fire.mov"
    movie.touch()
    plate["file"].setValue(movie.as_posix())
    assert files_of(plate, "main") is None
    still = shot.plate % FIRST
    plate["file"].setValue(still)
    assert files_of(plate, "main") is None
    plate["last"].setValue(FIRST)
    assert files_of(plate, "main") == still


def test_hashes_are_a_pattern(node: nuke.Group, stage: Stage, shot: Shot) -> None:
    """`####` is four digits."""
    plate = node.input(0)
    assert plate is not None
    plate["file"].setValue(shot.plate.replace("%04d", "####"))
    assert "fire.####.exr" in _job(node, stage)


def test_nothing_on_the_plate(node: nuke.Group, stage: Stage) -> None:
    """Without a plate the node says so."""
    node.setInput(0, None)
    assert _refused(node, stage) == "Nothing is connected to the plate. Connect the plate."


def test_a_script_that_was_never_saved(node: nuke.Group, stage: Stage) -> None:
    """There is no place for files before the script has one."""
    stage.root["name"].setValue("")
    assert "Save the script" in _refused(node, stage)


def test_tcl_in_a_knob(node: nuke.Group, stage: Stage) -> None:
    """A knob's TCL is refused by the knob's name and not taken for a folder."""
    node["output"].setValue("[file dirname [value root.name]]/out")
    assert _refused(node, stage).startswith("Output: found '[file dirname")


def test_what_nuke_says_is_passed_on(node: nuke.Group, stage: Stage) -> None:
    """A frame that Nuke cannot render ends the run with Nuke's words; the Write is off again."""
    import nuke

    node.setInput(0, nuke.nodes.Grade(multiply=2.0, inputs=[node.input(0)]))
    stage.breaks_at = 1003
    message = _refused(node, stage)
    assert message.startswith("Nuke could not render frame 1003 of the plate: ")
    assert "Out of buffers" in message
    write = node.node("plate_write")
    assert write is not None
    assert write["disable"].value() is True


def test_cancel_while_frames_are_written(node: nuke.Group, stage: Stage) -> None:
    """Nuke's progress window stops the writing; the panel says so."""
    import nuke

    node.setInput(0, nuke.nodes.Grade(multiply=2.0, inputs=[node.input(0)]))
    stage.is_bar_cancelled = True
    assert _session(node).node.run is None
    assert len(stage.rendered) < 5
    assert node["infusion_status"].value() == "Cancelled before the engine was started."


@pytest.mark.parametrize("error", ["CancelledError", "RuntimeError"])
def test_cancel_in_nukes_own_render_window(node: nuke.Group, stage: Stage, error: str) -> None:
    """What Nuke raises then is no failure: the run ends as cancelled, and nobody is alarmed."""
    import nuke

    node.setInput(0, nuke.nodes.Grade(multiply=2.0, inputs=[node.input(0)]))
    stage.cancelled_at = 1003
    stage.cancels_by = {"RuntimeError": RuntimeError, "CancelledError": nuke.CancelledError}[error]
    session = _session(node)
    assert session.node.run is None
    assert session.node.status.state is State.CANCELLED
    assert stage.messages == []
    assert node["infusion_status"].value() == (
        "Cancelled at frame 1003 of the plate.\nPress Inpaint to go on from there."
    )
