"""The percentile bootstrap over source videos, whose interval is too narrow for few videos."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from bench.statistics.clusters import LEVEL, NAN, SEED, Clusters, Interval, finite

DRAWS = 10_000
_CHUNK = 1 << 22  # numbers drawn at a time, so that memory does not grow with the number of videos


def _resampled_means(
    sums: NDArray[np.float64], counts: NDArray[np.float64], draws: int, seed: int
) -> NDArray[np.float64]:
    """Means over clips of `draws` samples of clusters, drawn with replacement."""
    rng = np.random.default_rng(seed)
    means = np.empty(draws)
    step = max(1, _CHUNK // len(sums))
    for start in range(0, draws, step):
        stop = min(start + step, draws)
        drawn = rng.integers(len(sums), size=(stop - start, len(sums)))
        means[start:stop] = sums[drawn].sum(1) / counts[drawn].sum(1)
    return means


def bootstrap_interval(
    values: ArrayLike, clusters: Sequence[Any], draws: int = DRAWS, seed: int = SEED, level: float = LEVEL
) -> Interval:
    """Percentile bootstrap interval of the mean over clips, drawing whole source videos: too narrow for few videos.

    Args:
        values: [N] finite numbers, one a clip; the caller leaves out (and counts) those that are not finite.
        clusters: [N] names of the source videos.
        draws: number of bootstrap samples.
        seed: the same values, in any order, and the same seed give the same bytes.
        level: coverage aimed at.

    Raises:
        BenchError: no value, a value that is not finite, or a different number of clusters.
    """
    numbers = finite(values)
    videos = Clusters.of(clusters, len(numbers))
    sums = videos.sums(numbers)
    mean = float(sums.sum() / videos.sizes.sum())
    if videos.count < 2:
        return Interval(mean, NAN, NAN, videos.count)
    means = _resampled_means(sums, videos.sizes, draws, seed)
    low, high = np.quantile(means, [(1 - level) / 2, (1 + level) / 2])
    return Interval(mean, float(low), float(high), videos.count)
