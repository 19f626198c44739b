"""How good the votes are: agreement between raters, catch trials, side bias, response times."""

from __future__ import annotations

import numpy as np
import pandas as pd
from scipy.stats import binomtest, ttest_1samp

from study_app.analysis.pair_agreement import Estimate, PairedVotes
from study_app.analysis.preference_scores import counted
from study_app.design.questions import TIE

ALL = "all"


def agreement(votes: pd.DataFrame) -> pd.DataFrame:
    """Krippendorff's alpha (nominal) of each comparison, coded by first and second and not by side; then of all.

    Of decided votes, as comparison, alpha, pairs (those that two raters or more have decided), ci_low, ci_high: the
    interval is over raters and source videos. NaN where no pair has two votes, or where all votes of a comparison are
    the same: then chance agreement is perfect too and alpha has no meaning.

    Over all comparisons disagreement is added up, observed and expected, each within its comparison: 1 − ΣDₒ/ΣDₑ. That
    one system is chosen more often than another, which every rater sees, is no agreement on clips.
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

    Votes of one rater are alike: somebody who leans to one side makes many votes and is one rater. NaN for fewer than
    two raters.
    """
    counting = counted(votes)
    left = counting["chosen"] == counting["left"]
    shares = left.groupby(counting["rater"]).mean().to_numpy(np.float64)
    p_value = float("nan")
    if len(shares) >= 2:
        # raters who all have the same share leave nothing to measure a spread by: each is one choice of a side
        same = np.ptp(shares) == 0
        p_value = min(1.0, 2.0 * 0.5 ** len(shares)) if same else float(ttest_1samp(shares, 0.5).pvalue)
        p_value = 1.0 if same and shares[0] == 0.5 else p_value
    return int(left.sum()), len(counting), p_value


def rater_table(votes: pd.DataFrame) -> pd.DataFrame:
    """One row a rater, excluded ones too.

    As rater, votes, catch_right, catch_had, left (percent of decided votes), left_p, median_ms, flagged (percent),
    excluded.
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
        # somebody of whose votes some count is not excluded, though a pair may have gone to another rater meanwhile
        excluded = "" if (of_rater["excluded"] == "").any() else of_rater["excluded"].iloc[0]
        rows.append([rater, len(trials), right, len(catch), *share, *times, excluded])
    columns = ["rater", "votes", "catch_right", "catch_had", "left", "left_p", "median_ms", "flagged", "excluded"]
    return pd.DataFrame(rows, columns=columns)


def _p(k: int, n: int) -> float:
    return float(binomtest(k, n, 0.5).pvalue) if n else float("nan")
