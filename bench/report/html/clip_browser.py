"""The data behind a report's clip list: each clip's values, its values over time, and the location of its frames.

The HTML report contains the data as JSON, so that it works when opened from disk. Frames are not included: the viewer
reads them from the folder's `predictions/`, next to the report.
"""

from __future__ import annotations

import base64
import itertools
import json
import math
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote

import numpy as np
from markupsafe import Markup

from bench.data.predictions import Predictions
from bench.metrics.base import ClipMetric
from bench.report.row_names import RowNames
from bench.runfolder import REAL, RunFolder
from bench.scoring.protocol import Protocol
from bench.scoring.score_tables import Columns, ScoredClips, clip_values
from bench.scoring.summary import judged_of_seeds
from bench.statistics import at_bound, seeds_and_videos_difference

#: Maximum number of bytes for values over time; metrics beyond this limit have none.
LARGEST = 3_500_000
#: Steps between the smallest and the largest value over time; the next integer encodes "no value".
STEPS = 65534
NO_VALUE = 65535


def browser_data(
    scored: ScoredClips,
    metrics: Mapping[str, ClipMetric],
    protocol: Protocol,
    run: RunFolder,
    names: RowNames,
    curves: Mapping[str, Mapping[str, Any]],
) -> dict[str, Any]:
    """The data for the clip list, its viewer and the curves; empty if no metric has a value for each clip.

    Args:
        scored: per-frame values.
        metrics: metrics with a value for each clip.
        protocol: protocol of the scores.
        run: the run folder.
        names: display names of the methods.
        curves: curves by metric and method, with `mean`, `low` and `high`, float64 `[T]`, over the frame number.
    """
    if not metrics:
        return {}
    videos = list(dict.fromkeys(scored.videos[id] for id in scored.ids))
    colours, frames = names.colours_of(scored.rows), _over_time(scored, metrics.values())
    return {
        "methods": [
            {
                "name": row,
                "title": names.title(row),
                "colour": colours[row],
                "files": _files(run, row, scored),
            }
            for row in scored.rows
        ],
        "real": _files(run, REAL, scored),
        "metrics": [
            {
                "name": metric.name,
                "title": metric.title,
                "head": metric.curve_head,
                "direction": metric.direction,
                "decimals": metric.decimals,
                "bound": _digits(metric.frame_bound),
                "values": _clip_values(scored, metric, protocol),
                "pairs": _differences(scored, metric, protocol),
                "frames": frames.get(metric.name),
            }
            for metric in metrics.values()
        ],
        "clips": list(scored.ids),
        "videos": videos,
        "video": [videos.index(scored.videos[id]) for id in scored.ids],
        "curves": {name: {row: _plain(curve) for row, curve in rows.items()} for name, rows in curves.items() if rows},
        "count": protocol.length,
    }


def as_json(data: Mapping[str, Any]) -> Markup:
    """JSON that is safe as the text of a script element: nothing in it closes the element."""
    text = json.dumps(data, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    return Markup(text.replace("<", "\\u003c"))


def _files(run: RunFolder, row: str, scored: ScoredClips) -> list[str]:
    """URLs of the frames of a method's clips, relative to the report; empty if the frames are not kept."""
    if not run.predictions(row).is_dir():
        return []
    kept = Predictions(run.predictions(row))
    return [_address(run, kept.path(id)) for id in scored.ids]


def _address(run: RunFolder, path: Path) -> str:
    return quote(path.relative_to(run.path).as_posix())


def _clip_values(scored: ScoredClips, metric: ClipMetric, protocol: Protocol) -> list[list[float | str | None]]:
    """A metric's value for every method and clip: the mean over training seeds."""
    values = clip_values(scored, metric, protocol)
    seeds = {row: scored.seeds(row) for row in scored.rows}
    return [
        [_rounded(_mean(values[row, seed, id] for seed in of_row)) for id in scored.ids]
        for row, of_row in seeds.items()
    ]


def _differences(scored: ScoredClips, metric: ClipMetric, protocol: Protocol) -> list[list[list[float | None] | None]]:
    """Mean difference between each pair of methods and its 95 % interval over source videos and training runs.

    Differences use the values by which methods are judged, on the clips that both have. The result is indexed as
    `[first][second]`, where the second method comes after the first in the table. Other entries are None, as are those
    of two methods that share no clip.
    """
    judged = [at_bound(judged_of_seeds(scored, metric, row, protocol), metric.bound) for row in scored.rows]
    videos = np.array([scored.videos[id] for id in scored.ids])
    found: list[list[list[float | None] | None]] = [[None] * len(judged) for _ in judged]
    for first, second in itertools.combinations(range(len(judged)), 2):
        one, other = judged[first], judged[second]
        common = np.isfinite(one).all(axis=0) & np.isfinite(other).all(axis=0)
        if common.any():
            test = seeds_and_videos_difference(one[:, common], other[:, common], videos[common].tolist())
            found[first][second] = [_digits(value) for value in (test.difference, test.low, test.high)]
    return found


def _mean(values: Iterable[float]) -> float:
    """The mean of the finite values; infinite if all are infinite."""
    every = list(values)
    finite = [value for value in every if math.isfinite(value)]
    return sum(finite) / len(finite) if finite else every[0]


def _rounded(value: float) -> float | str | None:
    """A value rounded to six digits; None if it is NaN, "inf" if it is infinite."""
    return "inf" if math.isinf(value) else _digits(value)


def _over_time(scored: ScoredClips, metrics: Iterable[ClipMetric]) -> dict[str, dict[str, Any]]:
    """Every clip's values over the frame number, by metric, from the first seed and sample, up to the size limit.

    Values are encoded as 16-bit integers between the smallest and the largest value, in base64. They are nested by
    method, clip and frame. The values that a viewer shows are off by at most 1/131,068 of that range.
    """
    found: dict[str, dict[str, Any]] = {}
    size = 0
    first = {row: scored.seeds(row)[0] for row in scored.rows}
    for metric in metrics:
        curves = [
            metric.curve(_first_sample(scored.columns[row, seed, id], metric.frame_bound))
            for row, seed in first.items()
            for id in scored.ids
        ]
        known = [curve for curve in curves if curve is not None]
        if len(known) < len(curves) or len({len(curve) for curve in known}) != 1:
            continue
        values = np.array(known, np.float64)
        finite = values[np.isfinite(values)]
        if not finite.size:
            continue
        low, high = float(finite.min()), float(finite.max())
        with np.errstate(invalid="ignore"):
            steps = np.where(np.isfinite(values), np.rint((values - low) / ((high - low) or 1) * STEPS), NO_VALUE)
        encoded = base64.b64encode(steps.astype("<u2").tobytes()).decode()
        size += len(encoded)
        if size > LARGEST:
            break
        found[metric.name] = {"low": low, "high": high, "count": values.shape[1], "data": encoded}
    return found


def _digits(value: float) -> float | None:
    """A value rounded to six digits; None if it is not finite."""
    return float(f"{value:.6g}") if math.isfinite(value) else None


def _plain(curve: Any) -> dict[str, list[float | None]]:
    """A curve as plain numbers."""
    return {part: [_digits(value) for value in getattr(curve, part)] for part in ("mean", "low", "high")}


def _first_sample(columns: Columns, most: float) -> Columns:
    """Columns `[T]` of a clip's first sample, from those of all samples `[K, T]`; values are capped at `most`."""
    return {name: np.minimum(np.atleast_2d(values)[0], most) for name, values in columns.items()}
