"""Worlds of clips from source videos, with trainings of several seeds, for `bench.statistics`."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.integrate import trapezoid
from scipy.stats import norm

from bench.statistics import (
    best_of_many,
    best_of_samples,
    equivalence,
    holm,
    jackknife_interval,
    paired_difference,
    seeds_and_videos_difference,
    seeds_and_videos_interval,
)

Floats = NDArray[np.float64]
#: Clips a video, and the distribution of the videos' own means.
SHAPES = ("equal", "unequal", "skewed")
ALPHA = 0.05
#: How much clips of one video differ, where videos differ by 1.
CLIP_SD = 0.5


def videos_of(videos: int, shape: str) -> NDArray[np.int64]:
    """The video of each clip: four clips each, or where unequal 1 to 10."""
    sizes = np.full(videos, 4) if shape == "equal" else 1 + np.arange(videos) % 10
    return np.repeat(np.arange(videos), sizes)


def effects(rng: np.random.Generator, shape: str, size: int | tuple[int, ...]) -> Floats:
    """Effects of mean 0 and deviation 1: normal, exponential where the shape is skewed, or log-normal as errors are."""
    if shape == "log-normal":
        return np.asarray((rng.lognormal(size=size) - np.exp(0.5)) / np.sqrt(np.exp(2) - np.exp(1)), np.float64)
    return rng.exponential(size=size) - 1 if shape == "skewed" else rng.normal(size=size)


def percentile_bootstrap(values: Floats, of: NDArray[np.int64], rng: np.random.Generator) -> tuple[float, float]:
    """The interval that few videos make too narrow: quantiles of means of videos drawn with replacement."""
    sums, counts = np.bincount(of, values), np.bincount(of)
    drawn = rng.integers(len(sums), size=(1000, len(sums)))
    low, high = np.quantile(sums[drawn].sum(1) / counts[drawn].sum(1), [0.025, 0.975])
    return float(low), float(high)


def bootstrap_t(values: Floats, of: NDArray[np.int64], rng: np.random.Generator) -> tuple[float, float]:
    """The interval that draws videos with replacement and takes each mean in units of its own jackknife error."""
    sums, counts = np.bincount(of, values), np.bincount(of).astype(np.float64)
    mean = sums.sum() / counts.sum()

    def error(sums: Floats, counts: Floats, mean: Floats) -> Floats:
        pull = (sums - mean[..., None] * counts) / (counts.sum(axis=-1, keepdims=True) - counts)
        return np.asarray(np.sqrt((sums.shape[-1] - 1) / sums.shape[-1] * np.sum(pull**2, axis=-1)), np.float64)

    own = float(error(sums, counts, np.asarray(mean)))
    drawn = rng.integers(len(sums), size=(1000, len(sums)))
    means = sums[drawn].sum(1) / counts[drawn].sum(1)
    errors = error(sums[drawn], counts[drawn], means)
    far = np.sign(means - mean) * 1e9  # of one video alone, which has no error
    t = np.divide(means - mean, errors, out=far, where=errors > 1e-12 * own)
    low, high = np.quantile(t, [0.025, 0.975])
    return float(mean - high * own), float(mean - low * own)


def interval(
    videos: int, shape: str, repeats: int, seed: int = 0, *, old: bool = False, studentized: bool = False
) -> float:
    """Coverage of the interval of a mean over clips; `old`: of the bootstrap's; `studentized`: of the bootstrap-t's."""
    rng = np.random.default_rng([seed, videos])
    of, hits = videos_of(videos, shape), 0
    for _ in range(repeats):
        values = effects(rng, shape, videos)[of] + CLIP_SD * rng.normal(size=len(of))
        if old or studentized:
            low, high = (bootstrap_t if studentized else percentile_bootstrap)(values, of, rng)
        else:
            found = jackknife_interval(values, of)
            low, high = found.low, found.high
        hits += low <= 0 <= high
    return hits / repeats


def expected_best(k: int) -> float:
    """Mean of the smallest of k standard normal numbers, by quadrature."""
    x = np.linspace(-9, 9, 20_001)
    return float(trapezoid(x * k * norm.pdf(x) * norm.sf(x) ** (k - 1), x))


def sampled_interval(videos: int, samples: int, k: int, repeats: int, seed: int = 0, *, old: bool = False) -> float:
    """Coverage of the interval of best@k, lower is better, over videos with clips and their samples nested.

    How far samples of one clip differ is a matter of the video: exponential with mean 1. `old`: every clip
    counted as a video of its own.
    """
    rng = np.random.default_rng([seed, videos, samples, k])
    of, hits, truth = videos_of(videos, "equal"), 0, expected_best(k)
    for _ in range(repeats):
        spread = rng.exponential(size=videos)[of][:, None]
        clips = rng.normal(size=videos)[of] + CLIP_SD * rng.normal(size=len(of))
        values = best_of_samples(clips[:, None] + spread * rng.normal(size=(len(of), samples)), k)
        found = jackknife_interval(values, np.arange(len(of)) if old else of)
        hits += found.low <= truth <= found.high
    return hits / repeats


def trainings(rng: np.random.Generator, of: NDArray[np.int64], shape: str, seeds: int, seed_sd: float) -> Floats:
    """[seeds, N] values of one row: videos, seeds and both together."""
    videos = int(of.max()) + 1
    both = 0.3 * seed_sd * rng.normal(size=(seeds, videos))
    means = effects(rng, shape, videos) + seed_sd * rng.normal(size=(seeds, 1)) + both
    return np.asarray(means[:, of] + CLIP_SD * rng.normal(size=(seeds, len(of))), np.float64)


def seeds_interval(
    videos: int, shape: str, seeds: int, seed_sd: float, repeats: int, seed: int = 0, *, old: bool = False
) -> float:
    """Coverage of the interval over videos and trainings; `old`: of one that takes the seeds' mean over videos."""
    rng = np.random.default_rng([seed, videos, seeds])
    of, hits = videos_of(videos, shape), 0
    for _ in range(repeats):
        values = trainings(rng, of, shape, seeds, seed_sd)
        found = jackknife_interval(values.mean(0), of) if old else seeds_and_videos_interval(values, of)
        hits += found.low <= 0 <= found.high
    return hits / repeats


def seeds_difference(
    videos: int, seeds: int, seed_sd: float, repeats: int, seed: int = 0, *, old: bool = False
) -> float:
    """Size of the test of two rows over videos and trainings; `old`: of sign flips of the seeds' means."""
    rng = np.random.default_rng([seed, videos, seeds])
    of, found = videos_of(videos, "equal"), 0
    for _ in range(repeats):
        hard = rng.normal(size=videos)[of]  # some videos are hard for both
        a, b = (hard + 0.5 * trainings(rng, of, "equal", seeds, 2 * seed_sd) for _ in range(2))
        if old:
            p_value = paired_difference(a.mean(0), b.mean(0), of, draws=1000).p_value
        else:
            p_value = seeds_and_videos_difference(a, b, of).p_value
        found += p_value < ALPHA
    return found / repeats


def rows_of(rng: np.random.Generator, rows: int, of: NDArray[np.int64], shape: str) -> dict[str, Floats]:
    """Rows that are equally good: all find the same videos hard, each has its own luck with videos and clips."""
    videos = int(of.max()) + 1
    means = rng.normal(size=videos) + effects(rng, shape, (rows, videos))
    values = means[:, of] + CLIP_SD * rng.normal(size=(rows, len(of)))
    return {f"row {number}": row for number, row in enumerate(values)}


def best(
    rows: int, videos: int, shape: str, repeats: int, seed: int = 0, *, old: bool = False, draws: int = 1000
) -> float:
    """How often any of equal rows is called worse than the best; `old`: by pairs with the best, Holm-corrected."""
    rng = np.random.default_rng([seed, videos, rows])
    of, found = videos_of(videos, shape), 0
    for _ in range(repeats):
        values = rows_of(rng, rows, of, shape)
        if old:
            first = max(values, key=lambda name: values[name].mean())
            others = (values[name] for name in values if name != first)
            p_values = holm([paired_difference(row, values[first], of, draws=1000).p_value for row in others])
        else:
            p_values = np.array([other.p_value for other in best_of_many(values, of, "higher", draws=draws).others])
        found += bool((p_values < ALPHA).any())
    return found / repeats


def equivalent(videos: int, shape: str, repeats: int, seed: int = 0) -> float:
    """How often rows that differ by just the margin are called equivalent."""
    rng = np.random.default_rng([seed, videos])
    of, found, margin = videos_of(videos, shape), 0, 0.8
    for _ in range(repeats):
        row = margin + 0.5 * effects(rng, shape, videos)[of] + CLIP_SD * rng.normal(size=len(of))
        found += equivalence(row, np.zeros(len(of)), of, margin).shown
    return found / repeats
