"""From per-frame columns to the lines of a summary: means, intervals, paired differences."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench.files import write_json
from bench.metrics.base import ClipMetric, Metric, Unavailable
from bench.runfolder import RunFolder
from bench.scoring.protocol import Protocol
from bench.scoring.score_tables import (
    DIFFERENCES,
    PER_CLIP,
    ScoredClips,
    SummaryLine,
    clip_rows,
    clip_values,
    frame_rows,
    per_frame_columns,
    sample_values,
    write_csv,
    write_summary,
)
from bench.statistics import (
    THESE_TRAININGS,
    ComparisonWithBest,
    Difference,
    best_of_many,
    best_of_samples,
    over_seeds,
    seeds_and_videos_difference,
    seeds_and_videos_interval,
)


def summarise(scored: ScoredClips, metrics: Iterable[ClipMetric], protocol: Protocol) -> list[SummaryLine]:
    """Means over clips with 95 % intervals over source videos and trainings, a line for each row and metric."""
    lines = []
    for metric in metrics:
        for row in scored.rows:
            by_seed = of_seeds(scored, metric, row, protocol)
            finite = np.asarray(np.isfinite(by_seed).all(axis=0))  # the same clips for every seed
            kept = by_seed[:, finite]
            videos = [scored.videos[clip] for clip, keep in zip(scored.ids, finite, strict=True) if keep]
            value = low = high = sd = math.nan
            scope = ""
            if videos:
                interval = seeds_and_videos_interval(kept, videos)
                low, high, scope = interval.low, interval.high, interval.scope
                over = over_seeds(kept.mean(axis=1))
                value, sd = over.mean, over.std
            counts = (len(videos), len(scored.ids) - len(videos), len(by_seed))
            stamp = protocol.id_of(metric.name)
            line = SummaryLine(protocol.dataset, row, metric.name, value, low, high, *counts, sd, stamp, scope=scope)
            lines.append(line)
    return lines


def of_seeds(scored: ScoredClips, metric: ClipMetric, row: str, protocol: Protocol) -> NDArray[np.float64]:
    """A row's numbers by training seed and clip, `[S, N]`."""
    values = clip_values(scored, metric, protocol)
    return np.array([[values[row, seed, clip] for clip in scored.ids] for seed in scored.seeds(row)], np.float64)


def judged_of_seeds(scored: ScoredClips, metric: ClipMetric, row: str, protocol: Protocol) -> NDArray[np.float64]:
    """A row's numbers as rows are judged by them, by training seed and clip, `[S, N]`.

    Samples are judged one by one before they become one number, infinite ones at the metric's bound.
    """
    judged = metric.judged(sample_values(scored, metric, row, protocol))
    if judged.shape[-1] == 1:
        return judged[..., 0]
    judged = np.where(np.isinf(judged), np.sign(judged) * abs(metric.bound), judged)
    lower = -judged if metric.judged_direction() == "higher" else judged
    return best_of_samples(judged, protocol.best, lower=lower)


@dataclass(frozen=True)
class Ranking:
    """The rows of a table by one metric.

    Attributes:
        metric: its name.
        order: rows, best first; empty where no row is best.
        against: each other row beside the best.
        smallest_p: no p value of these videos can be smaller.
        videos: source videos of the clips that all rows have.
        scope: what the tests speak of.
    """

    metric: str
    order: Sequence[str]
    against: Mapping[str, Difference | ComparisonWithBest]
    smallest_p: float
    videos: int
    scope: str


def rank(scored: ScoredClips, metric: ClipMetric, protocol: Protocol) -> Ranking | None:
    """Order the rows by their clips, paired, and test each against the best, corrected for the choice of the best.

    With one training a row by flipping signs of whole videos (max-T), which speaks of these trainings; with several by
    a t test over videos and trainings. None where there are no two rows, or no clip on which all have a value.
    """
    judged = {row: judged_of_seeds(scored, metric, row, protocol) for row in scored.rows}
    means = {row: values.mean(axis=0) for row, values in judged.items()}
    common = ~np.isnan(np.array([*means.values()])).any(axis=0)
    if len(means) < 2 or not common.any():
        return None
    videos = [scored.videos[clip] for clip, keep in zip(scored.ids, common, strict=True) if keep]
    rows = {row: values[common] for row, values in means.items()}
    against_best = best_of_many(rows, videos, metric.judged_direction(), bound=metric.bound)
    if against_best.best is None:
        return Ranking(metric.name, (), {}, against_best.smallest_p, against_best.clusters, "")
    against: dict[str, Difference | ComparisonWithBest] = {other.row: other for other in against_best.others}
    scope = THESE_TRAININGS
    if max(len(values) for values in judged.values()) > 1:
        worst = abs(metric.bound)
        bounded = {
            row: np.where(np.isinf(values), np.sign(values) * worst, values)[:, common]
            for row, values in judged.items()
        }
        best = bounded[against_best.best]
        tests = {
            row: seeds_and_videos_difference(bounded[row], best, videos, rows=len(rows))
            for row in against_best.order[1:]
        }
        against, scope = {**tests}, "; ".join(sorted({test.scope for test in tests.values()}))
    smallest = against_best.smallest_p if scope == THESE_TRAININGS else math.nan
    return Ranking(metric.name, against_best.order, against, smallest, against_best.clusters, scope)


def difference_rows(ranking: Ranking, clips: int) -> list[tuple[Any, ...]]:
    """Lines of `scores/differences.csv`: every row beside the best, by the values that rows are judged by."""
    return [
        (
            ranking.metric,
            ranking.order[0],
            row,
            test.difference,
            test.low,
            test.high,
            test.p_value,
            ranking.smallest_p,
            getattr(test, "clips", clips),
            ranking.videos,
            ranking.scope,
        )
        for row, test in ranking.against.items()
    ]


def ranked(lines: Sequence[SummaryLine], rankings: Mapping[str, Ranking]) -> list[SummaryLine]:
    """Lines of a summary with their places and p values."""
    shown = []
    for line in lines:
        if (ranking := rankings.get(line.metric)) and line.row in ranking.order:
            test = ranking.against.get(line.row)
            line = replace(
                line,
                rank=ranking.order.index(line.row) + 1,
                p_best=test.p_value if test else math.nan,
                smallest_p=ranking.smallest_p,
            )
        shown.append(line)
    return shown


def write_scores(
    out: Path,
    scored: ScoredClips,
    metrics: Sequence[Metric],
    protocol: Protocol,
    left_out: Sequence[Unavailable] = (),
    notes: Sequence[str] = (),
    of_sets: Sequence[SummaryLine] = (),
) -> list[SummaryLine]:
    """Write `summary.csv` and, in `scores/`, the tables per frame and per clip, differences, protocol and notes.

    Args:
        out: folder.
        scored: per-frame columns.
        metrics: that were computed.
        protocol: what the numbers mean.
        left_out: metrics that were not, and why.
        notes: what else has to be read with the numbers.
        of_sets: lines of the set metrics, appended to the summary.

    Returns:
        The lines of the summary.
    """
    of_clips = [metric for metric in metrics if isinstance(metric, ClipMetric)]
    folder = RunFolder(out)
    summary = summarise(scored, of_clips, protocol)
    rankings = {metric.name: one for metric in of_clips if (one := rank(scored, metric, protocol))}
    compared = [line for ranking in rankings.values() for line in difference_rows(ranking, len(scored.ids))]
    # Only now, when everything is known: a kill between two of these files is noticed by `read_summary`.
    write_csv(folder.per_frame, per_frame_columns(scored), frame_rows(scored))
    write_csv(folder.per_clip, PER_CLIP, clip_rows(scored, of_clips, protocol))
    write_json(folder.notes, {"left_out": [asdict(reason) for reason in left_out], "notes": list(notes)})
    write_csv(folder.differences, DIFFERENCES, compared)
    protocol.save(folder.protocol)
    summary = [*ranked(summary, rankings), *of_sets]
    write_summary(out, summary)
    return summary
