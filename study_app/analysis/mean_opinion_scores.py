"""From grades to mean opinion scores (MOS) of systems whose clips were graded one by one, 5 excellent to 1 bad.

Grades are never votes: they are no share of anything, and they enter no POS. Intervals know that grades of one rater
and grades of one source video are alike (`two_way_clusters`), by t, within the scale.
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

#: Frozen column names of `mos.csv`; `grade_1` to `grade_5`: how often each grade was given.
MOS_COLUMNS = [
    "system", "ratings", "mos", "ci_low", "ci_high", "sd", *(f"grade_{grade}" for grade in GRADES), "raters", "clips",
    "videos", "simulated", "p910",
]  # fmt: skip
#: Frozen column names of `mos_clips.csv`: `p910` by Annex E, with the standard error of raters' noise.
CLIP_COLUMNS = ["system", "clip", "video", "ratings", "mos", "p910", "p910_error"]
#: Frozen column names of `mos_differences.csv`.
DIFFERENCE_COLUMNS = ["first", "second", "difference", "ci_low", "ci_high", "p", "p_holm"]
WORST, BEST = 1.0, 5.0
#: A smaller standard error of a clip's quality, in grades, can only be that of a single rater who is never off.
STEADY = 0.01
Floats = NDArray[np.float64]


def counted(ratings: pd.DataFrame) -> pd.DataFrame:
    """The grades that enter a mean: of trials, of raters who are neither excluded nor withdrawn.

    Raises:
        BenchError: real and simulated grades appear in one table, or the table has votes in it.
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
    """Mean grade of each system, as `MOS_COLUMNS`; a system without grades has an empty line.

    With one rater or one video nothing can be said of others: the interval is the whole scale.
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
    """Ends of the 95 % interval of a mean grade: by t, of the logarithm of its odds to lie towards the best.

    Near an end of the scale an interval that is symmetric in grades is too short towards the middle. Grades that are
    all the worst or the best are one toss of a coin for each rater, or for each video where those are fewer.
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
    """A difference of two systems' means, its standard error and degrees of freedom; NaN where it is not known."""

    first: str
    second: str
    difference: float
    error: float
    freedom: float


def gaps(ratings: pd.DataFrame, systems: Sequence[str]) -> Iterator[Gap]:
    """Differences of mean grades of every two systems that have grades, over raters and source videos.

    Raters and videos that two systems share are taken out by the same crossing: what a rater gives both alike does not
    count as a difference.
    """
    counting = counted(ratings)
    for first, second in combinations(systems, 2):
        ratings_of = counting[counting["system"].isin([first, second])]
        ours = (ratings_of["system"] == first).to_numpy()
        if ours.all() or not ours.any():
            continue
        grades = ratings_of["rating"].to_numpy(np.float64)
        means = [grades[ours].mean(), grades[~ours].mean()]
        # what each grade moves the difference by, as if it were a mean over all of them
        moves = np.where(ours, (grades - means[0]) / ours.mean(), (means[1] - grades) / (~ours).mean())
        crossing = Crossing.of(list(ratings_of["rater"]), list(ratings_of["video"]))
        error = float(np.sqrt(crossing.variance_of_difference(moves))) if crossing.known else np.nan
        yield Gap(first, second, float(means[0] - means[1]), error, crossing.freedom)


def differences(ratings: pd.DataFrame, systems: Sequence[str]) -> pd.DataFrame:
    """Differences of mean grades of every two systems, as `DIFFERENCE_COLUMNS`, with Holm's correction over all."""
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
    """Whether Annex E has given one rater all the weight, in a `clip_table`: then its noise is nearly 0."""
    return bool((clips["p910_error"] < STEADY).any())


def clip_table(ratings: pd.DataFrame) -> pd.DataFrame:
    """Mean grade of each clip, as `CLIP_COLUMNS`, beside its quality by ITU-T P.910, Annex E (`p910`)."""
    counting = counted(ratings)
    shown = counting.groupby(["system", "clip"], sort=False)
    table = shown.agg(video=("video", "first"), ratings=("rating", "size"), mos=("rating", "mean")).reset_index()
    if not len(counting):
        return table.assign(p910=np.nan, p910_error=np.nan)[CLIP_COLUMNS]
    rater = np.unique(counting["rater"].to_numpy(str), return_inverse=True)[1]
    found = recover(counting["rating"].to_numpy(np.float64), shown.ngroup().to_numpy(), rater)
    return table.assign(p910=found.quality, p910_error=found.error)[CLIP_COLUMNS]
