"""RenderJob: what a job file means, and what it is refused for."""

from __future__ import annotations

import json
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from infusion_node.wire.job import SCHEMA_VERSION, JobError, RenderJob
from infusion_node.wire.knobs import KNOBS, Kind, Knob

BASELINE = Path(__file__).parent / "baselines" / "job.json"

# Paths as Python hands them over: any text, lone surrogates (bytes that are no UTF-8) included.
_TEXTS = st.text(st.characters(), min_size=1)
_VALUES = {
    Kind.PATH: _TEXTS,
    Kind.TEXT: _TEXTS,
    Kind.CHOICE: _TEXTS,
    Kind.WHOLE: st.integers(),
    Kind.NUMBER: st.floats(-1e299, 1e299),
    Kind.SWITCH: st.booleans(),
    Kind.PAIRS: st.dictionaries(_TEXTS, _TEXTS),
}


def _values(knob: Knob) -> st.SearchStrategy[object]:
    """Any value that the knob's field may hold."""
    values: st.SearchStrategy[object] = _VALUES[knob.kind]
    return st.none() | values if knob.is_optional else values


def _job(values: dict[str, Any]) -> RenderJob:
    """The job with these fields."""
    return RenderJob(**values)


_JOBS = st.fixed_dictionaries({knob.name: _values(knob) for knob in KNOBS}).map(_job)


@given(_JOBS)
def test_a_job_survives_its_file(job: RenderJob) -> None:
    """Whatever the fields hold, reading what was written gives the same job back."""
    assert RenderJob.from_json(job.to_json()) == job


@given(_JOBS)
def test_a_job_file_is_ascii(job: RenderJob) -> None:
    """The file survives any encoding, also where a path holds bytes that are no text."""
    assert job.to_json().isascii()


def test_the_baseline_is_what_a_job_looks_like_on_disk() -> None:
    """A job that holds something in every field is written exactly as the golden file."""
    job = RenderJob(
        plate="plates/fire.%04d.exr",
        output="out/fire.%04d.exr",
        matte="mattes/fire.####.exr",
        matte_channel="A",
        matte_invert=True,
        matte_grow=4.0,
        matte_feather=2.5,
        frames="1001-1048",
        handles=8,
        view="left",
        input_space="ACEScct",
        layer="infusion_2",
        write="merged",
        preset="standard",
        settings={"batch": "4", "working_size": "432x240"},
        seed=7,
        takes=3,
        minutes=12.5,
        device="cuda:1",
        threads=8,
        memory="6.5G",
        cache="cache",
        use_cache=False,
        scratch="scratch",
        contact_sheet="review/fire.png",
        report="review/fire",
        events_file="job/events.ndjson",
    )

    assert job.to_json() == BASELINE.read_text(encoding="ascii")


def test_the_baseline_is_still_read() -> None:
    """A job written by an earlier release of this major version is read with every field."""
    job = RenderJob.from_json(BASELINE.read_text(encoding="ascii"))

    assert job.schema_version == "1.0"
    assert job.settings == {"batch": "4", "working_size": "432x240"}
    assert not [field.name for field in fields(job) if getattr(job, field.name) is None]


def test_missing_fields_take_their_defaults() -> None:
    """Plate and output are enough."""
    job = RenderJob.from_json('{"plate": "p", "output": "o"}')

    assert job == RenderJob(plate="p", output="o")


def test_a_later_minor_version_is_read() -> None:
    """A minor version only adds; what this release knows of it still holds."""
    job = RenderJob.from_json('{"plate": "p", "output": "o", "schema_version": "1.7"}')

    assert job.seed == 0


def test_whole_pixels_are_pixels() -> None:
    """A file that says 4 means the same as one that says 4.0."""
    job = RenderJob.from_json('{"plate": "p", "output": "o", "matte_grow": 4}')

    assert isinstance(job.matte_grow, float)
    assert job.matte_grow == 4.0


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"schema_version": "2.0"}, ["2.0", "1.x"]),
        ({"schema_version": "0.9"}, ["0.9", "1.x"]),
        ({"schema_version": 1}, ["'schema_version'", "found 1", "MAJOR.MINOR"]),
        ({"schema_version": "1"}, ["'schema_version'", 'found "1"', "MAJOR.MINOR"]),
        ({"sead": 3}, ["'sead'", "seed", "matte_grow"]),
        ({"seed": "3"}, ["'seed'", 'found "3"', "whole number"]),
        ({"seed": True}, ["'seed'", "found true", "whole number"]),
        ({"seed": 1.5}, ["'seed'", "found 1.5", "whole number"]),
        ({"seed": None}, ["'seed'", "found null", "whole number"]),
        ({"matte_invert": 1}, ["'matte_invert'", "found 1", "true or false"]),
        ({"matte_grow": "4"}, ["'matte_grow'", 'found "4"', "number of pixels"]),
        ({"plate": ["a"]}, ["'plate'", 'found ["a"]', "path"]),
        ({"settings": {"batch": 4}}, ["'settings'", '{"batch": 4}', "texts by name"]),
        ({"settings": []}, ["'settings'", "found []", "texts by name"]),
        ({"threads": "all"}, ["'threads'", 'found "all"', "or null"]),
    ],
)
def test_a_wrong_field_is_refused_by_name(change: dict[str, object], words: list[str]) -> None:
    """The message names the file and the field, shows what was found, and says what goes there."""
    text = json.dumps({"plate": "p", "output": "o", **change})

    with pytest.raises(JobError) as caught:
        RenderJob.from_json(text, source="shot/job.json")

    assert [word for word in ["shot/job.json", *words] if word not in str(caught.value)] == []


@pytest.mark.parametrize("missing", ["plate", "output"])
def test_a_job_without_its_files_is_refused(missing: str) -> None:
    """The field that is missing is named."""
    values = {"plate": "p", "output": "o"}
    del values[missing]

    with pytest.raises(JobError, match=f"'{missing}' is missing"):
        RenderJob.from_json(json.dumps(values))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[]",
        "null",
        '"job"',
        "\x00",
        "[" * 100_000,
        '{"plate": "p", "output": "o", "matte_grow": NaN}',
        '{"plate": "p", "output": "o", "matte_grow": Infinity}',
        '{"plate": "p", "output": "o", "matte_grow": 1e999}',
        '{"plate": "p", "output": "o", "matte_grow": 1' + "0" * 400 + "}",
    ],
    ids=lambda text: repr(text[-40:]),
)
def test_what_is_no_job_is_refused(text: str) -> None:
    """Broken JSON, JSON of another shape, and numbers that are none end in a message."""
    with pytest.raises(JobError, match="job"):
        RenderJob.from_json(text)


def test_flags_replace_single_fields() -> None:
    """`overridden` changes what it is given and nothing else."""
    job = RenderJob(plate="p", output="o", seed=3)

    assert job.overridden(output="q") == RenderJob(plate="p", output="q", seed=3)


def test_every_knob_is_a_field_with_the_same_default() -> None:
    """The table of knobs and the job speak of the same fields, defaults included."""
    job = RenderJob(plate="p", output="o")
    defaults = {field.name: getattr(job, field.name) for field in fields(job)}
    assert defaults.pop("schema_version") == SCHEMA_VERSION

    told = {knob.name: knob.default for knob in KNOBS}

    assert told == {**defaults, "plate": None, "output": None}
