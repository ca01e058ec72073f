"""What the documents promise exists: commands, make targets and the files they link to."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).resolve().parents[2]
PAGES = sorted(
    path.relative_to(CHECKOUT)
    for pattern in ("*.md", "docs/**/*.md", "examples/**/*.md")
    for path in CHECKOUT.glob(pattern)
)
TARGETS = set(re.findall(r"^([a-z-]+):", (CHECKOUT / "Makefile").read_text(), re.MULTILINE))


def _text(page: Path) -> str:
    return (CHECKOUT / page).read_text("utf-8")


def test_the_two_commands_stand_in_the_readme() -> None:
    """A newcomer finds `make demo` and `make test`, and both exist."""
    named = set(re.findall(r"\bmake ([a-z-]+)", _text(Path("README.md"))))
    assert {"demo", "test"} <= named & TARGETS


@pytest.mark.parametrize("page", PAGES, ids=str)
def test_make_targets_and_commands_exist(page: Path) -> None:
    """Every `make x` and `infusion-x` in a code span or block is real."""
    code = " ".join(re.findall(r"```.*?```|`[^`\n]+`", _text(page), re.DOTALL))
    scripts = set(tomllib.loads((CHECKOUT / "pyproject.toml").read_text())["project"]["scripts"])
    assert set(re.findall(r"(?:^|[\s`])make ([a-z-]+)", code)) - TARGETS == set()
    assert set(re.findall(r"(?:^|[\s`])(infusion-[a-z]+)", code)) - scripts == set()


@pytest.mark.parametrize("page", PAGES, ids=str)
def test_links_lead_somewhere(page: Path) -> None:
    """Every relative link of a page leads to a file of the checkout."""
    links = re.findall(r"\]\(([^)#\s]+)[^)]*\)", _text(page))
    relative = [link for link in links if not re.match(r"[a-z]+:", link)]
    missing = [link for link in relative if not (CHECKOUT / page.parent / link).exists()]
    assert missing == []


def test_ci_runs_what_the_readme_says() -> None:
    """The gate calls make targets and adds nothing of its own."""
    script = (CHECKOUT / ".ci" / "run").read_text()
    assert set(re.findall(r"^make ([\w-]+)$", script, re.MULTILINE)) == {
        "test",
        "check",
        "test-hosts",
    }
    assert (CHECKOUT / ".ci" / "run").stat().st_mode & 0o111
