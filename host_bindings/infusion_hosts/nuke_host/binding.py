"""NukeHost: what the node's core asks of Nuke, for one Group."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, Dict, List, Optional, Tuple

import nuke

from infusion_hosts.nuke_host import panel, reads
from infusion_hosts.nuke_host.group import child, prepare_write
from infusion_hosts.nuke_host.panel import unrecorded
from infusion_node.errors import SetupError, StoppedError
from infusion_node.host import Clip, Footage

_INPUTS = {Clip.PLATE: 0, Clip.MATTE: 1}


class NukeHost:
    """The Host of one node; everything here runs on Nuke's main thread."""

    def __init__(self, group: nuke.Group) -> None:
        self._group = group

    @property
    def name(self) -> str:
        """`Nuke` and its version."""
        return f"Nuke {nuke.NUKE_VERSION_STRING}"

    def footage(self, clip: Clip) -> Optional[Footage]:
        """What is connected: a Read's own files where they are what it gives.

        Raises:
            SetupError: Nuke would have to write frames, and proxy mode or several views forbid it.
        """
        source = self._source(clip)
        if source is None:
            return None
        files = reads.files_of(source, self.view() or nuke.views()[0])
        first, last = _range(source)
        if files is not None and self._gives_all(clip, first, last):
            return Footage(first, last, files)
        self._refuse_to_write(clip)
        if clip is Clip.MATTE and not (source.Class() == "Read" and first == last):
            # A shape or a key has a picture for every frame, whatever range it calls its own.
            plate = self._source(Clip.PLATE)
            begins, ends = (first, last) if plate is None else _range(plate)
            first, last = min(first, begins), max(last, ends)
        return Footage(first, last, None, reads.suffix_for(source))

    def content(self, clip: Clip, frame: int) -> Optional[str]:
        """None: nothing in Nuke's Python is known to change with every picture of every frame.

        `Node.opHashes` is for the frame that Nuke has looked at last, so a frame that was edited
        elsewhere could pass for unchanged.
        """
        return None

    def write_frame(self, clip: Clip, frame: int, path: Path) -> None:
        """Render the needed channels of one frame with the Write inside of the Group, at full size.

        Raises:
            SetupError: proxy mode is on, or Nuke could not; says what it said.
            StoppedError: somebody pressed Cancel in Nuke's own render window.
        """
        self._refuse_to_write(clip)
        write = child(self._group, f"{clip.value}_write")
        with unrecorded():
            prepare_write(write, path.suffix, self._channels(clip))
            write["file"].setValue(path.as_posix())
            write["disable"].setValue(False)
            try:
                nuke.execute(write, frame, frame, 1)
            except (RuntimeError, nuke.CancelledError) as error:
                # Nuke has an exception for it, and has also said it by RuntimeError's text.
                if isinstance(error, nuke.CancelledError) or str(error).startswith("Cancelled"):
                    raise StoppedError(
                        f"Cancelled at frame {frame} of the {clip.value}.",
                        remedy="Press Inpaint to go on from there.",
                    ) from None
                raise SetupError(
                    f"Nuke could not render frame {frame} of the {clip.value}: {error}.",
                    remedy="Look at that frame in a Viewer; then press Inpaint again.",
                ) from None
            finally:
                write["disable"].setValue(True)
                write["file"].setValue("")

    def workspace(self) -> Path:
        """The node's folder: remembered in a hidden knob, at first beside the script.

        A node that was pasted from a script in another folder, or whose script was saved into
        another one, gets a folder there: its frames must not replace the other shot's.

        Raises:
            SetupError: the script was never saved.
        """
        knob = self._group[panel.WORKSPACE]
        remembered = str(knob.value() or "")
        if remembered and not self._is_elsewhere(Path(remembered)):
            return Path(remembered)
        wanted = self._beside_the_script()
        if remembered and (moved := wanted.with_name(Path(remembered).name)).is_dir():
            wanted = moved  # the script was moved together with it, or is seen at another place
        found = _free(wanted, _taken(self._group))
        with unrecorded():
            knob.setValue(found)
            if remembered:
                self._group[panel.SETTLED].setValue("")
        return Path(found)

    def shown(self) -> Dict[str, Any]:
        """What the panel holds, with the view as the engine has to know it.

        Raises:
            SetupError: a text that nobody outside of Nuke can read, no view chosen, or a script
                that was never saved: a node that was pasted into it would work in another's folder.
        """
        self._beside_the_script()
        found = panel.shown(self._group)
        view = self.view()
        if view:
            plate = self._source(Clip.PLATE)
            is_named = plate is not None and reads.has_view_token(plate)
            found["view"] = "" if is_named else view
        return found

    def view(self) -> str:
        """The view that this node works on; empty in a script that has only one.

        Raises:
            SetupError: there are several, and the View knob names none of them.
        """
        names = nuke.views()
        if len(names) < 2:
            return ""
        chosen = str(self._group["view"].value() or "")
        if chosen not in names:
            raise SetupError(
                f"This script has the views {', '.join(names)}; the View knob names "
                f"{repr(chosen) if chosen else 'none of them'}.",
                remedy="Name one in the View knob; each view has a node of its own.",
            )
        return chosen

    def _source(self, clip: Clip) -> Optional[nuke.Node]:
        """What is connected to that input."""
        return reads.source_of(self._group, _INPUTS[clip])

    def _channels(self, clip: Clip) -> str:
        """The channels of an input that the engine needs: CG streams have hundreds of others.

        The Copies take nothing but the layer from the result, so whatever else the plate has comes
        from the plate. Where the matte may be in a layer that is not RGBA, all are written.
        """
        named = str(self._group["matte_channel"].value() or "")
        holds_matte = clip is Clip.MATTE or self._source(Clip.MATTE) is None
        if not holds_matte:
            return "rgb"
        if named:
            return "rgba" if named in ("R", "G", "B", "A") else "all"
        source = self._source(clip)
        has_alpha = source is not None and "rgba.alpha" in source.channels()
        return "rgba" if has_alpha else "all"

    def _gives_all(self, clip: Clip, first: int, last: int) -> bool:
        """False for a matte whose Read is shorter than the plate: outside it gives what no file is.

        A Read of one frame stands for all of them.
        """
        plate = self._source(Clip.PLATE)
        if clip is Clip.PLATE or plate is None or first == last:
            return True
        begins, ends = _range(plate)
        return first <= begins and ends <= last

    def _refuse_to_write(self, clip: Clip) -> None:
        """Raise SetupError where what Nuke writes would not be the full picture of one view."""
        if nuke.root()["proxy"].value():
            raise SetupError(
                f"The {clip.value} has to be written, and proxy mode is on.",
                remedy="Turn proxy mode off, then press Inpaint again.",
            )
        if len(nuke.views()) > 1:
            raise SetupError(
                f"The {clip.value} has to be written, and this script has several views.",
                remedy=f"Render the {clip.value} to EXR files and connect their Read.",
            )

    def _is_elsewhere(self, folder: Path) -> bool:
        """True for one that is not beside the script; never before the script has a name."""
        if not nuke.root()["name"].value():
            return False
        return folder.parent.as_posix() != self._beside_the_script().parent.as_posix()

    def _beside_the_script(self) -> Path:
        """The default folder."""
        script = str(nuke.root()["name"].value() or "")
        if not script:
            raise SetupError(
                "The script was never saved, so there is no place for the node's files.",
                remedy="Save the script, then press Inpaint again.",
            )
        path = Path(os.path.abspath(script))  # noqa: PTH100 - resolve() would follow links
        node = self._group.fullName().replace(".", "_")
        return path.parent / "infusion" / f"{path.stem}-{node}"


def ours(besides: Optional[nuke.Node] = None) -> List[nuke.Node]:
    """Every Infusion Inpaint of the script, inside of Groups as well, but `besides`."""
    own = None if besides is None else besides.fullName()
    found = nuke.allNodes("Group", group=nuke.root(), recurseGroups=True)
    return [node for node in found if panel.is_ours(node) and node.fullName() != own]


def _range(source: nuke.Node) -> Tuple[int, int]:
    """First and last frame of a node."""
    if source.Class() == "Read":
        return int(source["first"].value()), int(source["last"].value())
    return source.firstFrame(), source.lastFrame()


def _taken(group: nuke.Group) -> List[str]:
    """The folders of all other nodes."""
    return [str(node[panel.WORKSPACE].value() or "") for node in ours(group)]


def _free(wanted: Path, taken: List[str]) -> str:
    """That folder, or the same with a number behind it, which no other node has."""
    number, path = 1, wanted.as_posix()
    while path in taken:
        number += 1
        path = f"{wanted.as_posix()}-{number}"
    return path
