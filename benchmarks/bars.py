"""Bars: the scores of several fills side by side, for every trial, as one PNG."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import matplotlib as mpl
from matplotlib import pyplot as plt

from benchmarks.attempt import FIGURES

LABELS = {
    "perceptual": "perceptual distance\n(less is better)",
    "swd3d": "patch distance swd3d\n(less is better)",
    "detail": "detail energy\n(1 is the truth's)",
    "motion": "motion energy\n(1 is the truth's)",
    "psnr_hole": "PSNR in the hole, dB\n(more is better)",
}
"""What a figure is called on a plot."""
_BAR = 0.3  # inches across, so that its slanted name does not lie on the next one's


def draw_bars(tables: Mapping[str, Mapping[str, Mapping[str, float]]], file: Path) -> None:
    """One column a trial, one row a figure, one bar a fill.

    `tables` holds scores by trial, by fill and by figure. Figures that no fill has are left out, a
    fill that lacks one has no bar there, and where there are no figures at all nothing is drawn.
    """
    mpl.use("Agg")
    have = {f for fills in tables.values() for scores in fills.values() for f in scores}
    shown = [figure for figure in FIGURES if figure in have]
    if not shown:
        return
    widest = max(len(fills) for fills in tables.values())
    picture, axes = plt.subplots(
        len(shown),
        len(tables),
        figsize=(max(4.0, _BAR * widest) * len(tables), 2.2 * len(shown)),
        squeeze=False,
        sharex="col",
        layout="constrained",
    )
    for column, (trial, fills) in enumerate(tables.items()):
        for row, figure in enumerate(shown):
            axis = axes[row, column]
            for place, scores in enumerate(fills.values()):
                if figure in scores:
                    axis.bar(place, scores[figure], width=0.7)
            axis.grid(visible=True, axis="y", alpha=0.3)
            if figure in {"detail", "motion"}:
                axis.axhline(1.0, color="tab:green", linewidth=1)
            if column == 0:
                axis.set_ylabel(LABELS[figure], fontsize=8)
        axes[0, column].set_title(trial)
        axes[-1, column].set_xticks(
            range(len(fills)), list(fills), rotation=45, ha="right", fontsize=8
        )
    file.parent.mkdir(parents=True, exist_ok=True)
    picture.savefig(file, dpi=110)
    plt.close(picture)
