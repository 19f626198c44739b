"""People against metrics: does a metric prefer the clip that people prefer?

Two questions that must not be mixed. *Within* a comparison of two systems: of the clips that it shows, does the metric
tell those where people chose the first from those where they chose the second? That is the area under the ROC curve of
the metric's difference, 0.5 for a metric that knows nothing of clips, however well it tells the two systems apart.
*Between* systems: does it prefer the system that people prefer? There are as many answers as comparisons, a handful,
and votes by the hundred make them no more; so that is counted and not tested.
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

#: Frozen column names. Between 0 and 1: auc and its ends. In percent: agrees (votes predicted); lower and upper,
#: estimates of the least and the most that any metric could predict, and the ends of an interval of it. Counts:
#: comparisons whose preferred system the metric prefers, of how many.
PER_CLIP_COLUMNS = [
    "metric", "votes", "auc", "ci_low", "ci_high", "p", "p_holm", "agrees", "lower", "upper", "systems_right",
    "comparisons", "raters", "clips", "videos", "possible_low", "possible_high",
]  # fmt: skip
PER_SET_COLUMNS = ["metric", "systems", "rank_correlation", "kendall", "note"]
#: With fewer systems than this a rank correlation describes and proves nothing.
FEW = 10
Floats = NDArray[np.float64]


def read_scores(path: Path) -> pd.DataFrame:
    """A run's `scores/per_clip.csv` or `summary.csv`; a `BenchError` where there is none."""
    if not path.exists():
        raise BenchError(f"There are no metric scores at {path}. Make them with `bench score`.")
    texts = ("clip", "row", "metric", "video")  # a method may be called None, NA or null
    numbers = [name for name in pd.read_csv(path, nrows=0).columns if name not in texts]
    empty = {name: ["", "nan"] for name in numbers}
    return pd.read_csv(path, dtype=dict.fromkeys(texts, str), keep_default_na=False, na_values=empty)


def directions(scores: pd.DataFrame) -> dict[str, str]:
    """Which end is good (lower, higher or one) of each registered metric that a table of scores holds."""
    scored = set(scores["metric"])
    return {name: METRICS.load(name).direction for name in METRICS if name in scored}


def shown_seeds(run: Path, rows: Iterable[str]) -> dict[str, int]:
    """The training whose videos a run folder holds under each row's own name, where its manifest says so."""
    seeds = {}
    for row in rows:
        manifest = RunFolder(run).predictions(row) / MANIFEST
        seed = read_json(manifest).get("made_by", {}).get("seed") if manifest.exists() else None
        if isinstance(seed, int):
            seeds[row] = seed
    return seeds


def between_models(votes: pd.DataFrame) -> pd.DataFrame:
    """The votes that count and are about two models: against the real clip a metric would know the answer."""
    counting = counted(votes)
    return counting[(counting["first"] != REAL) & (counting["second"] != REAL)]


def per_clip(
    votes: pd.DataFrame, scores: pd.DataFrame, direction: dict[str, str], seeds: dict[str, int] | None = None
) -> pd.DataFrame:
    """How each per-clip metric agrees with the votes `between_models`, as `PER_CLIP_COLUMNS`.

    `auc` is within comparisons, over all pairs of a vote for the first and a vote for the second of one comparison; its
    interval is over raters and source videos, and `p` that of votes that have nothing to do with the metric, by
    flipping the signs of whole videos (`p_holm`: corrected over the metrics). NaN where no comparison has votes for
    both. `agrees` is the percentage of votes that the metric predicts, ties counted half, systems and clips together,
    and has no test. `lower` and `upper` are estimates of what anything could predict, from pairs that two raters or
    more have judged, and `possible_low` and `possible_high` the ends of an interval of it (`predictable`).
    `seeds` says which of several training runs of a row people saw; the others' scores
    are left out.
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
    """The votes on clips that the metric has values of, and for each how much better it finds the first's clip.

    Infinite values count: a clip identical to the real one, and one that stands still where motion should be 1.
    """
    keys = (pd.MultiIndex.from_arrays([votes[side], votes["clip"]]) for side in ("first", "second"))
    first, second = (values.reindex(key).to_numpy(np.float64) for key in keys)
    defined = ~(np.isnan(first) | np.isnan(second))
    first, second = first[defined], second[defined]
    if direction == "one":
        first, second = log_distance(first), log_distance(second)
    with np.errstate(invalid="ignore"):  # two infinite values are a tie
        better = first - second if direction == "higher" else second - first
    return votes[defined], np.where(first == second, 0.0, better)


def per_set(ranking: pd.DataFrame, summary: pd.DataFrame, direction: dict[str, str]) -> pd.DataFrame:
    """Rank correlations of each metric's mean with the Bradley–Terry strength over models, as `PER_SET_COLUMNS`.

    Strengths compare only within a group of systems that votes connect. Over several groups there is no correlation.
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
