"""From per-frame columns to the lines of a summary: means, intervals, paired differences."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import asdict, fields, replace
from pathlib import Path
from typing import Any

import numpy as np

from bench.files import write_json
from bench.metrics.base import ClipMetric, Metric, Unavailable, best_first
from bench.runfolder import RunFolder
from bench.scoring.protocol import Protocol
from bench.scoring.tidy import (
    DIFFERENCES,
    PER_CLIP,
    PER_FRAME,
    ScoredClips,
    SummaryLine,
    clip_rows,
    clip_values,
    frame_rows,
    write_csv,
)
from bench.statistics import bootstrap_interval, holm, over_seeds, paired_difference


def summarise(scored: ScoredClips, metrics: Iterable[ClipMetric], protocol: Protocol) -> list[SummaryLine]:
    """Means over clips with 95 % bootstrap intervals over source videos, a line for each row and metric."""
    lines = []
    for metric in metrics:
        values = clip_values(scored, metric, protocol)
        for row in scored.rows:
            seeds = scored.seeds(row)
            by_seed = np.array([[values[row, seed, clip] for clip in scored.ids] for seed in seeds])
            finite = np.isfinite(by_seed).all(axis=0)  # the same clips for every seed
            kept = by_seed[:, finite]
            videos = [scored.videos[clip] for clip, keep in zip(scored.ids, finite, strict=True) if keep]
            value = low = high = sd = math.nan
            if videos:
                found = over_seeds(kept.mean(axis=1))
                value, sd = found.mean, found.std
                interval = bootstrap_interval(kept.mean(axis=0), videos)
                low, high = interval.low, interval.high
            counts = (len(videos), len(scored.ids) - len(videos), len(seeds))
            stamp = protocol.id_of(metric.name)
            lines.append(SummaryLine(protocol.dataset, row, metric.name, value, low, high, *counts, sd, stamp))
    return lines


def paired_differences(
    scored: ScoredClips, metrics: Iterable[ClipMetric], summary: Sequence[SummaryLine], protocol: Protocol
) -> list[tuple[Any, ...]]:
    """Paired difference of every row to the best one, metric by metric: rows of `scores/differences.csv`.

    Clip by clip over the clips that both rows have a finite value for, seeds averaged; p values are Holm-corrected over
    the rows of a metric. For a metric that is best at 1 the distances to 1 are compared.
    """
    found: list[tuple[Any, ...]] = []
    for metric in metrics:
        means = {line.row: line.value for line in summary if line.metric == metric.name and math.isfinite(line.value)}
        if len(means) < 2:
            continue
        best = min(means, key=lambda row: best_first(metric.direction, means[row]))
        values = clip_values(scored, metric, protocol)
        of_row = {
            row: np.array([np.mean([values[row, seed, clip] for seed in scored.seeds(row)]) for clip in scored.ids])
            for row in means
        }
        if metric.direction == "one":
            of_row = {row: np.abs(column - 1) for row, column in of_row.items()}
        tests = []
        for row in means:
            both = np.isfinite(of_row[row]) & np.isfinite(of_row[best])
            if row == best or not both.any():
                continue
            videos = [scored.videos[clip] for clip, keep in zip(scored.ids, both, strict=True) if keep]
            tests.append((row, paired_difference(of_row[row][both], of_row[best][both], videos), int(both.sum())))
        corrected = holm([test.p_value for _, test, _ in tests])
        found += [
            (metric.name, best, row, t.difference, t.low, t.high, t.p_value, float(p), clips, t.clusters)
            for (row, t, clips), p in zip(tests, corrected, strict=True)
        ]
    return found


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
    compared = paired_differences(scored, of_clips, summary, protocol)
    # Only now, when everything is known: a kill between two of these files is noticed by `read_summary`.
    write_csv(folder.per_frame, PER_FRAME, frame_rows(scored))
    write_csv(folder.per_clip, PER_CLIP, clip_rows(scored, of_clips, protocol))
    write_json(folder.notes, {"left_out": [asdict(reason) for reason in left_out], "notes": list(notes)})
    write_csv(folder.differences, DIFFERENCES, compared)
    protocol.save(folder.protocol)
    p_values = {(metric, row): p for metric, _, row, *_, p, _, _ in compared}
    summary = [replace(line, p_best=p_values.get((line.metric, line.row), math.nan)) for line in summary]
    summary += of_sets
    write_csv(
        folder.summary,
        [f.name for f in fields(SummaryLine)],
        (asdict(line).values() for line in summary),
    )
    return summary
