"""The report of real runs: complete, free of charge in bits, and never in the way."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from PIL import Image

if TYPE_CHECKING:
    import numpy as np

    from tests.end_to_end.conftest import Outcome, ShotFiles, Zygote

Render = Callable[..., "Outcome"]
ReadFiles = Callable[[Path], dict[str, bytes]]
EXR_SHOT = Callable[..., "ShotFiles"]


@pytest.fixture(scope="module")
def shot(tmp_path_factory: pytest.TempPathFactory, exr_shot: EXR_SHOT) -> ShotFiles:
    """A small shot."""
    return exr_shot(tmp_path_factory.mktemp("shot"))


def page(folder: Path) -> str:
    """The page of a report."""
    return (folder / "index.html").read_text("utf-8")


def previews(told: tuple[dict[str, Any], ...]) -> int:
    """How many previews a run told of."""
    return sum(event["event"] == "preview" for event in told)


def pictures(folder: Path) -> list[str]:
    """Names of its previews, in order."""
    return sorted(path.name for path in (folder / "pictures").glob("interval.*"))


def test_a_report_changes_no_bit(
    shot: ShotFiles, render: Render, files: ReadFiles, tmp_path: Path
) -> None:
    """The same frames, fits and samples with it and without it, under the same keys."""
    plain = render(*shot.arguments(tmp_path / "a", tmp_path / "ca"))
    told = render(*shot.arguments(tmp_path / "b", tmp_path / "cb", "--report", str(tmp_path / "r")))
    assert (plain.code, told.code) == (0, 0), plain.message + told.message
    assert files(tmp_path / "a") == files(tmp_path / "b")
    kept = [
        {n: c for n, c in files(tmp_path / cache).items() if n.endswith(".safetensors")}
        for cache in ("ca", "cb")
    ]
    assert kept[0]
    assert kept[0] == kept[1]


def test_previews_are_told_and_there(shot: ShotFiles, render: Render, tmp_path: Path) -> None:
    """One after each interval, a PNG that can be opened, and on the page."""
    outcome = render(
        *shot.arguments(tmp_path / "o", tmp_path / "c", "--report", str(tmp_path / "r"))
    )
    told = [Path(path) for path in outcome.all("preview", "path")]
    assert [path.name for path in told] == pictures(tmp_path / "r")
    assert [path.name[:11] for path in told] == ["interval.01", "interval.02", "interval.03"]
    for path in told:
        with Image.open(path) as picture:
            assert picture.format == "PNG"
            assert len(picture.getcolors(1 << 20) or []) > 100
        assert path.name in page(tmp_path / "r")
    kinds = [e["event"] for e in outcome.events if e["event"] in ("interval", "preview")]
    assert kinds == ["interval", "preview"] * 3


@pytest.mark.parametrize("interval", [1, 2])
def test_a_resumed_run_s_report_is_complete(
    shot: ShotFiles, zygote: Zygote, tmp_path: Path, interval: int
) -> None:
    """Killed amid an interval and run again: every interval has its picture, loss and time."""
    slow = ("--set", "steps_per_interval=40", "--set", "detail_steps_per_interval=40")
    command = shot.arguments(tmp_path / "o", tmp_path / "c", *slow, "--report", str(tmp_path / "r"))
    run = zygote.start(*command)
    run.until(lambda: previews(run.told()) == interval)
    run.killed()
    assert f"{interval} of 3 intervals done" in page(tmp_path / "r")
    before = pictures(tmp_path / "r")
    assert len(before) == interval

    again = zygote.start(*command).outcome()

    assert again.code == 0, again.message
    assert again.hits[:interval] == list(range(interval))
    found = pictures(tmp_path / "r")
    assert len(found) == 3
    assert found[:interval] == before
    assert all(name in page(tmp_path / "r") for name in found)
    assert "sampled by an earlier run, which" not in page(tmp_path / "r")
    assert page(tmp_path / "r").count('class="number">\u2013<') == interval  # their sampling alone


def test_a_cached_run_has_a_report_of_its_own(
    shot: ShotFiles, render: Render, tmp_path: Path
) -> None:
    """Into a fresh folder: the wipe, the last picture, every loss, and what the fits once took."""
    command = shot.arguments(tmp_path / "o", tmp_path / "c")
    assert render(*command).code == 0
    outcome = render(*command, "--report", str(tmp_path / "r"))
    assert (outcome.code, outcome.hits) == (0, [0, 1, 2])
    assert [name[:11] for name in pictures(tmp_path / "r")] == ["interval.03"]
    text = page(tmp_path / "r")
    assert "Interval 1, 2: sampled by an earlier run" in text
    assert text.count("<polyline") == 3
    assert 'points=""' not in text
    assert (tmp_path / "r/pictures/close.1003.fill.jpg").exists()
    assert text.count("from the cache</td>") == 3


def test_another_seed_takes_no_picture_of_the_first(
    shot: ShotFiles, render: Render, tmp_path: Path
) -> None:
    """In the same folder each sample has its own, and the page shows this run's."""
    command = shot.arguments(tmp_path / "o", tmp_path / "c", "--report", str(tmp_path / "r"))
    assert render(*command).code == 0
    first = pictures(tmp_path / "r")
    outcome = render(*command, "--seed", "1")
    own = {Path(path).name for path in outcome.all("preview", "path")}
    assert len(own) == 3
    assert not own & set(first)
    assert not [name for name in first if name in page(tmp_path / "r")]


def test_an_empty_matte_has_a_report_too(
    render: Render, exr_shot: EXR_SHOT, tmp_path: Path
) -> None:
    """There is nothing to show, and it says so."""

    def empty(frame: int, plate: np.ndarray, matte: np.ndarray) -> None:
        matte.fill(0.0)

    shot = exr_shot(tmp_path, empty)
    outcome = render(
        *shot.arguments(tmp_path / "o", tmp_path / "c", "--report", str(tmp_path / "r"))
    )
    assert outcome.code == 0, outcome.message
    assert "No frame that was written has a hole." in page(tmp_path / "r")
    assert "done in" in page(tmp_path / "r")


def test_a_report_that_cannot_be_written_is_refused_before_any_work(
    shot: ShotFiles, render: Render, tmp_path: Path
) -> None:
    """Exit code 5, the folder by name, and no frame has been looked at."""
    (tmp_path / "file").write_text("in the way")
    target = tmp_path / "file" / "r"
    outcome = render(*shot.arguments(tmp_path / "o", tmp_path / "c", "--report", str(target)))
    assert outcome.code == 5
    assert f"report folder '{target}'" in outcome.message
    assert outcome.phases == set()
    assert not (tmp_path / "o").exists()


def test_a_report_that_fails_amid_the_work_is_given_up(
    shot: ShotFiles, render: Render, files: ReadFiles, tmp_path: Path
) -> None:
    """One warning, every frame as without it, exit code 0."""
    blocked = tmp_path / "r" / "pictures" / "plate.png"
    blocked.mkdir(parents=True)
    plain = render(*shot.arguments(tmp_path / "a", tmp_path / "c"))
    outcome = render(
        *shot.arguments(tmp_path / "b", tmp_path / "c", "--report", str(tmp_path / "r"))
    )
    assert (plain.code, outcome.code) == (0, 0), outcome.message
    assert str(blocked) in outcome.warnings
    assert files(tmp_path / "a") == files(tmp_path / "b")
