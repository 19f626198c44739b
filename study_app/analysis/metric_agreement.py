"""Agreement of metrics with people: does a metric prefer the clip that people prefer?

This is two questions, which must not be mixed.

*Within* a comparison of two methods: does the metric separate clips where people chose the first method from clips
where they chose the second? The answer is the area under the ROC curve of the metric's difference. It is 0.5 for a
metric that is unrelated to clips, however well it separates the two methods.

*Between* methods: does the metric prefer the method that people prefer? There is only one answer per comparison,
regardless of the number of votes. A handful of answers is counted and not tested.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.stats import kendalltau, spearmanr

from bench.errors import BenchError
from bench.files import read_json
from bench.registry import METRICS
from bench.runfolder import MANIFEST, REAL, RunFolder
from bench.statistics import holm, log_distance
from study_app.analysis.pair_agreement import predictable
from study_app.analysis.preference_scores import counted
from study_app.analysis.within_comparison_auc import within

#: Frozen column names. Between 0 and 1: auc and the ends of its interval. In percent: agrees (votes predicted), lower
#: and upper (estimated bounds of the best possible prediction), possible_low and possible_high (ends of its interval).
#: Counts: systems_right (comparisons in which the metric prefers the preferred method) of comparisons.
PER_CLIP_COLUMNS = [
    "metric", "votes", "auc", "ci_low", "ci_high", "p", "p_holm", "agrees", "lower", "upper", "systems_right",
    "comparisons", "raters", "clips", "videos", "possible_low", "possible_high",
]  # fmt: skip
PER_SET_COLUMNS = ["metric", "systems", "rank_correlation", "kendall", "note"]
#: With fewer methods than this, a rank correlation is only descriptive.
FEW = 10
Floats = NDArray[np.float64]


def read_scores(path: Path) -> pd.DataFrame:
    """Read a run's `scores/per_clip.csv` or `summary.csv`; a `BenchError` if it does not exist."""
    if not path.exists():
        raise BenchError(f"There are no metric scores at {path}. Make them with `bench score`.")
    texts = ("clip", "row", "metric", "video")  # a method may be called None, NA or null
    numbers = [name for name in pd.read_csv(path, nrows=0).columns if name not in texts]
    empty = {name: ["", "nan"] for name in numbers}
    return pd.read_csv(path, dtype=dict.fromkeys(texts, str), keep_default_na=False, na_values=empty)


def directions(scores: pd.DataFrame) -> dict[str, str]:
    """Direction (lower, higher or one is better) of each registered metric in a table of scores."""
    scored = set(scores["metric"])
    return {name: METRICS.load(name).direction for name in METRICS if name in scored}


def shown_seeds(run: Path, rows: Iterable[str]) -> dict[str, int]:
    """Training seed of the videos in a run folder under each row's own name, if its manifest records one."""
    seeds = {}
    for row in rows:
        manifest = RunFolder(run).predictions(row) / MANIFEST
        seed = read_json(manifest).get("made_by", {}).get("seed") if manifest.exists() else None
        if isinstance(seed, int):
            seeds[row] = seed
    return seeds


def between_models(votes: pd.DataFrame) -> pd.DataFrame:
    """Counted votes between two models; real clips are left out because metrics are computed from them."""
    counting = counted(votes)
    return counting[(counting["first"] != REAL) & (counting["second"] != REAL)]


def per_clip(
    votes: pd.DataFrame, scores: pd.DataFrame, direction: dict[str, str], seeds: dict[str, int] | None = None
) -> pd.DataFrame:
    """Agreement of each per-clip metric with the votes `between_models`, as `PER_CLIP_COLUMNS`.

    - `auc` is within comparisons, over all pairs of a vote for the first method and a vote for the second method of one
      comparison. Its interval is over raters and source videos. It is NaN if no comparison has votes for both methods.
    - `p` is for the null hypothesis that votes are unrelated to the metric, by a cluster sign-flip test over videos.
      `p_holm` is corrected over the metrics.
    - `agrees` is the percentage of votes that the metric predicts, over methods and clips; ties count half. It has no
      test.
    - `lower` and `upper` are estimated bounds of the best possible prediction, from pairs that at least two raters
      judged. `possible_low` and `possible_high` are the ends of its interval (`predictable`).

    `seeds` maps each row with several training runs to the seed that raters saw; scores of the others are left out.
    """
    table = scores[scores["seed"] == scores["row"].map(seeds or {}).fillna(scores["seed"])]
    values = table.groupby(["metric", "row", "clip"])["value"].mean()
    counting = between_models(votes)
    rows = []
    for metric in sorted(set(table["metric"]) & set(direction)):
        decided, better = _preferences(counting, values[metric], direction[metric])
        if not len(decided):
            continue
        chose = np.where(decided["chosen"] == decided["first"], 1.0, -1.0)
        area = within(better, chose > 0, decided)
        agrees = float(np.mean((1 + np.sign(better) * chose) / 2))
        sides = (
            pd.DataFrame({"better": np.sign(better), "chose": chose}).groupby(decided["comparison"].to_numpy()).mean()
        )
        right = int((np.sign(sides["better"]) * np.sign(sides["chose"]) > 0).sum())
        most = predictable(decided)
        line = [area.auc, area.low, area.high, area.p_value, np.nan, 100 * agrees, 100 * most.least, 100 * most.most]
        counts = [right, len(sides), *(decided[of].nunique() for of in ("rater", "clip", "video"))]
        rows.append([metric, len(decided), *line, *counts, 100 * most.low, 100 * most.high])
    lines = pd.DataFrame(rows, columns=PER_CLIP_COLUMNS)
    tested = lines["p"].notna()
    lines.loc[tested, "p_holm"] = holm(lines.loc[tested, "p"])
    return lines


def _preferences(votes: pd.DataFrame, values: pd.Series, direction: str) -> tuple[pd.DataFrame, Floats]:
    """Votes on clips with values of the metric, and for each vote how much better it rates the first method's clip.

    Infinite values count. They occur for a clip identical to the real one, and for a still clip where motion should
    be 1.
    """
    keys = (pd.MultiIndex.from_arrays([votes[side], votes["clip"]]) for side in ("first", "second"))
    first, second = (values.reindex(key).to_numpy(np.float64) for key in keys)
    defined = ~(np.isnan(first) | np.isnan(second))
    first, second = first[defined], second[defined]
    if direction == "one":
        first, second = log_distance(first), log_distance(second)
    with np.errstate(invalid="ignore"):  # inf − inf; two infinite values are a tie
        better = first - second if direction == "higher" else second - first
    return votes[defined], np.where(first == second, 0.0, better)


def per_set(ranking: pd.DataFrame, summary: pd.DataFrame, direction: dict[str, str]) -> pd.DataFrame:
    """Rank correlations of each metric's mean with the Bradley–Terry strength over models, as `PER_SET_COLUMNS`.

    Strengths are comparable only within a group of methods that votes connect. With several groups, the correlation is
    NaN.
    """
    strength, group = (ranking.set_index("system")[name] for name in ("strength", "group"))
    rows = []
    for metric, lines in summary.groupby("metric"):
        value = lines.set_index("row")["value"]
        shared = [row for row in strength.index if row in value.index and row != REAL and np.isfinite(value[row])]
        if len(shared) < 3 or metric not in direction:
            continue
        way = direction[str(metric)]
        far = pd.Series(log_distance(value[shared]), shared) if way == "one" else value[shared]
        good = far if way == "higher" else -far
        if (groups := group[shared].nunique()) > 1:
            rows.append([metric, len(shared), np.nan, np.nan, f"none: no vote connects {groups} groups of methods"])
            continue
        note = f"descriptive: {len(shared)} systems" if len(shared) < FEW else ""
        correlations = [float(rank(good, strength[shared]).statistic) for rank in (spearmanr, kendalltau)]
        rows.append([metric, len(shared), *correlations, note])
    return pd.DataFrame(rows, columns=PER_SET_COLUMNS)
