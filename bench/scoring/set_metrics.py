"""Metrics of whole sets of clips (FID, FVD, KVD): features per clip, distances, intervals, and real vs. real.

Intervals and paired differences come from a delete-one-cluster jackknife over source videos, for all methods at once
(`bench.statistics.leave_out`). The estimate of a Fréchet distance is biased upwards when there are few samples.
Methods are therefore ranked by it only if there are many, and real vs. real (split-half) uses the same number of clips
on both sides.
"""

from __future__ import annotations

import contextlib
import math
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from bench.data.readers.video import Frames
from bench.metrics.base import SetMetric, UnfitError
from bench.progress import task
from bench.scoring.pairing import REAL_HALVES as REAL_HALVES
from bench.scoring.protocol import Protocol
from bench.scoring.score_tables import SummaryLine
from bench.statistics import LEVEL, SEED, THESE_TRAININGS, LeaveOneOutDistances, leave_out, over_seeds

#: Number of divisions of the real clips into two sides; real vs. real is the mean over them.
SPLITS = 20
#: Number of decoded clips that are kept in memory.
KEPT = 16

Features = NDArray[np.float32]


class ScoredFrames(Sequence[Frames]):
    """The scored frames of clips, decoded on access, so that memory does not grow with their number."""

    def __init__(self, ids: Sequence[str], read: Callable[[str], Frames], scored: slice) -> None:
        self._ids = ids
        self._read = lru_cache(KEPT)(lambda id: read(id)[scored])

    def __len__(self) -> int:
        return len(self._ids)

    def __getitem__(self, index: int) -> Frames:  # type: ignore[override]  # slices are never used
        return self._read(self._ids[index])


#: Features of the real clips and of each seed of each row, by what the features depend on apart from the clips.
KnownFeatures = dict[str, tuple[list[Features], dict[str, list[list[Features]]]]]
#: Name, training seed and reader of a row. Rows with the same name are training runs of a model; rows with the same
#: seed too are samples.
Reader = tuple[str, int, Callable[[str], Frames]]


def set_lines(
    metric: SetMetric,
    rows: Sequence[Reader],
    real: Callable[[str], Frames],
    clips: Mapping[str, str],
    protocol: Protocol,
    cached: KnownFeatures | None = None,
) -> list[SummaryLine]:
    """One line of the summary for each row, and one for real vs. real.

    Args:
        metric: metric whose weights are available.
        rows: scored rows.
        real: reader of the real clips.
        clips: source video of each clip by its ID, in order.
        protocol: protocol of the scoring.
        cached: features computed earlier for metrics that share them; features computed here are added.

    Raises:
        UnfitError: the metric has no number for these clips.
    """
    cached = {} if cached is None else cached
    key = metric.features_id()
    if key not in cached:
        ids = list(clips)
        with task(f"{metric.name}: features", 1 + len(rows)) as progress:
            real_features = metric.features_of(None, ids, ScoredFrames(ids, real, protocol.scored))
            progress.advance()
            features: dict[str, list[list[Features]]] = {}
            samples = Counter[tuple[str, int]]()
            for row, seed, read in rows:
                of_row = (row, seed, samples[row, seed])
                samples[row, seed] += 1
                found = metric.features_of(of_row, ids, ScoredFrames(ids, read, protocol.scored))
                features.setdefault(row, []).append(found)
                progress.advance()
        cached[key] = real_features, features
    real_features, features = cached[key]
    seeds = {row: len({seed for name, seed, _ in rows if name == row}) for row in features}
    videos = [*clips.values()]
    sides = SetFeatures(metric, list(features.values()), real_features, list(seeds.values()), videos)
    with task(f"{metric.name}: distances", 1) as progress:
        lines = _row_lines(sides, list(features), protocol)
        progress.advance()
    halves = real_halves(sides)
    if halves is not None:
        lines = [replace(line, at_split=value) for line, value in zip(lines, halves.rows, strict=True)]
    return [*lines, *_halves_line(metric, halves, protocol)]


def real_halves_line(
    metric: SetMetric, real: Sequence[Features], videos: Sequence[str], protocol: Protocol
) -> list[SummaryLine]:
    """The line of real vs. real from the real clips' features and source videos; empty if there are too few."""
    halves = real_halves(SetFeatures(metric, rows=[], real=real, seeds=[], videos=videos))
    return _halves_line(metric, halves, protocol)


def _halves_line(metric: SetMetric, halves: RealHalves | None, protocol: Protocol) -> list[SummaryLine]:
    if halves is None:
        return []
    shared = (protocol.dataset, REAL_HALVES, metric.name, halves.value, halves.low, halves.high)
    return [SummaryLine(*shared, halves.clips, 0, 1, math.nan, protocol.id_of(metric.name))]


@dataclass(frozen=True)
class SetFeatures:
    """Features of all rows and of the real clips.

    Attributes:
        metric: metric that computed them.
        rows: features by row, by seed (and by sample; those of one seed are adjacent), and by clip.
        real: features of each clip.
        seeds: number of seeds of each row.
        videos: source video of each clip.
    """

    metric: SetMetric
    rows: Sequence[Sequence[Sequence[Features]]]
    real: Sequence[Features]
    seeds: Sequence[int]
    videos: Sequence[str]

    def between(self, side: Sequence[Features], numbers: Sequence[int], real: Sequence[int]) -> float:
        """Distance from some clips of a row, or of the real side itself, to some real ones, both given by index."""
        of_side, of_real = ([self.videos[n] for n in chosen] for chosen in (numbers, real))
        features = [side[n] for n in numbers], [self.real[n] for n in real]
        return self.metric.distance_of_videos(*features, of_side, of_real)

    def of_row(self, row: int, numbers: Sequence[int], real: Sequence[int]) -> list[float]:
        """The distance `between` for each seed and sample of a row."""
        return [self.between(one, numbers, real) for one in self.rows[row]]

    def distances(self, numbers: NDArray[np.intp]) -> list[float]:
        """Distance from each row to the real side on some of the clips, averaged over seeds and samples."""
        chosen = numbers.tolist()
        return [float(np.mean(self.of_row(row, chosen, chosen))) for row in range(len(self.rows))]

    def without_each(self, groups: NDArray[np.intp]) -> NDArray[np.float64]:
        """`distances` without each group of clips in turn, float64 [G, R]."""
        left = (
            [self.metric.without_each(one, self.real, groups, self.videos) for one in of_seeds]
            for of_seeds in self.rows
        )
        return np.stack([np.mean(of_seeds, axis=0) for of_seeds in left], axis=1)


def _row_lines(sides: SetFeatures, names: Sequence[str], protocol: Protocol) -> list[SummaryLine]:
    """One line per row: value, interval, and, if there are enough clips to rank, place and p value."""
    metric, clips = sides.metric, len(sides.videos)
    apart = [np.array(sides.of_row(row, range(clips), range(clips))) for row in range(len(names))]
    of_seeds = [over_seeds(row.reshape(seeds, -1).mean(axis=1)) for row, seeds in zip(apart, sides.seeds, strict=True)]
    left = _left_out(sides)
    lines = []
    best = int(np.argmin(left.values)) if metric.ranks(clips) and len(names) > 1 else -1
    places = np.argsort(np.argsort(left.values)) + 1 if best >= 0 else np.zeros(len(names), int)
    for row, name in enumerate(names):
        over = of_seeds[row]
        interval = left.interval(row) if len(left.without) > 1 else None
        low, high = (interval.low, interval.high) if interval else (math.nan, math.nan)
        low = low if metric.unbiased else max(low, 0.0)  # a Fréchet distance is never negative
        high = min(high, metric.most)
        tested = interval is not None and best >= 0 and row != best
        p_best = left.difference(row, best, rows=len(names)).p_value if tested else math.nan
        counts = (clips, 0, sides.seeds[row], over.std)
        line = SummaryLine(
            protocol.dataset, name, metric.name, over.mean, low, high, *counts, protocol.id_of(metric.name)
        )
        lines.append(replace(line, p_best=p_best, rank=int(places[row]), scope=THESE_TRAININGS if interval else ""))
    return lines


def _left_out(sides: SetFeatures) -> LeaveOneOutDistances:
    """Distances of all rows, with and without each video.

    Those without each video are omitted if there are too many features, or if the remaining clips have no distance.
    """
    if sum(len(clip) for clip in sides.real) <= sides.metric.largest:
        with contextlib.suppress(UnfitError):
            return leave_out(sides.distances, sides.videos, without=sides.without_each)
    return leave_out(sides.distances, ["all"] * len(sides.videos))


@dataclass(frozen=True)
class RealHalves:
    """Distance between real clips and real clips, and the distances of methods at that number of clips.

    Attributes:
        value: mean over `SPLITS` random divisions of the source videos into two sides of equally many clips.
        low, high: limits of the central 95 % of the divisions.
        clips: number of clips on each side.
        rows: for each row, the distance from its clips of one side to the real clips of the other; mean over the same
            divisions, and over seeds and samples.
    """

    value: float
    low: float
    high: float
    clips: int
    rows: Sequence[float]


def real_halves(sides: SetFeatures) -> RealHalves | None:
    """Real vs. real by a metric; None if a side has too few clips for a distance, or there are too many features."""
    names = sorted(set(sides.videos))
    if len(names) < 2 or sum(len(clip) for clip in sides.real) > sides.metric.largest:
        return None
    numbers = {name: [n for n, video in enumerate(sides.videos) if video == name] for name in names}
    rng, distances, clips = np.random.default_rng(SEED), [], len(sides.videos)
    for _ in range(SPLITS):
        mixed = [names[place] for place in rng.permutation(len(names))]
        halves = [[n for name in half for n in numbers[name]] for half in (mixed[::2], mixed[1::2])]
        size = min(map(len, halves))
        if size < max(2, sides.metric.min_clips):
            return None
        first, second = (half[:size] for half in halves)
        clips = min(clips, size)
        try:
            real = sides.between(sides.real, first, second)
            rows = [float(np.mean(sides.of_row(row, first, second))) for row in range(len(sides.rows))]
        except UnfitError:
            return None
        distances.append([real, *rows])
    values = np.array(distances)[:, 0]
    low, high = np.quantile(values, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return RealHalves(float(np.mean(values)), float(low), float(high), clips, np.mean(distances, axis=0)[1:].tolist())
