"""Mean over raters of their own share of votes, with a t interval: each rater counts once.

A POS counts votes, so raters who stay longer count more. If the length of stay depends on preference, a POS is biased
towards raters who stay; the mean over raters is not (Williamson, Datta and Satten, Biometrics 2003).
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
    """Mean of raters' own shares in [0, 1], its 95 % interval, two-sided p value against 1/2, number of raters."""

    mean: float = NAN
    low: float = NAN
    high: float = NAN
    p_value: float = NAN
    raters: int = 0


def over_raters(wins: NDArray[np.bool_], raters: pd.Series) -> RaterMean:
    """Mean of raters' shares of wins [N].

    If all raters have the same share, there is no spread to estimate, so each counts as one coin toss. With one rater
    the interval is [0, 1] and p is NaN.
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
