"""Equivalence within a margin: published figures, other programs, and its size at the margin."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy.stats import binom, t
from statsmodels.stats.weightstats import ttost_paired

from bench.statistics.two_way_clusters import Crossing, shares
from study_app.analysis import equivalence, ranking
from tests.coverage.people import World, table_of_votes


def cast(wins: np.ndarray, raters: np.ndarray, videos: np.ndarray) -> pd.DataFrame:
    table = table_of_votes(["a"] * len(wins), ["b"] * len(wins), videos, videos, raters)
    return table.assign(chosen=np.where(wins > 0, "a", "b"))


def test_fifty_of_a_hundred_lie_within_forty_and_sixty() -> None:
    votes = cast(np.arange(100) % 2, np.arange(100), np.arange(100))
    found = equivalence.of_votes(votes, [("a", "b")], 10.0).set_index("measure")
    assert found.loc["pos", "exact_p"] == pytest.approx(0.0271, abs=5e-5)
    assert found.loc["pos", "exact_p"] == pytest.approx(float(binom.sf(49, 100, 0.4)))
    score = 0.1 / np.sqrt(0.24 / 100)  # independent votes: the score test, with t of 99 degrees of freedom
    assert found.loc["pos", "p"] == pytest.approx(t.sf(score, 99), rel=0.05)
    assert found.loc["pos", "shown"]
    assert (found.loc["strength", "margin_high"], found.loc["strength", "value"]) == pytest.approx((np.log(1.5), 0.0))
    assert 0.02 < found.loc["strength", "p"] < 0.06


def test_grades_are_tested_as_statsmodels_tests_pairs() -> None:
    """Each rater grades both systems once, on a video of their own."""
    rng = np.random.default_rng(4)
    grades = {name: rng.integers(2, 6, 30) for name in ("x", "y")}
    rows = [(name, f"r{n}", f"v{n}", grade) for name, of in grades.items() for n, grade in enumerate(of)]
    table = pd.DataFrame(rows, columns=["system", "rater", "video", "rating"])
    table = table.assign(clip=table["video"], catch=False, practice=False, excluded="", simulated=False)
    for margin in (0.3, 0.6, 1.5):
        expected = ttost_paired(grades["x"].astype(float), grades["y"].astype(float), -margin, margin)[0]
        found = equivalence.of_grades(table, ["x", "y"], margin).iloc[0]
        assert found["p"] == pytest.approx(expected, rel=1e-9)
        assert found["shown"] == (expected < 0.05)


@pytest.mark.parametrize("preference", [0.4, 0.6])
def test_at_the_margin_equivalence_is_rarely_shown(preference: float) -> None:
    world = World(28, 20, 5, 2, preference)
    wins = world.wins(1000)
    _, video, rater = world.layout()
    found = shares(wins, Crossing.of(rater, video))
    shown = np.maximum(found.above(0.4), found.below(0.6)) < 0.05
    assert shown.mean() <= 0.07
    inside = shares(
        World(28, 100, 1, 5, 0.5, 0.1, 0.1, 0.1).wins(200), Crossing.of(np.arange(500) % 28, np.arange(500) // 5)
    )
    assert (np.maximum(inside.above(0.4), inside.below(0.6)) < 0.05).mean() > 0.9


def test_strengths_that_only_have_a_bound_are_not_equivalent() -> None:
    votes = cast(np.ones(60), np.arange(60) % 6, np.arange(60))
    assert ranking.one_sided(votes, 5.0)[0].p == 1.0
    assert not equivalence.of_votes(votes, [("a", "b"), ("a", "c")], 49.0)["shown"].any()
