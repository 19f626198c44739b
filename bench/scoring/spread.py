"""Spread: how much the samples of one clip differ, as the mean over pairs of samples.

The metric is the one that compares samples with the real clip. A model that always generates the same video has no
spread; best@k alone would not reveal this.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from itertools import combinations
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bench.data.readers.video import Frames
from bench.data.workers import processors
from bench.files import digest
from bench.metrics.base import ClipMetric, Column
from bench.progress import task
from bench.scoring.pairing import PAIRS, Row, read_prediction
from bench.scoring.protocol import Protocol
from bench.scoring.score_journal import ScoreJournal

#: Returns the key of everything that the numbers of a clip, given by ID, and a row are computed from.
ContentKey = Callable[[str, Row], str]
#: Spread by method and metric, float64 [S, N] by training seed and clip; NaN where no pair has a finite value.
Spreads = dict[tuple[str, str], NDArray[np.float64]]


def sample_pairs(samples: int) -> list[tuple[int, int]]:
    """The pairs of samples that are compared, in order.

    >>> sample_pairs(3)
    [(0, 1), (0, 2), (1, 2)]
    """
    pairs = list(combinations(range(samples), 2))
    return sorted(sorted(pairs, key=lambda pair: digest([*pair]))[:PAIRS])


def spreads(
    rows: Sequence[Row],
    ids: Sequence[str],
    protocol: Protocol,
    metrics: Sequence[ClipMetric],
    content: ContentKey,
    journal_path: Path,
    workers: int | None = None,
) -> Spreads:
    """The spread of every method that has several samples, by every metric with one value per clip.

    Args:
        rows: one per sample (`bench.scoring.pairing.with_samples`).
        ids: IDs of the clips.
        protocol: protocol of the scoring.
        metrics: metrics to use; `motion` and similar metrics count as distances of their logarithm from 0.
        content: returns the key of everything that the numbers of a clip and a row are computed from.
        journal_path: journal in which values are looked up and stored.
        workers: number of decoding threads.
    """
    runs: dict[tuple[str, int], list[Row]] = {}
    for row in rows:
        runs.setdefault((row.name, row.seed), []).append(row)
    several = {run: of_run for run, of_run in runs.items() if len(of_run) > 1}
    found: dict[tuple[str, str], list[list[float]]] = {}
    journal = ScoreJournal(journal_path)
    with (
        task("spread of samples", len(several) * len(ids)) as progress,
        ThreadPoolExecutor(workers or processors()) as pool,
    ):
        for (name, _), samples in several.items():
            for metric in metrics:
                found.setdefault((name, metric.name), []).append([])
            for id in ids:
                of_metrics = _of_clip(samples, id, protocol, metrics, content, journal, pool)
                for metric, value in zip(metrics, of_metrics, strict=True):
                    found[name, metric.name][-1].append(value)
                progress.advance()
    journal.close()
    return {key: np.array(values, np.float64) for key, values in found.items()}


def _of_clip(
    samples: Sequence[Row],
    id: str,
    protocol: Protocol,
    metrics: Sequence[ClipMetric],
    content: ContentKey,
    journal: ScoreJournal,
    pool: ThreadPoolExecutor,
) -> list[float]:
    contents = [content(id, row) for row in samples]
    videos: list[Frames] = []
    values = []
    for metric in metrics:
        of_pairs = []
        for one, other in sample_pairs(len(samples)):
            key = f"{metric.name} {protocol.metrics[metric.name]} spread {contents[one]} {contents[other]}"
            columns = journal.get(key)
            if columns is None:
                videos = videos or list(pool.map(partial(read_prediction, id=id, protocol=protocol), samples))
                columns = dict(metric.compute(videos[one], videos[other]))
                journal.put(key, columns)
            of_pairs.append(metric.clip(protocol.cut(columns)))
        values.append(_mean(metric, of_pairs))
    return values


def _mean(metric: ClipMetric, of_pairs: Iterable[float]) -> float:
    values: Column = np.array([*of_pairs], np.float64)
    distances = metric.judged(values) if metric.direction == "one" else values
    finite = distances[np.isfinite(distances)]
    return float(np.mean(np.sort(finite))) if len(finite) else float("nan")
