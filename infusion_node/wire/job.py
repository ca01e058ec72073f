"""RenderJob: one render as versioned JSON, the same for a host, a farm and the command line.

The file is an object whose keys are the fields of :class:`RenderJob`. `schema_version` is
"MAJOR.MINOR": an unknown major is refused by name, an unknown field is refused by name, and a
missing field takes the default written here.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field, fields, replace
from typing import Any, Dict, Mapping, Optional

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
    device: str = "auto"
    """`auto`, `cpu`, `cuda` or `cuda:N`."""
    threads: Optional[int] = None
    """CPU threads; None takes the machine's. Part of what makes a result repeatable."""
    cache: Optional[str] = None
    """Cache folder; None is the user's own."""
    use_cache: bool = True
    """False keeps fits and samples in a temporary folder that goes with the run."""
    contact_sheet: Optional[str] = None
    """PNG of plate, matte outline and fill at a few frames."""
    events_file: Optional[str] = None
    """File to which the engine appends its events."""
    schema_version: str = SCHEMA_VERSION
    """MAJOR.MINOR of this file's meaning."""

    def to_json(self) -> str:
        """The job as indented JSON with every field written out."""
        return json.dumps(asdict(self), indent=2, sort_keys=False) + "\n"

    def overridden(self, **changes: Any) -> "RenderJob":
        """The same job with some fields replaced (what a flag beside `--job` does)."""
        return replace(self, **changes)
