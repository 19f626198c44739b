"""Tests of paired differences by flipping the sign of whole source videos.

They are exact under the hypothesis that two rows are exchangeable and need no assumption about the shape of the
differences. With k videos there are 2^k patterns of signs, and no p value below 2 / 2^k.

The best of many rows is picked by the same values that it is then tested with, so that one pair after another would
find differences among equal rows too often. All pairs of rows are therefore flipped together, and a difference counts
against the largest that any pair shows (max-T: Westfall and Young, Resampling-Based Multiple Testing, 1993). A pair's
statistic is its sum over videos divided by the root of the sum of squares, which flips leave as it is.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from bench.errors import BenchError
from bench.statistics.cluster_jackknife import LEVEL, NAN, SEED, Clusters, Difference, Floats, finite, mean_over_clips

DRAWS = 10_000
_CHUNK = 1 << 22  # numbers held at a time, so that memory does not grow with the number of videos
_ROUNDING = 1e-12
Direction = Literal["lower", "higher"]


def smallest_p_value(clusters: int, draws: int = DRAWS) -> float:
    """The smallest p value that flipping the signs of so many videos can give: 1 for one video, 2 / 2^k for k."""
    if 2**clusters <= draws:
        return min(1.0, 2.0 / 2**clusters)
    return 1.0 / (draws + 1)


def _signs(videos: int, draws: int, seed: int, width: int) -> Iterator[NDArray[Any]]:
    """Patterns of signs [·, k], in parts: all of them where they are no more than `draws`, else so many drawn ones.

    `width` numbers are held for each pattern beside its signs.
    """
    step = max(1, _CHUNK // max(videos, width))
    if 2**videos <= draws:
        for start in range(0, 2**videos, step):
            numbers = np.arange(start, min(start + step, 2**videos))
            yield 1.0 - 2.0 * ((numbers[:, None] >> np.arange(videos)) & 1)
        return
    rng = np.random.default_rng(seed)
    for start in range(0, draws, step):
        yield 1.0 - 2.0 * rng.integers(0, 2, size=(min(step, draws - start), videos), dtype=np.int8)


def _shares(extreme: NDArray[np.int64], videos: int, draws: int) -> Floats:
    """p values from counts of patterns at least as extreme.

    The observed signs are one of the drawn ones (Phipson and Smyth 2010), so that a p value is never 0.
    """
    if 2**videos <= draws:
        return np.asarray(extreme / 2**videos, np.float64)
    return np.asarray((extreme + 1) / (draws + 1), np.float64)


def sign_flip_p_value(sums: Floats, draws: int = DRAWS, seed: int = SEED, *, shrink: float = 1.0) -> float:
    """Two-sided p value of the sum of `sums` [k] under random signs: all signs where they are few, else drawn ones.

    `shrink` is what the observed sum is multiplied by: less than 1 where the numbers were taken about a mean of their
    own, which leaves their squares too small. Equal sums count as at least as extreme; a tolerance of rounding keeps
    ties tied whatever the order of addition.

    `scipy.stats.permutation_test` gives the same where all signs are looked at, which a test checks, in 40 times the
    time (13 videos: 113 ms and not 2.7), and draws one permutation of two an observation where this draws a bit.
    """
    observed = shrink * abs(float(sums.sum())) - _ROUNDING * float(np.abs(sums).sum())
    parts = _signs(len(sums), draws, seed, 1)
    extreme = sum(int(np.count_nonzero(np.abs(signs @ sums) >= observed)) for signs in parts)
    return float(_shares(np.asarray(extreme), len(sums), draws))


def paired_difference(
    a: ArrayLike, b: ArrayLike, clusters: Sequence[Any], draws: int = DRAWS, seed: int = SEED, level: float = LEVEL
) -> Difference:
    """Mean of a − b over the same clips, its jackknife interval and the p value of a cluster sign-flip test.

    `a`, `b`: [N] finite numbers of the same N clips in the same order; `clusters`: [N] source videos. With k videos the
    smallest possible p value is 2 / 2^k, so fewer than six videos cannot reach 0.05.

    Raises `BenchError` as `jackknife_interval` does, and where a and b differ in length.
    """
    first, second = np.asarray(a, np.float64), np.asarray(b, np.float64)
    if first.shape != second.shape:
        raise BenchError(
            f"Paired values come from the same clips: one row has {first.size} of them and the other {second.size}."
        )
    with np.errstate(invalid="ignore"):  # inf − inf is refused in a sentence
        estimate, videos, sums = mean_over_clips(first - second, clusters)
    p_value = sign_flip_p_value(sums, draws, seed)
    return Difference(
        estimate.value, *estimate.ends(level), p_value, videos.count, smallest_p_value(videos.count, draws)
    )


@dataclass(frozen=True)
class ComparisonWithBest:
    """One row beside the best.

    Attributes:
        row: its name.
        difference: mean of this row − the best over the clips on which both are finite; NaN without one.
        low, high: ends of that difference's jackknife interval, which knows nothing of the choice of the best.
        p_value: of no difference, corrected for the choice of the best among all rows. Small: worse than the best.
            Large: one cannot tell.
        clips: on which both are finite.
        beyond: clips of this row that are counted at the bound.
    """

    row: str
    difference: float
    low: float
    high: float
    p_value: float
    clips: int
    beyond: int


@dataclass(frozen=True)
class RankedRows:
    """Rows in order, and each beside the best.

    Attributes:
        order: names, best first, by the mean over the clips that all rows have, unbounded values at the bound.
        best: the first of them; None where no clip of it has a finite value or better.
        others: the rows but the first, in order.
        clips, clusters: that all rows have, and their source videos.
        smallest_p: no p value of these videos can be smaller.
    """

    order: tuple[str, ...]
    best: str | None
    others: tuple[ComparisonWithBest, ...]
    clips: int
    clusters: int
    smallest_p: float


def best_of_many(
    rows: Mapping[str, ArrayLike],
    clusters: Sequence[Any],
    direction: Direction,
    *,
    bound: float = NAN,
    draws: int = DRAWS,
    seed: int = SEED,
) -> RankedRows:
    """Order rows by their paired values, and test each against the best, all rows jointly.

    Args:
        rows: name → [N] values of the same clips: finite; NaN where the row has none, and then no row is judged by that
            clip; or infinite, which is better than every finite value or worse, as an identical clip's PSNR or the
            distance from 1 of a still's motion.
        clusters: [N] names of the source videos.
        direction: which values are better.
        bound: what infinite values count as: the most extreme value that a finite one can have.
        draws: patterns of signs at most.
        seed: of the drawn ones.

    Raises:
        BenchError: fewer than one row or common clip, lengths that differ, or infinite values without a bound.
    """
    names = list(rows)
    lengths = {np.asarray(values).size for values in rows.values()}
    if len(lengths) != 1:
        raise BenchError(f"Rows are compared on the same clips; these have {sorted(lengths)} of them.")
    table = np.array([np.asarray(rows[name], np.float64) for name in names])  # [R, N]
    common = ~np.isnan(table).any(axis=0)
    if not common.any():
        raise BenchError("The rows have no clip in common on which all of them have a value.")
    table = table[:, common]
    of_clips = [cluster for cluster, keep in zip(clusters, common, strict=True) if keep]
    beyond = np.isinf(table)
    if beyond.any() and not np.isfinite(bound):
        raise BenchError("Infinite values are ranked by a bound: give the most extreme value that a clip can have.")
    counted = finite(np.where(beyond, np.sign(table) * abs(bound), table))
    videos = Clusters.of(of_clips, counted.shape[1])
    sums = np.array([videos.sums(row) for row in counted])  # [R, k]
    good = sums.sum(axis=1) * (1.0 if direction == "higher" else -1.0)
    ranked = sorted(range(len(names)), key=lambda row: -good[row])
    p_values = _against_first(sums[ranked], draws, seed)
    worst = -np.inf if direction == "higher" else np.inf
    hopeless = bool((table[ranked[0]] == worst).all())
    others = tuple(
        _beside(names[row], table[row], table[ranked[0]], of_clips, p_value)
        for row, p_value in zip(ranked[1:], p_values, strict=True)
    )
    best = None if hopeless else names[ranked[0]]
    order = tuple(names[row] for row in ranked)
    return RankedRows(order, best, others, len(of_clips), videos.count, smallest_p_value(videos.count, draws))


def _beside(name: str, row: Floats, best: Floats, clusters: Sequence[Any], p_value: float) -> ComparisonWithBest:
    both = np.isfinite(row) & np.isfinite(best)
    difference, low, high = NAN, NAN, NAN
    if both.any():
        kept = [cluster for cluster, keep in zip(clusters, both, strict=True) if keep]
        estimate, _, _ = mean_over_clips(row[both] - best[both], kept)
        difference, (low, high) = estimate.value, estimate.ends()
    return ComparisonWithBest(name, difference, low, high, p_value, int(both.sum()), int(np.isinf(row).sum()))


def _against_first(sums: Floats, draws: int, seed: int) -> list[float]:
    """p values of the rows [R, k] but the first against the first, by the largest statistic of all pairs."""
    videos, pairs = sums.shape[1], list(combinations(range(len(sums)), 2))
    if not pairs:
        return []
    # Equal values of two rows differ by exactly 0, so sums over videos of equal rows do.
    differences = np.array([sums[a] - sums[b] for a, b in pairs]).T  # [k, pairs]
    scale = np.sqrt(np.sum(differences**2, axis=0))
    # rounding is relative to what is added up, so that ties stay tied
    tolerance = _ROUNDING * np.sum(np.abs(differences), axis=0) / np.where(scale > 0, scale, 1.0)
    unit = differences / np.where(scale > 0, scale, 1.0)
    observed = (np.abs(unit.sum(axis=0)) - tolerance)[: len(sums) - 1]  # pairs with the first come first
    extreme = np.zeros(len(observed), np.int64)
    for signs in _signs(videos, draws, seed, len(pairs)):
        largest = np.abs(signs @ unit).max(axis=1)
        extreme += np.count_nonzero(largest[:, None] >= observed, axis=0)
    return [float(p) for p in _shares(extreme, videos, draws)]
