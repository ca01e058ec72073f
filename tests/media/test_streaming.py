"""Streaming: survey, reading and writing hold one frame at a time, however many there are."""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from infusion_engine.media import survey as survey_module
from infusion_engine.media.box import Box
from infusion_engine.media.encoding import Curve, Encoding
from infusion_engine.media.layer import Fill, WriteMode, write_frame
from infusion_engine.media.read_frames import read_frames
from infusion_engine.media.region import Region
from infusion_engine.media.shot import Shot, open_shot
from infusion_engine.media.survey import survey
from infusion_node.wire.job import RenderJob

WIDTH, HEIGHT = 256, 160
FRAME_BYTES = WIDTH * HEIGHT * 3 * 4
FEW, MANY = 3, 11
HOLE = Box(40, 32, 56, 48)


@pytest.fixture(scope="module")
def shoot(
    tmp_path_factory: pytest.TempPathFactory, write_picture: Callable[..., Path]
) -> Callable[[int], Shot]:
    """Opens a shot of so many float frames that do not compress, with a small hole."""
    folder = tmp_path_factory.mktemp("streaming")
    rng = np.random.default_rng(3)
    matte = np.zeros((HEIGHT, WIDTH), np.float32)
    matte[HOLE.slices(Box(0, 0, WIDTH, HEIGHT))] = 1.0
    for frame in range(1, MANY + 1):
        colours = {name: rng.random((HEIGHT, WIDTH), np.float32) for name in "RGB"}
        write_picture(folder / f"plate/p.{frame:02d}.exr", {**colours, "A": matte})

    def opened(frames: int) -> Shot:
        plate = str(folder / "plate")
        return open_shot(RenderJob(plate, str(folder / "out"), frames=f"1-{frames}"))

    return opened


def peak(work: Callable[[], object]) -> int:
    """The most bytes that were held at once on account of `work`."""
    tracemalloc.start()
    try:
        work()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def check_streamed(work: Callable[[Shot], object], shoot: Callable[[int], Shot]) -> None:
    """Eight frames more cost less than half of one, so that not a byte of each pixel is kept."""
    few, many = shoot(FEW), shoot(MANY)
    work(few)  # whatever is made once and kept is there from now on
    peaks = [peak(lambda: work(few)), peak(lambda: work(many))]
    assert peaks[0] > FRAME_BYTES, "frames are not seen where they lie"
    assert peaks[1] - peaks[0] < FRAME_BYTES / 2, peaks


def ignore(done: int, total: int) -> None:
    """Progress that nobody looks at."""


def drop(*frame: object) -> None:
    """A frame that nobody keeps."""


def test_the_survey_keeps_a_few_values_of_each_frame(
    shoot: Callable[[int], Shot], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The values that the encoding is chosen from, and not the arrays they were taken from."""
    monkeypatch.setattr(survey_module, "_VALUES_PER_FRAME", 100)
    check_streamed(lambda shot: survey(shot, mode=WriteMode.LAYER, on_frame=ignore), shoot)


def test_reading_holds_one_frame(shoot: Callable[[int], Shot]) -> None:
    """Outside the region nothing is kept; inside it, what the caller makes of it."""
    box = HOLE.grown(8)
    region = Region(box, box.width, box.height)
    encoding = Encoding(Curve.STRAIGHT, knee=0.0, low=0.0, high=1.0)

    def work(shot: Shot) -> None:
        read_frames(
            shot,
            region,
            encoding,
            on_bits=drop,
            on_clip=drop,
            on_frame=ignore,
        )

    check_streamed(work, shoot)


def test_writing_holds_one_frame(shoot: Callable[[int], Shot], tmp_path: Path) -> None:
    """A frame that is written is let go of, the plate's own bytes included."""
    shape = (HOLE.height, HOLE.width)
    fill = Fill(HOLE, np.full((*shape, 3), 0.5, np.float32), np.ones(shape, np.float32))

    def work(shot: Shot) -> None:
        for frame in shot.frames:
            target = tmp_path / f"o.{frame}.exr"
            write_frame(
                shot, frame, fill=fill, target=target, layer="infusion", mode=WriteMode.LAYER
            )

    check_streamed(work, shoot)
