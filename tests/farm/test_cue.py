"""An OpenCue spec has the same layers and dependencies, in the form that Cuebot reads."""

from __future__ import annotations

import shlex
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from infusion_engine.farm.cue import Show, write_spec
from infusion_engine.farm.steps import Fits
from infusion_engine.farm.template import Terms

if TYPE_CHECKING:
    from tests.farm.conftest import Shot

pytest.importorskip("outline", reason="pyoutline is not installed: pip install '.[opencue]'")

TERMS = Terms(frames=2, timeout_seconds=600, engine="/opt/infusion/bin/infusion-render")
WHERE = Show("film", "sh010")
ORDER = {
    "spec": "facility dept show shot user email uid job depends",
    "job": "paused priority maxretries maxcores maxgpus autoeat localbook os env layers",
    "layers": "layer",
    "layer": "cmd range chunk cores threadable memory gpus gpu gpu_memory timeout timeout_llu tags "
    "limits env services outputs",
    "services": "service",
    "depends": "depend",
    "depend": "depjob deplayer depframe onjob onlayer onframe",
    "env": "key",
    "outputs": "output",
}
"""What may stand in each element, in this order: as Cuebot's cjsl-1.15.dtd has it."""
NEEDED = {
    "spec": {"show", "shot", "user"},
    "layer": {"cmd", "range", "chunk"},
    "depend": {"depjob", "onjob"},
}
SEVERAL = {"layer", "depend", "service", "key", "output"}


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home without anything in it."""
    folder = tmp_path / "home"
    folder.mkdir()
    monkeypatch.setenv("HOME", str(folder))
    return folder


def spec(shot: Shot, fits: Fits = Fits.BASE, **changes: Any) -> ET.Element:
    """The spec of a job."""
    folder = shot.folder / "cue"
    write_spec(shot.farm(fits, **changes), folder, TERMS, WHERE)
    assert sorted(path.name for path in folder.iterdir()) == ["job.json", "spec.xml"]
    return ET.fromstring((folder / "spec.xml").read_text())  # noqa: S314 - our own


def layers(root: ET.Element) -> dict[str, dict[str, str]]:
    """What each layer says."""
    return {
        layer.attrib["name"]: {part.tag: (part.text or "") for part in layer}
        for layer in root.iter("layer")
    }


@pytest.mark.parametrize("device", ["cpu", "cuda"])
@pytest.mark.parametrize("fits", Fits)
def test_elements_stand_as_cuebot_wants_them(shot: Shot, fits: Fits, device: str) -> None:
    """Each where it may stand, in its order, and none missing that has to be there."""
    root = spec(shot, fits, device=device, takes=2)
    seen = 0
    for element in root.iter():
        allowed = ORDER.get(element.tag, "").split()
        inside = [child.tag for child in element]
        assert set(inside) <= set(allowed), element.tag
        assert inside == sorted(inside, key=allowed.index), element.tag
        assert NEEDED.get(element.tag, set()) <= set(inside)
        assert {tag for tag in inside if inside.count(tag) > 1} <= SEVERAL
        seen += 1
    assert seen > 50


def test_layers_are_the_steps(shot: Shot) -> None:
    """The same names, ranges and command lines, with Cuebot's words for which task it is."""
    found = layers(spec(shot, device="cuda", memory="4G", takes=2))
    assert {name: (one["range"], one["chunk"]) for name, one in found.items()} == {
        "Prepare": ("1-1", "1"),
        "Base": ("1-1", "1"),
        "Fit": ("1-3", "1"),
        "Sample": ("1-2", "1"),
        "Write": ("1001-1005", "2"),
    }
    fit = found["Fit"]
    assert (fit["cores"], fit["memory"], fit["gpus"], fit["gpu_memory"]) == (
        *("1.0", "2049m", "1", "4096m"),
    )
    assert "gpus" not in found["Write"]
    assert shlex.split(fit["cmd"]) == [
        *("/opt/infusion/bin/infusion-render", str(shot.folder / "plate")),
        *("--matte", str(shot.folder / "matte"), "--output", str(shot.folder / "out")),
        *("--cache", str(shot.folder / "cache"), "--job", str(shot.folder / "cue/job.json")),
        *("--stage", "fit", "--interval", "#IFRAME#", "--events", "plain"),
    ]
    assert shlex.split(found["Write"]["cmd"])[-4:-2] == [
        *("--write-frames", "#FRAME_START#-#FRAME_END#"),
    ]


@pytest.mark.parametrize("fits", Fits)
def test_dependencies_are_the_steps_own(shot: Shot, fits: Fits) -> None:
    """Whole layers wait for whole layers."""
    farm = shot.farm(fits)
    root = spec(shot, fits)
    found = {
        (one.findtext("deplayer"), one.findtext("onlayer"), one.attrib["type"])
        for one in root.iter("depend")
    }
    expected = {(s.name, name, "LAYER_ON_LAYER") for s in farm.steps for name in s.after}
    assert found == expected


def test_show_and_shot_are_what_was_asked_for(shot: Shot, home: Path) -> None:
    """And pyoutline leaves nothing behind in the user's home."""
    root = spec(shot)
    assert (root.findtext("show"), root.findtext("shot")) == ("film", "sh010")
    assert list(home.iterdir()) == []
