"""Equivalence tests: whether preferences between two methods stay within a margin that was stated beforehand.

"No significant difference" does not show equivalence. Two one-sided tests at 5 % do (Schuirmann, Journal of
Pharmacokinetics and Biopharmaceutics 1987). They are applied to shares of votes, to differences of mean grades and to
differences of strengths, each over raters and source videos. The test of shares is accompanied by an exact test that
treats votes as independent.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import pandas as pd
from scipy.special import logit
from scipy.stats import binom, t

from bench.statistics import holm
from bench.statistics.two_way_clusters import Crossing, shares
from study_app.analysis import mean_opinion_scores, ranking
from study_app.analysis.preference_scores import counted

ALPHA = 0.05
#: Frozen column names of `equivalence.csv`. `measure` is pos (percent), mos (grades) or strength (log odds). `p_holm`
#: is corrected over the rows of one measure; `exact_p` treats votes as independent.
EQUIVALENCE_COLUMNS = [
    "measure", "first", "second", "value", "margin_low", "margin_high", "p", "p_holm", "exact_p", "shown",
]  # fmt: skip


def of_votes(votes: pd.DataFrame, comparisons: Sequence[tuple[str, str]], margin: float) -> pd.DataFrame:
    """Test POS within 50 ± `margin` percent, and strength differences within ± the log odds of 50 + `margin`."""
    counting = counted(votes)
    lines: list[list[object]] = []
    low, high = 0.5 - margin / 100, 0.5 + margin / 100
    for first, second in comparisons:
        of_pair = counting[(counting["first"] == first) & (counting["second"] == second)]
        if not len(of_pair):
            continue
        wins = np.asarray(of_pair["chosen"] == first, np.float64)
        k, n = int(wins.sum()), len(wins)
        found = shares(wins, Crossing.of(list(of_pair["rater"]), list(of_pair["video"])))
        p_value = max(float(found.above(low)), float(found.below(high)))
        exact = max(float(binom.sf(k - 1, n, low)), float(binom.cdf(k, n, high)))
        lines.append(["pos", first, second, 100 * k / n, 100 * low, 100 * high, p_value, np.nan, exact, False])
    limit = float(logit(high))
    for line in ranking.one_sided(votes, limit):
        lines.append(["strength", line.first, line.second, line.value, -limit, limit, line.p, np.nan, np.nan, False])
    return _corrected(lines)


def of_grades(ratings: pd.DataFrame, systems: Sequence[str], margin: float) -> pd.DataFrame:
    """Test differences of mean grades within ± `margin` grades.

    If each rater grades both methods once, these are the paired t tests.
    """
    lines: list[list[object]] = []
    for gap in mean_opinion_scores.gaps(ratings, systems):
        p_value = 1.0
        if gap.error:
            p_value = float(t.sf((margin - abs(gap.difference)) / gap.error, gap.freedom))
        elif math.isfinite(gap.error):
            p_value = float(abs(gap.difference) >= margin)
        lines.append(["mos", gap.first, gap.second, gap.difference, -margin, margin, p_value, np.nan, np.nan, False])
    return _corrected(lines)


def _corrected(lines: list[list[object]]) -> pd.DataFrame:
    table = pd.DataFrame(lines, columns=EQUIVALENCE_COLUMNS)
    for _, of in table.groupby("measure"):
        table.loc[of.index, "p_holm"] = holm(of["p"].to_numpy(np.float64))
    table["shown"] = table["p_holm"].astype(float) < ALPHA
    return table
