"""Devices by name: one, or a list of those that fit at once."""

from __future__ import annotations


def listed(names: str) -> tuple[str, ...]:
    """The devices that `--device` names, such as `cuda:0,cuda:1`, in their order; at least one."""
    return tuple(name.strip() for name in names.split(","))


def kind_of(name: str) -> str:
    """The kind of device that one name means, whichever of them it is: `cuda` for `cuda:1`."""
    return name.partition(":")[0]


def first(names: str) -> str:
    """The device that does what one device does: all but the fits of several."""
    return listed(names)[0]
