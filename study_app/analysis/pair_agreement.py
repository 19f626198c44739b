"""Agreement of raters on the same pair: Krippendorff's alpha and the best possible prediction, with intervals.

Observed disagreement is counted within pairs, and disagreement by chance within comparisons (Krippendorff, Content
Analysis 2004). Intervals are over raters and source videos, by a delete-one jackknife as in `two_way_clusters`. If
leaving out a vote would leave a single vote on its pair, both are left out.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.stats import t

from bench.statistics.cluster_jackknife import Clusters
from bench.statistics.two_way_clusters import LEVEL, Crossing

NAN = float("nan")
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Estimate:
    """A number with the ends of its 95 % interval; NaN if the votes do not determine it."""

    value: float = NAN
    low: float = NAN
    high: float = NAN


@dataclass(frozen=True)
class Sums:
    """[G] sums over pairs with at least two votes: disagreement, votes, and expected disagreement by chance."""

    disagreement: Floats
    votes: Floats
    by_chance: Floats

    @property
    def agreement(self) -> Floats:
        """[G] share of pairs of votes on the same pair that agree, weighted by the votes of the pair."""
        return 1 - np.divide(self.disagreement, self.votes, out=np.full_like(self.votes, NAN), where=self.votes > 0)

    @property
    def alpha(self) -> Floats:
        """[G] Krippendorff's alpha (nominal); NaN if all votes of each comparison are the same."""
        some = self.by_chance > 1e-9
        return 1 - np.divide(self.disagreement, self.by_chance, out=np.full_like(self.votes, NAN), where=some)


@dataclass(frozen=True)
class _Lost:
    """[N] reduction of the sums if each vote is left out: disagreement, votes for the first and for the second."""

    disagreement: Floats
    first: Floats
    second: Floats


@dataclass(frozen=True)
class PairedVotes:
    """Votes on pairs that at least two raters judged.

    Attributes:
        comparison: [N] index of each vote's comparison.
        pairs: votes clustered by pair.
        first: [N] 1 if the first method was chosen, else 0.
        crossing: votes by rater and source video.
    """

    comparison: NDArray[np.intp]
    pairs: Clusters
    first: Floats
    crossing: Crossing

    @classmethod
    def of(cls, votes: pd.DataFrame) -> PairedVotes | None:
        """Select paired votes from decided votes (comparison, clip, rater, video, first, chosen); None without any."""
        by_pair = votes.groupby(["comparison", "clip"], sort=False)
        paired = votes[by_pair["rater"].transform("size") >= 2]
        if not len(paired):
            return None
        pair = paired.groupby(["comparison", "clip"], sort=False).ngroup().to_numpy()
        comparison = paired.groupby("comparison", sort=False).ngroup().to_numpy()
        first = np.asarray(paired["chosen"] == paired["first"], np.float64)
        crossing = Crossing.of(list(paired["rater"]), list(paired["video"]))
        return cls(np.asarray(comparison, np.intp), Clusters.of(pair, len(pair)), first, crossing)

    @property
    def count(self) -> int:
        """Number of pairs."""
        return self.pairs.count

    def agreement(self) -> Estimate:
        """Share of pairs of votes on the same pair that agree, with its interval."""
        left = [self._sums(*parts).agreement for parts in self._parts()]
        return self._interval(float(self._all().agreement[0]), left)

    def alpha(self) -> Estimate:
        """Krippendorff's alpha over the comparisons, with its interval."""
        left = [self._sums(*parts).alpha for parts in self._parts()]
        return self._interval(float(self._all().alpha[0]), left)

    def _parts(self) -> list[tuple[Clusters, _Lost]]:
        """Clusters by rater, video, cell and pair, each with the reduction of the sums per vote."""
        of, alone, whole = self.crossing, self._alone(), self._whole()
        return [(of.raters, alone), (of.videos, whole), (of.cells, alone), (self.pairs, whole)]

    def _interval(self, value: float, left: list[Floats]) -> Estimate:
        """Estimate with a t interval, from the values without each rater, video, cell and pair."""
        if not (self.crossing.known and self.count > 1 and all(np.isfinite(one).all() for one in left)):
            return Estimate(value)
        raters, videos, cells, pairs = (float((len(one) - 1) / len(one) * np.sum((one - value) ** 2)) for one in left)
        # never less than the variance of independent pairs
        variance = max(raters + videos - cells, pairs)
        half = float(t.isf((1 - LEVEL) / 2, self.crossing.freedom)) * float(np.sqrt(variance))
        return Estimate(value, value - half, min(1.0, value + half))

    def _counts(self) -> tuple[Floats, Floats]:
        """[N] votes for the first and for the second on each vote's pair."""
        index = self.pairs.index
        won = np.asarray(np.bincount(index, self.first)[index], np.float64)
        return won, np.asarray(self.pairs.sizes[index] - won, np.float64)

    def _whole(self) -> _Lost:
        """Reduction per vote if all votes of a pair are left out together."""
        won, lost = self._counts()
        return _Lost(_disagreement(won, lost) / (won + lost), self.first, 1 - self.first)

    def _alone(self) -> _Lost:
        """Reduction if one vote of a pair is left out, or both votes of a pair with two."""
        won, lost = self._counts()
        two = won + lost == 2
        still = _disagreement(won - self.first, lost - (1 - self.first))
        gone = _disagreement(won, lost) - np.where(two, 0.0, still)
        return _Lost(gone, np.where(two, won, self.first), np.where(two, lost, 1 - self.first))

    def _all(self) -> Sums:
        """Sums over all votes, G = 1."""
        nothing = Clusters.of(np.zeros(len(self.first)), len(self.first))
        return self._sums(nothing, _Lost(*np.zeros((3, len(self.first)))))

    def _sums(self, clusters: Clusters, lost: _Lost) -> Sums:
        """Sums without each cluster in turn, G = number of clusters."""
        comparisons = int(self.comparison.max()) + 1
        won = np.bincount(self.comparison, self.first)
        totals = np.column_stack([won, np.bincount(self.comparison) - won])
        # a cluster has votes in few comparisons, so only combinations that occur are added up
        met, place = np.unique(clusters.index * comparisons + self.comparison, return_inverse=True)
        taken = np.column_stack([np.bincount(place, part) for part in (lost.first, lost.second)])
        owner, of = met // comparisons, totals[met % comparisons]

        def over(what: Floats) -> Floats:
            return np.asarray(np.bincount(owner, what, minlength=clusters.count), np.float64)

        disagreement = float(np.sum(self._whole().disagreement))
        return Sums(
            disagreement - np.bincount(clusters.index, lost.disagreement, minlength=clusters.count).astype(np.float64),
            len(self.first) - over(taken.sum(axis=1)),
            _by_chance(totals).sum() - over(_by_chance(of) - _by_chance(of - taken)),
        )


def _disagreement(won: Floats, lost: Floats) -> Floats:
    """Disagreement of a pair with `won` and `lost` votes: their number times the share of vote pairs that disagree."""
    return 2 * won * lost / np.maximum(won + lost - 1, 1)


def _by_chance(totals: Floats) -> Floats:
    """[C] expected disagreement of comparisons if their votes [C, 2] were assigned to pairs at random."""
    return _disagreement(totals[:, 0], totals[:, 1])


@dataclass(frozen=True)
class Predictable:
    """Share of votes, between 0.5 and 1, that always predicting each pair's majority would get right.

    Attributes:
        least, most: estimated lower and upper bound of the share, given how often two raters agree.
        low, high: ends of a 95 % interval for the share itself.
    """

    least: float = NAN
    most: float = NAN
    low: float = NAN
    high: float = NAN


def predictable(votes: pd.DataFrame) -> Predictable:
    """Bounds on how well any predictor could predict the decided votes; NaN if no pair has two votes.

    If a share s of people choose one clip of a pair, the best guess is right with probability max(s, 1 − s). Two raters
    agree with probability a = s² + (1 − s)². The best guess is right with a probability between a and
    (1 + √(2a − 1)) / 2. The same bounds hold for averages over pairs. Both bounds are estimates. The interval extends
    from the lower end of a's interval to the upper bound at its upper end.
    """
    paired = PairedVotes.of(votes)
    if paired is None:
        return Predictable()
    agree = paired.agreement()
    low, high = (0.5, 1.0) if np.isnan(agree.low) else (max(0.5, agree.low), _most(agree.high))
    return Predictable(max(0.5, agree.value), _most(agree.value), low, high)


def _most(agree: float) -> float:
    return (1 + float(np.sqrt(max(0.0, 2 * agree - 1)))) / 2
