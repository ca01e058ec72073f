"""Whether a process of Windows is still there, asked of a stand-in for Windows."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest

from infusion_node.windows import is_alive

STARTED = 1_790_000_000.0
CREATED = int((STARTED + 11_644_473_600) * 10_000_000)
"""The same moment as Windows counts it."""


@dataclass
class Kernel:
    """Windows, with one process."""

    handle: int = 7
    error: int = 0
    waited: int = 0x102
    begun: int = CREATED
    asked: list[tuple[int, int]] = field(default_factory=list)
    closed: list[int] = field(default_factory=list)

    def open(self, access: int, pid: int) -> int:
        self.asked.append((access, pid))
        return self.handle

    def last_error(self) -> int:
        return self.error

    def wait(self, handle: int) -> int:
        assert handle == self.handle
        return self.waited

    def created(self, handle: int) -> int:
        assert handle == self.handle
        return self.begun

    def close(self, handle: int) -> None:
        self.closed.append(handle)


@pytest.mark.parametrize(
    ("kernel", "alive"),
    [
        (Kernel(), True),
        (Kernel(waited=0), False),  # it has ended, and somebody holds on to it
        (Kernel(handle=0, error=87), False),  # there is none of that id
        (Kernel(handle=0, error=5), True),  # it may not be looked at
        (Kernel(begun=CREATED + 3600 * 10_000_000), False),  # the id is another's by now
        (Kernel(begun=CREATED + 2 * 10_000_000), True),
        (Kernel(begun=0), True),  # when it began cannot be found out
    ],
)
def test_a_process_is_alive_unless_it_has_certainly_gone(kernel: Kernel, alive: bool) -> None:
    """Its end, its absence and a stranger under its id are told from what nobody can know."""
    assert is_alive(42, STARTED, kernel) is alive
    assert kernel.asked == [(0x101000, 42)]
    assert kernel.closed == ([kernel.handle] if kernel.handle else [])
