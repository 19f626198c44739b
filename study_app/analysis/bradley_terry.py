"""The Bradley–Terry model: strengths of methods from pairwise votes, with their uncertainty.

The stronger of two methods is chosen with probability 1 / (1 + exp(−difference)). The model is a logistic regression on
differences between methods. Firth's penalty (Biometrika 1993) removes the bias of small samples.

The likelihood has a maximum only among methods that are strongly connected: each beats every other one through some
chain of votes (Ford, American Mathematical Monthly 1957). If all votes between two such parts go one way, they bound
the distance between the parts only from below. Votes that all agree count as one coin toss per rater, or per source
video if there are fewer videos. The bound is exact for that number of tosses, given the strengths within the parts.

Variances are over raters and source videos, as in `two_way_clusters`. Leaving out a rater or a video moves the
strengths by one Newton step. A variance is never smaller than that of independent votes.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import brentq, minimize
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from bench.errors import BenchError
from bench.statistics.cluster_jackknife import Clusters
from bench.statistics.two_way_clusters import Crossing

ITERATIONS = 200
TOLERANCE = 1e-10
#: If a vote's leverage is within this distance of 1, the strengths are not identified without that vote.
SURE = 1e-6
#: Approximate number of votes whose information matrices are in memory at the same time.
AT_ONCE = 4096
#: Log odds beyond which a share is treated as 1.
FAR = 40.0
Floats = NDArray[np.float64]
Numbers = NDArray[np.int64]


def components(winner: Numbers, loser: Numbers, systems: int, by: Literal["weak", "strong"]) -> Numbers:
    """[systems] index of each method's component: connected by votes (weak), or by wins both ways (strong)."""
    wins = coo_array((np.ones(len(winner)), (winner, loser)), shape=(systems, systems))
    return np.asarray(connected_components(wins, directed=True, connection=by)[1], np.int64)


def centred(systems: int) -> Floats:
    """[systems, systems − 1] orthonormal basis of the strengths with mean 0."""
    full = np.linalg.qr(np.column_stack([np.ones(systems), np.eye(systems)[:, :-1]]))[0]
    return np.asarray(full[:, 1:], np.float64)


@dataclass(frozen=True)
class Fit:
    """Strengths of strongly connected methods.

    Attributes:
        strengths: [systems] log odds with mean 0.
        covariance: [systems, systems] over raters and videos; NaN with fewer than two of either.
        single: [systems, systems] covariance if votes were independent.
        freedom: degrees of freedom.
        units: number of raters or of source videos, whichever is smaller.
    """

    strengths: Floats
    covariance: Floats
    single: Floats
    freedom: float
    units: int

    def contrast(self, weights: Floats) -> tuple[float, float]:
        """A weighted sum of strengths and its standard error."""
        variance = max(float(weights @ self.covariance @ weights), float(weights @ self.single @ weights))
        return float(weights @ self.strengths), float(np.sqrt(variance))


def strengths(wins: Floats) -> tuple[Floats, Floats]:
    """Firth's strengths [S] with mean 0 from a table of wins [S, S] (row over column), and their information.

    The information matrix [S − 1, S − 1] refers to coordinates in the basis `centred`.

    Raises:
        BenchError: the iteration does not converge.
    """
    systems = len(wins)
    pairs = [(a, b) for a, b in combinations(range(systems), 2) if wins[a, b] + wins[b, a]]
    design = np.zeros((len(pairs), systems))
    for line, (a, b) in enumerate(pairs):
        design[line, a], design[line, b] = 1.0, -1.0
    design = design @ centred(systems)  # [pairs, S − 1]
    won = np.array([wins[pair] for pair in pairs])
    had = won + np.array([wins[b, a] for a, b in pairs])
    strength = np.zeros(systems - 1)
    for _ in range(ITERATIONS):
        share = 1 / (1 + np.exp(-(design @ strength)))
        weight = had * share * (1 - share)
        information = design.T @ (design * weight[:, None])
        leverage = weight * np.einsum("ij,ij->i", design, np.linalg.solve(information, design.T).T)
        # the penalty is equivalent to additional votes, as many as the leverage, split evenly between both methods
        penalised = design.T @ (design * ((had + leverage) * share * (1 - share))[:, None])
        step = np.linalg.solve(penalised, design.T @ (won - had * share + leverage * (0.5 - share)))
        step *= min(1.0, 2.0 / max(float(np.abs(step).max()), 1e-300))
        strength = strength + step
        if np.abs(step).max() < TOLERANCE:
            return centred(systems) @ strength, information
    raise BenchError(
        "The Bradley–Terry strengths do not converge, because some methods have too few votes against others."
    )


def table_of_wins(winner: Numbers, loser: Numbers, systems: int) -> Floats:
    """[S, S] number of votes that each method (row) won over each other one (column)."""
    wins = np.zeros((systems, systems))
    np.add.at(wins, (winner, loser), 1.0)
    return wins


def fit(winner: Numbers, loser: Numbers, systems: int, crossing: Crossing) -> Fit:
    """Strengths, with covariances, of methods that these votes connect strongly."""
    strength, information = strengths(table_of_wins(winner, loser, systems))
    basis = centred(systems)
    design = basis[winner] - basis[loser]  # [N, S − 1], winner minus loser
    lost = 1 / (1 + np.exp(strength[winner] - strength[loser]))  # probability of the opposite outcome
    score = design * lost[:, None]
    weight = lost * (1 - lost)
    parts = (crossing.raters, crossing.videos, crossing.cells)
    over_raters, over_videos, over_cells = (_left_out(design, weight, score, information, part) for part in parts)
    covariance = over_raters + over_videos - over_cells if crossing.known else np.full_like(information, np.nan)
    single = np.linalg.inv(information)
    units = min(crossing.raters.count, crossing.videos.count)
    return Fit(strength, basis @ covariance @ basis.T, basis @ single @ basis.T, crossing.freedom, units)


def _left_out(design: Floats, weight: Floats, score: Floats, information: Floats, clusters: Clusters) -> Floats:
    """Delete-one-cluster jackknife covariance [S−1, S−1] of the coordinates, with one Newton step per cluster."""
    count, moved = clusters.count, np.zeros_like(information)
    order = np.argsort(clusters.index, kind="stable")
    ends = np.cumsum(clusters.sizes).astype(np.intp)
    alone = clusters.sizes[clusters.index] == 1
    inverse = np.linalg.pinv(information, rcond=1e-6, hermitian=True)
    leverage = weight * np.einsum("ij,jk,ik->i", design, inverse, design)
    alone &= leverage < 1 - SURE  # a single vote is removed in closed form (Sherman and Morrison 1950)
    pull = score[alone] @ inverse / (1 - leverage[alone])[:, None]
    moved += pull.T @ pull
    others = np.flatnonzero(~np.isin(np.arange(count), clusters.index[alone]))
    for block in _blocks(others, clusters.sizes):
        votes = np.concatenate([order[ends[g] - int(clusters.sizes[g]) : ends[g]] for g in block])
        place = np.repeat(np.arange(len(block)), clusters.sizes[block].astype(np.intp))
        of_scores = np.zeros((len(block), design.shape[1]))
        of_information = np.zeros((len(block), *information.shape))
        np.add.at(of_scores, place, score[votes])
        np.add.at(of_information, place, design[votes, :, None] * (design[votes] * weight[votes, None])[:, None, :])
        # if only this cluster connects two methods, their distance is not identified without it and does not move
        rest = np.linalg.pinv(information - of_information, rcond=1e-6, hermitian=True)
        pull = np.einsum("gij,gj->gi", rest, of_scores)
        moved += pull.T @ pull
    return np.asarray((count - 1) / count * moved, np.float64)


def _blocks(numbers: NDArray[np.intp], sizes: Floats) -> Iterator[NDArray[np.intp]]:
    """Yield clusters in blocks of about `AT_ONCE` votes, so that memory does not grow with votes × methods²."""
    if len(numbers):
        before = np.cumsum(sizes[numbers]) - sizes[numbers]
        yield from np.split(numbers, np.flatnonzero(np.diff(before // AT_ONCE)) + 1)


@dataclass(frozen=True)
class Apart:
    """Parts of a group of methods between which all votes go one way.

    Attributes:
        part: [S] index of each method's strongly connected part.
        within: [S] strength of each method within its part, with mean 0 over the part.
        wins: [S, S] votes, row over column.
        worth: [S, S] votes between parts, in equivalent coin tosses (see `tosses`).
    """

    part: Numbers
    within: Floats
    wins: Floats
    worth: Floats

    def above(self, one: int, other: int) -> bool:
        """Whether a chain of wins leads from the part of method `one` down to that of `other`."""
        parts = int(self.part.max()) + 1
        reach = np.zeros((parts, parts), dtype=bool)
        for a, b in np.argwhere(self.wins > 0):
            reach[self.part[a], self.part[b]] = True
        for through in range(parts):
            reach |= reach[:, [through]] & reach[[through], :]
        return bool(reach[self.part[one], self.part[other]]) and self.part[one] != self.part[other]

    def log_likelihood(self, distance: float, upper: int, lower: int) -> float:
        """Profile log likelihood of the votes between parts if two parts are `distance` apart.

        `upper` and `lower` are part indices, and the distance is between the means of these parts. The positions of
        all other parts maximise the likelihood.
        """
        between = [(a, b, self.worth[a, b]) for a, b in np.argwhere((self.wins > 0) & self._differ)]
        free = [part for part in range(int(self.part.max()) + 1) if part not in (upper, lower)]
        votes = np.array([count for _, _, count in between])
        gap = np.array([self.within[a] - self.within[b] for a, b, _ in between])
        moves = np.zeros((len(between), int(self.part.max()) + 1))
        for line, (a, b, _) in enumerate(between):
            moves[line, self.part[a]] += 1.0
            moves[line, self.part[b]] -= 1.0
        fixed = gap + moves[:, upper] * distance

        def lost(places: Floats) -> tuple[float, Floats]:
            odds = fixed + moves[:, free] @ places
            slope = -votes / (1 + np.exp(np.clip(odds, -FAR, FAR)))
            return float(votes @ np.logaddexp(0.0, -odds)), np.asarray(moves[:, free].T @ slope, np.float64)

        start = np.zeros(len(free))
        if not free:
            return -lost(start)[0]
        reach = FAR * (len(free) + 2)  # each part can be far from its neighbours
        limits = [(-reach, reach)] * len(free)
        return -float(minimize(lost, start, jac=True, bounds=limits, method="L-BFGS-B").fun)

    @property
    def _differ(self) -> NDArray[np.bool_]:
        return np.asarray(self.part[:, None] != self.part[None, :])

    def bound(self, upper: int, lower: int, level: float) -> float:
        """Smallest distance of part `upper` above part `lower` that the votes allow, at a two-sided `level`."""
        least = float(np.log((1 - level) / 2))
        return float(brentq(lambda d: self.log_likelihood(d, upper, lower) - least, -FAR, FAR, xtol=1e-9))


def tosses(winner: Numbers, loser: Numbers, part: Numbers, crossing: Crossing) -> Floats:
    """[S, S] number of coin tosses that the votes between parts, which all go one way, are worth.

    The votes between two parts are worth one toss per rater who cast them, or per source video if there are fewer
    videos; this never exceeds the number of votes. Each vote has an equal share of the tosses.
    """
    worth = np.zeros((len(part), len(part)))
    upper, lower = part[winner], part[loser]
    for one, other in {(a, b) for a, b in zip(upper.tolist(), lower.tolist(), strict=True) if a != b}:
        votes = np.flatnonzero((upper == one) & (lower == other))
        units = min(len(np.unique(clusters.index[votes])) for clusters in (crossing.raters, crossing.videos))
        np.add.at(worth, (winner[votes], loser[votes]), units / len(votes))
    return worth


def largest(parts: Numbers, votes: Sequence[float]) -> int:
    """The part with the most methods; ties go to the part with the most votes."""
    numbers = sorted(set(parts.tolist()))
    information = np.asarray(votes, np.float64)
    return max(numbers, key=lambda part: ((parts == part).sum(), information[parts == part].sum(), -part))
