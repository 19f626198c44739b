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
    Primary,
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
    SeedsDifference,
    at_bound,
    best_of_many,
    best_of_samples,
    over_seeds,
    seeds_and_videos_against_best,
    seeds_and_videos_interval,
)


def summarise(scored: ScoredClips, metrics: Iterable[ClipMetric], protocol: Protocol) -> list[SummaryLine]:
    """Means over clips with 95 % intervals over source videos and training runs, one line per row and metric."""
    return [_summary_line(scored, metric, row, protocol) for metric in metrics for row in scored.rows]


def _summary_line(scored: ScoredClips, metric: ClipMetric, row: str, protocol: Protocol) -> SummaryLine:
    by_seed = metric.on_scale(of_seeds(scored, metric, row, protocol))
    finite = np.asarray(np.isfinite(by_seed).all(axis=0))  # the same clips for every seed
    kept = by_seed[:, finite]
    videos = [scored.videos[clip] for clip, keep in zip(scored.ids, finite, strict=True) if keep]
    value = low = high = sd = math.nan
    scope = ""
    if videos:
        interval = seeds_and_videos_interval(kept, videos)
        low, high, scope = metric.from_scale(interval.low), metric.from_scale(interval.high), interval.scope
        value = metric.from_scale(over_seeds(kept.mean(axis=1)).mean)
        sd = over_seeds([metric.from_scale(float(mean)) for mean in kept.mean(axis=1)]).std
    counts = (len(videos), len(scored.ids) - len(videos), len(by_seed))
    stamp = protocol.id_of(metric.name)
    return SummaryLine(protocol.dataset, row, metric.name, value, low, high, *counts, sd, stamp, scope=scope)


def of_seeds(scored: ScoredClips, metric: ClipMetric, row: str, protocol: Protocol) -> NDArray[np.float64]:
    """A row's numbers by training seed and clip, `[S, N]`."""
    values = clip_values(scored, metric, protocol)
    return np.array([[values[row, seed, clip] for clip in scored.ids] for seed in scored.seeds(row)], np.float64)


def judged_of_seeds(scored: ScoredClips, metric: ClipMetric, row: str, protocol: Protocol) -> NDArray[np.float64]:
    """The values by which a row is judged, by training seed and clip, `[S, N]`.

    Several samples are judged individually, infinite ones at the metric's bound, before they are combined into one
    number.
    """
    if not any(np.ndim(values) == 2 for key, of in scored.columns.items() if key[0] == row for values in of.values()):
        return metric.judged(of_seeds(scored, metric, row, protocol))
    judged = metric.judged(sample_values(scored, metric, row, protocol))
    if judged.shape[-1] == 1:
        return judged[..., 0]
    judged = np.where(np.isinf(judged), np.sign(judged) * abs(metric.bound), judged)
    lower = -judged if metric.judged_direction() == "higher" else judged
    return best_of_samples(judged, protocol.best, lower=lower)


@dataclass(frozen=True)
class Ranking:
    """Ranking of the methods by one metric.

    Attributes:
        metric: name of the metric.
        order: methods, best first; empty if no method is best.
        against: comparison of each other method with the best.
        smallest_p: smallest p value that these videos can reach.
        videos: number of source videos of the clips that all methods have.
        scope: what the tests cover.
        worse: sign of the difference of a method that is worse than the best.
    """

    metric: str
    order: Sequence[str]
    against: Mapping[str, SeedsDifference | ComparisonWithBest]
    smallest_p: float
    videos: int
    scope: str
    worse: int = 1


def rank(scored: ScoredClips, metric: ClipMetric, protocol: Protocol) -> Ranking | None:
    """Rank the methods by paired clips, and test each against the best, corrected for the choice of the best.

    With one training run per method, the test exchanges names within videos (max-T) and applies to these runs only.
    With several, it is a t test over videos and runs. Infinite values count at the metric's bound before anything is
    averaged, so that order and test use the same numbers. The result is None if there are fewer than two methods, or
    no clip on which all have a value.
    """
    judged = {row: judged_of_seeds(scored, metric, row, protocol) for row in scored.rows}
    common = ~np.isnan(np.concatenate([*judged.values()])).any(axis=0)
    if len(judged) < 2 or not common.any():
        return None
    videos = [scored.videos[clip] for clip, keep in zip(scored.ids, common, strict=True) if keep]
    counted = {row: at_bound(values[:, common], metric.bound) for row, values in judged.items()}
    found = best_of_many(
        {row: values.mean(axis=0) for row, values in counted.items()}, videos, metric.judged_direction()
    )
    best, worst = found.order[0], -np.inf if metric.judged_direction() == "higher" else np.inf
    if (judged[best][:, common] == worst).all():  # nothing but still videos
        return Ranking(metric.name, (), {}, found.smallest_p, found.clusters, "")
    against: dict[str, SeedsDifference | ComparisonWithBest] = {other.row: other for other in found.others}
    scope = THESE_TRAININGS
    if max(len(values) for values in counted.values()) > 1:
        tests = {
            row: seeds_and_videos_against_best(counted[row], counted[best], videos, rows=len(counted))
            for row in found.order[1:]
        }
        against, scope = {**tests}, "; ".join(sorted({test.scope for test in tests.values()}))
    smallest = found.smallest_p if scope == THESE_TRAININGS else math.nan
    sign = -1 if metric.judged_direction() == "higher" else 1
    return Ranking(metric.name, found.order, against, smallest, found.clusters, scope, sign)


def difference_rows(ranking: Ranking, clips: int) -> list[tuple[Any, ...]]:
    """Lines of `scores/differences.csv`: every method against the best, by the values by which methods are judged."""
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
    """Lines of a summary, with places and p values added."""
    shown = []
    for line in lines:
        if (ranking := rankings.get(line.metric)) and line.row in ranking.order:
            test = ranking.against.get(line.row)
            p_best = math.nan
            if test:  # a method that is not worse is never called worse, whatever its p value
                p_best = test.p_value if ranking.worse * test.difference >= 0 else 1.0
            line = replace(
                line,
                rank=ranking.order.index(line.row) + 1,
                p_best=p_best,
                smallest_p=ranking.smallest_p,
                turned_by=test.turned_by if test else "",
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
    primary: Primary | None = None,
) -> list[SummaryLine]:
    """Write `summary.csv` and, in `scores/`, the per-frame and per-clip tables, differences, protocol and notes.

    Args:
        out: folder for the results.
        scored: per-frame columns.
        metrics: metrics that were computed.
        protocol: protocol of the numbers.
        left_out: metrics that were not computed, and why.
        notes: further notes to be read with the numbers.
        of_sets: lines of the set metrics, appended to the summary.
        primary: the metric that was named as the primary one, if any.

    Returns:
        The lines of the summary.
    """
    of_clips = [metric for metric in metrics if isinstance(metric, ClipMetric)]
    folder = RunFolder(out)
    summary = summarise(scored, of_clips, protocol)
    rankings = {metric.name: one for metric in of_clips if (one := rank(scored, metric, protocol))}
    compared = [line for ranking in rankings.values() for line in difference_rows(ranking, len(scored.ids))]
    # Write only when everything is known. `read_summary` detects an interruption between two of these files.
    write_csv(folder.per_frame, per_frame_columns(scored), frame_rows(scored))
    write_csv(folder.per_clip, PER_CLIP, clip_rows(scored, of_clips, protocol))
    named = {"primary": asdict(primary)} if primary and primary.metric else {}
    write_json(folder.notes, {"left_out": [asdict(reason) for reason in left_out], "notes": list(notes), **named})
    write_csv(folder.differences, DIFFERENCES, compared)
    protocol.save(folder.protocol)
    summary = [*ranked(summary, rankings), *of_sets]
    write_summary(out, summary)
    return summary
