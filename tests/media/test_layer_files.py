"""Writing a frame: formats without layers, the plate left alone, nothing half done."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import OpenEXR
import OpenImageIO as oiio  # noqa: N813
import pytest

from infusion_engine.errors import StorageError, UsageError
from infusion_engine.media.box import Box
from infusion_engine.media.image_io import FrameHeader, read_channels, read_header
from infusion_engine.media.layer import Fill, WriteMode, write_frame

WIDTH, HEIGHT = 20, 12


@dataclass(frozen=True)
class OnePlate:
    """A shot of one file, whatever frame is asked for."""

    path: Path
    colour: tuple[str, ...] = ("R", "G", "B")
    part: int = 0

    def header(self, frame: int) -> FrameHeader:
        """The file's header."""
        return read_header(self.path)


def write_exr_plate(path: Path, dtype: type = np.float16) -> Path:
    """A frame of random pixels."""
    rng = np.random.default_rng(5)
    channels: dict[str, np.ndarray] = {
        name: rng.random((HEIGHT, WIDTH)).astype(dtype) for name in "RGBA"
    }
    header = {"type": OpenEXR.scanlineimage, "compression": OpenEXR.ZIP_COMPRESSION}
    OpenEXR.File(header, channels).write(str(path))
    return path


def some_fill() -> Fill:
    """A fill with a soft matte."""
    matte = np.zeros((5, 8), np.float32)
    matte[1:4, :7] = 0.25
    return Fill(Box(2, 3, 10, 8), np.full((5, 8, 3), 2.5, np.float32), matte)


def write_raster_plate(path: Path, dtype: str, repeats: int = 1) -> np.ndarray:
    """A frame of random pixels with alpha, `repeats` times as high, through OpenImageIO."""
    channels = 3 if path.suffix == ".dpx" else 4
    rng = np.random.default_rng(4)
    plate = rng.integers(0, np.iinfo(dtype).max, (HEIGHT * repeats, WIDTH, channels)).astype(dtype)
    spec = oiio.ImageSpec(WIDTH, HEIGHT * repeats, channels, dtype)
    spec["oiio:UnassociatedAlpha"] = 1
    target = oiio.ImageOutput.create(str(path))
    assert target is not None
    assert target.open(str(path), spec)
    assert target.write_image(plate)
    target.close()
    return plate


@pytest.mark.parametrize("mode", list(WriteMode))
@pytest.mark.parametrize(
    ("name", "dtype", "full"),
    [("a.png", "uint8", 255), ("a.png", "uint16", 65535), ("a.tif", "uint16", 65535),
     ("a.dpx", "uint8", 255), ("a.dpx", "uint16", 65535)],
)  # fmt: skip
def test_formats_without_layers_are_merged(
    tmp_path: Path, name: str, dtype: str, full: int, mode: WriteMode
) -> None:
    """DPX, PNG and TIFF take the fill under the matte, whatever was asked, and nothing else."""
    source = tmp_path / name
    plate = write_raster_plate(source, dtype)
    fill = Fill(Box(2, 3, 6, 6), np.full((3, 4, 3), 0.6, np.float32), np.zeros((3, 4), np.float32))
    fill.matte[1, 1:3] = [1.0, 0.5]
    target = tmp_path / f"out{source.suffix}"

    write_frame(OnePlate(source), 1, fill=fill, target=target, layer="i", mode=mode)

    header = read_header(target)
    found = read_channels(header, part=0, names=header.parts[0].names)
    expected = plate.copy()
    expected[4, 3, :3] = round(0.6 * full)
    blend = 0.3 * full + 0.5 * plate[4, 4, :3].astype(float)
    assert np.abs(found[4, 4, :3] - blend).max() <= 0.51
    expected[4, 4, :3] = found[4, 4, :3]
    assert np.array_equal(found, expected)


def test_frames_that_pass_through_are_copied(tmp_path: Path) -> None:
    """Without a fill a DPX, PNG or TIFF is the plate's own bytes; a JPEG becomes a PNG."""
    for name in ("a.png", "a.tif", "a.dpx"):
        write_raster_plate(tmp_path / name, "uint8")
        target = tmp_path / f"out{Path(name).suffix}"
        write_frame(
            OnePlate(tmp_path / name), 1, fill=None, target=target, layer="i", mode=WriteMode.LAYER
        )
        assert target.read_bytes() == (tmp_path / name).read_bytes()

    write_raster_plate(tmp_path / "a.jpg", "uint8")
    write_frame(
        OnePlate(tmp_path / "a.jpg"), 1, fill=None, target=tmp_path / "j.png", layer="i",
        mode=WriteMode.LAYER,
    )  # fmt: skip
    names = ("R", "G", "B")
    assert np.array_equal(
        read_channels(read_header(tmp_path / "j.png"), part=0, names=names),
        read_channels(read_header(tmp_path / "a.jpg"), part=0, names=names),
    )


def test_the_plate_is_never_overwritten(tmp_path: Path) -> None:
    """Writing onto the plate's own file, by whatever name, is refused and leaves it alone."""
    source = write_exr_plate(tmp_path / "plate.exr")
    alias = tmp_path / "alias.exr"
    alias.symlink_to(source)
    before = source.read_bytes()

    with pytest.raises(UsageError, match="the plate itself"):
        write_frame(OnePlate(source), 1, fill=None, target=alias, layer="i", mode=WriteMode.LAYER)

    assert source.read_bytes() == before


def test_nothing_is_left_behind(tmp_path: Path) -> None:
    """A written frame leaves no temporary, and a failed one neither a temporary nor a frame."""
    source = write_exr_plate(tmp_path / "plate.exr")
    folder = tmp_path / "new" / "folder"
    shot = OnePlate(source)

    write_frame(shot, 1, fill=None, target=folder / "o.exr", layer="i", mode=WriteMode.LAYER)
    assert [path.name for path in folder.iterdir()] == ["o.exr"]

    blocked = folder / "o.exr" / "below.exr"
    with pytest.raises(StorageError, match="Not a directory") as caught:
        write_frame(shot, 1, fill=None, target=blocked, layer="i", mode=WriteMode.LAYER)
    assert str(blocked) in caught.value.message
    (folder / "taken.exr").mkdir()
    with pytest.raises(StorageError, match=r"taken\.exr could not be written"):
        write_frame(
            shot, 1, fill=None, target=folder / "taken.exr", layer="i", mode=WriteMode.LAYER
        )
    assert sorted(path.name for path in folder.iterdir()) == ["o.exr", "taken.exr"]


def test_old_leftovers_of_killed_runs_are_removed(tmp_path: Path) -> None:
    """A frame's own leftovers go once they are an hour old; younger ones may be at work."""
    source = write_exr_plate(tmp_path / "plate.exr")
    folder = tmp_path / "out"
    folder.mkdir()
    names = [".f.1001.aa.part.exr", ".f.1001.bb.part.exr", ".f.1002.cc.part.exr"]
    for name in names:
        (folder / name).touch()
    for name in (names[0], names[2]):
        os.utime(folder / name, (0, 0))

    write_frame(
        OnePlate(source), 1001, fill=None, target=folder / "f.1001.exr", layer="i",
        mode=WriteMode.LAYER,
    )  # fmt: skip

    assert sorted(path.name for path in folder.iterdir()) == [names[1], names[2], "f.1001.exr"]


FULL_DISK = """
import subprocess, sys
from pathlib import Path
sys.path[:0] = [sys.argv[4]]
import importlib.util
from infusion_engine.errors import StorageError
spec = importlib.util.spec_from_file_location("plates", sys.argv[5])
plates = importlib.util.module_from_spec(spec)
sys.modules["plates"] = plates
spec.loader.exec_module(plates)
source, mount, options = Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3]
subprocess.run(["mount", "-t", "tmpfs", "-o", options, "none", mount], check=True)
fill = plates.some_fill()
try:
    plates.write_frame(plates.OnePlate(source), 1, fill=fill, target=mount / f"o{source.suffix}",
                       layer="i", mode=plates.WriteMode.LAYER)
except StorageError as error:
    print(error.exit_code, error.message, sorted(p.name for p in mount.iterdir()))
"""


@pytest.mark.parametrize("suffix", [".exr", ".png"])
@pytest.mark.parametrize(
    ("options", "cause"),
    [("size=4k", "No space left on device"), ("ro", "Read-only file system")],
)
def test_a_disk_that_cannot_be_written_is_named(
    tmp_path: Path, options: str, cause: str, suffix: str
) -> None:
    """A full and a read-only disk end in exit code 5, the path and the cause, and no file."""
    namespace = ["unshare", "--map-root-user", "--mount"]
    if (
        shutil.which("unshare") is None
        or subprocess.run([*namespace, "true"], capture_output=True, check=False).returncode
    ):
        pytest.skip("this system allows no mount namespace of one's own")
    source = tmp_path / f"plate{suffix}"
    if suffix == ".exr":
        write_exr_plate(source, np.float32)
    else:
        write_raster_plate(source, "uint16", repeats=10)
    mount = tmp_path / "disk"
    mount.mkdir()

    run = subprocess.run(
        [*namespace, sys.executable, "-c", FULL_DISK, str(source), str(mount), options,
         str(Path(__file__).parent), __file__],
        capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip

    assert run.returncode == 0, run.stderr
    assert run.stdout.startswith("5 "), run.stdout
    assert str(mount / f"o{suffix}") in run.stdout
    assert cause in run.stdout
    assert run.stdout.rstrip().endswith("[]")
