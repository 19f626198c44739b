"""Metrics of whole sets of clips (FID, FVD): features a clip at a time, distances, intervals, and the floor.

The estimate of a Fréchet distance is biased upwards when there are few samples, and a bootstrap sample, which repeats
some, is biased further. An interval is therefore the spread of the bootstrap distances about their own mean, put about
the estimate.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from bench.config import SCORED_FRAMES
from bench.data.clips import by_hash
from bench.data.video import Frames
from bench.metrics.base import SetMetric
from bench.progress import task
from bench.registry import METRICS
from bench.scoring.protocol import Protocol
from bench.scoring.tidy import SummaryLine
from bench.statistics import LEVEL, SEED, over_seeds

#: The row that says how far two halves of the real clips are apart: what a distance has to be read against.
FLOOR = "real-halves"
#: Bootstrap samples of a set metric; each costs eigenvalues of a large matrix.
DRAWS = 100
#: Samples (frames for FID) above which that would take hours, and the table has no interval.
LARGEST = 20_000
#: Clips that are decoded and not yet forgotten.
KEPT = 16

Features = NDArray[np.float32]


class ScoredFrames(Sequence[Frames]):
    """The scored frames of clips, decoded when they are looked at, so that memory does not grow with their number."""

    def __init__(self, ids: Sequence[str], read: Callable[[str], Frames], skipped: int) -> None:
        self._ids = ids
        self._read = lru_cache(KEPT)(lambda id: read(id)[skipped:])

    def __len__(self) -> int:
        return len(self._ids)

    def __getitem__(self, index: int) -> Frames:  # type: ignore[override]  # nobody takes slices
        return self._read(self._ids[index])


def set_lines(
    metric: SetMetric,
    rows: Sequence[tuple[str, int, Callable[[str], Frames]]],
    real: Callable[[str], Frames],
    ids: Sequence[str],
    videos: Sequence[str],
    protocol: Protocol,
) -> list[SummaryLine]:
    """One line of the summary for each row, and one for the floor.

    Args:
        metric: whose weights are at hand.
        rows: name, training seed and reader of each row; rows of one name are trainings of one model.
        real: reader of the real clips.
        ids: of the clips.
        videos: source video of each clip.
        protocol: of the scoring.
    """
    with task(f"{metric.name}: features", 1 + len(rows)) as progress:
        wanted = metric.features(ScoredFrames(ids, real, protocol.skipped))
        progress.advance()
        features: dict[str, list[list[Features]]] = {}
        for row, _, read in rows:
            features.setdefault(row, []).append(metric.features(ScoredFrames(ids, read, protocol.skipped)))
            progress.advance()
    lines = []
    with task(f"{metric.name}: distances", len(features)) as progress:
        for row, of_seeds in features.items():
            found = over_seeds([metric.distance(predicted, wanted) for predicted in of_seeds])
            low, high = _interval(metric, of_seeds, wanted, videos, found.mean)
            counts = (len(ids), 0, len(of_seeds), found.std)
            stamp = protocol.id_of(metric.name)
            lines.append(SummaryLine(protocol.dataset, row, metric.name, found.mean, low, high, *counts, stamp))
            progress.advance()
    if floor := _floor(metric, wanted, videos):
        value, clips = floor
        stamp = protocol.id_of(metric.name)
        none = (math.nan, math.nan)
        lines.append(SummaryLine(protocol.dataset, FLOOR, metric.name, value, *none, clips, 0, 1, math.nan, stamp))
    return lines


def share_features(
    names: Sequence[str],
    readers: Sequence[Callable[[str], Frames]],
    ids: Sequence[str],
    frames: str,
    rank: int,
    ranks: int,
) -> None:
    """Compute one process's share of the features of set metrics into the cache, where the scoring then finds them.

    Args:
        names: metrics; those without features, or without weights at hand, are left alone.
        readers: of the real clips and of every row.
        ids: of the clips.
        frames: "all" or "future".
        rank: of this process.
        ranks: how many there are.
    """
    share = ids[rank::ranks]
    for metric in (METRICS.load(name)() for name in names):
        if share and isinstance(metric, SetMetric) and not metric.unavailable():
            for read in readers:
                metric.features(ScoredFrames(share, read, SCORED_FRAMES[frames]))


def _samples(videos: Sequence[str]) -> Iterator[list[int]]:
    """Clip numbers of bootstrap samples: whole source videos drawn with replacement."""
    clips: dict[str, list[int]] = {}
    for number, video in enumerate(videos):
        clips.setdefault(video, []).append(number)
    groups = [clips[video] for video in sorted(clips)]
    rng = np.random.default_rng(SEED)
    for _ in range(DRAWS):
        yield [number for group in rng.integers(len(groups), size=len(groups)) for number in groups[group]]


def _interval(
    metric: SetMetric, of_seeds: list[list[Features]], real: list[Features], videos: Sequence[str], value: float
) -> tuple[float, float]:
    if len(set(videos)) < 2 or sum(len(clip) for clip in real) > LARGEST:
        return math.nan, math.nan
    draws = []
    for numbers in _samples(videos):
        drawn = [real[n] for n in numbers]
        distances = [metric.distance([predicted[n] for n in numbers], drawn) for predicted in of_seeds]
        draws.append(sum(distances) / len(distances))
    low, high = np.quantile(draws, [(1 - LEVEL) / 2, (1 + LEVEL) / 2]) - np.mean(draws)
    return max(0.0, value + float(low)), value + float(high)


def _floor(metric: SetMetric, real: list[Features], videos: Sequence[str]) -> tuple[float, int] | None:
    """Distance between two halves of the real clips, divided by source video; None where there are too few."""
    names = by_hash(set(videos))
    half = set(names[: len(names) // 2])
    sides = [[f for f, video in zip(real, videos, strict=True) if (video in half) == side] for side in (True, False)]
    if min(sum(len(f) for f in side) for side in sides) < 2:
        return None
    return metric.distance(*sides), min(len(side) for side in sides)
