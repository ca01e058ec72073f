"""The ablation: its variants can be run, and its table is the mean of what was found."""

from __future__ import annotations

from dataclasses import replace

import pytest

from benchmarks.ablation import VARIANTS, table, tables
from benchmarks.attempt import FIGURES, Attempt
from infusion_engine.overrides import overridden
from infusion_engine.settings import PRESETS


@pytest.mark.parametrize("name", [name for name in VARIANTS if name != "draft"])
def test_each_variant_is_draft_with_something_changed(name: str) -> None:
    """Its settings are known, in range, and not draft's own."""
    assert overridden(PRESETS["draft"], VARIANTS[name]) != PRESETS["draft"]


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
