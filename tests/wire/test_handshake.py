"""The handshake: one line by which a node knows whether an engine reads its jobs."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from infusion_node.wire.handshake import Handshake, from_line, to_line
from infusion_node.wire.job import SCHEMA_VERSION

ANSWER = Handshake("0.1.0", SCHEMA_VERSION, "/opt/infusion/bin/python", ("paper", "draft"))


def test_an_answer_comes_back() -> None:
    """What an engine writes a node reads, in one line of ASCII."""
    line = to_line(replace(ANSWER, python="/opt/é/python"))
    assert line.isascii()
    assert "\n" not in line
    assert from_line(line) == replace(ANSWER, python="/opt/é/python")


def test_what_a_newer_engine_adds_is_passed_over() -> None:
    """Fields that are not known here are no reason to refuse it."""
    body = {**json.loads(to_line(ANSWER)), "gpu": "one"}
    assert from_line(json.dumps(body)) == ANSWER


@pytest.mark.parametrize(
    "line",
    [
        "",
        "infusion-render, version 0.1.0",
        "[]",
        '{"event": "started", "version": "0.1.0"}',
        '{"event": "version", "version": "0.1.0"}',
        '{"event": "version", "version": 1, "job_schema": "1.0", "python": "p", "presets": []}',
        '{"event": "version", "version": "1", "job_schema": "1.0", "python": "p", "presets": 3}',
        "[" * 100_000,
    ],
)
def test_what_is_no_answer_is_none(line: str) -> None:
    """Whatever another program of that name prints."""
    assert from_line(line) is None


@pytest.mark.parametrize(
    ("schema", "reads"),
    [
        (SCHEMA_VERSION, True), ("1.7", True), ("2.0", False), ("0.9", False), ("one", False),
        ("1", False), ("1.x", False),
    ],
)  # fmt: skip
def test_an_engine_reads_jobs_of_its_major_and_of_its_minor_or_an_older_one(
    schema: str, reads: bool
) -> None:
    """Another major means something else; an older minor lacks fields of ours."""
    assert replace(ANSWER, job_schema=schema).reads_our_jobs is reads
