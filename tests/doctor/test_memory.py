"""Memory: what Linux tells of it is understood, the limit of a container included."""

from __future__ import annotations

from pathlib import Path

import pytest

from infusion_engine.doctor.amount import GIB, amount
from infusion_engine.doctor.memory import container_limit, memory_of_this_machine, understood

MEMINFO = """MemTotal:       24683656 kB
MemFree:        19950436 kB
MemAvailable:   22305688 kB
HugePages_Total:       0
"""


def test_total_and_free_are_read_in_bytes() -> None:
    """Free is what a new process could take, which is more than what nobody uses."""
    assert understood(MEMINFO) == (24683656 * 1024, 22305688 * 1024)


def test_an_old_kernel_does_not_tell_what_is_free() -> None:
    """Nothing is made up then."""
    assert understood("MemTotal:  1024 kB\nMemFree:  512 kB\n") == (2**20, None)


def test_a_text_without_a_total_is_an_error() -> None:
    """It says what is missing."""
    with pytest.raises(ValueError, match="MemTotal"):
        understood("nothing\n")


@pytest.mark.parametrize(
    ("texts", "limit"),
    [
        ([], None),
        (["max"], None),
        (["9223372036854771712"], None),
        (["4294967296"], 4 * GIB),
        (["6442450944", "4294967296"], 4 * GIB),
    ],
    ids=str,
)
def test_a_container_limits_memory(tmp_path: Path, texts: list[str], limit: int | None) -> None:
    """The least of what stands there holds; `max`, more than there is, and no file are no limit."""
    files = [tmp_path / str(number) for number in range(len(texts))]
    for path, text in zip(files, texts, strict=True):
        path.write_text(f"{text}\n", "ascii")
    assert container_limit(16 * GIB, (*files, tmp_path / "none")) == limit


def test_this_machine_has_memory() -> None:
    """What is free is part of what there is."""
    found = memory_of_this_machine()
    assert found is None or found.total > (found.free or 0) >= 0


@pytest.mark.parametrize(
    ("count", "text"),
    [(0, "0 bytes"), (2**20 - 1, "1048575 bytes"), (300 * 2**20, "300 MiB"), (5 * GIB, "5.0 GiB")],
)
def test_amounts_are_read_at_a_glance(count: int, text: str) -> None:
    """Powers of 1024, and no more digits than anyone needs."""
    assert amount(count) == text
