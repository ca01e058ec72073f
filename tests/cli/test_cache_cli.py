"""`infusion-cache` shows, checks and clears a cache, and touches nothing else."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest

from infusion_engine.cache.key import FitIdentity, SampleIdentity, Started, digest
from infusion_engine.cache.store import Kind, Store

CLIP = digest({"clip": 1})
FIT = FitIdentity(CLIP, {}, {}, {}, "fp32", 0, 0, (950, 1000), Started.SCRATCH, None)
SAMPLE = SampleIdentity(FIT.key, 0, 0, {}, None)


def infusion_cache(*arguments: object) -> subprocess.CompletedProcess[str]:
    """Run the command as its own process."""
    return subprocess.run(
        [sys.executable, "-m", "infusion_engine.cli.cache", *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    """A cache with one fit, used two days ago, and one sample, of a shot."""
    store = Store(tmp_path / "cache", on_damage=pytest.fail)
    store.save(Kind.FIT, FIT.key, {"a": np.zeros(10_000)}, {"identity": FIT.described()})
    store.save(Kind.SAMPLE, SAMPLE.key, {"a": np.zeros(100)}, {"identity": SAMPLE.described()})
    name = "/shows/a rather long name of a show/sequence/shot/plates/fire.%04d.exr"
    keys = [SAMPLE.key]
    store.note_shot(CLIP, name=name, frames="1-8", size=(96, 54), preset="draft", keys=keys)
    days_ago = (datetime.now(UTC) - timedelta(days=2)).timestamp()
    os.utime(fit_file(store.folder, "record.json"), (days_ago, days_ago))
    return store.folder


def fit_file(cache: Path, name: str) -> Path:
    """A file of the fit."""
    return cache / "fits" / FIT.key / name


def kept(cache: Path) -> list[str]:
    """Kinds of the entries that are left."""
    return [kind.word for kind in Kind if any((cache / kind.value).iterdir())]


def test_a_sample_of_any_size_is_verified_in_little_memory(tmp_path: Path) -> None:
    """One of 256 MiB takes no more than one of 1: it is read through, and let go of."""
    if not Path("/proc/self/status").exists():
        pytest.skip("this system does not tell a process's peak in /proc")
    program = (
        "import atexit\n"
        "def peak():\n"
        "    lines = open('/proc/self/status').read().splitlines()\n"
        "    print([line.split()[1] for line in lines if line.startswith('VmHWM')][0])\n"
        "from infusion_engine.cli.cache import main\n"
        "atexit.register(peak)\n"
        "main()\n"
    )
    peaks = []
    for mebibytes in (1, 256):
        store = Store(tmp_path / str(mebibytes), on_damage=pytest.fail)
        x = np.ones(mebibytes << 18, np.float32)
        store.save(Kind.SAMPLE, SAMPLE.key, {"x": x}, {"identity": SAMPLE.described()})
        run = subprocess.run(
            [sys.executable, "-c", program, "verify", "--cache", store.folder],
            capture_output=True,
            text=True,
            check=True,
            timeout=60,
        )
        peaks.append(int(run.stdout.splitlines()[-1]) / 1024)
    assert peaks[1] - peaks[0] < 64, peaks


def test_list_shows_every_entry_and_the_sum(cache: Path) -> None:
    """One line an entry with key, kind, size, age, interval, preset and the whole plate's name."""
    run = infusion_cache("list", "--cache", cache)
    assert (run.returncode, run.stderr) == (0, "")
    lines = run.stdout.splitlines()
    (fit,) = (line for line in lines if FIT.key[:12] in line)
    (sample,) = (line for line in lines if SAMPLE.key[:12] in line)
    for word in ("fit", " 80.", "2 d", "[950, 1000)"):
        assert word in fit
    for word in ("sample", "now", "[950, 1000)", "draft", "1-8", "plates/fire.%04d.exr"):
        assert word in sample
    assert lines[-1].startswith("2 entries, ")
    assert str(cache) in lines[-1]


def test_list_as_json_gives_the_same_to_programs(cache: Path) -> None:
    """`--json` is one object with whole keys and bytes."""
    found = json.loads(infusion_cache("list", "--json", "--cache", cache).stdout)
    entries = {entry["kind"]: entry for entry in found["entries"]}
    assert sorted(entries) == ["fit", "sample"]
    assert entries["fit"]["key"] == FIT.key
    assert entries["fit"]["interval"] == [950, 1000]
    assert entries["sample"]["preset"] == "draft"
    assert found["bytes"] == sum(entry["bytes"] for entry in found["entries"])


@pytest.mark.parametrize("command", [["list"], ["verify"], ["prune", "--all"]], ids=str)
def test_a_cache_that_is_not_there_is_empty(tmp_path: Path, command: list[str]) -> None:
    """No cache yet is no error, and none is made."""
    run = infusion_cache(*command, "--cache", tmp_path / "none")
    assert (run.returncode, run.stderr) == (0, "")
    assert "entries" in run.stdout
    assert not (tmp_path / "none").exists()


@pytest.mark.parametrize("command", [["list"], ["verify"], ["prune", "--all"]], ids=str)
def test_a_folder_that_is_no_cache_is_refused(tmp_path: Path, command: list[str]) -> None:
    """A folder of somebody's files is named, with exit code 2, and left as it was."""
    (tmp_path / "thesis.txt").write_text("years")
    run = infusion_cache(*command, "--cache", tmp_path)
    assert run.returncode == 2
    assert f"Error: {tmp_path} is not a cache" in run.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.txt"]


def test_verify_finds_every_entry_sound(cache: Path) -> None:
    """A sound cache is said to be so."""
    run = infusion_cache("verify", "--cache", cache)
    assert (run.returncode, run.stderr) == (0, "")
    assert "every one sound" in run.stdout


def test_verify_names_damaged_entries_and_removes_them_when_told(cache: Path) -> None:
    """A flipped bit gives exit code 5 and the entry's name; `--remove` removes just that entry."""
    path = fit_file(cache, "weights.safetensors")
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)

    run = infusion_cache("verify", "--cache", cache)
    assert run.returncode == 5
    assert f"damaged: {path.parent}" in run.stdout
    assert "1 of 2 entries" in run.stderr
    assert "Traceback" not in run.stderr
    assert kept(cache) == ["fit", "sample"]

    assert infusion_cache("verify", "--remove", "--cache", cache).returncode == 5
    assert kept(cache) == ["sample"]
    assert infusion_cache("verify", "--cache", cache).returncode == 0


@pytest.mark.parametrize(
    ("options", "left"),
    [
        ([], ["fit", "sample"]),
        (["--older-than", "3d"], ["fit", "sample"]),
        (["--older-than", "36h"], ["sample"]),
        (["--larger-than", "1G"], ["fit", "sample"]),
        (["--larger-than", "10.5K"], ["sample"]),
        (["--larger-than", "0"], []),
        (["--all"], []),
        (["--all", "--spare", "36h"], ["sample"]),
        (["--larger-than", "0", "--spare", "3d"], ["fit", "sample"]),
    ],
    ids=str,
)
def test_prune_removes_what_it_is_told_to(cache: Path, options: list[str], left: list[str]) -> None:
    """By age, by size and altogether; a dry run says the same and removes nothing."""
    dry = infusion_cache("prune", *options, "--dry-run", "--cache", cache)
    assert (dry.returncode, dry.stderr) == (0, "")
    assert kept(cache) == ["fit", "sample"]
    run = infusion_cache("prune", *options, "--cache", cache)
    assert (run.returncode, run.stderr) == (0, "")
    assert kept(cache) == left
    assert dry.stdout.replace("would remove", "removed") == run.stdout


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--older-than", "soon"], "as in 30d"),
        (["--larger-than", "big"], "as in 20G"),
        (["--all", "--older-than", "1d"], "--all"),
        (["--all", "--spare", "lately"], "as in 30d"),
    ],
    ids=str,
)
def test_prune_refuses_what_it_cannot_understand(
    cache: Path, options: list[str], said: str
) -> None:
    """Limits that are none, or contradict each other, give exit code 2 and remove nothing."""
    run = infusion_cache("prune", *options, "--cache", cache)
    assert run.returncode == 2
    assert said in run.stderr
    assert kept(cache) == ["fit", "sample"]


def test_prune_says_what_it_spares(cache: Path) -> None:
    """Who wanted more room sees what took it."""
    run = infusion_cache("prune", "--all", "--spare", "1w", "--cache", cache)
    assert run.returncode == 0
    assert run.stdout.splitlines()[0] == "kept 2 entries by --spare"


def test_prune_says_that_a_shot_is_being_rendered(cache: Path) -> None:
    """Entries of a shot whose lock is held are kept, and that is said."""
    with Store(cache, on_damage=pytest.fail).lock(CLIP, on_wait=pytest.fail, check=lambda: None):
        run = infusion_cache("prune", "--all", "--cache", cache)
    assert run.returncode == 0
    assert "kept 2 entries of a shot that is being rendered" in run.stdout
    assert kept(cache) == ["fit", "sample"]
