"""Devices by name: one, or a list of those that fit at once."""

from __future__ import annotations


def listed(names: str) -> tuple[str, ...]:
    """The devices that `--device` names, such as `cuda:0,cuda:1`, in their order; at least one."""
    return tuple(name.strip() for name in names.split(","))


def first(names: str) -> str:
    """The device that does what one device does: all but the fits of several."""
    return listed(names)[0]
