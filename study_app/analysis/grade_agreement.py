"""Metrics compared with mean grades of clips as in ITU-T P.1401 (2020): PLCC, SROCC and RMSE.

A third-order polynomial first maps a metric's values to the scale of grades. It increases monotonically with quality
over the observed values. The Pearson correlation and the root mean square error use mapped values; the Spearman
correlation needs no mapping. The mean square error divides by the number of clips minus the mapping's parameters, 4.

Intervals are t intervals from a jackknife that leaves out one source video at a time and repeats the mapping. They
apply to Fisher's z of correlations and to the logarithm of the error.
"""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.optimize import lsq_linear
from scipy.stats import pearsonr, spearmanr, t

from bench.statistics import log_distance
from bench.statistics.cluster_jackknife import Clusters
from bench.statistics.two_way_clusters import LEVEL
from study_app.analysis.mean_opinion_scores import clip_table

#: Frozen column names of `agree.csv` for grades; `left_out` counts clips whose value is infinite or missing.
GRADE_COLUMNS = [
    "metric", "clips", "videos", "plcc", "plcc_low", "plcc_high", "srocc", "srocc_low", "srocc_high", "rmse",
    "rmse_low", "rmse_high", "left_out",
]  # fmt: skip
#: Number of parameters of the mapping, and smallest number of clips to fit it.
PARAMETERS, LEAST = 4, 6
Floats = NDArray[np.float64]


def mapped(values: Floats, grades: Floats) -> Floats:
    """[N] values on the scale of grades, by least squares with a cubic that never falls over the observed values.

    If the unconstrained cubic never falls, it is used. Otherwise the best cubic with non-decreasing Bernstein
    coefficients is used.
    """
    low, high = float(values.min()), float(values.max())
    if high == low:
        return np.full_like(grades, grades.mean())
    place = (values - low) / (high - low)
    free = np.polynomial.Polynomial.fit(place, grades, 3, domain=[0, 1])
    slope = free.deriv()
    turn = float(np.real(slope.deriv().roots()[0])) if slope.coef.size > 2 and slope.coef[2] else 0.0
    if min(float(slope(at)) for at in (0.0, 1.0, min(max(turn, 0.0), 1.0))) >= 0:
        return np.asarray(free(place), np.float64)
    basis = np.column_stack([math.comb(3, k) * place**k * (1 - place) ** (3 - k) for k in range(4)])
    steps = np.cumsum(basis[:, ::-1], axis=1)[:, ::-1]  # [N, 4] effect of an increase of each coefficient
    # The first coefficient is the curve's value at its start and can have either sign; increases are not negative.
    rises = lsq_linear(steps, grades, bounds=([-np.inf, 0, 0, 0], np.inf), method="bvls").x
    return np.asarray(steps @ rises, np.float64)


def _numbers(values: Floats, grades: Floats) -> Floats:
    """PLCC, SROCC and RMSE; NaN if all values or all grades are equal, or with fewer than `LEAST` clips."""
    if len(values) < LEAST or np.ptp(values) == 0 or np.ptp(grades) == 0:
        return np.full(3, np.nan)
    fitted = mapped(values, grades)
    plcc = float(pearsonr(fitted, grades).statistic) if np.ptp(fitted) > 1e-12 else 0.0
    error = math.sqrt(float(np.sum((fitted - grades) ** 2)) / (len(grades) - PARAMETERS))
    return np.array([plcc, float(spearmanr(values, grades).statistic), error])


def compared(values: Floats, grades: Floats, videos: NDArray[np.str_]) -> Floats:
    """[3, 3] PLCC, SROCC and RMSE, each with the ends of its interval; with fewer than three videos the ends are NaN.

    Args:
        values: [N] values of a metric; higher is better.
        grades: [N] mean grades of the same clips.
        videos: [N] source videos of the same clips.
    """
    found = _numbers(values, grades)
    clusters = Clusters.of(videos, len(videos))
    ends = np.full((3, 2), np.nan)
    if clusters.count >= 3 and np.isfinite(found).all():
        left = np.array(
            [_numbers(values[clusters.index != k], grades[clusters.index != k]) for k in range(clusters.count)]
        )
        value, parts = _straight(found), _straight(left)
        spread = (clusters.count - 1) / clusters.count * np.sum((parts - value) ** 2, axis=0)
        half = float(t.isf((1 - LEVEL) / 2, clusters.freedom)) * np.sqrt(spread)
        low, high = value - half, value + half
        ends = np.array([[math.tanh(low[0]), math.tanh(high[0])], [math.tanh(low[1]), math.tanh(high[1])],
                         [math.exp(low[2]), math.exp(high[2])]])  # fmt: skip
    return np.column_stack([found, ends])


def _straight(numbers: Floats) -> Floats:
    """Fisher's z of the correlations and the logarithm of the error, [..., 3]."""
    inner = np.clip(numbers[..., :2], -1 + 1e-9, 1 - 1e-9)
    return np.concatenate([np.arctanh(inner), np.log(np.maximum(numbers[..., 2:], 1e-12))], axis=-1)


def per_metric(
    ratings: pd.DataFrame, scores: pd.DataFrame, direction: dict[str, str], seeds: dict[str, int] | None = None
) -> pd.DataFrame:
    """Agreement of each per-clip metric with mean grades of clips, as `GRADE_COLUMNS`, highest SROCC first.

    `seeds` maps each method with several training runs to the seed of the run that raters saw. Real clips are left out
    because metrics are computed from them.
    """
    table = scores[scores["seed"] == scores["row"].map(seeds or {}).fillna(scores["seed"])]
    values = table.groupby(["metric", "row", "clip"])["value"].mean()
    clips = clip_table(ratings)
    clips = clips[clips["system"] != "real"]
    rows = []
    for metric in sorted(set(table["metric"]) & set(direction)):
        of = values[metric].reindex(pd.MultiIndex.from_frame(clips[["system", "clip"]])).to_numpy(np.float64)
        if direction[metric] == "one":
            of = log_distance(of)
        of = of if direction[metric] == "higher" else -of
        known = np.isfinite(of)
        if not known.any():
            continue
        shown = clips[known]
        numbers = compared(of[known], shown["mos"].to_numpy(np.float64), shown["video"].to_numpy(str))
        counts = [len(shown), shown["video"].nunique()]
        rows.append([metric, *counts, *numbers.ravel(), int((~known).sum())])
    return pd.DataFrame(rows, columns=GRADE_COLUMNS).sort_values("srocc", ascending=False, ignore_index=True)
