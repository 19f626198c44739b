"""A study that is looked at five times: raters come back at each look, and some of them leave."""

from __future__ import annotations

import numpy as np
from scipy.special import expit

from bench.statistics.two_way_clusters import Crossing, shares
from study_app.design.planned_looks import levels
from study_app.design.settings import OBRIEN_FLEMING

LOOKS = 5


def size(repeats: int, shape: str = OBRIEN_FLEMING, raters: int = 30, seed: int = 0) -> tuple[float, float]:
    """How often any look finds a difference where there is none: at the levels planned for it, and at 5 % each.

    Six new raters at each look give 12 votes each, fewer where they leave early (a fifth does). Raters and videos lean.
    """
    rng = np.random.default_rng([seed, raters])
    planned = levels([k / LOOKS for k in range(1, LOOKS + 1)], LOOKS, shape)
    found = np.zeros((repeats, 2))
    for repeat in range(repeats):
        votes = np.where(rng.random(raters) < 0.2, rng.integers(1, 12, raters), 12)
        rater = np.repeat(np.arange(raters), votes)
        video = rng.integers(0, 40, len(rater))
        odds = 0.5 * rng.normal(size=raters)[rater] + 0.4 * rng.normal(size=40)[video]
        wins = (rng.random(len(rater)) < expit(odds)).astype(float)
        for look in range(LOOKS):
            had = rater < raters * (look + 1) // LOOKS
            p_value = float(shares(wins[had], Crossing.of(rater[had], video[had])).p_value)
            found[repeat] = np.maximum(found[repeat], [p_value < planned[look], p_value < 0.05])
    adjusted, plain = found.mean(axis=0)
    return float(adjusted), float(plain)
