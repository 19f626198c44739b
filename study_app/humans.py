"""Humans against metrics: does a metric prefer the clip that people prefer?"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pandas as pd
from scipy.stats import spearmanr

from bench.errors import BenchError
from bench.files import read_json
from bench.registry import METRICS
from study_app.tally import RESAMPLES, counted

PER_CLIP_COLUMNS = ["metric", "votes", "agrees", "ci_low", "ci_high", "ceiling"]
PER_SET_COLUMNS = ["metric", "systems", "rank_correlation", "note"]
#: With fewer systems than this a rank correlation describes and proves nothing.
FEW = 10
REAL = "real"


def directions(scores: Path) -> dict[str, str]:
    """Which end is good (lower, higher or one) of each registered metric that a table of scores holds."""
    held = set(_read(scores)["metric"])
    return {name: METRICS.load(name).direction for name in METRICS if name in held}


def shown_seeds(run: Path, rows: Iterable[str]) -> dict[str, int]:
    """The training whose videos a run folder holds under each row's own name, where its manifest says so."""
    found = {}
    for row in rows:
        manifest = run / "predictions" / row / "manifest.json"
        seed = read_json(manifest).get("made_by", {}).get("seed") if manifest.exists() else None
        if isinstance(seed, int):
            found[row] = seed
    return found


def _read(scores: Path) -> pd.DataFrame:
    if not scores.exists():
        raise BenchError(f"There are no metric scores at {scores}: `bench score` writes them.")
    return pd.read_csv(scores, dtype={"clip": str, "row": str, "metric": str})


def per_clip(
    votes: pd.DataFrame,
    scores: Path,
    direction: dict[str, str],
    seeds: dict[str, int] | None = None,
    *,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> pd.DataFrame:
    """For each per-clip metric, the percentage of votes it predicts, as `PER_CLIP_COLUMNS`.

    Only pairs of two models count: a metric against the real clip knows the answer. The interval is a bootstrap over
    clips; ties of a metric count half. `ceiling` is the best any metric could do: always the majority of each pair;
    NaN while pairs have one vote, for then it is 100 by construction. `seeds` says which of several trainings of a row
    people saw; the others' scores are left out.
    """
    table = _read(scores)
    table = table[table["seed"] == table["row"].map(seeds or {}).fillna(table["seed"])]
    values = table.groupby(["metric", "row", "clip"])["value"].mean()
    counting = counted(votes)
    counting = counting[(counting["first"] != REAL) & (counting["second"] != REAL)]
    rng = np.random.default_rng(seed)
    rows = []
    for metric in sorted(set(table["metric"]) & set(direction)):
        of = values[metric]
        keys = [pd.MultiIndex.from_arrays([counting[side], counting["clip"]]) for side in ("first", "second")]
        first, second = (of.reindex(key).to_numpy(np.float64) for key in keys)
        good = {"lower": -1.0, "higher": 1.0}.get(direction[metric])
        if good is None:
            first, second, good = np.abs(first - 1), np.abs(second - 1), -1.0
        known = np.isfinite(first) & np.isfinite(second)
        if not known.any():
            continue
        prefers = np.sign(good * (first - second))[known]
        chose = np.where(counting["chosen"] == counting["first"], 1.0, -1.0)[known]
        agrees = (1 + prefers * chose) / 2  # 1 agrees, 0 does not, a tie is half
        mine = counting[known]
        clips = pd.factorize(mine["clip"])[0]
        count = int(clips.max()) + 1
        weights = rng.multinomial(count, np.full(count, 1 / count), size=resamples)
        shares = (weights @ np.bincount(clips, agrees, count)) / (weights @ np.bincount(clips, minlength=count))
        low, high = np.percentile(shares, [2.5, 97.5])
        line = [100 * agrees.mean(), 100 * low, 100 * high, _ceiling(mine)]
        rows.append([metric, len(agrees), *line])
    return pd.DataFrame(rows, columns=PER_CLIP_COLUMNS)


def _ceiling(votes: pd.DataFrame) -> float:
    first = (votes["chosen"] == votes["first"]).groupby([votes["comparison"], votes["clip"]]).agg(["sum", "count"])
    if (first["count"] < 2).all():
        return float("nan")
    return 100 * float(np.maximum(first["sum"], first["count"] - first["sum"]).sum() / first["count"].sum())


def per_set(ranking: pd.DataFrame, summary: Path, direction: dict[str, str]) -> pd.DataFrame:
    """Rank correlation of each metric's mean with the Bradley–Terry strength over models, as `PER_SET_COLUMNS`."""
    table = _read(summary)
    strength = ranking.set_index("system")["strength"]
    rows = []
    for metric, mine in table.groupby("metric"):
        value = mine.set_index("row")["value"]
        shared = [row for row in strength.index if row in value.index and row != REAL and np.isfinite(value[row])]
        if len(shared) < 3 or metric not in direction:
            continue
        way = direction[str(metric)]
        good = -value[shared] if way == "lower" else -(value[shared] - 1).abs() if way == "one" else value[shared]
        note = f"descriptive: {len(shared)} systems" if len(shared) < FEW else ""
        rows.append([metric, len(shared), float(spearmanr(good, strength[shared]).statistic), note])
    return pd.DataFrame(rows, columns=PER_SET_COLUMNS)
