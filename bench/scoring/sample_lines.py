"""Statistics of several samples per clip, beyond the summary: mean, best of k for every k, spread, and pooled sets.

`scores/samples.csv` contains one line for each number. For a metric with one value per clip, `mean` is the mean over
samples, `best` the expected best of `k` of them, and `spread` the mean over pairs of a clip's samples. Intervals are
over source videos; samples are nested in their clips. For a metric of whole sets, each sample is a set with one video
per clip. `mean` and `sd` are those of the samples' distances, and `pooled` is the distance of one set of all samples.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench.errors import BenchError
from bench.metrics.base import ClipMetric, SetMetric
from bench.runfolder import RunFolder
from bench.scoring.protocol import Protocol
from bench.scoring.score_tables import ScoredClips, over_samples, read_csv, sample_values, write_csv
from bench.statistics import over_seeds, seeds_and_videos_interval

MEAN, BEST, SPREAD, SD, POOLED = "mean", "best", "spread", "sd", "pooled"
#: Features of each clip, as a `SetMetric` computes them.
Features = Sequence[NDArray[np.float32]]


@dataclass(frozen=True)
class SampleLine:
    """One number of a method with several samples, or of a method listed with such methods.

    Attributes:
        row, metric: what the number describes.
        statistic: `MEAN`, `BEST`, `SPREAD`, `SD` or `POOLED`.
        k: the k of `BEST`, from 2 up; 1 for `MEAN` by a metric with one value per clip; 0 for everything else.
        value: the number; NaN if no clip has a finite one.
        ci_low, ci_high: 95 % interval over source videos; NaN if there is none.
        samples: number of samples per clip.
    """

    row: str
    metric: str
    statistic: str
    k: int
    value: float
    ci_low: float
    ci_high: float
    samples: int


def clip_sample_lines(
    scored: ScoredClips,
    metrics: Iterable[ClipMetric],
    protocol: Protocol,
    spreads: Mapping[tuple[str, str], NDArray[np.float64]],
) -> list[SampleLine]:
    """Mean, best of every k, and spread of every method by metrics with one value per clip."""
    lines = []
    for metric in metrics:
        for row, count in scored.samples.items():
            values = sample_values(scored, metric, row, protocol)
            for k in range(1, count + 1):
                numbers = over_samples(values, type(metric), k)
                of = (row, metric.name, BEST if k > 1 else MEAN, k)
                value, low, high = map(metric.from_scale, _over_videos(metric.on_scale(numbers), scored))
                lines.append(SampleLine(*of, value, low, high, count))
            if (row, metric.name) in spreads:
                lines.append(
                    SampleLine(row, metric.name, SPREAD, 0, *_over_videos(spreads[row, metric.name], scored), count)
                )
    return lines


def _over_videos(values: NDArray[np.float64], scored: ScoredClips) -> tuple[float, float, float]:
    """Mean over the clips that have a finite value with every seed, and its interval."""
    finite = np.asarray(np.isfinite(values).all(axis=0))
    if not finite.any():
        return math.nan, math.nan, math.nan
    videos = [scored.videos[clip] for clip, keep in zip(scored.ids, finite, strict=True) if keep]
    interval = seeds_and_videos_interval(values[:, finite], videos)
    return over_seeds(values[:, finite].mean(axis=1)).mean, interval.low, interval.high


def set_sample_lines(
    metric: SetMetric,
    real: Features,
    rows: Mapping[str, Sequence[Features]],
    samples: Mapping[str, int],
    videos: Sequence[str],
) -> list[SampleLine]:
    """Distances of single samples and of all samples pooled, for every method; means over training seeds.

    Args:
        metric: metric of whole sets.
        real: features of the real clips.
        rows: features of each sample, by method; the samples of one training run are adjacent.
        samples: number of samples per clip, by method.
        videos: source video of each clip.
    """
    lines = []
    for row, features in rows.items():
        count = samples[row]
        runs = [features[start : start + count] for start in range(0, len(features), count)]
        apart = np.array(
            [[metric.distance_of_videos(one, real, videos, videos) for one in run] for run in runs], np.float64
        )
        numbers = {MEAN: float(np.mean(apart))}
        if count > 1:
            numbers[SD] = float(np.mean(np.std(apart, axis=1, ddof=1)))
            numbers[POOLED] = float(np.mean([metric.pooled(run, real, videos) for run in runs]))
        for statistic, value in numbers.items():
            lines.append(SampleLine(row, metric.name, statistic, 0, value, math.nan, math.nan, count))
    return lines


def write_samples(out: Path, lines: Sequence[SampleLine]) -> None:
    """Write `scores/samples.csv`; without lines, remove a file from an earlier scoring."""
    path = RunFolder(out).samples
    if not lines:
        path.unlink(missing_ok=True)
        return
    write_csv(path, [field.name for field in fields(SampleLine)], (asdict(line).values() for line in lines))


def read_samples(out: Path) -> list[SampleLine]:
    """Read `scores/samples.csv`; empty if no method has several samples."""
    path = RunFolder(out).samples
    if not path.exists():
        return []
    kinds: dict[str, Any] = {"k": int, "value": float, "ci_low": float, "ci_high": float, "samples": int}
    try:
        return [
            SampleLine(**{name: kinds.get(name, str)(cell) for name, cell in row.items()}) for row in read_csv(path)
        ]
    except (TypeError, ValueError) as error:
        raise BenchError(f"{path} was written by another version, or edited by hand. Score again.") from error
