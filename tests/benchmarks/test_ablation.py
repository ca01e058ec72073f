"""The ablation: its variants can be run, and its table is the mean of what was found."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from benchmarks import ablation
from benchmarks.ablation import VARIANTS, contenders, table, tables
from benchmarks.attempt import FIGURES, Attempt
from benchmarks.pace import Pace
from infusion_engine.overrides import overridden
from infusion_engine.settings import PRESETS, Settings


@pytest.mark.parametrize("name", [name for name in VARIANTS if name != "draft"])
def test_each_variant_is_draft_with_something_changed(name: str) -> None:
    """Its settings are known, in range, and not draft's own."""
    assert overridden(PRESETS["draft"], VARIANTS[name]) != PRESETS["draft"]


def test_all_take_as_many_windows_of_what_they_are_fitted_on(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A fit that all others start from takes its time too, and so does a batch of several."""

    def a_second(settings: Settings, frames: int, *, device: torch.device) -> Pace:
        assert (frames, device.type) == (24, "cpu")
        return Pace(1.0 if settings.crop_pixels == 40 else 2.5, 1.0)

    monkeypatch.setattr(ablation, "paced", a_second)

    found = {
        one.name: int(one.settings["steps_per_interval"])
        for one in contenders(
            ["draft", "one interval", "fits from a base", "crop 56"], share=0.5, frames=24
        )
    }

    # draft: 300 x (2 windows + 1 + 1 + 1) = 1500; one interval: 2 windows a step; with a base 7;
    # a larger crop takes 2.5 times as long.
    assert found == {"draft": 300, "one interval": 750, "fits from a base": 214, "crop 56": 120}


def test_the_one_to_compare_with_is_draft() -> None:
    """The first of the table changes nothing."""
    name, changes = next(iter(VARIANTS.items()))

    assert (name, changes) == ("draft", {})


def test_the_table_has_means_over_trials_and_seeds() -> None:
    """Every contender by itself, in the order in which they ran."""
    one = Attempt("sea", "draft", {}, 0, 1.0, dict.fromkeys(FIGURES, 1.0))
    other = replace(one, trial="fire", seed=1, scores=dict.fromkeys(FIGURES, 2.0))
    rival = replace(one, contender="adam", scores=dict.fromkeys(FIGURES, 5.0))

    found = table([one, rival, other])

    assert list(found) == ["draft", "adam"]
    assert found["draft"] == dict.fromkeys(FIGURES, 1.5)
    assert found["adam"] == dict.fromkeys(FIGURES, 5.0)


def test_the_plot_has_means_over_seeds_for_each_trial() -> None:
    """Trials are kept apart: what wins on one may lose on another."""
    one = Attempt("sea", "draft", {}, 0, 1.0, dict.fromkeys(FIGURES, 1.0))
    again = replace(one, seed=1, scores=dict.fromkeys(FIGURES, 3.0))
    other = replace(one, trial="fire", scores=dict.fromkeys(FIGURES, 7.0))

    assert tables([one, other, again]) == {
        "sea": {"draft": dict.fromkeys(FIGURES, 2.0)},
        "fire": {"draft": dict.fromkeys(FIGURES, 7.0)},
    }
