"""From grades to mean opinion scores (MOS) of systems whose clips were graded one by one, 5 excellent to 1 bad.

Grades are never votes: they are no share of anything, and they enter no POS. Intervals know that grades of one rater
and grades of one source video are alike (`two_way_clusters`), by t, within the scale.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations

import numpy as np
import pandas as pd
from scipy.stats import t

from bench.errors import BenchError
from bench.statistics import holm
from bench.statistics.two_way_clusters import LEVEL, Crossing
from study_app.design.questions import GRADES

#: Frozen column names of `mos.csv`; `grade_1` to `grade_5`: how often each grade was given.
MOS_COLUMNS = [
    "system", "ratings", "mos", "ci_low", "ci_high", "sd", *(f"grade_{grade}" for grade in GRADES), "raters", "clips",
    "videos", "simulated",
]  # fmt: skip
#: Frozen column names of `mos_differences.csv`.
DIFFERENCE_COLUMNS = ["first", "second", "difference", "ci_low", "ci_high", "p", "p_holm"]
WORST, BEST = 1.0, 5.0


def counted(ratings: pd.DataFrame) -> pd.DataFrame:
    """The grades that enter a mean: of trials, of raters who are neither excluded nor withdrawn.

    Raises:
        BenchError: real and simulated grades stand in one table, or the table has votes in it.
    """
    if "rating" not in ratings:
        raise BenchError("Votes between two clips are no grades: give the ratings.csv of a study of single clips.")
    if ratings["simulated"].nunique() > 1:
        raise BenchError("Real and simulated grades are never put together: give the ratings of one study.")
    check = ratings["catch"].astype(bool) | ratings["practice"].astype(bool)
    return ratings[~check & (ratings["excluded"] == "")]


def mos_table(ratings: pd.DataFrame, systems: Sequence[str]) -> pd.DataFrame:
    """Mean grade of each system, as `MOS_COLUMNS`; a system without grades has an empty line.

    With one rater or one video nothing can be said of others: the interval is the whole scale.
    """
    simulated = bool(ratings["simulated"].any())
    counting = counted(ratings)
    rows: list[list[object]] = []
    for system in systems:
        ratings_of = counting[counting["system"] == system]
        grades = ratings_of["rating"].to_numpy(np.float64)
        counts = [int((grades == int(grade)).sum()) for grade in GRADES]
        tail = [*counts, *(ratings_of[of].nunique() for of in ("rater", "clip", "video")), simulated]
        if not len(grades):
            rows.append([system, 0, *[np.nan] * 4, *tail])
            continue
        mean, low, high = float(grades.mean()), WORST, BEST
        crossing = Crossing.of(list(ratings_of["rater"]), list(ratings_of["video"]))
        if crossing.known:
            half = float(t.isf((1 - LEVEL) / 2, crossing.freedom) * np.sqrt(crossing.variance(grades - mean)))
            low, high = max(WORST, mean - half), min(BEST, mean + half)
        spread = float(grades.std(ddof=1)) if len(grades) > 1 else np.nan
        rows.append([system, len(grades), mean, low, high, spread, *tail])
    return pd.DataFrame(rows, columns=MOS_COLUMNS)


def differences(ratings: pd.DataFrame, systems: Sequence[str]) -> pd.DataFrame:
    """Differences of mean grades of every two systems, as `DIFFERENCE_COLUMNS`, with Holm's correction over all.

    Raters and videos that two systems share are taken out by the same crossing: what a rater gives both alike does not
    count as a difference.
    """
    counting = counted(ratings)
    rows: list[list[object]] = []
    for first, second in combinations(systems, 2):
        ratings_of = counting[counting["system"].isin([first, second])]
        ours = (ratings_of["system"] == first).to_numpy()
        if ours.all() or not ours.any():
            continue
        grades = ratings_of["rating"].to_numpy(np.float64)
        means = [grades[ours].mean(), grades[~ours].mean()]
        # what each grade moves the difference by, as if it were a mean over all of them
        moves = np.where(ours, (grades - means[0]) / ours.mean(), (means[1] - grades) / (~ours).mean())
        gap = float(means[0] - means[1])
        low, high, p_value = WORST - BEST, BEST - WORST, 1.0
        crossing = Crossing.of(list(ratings_of["rater"]), list(ratings_of["video"]))
        if crossing.known:
            error = float(np.sqrt(crossing.variance_of_difference(moves)))
            half = float(t.isf((1 - LEVEL) / 2, crossing.freedom)) * error
            low, high = max(low, gap - half), min(high, gap + half)
            p_value = float(2 * t.sf(abs(gap) / error, crossing.freedom)) if error else float(gap == 0)
        rows.append([first, second, gap, low, high, p_value, np.nan])
    table = pd.DataFrame(rows, columns=DIFFERENCE_COLUMNS)
    if len(table):
        table["p_holm"] = holm(table["p"])
    return table
