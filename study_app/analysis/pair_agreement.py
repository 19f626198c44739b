"""How often raters of the same pair agree: Krippendorff's alpha, and what anything could predict, with intervals.

Disagreement is counted within pairs, and what chance would give within comparisons (Krippendorff, Content Analysis
2004). Intervals are over raters and source videos, from leaving out one at a time, as in `two_way_clusters`. A vote
that would stay alone on its pair is left out with the other one.
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
    """A number with the ends of its 95 % interval; NaN where the votes do not tell."""

    value: float = NAN
    low: float = NAN
    high: float = NAN


@dataclass(frozen=True)
class Sums:
    """[G] over pairs with two votes or more: disagreement, votes, and the disagreement that chance would give."""

    disagreement: Floats
    votes: Floats
    by_chance: Floats

    @property
    def agreement(self) -> Floats:
        """[G] share of pairs of votes on a pair that agree, each pair weighted by its votes."""
        return 1 - np.divide(self.disagreement, self.votes, out=np.full_like(self.votes, NAN), where=self.votes > 0)

    @property
    def alpha(self) -> Floats:
        """[G] Krippendorff's alpha (nominal); NaN where all votes of each comparison are the same."""
        some = self.by_chance > 1e-9
        return 1 - np.divide(self.disagreement, self.by_chance, out=np.full_like(self.votes, NAN), where=some)


@dataclass(frozen=True)
class _Lost:
    """[N] what the sums lose with each vote: disagreement, votes for the first and for the second."""

    disagreement: Floats
    first: Floats
    second: Floats


@dataclass(frozen=True)
class PairedVotes:
    """Votes on pairs that two raters or more have judged.

    Attributes:
        comparison: [N] number of each vote's comparison.
        pairs: which vote is on which pair.
        first: [N] 1 where the first was chosen.
        crossing: raters and source videos.
    """

    comparison: NDArray[np.intp]
    pairs: Clusters
    first: Floats
    crossing: Crossing

    @classmethod
    def of(cls, votes: pd.DataFrame) -> PairedVotes | None:
        """The paired ones of decided votes (comparison, clip, rater, video, first, chosen); None without any."""
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
        """How many pairs there are."""
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
        """Raters, videos, cells and pairs, with what leaving out one of them takes from the sums."""
        of, alone, whole = self.crossing, self._alone(), self._whole()
        return [(of.raters, alone), (of.videos, whole), (of.cells, alone), (self.pairs, whole)]

    def _interval(self, value: float, left: list[Floats]) -> Estimate:
        """By t; from the numbers that come out without each rater, video, cell and pair."""
        if not (self.crossing.known and self.count > 1 and all(np.isfinite(one).all() for one in left)):
            return Estimate(value)
        raters, videos, cells, pairs = (float((len(one) - 1) / len(one) * np.sum((one - value) ** 2)) for one in left)
        # never less than that of pairs that have nothing in common
        variance = max(raters + videos - cells, pairs)
        half = float(t.isf((1 - LEVEL) / 2, self.crossing.freedom)) * float(np.sqrt(variance))
        return Estimate(value, value - half, min(1.0, value + half))

    def _counts(self) -> tuple[Floats, Floats]:
        """[N] votes for the first and for the second on each vote's pair."""
        index = self.pairs.index
        won = np.asarray(np.bincount(index, self.first)[index], np.float64)
        return won, np.asarray(self.pairs.sizes[index] - won, np.float64)

    def _whole(self) -> _Lost:
        """With all votes of a pair, each taking its share."""
        won, lost = self._counts()
        return _Lost(_disagreement(won, lost) / (won + lost), self.first, 1 - self.first)

    def _alone(self) -> _Lost:
        """With one vote of a pair; with both of two."""
        won, lost = self._counts()
        two = won + lost == 2
        still = _disagreement(won - self.first, lost - (1 - self.first))
        gone = _disagreement(won, lost) - np.where(two, 0.0, still)
        return _Lost(gone, np.where(two, won, self.first), np.where(two, lost, 1 - self.first))

    def _all(self) -> Sums:
        """The sums over all votes, G = 1."""
        nothing = Clusters.of(np.zeros(len(self.first)), len(self.first))
        return self._sums(nothing, _Lost(*np.zeros((3, len(self.first)))))

    def _sums(self, clusters: Clusters, lost: _Lost) -> Sums:
        """The sums without each cluster."""
        comparisons = int(self.comparison.max()) + 1
        won = np.bincount(self.comparison, self.first)
        totals = np.column_stack([won, np.bincount(self.comparison) - won])
        # a cluster has votes in few comparisons: only those that meet are added up
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
    """Of a pair with so many votes either way: votes times the share of pairs of them that disagree."""
    return 2 * won * lost / np.maximum(won + lost - 1, 1)


def _by_chance(totals: Floats) -> Floats:
    """[C] the same of comparisons whose votes [C, 2] were dealt to pairs at random."""
    return _disagreement(totals[:, 0], totals[:, 1])


@dataclass(frozen=True)
class Predictable:
    """Share of votes, between 0.5 and 1, that the best guess of each pair's majority would meet.

    Attributes:
        least, most: estimates of the least and of the most that it can be, given how often two raters agree.
        low, high: ends of a 95 % interval that has the share itself.
    """

    least: float = NAN
    most: float = NAN
    low: float = NAN
    high: float = NAN


def predictable(votes: pd.DataFrame) -> Predictable:
    """How well anything could predict the decided votes; NaN where no pair has two votes.

    Where a share s of people chooses the one, the best guess meets max(s, 1 − s). Two raters agree in s² + (1 − s)²,
    and the best guess meets between a and (1 + √(2a − 1)) / 2, a being how often two raters agree, on average over
    pairs as well. Both are estimates. The interval reaches from the lower end of a's to the most at its upper end.
    """
    paired = PairedVotes.of(votes)
    if paired is None:
        return Predictable()
    agree = paired.agreement()
    low, high = (0.5, 1.0) if np.isnan(agree.low) else (max(0.5, agree.low), _most(agree.high))
    return Predictable(max(0.5, agree.value), _most(agree.value), low, high)


def _most(agree: float) -> float:
    return (1 + float(np.sqrt(max(0.0, 2 * agree - 1)))) / 2
