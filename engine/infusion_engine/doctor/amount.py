"""Amounts of bytes as people read them, in powers of 1024."""

from __future__ import annotations

GIB = 2**30
MIB = 2**20


def amount(count: int) -> str:
    """`3.4 GiB`, `217 MiB` or `512 bytes`."""
    if count >= GIB:
        return f"{count / GIB:.1f} GiB"
    if count >= MIB:
        return f"{count / MIB:.0f} MiB"
    return f"{count} bytes"
