"""Intervals of a mean over clips: over source videos alone, or over source videos and trainings."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from bench.statistics.clusters import LEVEL, NAN, SEED, Floats, Interval, Videos, finite, mean_over_clips

DRAWS = 10_000
_CHUNK = 1 << 22  # numbers drawn at a time, so that memory does not grow with the number of videos


def jackknife_interval(values: ArrayLike, clusters: Sequence[Any], level: float = LEVEL) -> Interval:
    """Interval of the mean over clips, from leaving out one source video at a time; with one video there is none.

    Args:
        values: [N] finite numbers, one a clip; the caller leaves out (and counts) those that are not finite.
        clusters: [N] names of the source videos.
        level: coverage aimed at.

    Raises:
        BenchError: no value, a value that is not finite, or a different number of clusters.
    """
    estimate, videos, _ = mean_over_clips(values, clusters)
    return Interval(estimate.value, *estimate.ends(level), videos.count)


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
    videos = Videos.of(clusters, len(numbers))
    sums = videos.sums(numbers)
    mean = float(sums.sum() / videos.sizes.sum())
    if videos.count < 2:
        return Interval(mean, NAN, NAN, videos.count)
    means = _resampled_means(sums, videos.sizes, draws, seed)
    low, high = np.quantile(means, [(1 - level) / 2, (1 + level) / 2])
    return Interval(mean, float(low), float(high), videos.count)


@dataclass(frozen=True)
class OverSeeds:
    """Mean and sample standard deviation (N − 1) over training seeds; NaN deviation where there is one seed."""

    mean: float
    std: float
    seeds: int


def over_seeds(values: ArrayLike) -> OverSeeds:
    """Summarise one number a training seed; values that are not finite are the caller's to leave out."""
    numbers: Floats = np.sort(np.asarray(values, np.float64))  # sorted, so that the order of seeds changes no bit
    if not numbers.size:
        return OverSeeds(NAN, NAN, 0)
    std = float(np.std(numbers, ddof=1)) if numbers.size > 1 else NAN
    return OverSeeds(float(np.mean(numbers)), std, int(numbers.size))
