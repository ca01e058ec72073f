"""FileSequence: numbered frames on disk, found from a folder, a pattern or one frame's path."""

from __future__ import annotations

import difflib
import os
import re
import stat
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import pyseq

from infusion_engine.errors import SequenceError, UsageError

IMAGE_SUFFIXES = (".exr", ".dpx", ".png", ".tif", ".tiff", ".jpg", ".jpeg")
"""Endings, in lower case, of the files that a folder is searched for."""

STILL_FRAME = 1
"""Frame number that a plate without one is given."""

_SAME_SUFFIXES = ({".tif", ".tiff"}, {".jpg", ".jpeg"})
_LISTED = 5  # names in one message: enough to see the slip, short enough to read
_NUMBER = r"-?\d+"
_PRINTF = re.compile(r"%(?:0?(\d+))?d", re.ASCII)
_HOUDINI = re.compile(r"\$F(\d*)", re.ASCII)
_SIGNS = re.compile(r"#+|@+")
# The number right before the extension; a sign counts only where no word stands before it,
# because in `plate-12.exr` the hyphen is a separator.
_FRAME_LAST = re.compile(
    r"(?P<prefix>.*?)(?P<number>(?:(?<![^._])-(?=\d*[1-9]))?\d+)", re.ASCII | re.DOTALL
)
_NO_FRAME = re.compile(r"(?:^|[^A-Za-z])[vV]$|\dx$", re.ASCII)  # `plate_v2`, `bars.200x150`


@dataclass(frozen=True)
class FileSequence:
    """Files of one folder that differ in the frame number only, or a lone file without a number."""

    folder: Path
    """Folder that holds the files."""
    prefix: str
    """File name before the frame number, or a lone file's stem."""
    suffix: str
    """File name after the frame number, extension included."""
    padding: int
    """Digits that a frame number is filled up to with zeros, a minus sign included."""
    frames: tuple[int, ...]
    """Frame numbers that exist (or will be written), sorted; empty for a lone file."""

    @property
    def is_still(self) -> bool:
        """True for a lone file without a frame number: it holds for every frame."""
        return not self.frames

    @property
    def extension(self) -> str:
        """The last dotted part of the file name, such as `.exr`, as the files spell it."""
        return Path(f"_{self.suffix}").suffix

    @property
    def pattern(self) -> str:
        """The file name with `%04d` for the frame number; a lone file's own name."""
        if self.is_still:
            return self.prefix + self.suffix
        number = f"%0{self.padding}d" if self.padding > 1 else "%d"
        return f"{self.prefix}{number}{self.suffix}"

    def path(self, frame: int) -> Path:
        """The file of `frame`, whether it exists or not."""
        number = "" if self.is_still else f"{frame:0{self.padding}d}"
        return self.folder / f"{self.prefix}{number}{self.suffix}"

    def __str__(self) -> str:
        """`plate.%04d.exr 1001-1048`, with the count where frames are missing in between."""
        if self.is_still:
            return self.pattern
        first, last = self.frames[0], self.frames[-1]
        if first == last:
            return self.path(first).name
        holes = last - first + 1 - len(self.frames)
        return f"{self.pattern} {first}-{last}" + (f" ({holes} missing)" if holes else "")


def find_sequence(text: str | Path) -> FileSequence:
    """The sequence meant by a folder, a pattern (`%04d`, `####`, `@@@@`, `$F4`) or a frame's path.

    A frame number stands right before the extension, or is the one number in which several files
    of the folder differ; in `plate_v002` and `bars.200x150` it is none.

    Raises:
        SequenceError: nothing matches, or a folder holds more than one sequence.
        UsageError: the text is empty or cannot be a path.
    """
    path = _as_path(text)
    if _is_folder(path):
        return _only_sequence(path)
    if _identity(path) is not None:
        return _sequence_with(path)
    names = _names(path.parent, wanted=path)
    pattern = _pattern(path.name)
    if pattern is None:
        raise SequenceError(
            f"There is no file or folder '{path}'. {_what_is_there(path, names)}",
            remedy="Give a folder, a pattern such as plate.%04d.exr, or the path of one frame.",
        )
    prefix, padding, suffix = pattern
    number = re.compile(f"{re.escape(prefix)}({_NUMBER}){re.escape(suffix)}", re.ASCII | re.DOTALL)
    found = (match[1] for match in map(number.fullmatch, names) if match)
    frames = sorted({int(digits) for digits in found if digits == f"{int(digits):0{padding}d}"})
    if not frames:
        example = f"{prefix}{1001:0{padding}d}{suffix}"
        raise SequenceError(
            f"No file in '{path.parent}' matches '{path.name}': looked for names like {example}. "
            + _what_is_there(path, names),
            remedy="Correct the pattern; # and @ stand for one digit each.",
        )
    return FileSequence(path.parent, prefix, suffix, padding, tuple(frames))


def output_sequence(text: str | Path, plate: FileSequence, suffix: str) -> FileSequence:
    """The files that will be written for `plate`, whose extension will be `suffix` (`.exr`).

    A folder, which need not exist yet, keeps the plate's own frame names; a pattern is used as it
    is; one frame's path stands for its siblings.

    Raises:
        UsageError: the text asks for another kind of file, or names one file for many frames.
    """
    path = _as_path(text)
    ending = Path(f"_{suffix}").suffix
    is_folder = _is_folder(path) or str(text).endswith(("/", os.sep))
    pattern = None if is_folder else _pattern(path.name)
    asked = path.suffix if pattern is None else Path(f"_{pattern[2]}").suffix
    if is_folder or not (pattern or asked.lower() in IMAGE_SUFFIXES):
        kept = plate.suffix[: len(plate.suffix) - len(plate.extension)]
        same = _same_ending(plate.extension, ending)
        return replace(plate, folder=path, suffix=kept + (plate.extension if same else ending))
    if not _same_ending(asked, ending):
        raise UsageError(
            f"The output '{path.name}' asks for '{asked or 'no extension'}', "
            f"but frames of '{plate.pattern}' are written as '{ending}'.",
            remedy=f"Let the output end in {ending}, or give a folder.",
        )
    if pattern is None:
        split = _frame_last(path.name)
        pattern = None if split is None else (split[0], len(split[1]), split[2])
    if pattern is None:
        if len(plate.frames) > 1:
            raise UsageError(
                f"The output '{path}' names one file, but the plate has "
                f"{len(plate.frames)} frames.",
                remedy=f"Give a folder, or a pattern such as {path.stem}.%04d{ending}.",
            )
        return FileSequence(path.parent, path.stem, path.suffix, 0, ())
    return FileSequence(
        path.parent, pattern[0], pattern[2], pattern[1], plate.frames or (STILL_FRAME,)
    )


def check_not_plate(
    output: FileSequence, plate: FileSequence, frames: Iterable[int], *, what: str = "plate"
) -> None:
    """See to it that writing `frames` of `output` touches no file of `plate`.

    Files are compared by identity, so links and other spellings of a path are seen through; an
    output that does not exist yet is no file of the plate. `what` names the plate in the message.

    Raises:
        UsageError: the first output file that is also a file of the plate.
    """
    taken: dict[tuple[int, int], Path] = {}
    for frame in plate.frames or (STILL_FRAME,):
        path = plate.path(frame)
        identity = _identity(path)
        if identity is not None:
            taken[identity] = path
    for frame in frames:
        target = output.path(frame)
        identity = _identity(target)
        if identity in taken:
            raise UsageError(
                f"The output '{target}' would overwrite the {what}: it is the same file as "
                f"'{taken[identity]}'.",
                remedy="Choose another output folder or another file name.",
            )


def listed(items: Sequence[object]) -> str:
    """A few of `items` for a message, with the number of those left out."""
    shown = ", ".join(str(item) for item in items[:_LISTED])
    return shown + (f" and {len(items) - _LISTED} more" if len(items) > _LISTED else "")


def _as_path(text: str | Path) -> Path:
    """The path as written, with `~` resolved."""
    if not str(text).strip() or "\0" in str(text):
        raise UsageError(
            f"{str(text)!r} is not a path.",
            remedy="Give a folder, a pattern such as plate.%04d.exr, or the path of one frame.",
        )
    path = Path(text)
    return path.expanduser() if str(text).startswith("~") else path


def _identity(path: Path) -> tuple[int, int] | None:
    """(device, inode) of the file behind `path`, or None where there is none."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino


def _is_folder(path: Path) -> bool:
    """True for a folder; False too where nobody may look (Path.is_dir raises there)."""
    try:
        return stat.S_ISDIR(path.stat().st_mode)
    except OSError:
        return False


def _same_ending(one: str, other: str) -> bool:
    """True when two extensions stand for the same kind of file."""
    pair = {one.lower(), other.lower()}
    return len(pair) == 1 or pair in _SAME_SUFFIXES


def _pattern(name: str) -> tuple[str, int, str] | None:
    """(prefix, padding, suffix) of a file name with a frame placeholder, or None without one."""
    for placeholder in (_PRINTF, _HOUDINI, _SIGNS):
        matches = list(placeholder.finditer(name))
        if matches:
            match = matches[-1]  # `plate#2.####.exr`: the frame number is the last
            digits = len(match[0]) if placeholder is _SIGNS else int(match[1] or 1)
            return name[: match.start()], digits, name[match.end() :]
    return None


def _frame_last(name: str) -> tuple[str, str, str] | None:
    """(prefix, number, extension) of a name whose number stands right before the extension."""
    match = _FRAME_LAST.fullmatch(Path(name).stem)
    if match is None or _NO_FRAME.search(match["prefix"]):
        return None
    return match["prefix"], match["number"], Path(name).suffix


def _names(folder: Path, *, wanted: Path) -> list[str]:
    """Names of the files in `folder`, sorted, without hidden ones (our own temporary files).

    Raises:
        SequenceError: the folder does not exist or cannot be listed.
    """
    try:
        with os.scandir(folder) as entries:
            return sorted(e.name for e in entries if not e.name.startswith(".") and e.is_file())
    except OSError as error:
        there = next((p for p in folder.absolute().parents if _is_folder(p)), Path("/"))
        raise SequenceError(
            f"Looked for '{wanted.name}' in the folder '{folder}', which cannot be listed "
            f"({error.strerror or error}); '{there}' exists.",
            remedy="Check the path.",
        ) from error


def _what_is_there(path: Path, names: Sequence[str]) -> str:
    """One sentence on what the folder holds, nearest names first."""
    groups = {group.pattern: str(group) for group in _groups(path.parent, names)}
    if not groups:
        return f"'{path.parent}' holds no files."
    nearest = difflib.get_close_matches(path.name, groups, n=_LISTED, cutoff=0.0)
    others = len(groups) - len(nearest)
    shown = ", ".join(groups[pattern] for pattern in nearest)
    return f"'{path.parent}' holds {shown}" + (f" and {others} more." if others else ".")


def _only_sequence(folder: Path) -> FileSequence:
    """The one sequence of image files in a folder; single pictures beside it do not count.

    Raises:
        SequenceError: there is none, or there are several.
    """
    names = _names(folder, wanted=folder)
    images = [name for name in names if Path(name).suffix.lower() in IMAGE_SUFFIXES]
    groups = _groups(folder, images)
    if not groups:
        inside = f"It holds {listed(names)}." if names else "It holds no files."
        raise SequenceError(
            f"The folder '{folder}' holds no image files ({', '.join(IMAGE_SUFFIXES)}). {inside}",
            remedy="Give the folder that holds the frames.",
        )
    longer = [group for group in groups if len(group.frames) > 1]
    found = longer or groups
    if len(found) > 1:
        raise SequenceError(
            f"The folder '{folder}' holds {len(found)} sequences or single pictures, expected one: "
            f"{listed(found)}.",
            remedy=f"Name one of them, such as '{folder / found[0].pattern}'.",
        )
    return found[0]


def _sequence_with(path: Path) -> FileSequence:
    """The sequence that the existing file `path` belongs to, or the lone file itself."""
    names = _names(path.parent, wanted=path)
    extension = path.suffix
    groups = _groups(path.parent, [name for name in names if name.endswith(extension)])
    for group in groups:
        if any(group.path(frame).name == path.name for frame in group.frames):
            return group
    return FileSequence(path.parent, path.stem, extension, 0, ())


def _groups(folder: Path, names: Sequence[str]) -> list[FileSequence]:
    """The sequences and lone files that `names` make up, in order of their names.

    A number right before the extension is the frame number. pyseq, which guesses from the one
    number in which names differ, is asked only where there is none (`shot.1001.left.exr`): it takes
    `fire_v01.1001.exr` and `fire_v02.1001.exr` for frames 1 and 2, and it forgets the padding.
    """
    numbers: dict[tuple[str, str], list[str]] = defaultdict(list)
    rest: list[str] = []
    for name in names:
        split = _frame_last(name)
        if split is None:
            rest.append(name)
        else:
            numbers[split[0], split[2]].append(split[1])
    stills: list[str] = []
    for group in pyseq.get_sequences(rest) if rest else ():
        members = [item.name for item in group]
        prefix, suffix = str(group.head()), str(group.tail())
        is_word = suffix[:1].isalpha() or _NO_FRAME.search(prefix)  # `10bit.dpx`, `plate_v2.exr`
        if len(members) > 1 and not is_word:
            numbers[prefix, suffix] += [m[len(prefix) : len(m) - len(suffix)] for m in members]
        else:
            stills += members
    found = [FileSequence(folder, Path(name).stem, Path(name).suffix, 0, ()) for name in stills]
    for (prefix, suffix), digits in numbers.items():
        for padding, frames in _by_padding(digits).items():
            found.append(FileSequence(folder, prefix, suffix, padding, tuple(sorted(frames))))
    return sorted(found, key=lambda group: (group.pattern, group.padding))


def _by_padding(numbers: Sequence[str]) -> dict[int, set[int]]:
    """Frame numbers by the padding that writes them exactly as they stand.

    A leading zero gives the padding away; numbers without one belong to the widest padding that
    they fill, and where there is none, to the shortest among them (998, 999, 1000 is `%03d`).
    """
    padded = {len(number) for number in numbers if re.match(r"-?0\d", number)}
    plain = [n for n in numbers if not any(width <= len(n) for width in padded)]
    shortest = min((len(number) for number in plain), default=1)
    frames: dict[int, set[int]] = defaultdict(set)
    for number in numbers:
        if re.match(r"-?0\d", number):
            frames[len(number)].add(int(number))
        else:
            fits = [width for width in padded if width <= len(number)]
            frames[max(fits, default=shortest)].add(int(number))
    return dict(frames)
