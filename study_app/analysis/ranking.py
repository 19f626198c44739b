"""Bradley–Terry over all comparisons: one strength for each system, real clips included."""

from __future__ import annotations

import choix
import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from study_app.analysis.tally import counted

#: Added to every pair's wins: a system that wins or loses every trial keeps a finite strength.
REGULARISATION = 0.1
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
    1 / (1 + exp(-difference)). Fitted with `choix`, regularised. Intervals join bootstraps over raters, clips and
    single votes as `tally.crossed_interval` does.
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
        strength = _fit(winner, loser, np.ones(len(mine)), size)
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
    wins = np.zeros((size, size))
    np.add.at(wins, (winner, loser), weights)
    strength = choix.ilsr_pairwise_dense(wins, alpha=REGULARISATION, max_iter=1000)
    return np.asarray(strength - strength.mean(), np.float64)


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
    fits = [_fit(winner, loser, draw[groups].astype(np.float64), size) for draw in draws]
    return np.asarray(np.var(fits, axis=0, ddof=1))
