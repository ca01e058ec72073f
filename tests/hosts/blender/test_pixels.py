"""What Blender's compositor renders of the node, compared bit for bit."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from tests.hosts.blender.shot import FRAMES, Shot, read_exr, write_exr

Play = Callable[..., Any]


def _rendered(folder: str, frame: int) -> dict[str, np.ndarray]:
    (path,) = Path(folder).glob(f"*{frame}.exr")
    return read_exr(path)


def _assert_is_layer(look: str, told: dict[str, Any], holes: dict[int, np.ndarray]) -> None:
    """What was rendered is the engine's layer, which differs from its plate inside the holes."""
    for frame in FRAMES:
        seen, engine = _rendered(look, frame), read_exr(Path(told["result"] % frame))
        for name in "RGB":
            layer = engine[f"infusion.{name}"].astype(np.float32)
            np.testing.assert_array_equal(seen[name], layer)
            assert (layer != engine[name].astype(np.float32))[holes[frame]].any()
        assert (seen["A"] == 1).all()


def test_files_go_as_they_are_and_come_back_as_a_layer(play: Play, shot: Shot) -> None:
    """Outside the matte the compositor gives the plate's bits, inside the engine's layer.

    The engine reads the plate's own files. Before and behind the result the plate goes through.
    Another take is seen at once, from the fits of the first.
    """
    looks = {"first_look": shot.look("first"), "second_look": shot.look("second")}
    told = play("files_as_they_are", **shot.arguments(), **looks)
    assert told["error"] == ""
    first = told["first"]
    assert (first["state"], first["first"], first["last"]) == ("done", 1001, 1004)
    assert first["folder"] == "//infusion/shot-Infusion_Inpaint"
    assert not list(shot.blend.parent.rglob("footage"))
    assert min(told["preview"]) > 1
    assert first["line"] in " ".join(told["panel"]["texts"])
    for frame in FRAMES:
        outside, plate = ~shot.hole(frame), shot.plate(frame)
        for look in looks.values():
            seen = _rendered(look, frame)
            for name in "RGB":
                expected = plate[name].astype(np.float32)
                np.testing.assert_array_equal(seen[name][outside], expected[outside])
    assert told["second"]["state"] == "done"
    _assert_is_layer(looks["second_look"], told["second"], {f: shot.hole(f) for f in FRAMES})
    for frame in FRAMES:  # the second take replaced the first on disk, so compare what was seen
        one, two = (_rendered(look, frame)["R"][shot.hole(frame)] for look in looks.values())
        assert (one != two).any()
    behind = _rendered(looks["first_look"], 1005)
    np.testing.assert_array_equal(behind["G"], shot.plate(1004)["G"].astype(np.float32))
    events = shot.blend.parent / "infusion/shot-Infusion_Inpaint/runs/0002/events.ndjson"
    assert '"outcome": "fitted"' not in events.read_text()


def test_what_nodes_compute_is_written_as_half_floats(play: Play, shot: Shot) -> None:
    """The engine gets what the nodes before the input give, and the artist's scene is untouched.

    The matte went through two inverters, which leaves it as it was.
    """
    look = shot.look("first")
    told = play("computed_inputs", **shot.arguments(), first_look=look)
    assert told["error"] == ""
    assert told["before"] == told["after"]
    footage = shot.blend.parent / "infusion/shot-Infusion_Inpaint/footage"
    for frame in FRAMES:
        plate, written = shot.plate(frame), read_exr(footage / f"plate/plate.{frame}.exr")
        for name in "RGB":
            assert written[name].dtype == np.float16
            np.testing.assert_array_equal(written[name], plate[name] * 2)
        matte = read_exr(footage / f"matte/matte.{frame}.exr")
        np.testing.assert_array_equal(matte["R"] > 0, shot.hole(frame))
        seen = _rendered(look, frame)
        outside = ~shot.hole(frame)
        np.testing.assert_array_equal(seen["B"][outside], plate["B"][outside] * np.float32(2))
    _assert_is_layer(look, told["first"], {frame: shot.hole(frame) for frame in FRAMES})
    assert not list(footage.rglob(".*"))


def _write_takes(shot: Shot) -> dict[str, str]:
    """Results as the engine writes them for two takes: layers, and files in folders."""
    for frame in FRAMES:
        plate = shot.plate(frame)
        takes = {
            f"infusion{number}.{name}": plate[name] + np.float16(add)
            for number, add in (("", 1), (2, 2))
            for name in "RGB"
        }
        write_exr(shot.folder / f"layers/fire.{frame}.exr", {**plate, **takes})
        for folder, add in (("merged", 3), ("merged/take2", 4)):
            merged = {name: plate[name] + np.float16(add) for name in "RGB"}
            write_exr(shot.folder / f"{folder}/fire.{frame}.exr", merged)
    return {name: str(shot.folder / name / "fire.%04d.exr") for name in ("layers", "merged")}


def test_the_take_that_is_chosen_is_seen(play: Play, shot: Shot) -> None:
    """Whether takes are layers of one file or files in folders; old images do not pile up."""
    names = ("first", "second", "merged_first", "merged_second")
    looks = {name: shot.look(name) for name in names}
    images = play("several_takes", **shot.arguments(), **_write_takes(shot), **looks)
    assert images == ["Infusion result"]
    for added, name in enumerate(names, start=1):
        for frame in FRAMES:
            is_shown = name in ("first", "second") or frame in (1002, 1003)
            expected = shot.plate(frame)["R"] + np.float16(added if is_shown else 0)
            np.testing.assert_array_equal(
                _rendered(looks[name], frame)["R"], expected.astype(np.float32)
            )


def test_nothing_is_rendered_or_rebuilt_while_blender_renders(play: Play, shot: Shot) -> None:
    """Presses are refused with a word; frames, a result and another take wait for the end."""
    told = play("while_blender_renders", **shot.arguments(), **_write_takes(shot))
    assert told["really"] is False  # Blender itself was asked, and knows such a job
    for press in ("press", "take"):
        assert "Blender is rendering. Press the button again when it is done." in told[press]
    assert (told["seed"], told["frames left"]) == (0, ["a frame"])
    assert told["meanwhile"] == [2, 0.5, 2]
    assert told["after"] == [0.5, None]
    assert told["undo steps"] == 1  # of what the timer has taken in
    assert told["shown"] == ["infusion2"]
    assert told["layer"] == "CompositorNodeSwitch"


def test_a_3d_render_is_a_plate_as_well(play: Play, shot: Shot) -> None:
    """What is written is what the scene renders at that frame and full size; the scene stays."""
    written, look = shot.folder / "written.exr", shot.look("look")
    told = play("rendered_in_3d", **shot.arguments(), written=str(written), look=look)
    assert told == {"frame": 1001, "percentage": 50, "scenes": 1}
    plate, seen = read_exr(written), _rendered(look, 1003)
    for name in "RGBA":
        np.testing.assert_array_equal(plate[name], seen[name].astype(np.float16))
    assert (plate["R"] != _rendered(look, 1001)["R"].astype(np.float16)).any()
