"""Keys: digests over everything that determines a fit, a sample or a budget, and nothing else."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, fields
from enum import Enum

import numpy as np
import numpy.typing as npt

SCHEMA_VERSION = 12
"""Part of every key: raised whenever the same identity would give another result than before.

Never 10 or 11: caches may hold what builds that were taken back kept under them.
"""


def plain(value: object) -> object:
    """`value` as what JSON can say: enums by value, tuples as lists, mappings as dicts.

    Raises:
        TypeError: a part of it is anything else (arrays, paths, sets, a key that is not text).
    """
    if isinstance(value, Enum):
        return plain(value.value)
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, str):
        return str(value)
    if isinstance(value, int):
        return int(value)
    if isinstance(value, float):
        return float(value)  # numpy's float64 is a float too; its own repr is not a number's
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    if isinstance(value, Mapping):
        result: dict[str, object] = {}
        for key, item in value.items():
            name = plain(key) if isinstance(key, Enum) else key
            if not isinstance(name, str):
                raise TypeError(f"a key of an identity must be text, and {key!r} is not")
            if name in result:
                raise TypeError(f"an identity names {name!r} twice")
            result[name] = plain(item)
        return result
    raise TypeError(f"{type(value).__name__} has no canonical form, in {value!r}")


def digest(value: Mapping[str, object]) -> str:
    """SHA-256, in hexadecimal, of `value` as canonical JSON (sorted keys, floats by `repr`).

    1, 1.0, True and "1" differ; a tuple and a list of the same items do not.

    Raises:
        TypeError: a part of it has no canonical form, a number that is not finite included.
    """
    try:
        text = json.dumps(plain(value), sort_keys=True, separators=(",", ":"), allow_nan=False)
    except ValueError as error:
        raise TypeError(f"a number in an identity is not finite: {value!r}") from error
    return hashlib.sha256(text.encode("ascii")).hexdigest()


class Started(str, Enum):
    """Where a fit's weights came from before its first step."""

    PREVIOUS = "previous"
    """The fit of the noisier interval."""
    BASE = "base"
    """A fit that all intervals of the shot begin with."""
    SCRATCH = "scratch"
    """Random weights drawn from the fit seed."""


@dataclass(frozen=True)
class FitIdentity:
    """All that determines one interval's fitted weights."""

    clip: str
    """`ClipDigest` of the region: known pixels' native bits, the matte as used, size, frames."""
    encoding: Mapping[str, object]
    """Parameters of the encoding of plate values."""
    network: Mapping[str, object]
    """Which denoiser, and its sizes."""
    training: Mapping[str, object]
    """Every setting that training reads."""
    precision: str
    """Arithmetic of the convolutions (`fp32`, `bf16`)."""
    fit_seed: int
    """Chooses initial weights, windows, occluders and noise of training."""
    level: int
    """Which level of resolution: 0 is the coarsest."""
    interval: tuple[int, int]
    """Half-open timesteps [low, high)."""
    started: Started
    """Where the weights came from."""
    parent: str | None
    """Key of the fit that it started from; None when started from scratch."""

    def __post_init__(self) -> None:
        """Refuse an identity that would stand for two different fits.

        Raises:
            ValueError: the interval is empty, or `parent` does not go with `started`.
        """
        low, high = self.interval
        if not 0 <= low < high:
            raise ValueError(f"interval [{low}, {high}) holds no timestep")
        if (self.parent is None) != (self.started is Started.SCRATCH):
            raise ValueError(f"a fit started from {self.started.value} has parent {self.parent!r}")

    @property
    def key(self) -> str:
        """64 hexadecimal digits that change with any field."""
        return _key("fit", self.described())

    def described(self) -> dict[str, object]:
        """The identity spelled out, for `record.json`."""
        return _described(self)


@dataclass(frozen=True)
class SampleIdentity:
    """All that determines one sample: what an interval leaves behind in the hole."""

    fit: str
    """Key of the fit that denoised it."""
    seed: int
    """The job's seed."""
    take: int
    """Which of several takes of the same seed."""
    sampler: Mapping[str, object]
    """Every setting that sampling reads."""
    noisier: str | None
    """Key of the sample it went on from: the noisier interval's or the coarser level's; or None."""

    @property
    def key(self) -> str:
        """64 hexadecimal digits that change with any field."""
        return _key("sample", self.described())

    def described(self) -> dict[str, object]:
        """The identity spelled out, for `record.json`."""
        return _described(self)


@dataclass(frozen=True)
class BudgetIdentity:
    """All by which a budget of minutes is found again: the job, and not how fast it went."""

    clip: str
    """`ClipDigest` of the region."""
    settings: Mapping[str, object]
    """Every setting, before the budget changed any."""
    minutes: float
    """How long the render may take."""
    device: str
    """Type of the device (`cpu`, `cuda`)."""
    threads: int
    """CPU threads."""

    @property
    def key(self) -> str:
        """64 hexadecimal digits that change with any field."""
        return _key("budget", self.described())

    def described(self) -> dict[str, object]:
        """The identity spelled out, for `record.json`."""
        return _described(self)


@dataclass(frozen=True)
class ClipIdentity:
    """All that determines an encoded clip, but for how the machine rounds that encodes it."""

    clip: str
    """`ClipDigest` of the region."""
    encoding: Mapping[str, object]
    """Parameters of the encoding of plate values."""
    sizes: Mapping[str, object]
    """What decides the region and its levels: both boxes in the plate, and the levels' parts."""

    @property
    def key(self) -> str:
        """64 hexadecimal digits that change with any field."""
        return _key("clip", self.described())

    def described(self) -> dict[str, object]:
        """The identity spelled out, for `record.json`."""
        return _described(self)


@dataclass(frozen=True)
class JobIdentity:
    """All by which machines that have read no pixel yet find the same prepared job."""

    files: tuple[tuple[str, int], ...]
    """Name (without its folder: farms map paths) and bytes of each file read, plate then matte."""
    ends: str
    """Digest of what stands in the first and the last file of either: another shot's files may
    have the same names and, uncompressed, the same sizes."""
    shot: Mapping[str, object]
    """Which frames, channels and view of them, and what is done to the matte."""
    settings: Mapping[str, object]
    """Every setting as it was asked for, before a device decided what was left open."""
    minutes: float | None
    """How long the render may take, if that was said."""
    device: str | None
    """Kind of device that the job names (`auto`, `cpu`, `cuda`), where settings or minutes leave
    something for it to decide; None where nothing is left."""

    @property
    def key(self) -> str:
        """64 hexadecimal digits that change with any field."""
        return _key("job", self.described())

    def described(self) -> dict[str, object]:
        """The identity spelled out, for `record.json`."""
        return _described(self)


_Identity = FitIdentity | SampleIdentity | BudgetIdentity | ClipIdentity | JobIdentity


def _described(identity: _Identity) -> dict[str, object]:
    return {field.name: plain(getattr(identity, field.name)) for field in fields(identity)}


def _key(kind: str, identity: Mapping[str, object]) -> str:
    return digest({"schema_version": SCHEMA_VERSION, "kind": kind, "identity": identity})


class ClipDigest:
    """Digest of a clip's known pixels and its matte, fed one frame at a time, first frame first.

    Bits count, not values: -0 differs from 0, one NaN from another, half from float. Pixels that
    are not known contribute nothing, whatever lies there.
    """

    def __init__(self) -> None:
        self._hash = hashlib.sha256(b"infusion clip")
        self._frames = 0

    def add_frame(
        self,
        pixels: npt.NDArray[np.generic],
        known: npt.NDArray[np.bool_],
        matte: npt.NDArray[np.float32],
    ) -> None:
        """Add one frame.

        Args:
            pixels: (H, W, C) plate values in the file's own type.
            known: (H, W), True where a pixel may be learnt from.
            matte: (H, W) matte as used, in [0, 1].

        Raises:
            ValueError: shapes or types are not these.
        """
        if pixels.ndim != 3 or known.shape != pixels.shape[:2] or matte.shape != known.shape:
            raise ValueError(
                f"pixels {pixels.shape}, known {known.shape} and matte {matte.shape} do not match"
            )
        if known.dtype != np.bool_ or matte.dtype != np.float32:
            raise ValueError(f"known is {known.dtype} not bool, or matte {matte.dtype} not float32")
        height, width, channels = pixels.shape
        kind = f"{pixels.dtype.kind}{pixels.dtype.itemsize}"
        self._hash.update(f"|{self._frames} {height} {width} {channels} {kind}|".encode("ascii"))
        self._hash.update(np.packbits(known).tobytes())
        self._hash.update(_bits(matte))
        self._hash.update(_bits(pixels[known]))
        self._frames += 1

    def add_camera(self, matrices: npt.NDArray[np.float64]) -> None:
        """Add where the frames were registered: (T, 3, 3), after the last frame."""
        self._hash.update(b"|camera|")
        self._hash.update(_bits(matrices))

    def hexdigest(self) -> str:
        """64 hexadecimal digits over the frames so far; more frames may follow."""
        whole = self._hash.copy()
        whole.update(f"|{self._frames} frames".encode("ascii"))
        return whole.hexdigest()


def _bits(array: npt.NDArray[np.generic]) -> bytes:
    """The array's elements in C order, least significant byte first on every machine."""
    words: npt.NDArray[np.generic] = array.view(f"u{array.dtype.itemsize}")
    if array.dtype.byteorder == ">":
        words = words.view(f">u{array.dtype.itemsize}")
    return words.astype(f"<u{array.dtype.itemsize}", copy=False).tobytes()
