from __future__ import annotations

import gc
import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import t

from bench.errors import BenchError
from bench.statistics import bootstrap_interval, holm, over_seeds, paired_difference


def test_the_mean_is_over_clips_and_the_interval_holds_it() -> None:
    values = [1.0, 2.0, 3.0, 10.0]
    interval = bootstrap_interval(values, ["a", "a", "a", "b"])
    assert interval.mean == 4.0
    assert interval.low == 2.0  # only video a drawn
    assert interval.high == 10.0
    assert interval.clusters == 2


def test_clips_of_one_video_do_not_make_the_interval_narrower() -> None:
    rng = np.random.default_rng(0)
    videos = rng.normal(size=12)
    once = bootstrap_interval(videos, range(12))
    copied = bootstrap_interval(np.repeat(videos, 5), np.repeat(range(12), 5))
    assert (copied.low, copied.high) == pytest.approx((once.low, once.high), rel=1e-9)
    independent = bootstrap_interval(np.repeat(videos, 5), range(60))
    assert independent.high - independent.low < 0.6 * (once.high - once.low)


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_no_byte_depends_on_row_order(seed: int) -> None:
    rng = np.random.default_rng(seed)
    values, other, videos = rng.normal(size=30), rng.normal(size=30), rng.integers(0, 7, 30)
    order = rng.permutation(30)
    assert bootstrap_interval(values, videos, 500) == bootstrap_interval(values[order], videos[order], 500)
    assert paired_difference(values, other, videos, 500) == paired_difference(
        values[order], other[order], videos[order], 500
    )


def test_a_seed_gives_the_same_again_and_another_seed_other_draws() -> None:
    values, videos = np.random.default_rng(0).normal(size=40), np.arange(40)
    first = bootstrap_interval(values, videos, 200, seed=1)
    assert first == bootstrap_interval(values, videos, 200, seed=1)
    assert first != bootstrap_interval(values, videos, 200, seed=2)


def test_the_interval_covers_the_truth_about_as_often_as_it_says() -> None:
    rng = np.random.default_rng(1)
    trials, covered, covered_unclustered = 300, 0, 0
    for _ in range(trials):
        video_means = rng.normal(0, 1, 30)
        values = np.repeat(video_means, 4) + rng.normal(0, 0.3, 120)
        clustered = bootstrap_interval(values, np.repeat(range(30), 4), 400)
        plain = bootstrap_interval(values, range(120), 400)
        covered += clustered.low <= 0 <= clustered.high
        covered_unclustered += plain.low <= 0 <= plain.high
    assert 0.89 <= covered / trials <= 0.98
    assert covered_unclustered / trials < 0.8  # what taking clips for independent would do


def test_large_numbers_of_videos_are_drawn_in_parts_without_changing_a_thing(monkeypatch: pytest.MonkeyPatch) -> None:
    values = np.random.default_rng(0).normal(size=50)
    whole = bootstrap_interval(values, range(50), 999)
    monkeypatch.setattr("bench.statistics.intervals._CHUNK", 350)
    assert bootstrap_interval(values, range(50), 999) == whole


def test_one_video_has_no_interval() -> None:
    interval = bootstrap_interval([1.0, 3.0], ["a", "a"])
    assert interval.mean == 2.0
    assert np.isnan([interval.low, interval.high]).all()
    assert paired_difference([1.0, 3.0], [0.0, 0.0], ["a", "a"]).p_value == 1.0


@pytest.mark.parametrize("values", [[], [1.0, np.inf], [np.nan, 1.0]])
def test_values_without_a_mean_are_refused(values: list[float]) -> None:
    with pytest.raises(BenchError):
        bootstrap_interval(values, ["a", "b"][: len(values)])


def test_values_without_a_video_are_refused() -> None:
    with pytest.raises(BenchError, match="source video"):
        bootstrap_interval([1.0, 2.0], ["a"])
    with pytest.raises(BenchError, match="same clips"):
        paired_difference([1.0, 2.0], [1.0], ["a", "b"])


def test_the_difference_is_a_minus_b() -> None:
    found = paired_difference([3.0, 5.0, 4.0, 6.0], [1.0, 2.0, 1.0, 2.0], "abcd")
    assert found.difference == 3.0
    half = t.ppf(0.975, 3) * np.std([2, 3, 3, 4], ddof=1) / 2  # Student's own interval
    assert (found.low, found.high) == pytest.approx((3 - half, 3 + half))
    assert paired_difference([1.0, 2.0, 1.0, 2.0], [3.0, 5.0, 4.0, 6.0], "abcd").difference == -3.0


def test_the_p_value_of_few_videos_counts_all_signs() -> None:
    rng = np.random.default_rng(0)
    differences = rng.normal(0.5, 1, 9)
    observed = abs(differences.sum())
    sums = [abs(np.dot(signs, differences)) for signs in itertools.product((1, -1), repeat=9)]
    expected = np.mean(np.array(sums) >= observed - 1e-12)
    assert paired_difference(differences, np.zeros(9), range(9)).p_value == pytest.approx(expected)
    assert paired_difference(np.ones(9), np.zeros(9), range(9)).p_value == pytest.approx(2 / 2**9)


@pytest.mark.parametrize("videos", [2, 5, 8, 11])
def test_the_p_value_of_few_videos_is_that_of_scipy(videos: int) -> None:
    from scipy.stats import permutation_test

    rng = np.random.default_rng(videos)
    for differences in (rng.normal(0.4, 1, videos), np.round(rng.normal(size=videos), 1)):  # with and without ties
        other = permutation_test(
            (differences,), np.sum, permutation_type="samples", n_resamples=2**videos, vectorized=True
        )
        found = paired_difference(differences, np.zeros(videos), range(videos)).p_value
        assert found == pytest.approx(other.pvalue, rel=1e-12)


def test_the_p_value_of_many_videos_is_near_that_of_all_signs_and_never_zero() -> None:
    differences = np.random.default_rng(3).normal(0.35, 1, 40)
    found = paired_difference(differences, np.zeros(40), range(40), draws=20_000).p_value
    from scipy.stats import norm

    normal = 2 * norm.sf(abs(differences.sum()) / np.sqrt((differences**2).sum()))
    assert found == pytest.approx(normal, abs=0.01)
    assert paired_difference(np.ones(40), np.zeros(40), range(40), draws=999).p_value == pytest.approx(1 / 1000)


def test_rows_without_a_difference_are_called_different_no_more_than_one_time_in_twenty() -> None:
    rng = np.random.default_rng(5)
    found = [
        paired_difference(np.repeat(rng.normal(size=12), 3), np.zeros(36), np.repeat(range(12), 3), 500).p_value
        for _ in range(300)
    ]
    assert 0.02 <= np.mean(np.array(found) <= 0.05) <= 0.09


def test_equal_rows_have_p_value_one() -> None:
    assert paired_difference(np.arange(8.0), np.arange(8.0), range(8)).p_value == 1.0


def test_holm_is_the_step_down_of_the_paper() -> None:
    np.testing.assert_allclose(holm([0.01, 0.04, 0.03, 0.005]), [0.03, 0.06, 0.06, 0.02])
    np.testing.assert_allclose(holm([0.6, 0.9]), [1.0, 1.0])
    assert holm([]).size == 0


def test_holm_is_that_of_statsmodels_to_the_bit(monkeypatch: pytest.MonkeyPatch) -> None:
    from statsmodels.stats.multitest import multipletests

    monkeypatch.setattr(gc, "collect", lambda: 0)  # it collects garbage at each call, for no reason of ours
    rng = np.random.default_rng(0)
    for count in range(1, 100):
        p_values = np.round(rng.random(count) ** 3, rng.integers(1, 6))  # with ties and zeros
        assert holm(p_values).tobytes() == np.asarray(multipletests(p_values, method="holm")[1], np.float64).tobytes()


def test_over_seeds_has_the_sample_deviation() -> None:
    found = over_seeds([1.0, 2.0, 4.0])
    assert found.mean == pytest.approx(7 / 3)
    assert found.std == pytest.approx(np.std([1, 2, 4], ddof=1))
    assert found == over_seeds([4.0, 1.0, 2.0])
    assert np.isnan(over_seeds([1.0]).std)
    assert over_seeds([]).seeds == 0
