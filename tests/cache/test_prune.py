"""Pruning takes what is beyond the limits, the oldest first, and nothing a render works on."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest

from infusion_engine.cache import store as store_module
from infusion_engine.cache.entry import RECORD_FILE
from infusion_engine.cache.inventory import Item, inventory, require_cache
from infusion_engine.cache.key import FitIdentity, SampleIdentity, Started, digest
from infusion_engine.cache.prune import Choice, Limits, choose, prune
from infusion_engine.cache.store import Kind, Store
from infusion_engine.cache.trouble import Trouble, leave, note_files
from infusion_engine.errors import UsageError

CLIP = digest({"clip": 1})
Spawn = Callable[..., subprocess.Popen[str]]


def fit_of(number: int) -> FitIdentity:
    """The `number`th interval's fit of a shot."""
    interval = (number * 50, number * 50 + 50)
    return FitIdentity(CLIP, {}, {}, {}, "fp32", 0, 0, interval, Started.SCRATCH, None)


def save_fits(store: Store, count: int) -> list[str]:
    """Save fits of equal size, the first used `count` days ago, the next a day less; their keys."""
    keys = []
    for number in range(count):
        fit = fit_of(number)
        store.save(Kind.FIT, fit.key, {"a": np.zeros(1000)}, {"identity": fit.described()})
        used_days_ago(store, fit.key, count - number)
        keys.append(fit.key)
    return keys


def used_days_ago(store: Store, key: str, days: float) -> None:
    """Set a fit's last use."""
    seconds = (datetime.now(UTC) - timedelta(days=days)).timestamp()
    os.utime(store.entry_folder(Kind.FIT, key) / RECORD_FILE, (seconds, seconds))


def shift(path: Path, days: float) -> None:
    """Put a file's time so many days off, as the clock of a file server may stamp it."""
    seconds = (datetime.now(UTC) + timedelta(days=days)).timestamp()
    os.utime(path, (seconds, seconds))


def pruned(store: Store, limits: Limits) -> tuple[list[str], Choice]:
    """Prune; (keys of the removed in order, what was chosen)."""
    choice = choose(store, limits)
    removed, stuck = prune(store, choice, on_item=lambda _: None)
    assert not stuck
    return [item.key for item in removed], choice


def test_the_inventory_tells_what_each_entry_belongs_to(store: Store) -> None:
    """Size on disk, interval (a sample's is its fit's), clip, and the latest note that names it."""
    (key,) = save_fits(store, 1)
    sample = SampleIdentity(key, 0, 0, {}, None)
    store.save(Kind.SAMPLE, sample.key, {"a": np.zeros(9)}, {"identity": sample.described()})
    keys = [key, sample.key]
    for name in ("old.%04d.exr", "new.%04d.exr"):
        store.note_shot(CLIP, name=name, frames="1-8", size=(9, 5), preset="draft", keys=keys)
    items = {item.kind: item for item in inventory(store.folder)}
    assert items.keys() == {Kind.FIT, Kind.SAMPLE}
    for item in items.values():
        assert (item.interval, item.clip) == ((0, 50), CLIP)
        assert item.shot is not None
        assert (item.shot.frames, item.shot.size, item.shot.preset) == ("1-8", (9, 5), "draft")
        files = item.folder.iterdir()
        assert item.size == sum(file.stat().st_size for file in files)


def test_what_was_not_used_for_long_goes(store: Store) -> None:
    """Entries unused for longer than the limit go, and no others."""
    keys = save_fits(store, 4)
    removed, _ = pruned(store, Limits(older_than=timedelta(days=2, hours=12)))
    assert removed == keys[:2]
    assert [item.key for item in inventory(store.folder)] == keys[2:]


def test_the_least_recently_used_goes_until_the_rest_fits(store: Store) -> None:
    """A limit on the whole size removes as few entries as it must, oldest use first."""
    keys = save_fits(store, 4)
    used_days_ago(store, keys[0], 0)
    sizes = {item.key: item.size for item in inventory(store.folder)}
    room = sizes[keys[0]] + sizes[keys[3]]
    removed, _ = pruned(store, Limits(larger_than=room))
    assert removed == keys[1:3]
    assert pruned(store, Limits(larger_than=room))[0] == []


def test_what_was_used_lately_is_spared(store: Store) -> None:
    """Whatever size or age says: who waits in a queue finds it."""
    first, second, third = save_fits(store, 3)
    limits = Limits(older_than=timedelta(0), larger_than=0, spare=timedelta(days=1.5))
    went, choice = pruned(store, limits)
    assert went == [first, second]
    assert [item.key for item in choice.spared] == [third]
    store.note_shot(CLIP, name="p", frames="1", size=(1, 1), preset="draft", keys=[third])
    used_days_ago(store, third, 9)
    assert pruned(store, limits)[0] == []  # another task of its shot was begun just now


def test_loading_counts_as_use(store: Store) -> None:
    """An entry that a render found is not old."""
    keys = save_fits(store, 2)
    assert store.load(Kind.FIT, keys[0]) is not None
    assert pruned(store, Limits(older_than=timedelta(days=1)))[0] == keys[1:]


def test_a_render_of_the_shot_counts_as_use(store: Store) -> None:
    """A render that needed only the last sample keeps the shot's fits young."""
    keys = save_fits(store, 2)
    store.note_shot(CLIP, name="p", frames="1", size=(1, 1), preset="draft", keys=keys[:1])
    assert pruned(store, Limits(older_than=timedelta(days=1)))[0] == keys[1:]


def test_without_limits_no_entry_goes(store: Store) -> None:
    """Only what killed processes left behind is removed."""
    keys = save_fits(store, 2)
    assert pruned(store, Limits()) == ([], Choice((), (), (), ()))
    assert [item.key for item in inventory(store.folder)] == keys


HOLD = """
import sys, time
from pathlib import Path
from infusion_engine.cache.store import Store
store = Store(Path(sys.argv[1]), on_damage=print)
with store.lock(sys.argv[2], on_wait=lambda: None, check=lambda: None):
    print("held", flush=True)
    time.sleep(600)
"""


@pytest.mark.parametrize("held", ["an entry", "a key noted beforehand", "the clip"])
def test_a_shot_that_is_being_rendered_is_kept_whole(store: Store, spawn: Spawn, held: str) -> None:
    """While a process holds a lock on any of a shot's keys none of its entries goes; then all."""
    keys = save_fits(store, 2)
    other = digest({"of": "another shot"})
    store.save(Kind.FIT, other, {"a": np.zeros(9)}, {})
    to_come = digest({"not": "there yet"})
    store.note_shot(
        CLIP, name="p", frames="1", size=(1, 1), preset="draft", keys=[keys[1], to_come]
    )
    lock = {"an entry": keys[1], "a key noted beforehand": to_come, "the clip": CLIP}[held]
    process = spawn(HOLD, store.folder, lock)
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"

    removed, choice = pruned(store, Limits(older_than=timedelta(0)))
    assert removed == [other]
    assert {item.key for item in choice.busy} == set(keys)
    assert store.lock_file(lock).exists()

    process.kill()
    process.wait()
    assert set(pruned(store, Limits(older_than=timedelta(0)))[0]) == set(keys)
    assert list((store.folder / "locks").iterdir()) == []


DIE_WHILE_SAVING = """
import os, signal, sys
from pathlib import Path
import numpy as np
from infusion_engine.cache.store import Kind, Store
def die_before_the_rename(event, arguments):
    if event == "os.rename":
        os.kill(os.getpid(), signal.SIGKILL)
sys.addaudithook(die_before_the_rename)
Store(Path(sys.argv[1]), on_damage=print).save(Kind.FIT, "a" * 64, {"a": np.zeros(9)}, {})
"""


@pytest.mark.skipif(sys.platform == "win32", reason="Windows cannot ask whether a process lives")
def test_what_a_killed_process_left_is_never_read_and_goes(store: Store, spawn: Spawn) -> None:
    """A whole entry under a temporary name is no entry; pruning removes it, limits or none."""
    assert spawn(DIE_WHILE_SAVING, store.folder).wait(timeout=60) == -9
    (left,) = (store.folder / "fits").iterdir()
    assert {file.name for file in left.iterdir()} == {"weights.safetensors", "record.json"}
    assert inventory(store.folder) == []
    assert not store.has(Kind.FIT, "a" * 64)
    assert choose(store, Limits()).leftovers == (left,)
    assert left.exists()
    pruned(store, Limits())
    assert not left.exists()


def test_what_a_living_process_is_writing_stays(store: Store) -> None:
    """Young temporary folders of living processes and of other machines stay; old ones go."""
    store.prepare()
    fits = store.folder / "fits"
    ours = store._temporary(Kind.FIT)
    elsewhere = fits / ".tmp-another.machine-1-0123456789abcdef"
    for folder in (ours, elsewhere):
        folder.mkdir()
    assert choose(store, Limits()).leftovers == ()
    two_days_ago = (datetime.now(UTC) - timedelta(days=2)).timestamp()
    os.utime(elsewhere, (two_days_ago, two_days_ago))
    assert choose(store, Limits()).leftovers == (elsewhere,)


def test_only_what_the_cache_wrote_is_removed(store: Store) -> None:
    """Anything else in the cache's folders stays, whatever the limits."""
    save_fits(store, 1)
    strangers = [store.folder / "notes.txt", store.folder / "fits" / "README", store.folder / "x"]
    for path in strangers:
        path.write_text("mine")
    pruned(store, Limits(older_than=timedelta(0), larger_than=0))
    assert inventory(store.folder) == []
    assert all(path.read_text() == "mine" for path in strangers)


def test_damaged_entries_are_listed_and_can_go(store: Store) -> None:
    """An entry without a readable record still has a size and an age."""
    (key,) = save_fits(store, 1)
    (store.entry_folder(Kind.FIT, key) / RECORD_FILE).unlink()
    (item,) = inventory(store.folder)
    assert isinstance(item, Item)
    assert item.record is None
    assert item.size > 8000
    assert pruned(store, Limits(older_than=timedelta(0)))[0] == [key]


def test_old_notes_of_entries_that_are_gone_go_too(store: Store) -> None:
    """The index does not grow for ever; a note just written waits for its entries."""
    store.prepare()
    store.note_shot(CLIP, name="p", frames="1", size=(1, 1), preset="draft", keys=[CLIP])
    (note,) = (store.folder / "shots").iterdir()
    pruned(store, Limits())
    assert note.exists()
    text = note.read_text(encoding="utf-8")
    year = str(datetime.now(UTC).year)
    note.write_text(text.replace(f'"used": "{year}', '"used": "2001'), encoding="utf-8")
    shift(note, -2)
    pruned(store, Limits())
    assert not note.exists()


def test_old_notes_of_failed_tasks_go(store: Store) -> None:
    """Somebody may wait for a new one, of any job; what is none by its name stays."""
    store.prepare()
    for task in ("fit --interval 1", "fit --interval 2"):
        leave(store.folder, CLIP, Trouble(task, "node7", 5, "No.", "Yes."))
    old, new = note_files(store.folder)
    begun = store.folder / "troubles" / ".tmp-0123456789abcdef"
    mine = store.folder / "troubles" / "notes.txt"
    for path in (begun, mine):
        path.write_text("{")
    for path in (old, begun, mine):
        shift(path, -2)
    pruned(store, Limits())
    assert not old.exists()
    assert not begun.exists()
    assert new.exists()
    assert mine.exists()


@pytest.mark.parametrize("days", [-1, 1, -400], ids=["behind", "ahead", "far behind"])
def test_the_clock_of_who_used_it_does_not_matter(
    store: Store, monkeypatch: pytest.MonkeyPatch, days: int
) -> None:
    """A render on a machine with another clock keeps a shot's fits young, and not for longer.

    What counts is when the disk that all share says that the note was written.
    """
    keys = save_fits(store, 2)
    wrong = (datetime.now(UTC) + timedelta(days=days)).isoformat(timespec="seconds")
    monkeypatch.setattr(store_module, "now", lambda: wrong)
    store.note_shot(CLIP, name="p", frames="1", size=(1, 1), preset="draft", keys=keys[:1])
    (note,) = (store.folder / "shots").iterdir()
    assert [item.key for item in inventory(store.folder)] == keys[::-1]
    assert pruned(store, Limits(older_than=timedelta(hours=12)))[0] == keys[1:]
    assert note.exists()
    shift(note, -1)
    shift(store.entry_folder(Kind.FIT, keys[0]) / RECORD_FILE, -1)
    assert pruned(store, Limits(older_than=timedelta(hours=12)))[0] == keys[:1]


def test_the_same_render_keeps_one_note(store: Store) -> None:
    """Rendering again renews the note; another seed's keys make one of their own."""
    for keys in ([CLIP], [CLIP], [CLIP, "b" * 64]):
        store.note_shot(CLIP, name="p", frames="1", size=(1, 1), preset="draft", keys=keys)
    assert len(list((store.folder / "shots").iterdir())) == 2


def test_unreadable_notes_are_passed_over(store: Store) -> None:
    """The index is for people: whatever lies in it, entries are listed."""
    (key,) = save_fits(store, 1)
    shots = store.folder / "shots"
    shots.mkdir()
    for number, text in enumerate(["", "[]", "{}", '{"size": 3}', "\0"]):
        (shots / f"{number}.json").write_text(text)
    assert [item.key for item in inventory(store.folder)] == [key]


def test_a_folder_that_is_no_cache_is_refused(tmp_path: Path, store: Store) -> None:
    """A folder with anything in it but our tag is refused; none or an empty one is no cache yet."""
    save_fits(store, 1)
    assert require_cache(store.folder)
    assert not require_cache(tmp_path / "nothing")
    (tmp_path / "empty").mkdir()
    assert not require_cache(tmp_path / "empty")
    foreign = tmp_path / "foreign"
    foreign.mkdir()
    (foreign / "CACHEDIR.TAG").write_text("Signature: 8a477f597d28d172789f06886806bc55\n# Other's")
    for path in (foreign, tmp_path, foreign / "CACHEDIR.TAG"):
        with pytest.raises(UsageError, match="not a cache of Infusion Inpaint"):
            require_cache(path)
