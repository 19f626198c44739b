"""From votes to POS: shares, intervals and tests.

POS(A over B) = 100 · (trials in which A was chosen) / (trials). Beside the exact interval, which takes votes as
independent, stands one that knows that votes of one rater and votes on one clip are alike.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.stats import binomtest, t

from bench.errors import BenchError
from bench.statistics import holm

LEVEL = 0.95
RESAMPLES = 1000
#: Frozen column names of `pos.csv`; shares in percent.
POS_COLUMNS = [
    "comparison", "first", "second", "chosen", "votes", "pos", "ci_low", "ci_high", "p", "p_holm",
    "crossed_low", "crossed_high", "raters", "clips", "simulated",
]  # fmt: skip
Floats = NDArray[np.float64]


def counted(votes: pd.DataFrame) -> pd.DataFrame:
    """The votes that enter a tally: trials, of raters who are neither excluded nor withdrawn.

    Raises:
        BenchError: real and simulated votes stand in one table.
    """
    if votes["simulated"].nunique() > 1:
        raise BenchError("Real and simulated votes are never tallied together: give the votes of one study.")
    check = votes["catch"].astype(bool) | votes["practice"].astype(bool)
    return votes[~check & (votes["excluded"] == "")]


def pos_table(
    votes: pd.DataFrame, comparisons: Sequence[tuple[str, str]], *, resamples: int = RESAMPLES, seed: int = 0
) -> pd.DataFrame:
    """POS of each comparison, as `POS_COLUMNS`; a comparison without votes has an empty line.

    `p` is the exact two-sided test against 50, `p_holm` corrected over the comparisons that have votes.
    """
    simulated = bool(votes["simulated"].any())
    counting = counted(votes)
    rows = []
    for first, second in comparisons:
        mine = counting[(counting["first"] == first) & (counting["second"] == second)]
        n, k = len(mine), int((mine["chosen"] == first).sum())
        raters, clips = mine["rater"].nunique(), mine["clip"].nunique()
        name, tail = f"{first} over {second}", [raters, clips, simulated]
        if not n:
            rows.append([name, first, second, 0, 0, *[np.nan] * 7, *tail])
            continue
        test = binomtest(k, n, 0.5)
        low, high = test.proportion_ci(LEVEL, method="exact")
        wins = np.asarray(mine["chosen"] == first, np.float64)
        crossed = crossed_interval(wins, mine["rater"], mine["clip"], resamples=resamples, seed=seed)
        exact = [100 * k / n, 100 * low, 100 * high, test.pvalue, np.nan]
        rows.append([name, first, second, k, n, *exact, *(100 * np.array(crossed)), *tail])
    table = pd.DataFrame(rows, columns=POS_COLUMNS)
    tested = table["votes"] > 0
    if tested.any():
        table.loc[tested, "p_holm"] = holm(table.loc[tested, "p"])
    return table


def crossed_interval(
    wins: Floats, raters: pd.Series, clips: pd.Series, *, resamples: int = RESAMPLES, seed: int = 0
) -> tuple[float, float]:
    """95 % interval of a share whose votes share raters and clips.

    Variances of three bootstraps are joined as in two-way clustering (Cameron, Gelbach & Miller 2011, eq. 2.13): over
    raters, plus over clips, minus over single votes. Resampling both at once would count the single votes' own noise
    three times (Owen 2007). The interval is made on the logit scale, with as many degrees of freedom as the smaller
    number of groups gives, and is never narrower than independent votes would make it. Where all votes agree no
    bootstrap can vary: the exact interval is given.
    """
    share, n = float(wins.mean()), len(wins)
    rng = np.random.default_rng(seed)
    groups = [pd.factorize(raters)[0], pd.factorize(clips)[0]]
    smallest = min(int(g.max()) + 1 for g in groups)
    if share in (0.0, 1.0) or smallest < 2:
        exact = binomtest(round(share * n), n).proportion_ci(LEVEL, method="exact")
        return float(exact.low), float(exact.high)
    by_rater, by_clip = (_bootstrap_variance(wins, g, resamples, rng) for g in groups)
    # resampling single votes gives the binomial variance, which is known
    single = share * (1 - share) / n
    variance = max(by_rater + by_clip - single, single)
    centre, slope = np.log(share / (1 - share)), share * (1 - share)
    half = t.ppf(0.5 + LEVEL / 2, smallest - 1) * np.sqrt(variance) / slope
    low, high = 1 / (1 + np.exp(-(centre - half))), 1 / (1 + np.exp(-(centre + half)))
    return float(low), float(high)


def _bootstrap_variance(wins: Floats, groups: NDArray[np.int64], resamples: int, rng: np.random.Generator) -> float:
    """Variance of the share when whole groups are drawn with replacement."""
    size = int(groups.max()) + 1
    won, had = np.bincount(groups, wins, size), np.bincount(groups, minlength=size)
    weights = rng.multinomial(size, np.full(size, 1 / size), size=resamples)  # [resamples, groups]
    shares = (weights @ won) / (weights @ had)
    return float(shares.var(ddof=1)) * size / (size - 1)
