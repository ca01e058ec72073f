"""What holds for every test of fitting: one thread, so that they are small and repeat."""

from __future__ import annotations

import pytest


@pytest.fixture(autouse=True, scope="module")
def everywhere(one_thread: None) -> None:
    """No test has to ask for it."""
