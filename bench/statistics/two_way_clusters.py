"""How sure votes are that share raters and source videos, which are crossed.

The variance is that over raters, plus that over videos, less that over cells (a rater on a video), which both contain:
two-way clusters (Cameron, Gelbach and Miller, Journal of Business and Economic Statistics 2011, eq. 2.13), each by
leaving one out, and never less than single votes would have. `statsmodels` gives the same with its own correction for
few clusters and without the last condition; here thousands of simulated studies are reckoned at once.

A share becomes an interval by Wilson's method with as many votes as independent ones would have that variance (Dean and
Pagano, Journal of Survey Statistics and Methodology 2015), and t instead of the normal's quantile.
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
Floats = NDArray[np.float64]
Names = Sequence[Any] | NDArray[Any]


@dataclass(frozen=True)
class Crossing:
    """Votes by rater and by source video.

    Attributes:
        raters, videos: which vote is whose, and of which video.
        cells: votes of one rater on one video.
    """

    raters: Clusters
    videos: Clusters
    cells: Clusters

    @classmethod
    def of(cls, raters: Names, videos: Names) -> Crossing:
        """Read the names of each vote's rater and video; a `BenchError` where there is no vote."""
        one, other = Clusters.of(raters, len(raters)), Clusters.of(videos, len(raters))
        return cls(one, other, Clusters.of(one.index * other.count + other.index, len(raters)))

    @property
    def known(self) -> bool:
        """Whether there are two raters and two videos at least."""
        return min(self.raters.count, self.videos.count) >= 2

    @property
    def freedom(self) -> float:
        """Degrees of freedom: of raters or of videos, whichever are fewer."""
        return min(self.raters.freedom, self.videos.freedom)

    def variance(self, away: Floats) -> Floats:
        """Variance of means of votes that lie `away` [..., N] from them, [...]; NaN where it is not `known`."""
        single = np.sum(away**2, axis=-1) / away.shape[-1] ** 2
        if not self.known:
            return np.full_like(single, np.nan)
        return np.asarray(np.maximum(self._two_way(away), single), np.float64)

    def variance_of_difference(self, away: Floats) -> Floats:
        """The same of a difference to which each of `away` adds so much.

        What a rater or a video gives both sides cancels, so it is never less than that of cells and not of single ones.
        """
        return np.asarray(np.maximum(self._two_way(away), _left_out(away, self.cells)), np.float64)

    def _two_way(self, away: Floats) -> Floats:
        over = [_left_out(away, clusters) for clusters in (self.raters, self.videos, self.cells)]
        return np.asarray(over[0] + over[1] - over[2], np.float64)


def _left_out(away: Floats, clusters: Clusters) -> Floats:
    """Jackknife variance [...] of the mean of `away` [..., N], leaving out one cluster at a time."""
    votes, count = away.shape[-1], clusters.count
    order = np.argsort(clusters.index, kind="stable")
    starts = np.concatenate([[0], np.cumsum(clusters.sizes[:-1])]).astype(np.intp)
    sums = np.add.reduceat(away[..., order], starts, axis=-1)
    pull = sums / (votes - clusters.sizes)
    return np.asarray((count - 1) / count * np.sum(pull**2, axis=-1), np.float64)


@dataclass(frozen=True)
class Shares:
    """Shares [...] of votes, with ends of their intervals and two-sided p values of one half.

    With one rater or one video nothing can be said: the interval is everything, the p value 1.
    """

    share: Floats
    low: Floats
    high: Floats
    p_value: Floats


def shares(wins: Floats, crossing: Crossing, level: float = LEVEL) -> Shares:
    """Share of wins [..., N] (0 or 1), over raters and videos.

    p < 1 − level says the same as an interval that leaves out one half.
    """
    share, votes = wins.mean(axis=-1), wins.shape[-1]
    single = share * (1 - share) / votes
    if not crossing.known:
        return Shares(share, np.zeros_like(share), np.ones_like(share), np.ones_like(share))
    variance = crossing.variance(wins - share[..., None])
    # votes that all agree cannot show that they are alike: they count as they are
    effect = np.divide(variance, single, out=np.ones_like(share), where=single > 0)
    effective = votes / effect
    statistic = 2 * np.sqrt(effective) * np.abs(share - 0.5)
    squared = t.isf((1 - level) / 2, crossing.freedom) ** 2 / effective
    centre = (share + squared / 2) / (1 + squared)
    half = np.sqrt(squared * (share * (1 - share) + squared / 4)) / (1 + squared)
    # Such an interval holds its share, at 0 and at 1 only just: rounding must not leave it out.
    low, high = np.clip(np.minimum(centre - half, share), 0.0, 1.0), np.clip(np.maximum(centre + half, share), 0.0, 1.0)
    return Shares(share, low, high, np.minimum(1.0, 2 * t.sf(statistic, crossing.freedom)))
