"""A copy of the source in which one behaviour at a time is broken, and named tests are run."""

from __future__ import annotations

import compileall
import os
import py_compile
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.breaks.break_list import Break, broken

_LEFT_OUT = (".*", "build", "dist", "__pycache__", "*.egg-info")
_ROOMS = ("engine", ".", "host_bindings")
_TEST_SECONDS, _RUN_SECONDS = 90, 900
_SLIPS = ("NameError", "ImportError", "ModuleNotFoundError", "SyntaxError", "UnboundLocalError")
"""What a break that was written badly raises; it would make any test fail, and proves nothing."""


@dataclass(frozen=True)
class Verdict:
    """What pytest said of the tests it was given."""

    code: int
    """Its exit code: 0 all passed, 1 some failed, anything else: they were not all run."""
    passed: tuple[str, ...]
    """Node ids that passed."""
    failed: dict[str, str]
    """Node ids that failed in the test itself, with the first line of why."""
    text: str
    """All that it printed."""

    def passes(self, test: str) -> bool:
        """True when `test`, with all its parameters, was run and passed."""
        failed = any(_is_of(found, test) for found in self.failed)
        return any(_is_of(found, test) for found in self.passed) and not failed

    def fails_alone(self, test: str) -> bool:
        """True when what failed is `test`, for whatever parameters, and nothing else."""
        return bool(self.failed) and all(_is_of(found, test) for found in self.failed)

    @property
    def slips(self) -> list[str]:
        """Failures that tell of a badly written break rather than of a missing behaviour."""
        return [why for why in self.failed.values() if why.startswith(_SLIPS)]


class BrokenTree:
    """The copy; whole but for the length of a `with broken` block."""

    def __init__(self, checkout: Path, folder: Path) -> None:
        """Copy what is in `checkout` into `folder`, which must not exist yet."""
        self.folder = folder
        shutil.copytree(checkout, folder, ignore=shutil.ignore_patterns(*_LEFT_OUT))
        # Compiled once, and believed only where the source still has the digest it was made of:
        # by time and size, a break that is as long as what it replaces could go unseen.
        checked = py_compile.PycInvalidationMode.CHECKED_HASH
        compileall.compile_dir(folder, quiet=2, invalidation_mode=checked)

    @contextmanager
    def broken(self, one: Break) -> Iterator[None]:
        """Have the break in the copy for the length of a `with` block."""
        path = self.folder / one.file
        whole = path.read_text("utf-8")
        path.write_text(broken(whole, one), "utf-8")
        try:
            yield
        finally:
            path.write_text(whole, "utf-8")

    def pytest(self, tests: Sequence[str]) -> Verdict:
        """Run tests of the copy by their node ids, on the copy's own modules, and wait."""
        run = subprocess.run(
            [
                *(sys.executable, "-m", "pytest", *tests, "-m", "", "-q", "-rfEp"),
                *("-p", "no:cacheprovider", f"--timeout={_TEST_SECONDS}", "--durations=0"),
            ],
            cwd=self.folder,
            env=self._environment(),
            capture_output=True,
            text=True,
            timeout=_RUN_SECONDS,
            check=False,
        )
        return _understood(run.returncode, run.stdout + run.stderr)

    def where(self, module: str) -> Path:
        """The file that a module is imported from, as the copy's tests import it."""
        run = subprocess.run(
            [sys.executable, "-c", f"import {module}; print({module}.__file__)"],
            cwd=self.folder,
            env=self._environment(),
            capture_output=True,
            text=True,
            check=True,
        )
        return Path(run.stdout.strip())

    def _environment(self) -> dict[str, str]:
        """This process's own, with the copy's modules before any that are installed."""
        mine = {name: v for name, v in os.environ.items() if not name.startswith("PYTEST_")}
        rooms = os.pathsep.join(str(self.folder / room) for room in _ROOMS)
        return {**mine, "PYTHONPATH": rooms, "PYTHONDONTWRITEBYTECODE": "1"}


def _is_of(found: str, test: str) -> bool:
    """True when the node id `found` is `test`, or `test` with parameters."""
    return found == test or found.startswith(f"{test}[")


def _understood(code: int, text: str) -> Verdict:
    _, _, summary = text.rpartition("short test summary info")
    passed = re.findall(r"^PASSED (.+)$", summary, re.MULTILINE)
    failed = re.findall(r"^FAILED (\S.*?)(?: - (.*))?$", summary, re.MULTILINE)
    return Verdict(code, tuple(passed), dict(failed), text)
