"""The input space: what is learnt from is scene-linear, and the fill comes back as the plate is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from infusion_engine.errors import MatteError, UsageError
from infusion_engine.media.encoding import Encoding, as_numbers, choose_encoding
from infusion_engine.media.input_space import InputSpace, open_input_space, to_finite_linear
from infusion_engine.media.layer import WriteMode
from infusion_engine.media.read_frames import read_frames
from infusion_engine.media.region import Region
from infusion_engine.media.shot import Transfer, open_shot
from infusion_engine.media.survey import Survey, survey
from infusion_node.wire.job import RenderJob

WritePicture = Callable[..., Path]
SIZE = (16, 24)

# Rec. 709 primaries under D65 to AP1 under ACES white, by Bradford: published with ACES.
TO_AP1 = np.array(
    [
        [0.613097, 0.339523, 0.047379],
        [0.070194, 0.916354, 0.013452],
        [0.020616, 0.109570, 0.869815],
    ]
)

CONFIG = """ocio_profile_version: 2
roles: {default: raw, scene_linear: light}
file_rules:
  - !<Rule> {name: Default, colorspace: default}
displays:
  screen:
    - !<View> {name: Raw, colorspace: raw}
colorspaces:
  - !<ColorSpace> {name: raw, isdata: true}
  - !<ColorSpace> {name: light}
  - !<ColorSpace>
    name: clamped
    to_scene_reference: !<RangeTransform>
      {min_in_value: 0, min_out_value: 0, max_in_value: 1, max_out_value: 1}
  - !<ColorSpace>
    name: flat
    to_scene_reference: !<MatrixTransform> {matrix: [0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,1]}
  - !<ColorSpace>
    name: tabled
    to_scene_reference: !<FileTransform> {src: gone.spi1d}
"""


@pytest.fixture(autouse=True)
def no_config(monkeypatch: pytest.MonkeyPatch) -> None:
    """The pinned config holds, whatever this machine's user has set."""
    monkeypatch.delenv("OCIO", raising=False)


@pytest.fixture
def own_config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`$OCIO` is the small config above."""
    (tmp_path / "own.ocio").write_text(CONFIG)
    monkeypatch.setenv("OCIO", str(tmp_path / "own.ocio"))


def space_of(name: str) -> InputSpace:
    """The colour space of that name."""
    opened = open_input_space(name)
    assert opened.space is not None
    assert opened.notes == ()
    return opened.space


def srgb_to_light(codes: np.ndarray) -> np.ndarray:
    """IEC 61966-2-1: values of [0, 1] as displayed -> light of Rec. 709 primaries."""
    return np.where(codes <= 0.04045, codes / 12.92, ((codes + 0.055) / 1.055) ** 2.4)


def colours(kind: type, full: float) -> np.ndarray:
    """(T, H, W, 3) of that type from 0 to `full`: greys in the first frame, colours in the rest."""
    rng = np.random.default_rng(0)
    found = rng.random((3, *SIZE, 3))
    found[0] = np.linspace(0, 1, found[0, ..., 0].size).reshape(*SIZE, 1)
    return (np.rint(found * full) if kind in (np.uint8, np.uint16) else found * full).astype(kind)


@pytest.fixture
def surveyed(tmp_path: Path, write_picture: WritePicture) -> Callable[..., Survey]:
    """Writes plates (T, H, W, 3) with a small hole and surveys them in that space."""

    def look(plates: np.ndarray, space: InputSpace, suffix: str) -> Survey:
        for i, pixels in enumerate(plates):
            found = {name: pixels[..., c] for c, name in enumerate("RGB")}
            write_picture(tmp_path / f"plate/p.{i}{suffix}", found)
            matte = np.zeros(SIZE, np.float32)
            matte[4:8, 4:8] = 1.0
            write_picture(tmp_path / f"matte/m.{i}.exr", {"A": matte})
        job = RenderJob(str(tmp_path / "plate"), "out", matte=str(tmp_path / "matte"))
        return survey(
            open_shot(job), mode=WriteMode.MERGED, on_frame=lambda _d, _t: None, space=space
        )

    return look


def encoding_of(found: Survey) -> Encoding:
    """The survey's encoding."""
    assert found.encoding is not None
    return found.encoding


@pytest.mark.parametrize(
    ("suffix", "kind", "full"), [(".png", np.uint8, 255), (".tif", np.uint16, 65535)]
)
def test_what_is_learnt_from_is_scene_linear(
    surveyed: Callable[..., Survey], suffix: str, kind: type, full: int
) -> None:
    """An sRGB plate's codes become light of the config's primaries, by the standard's own curve."""
    plates = colours(kind, full)
    encoding = encoding_of(surveyed(plates, space_of("sRGB - Texture"), suffix))

    seen = replace(encoding, space=None).decode(encoding.encode(plates)).astype(np.float64)
    light = srgb_to_light(plates / full) @ TO_AP1.T
    np.testing.assert_allclose(seen, light, rtol=2e-4, atol=2e-5)
    assert abs(encoding.knee - np.median(light)) < 0.03  # chosen by light, not by codes


def test_the_region_is_read_in_light_too(tmp_path: Path, write_picture: WritePicture) -> None:
    """What fitting sees of a file is what the encoding makes of the sRGB curve's light."""
    plate = colours(np.uint8, 255)[1]
    write_picture(tmp_path / "p.png", {name: plate[..., c] for c, name in enumerate("RGB")})
    matte = np.zeros(SIZE, np.float32)
    matte[4:8, 4:8] = 1.0
    write_picture(tmp_path / "m.exr", {"A": matte})
    shot = open_shot(RenderJob(str(tmp_path / "p.png"), "out", matte=str(tmp_path / "m.exr")))
    space = space_of("srgb_tx")
    encoding = encoding_of(
        survey(shot, mode=WriteMode.MERGED, on_frame=lambda _d, _t: None, space=space)
    )
    clip: list[np.ndarray] = []
    read_frames(
        shot,
        Region(shot.canvas, SIZE[1], SIZE[0]),
        encoding,
        on_bits=lambda _p, _k, _m: None,
        on_clip=lambda _i, x_0, hole: clip.extend((x_0, hole)),
        on_frame=lambda _d, _t: None,
    )
    x_0, hole = clip
    seen = replace(encoding, space=None).decode(np.moveaxis(x_0, 0, 2))
    light = srgb_to_light(plate / 255) @ TO_AP1.T
    np.testing.assert_array_equal(hole[0], matte)
    np.testing.assert_allclose(seen[matte == 0], light[matte == 0], rtol=2e-4, atol=2e-5)


@pytest.mark.parametrize(
    ("name", "bits"),
    [
        ("sRGB - Texture", 8),
        ("ARRI LogC3 (EI800)", 10),
        ("S-Log3 S-Gamut3.Cine", 10),
        ("ACEScct", 12),
    ],
)
def test_codes_come_back_within_half_a_code(name: str, bits: int) -> None:
    """Through light and the encoding's own logarithm, every grey and random colours."""
    full = 2**bits - 1
    grey = np.repeat(np.arange(full + 1)[:, None], 3, axis=1)
    codes = np.concatenate([grey, np.random.default_rng(0).integers(0, full + 1, (2000, 3))])
    space = space_of(name)
    found = to_finite_linear(space, codes / full, bits=bits)
    encoding = choose_encoding(found.values, Transfer.SCENE_LINEAR, space)

    back = encoding.decode(encoding.encode(codes / full)) * full
    assert found.notes == ()
    assert np.abs(back - codes).max() < 0.5


@pytest.mark.parametrize("name", ["ACEScct", "S-Log3 S-Gamut3.Cine", "sRGB - Texture", "ACEScg"])
def test_halves_come_back_within_half_precision(name: str) -> None:
    """What an EXR of that space stores, below 0 too."""
    rng = np.random.default_rng(1)
    plate = rng.uniform(-0.05, 1.0, (4000, 3)).astype(np.float16)
    space = space_of(name)
    found = to_finite_linear(space, as_numbers(plate), bits=None)
    encoding = choose_encoding(found.values, Transfer.SCENE_LINEAR, space)

    back = encoding.decode(encoding.encode(plate))
    np.testing.assert_allclose(back, plate.astype(np.float32), rtol=2**-11, atol=1e-4)


def test_other_primaries_keep_what_is_beyond_one_and_below_zero() -> None:
    """Only a matrix lies between linear spaces: 60, 3000 and negatives go through and come back."""
    plate = np.array([[60, -3, 0.18], [-0.5, -0.5, -0.5], [3000, 12, 60000]], np.float32)
    space = space_of("lin_rec709")
    light = space.to_linear(plate)
    np.testing.assert_allclose(light, plate.astype(np.float64) @ TO_AP1.T, rtol=1e-4, atol=1e-4)
    np.testing.assert_allclose(space.from_linear(light), plate, rtol=2**-11, atol=0.01)
    wide = space_of("Linear Rec.2020").to_linear(plate)
    assert np.abs(wide - light).max() > 1.0  # each has its own matrix
    np.testing.assert_array_equal(space_of("ACEScg").to_linear(plate), plate)


def test_names_aliases_and_roles_are_one_space() -> None:
    """Whatever its spelling, described alike, so that it has one key."""
    one = space_of("ACEScct")
    for name in ("acescct", "ACES - ACEScct", "acescct_ap1", "color_timing"):
        assert space_of(name).described() == one.described()
    assert space_of("ACEScc").described() != one.described()


def test_a_value_that_has_no_light_is_missing(surveyed: Callable[..., Survey]) -> None:
    """60 in a logarithm is told, kept out of the encoding, and is nothing to learn from."""
    plates = colours(np.float32, 0.9)
    plates[:, 0, :5] = 60.0
    found = surveyed(plates, space_of("ACEScct"), ".exr")
    encoding = encoding_of(found)
    assert np.isfinite([encoding.low, encoding.high, encoding.knee]).all()
    (note,) = found.notes
    assert note.startswith(f"{100 * 5 / (SIZE[0] * SIZE[1] - 16):.1f} % of the known pixels")
    assert not np.isfinite(encoding.encode(plates[0, 0, :5])).all()
    with pytest.raises(MatteError, match="ACEScct"):
        surveyed(np.full_like(plates, 60.0), space_of("ACEScct"), ".exr")


def test_only_what_has_light_is_read_as_known(tmp_path: Path, write_picture: WritePicture) -> None:
    """The clip is finite, and its hole holds the pixels without light."""
    plate = colours(np.float32, 0.9)[1]
    plate[0, :5] = 60.0
    write_picture(tmp_path / "p.exr", {name: plate[..., c] for c, name in enumerate("RGB")})
    matte = np.zeros(SIZE, np.float32)
    matte[4:8, 4:8] = 1.0
    write_picture(tmp_path / "m.exr", {"A": matte})
    shot = open_shot(RenderJob(str(tmp_path / "p.exr"), "out", matte=str(tmp_path / "m.exr")))
    encoding = encoding_of(
        survey(shot, mode=WriteMode.FILL, on_frame=lambda _d, _t: None, space=space_of("ACEScct"))
    )
    clip: list[np.ndarray] = []
    for region in (Region(shot.canvas, SIZE[1], SIZE[0]), Region(shot.canvas, 16, 8)):
        read_frames(
            shot,
            region,
            encoding,
            on_bits=lambda _p, _k, _m: None,
            on_clip=lambda _i, x_0, hole: clip.extend((x_0, hole)),
            on_frame=lambda _d, _t: None,
        )
    x_0, hole, reduced, _ = clip
    assert np.isfinite(x_0).all()
    assert np.isfinite(reduced).all()
    without = matte > 0
    without[0, :5] = True
    np.testing.assert_array_equal(hole[0] > 0, without)


@pytest.mark.usefixtures("own_config")
def test_a_space_that_clamps_is_told(surveyed: Callable[..., Survey]) -> None:
    """What does not come back is counted; within the clamp nothing is said."""
    plates = colours(np.float32, 1.0)
    space = space_of("clamped")
    assert surveyed(plates, space, ".exr").notes == ()
    (note,) = surveyed(plates * 2.0, space, ".exr").notes
    assert "do not come back" in note
    assert "clamps" in note


def test_what_comes_back_is_finite() -> None:
    """No light makes a NaN or an infinity of a fill; one that is none already is not hidden."""
    odd = np.array([[3e38, -3e38, 3e38], [3e38, 3e38, -3e38], [-3e38, 1, 0]], np.float32)
    none = np.array([[np.nan, 0.0, 0.0], [0.5, np.inf, 0.5]], np.float32)
    for name in ("ACEScct", "lin_rec709", "sRGB - Texture"):
        assert np.isfinite(space_of(name).from_linear(odd)).all()
        assert np.isnan(space_of(name).from_linear(none)).all()


@pytest.mark.usefixtures("own_config")
def test_data_are_no_colour() -> None:
    """Nothing is converted, and that is said."""
    opened = open_input_space("raw")
    assert opened.space is None
    assert "'raw' holds data" in opened.notes[0]


@pytest.mark.usefixtures("own_config")
@pytest.mark.parametrize("name", ["flat", "tabled"])
def test_a_space_without_a_way_back_is_refused(name: str) -> None:
    """A matrix that has no inverse, a table that is not there: before anything is read."""
    with pytest.raises(UsageError, match=f"'{name}'.*own.ocio") as caught:
        open_input_space(name)
    assert "both ways" in caught.value.remedy


def test_a_config_without_scene_linear_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The role is named, and those that are there."""
    (tmp_path / "c.ocio").write_text(
        CONFIG.replace("scene_linear: light", "compositing_log: light")
    )
    monkeypatch.setenv("OCIO", str(tmp_path / "c.ocio"))
    with pytest.raises(UsageError, match=r"'scene_linear'.*compositing_log"):
        open_input_space("clamped")


@pytest.mark.parametrize(
    ("name", "closest"),
    [("ACESct", "'ACEScct'"), ("srgb", "'sRGB - "), ("logc3", "LogC3"), ("", "")],
)
def test_an_unknown_name_is_met_with_the_closest(name: str, closest: str) -> None:
    """What was found, how many there are in which config, and what looks like it."""
    with pytest.raises(UsageError, match=r"one of the \d\d colour spaces") as caught:
        open_input_space(name)
    for said in (repr(name), closest, "ocio://studio-config-v2.1.0", "$OCIO is not set"):
        assert said in caught.value.message


def test_the_encodings_parameters_do_not_hang_on_last_bits() -> None:
    """Two machines whose conversions differ by some 1e-7 name their fits alike."""
    space = space_of("ACEScct")
    light = np.exp(np.random.default_rng(2).normal(-2, 1.5, (5000, 3)))
    found = {
        str(choose_encoding(light * (1 + wobble), Transfer.SCENE_LINEAR, space).described())
        for wobble in (0.0, 1e-7, -3e-7)
    }
    assert len(found) == 1


def test_without_a_space_an_encoding_is_described_as_ever() -> None:
    """No word of a colour space: the keys of older fits hold."""
    known = np.exp(np.random.default_rng(2).normal(-2, 1.5, 5000))
    plain = choose_encoding(known, Transfer.SCENE_LINEAR)
    assert set(plain.described()) == {"curve", "knee", "low", "high"}
    assert plain.high == float(np.percentile(known, 99.5))
    described = choose_encoding(known, Transfer.SCENE_LINEAR, space_of("ACEScg")).described()
    assert described["input_space"] == {
        "space": "ACEScg",
        "scene_linear": "ACEScg",
        "config": "ocio://studio-config-v2.1.0_aces-v1.3_ocio-v2.3",
    }
