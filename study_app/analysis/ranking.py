"""Bradley–Terry over all comparisons: one strength for each system, real clips included."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from bench.errors import BenchError
from study_app.analysis.tally import counted

#: Added to every rate of the Markov chain of `_fit`, also between systems that never met: one that wins or loses every
#: trial keeps a finite strength. It is no number of pseudo-wins, as rates are wins divided by the sum of two weights.
REGULARISATION = 0.1
ITERATIONS = 1000
TOLERANCE = 1e-8
RESAMPLES = 300
Floats = NDArray[np.float64]


def connectivity(votes: pd.DataFrame) -> list[list[str]]:
    """Groups of systems that comparisons connect; only within a group have strengths a meaning."""
    counting = counted(votes)
    names = sorted({*counting["first"], *counting["second"]})
    first, second = (counting[side].map(names.index).to_numpy(np.int64) for side in ("first", "second"))
    edges = coo_array((np.ones(len(counting)), (first, second)), shape=(len(names), len(names)))
    count, group = connected_components(edges, directed=False) if names else (0, np.array([]))
    return [[name for name, of in zip(names, group, strict=True) if of == number] for number in range(count)]


def bradley_terry(votes: pd.DataFrame, *, resamples: int = RESAMPLES, seed: int = 0) -> pd.DataFrame:
    """Strengths with 95 % intervals, strongest first, as system, strength, ci_low, ci_high, wins, votes, group.

    Strengths are log odds, with mean zero in each connected group: of two systems the stronger wins with probability
    1 / (1 + exp(-difference)). Intervals join bootstraps over raters, clips and single votes as
    `tally.crossed_interval` does.
    """
    counting = counted(votes)
    rng = np.random.default_rng(seed)
    rows = []
    for number, group in enumerate(connectivity(votes), start=1):
        mine = counting[counting["first"].isin(group)]
        place = {name: i for i, name in enumerate(group)}
        won = (mine["chosen"] == mine["first"]).to_numpy()
        winner = np.where(won, mine["first"].map(place), mine["second"].map(place))
        loser = np.where(won, mine["second"].map(place), mine["first"].map(place))
        size = len(group)
        strength = _fit(winner, loser, np.ones((1, len(mine))), size)[0]
        kinds = [pd.factorize(mine["rater"])[0], pd.factorize(mine["clip"])[0], np.arange(len(mine))]
        by_rater, by_clip, by_vote = (_variance(winner, loser, size, g, resamples, rng) for g in kinds)
        deviation = np.sqrt(np.maximum(by_rater + by_clip - by_vote, by_vote))
        wins, losses = np.bincount(winner, minlength=size), np.bincount(loser, minlength=size)
        for i, name in enumerate(group):
            half = 1.96 * deviation[i]
            interval = [strength[i] - half, strength[i] + half]
            rows.append([name, strength[i], *interval, int(wins[i]), int(wins[i] + losses[i]), number])
    columns = ["system", "strength", "ci_low", "ci_high", "wins", "votes", "group"]
    table = pd.DataFrame(rows, columns=columns)
    return table.sort_values(["group", "strength"], ascending=[True, False], ignore_index=True)


def _fit(winner: NDArray[np.int64], loser: NDArray[np.int64], weights: Floats, size: int) -> Floats:
    """Strengths of many weightings of the same votes at once, [R, votes] → [R, size], each with mean 0.

    Iterative Luce spectral ranking (Maystre and Grossglauser, NIPS 2015): weights are the stationary distribution of a
    chain that moves from loser to winner. `choix.ilsr_pairwise_dense` gives the same, one fit at a time.
    """
    wins = np.zeros((len(weights), size, size))
    np.add.at(wins.transpose(1, 2, 0), (winner, loser), weights.T)
    strength = np.zeros((len(weights), size))
    for _ in range(ITERATIONS):
        weight = np.exp(strength)
        weight *= size / weight.sum(axis=1, keepdims=True)
        rates = REGULARISATION + wins / (weight[:, :, None] + weight[:, None, :])  # [R, to, from]
        rates[:, range(size), range(size)] -= rates.sum(axis=1)
        # the last equation follows from the others, and the last weight is set to 1
        rest = np.linalg.solve(rates[:, :-1, :-1], -rates[:, :-1, -1:])[:, :, 0]
        found = np.log(np.concatenate([rest, np.ones((len(rest), 1))], axis=1))
        found -= found.mean(axis=1, keepdims=True)
        moved = np.abs(found - strength).sum(axis=1).max(initial=0.0)
        strength = found
        if moved <= TOLERANCE * size:
            return strength
    raise BenchError("The Bradley–Terry strengths do not settle: the votes contradict each other too much.")


def _variance(
    winner: NDArray[np.int64],
    loser: NDArray[np.int64],
    size: int,
    groups: NDArray[np.int64],
    resamples: int,
    rng: np.random.Generator,
) -> Floats:
    count = int(groups.max()) + 1
    draws = rng.multinomial(count, np.full(count, 1 / count), size=resamples)
    fits = _fit(winner, loser, draws[:, groups].astype(np.float64), size)
    return np.asarray(np.var(fits, axis=0, ddof=1))
