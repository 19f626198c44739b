"""Metrics beside grades: the mapping and its numbers against plain ones, and intervals by simulation."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy.optimize import minimize
from scipy.stats import spearmanr

from study_app.analysis.grade_agreement import GRADE_COLUMNS, compared, mapped, per_metric


def test_the_mapping_is_the_cubic_of_least_squares_where_that_rises() -> None:
    rng = np.random.default_rng(1)
    values = rng.uniform(20, 40, 80)
    grades = 1 + 4 / (1 + np.exp(-(values - 30) / 3)) + 0.2 * rng.normal(size=80)
    fitted = mapped(values, grades)
    free = np.polyval(np.polyfit(values - 30, grades, 3), values - 30)
    order = np.argsort(values)
    assert (np.diff(fitted[order]) >= -1e-9).all()
    if (np.diff(free[order]) >= 0).all():
        assert list(fitted) == pytest.approx(list(free), abs=1e-8)
    else:
        assert np.sum((fitted - grades) ** 2) >= np.sum((free - grades) ** 2)
    cubic = values**3 / 1e4
    assert list(mapped(values, cubic)) == pytest.approx(list(cubic))


def test_where_the_cubic_falls_the_best_that_rises_is_near_what_an_optimiser_finds() -> None:
    rng = np.random.default_rng(2)
    place = rng.uniform(0, 1, 60)
    grades = 3 + np.sin(7 * place) + 0.1 * rng.normal(size=60)
    fitted = mapped(place, grades)
    grid = np.linspace(place.min(), place.max(), 60)

    def lost(c: np.ndarray) -> float:
        return float(np.sum((np.polyval(c, place) - grades) ** 2))

    rises = {"type": "ineq", "fun": lambda c: np.polyval(np.polyder(c), grid)}
    best = minimize(lost, [0.0, 0.0, 0.1, 3.0], constraints=[rises], method="SLSQP", options={"maxiter": 500})
    assert (np.diff(fitted[np.argsort(place)]) >= -1e-9).all()
    assert np.sum((fitted - grades) ** 2) <= 1.15 * best.fun


def test_numbers_by_hand() -> None:
    rng = np.random.default_rng(3)
    values, grades = rng.normal(size=40), rng.normal(size=40)
    videos = np.arange(40).astype(str)
    numbers = compared(values + grades, grades, videos)
    fitted = mapped(values + grades, grades)
    assert numbers[0, 0] == pytest.approx(np.corrcoef(fitted, grades)[0, 1])
    assert numbers[1, 0] == pytest.approx(spearmanr(values + grades, grades).statistic)
    assert numbers[2, 0] == pytest.approx(np.sqrt(np.sum((fitted - grades) ** 2) / 36))
    assert (numbers[:, 1] < numbers[:, 0]).all()
    assert (numbers[:, 0] < numbers[:, 2]).all()
    assert np.isnan(compared(values[:8], grades[:8], np.repeat(["a", "b"], 4))[:, 1:]).all()
    assert np.isnan(compared(np.ones(8), grades[:8], videos[:8])).all()


@pytest.mark.heavy
def test_intervals_over_videos_hold_what_other_videos_would_say() -> None:
    """Clips of one video are alike in quality and in what the metric has of it; videos have 1 to 5 clips."""

    def draw(rng: np.random.Generator, videos: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        video = np.repeat(np.arange(videos), rng.integers(1, 6, videos))
        quality = rng.normal(size=videos)[video] + 0.6 * rng.normal(size=len(video))
        values = quality + 0.7 * rng.normal(size=videos)[video] + 0.7 * rng.normal(size=len(video))
        return values, 3 + np.tanh(quality) + 0.2 * rng.normal(size=len(video)), video.astype(str)

    values, grades, _ = draw(np.random.default_rng(99), 6000)
    whole = compared(values, grades, np.repeat("one", len(values)))[:, 0]
    hits = []
    for seed in range(60):
        found = compared(*draw(np.random.default_rng(seed), 20))
        hits.append((found[:, 1] <= whole) & (whole <= found[:, 2]))
    assert (np.mean(hits, axis=0) >= 0.85).all()


def test_a_metric_is_held_against_the_grades_of_the_clips_it_has_values_of() -> None:
    clips = [f"c{n}" for n in range(12)]
    rows = [("x", clip, f"v{n // 2}", f"r{m}", 1 + (n + m) % 5) for n, clip in enumerate(clips) for m in range(4)]
    rows += [("real", clip, "v0", "r0", 5) for clip in clips]
    ratings = pd.DataFrame(rows, columns=["system", "clip", "video", "rater", "rating"])
    ratings = ratings.assign(catch=False, practice=False, excluded="", simulated=False)
    means = ratings[ratings["system"] == "x"].groupby("clip")["rating"].mean()
    scores = pd.DataFrame(
        [(metric, "x", clip, 0, sign * means[clip]) for metric, sign in (("good", 1), ("bad", -1)) for clip in clips],
        columns=["metric", "row", "clip", "seed", "value"],
    )
    scores.loc[0, "value"] = np.inf
    table = per_metric(ratings, scores, {"good": "higher", "bad": "lower"}).set_index("metric")
    assert [table.index.name, *table.columns] == GRADE_COLUMNS
    assert table.loc["bad", ["srocc", "plcc"]].tolist() == pytest.approx([1.0, 1.0])
    assert (table.loc["good", "clips"], table.loc["good", "left_out"], table.loc["bad", "clips"]) == (11, 1, 12)
