"""Intervals and paired differences of metrics of whole sets (FID, FVD, KVD), by leaving out source videos.

A distance between sets is no mean over clips, and a bootstrap sample, which repeats some, is farther from any other set
than the clips themselves. Leaving out one video after another repeats none. What having fewer clips alone moves the
distance by is taken off (delete-mⱼ jackknife: Busing, Meijer and van der Leeden, Statistics and Computing 1999), so the
interval is about the distance at this number of clips.

All rows are measured on the same remaining clips, so that the difference of two rows has an interval of its own, in
which the real clips that both are held against cancel.
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

#: Source videos are left out one by one up to this number, and in as many groups beyond it.
GROUPS = 100
#: Distances of all rows on some of the clips: clip numbers → one number a row.
Distances = Callable[[NDArray[np.intp]], Sequence[float]]
#: The same without each group of clips in turn: the group of each clip → [G, R].
Without = Callable[[NDArray[np.intp]], Floats]


@dataclass(frozen=True)
class LeaveOneOutDistances:
    """Distances of R rows on all clips, and on what is left without each of G groups of source videos.

    Attributes:
        values: [R] on all clips.
        without: [G, R]; empty where there is one video, and then nothing has an interval.
        groups: which clips belong to which group.
    """

    values: Floats
    without: Floats
    groups: Clusters

    def interval(self, row: int, level: float = LEVEL) -> Interval:
        """Of the distance of a row, by its number."""
        estimate = self.estimate(row)
        return Interval(estimate.value, *estimate.ends(level), self.groups.count)

    def estimate(self, row: int, other: int | None = None) -> Estimate:
        """The distance of a row with its variance; or the difference to another row's."""
        if other is not None:
            return self._difference(row, other)
        return self._estimate(self.values[row], self.without[:, row])

    def difference(self, row: int, other: int, *, rows: int = 2, level: float = LEVEL) -> Difference:
        """Of the distances of two rows; `rows`: of how many the two were picked by their values."""
        estimate = self._difference(row, other)
        return Difference(estimate.value, *estimate.ends(level), estimate.p_value(rows=rows), self.groups.count)

    def equivalence(self, row: int, other: int, margin: float, alpha: float = 0.05) -> Equivalence:
        """Whether the distances of two rows differ by less than a margin, as `bench.statistics.equivalence`."""
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
    """Measure all rows on all clips, and again without each source video.

    Args:
        distances: gets clip numbers, ascending, and gives one number a row: distances of sets, averaged over seeds
            where there are several.
        clusters: [N] names of the source videos.
        groups: more videos than that are left out in so many groups, drawn at random (Kott 2001); `distances` is called
            once more than there are groups.
        seed: of the draw.
        without: what `distances` gives of the clips outside each group, where it can be had for less than that.

    Raises:
        BenchError: no clip, or fewer than two groups asked for.
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
    """Distances of R rows to one real side, where clips are not paired: both sides vary, each by its own videos.

    The real videos and each row's videos are independent samples, so the variance is the sum of two jackknives: one
    leaves out real videos, the other generated ones (Arvesen, Annals of Mathematical Statistics 1969). All rows are
    held against the same real videos, whose part of a difference of two rows is taken of the difference itself.

    Attributes:
        real: of all rows, without groups of real videos.
        generated: of each row, of each of its training runs alone, without groups of that run's videos.
    """

    real: LeaveOneOutDistances
    generated: Sequence[Sequence[LeaveOneOutDistances]]

    def interval(self, row: int, level: float = LEVEL) -> Interval:
        """Of the distance of a row, by its number."""
        estimate = _sum(self.real.estimate(row), self._own(row))
        return Interval(estimate.value, *estimate.ends(level), self.real.groups.count)

    def difference(self, row: int, other: int, *, rows: int = 2, level: float = LEVEL) -> Difference:
        """Of the distances of two rows; `rows`: of how many the two were picked by their values."""
        estimate = _sum(self.real.estimate(row, other), [*self._own(row), *self._own(other)])
        return Difference(estimate.value, *estimate.ends(level), estimate.p_value(rows=rows), self.real.groups.count)

    def _own(self, row: int) -> list[tuple[float, float]]:
        """Parts of a row's variance that are expected to its own videos; a mean over training runs varies less."""
        runs = self.generated[row]
        parts = [part for run in runs for part in run.estimate(0).parts]
        return [(variance / len(runs) ** 2, freedom) for variance, freedom in parts]


def _sum(real: Estimate, own: Sequence[tuple[float, float]]) -> Estimate:
    """A distance whose variance has further, independent parts."""
    return Estimate(real.value, real.variance + sum(variance for variance, _ in own), (*real.parts, *own))
