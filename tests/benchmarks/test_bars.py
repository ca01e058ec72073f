"""Bars: they are drawn of the figures that there are."""

from __future__ import annotations

from pathlib import Path

from benchmarks.bars import draw_bars


def test_a_fill_without_a_figure_has_no_bar(tmp_path: Path) -> None:
    """The others have theirs."""
    draw_bars({"sea": {"paper": {"swd3d": 1.0}, "draft": {"detail": 0.5}}}, tmp_path / "b.png")

    assert (tmp_path / "b.png").is_file()


def test_without_figures_nothing_is_drawn(tmp_path: Path) -> None:
    """No trials, no fills, or fills without scores."""
    draw_bars({}, tmp_path / "b.png")
    draw_bars({"sea": {}}, tmp_path / "b.png")
    draw_bars({"sea": {"paper": {}}}, tmp_path / "b.png")

    assert not (tmp_path / "b.png").exists()
