"""Base class of FVD and KVD: the logits of I3D, computed once for all metrics that compare the same ones."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import ClassVar

import torch

from bench.errors import BenchError
from bench.metrics.base import Direction, Frames, SetMetric
from bench.metrics.networks.feature_cache import (
    Features,
    cache_dir,
)
from bench.metrics.networks.i3d import CLASSES, EPSILON, MIN_FRAMES
from bench.metrics.networks.i3d_features import I3DFeatures
from bench.metrics.pretrained_metric import PretrainedMetric


@lru_cache(maxsize=4)
def _shared(
    path: Path,
    state: tuple[int, int],
    device: torch.device | str | None,
    dtype: torch.dtype,
    keep: Path,
    epsilon: float,
) -> I3DFeatures:
    """One network for all metrics with equal settings; `state`, the file's size and time, detects a changed file."""
    return I3DFeatures(path, device, dtype, keep, epsilon)


class LogitsMetric(PretrainedMetric, SetMetric):
    """A metric of two sets of logits, which are computed once for all such metrics."""

    weights: ClassVar[tuple[str, ...]] = ("fvd", "fvd-styleganv")
    direction: ClassVar[Direction] = "lower"
    dimension = CLASSES
    per_frame = False
    min_frames = MIN_FRAMES
    min_clips = 2
    #: What the network's batch normalisation adds to the variance.
    epsilon: ClassVar[float] = EPSILON

    def __init__(
        self,
        weights: Path | str | None = None,
        device: torch.device | str | None = None,
        dtype: torch.dtype = torch.float32,
        cache: Path | None = None,
    ) -> None:
        """`weights` and `cache` default to those in the user's folders."""
        self._weights_path, self._device, self._dtype, self._cache = weights, device, dtype, cache
        self._loaded: I3DFeatures | None = None

    def network(self) -> I3DFeatures:
        """The feature network, loaded once."""
        if self._loaded is None:
            path = self.weights_path()
            if not path.is_file():
                raise BenchError(f"{self.unavailable()}.")
            state = (path.stat().st_size, path.stat().st_mtime_ns)
            keep = self._cache or cache_dir()
            self._loaded = _shared(path, state, self._device, self._dtype, keep, self.epsilon)
        return self._loaded

    def features(self, clips: Sequence[Frames]) -> list[Features]:
        """Logits of each clip, [1, 400] each."""
        return self.network().each(clips)

    def features_id(self) -> str:
        """Key of the logits, shared by all metrics that compare the same ones."""
        return self.network().key

    def weights_id(self) -> str:
        """Name and hash of the weights, and the export they come from."""
        return self.network().identity
