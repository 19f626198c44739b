"""Strengths from votes with ties ("cannot tell"), by Davidson's model.

The probability of a choice is proportional to the method's worth π, and that of a tie to ν·√(πᵢ·πⱼ) (Journal of the
American Statistical Association 1970). A tie is therefore evidence that two methods are close.

The primary strengths of a study are those of decided votes (`bradley_terry`). The strengths here supplement them. They
are maximum likelihood estimates; their intervals, over raters and source videos, use each vote's influence.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.stats import t

from bench.statistics.two_way_clusters import LEVEL, Crossing
from study_app.analysis.bradley_terry import ITERATIONS, TOLERANCE, centred, components
from study_app.analysis.preference_scores import trials
from study_app.design.questions import TIE

#: Frozen column names of `strengths_ties.csv`; worths sum to 1, and `nu` is the same in every row.
TIE_STRENGTH_COLUMNS = ["system", "worth", "strength", "ci_low", "ci_high", "nu"]
Floats = NDArray[np.float64]
Numbers = NDArray[np.int64]


@dataclass(frozen=True)
class TieFit:
    """Fit of Davidson's model.

    Attributes:
        worths: [S] worths, which sum to 1.
        nu: tie parameter; the larger, the more ties.
        strengths: [S] logarithms of the worths, with mean 0.
        influence: [N, S] influence of each vote on the strengths.
    """

    worths: Floats
    nu: float
    strengths: Floats
    influence: Floats


def fit(one: Numbers, other: Numbers, outcome: Numbers, systems: int) -> TieFit | None:
    """Fit Davidson's model by Newton's method.

    Args:
        one, other: [N] indices of the two methods of each vote.
        outcome: [N] 1 where `one` was chosen, −1 where `other` was, 0 for a tie.
        systems: S.

    Returns:
        None if the likelihood has no maximum: no ties, only ties, or methods that wins and ties do not connect.
    """
    tied = outcome == 0
    if not tied.any() or tied.all():
        return None
    winner, loser = np.where(outcome >= 0, one, other), np.where(outcome >= 0, other, one)
    ways = np.concatenate([winner, loser[tied]]), np.concatenate([loser, winner[tied]])
    if components(*ways, systems, "strong").max():
        return None
    basis = centred(systems)
    design = basis[one] - basis[other]  # [N, S − 1]
    happened = np.column_stack([design * outcome[:, None] / 2, tied])  # [N, S]
    places = np.zeros(systems)  # coordinates of the strengths, then log ν
    for _ in range(ITERATIONS):
        expected, information = _moments(design, places)
        step = np.linalg.solve(information, (happened - expected).sum(axis=0))
        step *= min(1.0, 2.0 / max(float(np.abs(step).max()), 1e-300))
        places = places + step
        if np.abs(step).max() < TOLERANCE:
            break
    else:
        return None
    expected, information = _moments(design, places)
    influence = (happened - expected) @ np.linalg.inv(information)
    strengths = basis @ places[:-1]
    worths = np.exp(strengths) / np.exp(strengths).sum()
    return TieFit(worths, float(np.exp(places[-1])), strengths, influence[:, :-1] @ basis.T)


def _moments(design: Floats, places: Floats) -> tuple[Floats, Floats]:
    """Expected contribution [N, S] of each vote to the sufficient statistics, and the summed covariance [S, S]."""
    half = design @ places[:-1] / 2
    weights = np.exp(np.column_stack([half, -half, np.full_like(half, places[-1])]))
    first, second, tie = (weights / weights.sum(axis=1, keepdims=True)).T
    lead = (first - second) / 2
    spread = (first + second) / 4 - lead**2
    information = np.empty((len(places), len(places)))
    information[:-1, :-1] = design.T @ (design * spread[:, None])
    information[-1, :-1] = information[:-1, -1] = -(lead * tie) @ design
    information[-1, -1] = np.sum(tie * (1 - tie))
    return np.column_stack([design * lead[:, None], tie]), information


def strengths_with_ties(votes: pd.DataFrame) -> pd.DataFrame:
    """Strengths of all methods, as `TIE_STRENGTH_COLUMNS`, strongest first; empty if the fit has no maximum."""
    counting = trials(votes)
    names = sorted({*counting["first"], *counting["second"]})
    one, other = (counting[side].map(names.index).to_numpy(np.int64) for side in ("first", "second"))
    won = np.where(counting["chosen"] == counting["first"], 1, -1)
    outcome = np.where(counting["chosen"] == TIE, 0, won)
    found = fit(one, other, np.asarray(outcome, np.int64), len(names)) if len(names) > 1 else None
    if found is None:
        return pd.DataFrame(columns=TIE_STRENGTH_COLUMNS)
    crossing = Crossing.of(list(counting["rater"]), list(counting["video"]))
    half = np.full(len(names), np.inf)
    if crossing.known:
        error = np.sqrt(crossing.variance(len(counting) * found.influence.T))
        half = float(t.isf((1 - LEVEL) / 2, crossing.freedom)) * error
    table = pd.DataFrame({"system": names, "worth": found.worths, "strength": found.strengths})
    table = table.assign(ci_low=found.strengths - half, ci_high=found.strengths + half, nu=found.nu)
    return table.sort_values("strength", ascending=False, ignore_index=True)
