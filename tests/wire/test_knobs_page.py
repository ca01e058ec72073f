"""The page of settings is what the one table gives."""

from __future__ import annotations

from infusion_node.wire.knobs import ENGINE, KNOBS
from tests.wire.knobs_page import PAGE, page


def test_the_page_is_what_the_table_gives() -> None:
    """The committed page was written from the table as it is: `python -m tests.wire.knobs_page`."""
    assert PAGE.read_text("utf-8") == page()


def test_the_page_has_a_row_with_the_help_of_every_setting() -> None:
    """No setting is left out, whichever heading it stands under."""
    rows = [line for line in page().splitlines() if line.startswith("| `")]
    assert len(rows) == len(KNOBS) + 1
    for knob in (*KNOBS, ENGINE):
        (row,) = (line for line in rows if line.startswith(f"| `{knob.name}` |"))
        assert row.endswith(f"| {knob.help.replace('|', chr(92) + '|')} |")
