"""infusion-install: copies the node and one host's binding to where that host looks."""

from __future__ import annotations

from pathlib import Path
from typing import Callable

import click

from infusion_hosts.blender_host.install import install as install_blender
from infusion_hosts.nuke_host.install import install as install_nuke
from infusion_node.errors import FolderError

_FOLDER = click.Path(file_okay=False, path_type=Path)


@click.group(
    "infusion-install",
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="""\b
Examples:
  infusion-install nuke ~/.nuke/infusion
  infusion-install blender ~/.config/blender/4.5/extensions/user_default

\b
Exit codes: 0 done, 2 usage, 5 the folder cannot be written or is not ours.""",
)
def main() -> None:
    """Copy the Infusion Inpaint node to where an application looks for plug-ins.

    Only the node and that application's binding are copied: a few small files of plain Python. The
    engine stays where it was installed; its libraries would get in the way of the application's
    own. Run it again to bring the copy up to date.
    """


@main.command()
@click.argument("folder", type=_FOLDER, metavar="DIR")
def nuke(folder: Path) -> None:
    """Copy the node for Nuke into DIR, which NUKE_PATH will name."""
    made = _copied(install_nuke, folder)
    click.echo(f"Copied the node for Nuke into {made}")
    click.echo(f"Start Nuke with it:  NUKE_PATH={made} (more folders are separated as in PATH)")
    click.echo("Then: Nodes > Infusion > Infusion Inpaint")


@main.command()
@click.argument("folder", type=_FOLDER, metavar="DIR")
def blender(folder: Path) -> None:
    """Copy the extension for Blender into DIR, its folder of user extensions."""
    made = _copied(install_blender, folder)
    click.echo(f"Copied the extension for Blender into {made}")
    click.echo("Enable it:  Edit > Preferences > Add-ons > Infusion Inpaint")


class _Refused(click.ClickException):
    """The disk refused, or the folder is not ours."""

    exit_code = 5


def _copied(install: Callable[[Path], Path], folder: Path) -> Path:
    """Where the copy lies; what the disk refuses becomes a message and exit code 5."""
    try:
        return install(folder.expanduser())
    except FolderError as error:
        raise _Refused(str(error)) from None


if __name__ == "__main__":
    main(prog_name="infusion-install")
