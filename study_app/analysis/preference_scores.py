"""POS from votes: shares, intervals and tests.

POS(A over B) = 100 · (trials in which A was chosen) / (trials). The interval and the test account for the similarity of
votes by one rater and of votes on one source video (`two_way_clusters`). They are accompanied by an exact interval and
test, which treat votes as independent.

If a study allows ties, only decided trials count: ties are in neither k nor n, and are reported separately as a share
of all votes. A POS thus remains a share of whole choices, as the exact test requires, and has the same meaning as
without ties. The sign test also ignores ties (Dixon and Mood, Journal of the American Statistical Association 1946).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from scipy.stats import binomtest

from bench.errors import BenchError
from bench.statistics import holm
from bench.statistics.two_way_clusters import LEVEL, Crossing, shares
from study_app.analysis.rater_means import over_raters
from study_app.design.questions import TIE

#: Frozen column names of `pos.csv`; shares in percent.
POS_COLUMNS = [
    "comparison", "first", "second", "chosen", "votes", "pos", "ci_low", "ci_high", "p", "p_holm",
    "exact_low", "exact_high", "exact_p", "raters", "clips", "videos", "simulated", "rater_mean", "rater_low",
    "rater_high", "rater_p",
]  # fmt: skip


#: Frozen column names of `ties.csv`; shares in percent.
TIE_COLUMNS = ["comparison", "first", "second", "votes", "ties", "share", "ci_low", "ci_high", "pos", "half"]


def counted(votes: pd.DataFrame) -> pd.DataFrame:
    """The votes that enter a tally: decided trials, by raters who are neither excluded nor withdrawn.

    Raises:
        BenchError: real and simulated votes appear in one table.
    """
    if votes["simulated"].nunique() > 1:
        raise BenchError("Real and simulated votes must not be mixed: give the votes of one study.")
    return _of_trials(votes, votes["chosen"] != TIE)


def trials(votes: pd.DataFrame) -> pd.DataFrame:
    """The votes that count, including ties."""
    return _of_trials(votes, votes["chosen"] != "")


def _of_trials(votes: pd.DataFrame, which: pd.Series[bool]) -> pd.DataFrame:
    check = votes["catch"].astype(bool) | votes["practice"].astype(bool)
    return votes[~check & (votes["excluded"] == "") & which]


def ties_table(votes: pd.DataFrame, comparisons: Sequence[tuple[str, str]]) -> pd.DataFrame:
    """Ties of each comparison, as `TIE_COLUMNS`.

    `share` is that of `ties` among `votes`, with an interval over raters and source videos. `pos` is that of the
    decided votes; `half` counts each tie as half a vote for each method.
    """
    rows = []
    every = _of_trials(votes, votes["chosen"] != "")
    for first, second in comparisons:
        of_pair = every[(every["first"] == first) & (every["second"] == second)]
        tied = np.asarray(of_pair["chosen"] == TIE, np.float64)
        n, ties, k = len(of_pair), int(tied.sum()), int((of_pair["chosen"] == first).sum())
        numbers = [np.nan] * 5
        if n:
            share = shares(tied, Crossing.of(list(of_pair["rater"]), list(of_pair["video"])))
            ends = [100 * float(share.low), 100 * float(share.high)]
            decided = 100 * k / (n - ties) if n > ties else np.nan
            numbers = [100 * ties / n, *ends, decided, 100 * (k + ties / 2) / n]
        rows.append([f"{first} over {second}", first, second, n, ties, *numbers])
    return pd.DataFrame(rows, columns=TIE_COLUMNS)


def pos_table(votes: pd.DataFrame, comparisons: Sequence[tuple[str, str]]) -> pd.DataFrame:
    """POS of each comparison, as `POS_COLUMNS`; a comparison without votes has an empty row.

    `ci_low`, `ci_high` and `p`, the two-sided test against 50, are over raters and source videos. With one rater or one
    video they are 0, 100 and 1. `p_holm` is corrected over the comparisons that have votes. `rater_mean`, with its
    interval and p, counts each rater once (`rater_means`).
    """
    simulated = bool(votes["simulated"].any())
    counting = counted(votes)
    rows = []
    for first, second in comparisons:
        of_pair = counting[(counting["first"] == first) & (counting["second"] == second)]
        n, k = len(of_pair), int((of_pair["chosen"] == first).sum())
        tail: list[object] = [*(of_pair[of].nunique() for of in ("rater", "clip", "video")), simulated]
        each = over_raters(np.asarray(of_pair["chosen"] == first), of_pair["rater"])
        tail += [100 * each.mean, 100 * each.low, 100 * each.high, each.p_value]
        name = f"{first} over {second}"
        if not n:
            rows.append([name, first, second, 0, 0, *[np.nan] * 8, *tail])
            continue
        wins = np.asarray(of_pair["chosen"] == first, np.float64)
        share = shares(wins, Crossing.of(list(of_pair["rater"]), list(of_pair["video"])))
        test = binomtest(k, n, 0.5)
        exact = test.proportion_ci(LEVEL, method="exact")
        crossed = [100 * float(share.low), 100 * float(share.high), float(share.p_value), np.nan]
        rows.append(
            [name, first, second, k, n, 100 * k / n, *crossed, 100 * exact.low, 100 * exact.high, test.pvalue, *tail]
        )
    table = pd.DataFrame(rows, columns=POS_COLUMNS)
    tested = table["votes"] > 0
    table.loc[tested, "p_holm"] = holm(table.loc[tested, "p"])
    return table
