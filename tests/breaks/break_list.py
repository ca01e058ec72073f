"""The list of breaks as data: what each does to which file, and which test has to notice it."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from pathlib import Path

LIST = Path(__file__).with_name("breaks.toml")


@dataclass(frozen=True)
class Break:
    """One behaviour taken away from the source."""

    promise: int
    """Which of the ten promises it belongs to, 1 to 10."""
    says: str
    """What it does, in one sentence."""
    file: str
    """The file it changes, relative to the checkout."""
    before: str
    """What stands there once, exactly."""
    after: str
    """What it becomes."""
    test: str
    """Node id of the test that has to fail then; all its parameters are run where it names none."""

    @property
    def module(self) -> str:
        """The test's file, relative to the checkout."""
        return self.test.partition("::")[0]

    @property
    def function(self) -> str:
        """The test's name, without parameters."""
        return self.test.partition("::")[2].partition("[")[0]


def read_breaks() -> tuple[Break, ...]:
    """Every break in the order of the list."""
    return tuple(Break(**entry) for entry in tomllib.loads(LIST.read_text("utf-8"))["break"])


def broken(source: str, one: Break) -> str:
    """`source`, which is the text of the break's file, with the break in it.

    Raises:
        AssertionError: what the break looks for is no longer there, or there more than once.
    """
    count = source.count(one.before)
    assert count == 1, (
        f"the source has moved on: {one.file} has {count} times what the break "
        f"{one.says!r} looks for once:\n{one.before}\n"
        f"Find where that behaviour lives now and write it into {LIST.name} as `before` and "
        "`after`; take the break out only where the promise itself has gone."
    )
    return source.replace(one.before, one.after)
