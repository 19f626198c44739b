"""Each rater counts once: the mean over raters of their own share of votes, by t.

A POS counts votes, so anyone who stays longer counts more. Where raters stay as long as they do because of what they
prefer, votes tell of those who stayed; the mean over raters does not (Williamson, Datta and Satten, Biometrics 2003).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.stats import t, ttest_1samp

from bench.statistics.two_way_clusters import LEVEL

NAN = float("nan")


@dataclass(frozen=True)
class RaterMean:
    """Mean of raters' own shares [0, 1], ends of its 95 % interval, two-sided p value of one half, number of raters."""

    mean: float = NAN
    low: float = NAN
    high: float = NAN
    p_value: float = NAN
    raters: int = 0


def over_raters(wins: NDArray[np.bool_], raters: pd.Series) -> RaterMean:
    """Every rater's share of wins [N], each counting once.

    Raters who all have the same share leave nothing to measure a spread by: each is one toss of a coin. With one rater
    the interval is everything and p is NaN.
    """
    own = pd.Series(np.asarray(wins, np.float64)).groupby(raters.to_numpy()).mean().to_numpy(np.float64)
    count = len(own)
    if not count:
        return RaterMean()
    mean = float(own.mean())
    if count < 2:
        return RaterMean(mean, 0.0, 1.0, NAN, count)
    half = float(t.isf((1 - LEVEL) / 2, count - 1) * own.std(ddof=1) / np.sqrt(count))
    low, high = max(0.0, mean - half), min(1.0, mean + half)
    if np.ptp(own) > 0:
        return RaterMean(mean, low, high, float(ttest_1samp(own, 0.5).pvalue), count)
    if mean == 0.5:
        return RaterMean(mean, low, high, 1.0, count)
    end = ((1 - LEVEL) / 2) ** (1 / count)
    low, high = (min(mean, end), 1.0) if mean > 0.5 else (0.0, max(mean, 1 - end))
    return RaterMean(mean, low, high, min(1.0, 2.0 * 0.5**count), count)
