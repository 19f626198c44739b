"""Intervals over source videos and trainings, against closed forms and simulated worlds."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import t

from bench.errors import BenchError
from bench.statistics import (
    OVER_TRAININGS,
    THESE_TRAININGS,
    jackknife_interval,
    over_seeds,
    paired_difference,
    seeds_and_videos_difference,
    seeds_and_videos_interval,
)
from tests.coverage import clips


def test_the_interval_is_students_over_the_means_of_videos() -> None:
    rng = np.random.default_rng(0)
    values = rng.normal(size=(9, 4))
    found = jackknife_interval(values.ravel(), np.repeat(range(9), 4))
    means = values.mean(axis=1)
    half = t.ppf(0.975, 8) * means.std(ddof=1) / 3
    assert (found.mean, found.low, found.high) == pytest.approx(
        (means.mean(), means.mean() - half, means.mean() + half)
    )
    assert found.clusters == 9


def test_videos_of_different_length_are_left_out_one_by_one() -> None:
    rng = np.random.default_rng(1)
    of = np.repeat(range(5), [1, 2, 3, 4, 10])
    values = rng.normal(size=20)
    found = jackknife_interval(values, of)
    left_out = np.array([values[of != video].mean() for video in range(5)])
    error = np.sqrt(4 / 5 * np.sum((left_out - values.mean()) ** 2))
    effective = 20**2 / (1 + 4 + 9 + 16 + 100)  # Kish: as many equal videos
    half = t.ppf(0.975, effective - 1) * error
    assert (found.low, found.high) == pytest.approx((values.mean() - half, values.mean() + half))


def test_clips_of_one_video_do_not_make_the_interval_narrower() -> None:
    rng = np.random.default_rng(0)
    videos = rng.normal(size=12)
    once = jackknife_interval(videos, range(12))
    copied = jackknife_interval(np.repeat(videos, 5), np.repeat(range(12), 5))
    assert (copied.low, copied.high) == pytest.approx((once.low, once.high), rel=1e-9)
    independent = jackknife_interval(np.repeat(videos, 5), range(60))
    assert independent.high - independent.low < 0.6 * (once.high - once.low)


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_no_byte_depends_on_row_order(seed: int) -> None:
    rng = np.random.default_rng(seed)
    values, other, videos = rng.normal(size=30), rng.normal(size=30), rng.integers(0, 7, 30)
    order = rng.permutation(30)
    assert jackknife_interval(values, videos) == jackknife_interval(values[order], videos[order])
    assert paired_difference(values, other, videos, 500) == paired_difference(
        values[order], other[order], videos[order], 500
    )
    rows = np.stack([values, other, values + other])
    assert seeds_and_videos_interval(rows, videos) == seeds_and_videos_interval(rows[::-1, order], videos[order])


@pytest.mark.parametrize(("videos", "shape"), [(2, "equal"), (5, "equal"), (10, "unequal"), (26, "equal")])
def test_the_interval_holds_the_truth_as_often_as_it_says(videos: int, shape: str) -> None:
    assert 0.93 <= clips.interval(videos, shape, 1000) <= 0.97


def test_the_bootstrap_of_few_videos_does_not() -> None:
    assert clips.interval(3, "equal", 500, old=True) < 0.85
    assert clips.interval(5, "equal", 500, old=True) < 0.90


def test_clips_taken_as_independent_make_it_far_too_narrow() -> None:
    rng, hits = np.random.default_rng(2), 0
    for _ in range(300):
        found = jackknife_interval(np.repeat(rng.normal(size=26), 4), range(104))
        hits += found.low <= 0 <= found.high
    assert hits / 300 < 0.8


@pytest.mark.parametrize("seed_sd", [0.0, 0.3, 1.0])
def test_the_interval_over_trainings_holds_the_truth_of_all_trainings(seed_sd: float) -> None:
    assert 0.93 <= clips.seeds_interval(26, "equal", 3, seed_sd, 400) <= 0.99


def test_an_interval_that_forgets_trainings_holds_it_half_of_the_time() -> None:
    assert clips.seeds_interval(26, "equal", 3, 1.0, 300, old=True) < 0.65


def test_rows_of_three_trainings_are_called_different_no_more_than_one_time_in_twenty() -> None:
    assert clips.seeds_difference(26, 3, 0.3, 500) <= 0.06
    assert clips.seeds_difference(26, 3, 0.3, 300, old=True) > 0.14  # trainings taken for models


def test_without_seeds_the_interval_over_both_is_that_over_videos() -> None:
    rng = np.random.default_rng(3)
    values, of = rng.normal(size=40), np.repeat(range(10), 4)
    one, other = jackknife_interval(values, of), seeds_and_videos_interval(values[None], of)
    assert (one.mean, one.low, one.high) == pytest.approx((other.mean, other.low, other.high))
    assert (other.seeds, other.scope) == (1, THESE_TRAININGS)
    assert seeds_and_videos_interval(values, of).scope == OVER_TRAININGS  # of a row that nothing was trained for
    several = seeds_and_videos_interval(np.stack([values, values + 1, values + 2]), of)
    assert (several.seeds, several.scope) == (3, OVER_TRAININGS)
    assert several.high - several.low > one.high - one.low
    with pytest.raises(BenchError, match="seeds, clips"):
        seeds_and_videos_interval(np.zeros((2, 2, 2)), "ab")


def test_a_difference_is_over_trainings_only_where_both_rows_have_several() -> None:
    rng = np.random.default_rng(4)
    of, three, one = np.repeat(range(10), 4), rng.normal(size=(3, 40)), rng.normal(size=(1, 40))
    assert seeds_and_videos_difference(three, three + 1, of).scope == OVER_TRAININGS
    assert seeds_and_videos_difference(three, one, of).scope == THESE_TRAININGS
    assert seeds_and_videos_difference(three, one[0], of).scope == OVER_TRAININGS
    pair, known = seeds_and_videos_difference(one, 0 * one[0], of), jackknife_interval(one[0], of)
    assert (pair.difference, pair.low, pair.high) == pytest.approx((known.mean, known.low, known.high))
    two, five = (seeds_and_videos_difference(three, one[0], of, rows=rows).p_value for rows in (2, 5))
    assert two < five <= min(1.0, 10 * two)  # picked from five rows: no more than Bonferroni over their ten pairs
    with pytest.raises(BenchError):
        seeds_and_videos_difference(three, one[:, :-1], of)


def test_the_p_value_and_the_interval_say_the_same() -> None:
    rng = np.random.default_rng(5)
    of, different = np.repeat(range(6), 2), 0
    for _ in range(40):
        found = seeds_and_videos_difference(rng.normal(1.2, 0.7, (3, 12)), rng.normal(0, 0.7, (2, 12)), of)
        assert (found.p_value < 0.05) == (found.low > 0 or found.high < 0)
        different += found.p_value < 0.05
    assert 0 < different < 40


def test_one_video_has_no_interval() -> None:
    interval = jackknife_interval([1.0, 3.0], ["a", "a"])
    assert interval.mean == 2.0
    assert np.isnan([interval.low, interval.high]).all()
    assert paired_difference([1.0, 3.0], [0.0, 0.0], ["a", "a"]).p_value == 1.0
    both = seeds_and_videos_difference(np.ones((3, 2)), np.zeros((3, 2)), ["a", "a"])
    assert np.isnan([both.low, both.high]).all()
    assert both.p_value == 1.0


@pytest.mark.parametrize("values", [[], [1.0, np.inf], [np.nan, 1.0]])
def test_values_without_a_mean_are_refused(values: list[float]) -> None:
    with pytest.raises(BenchError):
        jackknife_interval(values, ["a", "b"][: len(values)])


def test_values_without_a_video_are_refused() -> None:
    with pytest.raises(BenchError, match="source video"):
        jackknife_interval([1.0, 2.0], ["a"])
    with pytest.raises(BenchError, match="same clips"):
        paired_difference([1.0, 2.0], [1.0], ["a", "b"])


def test_over_seeds_has_the_sample_deviation() -> None:
    found = over_seeds([1.0, 2.0, 4.0])
    assert found.mean == pytest.approx(7 / 3)
    assert found.std == pytest.approx(np.std([1, 2, 4], ddof=1))
    assert found == over_seeds([4.0, 1.0, 2.0])
    assert np.isnan(over_seeds([1.0]).std)
    assert over_seeds([]).seeds == 0
