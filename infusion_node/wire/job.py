"""RenderJob: one render as versioned JSON, the same for a host, a farm and the command line.

The file is an object whose keys are the fields of :class:`RenderJob`. `schema_version` is
"MAJOR.MINOR": an unknown major is refused by name, an unknown field is refused by name, and a
missing field takes the default written here. Limits (how large, which words) stand in `knobs`
and are checked by the engine.
"""

from __future__ import annotations

import json
import re
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Dict, Mapping, Optional

from infusion_node.wire.knobs import KNOBS, Kind

SCHEMA_VERSION = "1.0"


class JobError(ValueError):
    """A job that cannot be read; the message names the field and what was expected."""


@dataclass(frozen=True)
class RenderJob:
    """Everything one render needs; paths are as the user wrote them."""

    plate: str
    """Folder, pattern or one frame of the plate."""
    output: str
    """Folder or pattern of the frames to write; a folder keeps the plate's own frame names."""
    matte: Optional[str] = None
    """Folder, pattern or one frame of the matte; None takes a channel of the plate."""
    matte_channel: Optional[str] = None
    """Channel of the matte; None means `A`, else the only channel, else `R`."""
    matte_invert: bool = False
    """True when 0 means replace in the matte that is handed in."""
    matte_grow: float = 0.0
    """Pixels by which the matte is grown outwards, after inverting."""
    matte_feather: float = 0.0
    """Pixels over which the grown matte then fades out, outwards."""
    frames: Optional[str] = None
    """Inclusive frame range to write, such as `1001-1048`; None is the plate's own."""
    handles: int = 0
    """Frames read on each side for training and context, and not written."""
    view: Optional[str] = None
    """View of a stereo or multi-view plate."""
    input_space: Optional[str] = None
    """Colour space of the plate, by a name that OpenColorIO's config knows; None: as it is."""
    layer: str = "infusion"
    """Name of the layer that is written."""
    write: str = "layer"
    """`layer`, `fill` or `merged`."""
    preset: str = "draft"
    """`draft`, `standard` or `paper`."""
    settings: Mapping[str, str] = field(default_factory=dict)
    """Single numbers behind the preset, by name, as text (`--set KEY=VALUE`)."""
    seed: int = 0
    """Chooses the sample; another seed is another take from the same fits."""
    takes: int = 1
    """Samples to draw; take k (from 1) is the first take of seed + k - 1."""
    minutes: Optional[float] = None
    """How long the render may take; None takes the preset's numbers as they are."""
    device: str = "auto"
    """`auto`, `cpu`, `cuda` or `cuda:N`."""
    threads: Optional[int] = None
    """CPU threads; None takes the machine's. Part of what makes a result repeatable."""
    memory: str = "8G"
    """What the engine may take, such as `6G` or `800M`. Part of what makes a result repeatable."""
    cache: Optional[str] = None
    """Cache folder; None is the user's own."""
    use_cache: bool = True
    """False keeps fits and samples in a temporary folder that goes with the run."""
    scratch: Optional[str] = None
    """Folder for clips that are too large for the memory; None is the cache folder."""
    contact_sheet: Optional[str] = None
    """PNG of plate, matte outline and fill at a few frames."""
    report: Optional[str] = None
    """Folder of the HTML report, whose page is index.html."""
    events_file: Optional[str] = None
    """File to which the engine appends its events."""
    schema_version: str = SCHEMA_VERSION
    """MAJOR.MINOR of this file's meaning."""

    def to_dict(self) -> Dict[str, Any]:
        """Every field as plain JSON values."""
        return asdict(replace(self, settings=dict(self.settings)))

    def to_json(self) -> str:
        """The job as indented JSON with every field written out.

        Pure ASCII, so that paths survive any encoding, bytes that are no text included.
        """
        return json.dumps(self.to_dict(), indent=2, allow_nan=False) + "\n"

    @staticmethod
    def from_json(text: str, *, source: str = "job") -> RenderJob:
        """The job written in `text`; `source` is the file's name, for messages.

        Raises:
            JobError: not JSON, another major version, an unknown or missing field, a wrong type.
        """
        try:
            values = json.loads(text, parse_constant=_refuse_constant)
        except (ValueError, RecursionError) as error:
            raise JobError(f"{source}: expected a job as JSON; {error}.") from None
        if not isinstance(values, dict):
            raise JobError(f"{source}: expected a JSON object, found {_found(values)}.")
        _check_version(values.get("schema_version", SCHEMA_VERSION), source=source)
        known = {knob.name: knob for knob in KNOBS}
        for name in values:
            if name not in known and name != "schema_version":
                raise JobError(
                    f"{source}: there is no field {name!r}. Known fields: "
                    f"{', '.join(sorted(known))}, schema_version."
                )
        for name, knob in known.items():
            if name not in values:
                if knob.required:
                    raise JobError(f"{source}: the field {name!r} is missing.")
            elif not knob.accepts(values[name]):
                raise JobError(
                    f"{source}: field {name!r}: found {_found(values[name])}, "
                    f"expected {knob.expected()}."
                )
            elif knob.kind is Kind.NUMBER and values[name] is not None:
                values[name] = float(values[name])  # 4 and 4.0 are the same pixels
        return RenderJob(**values)

    def overridden(self, **changes: Any) -> RenderJob:
        """The same job with some fields replaced (what a flag beside `--job` does)."""
        return replace(self, **changes)


def _check_version(version: object, *, source: str) -> None:
    """Raise JobError unless `version` is MAJOR.MINOR with our major."""
    if not isinstance(version, str) or not re.fullmatch(r"[0-9]+\.[0-9]+", version):
        raise JobError(
            f"{source}: field 'schema_version': found {_found(version)}, "
            f'expected MAJOR.MINOR as text, such as "{SCHEMA_VERSION}".'
        )
    ours = SCHEMA_VERSION.split(".", maxsplit=1)[0]
    if version.split(".")[0] != ours:
        raise JobError(
            f"{source}: schema_version {version} is not known here; expected {ours}.x. "
            "The node that wrote it and this engine are of different releases."
        )


def _found(value: object) -> str:
    """A JSON value as a message shows it: short, and in JSON's own spelling."""
    text = json.dumps(value)
    return text if len(text) <= 60 else text[:57] + "..."


def _refuse_constant(name: str) -> None:
    """Raise ValueError for NaN and infinities, which are not JSON."""
    raise ValueError(f"{name} is not a number that JSON knows")
