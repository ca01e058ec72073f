"""Versions: what is installed is named, and what is not fails by itself."""

from __future__ import annotations

import platform

import numpy as np
import torch

from infusion_engine import __version__
from infusion_engine.doctor.findings import Outcome
from infusion_engine.doctor.versions import checks, library


def test_versions_are_those_that_are_imported() -> None:
    """This package, Python and the libraries, each once, and all of them well."""
    findings = checks()
    told = {finding.name: finding.found for finding in findings}
    assert len(told) == len(findings)
    assert told["Infusion Inpaint"] == __version__
    assert told["Python"].startswith(f"{platform.python_version()} (")
    assert told["torch"] == torch.__version__
    assert told["numpy"] == np.__version__
    assert {"OpenImageIO", "OpenEXR", "OpenColorIO", "platform"} <= told.keys()
    assert {finding.outcome for finding in findings} == {Outcome.OK}


def test_a_library_that_is_not_installed_fails() -> None:
    """It is named, and what to do is said."""
    finding = library("no-such-library-of-ours")
    assert (finding.outcome, finding.found) == (Outcome.FAILED, "not installed")
    assert finding.name == "no-such-library-of-ours"
    assert "Install" in finding.remedy
