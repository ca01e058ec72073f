"""Takes: several fills from one set of fits, each what its own seed alone would give."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import OpenEXR
import pytest

if TYPE_CHECKING:
    from tests.end_to_end.conftest import Outcome, ShotFiles

Render = Callable[..., "Outcome"]
Channels = Callable[..., dict[str, np.ndarray]]
ReadFiles = Callable[[Path], dict[str, bytes]]
ONE_TAKE = 24
"""Flushes to the disk until the first take is drawn: 4 for each of 3 fits and 3 samples."""


@dataclass(frozen=True)
class Seeds:
    """A shot and what seeds 5 and 6 make of it, each in a run and a cache of its own."""

    shot: ShotFiles
    """The plate and the matte."""
    folder: Path
    """Holds `5` and `6`: the frames."""


@pytest.fixture(scope="module")
def seeds(
    tmp_path_factory: pytest.TempPathFactory, exr_shot: Callable[..., ShotFiles], render: Render
) -> Seeds:
    """Two runs of one take each."""
    folder = tmp_path_factory.mktemp("seeds")
    shot = exr_shot(folder)
    for seed in ("5", "6"):
        cache = folder / f"cache{seed}"
        assert render(*shot.arguments(folder / seed, cache, "--seed", seed)).code == 0
    return Seeds(shot, folder)


def same(one: np.ndarray, other: np.ndarray) -> bool:
    """True where type and bits agree."""
    return one.dtype == other.dtype and one.tobytes() == other.tobytes()


def layer(found: dict[str, np.ndarray], name: str) -> dict[str, np.ndarray]:
    """The channels of one layer by their last letters."""
    return {c.rpartition(".")[2]: p for c, p in found.items() if c.startswith(f"{name}.")}


def working(outcome: Outcome) -> list[tuple[float, float]]:
    """(take, interval) of every report of fitting or sampling."""
    told = [e["figures"] for e in outcome.events if e.get("phase") == "inpainting" and "done" in e]
    return [(figures["take"], figures["interval"]) for figures in told]


@pytest.mark.parametrize("write", ["layer", "fill"])
def test_takes_stand_side_by_side_in_one_file(
    seeds: Seeds, render: Render, tmp_path: Path, channels: Channels, write: str
) -> None:
    """Layer `infusion2` of seed 5 is layer `infusion` of seed 6, bit for bit; nothing else changes.

    The second take fits nothing.
    """
    outcome = render(
        *seeds.shot.arguments(tmp_path / "out", tmp_path / "cache", "--seed", "5"),
        *("--takes", "2", "--write", write),
    )

    assert outcome.code == 0, outcome.message
    intervals = [e for e in outcome.events if e["event"] == "interval"]
    assert [(e["take"], e["index"], e["outcome"]) for e in intervals] == [
        *((1, index, "fitted") for index in range(3)),
        *((2, index, "hit") for index in range(3)),
    ]
    assert len(list((tmp_path / "cache" / "fits").iterdir())) == 3
    for frame in seeds.shot.plates:
        found = channels(tmp_path / "out" / f"fire.{frame}.exr")
        alone = [channels(seeds.folder / seed / f"fire.{frame}.exr") for seed in ("5", "6")]
        taken = [layer(found, name) for name in ("infusion", "infusion2")]
        for number in (0, 1):
            expected = layer(alone[number], "infusion")
            assert taken[number].keys() == expected.keys() == set("RGBA")
            assert all(same(taken[number][c], expected[c]) for c in "RGBA")
        assert not same(taken[0]["R"], taken[1]["R"])
        rest = {c: p for c, p in found.items() if "." not in c}
        plate = {c: p for c, p in alone[0].items() if "." not in c}
        assert rest.keys() == (plate.keys() if write == "layer" else set())
        assert all(same(rest[c], plate[c]) for c in rest)


def test_a_take_is_kept_under_its_seed(seeds: Seeds, render: Render, tmp_path: Path) -> None:
    """What was drawn as a take is found by its seed, and what its seed drew by the take."""
    cache = tmp_path / "cache"
    command = seeds.shot.arguments(tmp_path / "out", cache, "--seed", "5", "--takes", "2")
    assert render(*command).code == 0

    again = render(*seeds.shot.arguments(tmp_path / "six", cache, "--seed", "6"))
    more = render(*seeds.shot.arguments(tmp_path / "out", cache, "--seed", "4", "--takes", "3"))

    assert (again.code, again.fitted) == (0, [])
    assert "inpainting" not in again.phases
    assert (more.code, more.fitted) == (0, [])
    assert {take for take, _ in working(more)} == {1}


def test_merged_takes_are_what_their_seeds_write(
    seeds: Seeds, render: Render, tmp_path: Path, files: ReadFiles
) -> None:
    """`take2` holds the very files of the next seed, and the first take's stand above it."""
    merged = ("--write", "merged", "--seed")
    for seed in ("5", "6"):
        cache = seeds.folder / f"cache{seed}"
        render(*seeds.shot.arguments(tmp_path / seed, cache, *merged, seed))

    outcome = render(
        *seeds.shot.arguments(tmp_path / "out", seeds.folder / "cache5", *merged, "5"),
        *("--takes", "2"),
    )

    assert outcome.code == 0, outcome.message
    expected = files(tmp_path / "5")
    expected |= {f"take2/{name}": content for name, content in files(tmp_path / "6").items()}
    assert files(tmp_path / "out") == expected
    assert outcome.all("frame", "path").count(str(tmp_path / "out/take2/fire.1003.exr")) == 1
    assert outcome.all("finished", "frames") == [10]


def test_takes_of_a_format_without_layers(
    picture_shot: Callable[..., ShotFiles], render: Render, tmp_path: Path, files: ReadFiles
) -> None:
    """Each has a file of its own, with another fill."""
    shot = picture_shot(tmp_path, ".png", np.uint8)
    sheet = tmp_path / "sheet.png"
    outcome = render(
        *shot.arguments(tmp_path / "out", tmp_path / "cache"),
        *("--takes", "2", "--contact-sheet", str(sheet)),
    )

    assert outcome.code == 0, outcome.message
    found = files(tmp_path / "out")
    names = {f"fire.{frame}.png" for frame in shot.plates}
    assert found.keys() == names | {f"take2/{name}" for name in names}
    assert all(found[name] != found[f"take2/{name}"] for name in names)
    assert sheet.is_file()


@pytest.mark.parametrize("flushes", [ONE_TAKE + 5, ONE_TAKE + 9])
def test_killed_amid_the_second_take(
    seeds: Seeds, render: Render, tmp_path: Path, files: ReadFiles, flushes: int
) -> None:
    """The same command samples what is missing of it, nothing else, and ends with the same bits."""
    takes = ("--seed", "5", "--takes", "2")
    undisturbed = render(*seeds.shot.arguments(tmp_path / "whole", tmp_path / "c", *takes))
    assert undisturbed.code == 0
    command = seeds.shot.arguments(tmp_path / "out", tmp_path / "cache", *takes)
    assert render(*command, flushes=flushes).code == -9

    again = render(*command)

    assert (again.code, again.fitted) == (0, []), again.message
    missing = (flushes - ONE_TAKE) // 4
    assert {(take, interval) for take, interval in working(again)} == {
        (2, interval) for interval in range(missing, 3)
    }
    expected = files(tmp_path / "whole")
    assert expected.items() <= files(tmp_path / "out").items()


def test_progress_goes_on_over_all_takes(seeds: Seeds, render: Render, tmp_path: Path) -> None:
    """One count from nothing to the whole, whose figures tell the take."""
    outcome = render(
        *seeds.shot.arguments(tmp_path / "out", tmp_path / "cache", "--takes", "3"),
    )

    told = [e for e in outcome.events if e["event"] == "progress" and e["phase"] == "inpainting"]
    done = [event["done"] for event in told]
    assert done == sorted(done)
    assert {event["total"] for event in told} == {done[-1]}
    assert {(e["figures"]["take"], e["figures"]["takes"]) for e in told} >= {(1.0, 3.0), (3.0, 3.0)}


def test_a_plate_that_holds_a_take_already(
    seeds: Seeds, render: Render, tmp_path: Path, channels: Channels, files: ReadFiles
) -> None:
    """Its layer is replaced, which is said; with one take it is a channel like any other."""
    taken = seeds.shot.arguments(tmp_path / "first", seeds.folder / "cache5", "--takes", "2")
    assert render(*taken).code == 0
    plates = tmp_path / "shot" / "plate"
    plates.mkdir(parents=True)
    for path in (tmp_path / "first").iterdir():
        found = {c: p for c, p in channels(path).items() if not c.startswith("infusion.")}
        header = {"type": OpenEXR.scanlineimage, "compression": OpenEXR.ZIPS_COMPRESSION}
        OpenEXR.File([OpenEXR.Part(header, found, "")]).write(str(plates / path.name))
    (tmp_path / "shot" / "matte").symlink_to(seeds.shot.folder / "matte")
    shot = type(seeds.shot)(tmp_path / "shot", {}, {})
    cache = seeds.folder / "cache5"

    one = render(*shot.arguments(tmp_path / "one", cache, "--seed", "5"))
    two = render(*shot.arguments(tmp_path / "two", cache, "--seed", "5", "--takes", "2"))

    assert (one.code, two.code) == (0, 0), one.message + two.message
    assert "already holds" not in one.warnings
    assert "already holds a layer 'infusion2': it is replaced" in two.warnings
    for path in plates.iterdir():
        old = layer(channels(path), "infusion2")
        kept = layer(channels(tmp_path / "one" / path.name), "infusion2")
        new = channels(tmp_path / "two" / path.name)
        assert all(same(kept[c], old[c]) for c in "RGBA")
        six = layer(channels(seeds.folder / "6" / path.name), "infusion")
        assert all(same(layer(new, "infusion2")[c], six[c]) for c in "RGBA")
