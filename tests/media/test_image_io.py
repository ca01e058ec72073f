"""Headers and pixels of raster frames, and what of them survives being written."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path

import numpy as np
import OpenImageIO as oiio  # noqa: N813
import pytest
from PIL import Image, ImageCms

from infusion_engine.errors import FrameError
from infusion_engine.media.image_io import (
    Format,
    PixelType,
    read_channels,
    read_header,
    write_raster,
)

METADATA = {
    "DateTime": "2020:01:02 03:04:05",
    "Artist": "somebody",
    "Copyright": "theirs",
    "ImageDescription": "a plate",
    "Software": "another program",
    "XResolution": 72.0,
    "YResolution": 72.0,
    "ResolutionUnit": "in",
    "Orientation": 3,
}


def write(path: Path, pixels: np.ndarray, **attributes: object) -> Path:
    """A file of those pixels through OpenImageIO, alpha as it stands."""
    height, width, channels = pixels.shape
    kind = {"float16": "half", "float32": "float"}.get(pixels.dtype.name, pixels.dtype.name)
    spec = oiio.ImageSpec(width, height, channels, kind)
    for name, value in {"oiio:UnassociatedAlpha": 1, **METADATA, **attributes}.items():
        spec[name] = value
    target = oiio.ImageOutput.create(str(path))
    assert target is not None
    assert target.open(str(path), spec), target.geterror()
    assert target.write_image(np.ascontiguousarray(pixels))
    target.close()
    return path


def noise(channels: int, dtype: type, size: tuple[int, int] = (13, 17)) -> np.ndarray:
    """Random pixels over the whole of the type's range, alpha included."""
    rng = np.random.default_rng(channels)
    if dtype is np.float32:
        return rng.normal(0, 100, (*size, channels)).astype(dtype)
    return rng.integers(0, np.iinfo(dtype).max + 1, (*size, channels)).astype(dtype)


def attributes(path: Path) -> dict[str, object]:
    """All that OpenImageIO finds in a header beside the pixels' own description."""
    source = oiio.ImageInput.open(str(path))
    assert source is not None
    found = {a.name: a.value for a in source.spec().extra_attribs}
    source.close()
    return found


NAMES = {1: ("Y",), 2: ("Y", "A"), 3: ("R", "G", "B"), 4: ("R", "G", "B", "A")}


@pytest.mark.parametrize(
    ("suffix", "dtype", "channels"),
    [(".png", t, c) for t in (np.uint8, np.uint16) for c in (1, 2, 3, 4)]
    + [(".tif", t, c) for t in (np.uint8, np.uint16, np.float32) for c in (1, 3, 4)],
)
def test_raster_pixels_and_metadata_survive(
    tmp_path: Path, suffix: str, dtype: type, channels: int
) -> None:
    """PNG and TIFF come back with every sample, alpha included, and their metadata."""
    pixels = noise(channels, dtype)
    source = write(tmp_path / f"a{suffix}", pixels)
    header = read_header(source)
    assert header.format is (Format.PNG if suffix == ".png" else Format.TIFF)
    assert header.parts[0].names == NAMES[channels]
    found = read_channels(header, part=0, names=NAMES[channels])
    assert found.dtype == dtype
    assert np.array_equal(found, pixels)

    target = tmp_path / f"b{suffix}"
    write_raster(header, found, target)

    again = read_header(target)
    assert again.parts == header.parts
    assert np.array_equal(read_channels(again, part=0, names=NAMES[channels]), pixels)
    before, after = attributes(source), attributes(target)
    lost = {name for name in before if before[name] != after.get(name)}
    assert lost <= {"tiff:RowsPerStrip"}
    assert set(METADATA) <= set(after)


@pytest.mark.parametrize("suffix", [".png", ".tif"])
def test_a_colour_profile_survives(tmp_path: Path, suffix: str) -> None:
    """The embedded ICC profile of a PNG or TIFF is the same bytes in the new file."""
    source, target = tmp_path / f"a{suffix}", tmp_path / f"b{suffix}"
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    Image.fromarray(noise(3, np.uint8)).save(source, icc_profile=profile)
    header = read_header(source)

    write_raster(header, read_channels(header, part=0, names=("R", "G", "B")), target)

    with Image.open(target) as image:
        assert image.info["icc_profile"] == profile


def test_a_tiled_tiff_with_extra_channels_becomes_strips(tmp_path: Path) -> None:
    """Tiles become strips, and a fifth channel is kept like the others."""
    pixels = noise(5, np.uint16, (40, 50))
    source = tmp_path / "a.tif"
    spec = oiio.ImageSpec(50, 40, 5, "uint16")
    spec.tile_width = spec.tile_height = 16
    output = oiio.ImageOutput.create(str(source))
    assert output is not None
    assert output.open(str(source), spec)
    assert output.write_image(pixels)
    output.close()
    header = read_header(source)
    assert header.parts[0].is_tiled

    write_raster(header, pixels, tmp_path / "b.tif")

    again = read_header(tmp_path / "b.tif")
    assert not again.parts[0].is_tiled
    assert again.parts[0].names == header.parts[0].names
    assert np.array_equal(read_channels(again, part=0, names=again.parts[0].names), pixels)


def test_a_jpeg_becomes_a_png_of_its_decoded_pixels(tmp_path: Path) -> None:
    """JPEG loses bits whenever it is written, so its decoded pixels go into a PNG."""
    source = write(tmp_path / "a.jpg", noise(3, np.uint8, (40, 50)))
    header = read_header(source)
    pixels = read_channels(header, part=0, names=("R", "G", "B"))
    assert header.format.output_suffix == ".png"
    assert header.parts[0].is_lossy

    write_raster(header, pixels, tmp_path / "b.png")

    again = read_header(tmp_path / "b.png")
    assert again.format is Format.PNG
    assert np.array_equal(read_channels(again, part=0, names=("R", "G", "B")), pixels)
    assert attributes(tmp_path / "b.png")["Artist"] == "somebody"


@pytest.mark.parametrize("mode", ["P", "1", "LA"])
def test_png_of_few_bits_is_read_as_what_it_shows(tmp_path: Path, mode: str) -> None:
    """Palette and bilevel PNG decode to 8 bit without a change of what is seen."""
    image = Image.fromarray(noise(3, np.uint8)).convert(mode)
    path = tmp_path / "a.png"
    image.save(path)
    header = read_header(path)

    found = read_channels(header, part=0, names=header.parts[0].names)

    shown = image.convert({"P": "RGB", "1": "L", "LA": "LA"}[mode])
    assert np.array_equal(found.reshape(-1), np.asarray(shown).reshape(-1))


@pytest.mark.parametrize(
    ("name", "mode", "says"),
    [
        ("a.tif", "CMYK", "CMYK"),
        ("a.jpg", "CMYK", "CMYK"),
        ("a.tif", "LAB", "CIELAB"),
        ("a.tif", "P", "palette"),
        ("a.tif", "1", "1 bits"),
        ("a.tif", "I", "type int"),
        ("a.gif", "P", "begins with b'GIF8'"),
    ],
)
def test_what_could_not_be_written_back_is_refused_by_name(
    tmp_path: Path, name: str, mode: str, says: str
) -> None:
    """Pictures whose decoded pixels are not what the file stores are refused, saying why."""
    path = tmp_path / name
    Image.fromarray(noise(3, np.uint8)).convert(mode).save(path)

    with pytest.raises(FrameError, match=says) as caught:
        read_header(path)

    assert str(path) in caught.value.message


@pytest.mark.parametrize("suffix", [".png", ".tif", ".jpg"])
@pytest.mark.parametrize("kept", [0.0, 0.01, 0.5, 0.98])
def test_truncated_frames_are_refused(tmp_path: Path, suffix: str, kept: float) -> None:
    """A raster file cut anywhere is a FrameError that names it; decoders do not always tell."""
    path = write(tmp_path / f"a{suffix}", noise(3, np.uint8, (80, 90)))
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * kept)])

    with pytest.raises(FrameError) as caught:
        read_channels(read_header(path), part=0, names=("R",))

    assert str(path) in caught.value.message


@pytest.mark.parametrize("suffix", [".png", ".tif", ".jpg"])
def test_a_header_that_claims_too_much_is_refused(tmp_path: Path, suffix: str) -> None:
    """A small file that claims gigabytes is refused before they are allocated."""
    path = write(tmp_path / f"a{suffix}", noise(3, np.uint8))
    content = bytearray(path.read_bytes())
    if suffix == ".png":
        content[16:24] = struct.pack(">II", 60000, 60000)
        content[29:33] = struct.pack(">I", zlib.crc32(content[12:29]))
    elif suffix == ".jpg":
        at = content.index(b"\xff\xc0") + 5
        content[at : at + 4] = struct.pack(">HH", 60000, 60000)
    else:
        for tag in (256, 257):
            entry = next(
                at
                for at in range(len(content))
                if content[at : at + 2] == tag.to_bytes(2, "little") and content[at + 2] in (3, 4)
            )
            content[entry + 2 : entry + 12] = struct.pack("<HII", 4, 1, 60000)
    path.write_bytes(content)

    with pytest.raises(FrameError, match="header claims") as caught:
        read_header(path)

    assert str(path) in caught.value.message


def test_the_first_bytes_tell_the_format(tmp_path: Path) -> None:
    """A PNG that is called .exr is a PNG; a text that is called .exr is refused."""
    path = write(tmp_path / "a.png", noise(3, np.uint8)).rename(tmp_path / "a.exr")
    assert read_header(path).format is Format.PNG

    path.write_text("not a picture")
    with pytest.raises(FrameError, match="EXR, DPX, PNG, TIFF or JPEG was expected"):
        read_header(path)
    with pytest.raises(FrameError, match="cannot be read: No such file"):
        read_header(tmp_path / "absent.exr")


def test_channels_come_in_the_order_asked_for(tmp_path: Path) -> None:
    """Names choose and order the channels; an unknown one is named beside those there are."""
    pixels = noise(4, np.uint16)
    header = read_header(write(tmp_path / "a.png", pixels))
    assert header.parts[0].channel("A").type is PixelType.UINT16

    found = read_channels(header, part=0, names=("A", "R", "B"))

    assert np.array_equal(found, pixels[:, :, [3, 0, 2]])
    with pytest.raises(FrameError, match="no channel 'Z'; it has R, G, B, A"):
        read_channels(header, part=0, names=("Z",))
