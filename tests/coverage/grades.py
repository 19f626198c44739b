"""Grades of single clips near an end of the scale; raters and videos lean, and raters leave early."""

from __future__ import annotations

import numpy as np
import pandas as pd
from scipy.stats import norm, t

from bench.statistics.two_way_clusters import Crossing
from study_app.analysis.mean_opinion_scores import BEST, WORST, interval

#: Where one grade ends and the next begins, on the scale of what is felt.
CUTS = np.array([-1.5, -0.5, 0.5, 1.5])
RATER_SD, VIDEO_SD = 0.5, 0.5


def true_mean(level: float) -> float:
    """Mean grade over all raters and videos there could be, where clips are felt as `level`, with noise of 1."""
    spread = np.sqrt(1 + RATER_SD**2 + VIDEO_SD**2)
    return float(WORST + norm.sf((CUTS - level) / spread).sum())


def covered(level: float, raters: int, videos: int, repeats: int, seed: int = 0) -> tuple[float, float]:
    """How often the interval has the mean of all raters and videos: ours, and the one that is symmetric in grades.

    A third of the raters leave before they have graded half of the videos.
    """
    rng = np.random.default_rng([seed, raters, videos, int(100 * level) + 1000])
    truth, hits = true_mean(level), []
    for _ in range(repeats):
        share = np.where(rng.random(raters) < 1 / 3, rng.uniform(0.1, 0.5, raters), 1.0)
        rater, video = np.nonzero(rng.random((raters, videos)) < share[:, None])
        felt = level + RATER_SD * rng.normal(size=raters)[rater] + VIDEO_SD * rng.normal(size=videos)[video]
        grades = WORST + np.searchsorted(CUTS, felt + rng.normal(size=len(rater)))
        mean, crossing = float(grades.mean()), Crossing.of(rater, video)
        low, high = interval(grades, mean, crossing)
        half = float(t.isf(0.025, crossing.freedom) * np.sqrt(crossing.variance(grades - mean)))
        plain = max(WORST, mean - half) <= truth <= min(BEST, mean + half)
        hits.append((low <= truth <= high, plain))
    ours, symmetric = np.mean(hits, axis=0)
    return float(ours), float(symmetric)


LEVELS = (0.0, 1.5, 2.5, 3.2)


def table(raters: int = 12, videos: int = 20, repeats: int = 1000) -> pd.DataFrame:
    """Coverage by the true mean grade, as mean, ours, symmetric."""
    rows = [(true_mean(level), *covered(level, raters, videos, repeats)) for level in LEVELS]
    return pd.DataFrame(rows, columns=["mean", "ours", "symmetric"])
