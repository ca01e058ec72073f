"""Takes by name: their seeds, layers and files."""

from __future__ import annotations

from pathlib import Path

import pytest

from infusion_engine.media.layer import WriteMode
from infusion_engine.media.sequence import FileSequence
from infusion_engine.take import by_files, takes_of

OUT = FileSequence(Path("out"), "fire.", ".exr", 4, (1001, 1002))


@pytest.mark.parametrize("mode", WriteMode)
def test_one_take_is_the_job_itself(mode: WriteMode) -> None:
    """Its seed, its layer, its files."""
    (take,) = takes_of(1, seed=7, layer="infusion", output=OUT, mode=mode)
    assert (take.number, take.seed, take.layer, take.output) == (1, 7, "infusion", OUT)


@pytest.mark.parametrize("mode", WriteMode)
def test_no_two_takes_share_both_layer_and_file(mode: WriteMode) -> None:
    """Of ninety-nine nothing overwrites anything else, and every one has the next seed."""
    takes = takes_of(99, seed=7, layer="infusion", output=OUT, mode=mode)
    assert len({(take.layer, take.output.path(1001)) for take in takes}) == 99
    assert [take.seed for take in takes] == list(range(7, 106))


def test_layers_share_files_and_merged_takes_do_not() -> None:
    """Takes of one file come together, in their order."""
    layered = takes_of(3, seed=0, layer="a", output=OUT, mode=WriteMode.FILL)
    merged = takes_of(3, seed=0, layer="a", output=OUT, mode=WriteMode.MERGED)
    assert by_files(layered) == (layered,)
    assert by_files(merged) == tuple((take,) for take in merged)
