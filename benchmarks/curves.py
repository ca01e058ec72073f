"""Curves: scores against time for every trial and contender, as one PNG."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import matplotlib as mpl
from matplotlib import pyplot as plt
from matplotlib.ticker import LogLocator, NullFormatter

from benchmarks.attempt import Attempt
from benchmarks.bars import LABELS

_ROWS = ("perceptual", "swd3d", "detail", "motion")
_COLOURS = {"draft": "tab:orange", "standard": "tab:orange", "paper": "tab:blue"}


def draw_curves(attempts: Sequence[Attempt], file: Path, *, where: str = "one thread") -> None:
    """One column a trial, one row a figure, one line a contender; time is logarithmic.

    `where` says what worked, at the axis of time.
    """
    mpl.use("Agg")
    trials = sorted({a.trial for a in attempts})
    figure, axes = plt.subplots(
        len(_ROWS),
        len(trials),
        figsize=(4 * len(trials), 2.6 * len(_ROWS)),
        squeeze=False,
        sharex=True,
        layout="constrained",
    )
    for column, trial in enumerate(trials):
        for row, name in enumerate(_ROWS):
            axis = axes[row, column]
            for contender in sorted({a.contender for a in attempts}):
                points = sorted(
                    (a.seconds / 60.0, a.scores[name])
                    for a in attempts
                    if a.trial == trial and a.contender == contender
                )
                if not points:  # it has no attempt at this trial
                    continue
                axis.plot(
                    *zip(*points, strict=True), "o-", label=contender, color=_COLOURS.get(contender)
                )
            axis.set_xscale("log")
            axis.xaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
            axis.xaxis.set_major_formatter("{x:g}")
            axis.xaxis.set_minor_formatter(NullFormatter())
            axis.grid(visible=True, alpha=0.3)
            if name in ("detail", "motion"):
                axis.axhspan(0.6, 1.4, color="tab:green", alpha=0.08)
            if column == 0:
                axis.set_ylabel(LABELS[name])
        axes[0, column].set_title(trial)
        axes[-1, column].set_xlabel(f"minutes, wall, {where}")
    axes[0, 0].legend()
    file.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(file, dpi=110)
    plt.close(figure)
