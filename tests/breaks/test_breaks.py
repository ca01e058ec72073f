"""Each promise is held by a test: with the behaviour broken, that test fails."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from tests.breaks.break_list import Break, read_breaks
from tests.breaks.broken_tree import BrokenTree, Verdict

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1200)]  # the first waits for all fixtures

BREAKS = read_breaks()


@pytest.fixture(scope="session")
def tree(checkout: Path, tmp_path_factory: pytest.TempPathFactory) -> BrokenTree:
    """A copy of the source, which is whole between two tests."""
    found = BrokenTree(checkout, tmp_path_factory.mktemp("breaks") / "tree")
    for module in ("infusion_engine", "infusion_node", "infusion_hosts"):
        assert found.folder in found.where(module).parents, "the copy's own modules are not used"
    return found


@pytest.fixture(scope="session")
def unbroken(tree: BrokenTree, request: pytest.FixtureRequest) -> Verdict:
    """What the tests of all breaks that were asked for say before anything is broken."""
    asked = [item.callspec.params for item in request.session.items if hasattr(item, "callspec")]
    ones = [params["one"] for params in asked if "one" in params]
    return tree.pytest(list(dict.fromkeys(one.test for one in ones if isinstance(one, Break))))


@pytest.mark.parametrize("one", BREAKS, ids=lambda one: f"{one.promise}: {one.says}")
def test_a_break_is_noticed(tree: BrokenTree, unbroken: Verdict, one: Break) -> None:
    """The named test passes as the source is, and fails with the break in it."""
    assert unbroken.passes(one.test), (
        f"{one.test} does not pass un-broken, so that the break proves nothing.\n{unbroken.text}"
    )
    with tree.broken(one):
        verdict = tree.pytest([one.test])

    assert verdict.code != 0, (
        f"nothing notices: {one.test} passes although this is broken: {one.says}\n"
        "Write a test that fails, and name it in breaks.toml."
    )
    assert verdict.code == 1, f"{one.test} was not run (exit code {verdict.code}).\n{verdict.text}"
    assert verdict.fails_alone(one.test), f"{one.test} is not what failed.\n{verdict.text}"
    assert verdict.slips == [], f"the break itself is badly written: {verdict.slips}"


def test_a_break_that_breaks_nothing_is_found_out(tree: BrokenTree) -> None:
    """The copy is whole again after each break, and a comment more fails no test."""
    one = replace(
        BREAKS[0],
        file="engine/infusion_engine/diffusion/schedule.py",
        before="T = 1000\n",
        after="T = 1000  # a comment more\n",
        test="tests/diffusion/test_schedule.py::test_golden_values",
    )
    whole = (tree.folder / one.file).read_bytes()
    with tree.broken(one):
        assert tree.pytest([one.test]).passes(one.test)
    assert (tree.folder / one.file).read_bytes() == whole
