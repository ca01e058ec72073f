"""What the documents say of the code is so: modules, settings and flags."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

import pytest
from click.testing import CliRunner

from infusion_engine.cli.evaluate import FIGURES
from infusion_engine.cli.evaluate import main as evaluate
from infusion_engine.cli.farm import main as farm
from infusion_engine.cli.render import main
from infusion_engine.settings import PRESETS, described

CHECKOUT = Path(__file__).resolve().parents[2]
ROOTS = ("engine/infusion_engine", "infusion_node", "host_bindings/infusion_hosts")


def _text(page: str) -> str:
    return (CHECKOUT / page).read_text("utf-8")


def _section(text: str, heading: str) -> str:
    """What stands below a heading, up to the next one."""
    _, found, rest = text.partition(f"\n{heading}\n")
    assert found, f"there is no {heading!r}"
    return re.split(r"\n#+ ", rest)[0]


def _rows(section: str) -> list[list[str]]:
    """The cells of every row of a section's tables."""
    lines = [line for line in section.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]


def _coded(cells: Iterable[str]) -> list[str]:
    return [name for cell in cells for name in re.findall(r"`([^`]+)`", cell)]


@pytest.mark.parametrize("root", ROOTS)
def test_the_architecture_names_every_module_and_no_other(root: str) -> None:
    """The tables of modules are complete, name nothing twice, and nothing that is gone."""
    first_cells = (
        row[0] for row in _rows(_section(_text("docs/architecture.md"), f"### `{root}`"))
    )
    named = [name for name in _coded(first_cells) if name.endswith(".py")]
    there = [
        path.relative_to(CHECKOUT / root).as_posix()
        for path in (CHECKOUT / root).rglob("*.py")
        if path.name != "__init__.py"
    ]
    assert sorted(named) == sorted(there)


def test_the_readme_lists_every_setting_as_it_is() -> None:
    """The table of `--set` keys has each key once, with the value it has in each preset."""
    heading, _, *rows = _rows(_section(_text("README.md"), "## Settings"))
    presets = _coded(heading)
    told = {_coded(row)[0]: row[2:] for row in rows}
    numbers = {name: described(PRESETS[name]) for name in presets}
    assert presets == ["draft", "standard", "paper"]
    assert len(told) == len(rows)
    assert told == {
        key: [_shown(numbers[name][key]) for name in presets] for key in numbers["draft"]
    }


def _shown(value: object) -> str:
    """A setting as it is typed after `--set KEY=`."""
    if isinstance(value, list):
        return "x".join(map(str, value))
    return f"{value:g}" if isinstance(value, float) else str(value)


def test_the_flags_of_the_readme_exist() -> None:
    """Each flag of an `infusion-render` line, or alone in a code span, is one the command has."""
    blocks = re.findall(r"```.*?```|`[^`\n]+`", _text("README.md"), re.DOTALL)
    lines = [line for block in blocks for line in block.strip("`").splitlines()]
    ours = [line for line in lines if line.startswith(("infusion-render", "--"))]
    flags = {flag for line in ours for flag in re.findall(r"(?<!\S)--[a-z][a-z-]*", line)}
    help_page = CliRunner().invoke(main, ["--help"]).output
    assert {"--output", "--set", "--threads"} <= flags
    assert flags - set(re.findall(r"--[a-z][a-z-]*", help_page)) == set()


@pytest.mark.parametrize("page", ["README.md", "docs/evaluate.md"])
def test_the_flags_given_to_infusion_evaluate_exist(page: str) -> None:
    """Each flag of an `infusion-evaluate` line is one that the command has."""
    lines = [line for line in _text(page).splitlines() if line.startswith("infusion-evaluate")]
    flags = {flag for line in lines for flag in re.findall(r"(?<!\S)--[a-z][a-z-]*", line)}
    help_page = CliRunner().invoke(evaluate, ["--help"]).output
    assert "--matte" in flags
    assert flags - set(re.findall(r"--[a-z][a-z-]*", help_page)) == set()


@pytest.mark.parametrize("page", ["README.md", "docs/farm.md", "examples/ssh/README.md"])
def test_the_flags_given_to_infusion_farm_exist(page: str) -> None:
    """Each command of an `infusion-farm` line is there, and has each flag of the line."""
    lines = [line for line in _text(page).splitlines() if line.startswith("infusion-farm")]
    assert lines
    for line in lines:
        name, *words = line.partition("#")[0].partition(" -- ")[0].split()[1:]
        flags = {word for word in words if word.startswith("--")}
        help_page = CliRunner().invoke(farm, [name, "--help"]).output
        assert flags - set(re.findall(r"--[a-z][a-z-]*", help_page)) == set(), line


def test_every_figure_has_its_row() -> None:
    """The table of figures has each that the command may print once, and no other."""
    _, _, *rows = _rows(_section("\n" + _text("docs/evaluate.md"), "# What the scores mean"))
    assert sorted(_coded(row[0] for row in rows)) == sorted(name for name, _, _ in FIGURES)
