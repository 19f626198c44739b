"""Humans against metrics: does a metric prefer the clip that people prefer?"""

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
from bench.runfolder import MANIFEST, RunFolder
from bench.statistics import holm, paired_difference
from study_app.analysis.tally import RESAMPLES, counted, crossed_interval

#: Frozen column names; shares in percent.
PER_CLIP_COLUMNS = [
    "metric", "votes", "agrees", "ci_low", "ci_high", "p", "p_holm", "humans", "ceiling", "raters", "clips",
]  # fmt: skip
PER_SET_COLUMNS = ["metric", "systems", "rank_correlation", "kendall", "note"]
#: With fewer systems than this a rank correlation describes and proves nothing.
FEW = 10
REAL = "real"


def read_scores(path: Path) -> pd.DataFrame:
    """A run's `scores/per_clip.csv` or `summary.csv`; a `BenchError` where there is none."""
    if not path.exists():
        raise BenchError(f"There are no metric scores at {path}: `bench score` writes them.")
    return pd.read_csv(path, dtype={"clip": str, "row": str, "metric": str})


def directions(scores: pd.DataFrame) -> dict[str, str]:
    """Which end is good (lower, higher or one) of each registered metric that a table of scores holds."""
    held = set(scores["metric"])
    return {name: METRICS.load(name).direction for name in METRICS if name in held}


def shown_seeds(run: Path, rows: Iterable[str]) -> dict[str, int]:
    """The training whose videos a run folder holds under each row's own name, where its manifest says so."""
    found = {}
    for row in rows:
        manifest = RunFolder(run).predictions(row) / MANIFEST
        seed = read_json(manifest).get("made_by", {}).get("seed") if manifest.exists() else None
        if isinstance(seed, int):
            found[row] = seed
    return found


def between_models(votes: pd.DataFrame) -> pd.DataFrame:
    """The votes that count and are about two models: against the real clip a metric would know the answer."""
    counting = counted(votes)
    return counting[(counting["first"] != REAL) & (counting["second"] != REAL)]


def per_clip(
    votes: pd.DataFrame,
    scores: pd.DataFrame,
    direction: dict[str, str],
    seeds: dict[str, int] | None = None,
    *,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> pd.DataFrame:
    """For each per-clip metric, the percentage of votes it predicts, as `PER_CLIP_COLUMNS`.

    Only votes `between_models` count; ties of a metric count half. The interval knows that votes share raters and clips
    (`tally.crossed_interval`). `p` is of a metric that predicts nothing, by flipping whole clips, `p_holm` corrected
    over the metrics. `humans` is how often a rater agrees with the majority of the others who saw the same pair, which
    is what a metric can be held against; `ceiling` is the most that anything could reach on these votes, the majority
    of each pair, which is too high where pairs have few votes. Both are NaN while pairs have one vote. `seeds` says
    which of several trainings of a row people saw; the others' scores are left out.
    """
    table = scores[scores["seed"] == scores["row"].map(seeds or {}).fillna(scores["seed"])]
    values = table.groupby(["metric", "row", "clip"])["value"].mean()
    counting = between_models(votes)
    rows = []
    for metric in sorted(set(table["metric"]) & set(direction)):
        mine, agrees = _predicted(counting, values[metric], direction[metric])
        if not len(mine):
            continue
        low, high = crossed_interval(agrees, mine["rater"], mine["clip"], resamples=resamples, seed=seed)
        p_value = paired_difference(agrees, np.full(len(agrees), 0.5), list(mine["clip"])).p_value
        line = [100 * agrees.mean(), 100 * low, 100 * high, p_value, np.nan, *_among_humans(mine)]
        rows.append([metric, len(agrees), *line, mine["rater"].nunique(), mine["clip"].nunique()])
    found = pd.DataFrame(rows, columns=PER_CLIP_COLUMNS)
    if len(found):
        found["p_holm"] = holm(found["p"])
    return found


def _predicted(votes: pd.DataFrame, values: pd.Series, direction: str) -> tuple[pd.DataFrame, NDArray[np.float64]]:
    """The votes on clips that the metric has values of, and for each 1 where it agrees, 0 where not, 0.5 for a tie."""
    keys = (pd.MultiIndex.from_arrays([votes[side], votes["clip"]]) for side in ("first", "second"))
    first, second = (values.reindex(key).to_numpy(np.float64) for key in keys)
    good = {"lower": -1.0, "higher": 1.0}.get(direction)
    if good is None:
        first, second, good = np.abs(first - 1), np.abs(second - 1), -1.0
    known = np.isfinite(first) & np.isfinite(second)
    prefers = np.sign(good * (first - second))[known]
    chose = np.where(votes["chosen"] == votes["first"], 1.0, -1.0)[known]
    return votes[known], (1 + prefers * chose) / 2


def _among_humans(votes: pd.DataFrame) -> tuple[float, float]:
    """Agreement of a rater with the majority of the others of a pair, and of votes with their pair's own majority."""
    chosen = (votes["chosen"] == votes["first"]).astype(int)
    pairs = [votes["comparison"], votes["clip"]]
    won, count = chosen.groupby(pairs).transform("sum"), chosen.groupby(pairs).transform("count")
    several = count >= 2
    if not several.any():
        return float("nan"), float("nan")
    others = np.sign(2 * (won - chosen) - (count - 1))[several]  # 1: the others chose the first, 0: they are even
    fair = ((1 + others * (2 * chosen[several] - 1)) / 2).mean()
    most = (np.maximum(won, count - won) / count).mean()
    return 100 * float(fair), 100 * float(most)


def per_set(ranking: pd.DataFrame, summary: pd.DataFrame, direction: dict[str, str]) -> pd.DataFrame:
    """Rank correlations of each metric's mean with the Bradley–Terry strength over models, as `PER_SET_COLUMNS`."""
    strength = ranking.set_index("system")["strength"]
    rows = []
    for metric, mine in summary.groupby("metric"):
        value = mine.set_index("row")["value"]
        shared = [row for row in strength.index if row in value.index and row != REAL and np.isfinite(value[row])]
        if len(shared) < 3 or metric not in direction:
            continue
        way = direction[str(metric)]
        good = -value[shared] if way == "lower" else -(value[shared] - 1).abs() if way == "one" else value[shared]
        note = f"descriptive: {len(shared)} systems" if len(shared) < FEW else ""
        correlations = [float(rank(good, strength[shared]).statistic) for rank in (spearmanr, kendalltau)]
        rows.append([metric, len(shared), *correlations, note])
    return pd.DataFrame(rows, columns=PER_SET_COLUMNS)
