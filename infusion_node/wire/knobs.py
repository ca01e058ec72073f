"""The one table of settings: panels, the command line, the job's checks and the docs all read it.

Each :class:`Knob` stands for the field of :class:`infusion_node.wire.job.RenderJob` of the same
name. Nothing here says how a setting works; that is told where it is used.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Any, Dict, Optional, Tuple


class Kind(str, Enum):
    """What a setting holds, and so which widget and which JSON type it has."""

    PATH = "path"
    """A file, a folder or a sequence pattern, as text."""
    TEXT = "text"
    """Free text."""
    CHOICE = "choice"
    """One of a few words."""
    WHOLE = "whole"
    """A whole number."""
    NUMBER = "number"
    """A number with a fraction."""
    SWITCH = "switch"
    """On or off."""
    PAIRS = "pairs"
    """Texts by name: single numbers behind the preset."""


class Group(str, Enum):
    """The heading under which a panel or `--help` shows a setting; the order is the reader's."""

    FILES = "Files"
    MATTE = "Matte"
    SHOT = "Shot"
    LAYER = "Layer"
    METHOD = "Method"
    MACHINE = "Machine"


@dataclass(frozen=True)
class Knob:
    """One setting: how it is named, shown, limited and explained."""

    name: str
    """The field of RenderJob; the flag is the same with dashes."""
    label: str
    """What a panel writes beside it."""
    group: Group
    """The heading it stands under."""
    kind: Kind
    """What it holds."""
    default: Any
    """Value when nobody sets it; None means that the engine finds it out."""
    help: str
    """One or two sentences for a tooltip, for `--help` and for the docs."""
    metavar: str = ""
    """What `--help` writes for the value."""
    unit: str = ""
    """Unit of a number, such as `pixels`."""
    least: Optional[float] = None
    """Smallest allowed number."""
    most: Optional[float] = None
    """Largest allowed number."""
    choices: Tuple[str, ...] = ()
    """The allowed words (kind CHOICE)."""
    pattern: str = ""
    """Regular expression that the whole text must match; empty allows any."""
    wording: str = ""
    """The pattern in words."""
    required: bool = False
    """True when a job cannot do without it."""

    @property
    def is_optional(self) -> bool:
        """True when the value may be None (`null` in the file)."""
        return self.default is None and not self.required

    @property
    def flag(self) -> str:
        """How the command line spells it."""
        return "--" + self.name.replace("_", "-")

    def accepts(self, value: object) -> bool:
        """True when `value` has the JSON type of this setting (limits are not looked at)."""
        if value is None:
            return self.is_optional
        if self.kind is Kind.SWITCH:
            return isinstance(value, bool)
        if isinstance(value, bool):
            return False
        if self.kind is Kind.WHOLE:
            return isinstance(value, int)
        if self.kind is Kind.NUMBER:
            return isinstance(value, (int, float)) and abs(value) < _LARGEST
        if self.kind is Kind.PAIRS:
            return isinstance(value, dict) and all(
                isinstance(key, str) and isinstance(text, str) for key, text in value.items()
            )
        return isinstance(value, str)

    def expected(self) -> str:
        """What a good value is, in words, for messages and the docs."""
        if self.kind is Kind.CHOICE:
            text = "one of " + ", ".join(self.choices)
        elif self.wording:
            text = self.wording
        else:
            text = _KIND_WORDS[self.kind]
            if self.unit:
                text += f" of {self.unit}"
            if self.least is not None and self.most is not None:
                text += f" from {self.least} to {self.most}"
            elif self.least is not None:
                text += f", {self.least} or more"
        return text + (", or null" if self.is_optional else "")


_LARGEST = 1e300  # anything beyond is infinite, not a number, or a slip
_KIND_WORDS: Dict[Kind, str] = {
    Kind.PATH: "a path",
    Kind.TEXT: "a text",
    Kind.WHOLE: "a whole number",
    Kind.NUMBER: "a number",
    Kind.SWITCH: "true or false",
    Kind.PAIRS: 'texts by name, such as {"intervals": "8"}',
}

_SEQUENCE_HELP = "A folder, a pattern (%04d, ####, @@@@, $F4) or one frame's path."

KNOBS: Tuple[Knob, ...] = (
    Knob(
        "plate", "Plate", Group.FILES, Kind.PATH, None,
        "The frames to repair. " + _SEQUENCE_HELP,
        metavar="PLATE", required=True,
    ),
    Knob(
        "output", "Output", Group.FILES, Kind.PATH, None,
        "The frames to write: a folder (it keeps the plate's own frame names) or a pattern. "
        "Never the plate itself.",
        metavar="OUT", required=True,
    ),
    Knob(
        "contact_sheet", "Contact sheet", Group.FILES, Kind.PATH, None,
        "Also write a PNG of plate, matte outline and fill at a few frames.",
        metavar="PNG", pattern=r".+\.[pP][nN][gG]", wording="a path that ends in .png",
    ),
    Knob(
        "report", "Report", Group.FILES, Kind.PATH, None,
        "Also write a page to look at into this folder, index.html: the fill after each interval, "
        "a wipe between plate and fill, losses, times and every setting.",
        metavar="DIR",
    ),
    Knob(
        "matte", "Matte", Group.MATTE, Kind.PATH, None,
        "What to replace: 1 = replace. " + _SEQUENCE_HELP
        + " One still holds for all frames. Without it the matte is a channel of the plate.",
        metavar="MATTE",
    ),
    Knob(
        "matte_channel", "Matte channel", Group.MATTE, Kind.TEXT, None,
        "Channel that holds the matte, such as A or mask.A. Without it: A, else the only channel "
        "there is, else R.",
        metavar="NAME",
    ),
    Knob(
        "matte_invert", "Invert matte", Group.MATTE, Kind.SWITCH, False,
        "Take 0 as replace. Done before growing.",
    ),
    Knob(
        "matte_grow", "Grow matte", Group.MATTE, Kind.NUMBER, 0.0,
        "Grow the matte outwards, to take soft edges and shadows along.",
        metavar="PX", unit="pixels", least=0, most=1000,
    ),
    Knob(
        "matte_feather", "Feather matte", Group.MATTE, Kind.NUMBER, 0.0,
        "Fade the grown matte out over this width, outwards.",
        metavar="PX", unit="pixels", least=0, most=1000,
    ),
    Knob(
        "frames", "Frame range", Group.SHOT, Kind.TEXT, None,
        "Frames to write, first and last inclusive, or one frame. Without it: all of the plate's.",
        metavar="FIRST-LAST",
    ),
    Knob(
        "handles", "Handles", Group.SHOT, Kind.WHOLE, 0,
        "Read this many more frames on each side to learn from, without writing them.",
        metavar="N", unit="frames", least=0, most=10000,
    ),
    Knob(
        "view", "View", Group.SHOT, Kind.TEXT, None,
        "View of a stereo or multi-view plate, such as left.",
        metavar="NAME",
    ),
    Knob(
        "input_space", "Input space", Group.SHOT, Kind.TEXT, None,
        "Colour space that the plate is in: a name, role or alias of the OpenColorIO config "
        "($OCIO, else a built-in one). The fill is made in scene-linear light and comes back in "
        "this space. Without it floats are scene-linear, and DPX and 8-bit go as they are.",
        metavar="NAME",
    ),
    Knob(
        "layer", "Layer", Group.LAYER, Kind.TEXT, "infusion",
        "Name of the layer that is written: NAME.R, NAME.G, NAME.B, NAME.A.",
        metavar="NAME", pattern=r"[A-Za-z_][A-Za-z0-9_]*",
        wording="letters, digits and underscores, not beginning with a digit",
    ),
    Knob(
        "write", "Write", Group.LAYER, Kind.CHOICE, "layer",
        "layer: the plate's file with the layer added. fill: the layer alone. merged: the fill "
        "also put into the file's own RGB. DPX, PNG and TIFF have no layers and are always "
        "merged; JPEG plates become PNG.",
        choices=("layer", "fill", "merged"),
    ),
    Knob(
        "preset", "Preset", Group.METHOD, Kind.CHOICE, "draft",
        "draft: minutes for a small shot on two CPU cores. standard: more steps and a larger "
        "network, for a GPU. paper: the published method to the letter, hours on a GPU.",
        choices=("draft", "standard", "paper"),
    ),
    Knob(
        "settings", "Settings", Group.METHOD, Kind.PAIRS, {},
        "Replace one number behind the preset, such as steps_per_interval=500 or "
        "working_size=432x240; may be given again. --dry-run shows all of them.",
        metavar="KEY=VALUE",
    ),
    Knob(
        "seed", "Seed", Group.METHOD, Kind.WHOLE, 0,
        "Chooses the fill. Another seed is another take from the same fits, so it costs little.",
        metavar="N", least=0, most=2**63 - 1,
    ),
    Knob(
        "takes", "Takes", Group.METHOD, Kind.WHOLE, 1,
        "Draw this many fills from one set of fits; take 2 is what the next seed would give. In "
        "an EXR they are layers NAME, NAME2, NAME3; merged, they are folders take2, take3.",
        metavar="N", unit="takes", least=1, most=99,
    ),
    Knob(
        "minutes", "Minutes", Group.METHOD, Kind.NUMBER, None,
        "How long the whole render may take. The engine tries its speed on this shot and scales "
        "the preset's numbers of steps to fit.",
        metavar="M", unit="minutes", least=0.1, most=100000,
    ),
    Knob(
        "device", "Device", Group.MACHINE, Kind.TEXT, "auto",
        "Where to compute: auto takes a CUDA GPU if there is one, else the CPU. Of a list, such as "
        "cuda:0,cuda:1, each fits intervals of its own at once (fits_start base or scratch).",
        metavar="auto|cpu|cuda|cuda:N",
        pattern=r"auto|(cpu|cuda(:[0-9]+)?)(,(cpu|cuda(:[0-9]+)?))*",
        wording="auto, cpu, cuda or cuda:N, or a list of these with commas",
    ),
    Knob(
        "threads", "Threads", Group.MACHINE, Kind.WHOLE, None,
        "CPU threads. Without it: one for each core this process may use. The same number "
        "gives the same bits again.",
        metavar="N", unit="threads", least=1, most=1024,
    ),
    Knob(
        "memory", "Memory", Group.MACHINE, Kind.TEXT, "8G",
        "What the engine may take: a large hole is sampled in as many pieces as that asks for. "
        "The same amount gives the same bits again; another differs by rounding.",
        metavar="SIZE", pattern=r"[0-9]+(\.[0-9]+)?[MG]",
        wording="a size in MiB or GiB, such as 800M or 6G",
    ),
    Knob(
        "cache", "Cache folder", Group.MACHINE, Kind.PATH, None,
        "Folder of finished fits and samples, from which a stopped run goes on. Without it: "
        "the user's own cache folder.",
        metavar="DIR",
    ),
    Knob(
        "use_cache", "Use cache", Group.MACHINE, Kind.SWITCH, True,
        "Off keeps nothing after the run: it cannot be resumed, and another seed fits anew.",
    ),
    Knob(
        "scratch", "Scratch folder", Group.MACHINE, Kind.PATH, None,
        "Folder on a local disk for clips that are too large for the memory, while the render "
        "runs. Without it: the cache folder, and for one --stage the machine's own temporary "
        "folder.",
        metavar="DIR",
    ),
    Knob(
        "events_file", "Events file", Group.MACHINE, Kind.PATH, None,
        "Append progress to this file, one JSON object per line, with a heartbeat. A file named "
        "`cancel` put beside it stops the run.",
        metavar="FILE",
    ),
)  # fmt: skip

ENGINE = Knob(
    "engine", "Engine", Group.MACHINE, Kind.PATH, None,
    "The infusion-render command, or the folder of the environment that it is installed in. "
    "Without it: the variable INFUSION_ENGINE, then PATH.",
    metavar="FILE",
)  # fmt: skip
"""The one setting of a node that is not the engine's: where the engine is."""


def knob(name: str) -> Knob:
    """The knob of that name.

    Raises:
        KeyError: there is none.
    """
    for entry in KNOBS:
        if entry.name == name:
            return entry
    raise KeyError(name)
