"""Intervals and paired differences of metrics of whole sets (FID, FVD, KVD), by leaving out source videos.

A distance between sets is not a mean over clips. A bootstrap sample repeats some clips, so it is farther from any other
set than the clips themselves. A delete-one-cluster jackknife over source videos repeats none. The effect of fewer clips
alone is subtracted (delete-mⱼ jackknife: Busing, Meijer and van der Leeden, Statistics and Computing 1999), so the
interval applies to the distance at this number of clips.

All methods are measured on the same remaining clips. The difference of two methods therefore has its own interval, in
which the real clips that both are compared with cancel.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench.errors import BenchError
from bench.statistics.cluster_jackknife import LEVEL, NAN, SEED, Clusters, Difference, Estimate, Floats, Interval
from bench.statistics.equivalence import Equivalence, within

#: Up to this number, source videos are left out one by one; beyond it, in this number of groups.
GROUPS = 100
#: Distances of all methods on some of the clips: clip numbers → one number per method.
Distances = Callable[[NDArray[np.intp]], Sequence[float]]
#: The same without each group of clips in turn: the group of each clip → [G, R].
Without = Callable[[NDArray[np.intp]], Floats]


@dataclass(frozen=True)
class LeaveOneOutDistances:
    """Distances of R methods on all clips, and on those left without each of G groups of source videos.

    Attributes:
        values: [R] distances on all clips.
        without: [G, R] distances without each group; empty if there is one video, and then there are no intervals.
        groups: which clips belong to which group.
    """

    values: Floats
    without: Floats
    groups: Clusters

    def interval(self, row: int, level: float = LEVEL) -> Interval:
        """Interval of the distance of a method, given by its number."""
        estimate = self.estimate(row)
        return Interval(estimate.value, *estimate.ends(level), self.groups.count)

    def estimate(self, row: int, other: int | None = None) -> Estimate:
        """The distance of a method with its variance, or its difference from that of another method."""
        if other is not None:
            return self._difference(row, other)
        return self._estimate(self.values[row], self.without[:, row])

    def difference(self, row: int, other: int, *, rows: int = 2, level: float = LEVEL) -> Difference:
        """Difference of the distances of two methods, which were picked by their values from `rows` methods."""
        estimate = self._difference(row, other)
        return Difference(estimate.value, *estimate.ends(level), estimate.p_value(rows=rows), self.groups.count)

    def equivalence(self, row: int, other: int, margin: float, alpha: float = 0.05) -> Equivalence:
        """Whether the distances of two methods differ by less than a margin, as in `bench.statistics.equivalence`."""
        return within(self._difference(row, other), margin, self.groups.count, alpha)

    def _difference(self, row: int, other: int) -> Estimate:
        return self._estimate(self.values[row] - self.values[other], self.without[:, row] - self.without[:, other])

    def _estimate(self, value: float, without: Floats) -> Estimate:
        count, shares = len(without), self.groups.shares
        if count < 2:
            return Estimate(float(value), NAN, ((NAN, 1.0),))
        moved = without - value
        trend = float(np.sum((1 - shares) * moved))  # the jackknife's own estimate of the bias
        pull = moved - trend * shares / (1 - shares)
        variance = float((count - 1) / count * np.sum(pull**2))
        return Estimate(float(value), variance, ((variance, self.groups.freedom),))


def leave_out(
    distances: Distances,
    clusters: Sequence[Any],
    groups: int = GROUPS,
    seed: int = SEED,
    *,
    without: Without | None = None,
) -> LeaveOneOutDistances:
    """Measure all methods on all clips, and again without each source video.

    Args:
        distances: takes clip numbers, ascending, and returns one number per method: distances of sets, averaged over
            seeds if there are several.
        clusters: [N] names of the source videos.
        groups: if there are more videos than this, they are left out in this many groups, drawn at random (Kott 2001).
            `distances` is called once more than there are groups.
        seed: seed for the draw.
        without: returns what `distances` gives for the clips outside each group, if there is a cheaper way.

    Raises:
        BenchError: there is no clip, or fewer than two groups are requested.
    """
    if groups < 2:
        raise BenchError(f"Leave clusters out in at least two groups, not {groups}.")
    videos = Clusters.of(clusters, len(clusters))
    place = np.arange(videos.count)
    if videos.count > groups:
        place = np.random.default_rng(seed).permutation(videos.count) % groups
    of_clips = place[videos.index]
    count = min(videos.count, groups)
    kept_clusters = Clusters(of_clips, np.bincount(of_clips, minlength=count).astype(np.float64))
    everything = np.arange(len(of_clips))
    values = np.asarray(distances(everything), np.float64)
    if count < 2:
        left = np.empty((0, len(values)))
    elif without is None:
        left = np.array([distances(everything[of_clips != group]) for group in range(count)], np.float64)
    else:
        left = without(of_clips)
    return LeaveOneOutDistances(values, left, kept_clusters)


@dataclass(frozen=True)
class TwoSetDistances:
    """Distances of R methods to one real side, if clips are not paired: both sides vary, each by its own videos.

    The real videos and each method's videos are independent samples, so the variance is the sum of two jackknives: one
    leaves out real videos, the other generated ones (Arvesen, Annals of Mathematical Statistics 1969). All methods are
    compared with the same real videos. In a difference of two methods, the part of the real videos is therefore
    computed from the difference itself.

    Attributes:
        real: distances of all methods, without groups of real videos.
        generated: distances of each method, for each of its training runs alone, without groups of that run's videos.
    """

    real: LeaveOneOutDistances
    generated: Sequence[Sequence[LeaveOneOutDistances]]

    def interval(self, row: int, level: float = LEVEL) -> Interval:
        """Interval of the distance of a method, given by its number."""
        estimate = _sum(self.real.estimate(row), self._own(row))
        return Interval(estimate.value, *estimate.ends(level), self.real.groups.count)

    def difference(self, row: int, other: int, *, rows: int = 2, level: float = LEVEL) -> Difference:
        """Difference of the distances of two methods, which were picked by their values from `rows` methods."""
        estimate = _sum(self.real.estimate(row, other), [*self._own(row), *self._own(other)])
        return Difference(estimate.value, *estimate.ends(level), estimate.p_value(rows=rows), self.real.groups.count)

    def _own(self, row: int) -> list[tuple[float, float]]:
        """Parts of a method's variance that are due to its own videos; a mean over training runs varies less."""
        runs = self.generated[row]
        parts = [part for run in runs for part in run.estimate(0).parts]
        return [(variance / len(runs) ** 2, freedom) for variance, freedom in parts]


def _sum(real: Estimate, own: Sequence[tuple[float, float]]) -> Estimate:
    """Add further, independent parts to the variance of a distance."""
    return Estimate(real.value, real.variance + sum(variance for variance, _ in own), (*real.parts, *own))
