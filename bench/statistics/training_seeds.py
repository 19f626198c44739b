"""Intervals and tests for means that vary over source videos and training seeds, which are crossed.

The two-way cluster variance is V(video) + V(seed) − V(video × seed). The last term, of single cells (a seed on a
video), is contained in both others. This follows Cameron, Gelbach and Miller (Journal of Business and Economic
Statistics 2011), here by leaving one out.

With three seeds, their variance has two degrees of freedom; that of videos has many. No common number of degrees is
right for both, so tail probabilities are weighted by the shares of the variance (after Cochran and Cox, Experimental
Designs, 1957).

With one seed, nothing is known about other training runs, and the interval holds for these training runs only.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from bench.errors import BenchError
from bench.statistics.cluster_jackknife import (
    ALPHA,
    LEVEL,
    NAN,
    Clusters,
    Difference,
    Estimate,
    Floats,
    finite,
)
from bench.statistics.equivalence import Equivalence, within

#: Scope of a result, as written in files.
THESE_TRAININGS = "for these trainings"
OVER_TRAININGS = "over trainings"


def scope_in_words(scope: str) -> str:
    """The scope in readable form; files keep the words of earlier versions."""
    return scope.replace("trainings", "training runs")


@dataclass(frozen=True)
class SeedsInterval:
    """A mean and its interval over source videos and training seeds.

    Attributes:
        mean: mean over seeds and clips.
        low, high: ends of the interval; NaN if there is one video.
        clusters: number of source videos.
        seeds: number of training runs.
        scope: `THESE_TRAININGS` for a method that was trained once, else `OVER_TRAININGS`.
    """

    mean: float
    low: float
    high: float
    clusters: int
    seeds: int
    scope: str


@dataclass(frozen=True)
class SeedsDifference(Difference):
    """A difference of two methods over source videos and training seeds; `scope` as in `SeedsInterval`.

    Attributes:
        turned_by: the one source video without which p would be on the other side of `ALPHA`; empty if no single
            video has that weight, or if it was not requested.
    """

    scope: str = THESE_TRAININGS
    turned_by: str = ""


@dataclass(frozen=True)
class SeedsEquivalence(Equivalence):
    """Equivalence over source videos and training seeds; `scope` as in `SeedsInterval`."""

    scope: str = THESE_TRAININGS


@dataclass(frozen=True)
class _SeedMeans:
    """Video means of a method, [S, k], and the part of its variance that is due to seeds."""

    of_videos: Floats
    of_seeds: Floats
    by_seed: float
    by_cell: float

    @property
    def seeds(self) -> int:
        return len(self.of_seeds)


def _trainings(values: ArrayLike, clusters: Sequence[Any]) -> tuple[_SeedMeans, Clusters]:
    numbers = np.atleast_2d(finite(values))
    if numbers.ndim != 2:
        raise BenchError(f"Values of training runs have the shape [seeds, clips], not {numbers.shape}.")
    videos = Clusters.of(clusters, numbers.shape[1])
    of_videos = np.array([videos.sums(seed) / videos.sizes for seed in numbers])  # [S, k]
    of_videos = of_videos[np.lexsort(of_videos.T)]  # the order of seeds changes no bit
    of_seeds = of_videos @ videos.shares
    seeds, by_seed, by_cell = len(numbers), 0.0, 0.0
    if seeds > 1:
        by_seed = float(np.var(of_seeds, ddof=1)) / seeds
        cells = of_videos - of_seeds[:, None] - of_videos.mean(axis=0) + of_seeds.mean()
        by_cell = videos.variance(np.sqrt(np.sum(cells**2, axis=0) / (seeds * (seeds - 1))))
    return _SeedMeans(of_videos, of_seeds, by_seed, by_cell), videos


def _joined(value: float, by_video: float, sides: Sequence[_SeedMeans], freedom: float) -> Estimate:
    several = [side for side in sides if side.seeds > 1]
    by_seed = sum(side.by_seed for side in several)
    variance = by_video + by_seed - sum(side.by_cell for side in several)
    # the estimate can subtract too much; no part of the variance exceeds the whole
    variance = max(variance, by_video, by_seed) if np.isfinite(by_video) else by_video
    # the seeds of two methods are two separate samples (Welch 1947)
    squares = sum(side.by_seed**2 / (side.seeds - 1) for side in several)
    of_seeds = ((by_seed, by_seed**2 / squares),) if squares > 0 else ()
    return Estimate(value, variance, ((by_video, freedom), *of_seeds))


def _scope(*rows: ArrayLike) -> str:
    """`OVER_TRAININGS` if every method was trained more than once or not at all, else `THESE_TRAININGS`."""
    trained = all(np.ndim(values) == 1 or len(np.asarray(values)) > 1 for values in rows)
    return OVER_TRAININGS if trained else THESE_TRAININGS


def seeds_and_videos_interval(values: ArrayLike, clusters: Sequence[Any], level: float = LEVEL) -> SeedsInterval:
    """Interval of a method's mean over other videos and other training runs.

    Args:
        values: [S, N] finite numbers, one line per training seed; [N] for a method that is not trained.
        clusters: [N] names of the source videos.
        level: nominal coverage.

    Raises:
        BenchError: as `jackknife_interval` does.
    """
    row, videos = _trainings(values, clusters)
    away = row.of_videos.mean(axis=0) - row.of_seeds.mean()
    estimate = _joined(float(row.of_seeds.mean()), videos.variance(away), [row], videos.freedom)
    return SeedsInterval(estimate.value, *estimate.ends(level), videos.count, row.seeds, _scope(values))


def seeds_and_videos_difference(
    a: ArrayLike, b: ArrayLike, clusters: Sequence[Any], *, rows: int = 2, level: float = LEVEL
) -> SeedsDifference:
    """Mean of a − b over the same clips, over other videos and other training runs of both, by a t test.

    Args:
        a: [S, N] finite numbers, one line per training seed; [N] for a method that is not trained, such as a copy.
        b: [S, N] or [N], of the same clips. Seeds are not paired: the same number starts two different training runs.
        clusters: [N] names of the source videos.
        rows: number of methods from which these two were picked by their values (`Estimate.p_value`).
        level: nominal coverage.

    Values [1, N] are of a method that was trained once: the difference is then for these training runs only.

    Raises:
        BenchError: as `jackknife_interval` does, and if a and b are not of the same clips.
    """
    estimate, videos = _difference(a, b, clusters)
    p_value = estimate.p_value(rows=rows)
    return SeedsDifference(estimate.value, *estimate.ends(level), p_value, videos, scope=_scope(a, b))


def seeds_and_videos_against_best(
    row: ArrayLike, best: ArrayLike, clusters: Sequence[Any], *, rows: int = 2
) -> SeedsDifference:
    """`seeds_and_videos_difference` of a method and the best of `rows`, with the video that would turn the verdict."""
    test = seeds_and_videos_difference(row, best, clusters, rows=rows)
    if test.clusters < 2:
        return test
    names = np.asarray([str(cluster) for cluster in clusters])
    a, b = np.atleast_2d(np.asarray(row, np.float64)), np.atleast_2d(np.asarray(best, np.float64))
    sign = -1.0 if test.difference < 0 else 1.0
    away = sign * Clusters.of(clusters, len(names)).sums(a.mean(axis=0) - b.mean(axis=0))
    squares = np.sum(away**2) - away**2
    without = (away.sum() - away) / np.sqrt(np.where(squares > 0, squares, np.inf))
    different = test.p_value < ALPHA
    video = np.unique(names)[without.argmin() if different else without.argmax()]
    kept = names != video
    other = seeds_and_videos_difference(a[:, kept], b[:, kept], names[kept], rows=rows)
    still = other.p_value < ALPHA and sign * other.difference > 0
    return replace(test, turned_by=str(video)) if still != different else test


def seeds_and_videos_equivalence(
    a: ArrayLike, b: ArrayLike, clusters: Sequence[Any], margin: float, alpha: float = 0.05
) -> SeedsEquivalence:
    """Whether the mean of a − b is within ± `margin`, over the same variation as `seeds_and_videos_difference`.

    Raises:
        BenchError: as `equivalence` and `seeds_and_videos_difference` do.
    """
    estimate, videos = _difference(a, b, clusters)
    return SeedsEquivalence(**vars(within(estimate, margin, videos, alpha)), scope=_scope(a, b))


def _difference(a: ArrayLike, b: ArrayLike, clusters: Sequence[Any]) -> tuple[Estimate, int]:
    """Difference of the means of a and b, and the number of videos."""
    sides = [_trainings(values, clusters) for values in (a, b)]
    (first, videos), (second, _) = sides
    away = first.of_videos.mean(axis=0) - second.of_videos.mean(axis=0)
    value = float(first.of_seeds.mean() - second.of_seeds.mean())
    return _joined(value, videos.variance(away - value), [first, second], videos.freedom), videos.count


@dataclass(frozen=True)
class SeedsSummary:
    """Mean and sample standard deviation (N − 1) over training seeds; the deviation is NaN for one seed."""

    mean: float
    std: float
    seeds: int


def over_seeds(values: ArrayLike) -> SeedsSummary:
    """Summarise one number per training seed; the caller leaves out values that are not finite."""
    numbers: Floats = np.sort(np.asarray(values, np.float64))  # sorted, so that the order of seeds changes no bit
    if not numbers.size:
        return SeedsSummary(NAN, NAN, 0)
    std = float(np.std(numbers, ddof=1)) if numbers.size > 1 else NAN
    return SeedsSummary(float(np.mean(numbers)), std, int(numbers.size))
