"""Harder worlds for the marks of a table: failures, identical clips, few training runs, many metrics."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bench.metrics.psnr import PSNR
from bench.scoring.protocol import Protocol
from bench.scoring.score_tables import ScoredClips
from bench.scoring.summary import rank, ranked, summarise
from bench.statistics import (
    best_of_many,
    equivalence,
    holm_over_families,
    seeds_and_videos_difference,
)
from tests.coverage.clips import ALPHA, CLIP_SD, trainings, videos_of

Floats = NDArray[np.float64]
#: How often a method fails on a video, and by how much.
FAILING, LOSS = 0.1, 4.0


@dataclass(frozen=True)
class Marked:
    """Shares of repeats.

    Attributes:
        best: the better method comes first.
        wrong: the better method is called worse.
    """

    best: float
    wrong: float


def identical_clip(runs: int, gap: float, repeats: int, seed: int = 0) -> Marked:
    """Two methods on eight videos, one better by `gap` dB on all of them; of the other, one clip of one run is
    identical to the real one."""
    rng = np.random.default_rng([seed, runs])
    ids = tuple(f"v{n}" for n in range(8))
    protocol, found = Protocol("world", 64, "all", 8, "0" * 8, False, {"psnr": "v1"}), np.zeros(2)
    keys = [(row, run, id) for row in ("better", "other") for run in range(runs) for id in ids]
    for _ in range(repeats):
        values = {key: 30.2 + gap * (key[0] == "better") + 0.3 * float(rng.normal()) for key in keys}
        values["other", 0, ids[0]] = float("inf")
        columns = {key: {"mse": np.array([10 ** (-value / 10)])} for key, value in values.items()}
        scored = ScoredClips(ids, {id: id for id in ids}, columns)
        ranking = rank(scored, PSNR(), protocol)
        assert ranking is not None
        lines = {line.row: line for line in ranked(summarise(scored, [PSNR()], protocol), {"psnr": ranking})}
        found += lines["better"].rank == 1, lines["better"].p_best < ALPHA
    return Marked(*(found / repeats))


@dataclass(frozen=True)
class Failing:
    """Shares of repeats in which two methods of equal mean are told apart, and in which the table says that this
    verdict rests on one video; and in which methods that differ by the margin are called equivalent."""

    told_apart: float
    turned: float
    equivalent: float


def one_fails(videos: int, repeats: int, seed: int = 0) -> Failing:
    """Two methods, of which one is a little better on most videos and fails on a tenth of them."""
    rng = np.random.default_rng([seed, videos])
    of, found = videos_of(videos, "equal"), np.zeros(3)
    for _ in range(repeats):
        lost = LOSS * (rng.random(videos) < FAILING)
        noise = 0.1 * rng.normal(size=(2, videos))
        plain, fails = noise[0][of], (noise[1] - lost)[of]
        judged = best_of_many({"plain": plain, "fails": fails + FAILING * LOSS}, of, "higher", draws=1000)
        margin = equivalence(fails, plain, of, FAILING * LOSS).shown
        found += judged.others[0].p_value < ALPHA, bool(judged.others[0].turned_by), margin
    return Failing(*(found / repeats))


def one_of_many_fails(
    rows: int, videos: int, spread: float, repeats: int, seed: int = 0, *, worse: int = 0, draws: int = 1000
) -> float:
    """How often any of equal methods is called worse than the best where on each video one of them fails.

    `worse` further methods are worse than these by far, so that marks of them are right.
    """
    rng = np.random.default_rng([seed, rows, videos])
    found = 0
    for _ in range(repeats):
        values = spread * rng.normal(size=(rows, videos))
        values[rng.integers(0, rows, videos), np.arange(videos)] -= LOSS
        far = 5 * LOSS * rng.normal(-1, 0.3, size=(worse, videos))
        named = {str(n): row for n, row in enumerate([*values, *far])}
        judged = best_of_many(named, range(videos), "higher", draws=draws)
        found += min(other.p_value for other in judged.others if int(other.row) < rows) < ALPHA
    return found / repeats


def few_runs(runs: tuple[int, int], videos: int, seed_sd: tuple[float, float], repeats: int, seed: int = 0) -> float:
    """How often two equal methods are told apart, of so many training runs each, which vary by so much."""
    rng = np.random.default_rng([seed, *runs, videos])
    of, found = videos_of(videos, "equal"), 0
    for _ in range(repeats):
        hard = rng.normal(size=videos)[of]
        a, b = (
            hard + 0.5 * trainings(rng, of, "equal", count, 2 * sd) for count, sd in zip(runs, seed_sd, strict=True)
        )
        found += seeds_and_videos_difference(a, b, of).p_value < ALPHA
    return found / repeats


def few_runs_of_many(rows: int, runs: int, videos: int, seed_sd: float, repeats: int, seed: int = 0) -> float:
    """How often any of equal methods of so many training runs each is called worse than the best."""
    rng = np.random.default_rng([seed, rows, runs])
    of, found = videos_of(videos, "equal"), 0
    for _ in range(repeats):
        hard = rng.normal(size=videos)[of]
        values = [hard + 0.5 * trainings(rng, of, "equal", runs, 2 * seed_sd) for _ in range(rows)]
        best = max(values, key=lambda one: float(one.mean()))
        # the smallest p of a pair is the smallest of the range too, whose distribution is slow to look up
        others = [one for one in values if one is not best]
        other = min(others, key=lambda one: seeds_and_videos_difference(one, best, of).p_value)
        found += seeds_and_videos_difference(other, best, of, rows=rows).p_value < ALPHA
    return found / repeats


def several_metrics(rows: int, metrics: int, videos: int, repeats: int, seed: int = 0) -> tuple[float, float]:
    """How often some mark appears among equal methods, each metric by itself, and by Holm over metrics.

    Any two metrics have a correlation of one half on a clip of a method.
    """
    rng = np.random.default_rng([seed, rows, metrics])
    of, found = videos_of(videos, "equal"), np.zeros(2)
    for _ in range(repeats):
        common = rng.normal(size=(rows, videos))
        p_values, families = [], []
        for metric in range(metrics):
            means = rng.normal(size=videos) + np.sqrt(0.5) * (common + rng.normal(size=(rows, videos)))
            values = means[:, of] + CLIP_SD * rng.normal(size=(rows, len(of)))
            judged = best_of_many({str(n): row for n, row in enumerate(values)}, of, "higher", draws=500)
            p_values += [other.p_value for other in judged.others]
            families += [metric] * (rows - 1)
        found += min(p_values) < ALPHA, holm_over_families(p_values, families).min() < ALPHA
    alone, together = found / repeats
    return float(alone), float(together)
