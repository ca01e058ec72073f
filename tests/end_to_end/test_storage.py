"""Storage: full and read-only disks, damaged cache entries; nothing is ever half written."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import OpenEXR
import pytest

if TYPE_CHECKING:
    from tests.end_to_end.conftest import Outcome, ShotFiles

Render = Callable[..., "Outcome"]
ReadFiles = Callable[[Path], dict[str, bytes]]


@contextmanager
def mounted(folder: Path, options: str) -> Iterator[Path]:
    """A small filesystem of its own; skips where this user may not mount one."""
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(folder)]
    try:
        outcome = subprocess.run(mount, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        pytest.skip("this system has no mount command")
    if outcome.returncode:
        pytest.skip(f"no disk can be mounted here: {outcome.stderr.strip()}")
    try:
        yield folder
    finally:
        subprocess.run(["umount", str(folder)], check=True)


def verified(cache: Path) -> subprocess.CompletedProcess[str]:
    """What `infusion-cache verify` says of a cache."""
    command = [sys.executable, "-m", "infusion_engine.cli.cache", "verify", "--cache", str(cache)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def check_refusal(outcome: Outcome, folder: Path, words: str) -> None:
    """Exit code 5 and one message that names the folder and the cause."""
    assert outcome.code == 5, outcome
    assert "Traceback" not in outcome.message
    assert str(folder) in outcome.message
    assert words in outcome.message
    last = outcome.events[-1]
    assert (last["event"], last["code"], last["exit_code"]) == ("failed", "storage", 5)
    assert last["message"] in outcome.message


def test_an_output_disk_that_fills_up(
    exr_shot: Callable[..., ShotFiles], render: Render, files: ReadFiles, tmp_path: Path
) -> None:
    """The frames before are whole, the one that did not fit is not there, and more room helps."""
    shot = exr_shot(tmp_path, frames=range(1001, 1011))
    whole = render(*shot.arguments(tmp_path / "whole", tmp_path / "cache"))
    assert whole.code == 0, whole.message
    expected = files(tmp_path / "whole")
    assert sum(map(len, expected.values())) > 120_000
    with mounted(tmp_path / "disk", "size=100k") as disk:
        command = shot.arguments(disk / "out", tmp_path / "cache")

        outcome = render(*command)

        check_refusal(outcome, disk / "out", "No space left on device")
        found = files(disk / "out")
        assert 0 < len(found) < len(expected)
        assert found.items() <= expected.items()
        assert outcome.all("frame", "frame") == [int(name.split(".")[1]) for name in found]
        subprocess.run(["mount", "-o", "remount,size=1m", str(disk)], check=True)
        again = render(*command)
        assert (again.code, again.fitted) == (0, [])
        assert files(disk / "out") == expected


def test_an_output_disk_that_is_full(
    exr_shot: Callable[..., ShotFiles], render: Render, files: ReadFiles, tmp_path: Path
) -> None:
    """It takes an empty file and no byte of it: noticed before anything is computed."""
    shot = exr_shot(tmp_path)
    with mounted(tmp_path / "disk", "size=4k") as disk:
        outcome = render(*shot.arguments(disk / "out", tmp_path / "cache"))
        assert files(disk) == {}
    check_refusal(outcome, disk / "out", "No space left on device")
    assert outcome.phases == set()
    assert files(tmp_path / "cache") == {}


def test_a_cache_disk_that_fills_up(
    exr_shot: Callable[..., ShotFiles], render: Render, files: ReadFiles, tmp_path: Path
) -> None:
    """No frame is written, what was saved is sound, and with more room the run goes on."""
    shot = exr_shot(tmp_path)
    assert render(*shot.arguments(tmp_path / "whole", tmp_path / "cache")).code == 0
    one = sum(map(len, files(tmp_path / "cache/fits").values())) // 3
    with mounted(tmp_path / "disk", "size=4m") as disk:
        ballast = disk / "ballast"
        command = shot.arguments(tmp_path / "out", disk / "cache")
        room = max(one * 2, 80 * 1024) // 4096 * 4096
        ballast.write_bytes(bytes(4 * 1024 * 1024 - room))

        outcome = render(*command)

        check_refusal(outcome, disk / "cache", "the disk is full")
        assert files(tmp_path / "out") == {}
        assert len(outcome.fitted) in (0, 1, 2)
        check = verified(disk / "cache")
        assert check.returncode == 0, check.stdout + check.stderr
        ballast.unlink()
        again = render(*command)
        assert again.code == 0, again.message
        assert again.hits == outcome.fitted
        assert files(tmp_path / "out") == files(tmp_path / "whole")


@pytest.mark.parametrize("which", ["output", "cache"])
def test_a_read_only_disk(
    exr_shot: Callable[..., ShotFiles],
    render: Render,
    files: ReadFiles,
    tmp_path: Path,
    which: str,
) -> None:
    """It is noticed before anything is computed."""
    shot = exr_shot(tmp_path)
    with mounted(tmp_path / "disk", "size=1m,ro") as disk:
        output = disk / "out" if which == "output" else tmp_path / "out"
        cache = disk / "cache" if which == "cache" else tmp_path / "cache"
        outcome = render(*shot.arguments(output, cache))
    check_refusal(outcome, disk / ("out" if which == "output" else "cache"), "read-only")
    assert outcome.phases <= {"loading"}
    assert files(tmp_path / "out") == {}


def test_killed_while_writing(
    exr_shot: Callable[..., ShotFiles], render: Render, files: ReadFiles, tmp_path: Path
) -> None:
    """Killed between a frame's bytes and its name: what has a final name is complete.

    The torn file begins with a dot; the plate's sequence and the next run do not see it.
    """
    shot = exr_shot(tmp_path)
    command = shot.arguments(tmp_path / "out", tmp_path / "cache")
    assert render(*command).code == 0
    expected = files(tmp_path / "out")
    shutil.rmtree(tmp_path / "out")
    # Two flushes a frame, the file's and the folder's: this is amid the third frame.
    killed = render(*command, flushes=4)

    assert killed.code == -9
    found = files(tmp_path / "out")
    torn = [name for name in found if name.startswith(".")]
    assert (len(found), len(torn)) == (3, 1)
    assert {name: found[name] for name in found if name not in torn}.items() <= expected.items()
    for name in found.keys() - set(torn):
        with OpenEXR.File(str(tmp_path / "out" / name)) as frame:
            assert len(frame.parts) == 1
    again = render(*command)
    assert (again.code, again.fitted) == (0, [])
    assert expected.items() <= files(tmp_path / "out").items()


def cut(path: Path) -> None:
    """Half of the file is gone."""
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def emptied(path: Path) -> None:
    """The file has no bytes."""
    path.write_bytes(b"")


def flipped(path: Path) -> None:
    """One bit near the end is another."""
    content = bytearray(path.read_bytes())
    content[-5] ^= 0x10
    path.write_bytes(bytes(content))


def removed(path: Path) -> None:
    """The file is gone, its folder stays."""
    path.unlink()


@pytest.mark.parametrize("damage", [cut, emptied, flipped, removed])
@pytest.mark.parametrize("name", ["weights.safetensors", "record.json"])
def test_a_damaged_fit_is_fitted_again(
    exr_shot: Callable[..., ShotFiles],
    render: Render,
    files: ReadFiles,
    tmp_path: Path,
    *,
    damage: Callable[[Path], None],
    name: str,
) -> None:
    """It is noticed, told, and fitted again from the fit before it, to the same bits."""
    shot = exr_shot(tmp_path)
    command = shot.arguments(tmp_path / "out", tmp_path / "cache", "--seed", "3")
    first = render(*command)
    expected = files(tmp_path / "out")
    fits = sorted(
        (tmp_path / "cache/fits").iterdir(), key=lambda entry: (entry / "record.json").stat().st_ino
    )
    shutil.rmtree(tmp_path / "cache/samples")  # or no fit would be looked at
    damage(fits[1] / name)

    again = render(*command)

    assert (first.code, again.code) == (0, 0), again.message
    assert len(again.fitted) == 1
    assert sorted(again.hits + again.fitted) == [0, 1, 2]
    assert str(fits[1]) in again.warnings
    assert "damaged" in again.warnings
    assert files(tmp_path / "out") == expected
    assert verified(tmp_path / "cache").returncode == 0


@pytest.mark.parametrize("damage", [cut, emptied, flipped, removed])
def test_a_damaged_sample_is_drawn_again(
    exr_shot: Callable[..., ShotFiles],
    render: Render,
    files: ReadFiles,
    tmp_path: Path,
    damage: Callable[[Path], None],
) -> None:
    """The last sample, from which frames are written, is never trusted when it is not whole."""
    shot = exr_shot(tmp_path)
    command = shot.arguments(tmp_path / "out", tmp_path / "cache")
    assert render(*command).code == 0
    expected = files(tmp_path / "out")
    (sample,) = (tmp_path / "cache/samples").iterdir()
    damage(sample / "sample.safetensors")

    again = render(*command)

    assert (again.code, again.hits, again.fitted) == (0, [0, 1, 2], []), again.message
    assert str(sample) in again.warnings
    assert files(tmp_path / "out") == expected
