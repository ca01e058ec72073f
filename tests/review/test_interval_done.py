"""What is told of an interval: frames at the clip's size, and what the cache notes of its fit."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
import torch

from infusion_engine.cache.entry import Kind
from infusion_engine.cache.store import Store
from infusion_engine.cache.tensor_file import Tensors
from infusion_engine.media.box import Box
from infusion_engine.review.interval_done import FitNote, IntervalDone, noted, thinned

KEY = "a" * 64
NOTHING = FitNote(loss=None, seconds=None, losses=())


def _done(predicted: torch.Tensor | None, *, level: int) -> IntervalDone:
    return IntervalDone(
        index=0,
        count=1,
        level=level,
        timesteps=(0, 1000),
        outcome="hit",
        fit=NOTHING,
        sample_key=KEY,
        seconds=None,
        predicted=predicted,
        parts=tuple(Box(0, 0, width, height) for height, width in ((3, 4), (5, 7), (10, 13))),
    )


def _store(folder: Path) -> Store:
    return Store(folder, on_damage=lambda _: None)


def test_the_finest_level_s_frame_is_as_it_is() -> None:
    """The frame that is asked for, bit for bit."""
    clip = torch.rand(3, 2, 10, 13)
    assert np.array_equal(_done(clip, level=2).frame(1), clip[:, 1].numpy())


def test_a_coarser_level_s_frame_is_enlarged_to_the_clip_s_size() -> None:
    """Through the sizes of the levels between, values kept."""
    clip = torch.full((3, 2, 3, 4), 0.25)
    clip[:, 1] = -0.5
    frame = _done(clip, level=0).frame(1)
    assert frame.shape == (3, 10, 13)
    assert (frame == -0.5).all()


def test_without_a_prediction_there_is_no_frame() -> None:
    """Asking for one is a mistake in the program."""
    with pytest.raises(ValueError, match="not drawn"):
        _done(None, level=0).frame(0)


def test_what_a_fit_s_record_tells_is_read(tmp_path: Path) -> None:
    """Loss, time and course; a record of an earlier release may lack any of them."""
    store = _store(tmp_path)
    tensors: Tensors = {"w": np.zeros(1, np.float32)}
    record = {"loss": 0.5, "seconds": 3.25, "losses": [1.0, 0.5]}
    store.save(Kind.FIT, KEY, tensors, record)
    store.save(Kind.FIT, "b" * 64, tensors, {"loss": math.nan})
    assert noted(store, KEY) == FitNote(0.5, 3.25, (1.0, 0.5))
    old = noted(store, "b" * 64)
    assert old.loss is not None
    assert math.isnan(old.loss)
    assert (old.seconds, old.losses) == (None, ())


def test_a_record_that_is_gone_or_damaged_tells_nothing(tmp_path: Path) -> None:
    """The report lacks a figure; nothing is raised, removed or computed again."""
    store = _store(tmp_path)
    assert noted(store, KEY) == NOTHING
    store.save(Kind.FIT, KEY, {"w": np.zeros(1, np.float32)}, {"loss": 0.5})
    record = store.entry_folder(Kind.FIT, KEY) / "record.json"
    record.write_text("{")
    assert noted(store, KEY) == NOTHING
    assert record.exists()


def test_a_long_course_is_thinned_to_means() -> None:
    """Few losses stay as they are; of many, the mean of each span in its order."""
    assert thinned([3.0, 2.0, 1.0], 3) == [3.0, 2.0, 1.0]
    assert thinned([4.0, 2.0, 1.0, 3.0, 0.0, 1.0], 3) == [3.0, 2.0, 0.5]
    assert len(thinned([0.0] * 10_001)) <= 120
