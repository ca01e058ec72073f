"""Frechet video distance: how far apart the features of the fill's and the truth's windows lie.

    fvd   |m1 - m2|^2 + trace(S1 + S2 - 2 (S1 S2)^(1/2))        less is better

with m and S the mean and the covariance of a network's features over windows (Unterthiner et al.,
arXiv 1812.01717, after Heusel et al., NeurIPS 2017). A window is some consecutive whole frames in
display values; there is one from each frame on, and those that touch no hole are left out.

The network is a TorchScript file that maps (1, 3, T, H, W) of R, G, B in [0, 1] to (1, D), and does
itself whatever it needs (size, scale, cropping). A script can do anything that torch can: use files
that you trust. The figure depends on the network, so that two are comparable only with the same
file and the same T.

With no more windows than features the covariance has directions nothing was seen of, and the
figure is too high by an unknown amount; `shortage` says so. Windows that overlap tell less than as
many separate ones would.

Memory: T frames and two D x D sums, whatever the length.
"""

from __future__ import annotations

import warnings
from collections import deque
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch

from infusion_engine.errors import InputError, UsageError
from infusion_engine.evaluate.figures import Values

Moments = npt.NDArray[np.float64]


@dataclass(frozen=True)
class FrechetFigures:
    """The distance and what it rests on."""

    fvd: float | None
    """Frechet distance, 0 or more, in squared units of the features; None under two windows."""
    fvd_windows: int
    """Windows that were compared, of each side."""
    fvd_features: int
    """D, the features of a window; 0 where there was no window."""

    def shortage(self) -> str | None:
        """What to tell a user when windows are too few; None when there are enough."""
        if self.fvd_windows < 2:
            return (
                f"fvd: {self.fvd_windows} windows touch the hole and a covariance needs two at "
                "least. Compare more frames, or make --feature-frames smaller."
            )
        if self.fvd_windows <= self.fvd_features:
            return (
                f"fvd: {self.fvd_windows} windows are too few for {self.fvd_features} features: "
                "the figure is too high, and only good to compare results of this very shot."
            )
        return None


class FrechetTally:
    """Gathers `FrechetFigures` from frames that are given in order, one after the other.

    `network` is the file, `frames` T, the length of a window.

    Raises:
        InputError: the file is absent or no TorchScript.
        UsageError: `frames` is below 1.
    """

    def __init__(self, network: Path, frames: int) -> None:
        if frames < 1:
            raise UsageError(
                f"--feature-frames: found {frames}, expected 1 or more.",
                remedy="Give the number of frames that the network takes.",
            )
        self._path = network
        self._network = _load(network)
        self._recent: deque[tuple[Values, Values, bool]] = deque(maxlen=frames)
        self._result, self._truth = _Gaussian(), _Gaussian()

    def add(self, result: Values, truth: Values, hole: npt.NDArray[np.bool_]) -> None:
        """Take in the next frame: (H, W, 3) display values in [0, 1] and (H, W), True in the hole.

        Raises:
            InputError: the network does not take these windows, or gives no (1, D) back.
        """
        self._recent.append((result, truth, bool(hole.any())))
        full = len(self._recent) == self._recent.maxlen
        if not full or not any(touched for _, _, touched in self._recent):
            return
        self._result.add(self._features([frame for frame, _, _ in self._recent]))
        self._truth.add(self._features([frame for _, frame, _ in self._recent]))

    def figures(self) -> FrechetFigures:
        """What the windows so far amount to."""
        count, size = self._truth.count, self._truth.size
        if count < 2:
            return FrechetFigures(None, count, size)
        return FrechetFigures(frechet_distance(self._result, self._truth), count, size)

    @torch.inference_mode()
    def _features(self, frames: list[Values]) -> Moments:
        """(D,) of one window of (H, W, 3) frames."""
        window = torch.from_numpy(np.stack(frames)).permute(3, 0, 1, 2)[None]
        try:
            features = self._network(window)
        except RuntimeError as error:
            last = str(error).strip().splitlines()[-1]
            raise InputError(
                f"{self._path} failed on a window of {tuple(window.shape)}: {last}",
                remedy="Give it the number of frames it takes with --feature-frames; sizes are its "
                "own to change.",
            ) from error
        good = isinstance(features, torch.Tensor) and features.ndim == 2 and len(features) == 1
        if not good or not features.isfinite().all():
            found = tuple(features.shape) if isinstance(features, torch.Tensor) else type(features)
            raise InputError(
                f"{self._path} gave {found}, expected finite features of shape (1, D).",
                remedy="Wrap the network so that it returns one row of features for a window.",
            )
        vector: Moments = features[0].double().numpy()
        return vector


class _Gaussian:
    """Mean and covariance of vectors that come one by one."""

    def __init__(self) -> None:
        self.count = 0
        self.mean: Moments = np.zeros(0)
        self._scatter: Moments = np.zeros((0, 0))

    @property
    def size(self) -> int:
        """Entries of a vector; 0 before the first."""
        return len(self.mean)

    @property
    def covariance(self) -> Moments:
        """(D, D), unbiased; of two vectors or more."""
        return self._scatter / (self.count - 1)

    def add(self, vector: Moments) -> None:
        """Take in one (D,) vector, by Welford's update, which does not lose small deviations."""
        if not self.count:
            self.mean, self._scatter = np.zeros(len(vector)), np.zeros((len(vector),) * 2)
        self.count += 1
        before = vector - self.mean
        self.mean = self.mean + before / self.count
        self._scatter += np.outer(before, vector - self.mean)


def frechet_distance(one: _Gaussian, other: _Gaussian) -> float:
    """The squared Frechet distance of two Gaussians.

    trace (S1 S2)^(1/2) is taken from the eigenvalues of R S2 R with R = S1^(1/2), which is
    symmetric: no complex roots appear, however singular the covariances are.
    """
    values, vectors = np.linalg.eigh(one.covariance)
    root = (vectors * np.sqrt(np.maximum(values, 0.0))) @ vectors.T
    shared = np.linalg.eigvalsh(root @ other.covariance @ root)
    between = float(((one.mean - other.mean) ** 2).sum())
    apart = float(np.trace(one.covariance) + np.trace(other.covariance))
    return max(between + apart - 2.0 * float(np.sqrt(np.maximum(shared, 0.0)).sum()), 0.0)


def _load(path: Path) -> torch.jit.ScriptModule:
    """The network, on the CPU, ready to be asked."""
    if not path.is_file():
        raise InputError(
            f"{path} is not there: fvd needs a network as a TorchScript file.",
            remedy="Name one by --features, or leave it out; nothing is downloaded.",
        )
    try:
        with warnings.catch_warnings():
            # torch would have everyone export anew; the field's networks are published as scripts.
            warnings.simplefilter("ignore", DeprecationWarning)
            network: torch.jit.ScriptModule = torch.jit.load(path, map_location="cpu")  # type: ignore[no-untyped-call]
    except (RuntimeError, ValueError) as error:
        first = str(error).strip().splitlines()[0]
        raise InputError(
            f"{path} is no TorchScript file: {first}",
            remedy="Write one with torch.jit.script(network).save(path).",
        ) from error
    return network.eval()
