"""What the folder of a report is refused for."""

from __future__ import annotations

from pathlib import Path

import pytest

from infusion_engine.errors import StorageError, UsageError
from infusion_engine.review.report_folder import GENERATOR, check_report_folder


def test_a_new_folder_and_one_with_an_earlier_report_are_fine(tmp_path: Path) -> None:
    """A report replaces its own kind."""
    check_report_folder(tmp_path / "new", [tmp_path])
    (tmp_path / "index.html").write_text(f'<meta name="generator" content="{GENERATOR}">')
    check_report_folder(tmp_path, [tmp_path / "plate"])


def test_somebody_else_s_page_is_not_replaced(tmp_path: Path) -> None:
    """It is named, and stays."""
    (tmp_path / "index.html").write_text("<h1>My site</h1>")
    with pytest.raises(UsageError, match=r"index\.html.*not the page of a report"):
        check_report_folder(tmp_path, [])


def test_a_folder_where_the_page_should_be_is_refused(tmp_path: Path) -> None:
    """A folder cannot be replaced by a page."""
    (tmp_path / "index.html").mkdir()
    with pytest.raises(StorageError, match=r"index\.html"):
        check_report_folder(tmp_path, [])


def test_pictures_never_lie_among_frames(tmp_path: Path) -> None:
    """However the folder is spelled: a picture could take the place of a frame."""
    with pytest.raises(UsageError, match="among frames"):
        check_report_folder(tmp_path / "x" / "..", [tmp_path / "plate", tmp_path / "pictures"])
