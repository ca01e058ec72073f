"""The OpenColorIO config: which one holds, what its colour spaces are called, what it is made of.

Artists expect `$OCIO` to be respected, so it is. Without it there is one config, pinned by its
name: `ocio://default` would be another with each release, and so would every fill.
"""

from __future__ import annotations

import difflib
import hashlib
import json
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

import OpenImageIO as oiio  # noqa: N813  (its own documentation's name for it)

from infusion_engine.errors import UsageError
from infusion_engine.media.hush import hushed

PINNED = "ocio://studio-config-v2.1.0_aces-v1.3_ocio-v2.3"
"""The config that holds without `$OCIO`: the cameras' spaces are in it, and it never changes."""
VARIABLE = "OCIO"

_BUILT_IN = "ocio://"
_MOVING = ("default", "-latest")  # built-in names that another release takes for another config
_REFERENCE = re.compile(r"\bsrc:\s*(\"[^\"\n]*\"|'[^'\n]*'|[^,}\n]+)")
_SEARCH_PATH = re.compile(r"^search_path:[ ]*([^\n]*(?:\n[ ]*-[ ][^\n]*)*)", re.MULTILINE)
_SEPARATOR = re.compile(r"[\n,\[\]]|:(?![\\/])")  # a drive's colon separates nothing
_CONTEXT = re.compile(r"\$\{(\w+)\}|\$(\w+)|%(\w+)%")


class Origin(str, Enum):
    """Who chose the config."""

    PINNED = "pinned, $OCIO is not set"
    """Nobody: it is the built-in one."""
    ENVIRONMENT = "$OCIO"
    """The user's environment."""


@dataclass(frozen=True)
class ColourConfig:
    """A config that was read."""

    source: str
    """What OpenColorIO opens: a path, or `ocio://` and the name of a built-in config."""
    origin: Origin
    """Who chose it."""
    spaces: tuple[str, ...]
    """Its colour spaces, as it spells them."""
    roles: tuple[str, ...]
    """Its roles."""
    names: Mapping[str, str]
    """Colour space by each of its names, aliases and roles, in lower case: case does not count."""
    no_colour: frozenset[str]
    """Colour spaces that hold data, which nothing converts."""

    def named(self) -> str:
        """The config and who chose it, for people."""
        return f"{self.source} ({self.origin.value})"

    def closest(self, name: str) -> list[str]:
        """Up to three colour spaces of which a name looks like `name`, likeliest first."""
        asked = name.lower()
        alike = difflib.get_close_matches(asked, self.names, n=3, cutoff=0.6)
        holding = [known for known in self.names if asked and asked in known]
        wider = difflib.get_close_matches(asked, self.names, n=3, cutoff=0.5)
        found = [self.names[known] for known in (*alike, *holding, *wider)]
        return list(dict.fromkeys(found))[:3]

    def identity(self) -> str:
        """What the config is, wherever it lies: for keys.

        A built-in config is its name. Any other is a digest of its bytes, of the files that its
        transforms name, as far as they are found, and of the environment variables that it reads.

        Raises:
            UsageError: it cannot be read any more.
        """
        if self.source.startswith(_BUILT_IN):
            moves = self.source.endswith(_MOVING)
            release = library_version() if moves else ""
            return f"{self.source} {release}".rstrip()
        path = Path(self.source)
        try:
            content = path.read_bytes()
            found: dict[str, object] = {"config": hashlib.sha256(content).hexdigest()}
            if path.suffix.lower() != ".ocioz":  # an archive holds its files
                text = content.decode("utf-8", errors="replace")
                found |= {"files": _files(text, path.parent), "context": _context(text)}
        except OSError as error:
            raise _unreadable(self.source, self.origin, error.strerror or str(error)) from error
        return "sha256:" + hashlib.sha256(json.dumps(found, sort_keys=True).encode()).hexdigest()


def library_version() -> str:
    """The version of OpenColorIO that OpenImageIO brings along."""
    return str(oiio.get_string_attribute("opencolorio_version"))


def open_config() -> ColourConfig:
    """The config of `$OCIO`, or the pinned one where the variable is not set or empty.

    Raises:
        UsageError: it cannot be read.
    """
    asked = os.environ.get(VARIABLE, "")
    source, origin = (asked, Origin.ENVIRONMENT) if asked else (PINNED, Origin.PINNED)
    with hushed():
        try:
            config = oiio.ColorConfig(source)
            trouble = config.geterror()
        except UnicodeDecodeError as error:
            raise _unreadable(source, origin, "it is not text") from error
    if trouble:
        raise _unreadable(source, origin, trouble)
    spaces = tuple(config.getColorSpaceNames())
    roles = tuple(config.getRoles())
    names = {space.lower(): space for space in spaces}
    for space in spaces:
        for alias in config.getAliases(space):
            names.setdefault(alias.lower(), space)
    for role in roles:
        names.setdefault(role.lower(), config.getColorSpaceNameByRole(role))
    no_colour = frozenset(space for space in spaces if config.isData(space))
    return ColourConfig(source, origin, spaces, roles, names, no_colour)


def _unreadable(source: str, origin: Origin, reason: str) -> UsageError:
    """The error for a config that OpenColorIO does not read."""
    said = " ".join(reason.split()).rstrip(".")
    if origin is Origin.ENVIRONMENT:
        return UsageError(
            f"$OCIO is '{source}', which is not an OpenColorIO config that can be read: {said}.",
            remedy="Correct $OCIO, or unset it to use the built-in config.",
        )
    return UsageError(
        f"The built-in config '{source}' cannot be opened: {said}.",
        remedy="Install OpenImageIO with OpenColorIO 2.3 or later, or set $OCIO.",
    )


def _files(text: str, home: Path) -> dict[str, str]:
    """Digest of every file that the config's transforms name, by the name that stands there."""
    folders = [home]
    for listed in _SEARCH_PATH.findall(text):
        for entry in _SEPARATOR.split(listed):
            entered = _filled_in(entry.strip().removeprefix("- ").strip(" \"'"))
            if entered:
                folders.append(home / entered)
    found = {}
    for reference in _REFERENCE.findall(text):
        name = reference.strip(" \"'")
        for folder in folders:
            path = folder / _filled_in(name)
            if name and path.is_file():
                with path.open("rb") as stream:
                    found[name] = hashlib.file_digest(stream, "sha256").hexdigest()
                break
    return found


def _context(text: str) -> dict[str, str]:
    """The environment variables that the config names and that are set."""
    names = {name for found in _CONTEXT.findall(text) for name in found if name}
    return {name: os.environ[name] for name in sorted(names) if name in os.environ}


def _filled_in(name: str) -> str:
    """A name with the environment's variables in it; what is not set stays as it stands."""
    return _CONTEXT.sub(lambda m: os.environ.get(m[1] or m[2] or m[3], m[0]), name)
