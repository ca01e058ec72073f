"""A DPX plate: handed over, rendered to 10-bit DPX, or to half EXR, by what its Read gives."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from infusion_hosts.nuke_host import buttons, sessions
from infusion_hosts.nuke_host.group import child, prepare_write
from infusion_node.host import Clip
from tests.hosts.nuke.conftest import FIRST, LAST, Shot
from tests.hosts.nuke.fake_nuke.stage import Stage

if TYPE_CHECKING:
    import nuke


@pytest.fixture
def plate(node: nuke.Group, shot: Shot) -> nuke.Node:
    """The plate's Read, over DPX files."""
    read = node.input(0)
    assert read is not None
    files = shot.plate.replace(".exr", ".dpx")
    for frame in range(FIRST, LAST + 1):
        Path(files % frame).touch()
    read["file"].setValue(files)
    return read


def _asked(node: nuke.Group) -> tuple[str | None, str]:
    """The files that are handed over, if any, and the suffix of what is rendered."""
    found = sessions.session_of(node).host.footage(Clip.PLATE)
    assert found is not None
    return found.files, found.suffix


def test_a_raw_dpx_read_is_handed_over(
    node: nuke.Group, plate: nuke.Node, stage: Stage, stand_in: Callable[[str], Path]
) -> None:
    """Its code values are the file's own, so the engine gets the DPX files and writes DPX."""
    stand_in("finish")
    plate["raw"].setValue(True)
    buttons.inpaint(node)
    run = sessions.session_of(node).node.run
    assert (stage.messages, stage.rendered) == ([], [])
    assert run is not None
    assert str(plate["file"].value()) in run.job.read_text("utf-8")


def test_a_raw_dpx_read_that_is_shifted_is_rendered_to_dpx(
    node: nuke.Group, plate: nuke.Node
) -> None:
    """Code values have to stay code values; the Write gives them 10 bits, and no conversion."""
    plate["raw"].setValue(True)
    plate["frame_mode"].setValue("offset")
    plate["frame"].setValue("8")
    assert _asked(node) == (None, ".dpx")
    write = child(node, "plate_write")
    prepare_write(write, ".dpx")
    held = [write[name].value() for name in ("file_type", "datatype", "raw")]
    assert held == ["dpx", "10 bit", True]


@pytest.mark.parametrize("colorspace", ["sRGB", "linear"])
def test_a_converted_dpx_is_rendered_to_exr(
    node: nuke.Group, plate: nuke.Node, colorspace: str
) -> None:
    """What the Read has converted is light, which 10 bits without a curve would cut to bands."""
    plate["colorspace"].setValue(colorspace)
    assert _asked(node) == (None, ".exr")


def test_a_graded_dpx_is_rendered_to_exr(node: nuke.Group, plate: nuke.Node) -> None:
    """Behind another node nobody knows what the values are, and they may lie beyond 0 to 1."""
    import nuke

    plate["raw"].setValue(True)
    node.setInput(0, nuke.nodes.Grade(multiply=2.0, inputs=[plate]))
    assert _asked(node) == (None, ".exr")
