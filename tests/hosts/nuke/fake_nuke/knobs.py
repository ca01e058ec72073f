"""Knobs that hold values, and refuse what the real ones would refuse."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import Any

RENDERING = threading.Event()
"""Set while something renders: then no knob may be set, as in Nuke 17."""

Value = str | int | float | bool | list[float]
"""What a knob may be given."""


class Knob:
    """Base of every knob."""

    default: Value = ""

    def __init__(self, name: str, label: str = "", value: Value | None = None) -> None:
        self._name = name
        self._label = label
        self._value: Value = self.default if value is None else value
        self._tooltip = ""
        self._flags: set[int] = set()
        self._is_visible = True
        self._expression: str | None = None
        self.evaluated: Callable[[str], Value] | None = None
        self.changed: Callable[[], None] | None = None

    def Class(self) -> str:  # noqa: N802 - Nuke's name
        return type(self).__name__

    def name(self) -> str:
        return self._name

    def label(self) -> str:
        return self._label

    def value(self) -> Any:
        if self._expression is not None and self.evaluated is not None:
            return self._checked(self.evaluated(self._expression))
        return self._value

    def setValue(self, val: Value, /) -> bool:  # noqa: N802
        _refuse_if_unsafe(self._name)
        self._value = self._checked(val)
        if self.changed is not None:
            self.changed()
        return True

    def setExpression(self, expression: str, /) -> bool:  # noqa: N802
        _refuse_if_unsafe(self._name)
        self._expression = expression
        return True

    def expression(self) -> str | None:
        """The fake's own: what the value follows."""
        return self._expression

    def hasExpression(self) -> bool:  # noqa: N802
        return self._expression is not None

    def clearAnimated(self) -> bool:  # noqa: N802
        self._expression = None
        return True

    def setTooltip(self, tooltip: str) -> None:  # noqa: N802
        self._tooltip = tooltip

    def tooltip(self) -> str:
        return self._tooltip

    def setFlag(self, flag: int) -> None:  # noqa: N802
        self._flags.add(flag)

    def flags(self) -> set[int]:
        """The fake's own: every flag that was set."""
        return self._flags

    def setVisible(self, visible: bool) -> None:  # noqa: N802
        self._is_visible = visible

    def visible(self) -> bool:
        return self._is_visible

    def _checked(self, val: Value) -> Value:
        """The value, or TypeError."""
        return val


class String_Knob(Knob):  # noqa: N801
    """A text."""

    def __init__(self, name: str, label: str = "", value: str = "") -> None:
        super().__init__(name, label, value)

    def _checked(self, val: Value) -> Value:
        if not isinstance(val, str):
            raise TypeError(f"{self._name} takes a text, not {val!r}")
        return val


class File_Knob(String_Knob):  # noqa: N801
    """A path."""


class Text_Knob(String_Knob):  # noqa: N801
    """A text that is only shown."""


class Tab_Knob(Knob):  # noqa: N801
    """A tab of the panel."""

    def __init__(self, name: str, label: str = "") -> None:
        super().__init__(name, label)


class Script_Knob(String_Knob):  # noqa: N801
    """A button."""

    def __init__(self, name: str, label: str = "", value: str = "") -> None:
        super().__init__(name, label, value)
        self.pressed = 0
        self.press: Callable[[], None] | None = None

    def execute(self) -> None:
        self.pressed += 1
        if self.press is not None:
            self.press()


class PyScript_Knob(Script_Knob):  # noqa: N801
    """A button that runs Python."""


class Int_Knob(Knob):  # noqa: N801
    """A whole number of 32 bits."""

    default = 0

    def __init__(self, name: str, label: str = "") -> None:
        super().__init__(name, label)

    def _checked(self, val: Value) -> Value:
        if isinstance(val, bool) or not isinstance(val, int) or not -(2**31) <= val < 2**31:
            raise TypeError(f"{self._name} takes a whole number, not {val!r}")
        return val


class Double_Knob(Knob):  # noqa: N801
    """A number."""

    default = 0.0

    def __init__(self, name: str, label: str = "") -> None:
        super().__init__(name, label)

    def setRange(self, low: float, high: float) -> None:  # noqa: N802
        if not low < high:
            raise ValueError(f"{self._name}: {low} is not below {high}")

    def _checked(self, val: Value) -> Value:
        if isinstance(val, bool) or not isinstance(val, (int, float)):
            raise TypeError(f"{self._name} takes a number, not {val!r}")
        return float(val)


class BBox_Knob(Knob):  # noqa: N801
    """x, y, right and top."""

    def __init__(self, name: str, label: str = "") -> None:
        super().__init__(name, label, [0.0, 0.0, 1.0, 1.0])

    def _checked(self, val: Value) -> Value:
        if not isinstance(val, list) or len(val) != 4:
            raise TypeError(f"{self._name} takes four numbers, not {val!r}")
        return val


class Boolean_Knob(Knob):  # noqa: N801
    """A switch."""

    default = False

    def __init__(self, name: str, label: str = "") -> None:
        super().__init__(name, label)

    def _checked(self, val: Value) -> Value:
        if not isinstance(val, (bool, int, float)):
            raise TypeError(f"{self._name} takes true or false, not {val!r}")
        return bool(val)


class Enumeration_Knob(Knob):  # noqa: N801
    """One of a few words; what is none of them is refused."""

    def __init__(self, name: str, label: str, values: Sequence[str]) -> None:
        super().__init__(name, label, values[0])
        self._values = list(values)

    def values(self) -> list[str]:
        return list(self._values)

    def _checked(self, val: Value) -> Value:
        if isinstance(val, int) and not isinstance(val, bool) and 0 <= val < len(self._values):
            return self._values[val]
        if val not in self._values:
            raise ValueError(f"{self._name} takes one of {self._values}, not {val!r}")
        return val


def _refuse_if_unsafe(name: str) -> None:
    """Raise RuntimeError on another thread and during a render."""
    if threading.current_thread() is not threading.main_thread():
        raise RuntimeError(f"{name} was set outside of the main thread")
    if RENDERING.is_set():
        raise RuntimeError(f"{name} was set during a render")
