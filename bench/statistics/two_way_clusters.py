"""Uncertainty of votes that share raters and source videos, which are crossed.

The two-way cluster variance is V(rater) + V(video) − V(rater × video) (Cameron, Gelbach and Miller, Journal of Business
and Economic Statistics 2011, eq. 2.13). The last term, of cells (a rater on a video), is contained in both others. Each
term is computed by leaving one out. The variance is never less than that of single votes. `statsmodels` gives the same
with its own correction for few clusters and without the last condition; this code evaluates thousands of simulated
studies at once.

The interval of a share uses Wilson's method with the number of independent votes that would have that variance (Dean
and Pagano, Journal of Survey Statistics and Methodology 2015), and the quantile of t instead of the normal's.

Votes that all agree show no variance. They are worth no more than one vote per rater, or per video if there are fewer
videos: each is one toss of a coin, as in the sign test. With fewer than `FEW` raters or videos, the same holds if all
of them lean the same way, because so few cannot show how much they differ.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import t

from bench.statistics.cluster_jackknife import Clusters

LEVEL = 0.95
#: With fewer raters (or videos) than this, no variance over them is trusted.
FEW = 5
Floats = NDArray[np.float64]
Names = Sequence[Any] | NDArray[Any]


@dataclass(frozen=True)
class Crossing:
    """Votes by rater and by source video.

    Attributes:
        raters, videos: assignment of votes to raters, and to videos.
        cells: assignment of votes to cells, of one rater on one video.
    """

    raters: Clusters
    videos: Clusters
    cells: Clusters

    @classmethod
    def of(cls, raters: Names, videos: Names) -> Crossing:
        """Read the names of each vote's rater and video; raises `BenchError` if there is no vote."""
        one, other = Clusters.of(raters, len(raters)), Clusters.of(videos, len(raters))
        return cls(one, other, Clusters.of(one.index * other.count + other.index, len(raters)))

    @property
    def known(self) -> bool:
        """Whether there are at least two raters and two videos."""
        return min(self.raters.count, self.videos.count) >= 2

    @property
    def freedom(self) -> float:
        """Degrees of freedom: of raters or of videos, whichever are fewer."""
        return min(self.raters.freedom, self.videos.freedom)

    def variance(self, away: Floats) -> Floats:
        """Variance [...] of means of votes; the votes are `away` [..., N] from the means; NaN if it is not `known`."""
        single = np.sum(away**2, axis=-1) / away.shape[-1] ** 2
        if not self.known:
            return np.full_like(single, np.nan)
        return np.asarray(np.maximum(self._two_way(away), single), np.float64)

    def variance_of_difference(self, away: Floats) -> Floats:
        """Variance of a difference to which each vote adds its `away`.

        What a rater or a video gives both sides cancels, so the lower limit is the variance of cells, not of single
        votes.
        """
        return np.asarray(np.maximum(self._two_way(away), _left_out(away, self.cells)), np.float64)

    def _two_way(self, away: Floats) -> Floats:
        over = [_left_out(away, clusters) for clusters in (self.raters, self.videos, self.cells)]
        return np.asarray(over[0] + over[1] - over[2], np.float64)

    def tosses(self, wins: Floats) -> Floats:
        """[...] maximum number of coin tosses that the votes `wins` [..., N] are worth; infinite if there is no limit.

        It is the number of raters, or of videos, if all votes agree; with fewer than `FEW`, if their majorities agree.
        """
        most = np.full(wins.shape[:-1], np.inf)
        unanimous = np.all(wins == wins[..., :1], axis=-1)
        for clusters in (self.raters, self.videos):
            alike = unanimous
            if clusters.count < FEW:
                lean = np.sign(_sums(wins - 0.5, clusters))
                alike = unanimous | (np.all(lean == lean[..., :1], axis=-1) & (lean[..., 0] != 0))
            most = np.where(alike, np.minimum(most, clusters.count), most)
        return most


def _sums(values: Floats, clusters: Clusters) -> Floats:
    """Sums [..., k] of `values` [..., N] over each cluster."""
    order = np.argsort(clusters.index, kind="stable")
    starts = np.concatenate([[0], np.cumsum(clusters.sizes[:-1])]).astype(np.intp)
    return np.asarray(np.add.reduceat(values[..., order], starts, axis=-1), np.float64)


def _left_out(away: Floats, clusters: Clusters) -> Floats:
    """Jackknife variance [...] of the mean of `away` [..., N], leaving out one cluster at a time."""
    votes, count = away.shape[-1], clusters.count
    pull = _sums(away, clusters) / (votes - clusters.sizes)
    return np.asarray((count - 1) / count * np.sum(pull**2, axis=-1), np.float64)


@dataclass(frozen=True)
class Shares:
    """Shares [...] of votes, with ends of their intervals and two-sided p values of one half.

    One rater or one video is not enough for inference: the interval is then [0, 1], and the p value 1.

    Attributes:
        effective: [...] number of independent votes that would have that variance; 0 if inference is not possible.
        tosses: [...] as in `Crossing.tosses`.
        freedom: degrees of freedom of the interval's t.
    """

    share: Floats
    low: Floats
    high: Floats
    p_value: Floats
    effective: Floats
    tosses: Floats
    freedom: float

    def above(self, null: float) -> Floats:
        """One-sided p values [...] of "the true share is `null` or less", by the score test that the interval inverts.

        Args:
            null: between 0 and 1, both excluded.
        """
        statistic = (self.share - null) * np.sqrt(self.effective / (null * (1 - null)))
        p_value = np.where(self.effective > 0, t.sf(statistic, self.freedom), 1.0)
        # the probability that all tosses agree is at least this
        return np.asarray(np.maximum(p_value, np.where(np.isfinite(self.tosses), null**self.tosses, 0.0)), np.float64)

    def below(self, null: float) -> Floats:
        """One-sided p values [...] of "the true share is `null` or more"."""
        other = Shares(
            1 - self.share, 1 - self.high, 1 - self.low, self.p_value, self.effective, self.tosses, self.freedom
        )
        return other.above(1 - null)


def shares(wins: Floats, crossing: Crossing, level: float = LEVEL) -> Shares:
    """Share of wins [..., N] (0 or 1), over raters and videos.

    p < 1 − level is equivalent to an interval that excludes one half. If votes are worth at most n tosses of a coin, p
    is at least 2 / 2ⁿ, and the interval reaches at least as far as that of n tosses that all agree (Clopper and
    Pearson, Biometrika 1934).
    """
    share, votes = wins.mean(axis=-1), wins.shape[-1]
    single = share * (1 - share) / votes
    if not crossing.known:
        nothing, everything = np.zeros_like(share), np.ones_like(share)
        return Shares(share, nothing, everything, everything, nothing, np.full_like(share, np.inf), 1.0)
    variance = crossing.variance(wins - share[..., None])
    effect = np.divide(variance, single, out=np.ones_like(share), where=single > 0)
    effective = votes / effect
    statistic = 2 * np.sqrt(effective) * np.abs(share - 0.5)
    squared = t.isf((1 - level) / 2, crossing.freedom) ** 2 / effective
    centre = (share + squared / 2) / (1 + squared)
    half = np.sqrt(squared * (share * (1 - share) + squared / 4)) / (1 + squared)
    # Such an interval contains its share, but only just at 0 and at 1: rounding must not exclude it.
    low, high = np.clip(np.minimum(centre - half, share), 0.0, 1.0), np.clip(np.maximum(centre + half, share), 0.0, 1.0)
    p_value = np.minimum(1.0, 2 * t.sf(statistic, crossing.freedom))
    tosses = crossing.tosses(wins)
    limited = np.isfinite(tosses)
    end = np.where(limited, ((1 - level) / 2) ** (1 / np.where(limited, tosses, 1.0)), 1.0)
    low = np.where(limited & (share > 0.5), np.minimum(low, end), low)
    high = np.where(limited & (share < 0.5), np.maximum(high, 1 - end), high)
    p_value = np.maximum(p_value, np.where(limited, 2 * 0.5**tosses, 0.0))
    return Shares(share, low, high, p_value, effective, tosses, crossing.freedom)
