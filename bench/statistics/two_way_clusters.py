"""How sure votes are that share raters and source videos, which are crossed.

The variance is that over raters, plus that over videos, less that over cells (a rater on a video), which both contain:
two-way clusters (Cameron, Gelbach and Miller, Journal of Business and Economic Statistics 2011, eq. 2.13), each by
leaving one out, and never less than single votes would have. `statsmodels` gives the same with its own correction for
few clusters and without the last condition; here thousands of simulated studies are reckoned at once.

A share becomes an interval by Wilson's method with as many votes as independent ones would have that variance (Dean and
Pagano, Journal of Survey Statistics and Methodology 2015), and t instead of the normal's quantile.

Votes that all agree show no variance. They say no more than as many votes as there are raters, or videos where those
are fewer: each is one toss of a coin, as in the sign test. Below `FEW` raters or videos the same holds where all of
them lean the same way, since so few cannot show by how much they differ.
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

    def tosses(self, wins: Floats) -> Floats:
        """[...] tosses of a coin that the votes `wins` [..., N] are worth at most; infinite where there is no limit.

        That is the number of raters, or of videos, whose votes all agree; of fewer than `FEW`, whose majorities do.
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

    With one rater or one video nothing can be said: the interval is everything, the p value 1.

    Attributes:
        effective: [...] independent votes that would have that variance; 0 where nothing can be said.
        tosses: [...] as `Crossing.tosses`.
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
        # what all tosses agree on happens with this probability at least
        return np.asarray(np.maximum(p_value, np.where(np.isfinite(self.tosses), null**self.tosses, 0.0)), np.float64)

    def below(self, null: float) -> Floats:
        """The same of "the true share is `null` or more"."""
        other = Shares(
            1 - self.share, 1 - self.high, 1 - self.low, self.p_value, self.effective, self.tosses, self.freedom
        )
        return other.above(1 - null)


def shares(wins: Floats, crossing: Crossing, level: float = LEVEL) -> Shares:
    """Share of wins [..., N] (0 or 1), over raters and videos.

    p < 1 − level says the same as an interval that leaves out one half. Where votes are worth n tosses of a coin at
    most, p is 2 / 2ⁿ or more, and the interval reaches at least as far as that of n tosses that all agree (Clopper and
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
    # Such an interval holds its share, at 0 and at 1 only just: rounding must not leave it out.
    low, high = np.clip(np.minimum(centre - half, share), 0.0, 1.0), np.clip(np.maximum(centre + half, share), 0.0, 1.0)
    p_value = np.minimum(1.0, 2 * t.sf(statistic, crossing.freedom))
    tosses = crossing.tosses(wins)
    limited = np.isfinite(tosses)
    end = np.where(limited, ((1 - level) / 2) ** (1 / np.where(limited, tosses, 1.0)), 1.0)
    low = np.where(limited & (share > 0.5), np.minimum(low, end), low)
    high = np.where(limited & (share < 0.5), np.maximum(high, 1 - end), high)
    p_value = np.maximum(p_value, np.where(limited, 2 * 0.5**tosses, 0.0))
    return Shares(share, low, high, p_value, effective, tosses, crossing.freedom)
