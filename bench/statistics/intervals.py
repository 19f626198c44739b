"""Intervals of a mean over clips, over source videos, and the mean and deviation over training seeds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from bench.statistics.clusters import LEVEL, NAN, Floats, Interval, mean_over_clips


def jackknife_interval(values: ArrayLike, clusters: Sequence[Any], level: float = LEVEL) -> Interval:
    """Interval of the mean over clips, from leaving out one source video at a time; with one video there is none.

    Args:
        values: [N] finite numbers, one a clip; the caller leaves out (and counts) those that are not finite.
        clusters: [N] names of the source videos.
        level: coverage aimed at.

    Raises:
        BenchError: no value, a value that is not finite, or a different number of clusters.
    """
    estimate, videos, _ = mean_over_clips(values, clusters)
    return Interval(estimate.value, *estimate.ends(level), videos.count)


@dataclass(frozen=True)
class OverSeeds:
    """Mean and sample standard deviation (N − 1) over training seeds; NaN deviation where there is one seed."""

    mean: float
    std: float
    seeds: int


def over_seeds(values: ArrayLike) -> OverSeeds:
    """Summarise one number a training seed; values that are not finite are the caller's to leave out."""
    numbers: Floats = np.sort(np.asarray(values, np.float64))  # sorted, so that the order of seeds changes no bit
    if not numbers.size:
        return OverSeeds(NAN, NAN, 0)
    std = float(np.std(numbers, ddof=1)) if numbers.size > 1 else NAN
    return OverSeeds(float(np.mean(numbers)), std, int(numbers.size))
