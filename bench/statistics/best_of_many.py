"""The best of many methods, and joint tests of every other method against it (max-T).

The best is picked by the same values that it is then tested with. Testing one pair after the other would therefore find
differences among equal methods too often. Instead, a difference is compared with the largest that any pair shows when
the methods' names are exchanged at random within each source video. This is exact if equal methods are exchangeable on
each video, whatever the shape of their values (Pesarin and Salmaso, Permutation Tests for Complex Data, 2010; max-T:
Westfall and Young, Resampling-Based Multiple Testing, 1993). For two methods, it is a sign-flip test.

A pair's statistic is its sum over videos divided by the root of the sum of squares. Methods that are worse are left out
and the others are tested again (step-down), because a much worse method makes all exchanges wide.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations, permutations
from math import factorial
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from bench.errors import BenchError
from bench.statistics.cluster_jackknife import ALPHA, NAN, SEED, Clusters, Floats, finite, mean_over_clips
from bench.statistics.sign_flip import DRAWS, ROUNDING, shares, sign_patterns, smallest_p_value

_CHUNK = 1 << 21  # numbers in memory at a time, so that memory does not grow with the number of videos
Direction = Literal["lower", "higher"]
Numbers = NDArray[np.intp]


@dataclass(frozen=True)
class ComparisonWithBest:
    """One method compared with the best.

    Attributes:
        row: name of the method.
        difference: mean of this method − the best over the clips that all methods have, unbounded values at the bound.
        low, high: ends of that difference's jackknife interval, which does not account for the choice of the best.
        p_value: p value of no difference, corrected for the choice of the best among all methods. Small: worse than the
            best. Large: inconclusive.
        clips: number of clips that all methods have.
        beyond: clips of this method that are counted at the bound.
        turned_by: the one source video without which the verdict at `ALPHA` would change; empty if no single video has
            that weight.
    """

    row: str
    difference: float
    low: float
    high: float
    p_value: float
    clips: int
    beyond: int
    turned_by: str = ""


@dataclass(frozen=True)
class RankedRows:
    """Methods in order, and each compared with the best.

    Attributes:
        order: names, best first, by the mean over the clips that all methods have, unbounded values at the bound.
        best: the first of them; None if none of its clips has a finite value or better.
        others: all methods except the first, in order.
        clips, clusters: numbers of clips that all methods have, and of their source videos.
        smallest_p: the smallest p value that these videos can give.
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
    """Order methods by their paired values, and test each against the best, all jointly.

    Args:
        rows: name → [N] values of the same clips. NaN marks a missing value; no method is then judged by that clip. An
            infinite value is better or worse than every finite one, such as an identical clip's PSNR or the distance
            from 1 of a still's motion.
        clusters: [N] names of the source videos.
        direction: which values are better.
        bound: replaces infinite values: the most extreme value that a finite one can have.
        draws: maximum number of sign patterns, or of exchanges of names for three or more methods.
        seed: seed for drawn patterns.

    Raises:
        BenchError: fewer than one method or common clip, lengths that differ, or infinite values without a bound.
    """
    names = list(rows)
    lengths = {np.asarray(values).size for values in rows.values()}
    if len(lengths) != 1:
        raise BenchError(f"Rows must have values of the same clips, but they have {sorted(lengths)} of them.")
    table = np.array([np.asarray(rows[name], np.float64) for name in names])  # [R, N]
    common = ~np.isnan(table).any(axis=0)
    if not common.any():
        raise BenchError("The rows share no clip on which all of them have a value.")
    table = table[:, common]
    of_clips = [cluster for cluster, keep in zip(clusters, common, strict=True) if keep]
    counted = finite(at_bound(table, bound))
    videos = Clusters.of(of_clips, counted.shape[1])
    sums = np.array([videos.sums(row) for row in counted])  # [R, k]
    good = sums.sum(axis=1) * (1.0 if direction == "higher" else -1.0)
    ranked = sorted(range(len(names)), key=lambda row: -good[row])
    found = _step_down(sums[ranked], draws, seed)
    worst = -np.inf if direction == "higher" else np.inf
    hopeless = bool((table[ranked[0]] == worst).all())
    labels = sorted({str(cluster) for cluster in of_clips})
    others = []
    for row, p_value, video in zip(ranked[1:], found.p_values, found.turned_by, strict=True):
        estimate, _, _ = mean_over_clips(counted[row] - counted[ranked[0]], of_clips)
        beyond = int(np.isinf(table[row]).sum())
        low, high = estimate.ends()
        turned_by = "" if video is None else labels[video]
        values = (names[row], estimate.value, low, high, p_value)
        others.append(ComparisonWithBest(*values, clips=len(of_clips), beyond=beyond, turned_by=turned_by))
    best = None if hopeless else names[ranked[0]]
    order = tuple(names[row] for row in ranked)
    smallest = smallest_p_value(videos.count, draws)
    return RankedRows(order, best, tuple(others), len(of_clips), videos.count, smallest)


def at_bound(values: Floats, bound: float) -> Floats:
    """Values of any shape with infinite ones at ± `bound`; raises `BenchError` if there are some but no bound."""
    beyond = np.isinf(values)
    if beyond.any() and not np.isfinite(bound):
        raise BenchError("Infinite values need a bound: pass the most extreme value that a clip can have.")
    return np.asarray(np.where(beyond, np.sign(values) * abs(bound), values), np.float64)


@dataclass(frozen=True)
class _AgainstFirst:
    """Tests of the others against the first: p values, and the number of the video that would turn each verdict."""

    p_values: list[float]
    turned_by: list[int | None]


def _step_down(sums: Floats, draws: int, seed: int) -> _AgainstFirst:
    """Repeat `_against_first` without the methods that are worse: a much worse one must not hide the others.

    p values never fall from step to step. The p values of a step hold for all methods that are left in it.
    """
    left, least = list(range(1, len(sums))), 0.0
    p_values: list[float] = [1.0] * len(left)
    turned_by: list[int | None] = [None] * len(left)
    while left:
        step = _against_first(sums[[0, *left]], draws, seed)
        smallest = min(step.p_values)
        remaining = [row for row, p_value in zip(left, step.p_values, strict=True) if p_value > smallest]
        for row, p_value, video in zip(left, step.p_values, step.turned_by, strict=True):
            p_values[row - 1], turned_by[row - 1] = max(least, p_value), video
        least = max(least, smallest)
        left = remaining if smallest < ALPHA else []
    return _AgainstFirst(p_values, turned_by)


@dataclass(frozen=True)
class _Pairs:
    """Pairs of methods under E exchanges of names.

    Attributes:
        sums, squares: [E, P] sums over videos of a pair's differences, and of their squares.
        at: [E, P, C] differences on the videos that are left out one at a time.
    """

    sums: Floats
    squares: Floats
    at: Floats

    def largest(self, without: int | None = None) -> Floats:
        """[E] largest statistic of any pair, on all videos or without one of those in `at`."""
        sums, squares = self.sums, self.squares
        if without is not None:
            away = self.at[:, :, without]
            sums, squares = sums - away, squares - away**2
        return np.asarray(np.abs(_statistics(sums, squares, self.squares)).max(axis=1), np.float64)


def _statistics(sums: Floats, squares: Floats, whole: Floats) -> Floats:
    """Sums over the root of the sums of squares; 0 where only rounding is left of the `whole` squares."""
    known = squares > ROUNDING * whole
    return np.asarray(np.divide(sums, np.sqrt(np.where(known, squares, 1.0)), out=np.zeros_like(sums), where=known))


def _against_first(sums: Floats, draws: int, seed: int) -> _AgainstFirst:
    """Test the methods after the first, as sums over videos [R, k], against it, by the largest statistic of all pairs.

    No p value is below what sign flips of the same number of videos can give, however many methods there are.
    """
    rows, videos = sums.shape
    if rows < 2:
        return _AgainstFirst([], [])
    away = sums[1:] - sums[0]  # [R − 1, k]; equal values of two methods differ by exactly 0
    away *= np.where(away.sum(axis=1, keepdims=True) < 0, -1.0, 1.0)
    total, squares = away.sum(axis=1, keepdims=True), np.sum(away**2, axis=1, keepdims=True)
    # rounding is relative to the summed magnitudes, so that ties stay tied
    tolerance = ROUNDING * np.sum(np.abs(away), axis=1) / np.sqrt(np.where(squares > 0, squares, 1.0))[:, 0]
    observed = _statistics(total, squares, squares)[:, 0] - tolerance
    without = _statistics(total - away, squares - away**2, squares) - tolerance[:, None]  # [R − 1, k]
    # if any video turns a verdict, it is the one that supports it most or contradicts it most
    candidates = np.stack([without.argmin(axis=1), without.argmax(axis=1)], axis=1)
    left_out = np.unique(candidates)
    extreme, extreme_without = np.zeros(rows - 1, np.int64), np.zeros((rows - 1, 2), np.int64)
    for pairs in _exchanged(sums, left_out, draws, seed):
        extreme += np.count_nonzero(pairs.largest()[:, None] >= observed, axis=0)
        for row, side in np.ndindex(candidates.shape):
            video = candidates[row, side]
            largest = pairs.largest(int(np.searchsorted(left_out, video)))
            extreme_without[row, side] += np.count_nonzero(largest >= without[row, video])
    patterns = factorial(rows) ** videos
    p_values = np.maximum(shares(extreme, patterns, draws), smallest_p_value(videos, draws))
    p_without = np.maximum(shares(extreme_without, patterns, draws), smallest_p_value(videos - 1, draws))
    turned: list[int | None] = []
    for row, is_worse in enumerate(p_values < ALPHA):
        side = 0 if is_worse else 1
        without_it = int(candidates[row, side])
        still = bool(p_without[row, side] < ALPHA and without[row, without_it] > 0)
        turned.append(without_it if still != bool(is_worse) else None)
    return _AgainstFirst([float(p) for p in p_values], turned)


def _exchanged(sums: Floats, left_out: Numbers, draws: int, seed: int) -> Iterator[_Pairs]:
    """Pairs of methods under exchanges of names within videos: all of them if at most `draws`, else drawn ones."""
    rows, videos = sums.shape
    if rows == 2:
        away = sums[0] - sums[1]
        for signs in sign_patterns(videos, draws, seed, 1):
            squares = np.full((len(signs), 1), np.sum(away**2))
            yield _Pairs((signs @ away)[:, None], squares, (signs[:, left_out] * away[left_out])[:, None])
        return
    pairs = list(combinations(range(rows), 2))
    step = max(1, _CHUNK // (rows * videos + len(pairs) * len(left_out)))
    for names in _exchanges(rows, videos, draws, seed, step):
        mixed = np.take_along_axis(sums[None], names, axis=1)  # [E, R, k]
        away = np.empty((len(names), len(pairs), 2))
        at = np.empty((len(names), len(pairs), len(left_out)))
        for place, (one, other) in enumerate(pairs):
            difference = mixed[:, one] - mixed[:, other]
            away[:, place, 0], away[:, place, 1] = difference.sum(axis=1), np.sum(difference**2, axis=1)
            at[:, place] = difference[:, left_out]
        yield _Pairs(away[..., 0], away[..., 1], at)


def _exchanges(rows: int, videos: int, draws: int, seed: int, step: int) -> Iterator[Numbers]:
    """The method whose value each method gets on each video, [·, R, k], in parts."""
    each = np.array(list(permutations(range(rows))) if factorial(rows) ** videos <= draws else [], np.intp)
    if len(each):
        for start in range(0, len(each) ** videos, step):
            numbers = np.arange(start, min(start + step, len(each) ** videos))
            digits = numbers[:, None] // len(each) ** np.arange(videos) % len(each)  # [·, k]
            yield each[digits].transpose(0, 2, 1)
        return
    rng = np.random.default_rng(seed)
    for start in range(0, draws, step):
        names = np.broadcast_to(np.arange(rows), (min(step, draws - start), videos, rows)).copy()
        yield rng.permuted(names, axis=2, out=names).transpose(0, 2, 1)
