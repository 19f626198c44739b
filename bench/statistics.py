"""Intervals, paired differences and corrections for means over clips that come from shared source videos.

Clips of one video resemble each other, so the unit that is drawn is the video (cluster), with all of its clips: Field
and Welsh, "Bootstrapping clustered data" (JRSS B 2007). Differences between two rows are taken clip by clip and tested
by flipping the sign of whole videos, which is exact under the hypothesis that the two rows are exchangeable and needs
no assumption about the shape of the differences, unlike a p value read off a bootstrap interval, which is too small
when videos are few. Several tests are corrected by Holm's method (Scandinavian Journal of Statistics 1979).

Every function is seeded and does not depend on the order of its rows.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from bench.errors import BenchError

DRAWS = 10_000
LEVEL = 0.95
SEED = 20_240_101
_CHUNK = 1 << 22  # numbers drawn at a time, so that memory does not grow with the number of videos


@dataclass(frozen=True)
class Interval:
    """A mean and the ends of its interval; the ends are NaN where there are fewer than two clusters."""

    mean: float
    low: float
    high: float
    clusters: int


@dataclass(frozen=True)
class Difference:
    """Mean of a − b over clips, the ends of its interval, and the two-sided p value of no difference."""

    difference: float
    low: float
    high: float
    p_value: float
    clusters: int


def _cluster_sums(
    values: NDArray[np.float64], clusters: Sequence[Any]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Sum and number of the values of each cluster, in the order of the clusters' names.

    Values are sorted within a cluster before they are added, so that row order cannot change a bit of the result.
    """
    names = np.asarray([str(cluster) for cluster in clusters])
    if len(names) != len(values):
        raise BenchError(f"Every value needs its source video: there are {len(values)} values and {len(names)} videos.")
    if not len(values):
        raise BenchError("There is no value to compute an interval of.")
    if not np.isfinite(values).all():
        raise BenchError("An interval is taken over finite values; leave infinite and missing ones out and count them.")
    order = np.lexsort((values, names))
    _, starts, counts = np.unique(names[order], return_index=True, return_counts=True)
    return np.add.reduceat(values[order], starts), counts.astype(np.float64)


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


def _ends(means: NDArray[np.float64], level: float) -> tuple[float, float]:
    low, high = np.quantile(means, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)


def bootstrap_interval(
    values: ArrayLike, clusters: Sequence[Any], draws: int = DRAWS, seed: int = SEED, level: float = LEVEL
) -> Interval:
    """Percentile bootstrap interval of the mean over clips, drawing whole source videos.

    Args:
        values: [N] finite numbers, one a clip; the caller leaves out (and counts) those that are not finite.
        clusters: [N] names of the source videos.
        draws: number of bootstrap samples.
        seed: the same values, in any order, and the same seed give the same bytes.
        level: coverage aimed at.

    Raises:
        BenchError: no value, a value that is not finite, or a different number of clusters.
    """
    sums, counts = _cluster_sums(np.asarray(values, np.float64), clusters)
    mean = float(sums.sum() / counts.sum())
    if len(sums) < 2:
        return Interval(mean, float("nan"), float("nan"), len(sums))
    return Interval(mean, *_ends(_resampled_means(sums, counts, draws, seed), level), len(sums))


def _sign_flip_p_value(sums: NDArray[np.float64], draws: int, seed: int) -> float:
    """Two-sided p value of the sum of `sums` under random signs: all signs where they are few, drawn ones otherwise.

    Equal sums count as at least as extreme; the observed signs are one of the drawn ones (Phipson and Smyth 2010), so
    that a p value is never 0. A tolerance of rounding keeps ties tied whatever the order of addition.

    `scipy.stats.permutation_test` gives the same where all signs are looked at, which a test checks, in 40 times the
    time (13 videos: 113 ms and not 2.7), and draws one permutation of two an observation where this draws a bit.
    """
    observed = abs(float(sums.sum())) - 1e-12 * float(np.abs(sums).sum())
    size = len(sums)
    if 2**size <= draws:
        patterns = (np.arange(2**size)[:, None] >> np.arange(size)) & 1
        return float(np.mean(np.abs((1.0 - 2.0 * patterns) @ sums) >= observed))
    rng = np.random.default_rng(seed)
    extreme = 0
    step = max(1, _CHUNK // size)
    for start in range(0, draws, step):
        signs = rng.integers(0, 2, size=(min(step, draws - start), size), dtype=np.int8)
        extreme += int(np.count_nonzero(np.abs((1.0 - 2.0 * signs) @ sums) >= observed))
    return (extreme + 1) / (draws + 1)


def paired_difference(
    a: ArrayLike, b: ArrayLike, clusters: Sequence[Any], draws: int = DRAWS, seed: int = SEED, level: float = LEVEL
) -> Difference:
    """Mean of a − b over the same clips, its bootstrap interval and the p value of a cluster sign-flip test.

    `a`, `b`: [N] finite numbers of the same N clips in the same order; `clusters`: [N] source videos. With k videos the
    smallest possible p value is 2 / 2^k, so fewer than six videos cannot reach 0.05.

    Raises `BenchError` as `bootstrap_interval` does, and where a and b differ in length.
    """
    first, second = np.asarray(a, np.float64), np.asarray(b, np.float64)
    if first.shape != second.shape:
        raise BenchError(
            f"Paired values come from the same clips: one row has {first.size} of them and the other {second.size}."
        )
    sums, counts = _cluster_sums(first - second, clusters)
    difference = float(sums.sum() / counts.sum())
    if len(sums) < 2:
        return Difference(difference, float("nan"), float("nan"), 1.0, len(sums))
    low, high = _ends(_resampled_means(sums, counts, draws, seed), level)
    return Difference(difference, low, high, _sign_flip_p_value(sums, draws, seed), len(sums))


def holm(p_values: ArrayLike) -> NDArray[np.float64]:
    """Holm's step-down correction of [M] p values: adjusted p values in the same order, at most 1."""
    values = np.asarray(p_values, np.float64)
    order = np.argsort(values)
    stepped = np.maximum.accumulate(values[order] * np.arange(len(values), 0, -1))
    corrected = np.empty_like(values)
    corrected[order] = np.minimum(stepped, 1.0)
    return corrected


@dataclass(frozen=True)
class OverSeeds:
    """Mean and sample standard deviation (N − 1) over training seeds; NaN deviation where there is one seed."""

    mean: float
    std: float
    seeds: int


def over_seeds(values: ArrayLike) -> OverSeeds:
    """Summarise one number a training seed; values that are not finite are the caller's to leave out."""
    numbers = np.sort(np.asarray(values, np.float64))  # sorted, so that the order of seeds changes no bit
    if not numbers.size:
        return OverSeeds(float("nan"), float("nan"), 0)
    std = float(np.std(numbers, ddof=1)) if numbers.size > 1 else float("nan")
    return OverSeeds(float(np.mean(numbers)), std, int(numbers.size))
