"""Sums over source videos, and the delete-one-cluster jackknife variance of a mean over clips.

Clips of one video resemble each other, so the unit is the video (cluster) with all of its clips. The variance is that
of the delete-one jackknife (for clusters: Cameron and Miller, Journal of Human Resources 2015, CR3). The interval is
Student's t; its degrees of freedom are the number of videos − 1. If videos have different numbers of clips, Kish's
effective number of videos is used, n² / Σ nⱼ² (Survey Sampling 1965): the more one video weighs, the smaller it is.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import stdtr, stdtrit

from bench.errors import BenchError

LEVEL = 0.95
#: A p value below this is a verdict.
ALPHA = 0.05
SEED = 20_240_101
NAN = float("nan")
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Interval:
    """A mean and the ends of its interval; the ends are NaN for fewer than two clusters."""

    mean: float
    low: float
    high: float
    clusters: int


@dataclass(frozen=True)
class Difference:
    """Mean of a − b, the ends of its interval, and the two-sided p value of no difference.

    Attributes:
        smallest_p: the smallest p value possible, whatever the values; 0 for a t test.
    """

    difference: float
    low: float
    high: float
    p_value: float
    clusters: int
    smallest_p: float = 0.0


@dataclass(frozen=True)
class Estimate:
    """A number and the parts of its variance, each with its degrees of freedom.

    Attributes:
        value: the number.
        variance: its variance; NaN if it is not known.
        parts: (variance, degrees of freedom) for each source of variation: videos, or videos and training runs.
    """

    value: float
    variance: float
    parts: tuple[tuple[float, float], ...]

    def ends(self, level: float = LEVEL) -> tuple[float, float]:
        """Ends of the interval that a test at 1 − level does not reject; NaN if the variance is not known."""
        if not np.isfinite(self.variance):
            return NAN, NAN
        half = _quantile(self._weights(), 1 - level) * float(np.sqrt(self.variance))
        return self.value - half, self.value + half

    def p_value(self, null: float = 0.0, rows: int = 2) -> float:
        """Two-sided p value of `null`; 1 if the variance is not known.

        Args:
            null: the value under the hypothesis.
            rows: number of methods from which the two were chosen by their values. More than two are corrected for by
                the studentized range (Tukey; Games and Howell 1976), so that the best may be picked first.
        """
        if not np.isfinite(self.variance):
            return 1.0
        away = abs(self.value - null)
        if self.variance == 0:
            return float(away == 0)
        return _tail(away / float(np.sqrt(self.variance)), self._weights(), rows)

    def one_sided_p_value(self, null: float) -> float:
        """p value of "the number is `null` or less"; 1 if the variance is not known."""
        p = self.p_value(null) / 2
        return p if self.value > null or not np.isfinite(self.variance) else 1 - p

    def _weights(self) -> list[tuple[float, float]]:
        total = sum(variance for variance, _ in self.parts)
        even = 1 / len(self.parts)
        return [(variance / total if total > 0 else even, freedom) for variance, freedom in self.parts]


def _tail(statistic: float, weights: list[tuple[float, float]], rows: int = 2) -> float:
    """Both tails of a mixture of t distributions, weighted by the share of variance with those degrees of freedom."""
    if rows <= 2:
        return float(sum(weight * 2 * stdtr(freedom, -statistic) for weight, freedom in weights))
    from scipy.stats import studentized_range  # takes a second to import

    return float(sum(w * studentized_range.sf(statistic * np.sqrt(2), rows, freedom) for w, freedom in weights))


def _quantile(weights: list[tuple[float, float]], tail: float) -> float:
    """The statistic at which `_tail` is `tail`."""
    from scipy.optimize import brentq

    ends = [-float(stdtrit(freedom, tail / 2)) for _, freedom in weights]
    if len(ends) == 1:
        return ends[0]
    # slightly wider, so that rounding cannot leave both ends on one side
    around = min(ends) * (1 - 1e-9), max(ends) * (1 + 1e-9)
    return float(brentq(lambda statistic: _tail(statistic, weights) - tail, *around, xtol=1e-12))


@dataclass(frozen=True)
class Clusters:
    """Assignment of clips to source videos, or of votes to raters.

    Attributes:
        index: [N] number of each clip's video, in the order of the videos' names.
        sizes: [k] number of clips of each video.
    """

    index: NDArray[np.intp]
    sizes: Floats

    @classmethod
    def of(cls, clusters: Sequence[Any] | NDArray[Any], clips: int) -> Clusters:
        """Read the names of the source videos of `clips` clips.

        Raises:
            BenchError: the numbers of names and clips differ, or there is no clip.
        """
        names = np.asarray([str(cluster) for cluster in clusters])
        if len(names) != clips:
            raise BenchError(f"Every value needs its source video: there are {clips} values and {len(names)} videos.")
        if not clips:
            raise BenchError("An interval needs at least one value.")
        _, index, counts = np.unique(names, return_inverse=True, return_counts=True)
        return cls(index, counts.astype(np.float64))

    @property
    def count(self) -> int:
        """Number of videos."""
        return len(self.sizes)

    @property
    def shares(self) -> Floats:
        """[k] share of all clips that belong to each video."""
        return np.asarray(self.sizes / self.sizes.sum(), np.float64)

    @property
    def freedom(self) -> float:
        """Kish's effective number of videos minus one, at least 1; k − 1 if all have the same number of clips."""
        return max(1.0, 1.0 / float(np.sum(self.shares**2)) - 1.0)

    def sums(self, values: Floats) -> Floats:
        """Sum of the values [N] of each video, [k].

        Values are sorted within a video before they are added, so that their order cannot change a bit of the result.
        """
        order = np.lexsort((values, self.index))
        starts = np.concatenate([[0], np.cumsum(self.sizes[:-1])]).astype(np.intp)
        return np.asarray(np.add.reduceat(values[order], starts), np.float64)

    def variance(self, away: Floats) -> float:
        """Jackknife variance of a mean over clips; video means differ from it by `away` [k]; NaN for one video."""
        if self.count < 2:
            return NAN
        pull = self.shares / (1 - self.shares) * away  # how far leaving a video out moves the mean
        return float((self.count - 1) / self.count * np.sum(pull**2))


def finite(values: ArrayLike) -> Floats:
    """The values as float64.

    Raises:
        BenchError: one of them is infinite or missing.
    """
    numbers = np.asarray(values, np.float64)
    if not np.isfinite(numbers).all():
        raise BenchError("An interval needs finite values; leave infinite and missing ones out and count them.")
    return numbers


def mean_over_clips(values: ArrayLike, clusters: Sequence[Any]) -> tuple[Estimate, Clusters, Floats]:
    """Mean over clips with its jackknife variance, the videos, and the sum of the values of each video."""
    numbers = finite(values)
    videos = Clusters.of(clusters, len(numbers))
    sums = videos.sums(numbers)
    mean = float(sums.sum() / videos.sizes.sum())
    variance = videos.variance(sums / videos.sizes - mean)
    return Estimate(mean, variance, ((variance, videos.freedom),)), videos, sums


def jackknife_interval(values: ArrayLike, clusters: Sequence[Any], level: float = LEVEL) -> Interval:
    """Interval of the mean over clips, from leaving out one source video at a time; none with a single video.

    Args:
        values: [N] finite numbers, one per clip; the caller leaves out (and counts) those that are not finite.
        clusters: [N] names of the source videos.
        level: nominal coverage.

    Raises:
        BenchError: no value, a value that is not finite, or a different number of clusters.
    """
    estimate, videos, _ = mean_over_clips(values, clusters)
    return Interval(estimate.value, *estimate.ends(level), videos.count)
