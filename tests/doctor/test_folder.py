"""Folder: what of it stands is found, and whether it takes files is tried."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from infusion_engine.doctor.folder import check_takes_files, standing
from infusion_engine.errors import StorageError


def test_the_nearest_that_exists_is_found(tmp_path: Path) -> None:
    """The folder itself, a folder above it, or a file that is in the way."""
    file = tmp_path / "file"
    file.touch()
    assert standing(tmp_path) == tmp_path
    assert standing(tmp_path / "a" / "b") == tmp_path
    assert standing(file / "b") == file


def test_nothing_is_left_behind(tmp_path: Path) -> None:
    """Neither a folder nor the file that was tried with."""
    check_takes_files(tmp_path / "a", what="cache folder")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(
    not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may write anywhere"
)
def test_a_folder_without_rights_is_refused(tmp_path: Path) -> None:
    """The folder is named as what it is for, with the system's reason."""
    tmp_path.chmod(0o500)
    try:
        with pytest.raises(StorageError, match=r"The cache folder .*Permission denied"):
            check_takes_files(tmp_path, what="cache folder")
    finally:
        tmp_path.chmod(0o700)


def test_a_file_in_the_way_is_refused(tmp_path: Path) -> None:
    """It is named, and so is the folder that was asked for."""
    (tmp_path / "file").touch()
    with pytest.raises(StorageError, match=r"'.*file/cache' cannot be used: '.*file' is not"):
        check_takes_files(tmp_path / "file" / "cache", what="cache folder")
