"""Sums over source videos, and what a mean over clips varies by when whole videos are left out one at a time.

Clips of one video resemble each other, so the unit is the video (cluster) with all of its clips. The variance is the
delete-one jackknife's (for clusters: Cameron and Miller, Journal of Human Resources 2015, CR3), the interval Student's
with as many degrees of freedom as there are videos, less one. Where videos have different numbers of clips the number
of videos is Kish's effective one, n² / Σ nⱼ² (Survey Sampling 1965): the more one video weighs, the fewer there are.
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
#: Below which a p value is a verdict.
ALPHA = 0.05
SEED = 20_240_101
NAN = float("nan")
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Interval:
    """A mean and the ends of its interval; the ends are NaN where there are fewer than two clusters."""

    mean: float
    low: float
    high: float
    clusters: int


@dataclass(frozen=True)
class Difference:
    """Mean of a − b, the ends of its interval, and the two-sided p value of no difference.

    Attributes:
        smallest_p: below which no p value could have come out, whatever the values; 0 for a t test.
    """

    difference: float
    low: float
    high: float
    p_value: float
    clusters: int
    smallest_p: float = 0.0


@dataclass(frozen=True)
class Estimate:
    """A number and the parts of its variance, each known with so many degrees of freedom.

    Attributes:
        value: the number.
        variance: of it; NaN where nothing can be said.
        parts: (variance, degrees of freedom) of what it varies by: videos, or videos and training runs.
    """

    value: float
    variance: float
    parts: tuple[tuple[float, float], ...]

    def ends(self, level: float = LEVEL) -> tuple[float, float]:
        """Ends of the interval that a test at 1 − level does not reject; NaN where the variance is not known."""
        if not np.isfinite(self.variance):
            return NAN, NAN
        half = _quantile(self._weights(), 1 - level) * float(np.sqrt(self.variance))
        return self.value - half, self.value + half

    def p_value(self, null: float = 0.0, rows: int = 2) -> float:
        """Two-sided p value of `null`; 1 where the variance is not known.

        Args:
            null: the value under the hypothesis.
            rows: the number of rows of which the two were chosen by their values; more than two are corrected for by
                the studentized range (Tukey; Games and Howell 1976), so that the best may be picked first.
        """
        if not np.isfinite(self.variance):
            return 1.0
        away = abs(self.value - null)
        if self.variance == 0:
            return float(away == 0)
        return _tail(away / float(np.sqrt(self.variance)), self._weights(), rows)

    def one_sided_p_value(self, null: float) -> float:
        """p value of "the number is `null` or less"; 1 where the variance is not known."""
        p = self.p_value(null) / 2
        return p if self.value > null or not np.isfinite(self.variance) else 1 - p

    def _weights(self) -> list[tuple[float, float]]:
        total = sum(variance for variance, _ in self.parts)
        even = 1 / len(self.parts)
        return [(variance / total if total > 0 else even, freedom) for variance, freedom in self.parts]


def _tail(statistic: float, weights: list[tuple[float, float]], rows: int = 2) -> float:
    """Both tails of a mixture of t distributions, weighted by the share of variance known with those degrees."""
    if rows <= 2:
        return float(sum(weight * 2 * stdtr(freedom, -statistic) for weight, freedom in weights))
    from scipy.stats import studentized_range  # a second to import

    return float(sum(w * studentized_range.sf(statistic * np.sqrt(2), rows, freedom) for w, freedom in weights))


def _quantile(weights: list[tuple[float, float]], tail: float) -> float:
    """Where `_tail` is `tail`."""
    from scipy.optimize import brentq

    ends = [-float(stdtrit(freedom, tail / 2)) for _, freedom in weights]
    if len(ends) == 1:
        return ends[0]
    # a little wider, so that rounding cannot leave both ends on one side
    around = min(ends) * (1 - 1e-9), max(ends) * (1 + 1e-9)
    return float(brentq(lambda statistic: _tail(statistic, weights) - tail, *around, xtol=1e-12))


@dataclass(frozen=True)
class Clusters:
    """Which clip is of which source video; or which vote of which rater.

    Attributes:
        index: [N] number of each clip's video, by the order of the videos' names.
        sizes: [k] clips of each video.
    """

    index: NDArray[np.intp]
    sizes: Floats

    @classmethod
    def of(cls, clusters: Sequence[Any] | NDArray[Any], clips: int) -> Clusters:
        """Read the names of the videos of `clips` clips.

        Raises:
            BenchError: another number of names than clips, or no clip.
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
        """[k] share of the clips that each video has."""
        return np.asarray(self.sizes / self.sizes.sum(), np.float64)

    @property
    def freedom(self) -> float:
        """Kish's effective number of videos less one, at least 1; k − 1 where all have the same number of clips."""
        return max(1.0, 1.0 / float(np.sum(self.shares**2)) - 1.0)

    def sums(self, values: Floats) -> Floats:
        """Sum of the values [N] of each video, [k].

        Values are sorted within a video before they are added, so that row order cannot change a bit of the result.
        """
        order = np.lexsort((values, self.index))
        starts = np.concatenate([[0], np.cumsum(self.sizes[:-1])]).astype(np.intp)
        return np.asarray(np.add.reduceat(values[order], starts), np.float64)

    def variance(self, away: Floats) -> float:
        """Jackknife variance of a mean over clips whose video means lie `away` [k] from it; NaN for one video."""
        if self.count < 2:
            return NAN
        pull = self.shares / (1 - self.shares) * away  # what leaving a video out moves the mean by
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
    """Mean over clips with its jackknife variance; the videos, and the sum of the values of each."""
    numbers = finite(values)
    videos = Clusters.of(clusters, len(numbers))
    sums = videos.sums(numbers)
    mean = float(sums.sum() / videos.sizes.sum())
    variance = videos.variance(sums / videos.sizes - mean)
    return Estimate(mean, variance, ((variance, videos.freedom),)), videos, sums


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
