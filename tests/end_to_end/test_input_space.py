"""`--input-space`: the fill comes back in the plate's own space, and the plate keeps every bit."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import OpenImageIO as oiio  # noqa: N813
import pytest

if TYPE_CHECKING:
    from tests.end_to_end.conftest import Outcome, ShotFiles

Render = Callable[..., "Outcome"]
Channels = Callable[..., dict[str, np.ndarray]]
MakeShot = Callable[..., "ShotFiles"]
LAYER = ("infusion.R", "infusion.G", "infusion.B")
HUES = (1.0, 0.6, 0.3)


def read_picture(path: Path) -> np.ndarray:
    """(H, W, C) as stored."""
    source = oiio.ImageInput.open(str(path))
    assert source is not None
    return np.asarray(source.read_image(0, 0, 0, source.spec().nchannels, source.spec().format))


def write_picture(path: Path, pixels: np.ndarray, bits: int) -> None:
    """(H, W, C) as a picture of so many bits."""
    spec = oiio.ImageSpec(pixels.shape[1], pixels.shape[0], pixels.shape[2], str(pixels.dtype))
    spec["oiio:BitsPerSample"] = bits
    output = oiio.ImageOutput.create(path.name)
    assert output is not None, oiio.geterror()
    assert output.open(str(path), spec)
    assert output.write_image(np.ascontiguousarray(pixels))
    assert output.close()


def with_full_mattes(shot: ShotFiles) -> None:
    """Write the mattes of an integer shot anew, so that nothing of the plate shines through."""
    for frame, matte in shot.mattes.items():
        pixels = np.rint(matte * 255).astype(np.uint8)[:, :, None]
        write_picture(shot.folder / f"matte/hole.{frame}.png", pixels, 8)


def keys(cache: Path) -> set[str]:
    """What every fit and sample is called."""
    return {path.name for path in cache.glob("*/*/")}


def of_one_colour(value: float) -> Callable[[int, np.ndarray, np.ndarray], None]:
    """A plate of one colour everywhere but for its hidden part, which holds what must not count."""

    def change(frame: int, plate: np.ndarray, matte: np.ndarray) -> None:
        plate[...] = value * np.array(HUES)
        plate[matte > 0] = np.nan

    return change


@pytest.mark.parametrize(
    ("space", "value"),
    [("ACEScct", 0.5), ("lin_rec709", 60.0), ("lin_rec709", -3.0), ("sRGB - Texture", 0.8)],
)
def test_a_fill_of_known_light_is_written_as_the_plate_is(
    exr_shot: MakeShot,
    render: Render,
    channels: Channels,
    tmp_path: Path,
    *,
    space: str,
    value: float,
) -> None:
    """Where only one light is known the fill is that light: it comes out as the plate's own value.

    Within half precision, above 1 and below 0 too; outside the hole the bits are the plate's.
    """
    shot = exr_shot(tmp_path, of_one_colour(value))
    outcome = render(*shot.arguments(tmp_path / "out", tmp_path / "cache", "--input-space", space))
    assert outcome.code == 0, outcome.message
    assert outcome.warnings == ""
    for frame, plate in shot.plates.items():
        layer = channels(tmp_path / f"out/fire.{frame}.exr")
        hole = shot.mattes[frame] > 0
        for c, name in enumerate(LAYER):
            np.testing.assert_array_equal(
                layer[name][~hole].view(np.uint16), plate[~hole, c].view(np.uint16)
            )
            expected = np.float16(value * HUES[c])
            tolerance = abs(value) * 2.0**-10  # of the pixel's largest: primaries mix
            assert np.abs(layer[name][hole].astype(float) - float(expected)).max() <= tolerance


@pytest.mark.parametrize(
    ("suffix", "kind", "bits", "space"),
    [
        (".png", np.uint8, 8, "sRGB - Texture"),
        (".tif", np.uint16, 16, "lin_rec709"),
        (".dpx", np.uint16, 10, "ARRI LogC3 (EI800)"),
    ],
)
def test_integers_come_back_as_the_plates_codes(
    picture_shot: MakeShot,
    render: Render,
    tmp_path: Path,
    *,
    suffix: str,
    kind: type,
    bits: int,
    space: str,
) -> None:
    """A plate of one colour is filled with that very code; outside no sample changes."""
    attributes = {"oiio__BitsPerSample": bits} if suffix == ".dpx" else {}
    shot = picture_shot(tmp_path, suffix, kind, **attributes)
    step = 65535 / (2**bits - 1) if kind is np.uint16 else 1
    colour = np.rint(np.rint(np.array([700, 420, 210]) / 1023 * (2**bits - 1)) * step).astype(kind)
    for frame, matte in shot.mattes.items():
        plate = np.broadcast_to(colour, (*matte.shape, 3)).copy()
        plate[matte > 0] = 0
        write_picture(tmp_path / f"plate/fire.{frame}{suffix}", plate, bits)
    with_full_mattes(shot)
    outcome = render(*shot.arguments(tmp_path / "out", tmp_path / "cache", "--input-space", space))
    assert outcome.code == 0, outcome.message
    for frame, matte in shot.mattes.items():
        plate = read_picture(tmp_path / f"plate/fire.{frame}{suffix}")
        found = read_picture(tmp_path / f"out/fire.{frame}{suffix}")
        assert found.dtype == kind
        np.testing.assert_array_equal(found[matte == 0], plate[matte == 0])
        own = plate[matte == 0][0]
        np.testing.assert_allclose(found[matte == 1].astype(int), [own] * int((matte == 1).sum()))


def test_a_living_plate_changes_only_in_the_hole(
    picture_shot: MakeShot, render: Render, tmp_path: Path
) -> None:
    """With the option as without it, and nothing hidden counts: same keys, same bits."""
    shot = picture_shot(tmp_path, ".png", np.uint8)
    with_full_mattes(shot)
    space = ("--input-space", "srgb_tx")
    outcome = render(*shot.arguments(tmp_path / "out", tmp_path / "cache", *space))
    assert outcome.code == 0, outcome.message
    before = {}
    for frame, plate in shot.plates.items():
        found = before[frame] = read_picture(tmp_path / f"out/fire.{frame}.png")
        kept = (found == plate).all(axis=2)
        hole = shot.mattes[frame] > 0
        assert kept[~hole].all()
        assert kept[hole].mean() < 0.1
    for frame, matte in shot.mattes.items():
        path = tmp_path / f"plate/fire.{frame}.png"
        plate = read_picture(path)
        plate[matte > 0] = 255
        write_picture(path, plate, 8)
    again = render(*shot.arguments(tmp_path / "again", tmp_path / "cache2", *space))
    assert again.code == 0, again.message
    assert keys(tmp_path / "cache2") == keys(tmp_path / "cache")
    for frame, matte in shot.mattes.items():
        found = read_picture(tmp_path / f"again/fire.{frame}.png")
        np.testing.assert_array_equal(found[matte == 1], before[frame][matte == 1])


def test_another_space_is_another_key(exr_shot: MakeShot, render: Render, tmp_path: Path) -> None:
    """None, one, another: each is fitted anew; the same one by another name hits everything."""
    shot = exr_shot(tmp_path)
    for space, fitted in (
        ((), True),
        (("--input-space", "ACEScg"), True),
        (("--input-space", "lin_rec709"), True),
        (("--input-space", "Linear Rec.709 (sRGB)"), False),
        ((), False),
    ):
        outcome = render(*shot.arguments(tmp_path / "out", tmp_path / "cache", *space))
        assert outcome.code == 0, outcome.message
        assert bool(outcome.fitted) == fitted, space
        assert bool(outcome.hits) == (not fitted), space
        for plan in outcome.all("resolved", "plan"):
            assert (plan["plate"]["input_space"] is None) == (not space)
