"""The job's JSON schema: the published contract, and the limits held by it."""

from __future__ import annotations

import json
from pathlib import Path

import jsonschema
import pytest

from infusion_engine.errors import UsageError
from infusion_engine.job_schema import DECIDED_BY_MINUTES, JOB_SCHEMA, check_job, read_job
from infusion_engine.media.layer import WriteMode
from infusion_engine.settings import PRESETS
from infusion_node.wire.job import RenderJob
from infusion_node.wire.knobs import knob

BASELINES = Path(__file__).parent / "wire" / "baselines"
JOB = RenderJob(plate="p", output="o")


def test_the_schema_is_the_published_one() -> None:
    """Studios validate against the golden file: a change of it is a change of the wire."""
    assert json.loads((BASELINES / "job.schema.json").read_text()) == JOB_SCHEMA


def test_the_schema_is_a_schema() -> None:
    """It keeps the rules of the draft that it names."""
    jsonschema.Draft202012Validator.check_schema(JOB_SCHEMA)


def test_takes_beyond_the_last_seed_are_refused() -> None:
    """Take k has seed + k - 1, and seeds end somewhere."""
    most = 2**63 - 1
    check_job(RenderJob("p", "o", seed=most - 2, takes=3))
    with pytest.raises(UsageError, match=r"--takes 3.*smaller --seed"):
        check_job(RenderJob("p", "o", seed=most - 1, takes=3))


@pytest.mark.parametrize("name", DECIDED_BY_MINUTES)
def test_minutes_and_what_they_choose_exclude_each_other(name: str) -> None:
    """Either the user or the budget says how many steps there are; other settings go with both."""
    check_job(RenderJob("p", "o", minutes=5.0, settings={"batch": "2"}))
    check_job(RenderJob("p", "o", settings={name: "2"}))
    with pytest.raises(UsageError, match=f"--minutes 5 chooses {name}, which --set {name}=2"):
        check_job(RenderJob("p", "o", minutes=5.0, settings={name: "2", "batch": "2"}))


def test_the_baseline_job_keeps_the_schema() -> None:
    """The golden job, which holds something in every field, is a good job."""
    check_job(read_job(BASELINES / "job.json"))


def test_the_words_are_those_the_engine_knows() -> None:
    """Every preset and every way of writing can be asked for, and no other."""
    assert set(knob("preset").choices) == set(PRESETS)
    assert set(knob("write").choices) == {mode.value for mode in WriteMode}


@pytest.mark.parametrize(
    "change",
    [
        {"matte_grow": 0.0},
        {"matte_grow": 1000.0},
        {"seed": 2**63 - 1},
        {"device": "cuda:12"},
        {"contact_sheet": "a b/c.PNG"},
        {"threads": 1},
        {"layer": "_fill2"},
        {"plate": "a\nb"},
    ],
)
def test_good_values_pass(change: dict[str, object]) -> None:
    """The ends of a range belong to it."""
    check_job(JOB.overridden(**change))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"matte_grow": -0.5}, ["--matte-grow", "-0.5", "0 to 1000"]),
        ({"matte_grow": float("nan")}, ["--matte-grow", "nan", "number of pixels"]),
        ({"matte_feather": float("inf")}, ["--matte-feather", "inf"]),
        ({"handles": -1}, ["--handles", "-1"]),
        ({"seed": -1}, ["--seed", "-1"]),
        ({"seed": 2**63}, ["--seed", "9223372036854775808"]),
        ({"threads": 0}, ["--threads", "found 0", "1 to 1024"]),
        ({"layer": "1fill"}, ["--layer", "1fill", "not beginning with a digit"]),
        ({"layer": "fill\n"}, ["--layer", "fill\\n"]),
        ({"layer": ""}, ["--layer", "''"]),
        ({"write": "all"}, ["--write", "all", "layer, fill, merged"]),
        ({"preset": "best"}, ["--preset", "best", "draft, standard, paper"]),
        ({"device": "gpu"}, ["--device", "gpu", "cuda:N"]),
        ({"device": "cuda:-1"}, ["--device", "cuda:-1"]),
        ({"contact_sheet": "a.jpg"}, ["--contact-sheet", "a.jpg", ".png"]),
        ({"plate": ""}, ["PLATE", "''"]),
        ({"matte": "a\x00b"}, ["--matte", "\\x00"]),
    ],
)
def test_values_beyond_their_limits_are_refused(
    change: dict[str, object], words: list[str]
) -> None:
    """The message has the flag's name, what was found, and what is expected."""
    with pytest.raises(UsageError) as caught:
        check_job(JOB.overridden(**change))

    assert [word for word in words if word not in str(caught.value)] == []


@pytest.mark.parametrize("content", [None, b"{", b"\xff\xfe", b'{"plate": 1, "output": "o"}'])
def test_a_file_that_is_no_job_is_refused_by_its_name(
    tmp_path: Path, content: bytes | None
) -> None:
    """Missing, broken, not text, or of the wrong types: one message that names the file."""
    path = tmp_path / "job.json"
    if content is not None:
        path.write_bytes(content)

    with pytest.raises(UsageError, match=r"job\.json"):
        read_job(path)
