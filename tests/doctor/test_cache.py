"""Cache: its place, its entries, damage and locks are told, and nothing in it is changed."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from infusion_engine.cache.key import digest
from infusion_engine.cache.lock import held
from infusion_engine.cache.store import Kind, Store
from infusion_engine.doctor.cache import checks
from infusion_engine.doctor.findings import Finding, Outcome

KEY, OTHER = digest({"some": "identity"}), digest({"another": "identity"})


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    """A cache with a fit and a sample."""
    store = Store(tmp_path / "cache", on_damage=pytest.fail)
    store.save(Kind.FIT, KEY, {"a": np.zeros(300_000)}, {"identity": {}})
    store.save(Kind.SAMPLE, OTHER, {"a": np.zeros(10)}, {"identity": {}})
    return store.folder


def found(folder: Path) -> dict[str, Finding]:
    """What the doctor says of a cache folder, by name."""
    return {finding.name: finding for finding in checks(folder)}


def content(folder: Path) -> dict[Path, bytes]:
    """Every file below a folder."""
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_a_sound_cache_is_counted_and_left_alone(cache: Path) -> None:
    """Place, number and size; no file comes, goes or changes."""
    before = content(cache)
    told = found(cache)
    assert told["location"].found == f"{cache}, can be written"
    assert told["entries"].found == "2 entries, 2 MiB, records and sizes sound"
    assert told["locks"].found == "none held"
    assert {finding.outcome for finding in told.values()} == {Outcome.OK}
    assert content(cache) == before


def test_a_cache_that_is_not_there_is_well_and_not_made(tmp_path: Path) -> None:
    """A render makes it; the doctor does not."""
    told = found(tmp_path / "deep" / "cache")
    assert "not there yet" in told["location"].found
    assert told["entries"].found == "none yet"
    assert {finding.outcome for finding in told.values()} == {Outcome.OK}
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("below", ["", "deep/cache"])
def test_a_file_in_the_way_fails_and_is_named(tmp_path: Path, below: str) -> None:
    """At the folder's own place or above it: a storage error, exit code 5."""
    file = tmp_path / "file"
    file.write_text("in the way")
    told = found(file / below)
    location = told["location"]
    assert (location.outcome, location.exit_code) == (Outcome.FAILED, 5)
    assert f"'{file}' is not a folder" in location.found
    assert location.remedy
    assert Outcome.FAILED not in {told[name].outcome for name in ("entries", "locks")}
    assert file.read_text() == "in the way"


def test_a_short_tensor_file_is_damage(cache: Path) -> None:
    """The entry and what is wrong with it are told; it is a warning, and it stays."""
    tensors = cache / "fits" / KEY / "weights.safetensors"
    tensors.write_bytes(tensors.read_bytes()[:100])
    entries = found(cache)["entries"]
    assert entries.outcome is Outcome.WARNING
    assert "2 entries, " in entries.found
    assert f"1 damaged: {tensors.parent}: its weights.safetensors is 100 bytes" in entries.found
    assert "infusion-cache verify --remove" in entries.remedy
    assert tensors.exists()


@pytest.mark.parametrize(
    ("name", "text", "reason"),
    [
        ("record.json", "{", "is no JSON"),
        ("record.json", "{}", "is not as it was written"),
        ("record.json", None, "record.json is missing"),
        ("sample.safetensors", None, "sample.safetensors is missing"),
    ],
)
def test_a_record_or_a_file_that_is_gone_or_changed_is_damage(
    cache: Path, name: str, text: str | None, reason: str
) -> None:
    """Each with its own reason, and the sound entry is not named."""
    path = cache / "samples" / OTHER / name
    path.unlink()
    if text is not None:
        path.write_text(text)
    entries = found(cache)["entries"]
    assert entries.outcome is Outcome.WARNING
    assert "1 damaged" in entries.found
    assert reason in entries.found
    assert KEY not in entries.found


def test_a_lock_that_is_held_is_told(cache: Path) -> None:
    """A render at work is no trouble; a lock file that nobody holds is none."""
    store = Store(cache, on_damage=pytest.fail)
    with store.lock(KEY, on_wait=pytest.fail, check=lambda: None):
        assert found(cache)["locks"].found == "1 held: a render is at work in this cache"
    assert store.lock_file(KEY).exists()
    assert found(cache)["locks"].found == "none held"


def test_somebody_s_folder_is_a_warning_and_is_not_touched(tmp_path: Path) -> None:
    """Renders would put their folders beside what lies there."""
    lock = tmp_path / "locks" / f"{KEY}.lock"
    lock.parent.mkdir()
    lock.write_text("of somebody else")
    with held(lock, on_wait=pytest.fail, check=lambda: None, on_no_lock=pytest.fail):
        told = found(tmp_path)
    assert told["entries"].outcome is Outcome.WARNING
    assert f"{tmp_path} is not a cache" in told["entries"].found
    assert told["locks"].found == "none held"
    assert content(tmp_path) == {lock: b"of somebody else"}
