"""Mean opinion scores (MOS) of methods whose clips were graded one by one, from 5 (excellent) to 1 (bad).

Grades are never votes: they are not shares of choices and never enter a POS. Intervals are t intervals within the
scale. They account for the similarity of grades by one rater and of grades on one source video (`two_way_clusters`).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.special import expit, logit
from scipy.stats import t

from bench.errors import BenchError
from bench.statistics import holm
from bench.statistics.two_way_clusters import LEVEL, Crossing
from study_app.analysis.p910 import recover
from study_app.design.questions import GRADES

#: Frozen column names of `mos.csv`; `grade_1` to `grade_5` count the grades of each value.
MOS_COLUMNS = [
    "system", "ratings", "mos", "ci_low", "ci_high", "sd", *(f"grade_{grade}" for grade in GRADES), "raters", "clips",
    "videos", "simulated", "p910",
]  # fmt: skip
#: Frozen column names of `mos_clips.csv`; `p910` is by Annex E, and its standard error covers raters' noise only.
CLIP_COLUMNS = ["system", "clip", "video", "ratings", "mos", "p910", "p910_error"]
#: Frozen column names of `mos_differences.csv`.
DIFFERENCE_COLUMNS = ["first", "second", "difference", "ci_low", "ci_high", "p", "p_holm"]
WORST, BEST = 1.0, 5.0
#: A standard error of a clip's quality below this, in grades, means that a single rater without noise decides it.
STEADY = 0.01
Floats = NDArray[np.float64]


def counted(ratings: pd.DataFrame) -> pd.DataFrame:
    """The grades that enter a mean: those of trials, by raters who are neither excluded nor withdrawn.

    Raises:
        BenchError: real and simulated grades appear in one table, or the table contains votes.
    """
    if "rating" not in ratings:
        raise BenchError(
            "These are votes between two clips, not grades. Give the ratings.csv of a study of single clips."
        )
    if ratings["simulated"].nunique() > 1:
        raise BenchError("Real and simulated grades must not be mixed: give the ratings of one study.")
    check = ratings["catch"].astype(bool) | ratings["practice"].astype(bool)
    return ratings[~check & (ratings["excluded"] == "")]


def mos_table(ratings: pd.DataFrame, systems: Sequence[str]) -> pd.DataFrame:
    """Mean grade of each method, as `MOS_COLUMNS`; a method without grades has an empty row.

    With one rater or one video, the data do not generalise to others, so the interval is the whole scale.
    """
    simulated = bool(ratings["simulated"].any())
    counting, clips = counted(ratings), clip_table(ratings)
    rows: list[list[object]] = []
    for system in systems:
        ratings_of = counting[counting["system"] == system]
        grades = ratings_of["rating"].to_numpy(np.float64)
        counts = [int((grades == int(grade)).sum()) for grade in GRADES]
        tail: list[object] = [*counts, *(ratings_of[of].nunique() for of in ("rater", "clip", "video")), simulated]
        of_clips = clips[clips["system"] == system]
        tail.append(float(np.average(of_clips["p910"], weights=of_clips["ratings"])) if len(grades) else np.nan)
        if not len(grades):
            rows.append([system, 0, *[np.nan] * 4, *tail])
            continue
        mean, low, high = float(grades.mean()), WORST, BEST
        crossing = Crossing.of(list(ratings_of["rater"]), list(ratings_of["video"]))
        if crossing.known:
            low, high = interval(grades, mean, crossing)
        spread = float(grades.std(ddof=1)) if len(grades) > 1 else np.nan
        rows.append([system, len(grades), mean, low, high, spread, *tail])
    return pd.DataFrame(rows, columns=MOS_COLUMNS)


def interval(grades: Floats, mean: float, crossing: Crossing) -> tuple[float, float]:
    """Ends of the 95 % interval of a mean grade: a t interval of the log odds of its position on the scale.

    Near an end of the scale, an interval that is symmetric in grades is too short towards the middle. If all grades are
    the worst or all are the best, they count as one coin toss per rater, or per video if there are fewer videos.
    """
    share = (mean - WORST) / (BEST - WORST)
    units = min(crossing.raters.count, crossing.videos.count)
    end = ((1 - LEVEL) / 2) ** (1 / units)
    if share in (0.0, 1.0):
        return (WORST, BEST - (BEST - WORST) * end) if share == 0 else (WORST + (BEST - WORST) * end, BEST)
    error = float(np.sqrt(crossing.variance(grades - mean))) / (BEST - WORST) / (share * (1 - share))
    half = float(t.isf((1 - LEVEL) / 2, crossing.freedom)) * error
    low, high = expit(logit(share) - half), expit(logit(share) + half)
    return WORST + (BEST - WORST) * float(low), WORST + (BEST - WORST) * float(high)


@dataclass(frozen=True)
class Gap:
    """A difference of two methods' means, its standard error (NaN if unknown) and degrees of freedom."""

    first: str
    second: str
    difference: float
    error: float
    freedom: float


def gaps(ratings: pd.DataFrame, systems: Sequence[str]) -> Iterator[Gap]:
    """Yield differences of mean grades of all pairs of methods that have grades, over raters and source videos.

    The same crossing removes the effects of raters and videos that both methods share. If a rater gives both methods
    higher grades, this does not count as a difference.
    """
    counting = counted(ratings)
    for first, second in combinations(systems, 2):
        ratings_of = counting[counting["system"].isin([first, second])]
        ours = (ratings_of["system"] == first).to_numpy()
        if ours.all() or not ours.any():
            continue
        grades = ratings_of["rating"].to_numpy(np.float64)
        means = [grades[ours].mean(), grades[~ours].mean()]
        # influence of each grade on the difference, scaled as for a mean over all grades
        moves = np.where(ours, (grades - means[0]) / ours.mean(), (means[1] - grades) / (~ours).mean())
        crossing = Crossing.of(list(ratings_of["rater"]), list(ratings_of["video"]))
        error = float(np.sqrt(crossing.variance_of_difference(moves))) if crossing.known else np.nan
        yield Gap(first, second, float(means[0] - means[1]), error, crossing.freedom)


def differences(ratings: pd.DataFrame, systems: Sequence[str]) -> pd.DataFrame:
    """Differences of mean grades of all pairs of methods, as `DIFFERENCE_COLUMNS`, Holm-corrected over all pairs."""
    rows: list[list[object]] = []
    for gap in gaps(ratings, systems):
        low, high, p_value = WORST - BEST, BEST - WORST, 1.0
        if np.isfinite(gap.error):
            half = float(t.isf((1 - LEVEL) / 2, gap.freedom)) * gap.error
            low, high = max(low, gap.difference - half), min(high, gap.difference + half)
            p_value = float(gap.difference == 0)
            if gap.error:
                p_value = float(2 * t.sf(abs(gap.difference) / gap.error, gap.freedom))
        rows.append([gap.first, gap.second, gap.difference, low, high, p_value, np.nan])
    table = pd.DataFrame(rows, columns=DIFFERENCE_COLUMNS)
    if len(table):
        table["p_holm"] = holm(table["p"])
    return table


def follows_one_rater(clips: pd.DataFrame) -> bool:
    """Whether Annex E gave one rater all the weight in a `clip_table`, because that rater's noise is almost 0."""
    return bool((clips["p910_error"] < STEADY).any())


def clip_table(ratings: pd.DataFrame) -> pd.DataFrame:
    """Mean grade and quality by ITU-T P.910, Annex E (`p910`) of each clip, as `CLIP_COLUMNS`."""
    counting = counted(ratings)
    shown = counting.groupby(["system", "clip"], sort=False)
    table = shown.agg(video=("video", "first"), ratings=("rating", "size"), mos=("rating", "mean")).reset_index()
    if not len(counting):
        return table.assign(p910=np.nan, p910_error=np.nan)[CLIP_COLUMNS]
    rater = np.unique(counting["rater"].to_numpy(str), return_inverse=True)[1]
    found = recover(counting["rating"].to_numpy(np.float64), shown.ngroup().to_numpy(), rater)
    return table.assign(p910=found.quality, p910_error=found.error)[CLIP_COLUMNS]
