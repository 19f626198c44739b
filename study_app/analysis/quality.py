"""How good the votes are: agreement between raters, catch trials, side bias, response times."""

from __future__ import annotations

import krippendorff
import numpy as np
import pandas as pd
from scipy.stats import binomtest

from study_app.analysis.tally import counted


def agreement(votes: pd.DataFrame) -> pd.DataFrame:
    """Krippendorff's alpha (nominal, coded by model and not by side) of each comparison, then of all together.

    As comparison, alpha, pairs (those that two raters or more have seen). NaN where none has, or where all votes of a
    comparison are the same: then chance agreement is perfect too and alpha has no meaning.
    """
    counting = counted(votes)
    names = [*dict.fromkeys(counting["comparison"]), "all"]
    rows = []
    for name in names:
        mine = counting if name == "all" else counting[counting["comparison"] == name]
        counts = pd.crosstab([mine["comparison"], mine["clip"]], mine["chosen"]).to_numpy()
        paired = counts[counts.sum(axis=1) >= 2]
        varied = len(paired) and (paired.sum(axis=0) > 0).sum() > 1
        alpha = krippendorff.alpha(value_counts=paired, level_of_measurement="nominal") if varied else np.nan
        rows.append([name, float(alpha), len(paired)])
    return pd.DataFrame(rows, columns=["comparison", "alpha", "pairs"])


def side_bias(votes: pd.DataFrame) -> tuple[int, int, float]:
    """Left choices, votes, and the exact test of left against 50 %, over all counted votes."""
    counting = counted(votes)
    left = int((counting["chosen"] == counting["left"]).sum())
    return left, len(counting), _p(left, len(counting))


def rater_table(votes: pd.DataFrame) -> pd.DataFrame:
    """One row a rater, excluded ones too.

    As rater, votes, catch_right, catch_had, left (percent), left_p, median_ms, flagged (percent), excluded.
    """
    rows = []
    for rater, mine in votes.groupby("rater", sort=False):
        catch = mine[mine["catch"].astype(bool)]
        trials = mine[~mine["catch"].astype(bool) & ~mine["practice"].astype(bool)]
        left, n = int((trials["chosen"] == trials["left"]).sum()), len(trials)
        right = int((catch["chosen"] == catch["first"]).sum())
        share = [100 * left / n if n else np.nan, _p(left, n)]
        times = [float(trials["response_ms"].median()), 100 * float((trials["flags"] != "").mean()) if n else np.nan]
        rows.append([rater, n, right, len(catch), *share, *times, mine["excluded"].iloc[0]])
    columns = ["rater", "votes", "catch_right", "catch_had", "left", "left_p", "median_ms", "flagged", "excluded"]
    return pd.DataFrame(rows, columns=columns)


def _p(k: int, n: int) -> float:
    return float(binomtest(k, n, 0.5).pvalue) if n else float("nan")
