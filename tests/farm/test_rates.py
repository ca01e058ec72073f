"""A speed that was measured comes back as it was, and anything else is refused by name."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from infusion_engine.errors import UsageError
from infusion_engine.farm.rates import Rates, read_rates

RATES = Rates("cuda:0 H100", "residual 48", "bf16", 5e7, 9e8, 6.5, 0.05)


def written(folder: Path, **changes: Any) -> Path:
    """A file of rates; None leaves a field out."""
    values = {**json.loads(RATES.to_json()), **changes}
    path = folder / "speed.json"
    path.write_text(json.dumps({k: v for k, v in values.items() if v is not None}))
    return path


def test_what_was_kept_comes_back(tmp_path: Path) -> None:
    """Every field; a whole number is a number."""
    assert read_rates(written(tmp_path)) == RATES
    assert read_rates(written(tmp_path, start_seconds=0)).start_seconds == 0


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"device": None}, "expected one object with device"),
        ({"more": 1}, "expected one object with device"),
        ({"network": 48}, "network: found 48, expected a text"),
        ({"frame_seconds": "1"}, 'frame_seconds: found "1", expected a number'),
        ({"frame_seconds": True}, "frame_seconds: found true"),
        ({"frame_seconds": -1}, "found -1, expected a number above 0"),
        ({"fit_voxels_per_second": 0}, "found 0, expected a number above 0"),
        ({"sample_voxels_per_second": float("inf")}, "found inf"),
        ({"sample_voxels_per_second": float("nan")}, "found nan"),
    ],
)
def test_anything_else_is_refused(tmp_path: Path, changes: dict[str, Any], words: str) -> None:
    """With the field, what was found, and what writes such a file."""
    with pytest.raises(UsageError, match=words) as caught:
        read_rates(written(tmp_path, **changes))
    assert "--save-speed" in caught.value.remedy


def test_no_file_and_no_json(tmp_path: Path) -> None:
    """The file is named."""
    path = tmp_path / "speed.json"
    for text in (None, "{", "[1]"):
        if text is not None:
            path.write_text(text)
        with pytest.raises(UsageError, match=r"speed\.json holds no speed"):
            read_rates(path)
