"""The node without an application: for pipelines, examples and tests."""

from infusion_hosts.script_host.drive import run_to_end, wait
from infusion_hosts.script_host.files import FilesHost

__all__ = ["FilesHost", "run_to_end", "wait"]
