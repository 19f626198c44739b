from __future__ import annotations

from itertools import combinations, pairwise
from math import inf, nan

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.errors import BenchError
from bench.statistics import best_of_samples
from tests.coverage import clips

numbers = st.floats(-1e6, 1e6, allow_nan=False)


@given(st.lists(numbers, min_size=1, max_size=6), st.data())
def test_it_is_the_mean_of_the_best_over_all_subsets(values: list[float], data: st.DataObject) -> None:
    k = data.draw(st.integers(1, len(values)))
    expected = np.mean([min(subset) for subset in combinations(values, k)])
    assert best_of_samples(values, k) == pytest.approx(expected, rel=1e-12, abs=1e-9)
    expected = np.mean([max(subset) for subset in combinations(values, k)])
    assert best_of_samples(values, k, lower=-np.array(values)) == pytest.approx(expected, rel=1e-12, abs=1e-9)


def test_the_best_of_all_is_the_maximum_and_a_running_best_bit_for_bit() -> None:
    values = np.random.default_rng(0).normal(25, 4, (50, 100))  # 50 clips of 100 samples
    running = np.full(50, -inf)
    for sample in values.T:
        better = sample > running
        running[better] = sample[better]
    best = best_of_samples(values, 100, lower=-values)
    assert best.tobytes() == values.max(axis=1).tobytes() == running.tobytes()
    assert best_of_samples(values, 100).tobytes() == values.min(axis=1).tobytes()


def test_one_of_all_is_the_mean_and_order_changes_no_bit() -> None:
    values = np.random.default_rng(1).normal(size=(20, 7))
    np.testing.assert_allclose(best_of_samples(values, 1), values.mean(axis=1), rtol=1e-13)
    np.testing.assert_array_equal(best_of_samples(values, 1), np.mean(np.sort(values, axis=1), axis=1))
    for k in range(1, 8):
        assert best_of_samples(values[:, ::-1], k).tobytes() == best_of_samples(values, k).tobytes()
    curve = [best_of_samples(values, k) for k in range(1, 8)]
    assert all((later <= earlier).all() for earlier, later in pairwise(curve))


def test_many_samples_have_exact_weights() -> None:
    values = np.arange(200.0)  # the k-th smallest of 200 uniform ranks: E min of k of 0 … n − 1 is (n − k) / (k + 1)
    for k in (1, 2, 50, 100, 199, 200):
        assert best_of_samples(values, k) == pytest.approx((200 - k) / (k + 1), rel=1e-12)


def test_infinite_and_missing_values() -> None:
    assert best_of_samples([20, inf], 2, lower=[-20, -inf]) == inf
    assert best_of_samples([20, inf], 1) == inf
    assert best_of_samples([20, inf], 2) == 20  # the worse one weighs nothing
    assert np.isnan(best_of_samples([20, nan], 2))


def test_more_than_there_are_cannot_be_drawn() -> None:
    for k in (0, 4):
        with pytest.raises(BenchError, match=f"best of {k} cannot be computed from 3 samples"):
            best_of_samples([1, 2, 3], k)


@pytest.mark.parametrize("k", [1, 5])
def test_intervals_over_videos_hold_the_expected_best_of_other_videos_and_samples(k: int) -> None:
    assert 0.93 <= clips.sampled_interval(10, 8, k, 600) <= 0.975
