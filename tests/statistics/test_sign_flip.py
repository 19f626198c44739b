"""Sign flips of two rows."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from scipy.stats import t

from bench.statistics import paired_difference, smallest_p_value


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


def test_the_smallest_p_value_is_that_of_rows_that_differ_on_every_video() -> None:
    for videos in (1, 2, 5, 7, 12, 14, 40):
        found = paired_difference(np.ones(videos), np.zeros(videos), range(videos))
        assert found.smallest_p == smallest_p_value(videos) <= found.p_value
        assert found.p_value == smallest_p_value(videos) or videos == 14  # where the rarest signs may come up again
    assert smallest_p_value(7) == 2 / 128
    assert smallest_p_value(1) == 1.0
    assert smallest_p_value(500) == pytest.approx(1 / 10_001)
