"""The shot: frames, handles, views, colour, and what is read of them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import OpenEXR
import pytest

from infusion_engine.errors import FrameError, InputError, MatteError, SequenceError, UsageError
from infusion_engine.media.box import Box
from infusion_engine.media.frame_range import FrameRange
from infusion_engine.media.image_io import PixelType
from infusion_engine.media.shot import (
    Shot,
    Transfer,
    check_layer_name,
    check_something_known,
    holds_layer,
    open_shot,
)
from infusion_node.wire.job import RenderJob

WritePicture = Callable[..., Path]
Channels = dict[str, np.ndarray]


def named(names: str, value: float = 0.5, dtype: type = np.float16) -> Channels:
    """Channels of these names (`"R G B A"`), 6 x 8 pixels of one value."""
    return {name: np.full((6, 8), value, dtype) for name in names.split()}


def opened(plate: Path, **job: object) -> Shot:
    """The shot of that plate; its A is the matte unless the job says otherwise."""
    return open_shot(RenderJob(str(plate), "out").overridden(**job))


def write_parts(path: Path, *parts: tuple[str, str | None, Channels]) -> Path:
    """A multi-part EXR of (name, view, channels)."""
    made = []
    for name, view, channels in parts:
        header = {"type": OpenEXR.scanlineimage} | ({"view": view} if view else {})
        made.append(OpenEXR.Part(header, channels, name))
    OpenEXR.File(made).write(str(path))
    return path


@pytest.fixture
def plate(tmp_path: Path, write_picture: WritePicture) -> Path:
    """Frames 1001 to 1010 with alpha, each frame's colour its own number over 1000."""
    for frame in range(1001, 1011):
        channels = named("R G B A") | named("R", frame / 1000)
        write_picture(tmp_path / f"plate/p.{frame}.exr", channels)
    return tmp_path / "plate"


@pytest.mark.parametrize(
    ("frames", "handles", "written", "read"),
    [
        (None, 0, "1001-1010", "1001-1010"),
        (None, 3, "1001-1010", "1001-1010"),
        ("1004-1005", 2, "1004-1005", "1002-1007"),
        ("1002-1009", 4, "1002-1009", "1001-1010"),
        ("1005", 0, "1005", "1005"),
    ],
)
def test_handles_are_read_as_far_as_they_exist(
    plate: Path, frames: str | None, handles: int, written: str, read: str
) -> None:
    """The frames to write are those asked for; handles stop at the plate's ends, and it is said."""
    shot = opened(plate, frames=frames, handles=handles)
    assert (str(shot.frames), str(shot.frames_read)) == (written, read)
    clipped = shot.frames_read != shot.frames.grown(handles)
    assert bool(shot.notes) == clipped
    assert not clipped or f"the frames {read} are read" in shot.notes[0]


@pytest.mark.parametrize("frames", ["1005", "1004-1007"])
def test_a_missing_frame_is_named(plate: Path, frames: str) -> None:
    """A hole in the range or in its handles is refused with the frame and its file name."""
    (plate / "p.1006.exr").unlink()
    with pytest.raises(SequenceError, match=r"Frame 1006 is missing.*p\.1006\.exr"):
        opened(plate, frames=frames, handles=1)
    assert len(opened(plate, frames="1001-1004", handles=1).frames_read) == 5


def test_frames_beyond_the_plate_are_named(plate: Path) -> None:
    """A range that reaches past the plate says which frames are not there."""
    with pytest.raises(SequenceError, match=r"1011, 1012.*p\.1011\.exr.*from 1001 to 1010"):
        opened(plate, frames="1008-1012")


@pytest.mark.parametrize(
    ("job", "words"),
    [
        ({"frames": "1010-1001"}, "reversed"),
        ({"frames": "all"}, "not a frame range"),
        ({"handles": -1}, "-1 handles"),
        ({"matte_grow": -2.0}, "cannot be grown"),
        ({"layer": "2nd"}, "beginning with a digit"),
        ({"view": "left"}, "has no views"),
    ],
)
def test_slips_of_the_job_are_usage_errors(plate: Path, job: dict[str, object], words: str) -> None:
    """What the job itself gets wrong is told before any file is blamed."""
    with pytest.raises(UsageError, match=words):
        opened(plate, **job)


def test_a_frame_is_read_bit_for_bit(tmp_path: Path, write_picture: WritePicture) -> None:
    """Every half, NaN and infinity included, comes as stored; those two are not valid."""
    halves = np.arange(65536, dtype=np.uint16).view(np.float16).reshape(256, 256)
    channels = {"R": halves, "G": halves.T.copy(), "B": halves, "A": np.zeros_like(halves)}
    frame = opened(write_picture(tmp_path / "p.1.exr", channels)).read_plate(1)
    expected = np.stack([halves, halves.T, halves], axis=2)
    np.testing.assert_array_equal(frame.pixels.view(np.uint16), expected.view(np.uint16))
    np.testing.assert_array_equal(frame.valid, np.isfinite(expected).all(axis=2))


def test_the_canvas_holds_every_data_window(tmp_path: Path, write_picture: WritePicture) -> None:
    """Frames of moving data windows lie at their places on one canvas, not valid elsewhere."""
    for frame, corner in ((1, (-2, 0)), (2, (3, 4))):
        write_picture(
            tmp_path / f"p.{frame}.exr", named("R G B A"), corner=corner, display=(0, 0, 10, 10)
        )
    shot = opened(tmp_path)
    assert (shot.canvas, shot.display_window) == (Box(-2, 0, 11, 10), Box(0, 0, 10, 10))
    second = shot.read_plate(2)
    inside = np.zeros((10, 13), np.bool_)
    inside[4:10, 5:13] = True
    np.testing.assert_array_equal(second.valid, inside)
    np.testing.assert_array_equal(second.pixels[:, :, 0], np.where(inside, 0.5, 0))
    np.testing.assert_array_equal(shot.read_matte(2), np.where(inside, np.float32(0.5), 0))


@pytest.mark.parametrize(
    ("name", "dtype", "expected"),
    [
        ("p.1.exr", np.float16, (PixelType.HALF, Transfer.SCENE_LINEAR)),
        ("p.1.exr", np.float32, (PixelType.FLOAT, Transfer.SCENE_LINEAR)),
        ("p.1.png", np.uint16, (PixelType.UINT16, Transfer.DISPLAY)),
        ("p.1.tif", np.uint8, (PixelType.UINT8, Transfer.DISPLAY)),
    ],
)
def test_what_the_numbers_mean_follows_from_their_type(
    tmp_path: Path,
    write_picture: WritePicture,
    name: str,
    dtype: type,
    expected: tuple[PixelType, Transfer],
) -> None:
    """Float pixels are scene-linear, integer pixels display-referred."""
    shot = opened(write_picture(tmp_path / name, named("R G B A", 1, dtype)))
    assert (shot.pixel_type, shot.transfer) == expected


def test_a_luminance_plate_has_its_channel_three_times(
    tmp_path: Path, write_picture: WritePicture
) -> None:
    """A lone Y is the colour of a grey plate."""
    path = write_picture(tmp_path / "p.1.png", named("Y", 7, np.uint8))
    matte = write_picture(tmp_path / "m.png", named("Y", 0, np.uint8))
    shot = opened(path, matte=str(matte))
    assert shot.colour == ("Y",)
    np.testing.assert_array_equal(shot.read_plate(1).pixels, np.full((6, 8, 3), 7, np.uint8))


@pytest.mark.parametrize(
    ("names", "colour"),
    [
        ("A B G R diffuse.B diffuse.G diffuse.R", ("R", "G", "B")),
        ("A albedo.R albedo.G albedo.B", ("albedo.R", "albedo.G", "albedo.B")),
        ("A rgba.R rgba.G rgba.B x.R x.G x.B", ("rgba.R", "rgba.G", "rgba.B")),
        ("A red green blue", ("red", "green", "blue")),
        ("A Y Z", ("Y",)),
    ],
)
def test_the_plates_colour_is_found(
    tmp_path: Path, write_picture: WritePicture, names: str, colour: tuple[str, ...]
) -> None:
    """R, G, B of the unnamed layer, else the only layer, else a lone Y."""
    assert opened(write_picture(tmp_path / "p.1.exr", named(names))).colour == colour


@pytest.mark.parametrize(
    ("names", "error", "words"),
    [
        ("A depth.Z normal.X", InputError, r"no colour.*depth\.Z"),
        ("A x.R x.G x.B y.R y.G y.B", InputError, "2 layers that could be the plate: x, y"),
        ("A Y RY BY", FrameError, "luminance and chroma"),
        ("A R G", InputError, "no colour"),
    ],
)
def test_a_plate_without_a_clear_colour_is_refused(
    tmp_path: Path, write_picture: WritePicture, names: str, error: type[Exception], words: str
) -> None:
    """Nothing is guessed: the channels or layers that there are stand in the message."""
    with pytest.raises(error, match=words):
        opened(write_picture(tmp_path / "p.1.exr", named(names)))


def test_integer_and_mixed_colour_is_refused(tmp_path: Path, write_picture: WritePicture) -> None:
    """uint32 colour, and R, G, B of several types, are refused by name."""
    whole = write_picture(tmp_path / "a/p.1.exr", named("R G B A", 1, np.uint32))
    with pytest.raises(FrameError, match=r"32-bit integers \(uint32\)"):
        opened(whole, matte=str(write_picture(tmp_path / "m.exr", named("A"))))
    mixed = write_picture(tmp_path / "b/p.1.exr", named("R A") | named("G B", 1, np.float32))
    with pytest.raises(FrameError, match="R is half, G is float"):
        opened(mixed)


@pytest.fixture
def two_views(tmp_path: Path) -> Path:
    """One frame with a part for each view."""
    return write_parts(
        tmp_path / "p.1.exr",
        ("rgba.left", "left", named("R G B A", 0.25)),
        ("depth.left", "left", named("Z", 1.0)),
        ("mask.right", "right", named("A", 0.125)),
        ("rgba.right", "right", named("R G B A", 0.75)),
    )


def test_several_views_need_a_choice(two_views: Path) -> None:
    """Neither eye is taken silently, and an unknown view lists those that there are."""
    with pytest.raises(UsageError, match=r"2 views: left, right.*--view"):
        opened(two_views)
    with pytest.raises(UsageError, match=r"'middle'.*views are left, right"):
        opened(two_views, view="middle")


def test_a_view_has_its_own_part_and_matte(two_views: Path) -> None:
    """Colour and matte come from the chosen view's parts; a part's name stands for its layer."""
    left, right = opened(two_views, view="left"), opened(two_views, view="right")
    assert (left.part, right.part) == (0, 3)
    assert left.read_plate(1).pixels.max() == 0.25
    assert right.read_matte(1).max() == 0.75
    assert opened(two_views, view="right", matte_channel="mask.A").read_matte(1).max() == 0.125


def test_views_in_one_part_are_told_by_their_channels(
    tmp_path: Path, write_picture: WritePicture
) -> None:
    """With `multiView`, plain names are the default view's and `left.R` is the other's."""
    channels = named("R G B A", 0.75) | named("left.R left.G left.B left.A", 0.25)
    path = write_picture(
        tmp_path / "p.1.exr", channels, attributes={"multiView": ("right", "left")}
    )
    right, left = opened(path, view="right"), opened(path, view="left")
    assert (right.colour, left.colour) == (("R", "G", "B"), ("left.R", "left.G", "left.B"))
    assert (right.read_matte(1).max(), left.read_matte(1).max()) == (0.75, 0.25)


def test_a_views_own_layer_comes_before_one_of_no_view(
    tmp_path: Path, write_picture: WritePicture
) -> None:
    """`x.left.R` is the left view's, though `x.R`, which belongs to no view, stands first."""
    channels = named("A left.A x.R x.G x.B") | named("x.left.R x.left.G x.left.B", 0.25)
    views = {"multiView": ("right", "left")}
    path = write_picture(tmp_path / "p.1.exr", channels, attributes=views)
    assert opened(path, view="left").colour == ("x.left.R", "x.left.G", "x.left.B")
    assert opened(path, view="right").colour == ("x.R", "x.G", "x.B")


def test_the_only_view_needs_no_choice(tmp_path: Path) -> None:
    """A file whose parts all say `main` is not stereo."""
    path = write_parts(
        tmp_path / "p.1.exr", ("a.main", "main", named("R G B A")), ("z", "main", named("Z"))
    )
    assert opened(path).view == opened(path, view="main").view == "main"


def test_the_main_picture_comes_before_other_parts(tmp_path: Path) -> None:
    """Where each layer is a part, the part named rgba holds the colour, wherever it stands."""
    path = write_parts(
        tmp_path / "p.1.exr", ("diffuse", None, named("R G B")), ("rgba", None, named("R G B A"))
    )
    assert opened(path).part == 1


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"display": (0, 0, 9, 6)}, r"display window is 9x6.*8x6"),
        ({"channels": "R G B A Z"}, r"channel set is .*Z.*"),
        ({"dtype": np.float32}, r"pixel type is .*float.*half"),
        ({"attributes": {"view": "left"}}, r"view is left.*none"),
    ],
)
def test_the_first_frame_that_is_not_like_the_others_is_named(
    plate: Path, write_picture: WritePicture, change: dict[str, object], words: str
) -> None:
    """Mixed sizes, channel sets, types and views are refused with both values."""
    change = dict(change)
    channels = named(str(change.pop("channels", "R G B A")), 0.5, change.pop("dtype", np.float16))  # type: ignore[arg-type]
    for frame in (1004, 1006):
        write_picture(plate / f"p.{frame}.exr", channels, **change)
    with pytest.raises(SequenceError, match=rf"{words}.*p\.1001\.exr") as caught:
        opened(plate)
    assert "p.1004.exr" in str(caught.value)
    assert len(opened(plate, frames="1007-1010").frames) == 4


def test_a_still_plate_is_one_frame(tmp_path: Path, write_picture: WritePicture) -> None:
    """A plate without a number is frame 1, or the one frame that is asked for."""
    path = write_picture(tmp_path / "plate.exr", named("R G B A"))
    assert opened(path, handles=5).frames_read == FrameRange(1, 1)
    assert opened(path, frames="42").frames == FrameRange(42, 42)
    with pytest.raises(SequenceError, match="without a frame number"):
        opened(path, frames="1-2")


@pytest.mark.parametrize("layer", ["infusion", "Infusion_2", "_x", "rgbx"])
def test_layer_names_that_every_host_takes(layer: str) -> None:
    """Letters, digits and underscores are a layer's name."""
    check_layer_name(layer)


@pytest.mark.parametrize("layer", ["", "2nd", "a.b", "a b", "a-b", "größe", "a\n", "rgba", "RGB"])
def test_layer_names_that_some_host_would_change(layer: str) -> None:
    """Empty names, leading digits, other characters and the main layer's own names are refused."""
    with pytest.raises(UsageError, match="layer's name"):
        check_layer_name(layer)


@pytest.mark.parametrize("name", ["infusion.R", "infusion.red", "infusion.A"])
def test_a_layer_that_is_already_there_is_seen(
    tmp_path: Path, write_picture: WritePicture, name: str
) -> None:
    """A plate that already holds the layer, in either spelling, can be told."""
    shot = opened(write_picture(tmp_path / "p.1.exr", named(f"R G B A {name}")))
    assert holds_layer(shot, "infusion")
    assert not holds_layer(shot, "infusio")


def test_a_layer_may_not_replace_what_is_read(
    tmp_path: Path, write_picture: WritePicture, two_views: Path
) -> None:
    """The plate's colour, its matte and its views cannot be the layer."""
    path = write_picture(tmp_path / "q/p.1.exr", named("beauty.R beauty.G beauty.B mask.A A"))
    with pytest.raises(UsageError, match="plate's colour"):
        opened(path, layer="beauty")
    with pytest.raises(UsageError, match="plate's matte"):
        opened(path, layer="mask", matte_channel="mask.A")
    with pytest.raises(UsageError, match="is a view"):
        opened(two_views, view="left", layer="right")


def test_a_matte_that_leaves_nothing_is_refused(plate: Path) -> None:
    """Nothing known on any frame is an error that names the matte and the way out."""
    shot = opened(plate)
    check_something_known(shot, 1)
    with pytest.raises(MatteError, match=r"channel A.*1001-1010.*--matte-invert"):
        check_something_known(shot, 0)


def test_footage_opens(outside_media: Path) -> None:
    """Real PNG and JPEG plates open with their mattes, whose holes cover a part of the frame."""
    for clip in ("flames", "chatelet"):
        folder = outside_media / "footage" / clip
        shot = opened(folder / "plate", matte=str(folder / "matte"))
        assert shot.frames.first == 1001
        assert shot.transfer is Transfer.DISPLAY
        hole = shot.read_matte(1003) > 0
        assert 0 < hole.mean() < 0.5
        assert hole.shape == shot.read_plate(1003).valid.shape
