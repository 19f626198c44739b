"""Agreement of a metric with people on clips: the area under the ROC curve within comparisons.

Each pair consists of a vote for the first method and a vote for the second method, both of one comparison. The area is
the share of pairs in which the metric favours the first method more strongly on the clip where people chose it. Ties
count half. A metric that separates only the methods and not the clips gives 0.5, and so does pure noise.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.special import expit, logit
from scipy.stats import rankdata, t

from bench.statistics.cluster_jackknife import Clusters
from bench.statistics.sign_flip import sign_flip_p_value
from bench.statistics.two_way_clusters import LEVEL, Crossing

NAN = float("nan")
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Within:
    """Area under the curve within comparisons, its interval, and p value against 0.5; NaN without any pair."""

    auc: float = NAN
    low: float = NAN
    high: float = NAN
    p_value: float = NAN


@dataclass(frozen=True)
class _Pairs:
    """Pairs of a vote for the first method and a vote for the second method of one comparison.

    Attributes:
        one, other: [n₁], [n₀] indices of the votes.
        twice: [n₁, n₀] 2 if the metric agrees with the pair, 1 for a tie, else 0; bytes, because there are many pairs.
    """

    one: NDArray[np.intp]
    other: NDArray[np.intp]
    twice: NDArray[np.uint8]

    @property
    def right(self) -> Floats:
        """[n₁, n₀] 1 if the metric agrees with the pair, 0.5 for a tie, else 0."""
        return self.twice / 2.0

    def of_votes(self, votes: int, what: Floats) -> Floats:
        """[votes] sum of `what` [n₁, n₀] over the pairs that contain each vote."""
        sums = np.zeros(votes)
        sums[self.one], sums[self.other] = what.sum(axis=1), what.sum(axis=0)
        return sums

    def inside(self, clusters: Clusters, what: Floats) -> Floats:
        """[clusters] sum of `what` over the pairs whose votes are both in the cluster."""
        first, second = clusters.index[self.one], clusters.index[self.other]
        same = first[:, None] == second[None, :]
        owner = np.broadcast_to(first[:, None], what.shape)
        return np.bincount(owner[same], what[same], minlength=clusters.count).astype(np.float64)


def within(better: Floats, first: NDArray[np.bool_], votes: pd.DataFrame) -> Within:
    """Area under the curve over pairs of votes within the same comparison.

    Args:
        better: [N] how much better the metric rates the first method's clip than the second's; only the order matters.
        first: [N] whether the first method was chosen.
        votes: N rows with comparison, rater and video.

    The interval is over raters and source videos, by a delete-one-cluster jackknife. The p value is for ranks and votes
    that are unrelated, by a cluster sign-flip test over videos. With k videos, it is never below 2 / 2^k.
    """
    count, association, pairs = len(better), np.zeros(len(better)), []
    for places in votes.reset_index(drop=True).groupby("comparison", sort=False).groups.values():
        of = np.asarray(places, np.intp)
        one, other = of[first[of]], of[~first[of]]
        if not len(one) or not len(other):
            continue
        x, y = better[one][:, None], better[other][None, :]
        pairs.append(_Pairs(one, other, 2 * (x > y).astype(np.uint8) + (x == y)))
        ranks = rankdata(better[of])
        association[of] = (ranks - ranks.mean()) * (first[of] - first[of].mean())
    if not pairs:
        return Within()
    all_pairs, agreeing = (sum(float(what(pair).sum()) for pair in pairs) for what in (_every, _right))
    auc = agreeing / all_pairs
    crossing = Crossing.of(list(votes["rater"]), list(votes["video"]))
    sums = crossing.videos.sums(association)
    # ranks and votes are centred on means to which each video contributes
    p_value = sign_flip_p_value(sums, shrink=float(np.sqrt(1 - 1 / crossing.videos.count)))
    if not (crossing.known and 0 < auc < 1):
        return Within(auc, 0.0, 1.0, p_value)

    def moved(clusters: Clusters) -> float:
        """Jackknife variance from leaving out one cluster at a time."""
        left = [_without(pairs, clusters, count, what) for what in (_right, _every)]
        pull = np.divide(left[0], left[1], out=np.full(clusters.count, auc), where=left[1] > 0) - auc
        return float((clusters.count - 1) / clusters.count * np.sum(pull**2))

    single = (
        sum(float(np.sum(pair.of_votes(count, pair.right - pair.right.mean()) ** 2)) for pair in pairs) / all_pairs**2
    )
    variance = max(moved(crossing.raters) + moved(crossing.videos) - moved(crossing.cells), single)
    half = float(t.isf((1 - LEVEL) / 2, crossing.freedom)) * float(np.sqrt(variance)) / (auc * (1 - auc))
    return Within(auc, float(expit(logit(auc) - half)), float(expit(logit(auc) + half)), p_value)


def _right(pair: _Pairs) -> Floats:
    return pair.right


def _every(pair: _Pairs) -> Floats:
    return np.ones(pair.twice.shape)


def _without(pairs: list[_Pairs], clusters: Clusters, votes: int, what: Callable[[_Pairs], Floats]) -> Floats:
    """[clusters] sum over the pairs that have no vote in the cluster."""
    sums = np.full(clusters.count, sum(float(what(pair).sum()) for pair in pairs))
    for pair in pairs:
        touched = np.bincount(clusters.index, pair.of_votes(votes, what(pair)), minlength=clusters.count)
        sums -= touched - pair.inside(clusters, what(pair))
    return sums
