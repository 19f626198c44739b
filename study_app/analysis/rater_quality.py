"""Quality of votes: agreement between raters, catch trials, side bias, response times."""

from __future__ import annotations

import numpy as np
import pandas as pd
from scipy.stats import binomtest, ttest_1samp

from study_app.analysis.pair_agreement import Estimate, PairedVotes
from study_app.analysis.preference_scores import counted
from study_app.design.questions import TIE

ALL = "all"


def agreement(votes: pd.DataFrame) -> pd.DataFrame:
    """Krippendorff's alpha (nominal) of each comparison, then of all; votes are coded by method and not by side.

    The columns are comparison, alpha, pairs (that at least two raters decided), ci_low, ci_high. Only decided votes
    count. The interval is over raters and source videos. Alpha is NaN if no pair has two votes. It is also NaN if all
    votes of a comparison are the same, because agreement by chance is then perfect.

    Over all comparisons, alpha is 1 − ΣDₒ/ΣDₑ: disagreement, observed and expected, is counted within each comparison
    and then summed. If raters merely choose one method more often than another, this is not agreement on clips.
    """
    counting = counted(votes)
    parts = [(str(name), of_comparison) for name, of_comparison in counting.groupby("comparison", sort=False)]
    rows = []
    for name, of_part in [*parts, (ALL, counting)]:
        paired = PairedVotes.of(of_part)
        alpha = Estimate() if paired is None else paired.alpha()
        rows.append([name, alpha.value, 0 if paired is None else paired.count, alpha.low, alpha.high])
    return pd.DataFrame(rows, columns=["comparison", "alpha", "pairs", "ci_low", "ci_high"])


def side_bias(votes: pd.DataFrame) -> tuple[int, int, float]:
    """Left choices, votes, and the p value of "raters choose left as often as right", by a t test over raters' shares.

    The unit is the rater, because a rater who prefers one side casts many similar votes. p is NaN for fewer than two
    raters.
    """
    counting = counted(votes)
    left = counting["chosen"] == counting["left"]
    shares = left.groupby(counting["rater"]).mean().to_numpy(np.float64)
    p_value = float("nan")
    if len(shares) >= 2:
        # if all raters have the same share, there is no spread to estimate, so each counts as one choice of a side
        same = np.ptp(shares) == 0
        p_value = min(1.0, 2.0 * 0.5 ** len(shares)) if same else float(ttest_1samp(shares, 0.5).pvalue)
        p_value = 1.0 if same and shares[0] == 0.5 else p_value
    return int(left.sum()), len(counting), p_value


def rater_table(votes: pd.DataFrame) -> pd.DataFrame:
    """One row per rater, including excluded ones.

    The columns are rater, votes, catch_right, catch_had, left (percent of decided votes), left_p, median_ms, flagged
    (percent), excluded.
    """
    rows = []
    for rater, of_rater in votes.groupby("rater", sort=False):
        catch = of_rater[of_rater["catch"].astype(bool)]
        trials = of_rater[~of_rater["catch"].astype(bool) & ~of_rater["practice"].astype(bool)]
        decided = trials[trials["chosen"] != TIE]
        left, n = int((decided["chosen"] == decided["left"]).sum()), len(decided)
        right = int((catch["chosen"] == catch["first"]).sum())
        share = [100 * left / n if n else np.nan, _p(left, n)]
        times = [
            float(trials["response_ms"].median()),
            100 * float((trials["flags"] != "").mean()) if len(trials) else np.nan,
        ]
        # a rater with any counted vote is not excluded, even if some of their pairs went to another rater meanwhile
        excluded = "" if (of_rater["excluded"] == "").any() else of_rater["excluded"].iloc[0]
        rows.append([rater, len(trials), right, len(catch), *share, *times, excluded])
    columns = ["rater", "votes", "catch_right", "catch_had", "left", "left_p", "median_ms", "flagged", "excluded"]
    return pd.DataFrame(rows, columns=columns)


def _p(k: int, n: int) -> float:
    return float(binomtest(k, n, 0.5).pvalue) if n else float("nan")
