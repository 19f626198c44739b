"""Reliability of grades: intraclass correlations (Shrout and Fleiss, Psychological Bulletin 1979).

Each form exists for a single grade and for the mean of a clip's grades. ICC(1): each clip has its own raters. ICC(2):
the same raters grade every clip and are a sample of a larger population. ICC(3): these raters are the only ones of
interest; its mean form is Cronbach's alpha. Intervals use the F distribution (McGraw and Wong, Psychological Methods
1996).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from scipy.stats import f

from bench.errors import BenchError
from bench.statistics.two_way_clusters import LEVEL
from study_app.analysis.mean_opinion_scores import counted

NAN = float("nan")
#: Frozen column names of `reliability.csv`; `form` is Shrout and Fleiss's name, `grades` the average number per clip.
RELIABILITY_COLUMNS = ["form", "value", "ci_low", "ci_high", "clips", "raters", "grades"]
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Correlation:
    """An intraclass correlation and the ends of its 95 % interval."""

    value: float
    low: float = NAN
    high: float = NAN


def _mean_form(single: Correlation, grades: float) -> Correlation:
    """Correlation of the mean of `grades` grades, by the Spearman–Brown formula."""
    return Correlation(*(grades * r / (1 + (grades - 1) * r) for r in (single.value, single.low, single.high)))


def _by_f(ratio: float, grades: float, between: float, within: float) -> Correlation:
    """Correlation from a ratio of mean squares with `between` and `within` degrees of freedom."""
    tail = (1 - LEVEL) / 2
    ends = ratio / f.isf(tail, between, within), ratio * f.isf(tail, within, between)
    return Correlation(*(float((one - 1) / (one + grades - 1)) for one in (ratio, *ends)))


def one_way(grades: ArrayLike, clips: ArrayLike) -> tuple[Correlation, Correlation, float]:
    """ICC(1,1) and ICC(1,k) of grades [N] of clips [N], and k, the number of grades per clip.

    If the number of grades differs between clips, k is n₀ = (N − Σnᵢ²/N) / (clips − 1) and the interval is approximate.

    Raises:
        BenchError: fewer than two clips, or no clip with two grades.
    """
    values = np.asarray(grades, np.float64)
    index, counts = np.unique(np.asarray(clips), return_inverse=True, return_counts=True)[1:]
    within = len(values) - len(counts)
    if len(counts) < 2 or within < 1:
        raise BenchError("Reliability needs at least two clips, and clips with two grades.")
    means = np.bincount(index, values) / counts
    between_square = float(np.sum(counts * (means - values.mean()) ** 2)) / (len(counts) - 1)
    within_square = float(np.sum((values - means[index]) ** 2)) / within
    each = float((len(values) - np.sum(counts.astype(np.float64) ** 2) / len(values)) / (len(counts) - 1))
    if within_square == 0:
        return Correlation(1.0), Correlation(1.0), each
    single = _by_f(between_square / within_square, each, len(counts) - 1, within)
    return single, _mean_form(single, each), each


def two_way(table: ArrayLike) -> dict[str, Correlation]:
    """ICC(1,1), ICC(2,1), ICC(3,1), ICC(1,k), ICC(2,k), ICC(3,k) of a complete table of grades [clips, raters].

    Raises:
        BenchError: fewer than two clips or raters.
    """
    grades = np.asarray(table, np.float64)
    n, k = grades.shape
    if min(n, k) < 2:
        raise BenchError("Reliability over raters needs at least two clips and two raters.")
    mean, rows, columns = grades.mean(), grades.mean(axis=1), grades.mean(axis=0)
    of_clips = k * float(np.sum((rows - mean) ** 2)) / (n - 1)
    of_raters = n * float(np.sum((columns - mean) ** 2)) / (k - 1)
    rest = grades - rows[:, None] - columns + mean
    error = float(np.sum(rest**2)) / ((n - 1) * (k - 1))
    one, one_k, _ = one_way(grades.ravel(), np.repeat(np.arange(n), k))
    three = _by_f(of_clips / error, k, n - 1, (n - 1) * (k - 1)) if error else Correlation(1.0)
    two = _agreement(of_clips, of_raters, error, n, k)
    forms = {"ICC(1,1)": one, "ICC(2,1)": two, "ICC(3,1)": three}
    return forms | {"ICC(1,k)": one_k, "ICC(2,k)": _mean_form(two, k), "ICC(3,k)": _mean_form(three, k)}


def _agreement(of_clips: float, of_raters: float, error: float, n: int, k: int) -> Correlation:
    """ICC(2,1), with Satterthwaite's degrees of freedom for the interval."""
    value = (of_clips - error) / (of_clips + (k - 1) * error + k * (of_raters - error) / n)
    if error == 0:
        return Correlation(value)
    ratio = of_raters / error
    spread = k * value * ratio + n * (1 + (k - 1) * value) - k * value
    freedom = (k - 1) * (n - 1) * spread**2
    freedom /= (n - 1) * (k * value * ratio) ** 2 + (n * (1 + (k - 1) * value) - k * value) ** 2
    tail = (1 - LEVEL) / 2
    upper, lower = float(f.isf(tail, n - 1, freedom)), float(f.isf(tail, freedom, n - 1))
    rest = k * of_raters + (k * n - k - n) * error
    low = n * (of_clips - upper * error) / (upper * rest + n * of_clips)
    high = n * (lower * of_clips - error) / (rest + n * lower * of_clips)
    return Correlation(float(value), float(low), float(high))


def reliability(ratings: pd.DataFrame) -> pd.DataFrame:
    """Reliability of grades, as `RELIABILITY_COLUMNS`: all forms if every rater graded every clip, else ICC(1)."""
    counting = counted(ratings)
    clip = counting.groupby(["system", "clip"], sort=False).ngroup()
    try:
        single, mean, each = one_way(counting["rating"], clip)
    except BenchError:
        return pd.DataFrame(columns=RELIABILITY_COLUMNS)
    counts = [clip.nunique(), counting["rater"].nunique()]
    forms, grades = {"ICC(1,1)": single, "ICC(1,k)": mean}, each
    table = counting.assign(shown=clip).pivot_table(index="shown", columns="rater", values="rating")
    if table.notna().all(axis=None) and min(table.shape) > 1:
        forms, grades = two_way(table.to_numpy()), float(table.shape[1])
    rows = [[name, one.value, one.low, one.high, *counts, grades] for name, one in forms.items()]
    return pd.DataFrame(rows, columns=RELIABILITY_COLUMNS)
