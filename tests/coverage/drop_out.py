"""Raters who leave early, and earlier the less they like what they see."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.special import expit

from bench.statistics.two_way_clusters import Crossing, shares
from study_app.analysis.rater_means import over_raters
from tests.coverage.people import ALPHA


@dataclass(frozen=True)
class DropOut:
    """Over repeats: mean POS and mean over raters, how often each is found to differ from one half, and is covered."""

    pos: float
    each: float
    pos_rejected: float
    each_rejected: float
    pos_covered: float
    each_covered: float


def by_taste(repeats: int, raters: int = 20, taste: float = 1.25, longest: int = 40, seed: int = 0) -> DropOut:
    """Half of all people prefer the first, more or less; after each trial, who prefers the second is likelier to leave.

    Log odds of a rater's choice are normal with mean 0 and deviation `taste`, so the truth is one half.
    """
    rng = np.random.default_rng([seed, raters, longest])
    lines = []
    for _ in range(repeats):
        likes = taste * rng.normal(size=raters)
        stays = np.minimum(longest, 2 + rng.geometric(0.02 + 0.18 * expit(-2 * likes)))
        rater = np.repeat(np.arange(raters), stays)
        video = rng.integers(0, 60, len(rater))
        wins = rng.random(len(rater)) < expit(likes[rater])
        votes = shares(wins.astype(float), Crossing.of(rater, video))
        each = over_raters(wins, pd.Series(rater))
        lines.append(
            [votes.share, each.mean, votes.p_value < ALPHA, each.p_value < ALPHA]
            + [one.low <= 0.5 <= one.high for one in (votes, each)]
        )
    return DropOut(*np.asarray(lines, np.float64).mean(axis=0).tolist())
