"""Worlds of sets of clips, real ones and those of two methods, for the metrics of whole sets."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench.data.clips import Clip
from bench.metrics.base import SetMetric
from bench.metrics.frechet import frechet_distance
from bench.metrics.kvd import KVD
from bench.metrics.mmd import mmd_without_each, unbiased_mmd
from bench.scoring.pairing import Row
from bench.scoring.set_metrics import SetFeatures, real_halves
from bench.scoring.unpaired import FeaturesOfSets, UnpairedSets, left_out
from bench.statistics import leave_out

Floats = NDArray[np.float64]
Numbers = NDArray[np.intp]
#: How many clips a video has, and what is hard about it: failures of a method on a tenth of the videos; videos of more
#: clips that also look different.
WORLDS = ("equal", "unequal", "failures", "informative")
DIMENSIONS = 8
#: Videos, one clip each, that the true distance is computed from.
POPULATION = 2500


@dataclass(frozen=True)
class Clips:
    """Features [N, D] of the real clips and of two methods, clip by clip, and the source video of each."""

    real: Floats
    methods: tuple[Floats, Floats]
    of: NDArray[np.int64]


def draw(rng: np.random.Generator, videos: int, world: str) -> Clips:
    """Clips of so many videos; both methods continue the same scenes as the real clips, the second one is farther."""
    scenes = rng.normal(size=(videos, DIMENSIONS))
    sizes = np.full(videos, 4) if world in ("equal", "failures") else 1 + np.arange(videos) % 10
    if world == "informative":
        sizes = np.where(scenes[:, 0] > 0.7, 10, 2)
    of = np.repeat(np.arange(videos), sizes)
    real = scenes[of] + 0.5 * rng.normal(size=(len(of), DIMENSIONS))
    methods = []
    for shift, scale in ((0.3, 0.5), (0.4, 0.6)):
        own = rng.normal(size=(videos, DIMENSIONS)) * scale + shift
        if world == "failures":
            own += 2.0 * (rng.random((videos, 1)) < 0.1)
        methods.append(0.5 * real + own[of] + 0.5 * rng.normal(size=(len(of), DIMENSIONS)))
    return Clips(real, (methods[0], methods[1]), of)


@lru_cache
def true_distances(world: str) -> tuple[float, float]:
    """Squared maximum mean discrepancies of the methods' distributions, from many videos of one clip each."""
    rng = np.random.default_rng(20)
    clips = draw(rng, 2 * POPULATION if world == "informative" else POPULATION, world)
    sizes, first = np.bincount(clips.of), np.concatenate([[0], np.cumsum(np.bincount(clips.of))[:-1]])
    if world == "informative":  # each clip counts once, so that a video counts as often as it has clips
        first = first[rng.random(len(first)) < sizes / sizes.max()]
    real = clips.real[first]
    return _true_distance(clips.methods[0][first], real), _true_distance(clips.methods[1][first], real)


def _true_distance(x: Floats, y: Floats) -> float:
    def mean(a: Floats, b: Floats) -> float:
        product = a @ b.T / DIMENSIONS + 1
        kernel = product * product * product
        return float((kernel.sum() - np.trace(kernel)) / (len(a) * (len(a) - 1)))

    return mean(x, x) + mean(y, y) - 2 * mean(x, y)


def no_distance(videos: int, per: int, repeats: int, seed: int = 0, *, old: bool = False) -> tuple[float, float]:
    """Mean KVD, with its standard error, of two sets of one distribution that continue the same videos.

    `old`: comparing clips of one video, but for a clip with itself and with the one that continues it.
    """
    rng = np.random.default_rng([seed, videos, per])
    of, values = np.repeat(np.arange(videos), per), []
    for _ in range(repeats):
        x, y = (
            rng.normal(size=(videos, DIMENSIONS))[of] + 0.5 * rng.normal(size=(len(of), DIMENSIONS)) for _ in range(2)
        )
        values.append(unbiased_mmd(x, y) if old else unbiased_mmd(x, y, of, of))
    return float(np.mean(values)), float(np.std(values) / np.sqrt(repeats))


def _kernel(clips: Clips, kept: Numbers) -> list[float]:
    return [unbiased_mmd(one[kept], clips.real[kept], clips.of[kept], clips.of[kept]) for one in clips.methods]


@dataclass(frozen=True)
class SetCoverage:
    """Shares of intervals that hold the truth, of one method's distance and of the paired difference."""

    value: float
    difference: float


def kernel_coverage(videos: int, world: str, repeats: int, seed: int = 0) -> SetCoverage:
    """Coverage of KVD's intervals, of the distance of the two distributions."""
    near, far = true_distances(world)

    def left(clips: Clips) -> Any:
        def without(groups: Numbers) -> Floats:
            parts = [mmd_without_each(one, clips.real, groups, clips.of) for one in clips.methods]
            return np.stack(parts, axis=1)

        return leave_out(lambda kept: _kernel(clips, kept), list(clips.of), without=without)

    return _covered(left, videos, world, repeats, seed, (near, near - far))


def frechet_coverage(videos: int, world: str, repeats: int, seed: int = 0) -> SetCoverage:
    """Coverage of the Fréchet distance's intervals, of its mean at this number of clips over other draws."""
    return distance_coverage(frechet_distance, videos, world, repeats, seed)


def distance_coverage(
    distance: Callable[[Floats, Floats], float], videos: int, world: str, repeats: int, seed: int = 0, draws: int = 2000
) -> SetCoverage:
    """The same of any distance of two sets of features; its mean is that over so many other draws."""

    def distances(clips: Clips, kept: Any) -> list[float]:
        return [distance(one[kept], clips.real[kept]) for one in clips.methods]

    others = np.random.default_rng([seed + 1, videos])
    means = [distances(clips, slice(None)) for clips in (draw(others, videos, world) for _ in range(draws))]
    near, far = np.mean(means, axis=0)

    def left(clips: Clips) -> Any:
        return leave_out(lambda kept: distances(clips, kept), list(clips.of))

    return _covered(left, videos, world, repeats, seed, (near, near - far))


def _covered(
    left: Callable[[Clips], Any], videos: int, world: str, repeats: int, seed: int, truth: tuple[float, float]
) -> SetCoverage:
    rng, hits = np.random.default_rng([seed, videos]), np.zeros(2)
    for _ in range(repeats):
        found = left(draw(rng, videos, world))
        for place, one in enumerate((found.interval(0), found.difference(0, 1))):
            hits[place] += one.low <= truth[place] <= one.high
    return SetCoverage(*(hits / repeats))


class Features(SetMetric):
    """The Fréchet distance of given features, as FVD takes it of its network's."""

    name = "features"
    direction = "lower"
    range = "≥ 0"
    definition = "Fréchet distance"
    dimension = DIMENSIONS
    per_frame = False

    def features(self, clips: Any) -> Any:
        """As they are."""
        return clips

    def distance(self, predicted: Any, real: Any) -> float:
        """Of the clips taken together."""
        return frechet_distance(np.concatenate(predicted), np.concatenate(real))


def nearer_than_real(videos: int, repeats: int, seed: int = 0) -> tuple[float, float]:
    """How often a method that varies as real clips do, about another mean, is nearer to them than they to each other.

    At all its clips beside real vs. real at half of them, as a table without `at_split` shows it; and at as many.
    """
    rng, found = np.random.default_rng([seed, videos]), np.zeros(2)
    for _ in range(repeats):
        clips = draw(rng, videos, "equal")
        own = np.sqrt(0.75) * rng.normal(size=(videos, DIMENSIONS))[clips.of] + 0.4
        values = 0.5 * clips.real + own + np.sqrt(0.1875) * rng.normal(size=clips.real.shape)
        real, method = ([one[None] for one in side] for side in (clips.real, values))
        sides = SetFeatures(Features(), [[method]], real, [1], [str(video) for video in clips.of])
        halves = real_halves(sides)
        assert halves is not None
        found += frechet_distance(values, clips.real) < halves.value, halves.rows[0] < halves.value
    unequal, equal = found / repeats
    return float(unequal), float(equal)


#: Mean and deviation of each feature of the videos of two methods that continue nothing.
UNPAIRED_METHODS = ((0.3, 0.9), (0.4, 1.1))
#: The same of real clips: that of their video, and that of the clip in it.
REAL_SD = (1.0, 0.5)


@dataclass(frozen=True)
class UnpairedCoverage:
    """Shares of intervals that hold the truth: one method's distance, the difference of two, and real videos alone."""

    value: float
    difference: float
    real_alone: float


def unpaired_coverage(
    metric: SetMetric, real: int, windows: int, generated: int, repeats: int, seed: int = 0
) -> UnpairedCoverage:
    """Coverage of the intervals of sets that are not paired.

    The truth is the distance of the distributions for KVD, and the mean over other draws of these sizes for the
    Fréchet distance, which is biased.

    Args:
        metric: `KVD()` or `Features()`.
        real: real videos.
        windows: clips of each of them.
        generated: videos of each of two methods.
        repeats: how often all of it is drawn.
        seed: of the draws.
    """
    rng, others = (np.random.default_rng([seed + place, real, windows, generated]) for place in range(2))
    if isinstance(metric, KVD):
        distances = [gaussian_mmd(*method, float(np.hypot(*REAL_SD))) for method in UNPAIRED_METHODS]
    else:
        drawn = (_unpaired(others, real, windows, generated)[1] for _ in range(1000))
        of_draws = [[metric.distance([*one.values()], [*of_real.values()]) for one in of] for of_real, of in drawn]
        distances = list(np.mean(of_draws, axis=0))
    truth = (distances[0], distances[0] - distances[1], distances[0])
    hits = np.zeros(3)
    for _ in range(repeats):
        left = left_out(metric, *_unpaired(rng, real, windows, generated), [[0], [1]])
        for place, one in enumerate((left.interval(0), left.difference(0, 1), left.real.interval(0))):
            hits[place] += one.low <= truth[place] <= one.high
    return UnpairedCoverage(*(hits / repeats))


def _unpaired(rng: np.random.Generator, real: int, windows: int, generated: int) -> tuple[UnpairedSets, FeaturesOfSets]:
    scenes = rng.normal(size=(real, 1, DIMENSIONS)) * REAL_SD[0]
    clips = (scenes + REAL_SD[1] * rng.normal(size=(real, windows, DIMENSIONS))).reshape(-1, 1, DIMENSIONS)
    ids = [f"{video}-{window}" for video in range(real) for window in range(windows)]
    of = {id: Clip(id, id.partition("-")[0], "test", id) for id in ids}
    names = [str(number) for number in range(generated)]
    methods = [rng.normal(mean, sd, size=(generated, 1, DIMENSIONS)) for mean, sd in UNPAIRED_METHODS]
    rows: Any = [Row("a", None), Row("b", None)]  # type: ignore[arg-type]  # their videos are never read
    features: Any = dict(zip(ids, clips, strict=True)), [dict(zip(names, one, strict=True)) for one in methods]
    return UnpairedSets(rows, of, [ids], [[names, names]]), features


def gaussian_mmd(mean: float, sd: float, real_sd: float) -> float:
    """The squared maximum mean discrepancy of N(mean, sd²) and N(0, real_sd²) in each dimension, from their moments."""

    def kernel(one: tuple[float, float], other: tuple[float, float]) -> float:
        sides = [(np.full(DIMENSIONS, m), np.eye(DIMENSIONS) * s**2) for m, s in (one, other)]
        second = [cov + np.outer(m, m) for m, cov in sides]
        third = [
            np.einsum("i,j,k", m, m, m)
            + sum(np.einsum(f"{a},{b}{c}->ijk", m, cov) for a, b, c in ("ijk", "jik", "kij"))
            for m, cov in sides
        ]
        first = float(sides[0][0] @ sides[1][0]) / DIMENSIONS
        powers = [float(np.sum(a * b)) / DIMENSIONS**n for n, (a, b) in ((2, second), (3, third))]
        return 1 + 3 * first + 3 * powers[0] + powers[1]

    method, reality = (mean, sd), (0.0, real_sd)
    return kernel(method, method) + kernel(reality, reality) - 2 * kernel(method, reality)
