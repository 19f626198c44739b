"""Fréchet video distance: Unterthiner et al., "Towards accurate generative models of video" (2018).

It is the Fréchet distance of the logits of I3D, trained on Kinetics-400, for clips at 224 × 224 in [-1, 1]. `fvd`
follows the original, whose graph adds 1e-3 to the variance in batch normalisation. The PyTorch port in VideoGPT kept
PyTorch's default of 1e-5. TATS, cd-fvd and others adopted the port and report its numbers; use `fvd_videogpt` to
compare with them.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench.metrics.frechet import frechet_distance
from bench.metrics.i3d_metric import LogitsMetric
from bench.metrics.networks.feature_cache import Features
from bench.metrics.networks.i3d import PORTED_EPSILON
from bench.metrics.networks.parallel_map import one_core_each


class FVD(LogitsMetric):
    """Fréchet distance of I3D logits."""

    name = "fvd"
    range = "≥ 0"
    decimals = 2
    version = 2  # version 1 used the port's batch-norm epsilon
    definition = (
        "Fréchet distance of I3D (Kinetics-400, RGB) logits, mean over time, batch-norm epsilon 1e-3 as in the "
        "original; clips at 224×224 bilinear without antialiasing, [-1, 1]; biased upwards under 400 clips"
    )

    def distance(self, predicted: Sequence[Features], real: Sequence[Features]) -> float:
        """Fréchet distance of two sets of logits."""
        return frechet_distance(predicted, real)

    def without_each(
        self,
        predicted: Sequence[Features],
        real: Sequence[Features],
        groups: NDArray[np.intp],
        videos: Sequence[Any] | None = None,
    ) -> NDArray[np.float64]:
        """The distances without each group of clips in turn, several in parallel."""

        def without(group: int) -> float:
            kept = np.flatnonzero(groups != group).tolist()
            return self.distance([predicted[i] for i in kept], [real[i] for i in kept])

        return np.array(one_core_each(without, range(int(groups.max()) + 1)))


class PortedFVD(FVD):
    """FVD as the PyTorch port in VideoGPT computes it, only for comparison with numbers from that family of code."""

    name = "fvd_videogpt"
    label = "FVD, VideoGPT's port"
    version = 1
    default = False
    weights = ("fvd",)
    epsilon = PORTED_EPSILON
    definition = (
        "fvd with batch-norm epsilon 1e-5, a slip of the PyTorch port in VideoGPT, TATS, cd-fvd and others; only for "
        "comparison with numbers made by those"
    )
