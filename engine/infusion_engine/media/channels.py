"""Which part and channels of a file are meant: its views, the plate's colour, a channel by name."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass

from infusion_engine.errors import FrameError, InputError, UsageError
from infusion_engine.media.image_io import FrameHeader, Part

_SPELLINGS = (
    {"R", "r", "red", "Red", "RED"},
    {"G", "g", "green", "Green", "GREEN"},
    {"B", "b", "blue", "Blue", "BLUE"},
)
_COLOUR_PARTS = ("", "rgba", "rgb")  # lower-case names of parts that hold the main picture


@dataclass(frozen=True)
class Found:
    """Channels of one part, as the file spells them."""

    part: int
    """Index of the part."""
    names: tuple[str, ...]
    """Names of the channels in that part, layer and view included."""


@dataclass(frozen=True)
class _Sight:
    """One channel as seen in the chosen view."""

    part: Part
    plain: str  # without the view: `character.R`
    stored: str  # as the file spells it: `character.left.R`
    is_shared: bool  # belongs to no view of a file that has some

    @property
    def layer(self) -> str:
        return self.plain.rpartition(".")[0]

    @property
    def component(self) -> str:
        return self.plain.rpartition(".")[2]


def views_of(header: FrameHeader) -> tuple[str, ...]:
    """Names of the file's views, in the file's order; empty for a file without views."""
    named = (view for part in header.parts for view in (part.view, *part.views) if view)
    return tuple(dict.fromkeys(named))


def choose_view(header: FrameHeader, view: str | None) -> str | None:
    """The view to use: the one asked for, or the only one; None for a file without views.

    Raises:
        UsageError: there are several and none was chosen, or the file has no such view.
    """
    views = views_of(header)
    if view is None:
        if len(views) > 1:
            raise UsageError(
                f"'{header.path}' holds {len(views)} views: {', '.join(views)}.",
                remedy="Choose one with --view, and render each on its own.",
            )
        return views[0] if views else None
    if view not in views:
        inside = f"its views are {', '.join(views)}" if views else "it has no views"
        raise UsageError(
            f"The view '{view}' is not in '{header.path}': {inside}.",
            remedy="Choose one of these with --view." if views else "Leave --view out.",
        )
    return view


def channel_names(header: FrameHeader, view: str | None) -> tuple[str, ...]:
    """Names of all channels in that view, for messages and for `--matte-channel`."""
    return tuple(dict.fromkeys(sight.plain for sight in _sights(header, view)))


def find_colour(header: FrameHeader, view: str | None) -> Found:
    """The plate's colour: R, G, B of the unnamed layer, else of a single layer, else a lone Y.

    `red`, `green`, `blue` count as R, G, B. Where several parts hold such channels, a part named
    `rgba` or `rgb` comes first, then the order of the file.

    Raises:
        FrameError: the colour is stored as luminance and chroma.
        InputError: there is no colour, or there are several layers to choose from.
    """
    triples: dict[tuple[int, str], Found] = {}
    luminances: list[Found] = []
    layers: dict[tuple[int, str], list[_Sight]] = defaultdict(list)
    for sight in _sights(header, view):
        layers[sight.part.index, sight.layer].append(sight)
    for (index, layer), sights in layers.items():
        if {"BY", "RY"} & {sight.component for sight in sights}:
            raise FrameError(
                f"'{header.path}' stores luminance and chroma (Y, BY, RY), which is not read.",
                remedy="Write the plate as RGB.",
            )
        sights.sort(key=lambda sight: sight.is_shared)  # the view's own channels come first
        found = [next((s for s in sights if s.component in c), None) for c in _SPELLINGS]
        names = tuple(sight.stored for sight in found if sight is not None)
        if len(names) == len(_SPELLINGS):
            triples[index, layer] = Found(index, names)
        elif not layer:
            luminances += [Found(index, (s.stored,)) for s in sights if s.component == "Y"]
    unnamed = [found for (_, layer), found in triples.items() if layer == ""]
    named = {layer for _, layer in triples if layer}
    if unnamed:
        return min(
            unnamed,
            key=lambda found: (
                _picture_of(header.parts[found.part], view).lower() not in _COLOUR_PARTS,
                found.names != ("R", "G", "B"),
                found.part,
            ),
        )
    main = [found for (_, layer), found in triples.items() if layer.lower() in _COLOUR_PARTS]
    if len(triples) == 1 or main:
        return main[0] if main else next(iter(triples.values()))
    if len(luminances) == 1 and not triples:
        return luminances[0]
    if named:
        raise InputError(
            f"'{header.path}' has no plain R, G, B, and {len(named)} layers that could be the "
            f"plate: {', '.join(sorted(named))}.",
            remedy="Write the one that is meant as R, G, B.",
        )
    raise InputError(
        f"'{header.path}' has no colour: R, G, B in one part, or a lone Y, were expected; "
        f"it has {', '.join(channel_names(header, view))}.",
        remedy="Write the plate's colour as R, G, B.",
    )


def find_channel(
    header: FrameHeader, view: str | None, name: str, *, first_part: int = 0
) -> Found | None:
    """The channel called `name` in that view, looked for in `first_part` before the others.

    `mask.A` is a channel of that full name, or channel `A` of a part named `mask`.
    """
    layer, _, component = name.rpartition(".")
    sights = sorted(_sights(header, view), key=lambda s: (s.part.index != first_part, s.is_shared))
    for sight in sights:
        if name in (sight.plain, sight.stored):
            return Found(sight.part.index, (sight.stored,))
    for sight in sights:
        if layer and sight.plain == component and _picture_of(sight.part, view) == layer:
            return Found(sight.part.index, (sight.stored,))
    return None


def _picture_of(part: Part, view: str | None) -> str:
    """The part's name without its view: `rgba` for `rgba.left` and `rgba_left`, '' for `left`."""
    if view is None or not part.name.endswith(view):
        return part.name
    picture = part.name[: -len(view)]
    return picture[:-1] if picture[-1:] in (".", "_") else picture and part.name


def _sights(header: FrameHeader, view: str | None) -> Iterator[_Sight]:
    """Every channel that belongs to the view or to none, in the file's order.

    A view is a whole part (`view`), or the last name but one of a channel where several views share
    a part (`multiView`: `left.R`, `character.left.R`); a plain name there is the default view's.
    """
    for part in header.parts:
        for name in part.names:
            words = name.split(".")
            owner = part.view
            plain = name
            is_shared = not owner and bool(views_of(header))
            if not owner and part.views:
                if len(words) > 1 and words[-2] in part.views:
                    owner = words[-2]
                    plain = ".".join([*words[:-2], words[-1]])
                    is_shared = False
                elif len(words) == 1:
                    owner = part.views[0]
                    is_shared = False
            if not owner or owner == view:
                yield _Sight(part, plain, name, is_shared)
