"""Set metrics: intervals and paired differences from leaving out source videos."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import pytest
from numpy.typing import NDArray

from bench.errors import BenchError
from bench.statistics import equivalence, jackknife_interval, leave_out, seeds_and_videos_difference
from tests.coverage import sets

pytestmark = pytest.mark.heavy


def means(*rows: NDArray[np.float64]) -> Callable[[NDArray[np.intp]], list[float]]:
    """Distances that are plain means, whose intervals are known."""
    return lambda numbers: [float(row[numbers].mean()) for row in rows]


def test_of_a_mean_it_is_the_interval_of_a_mean() -> None:
    rng = np.random.default_rng(0)
    of = np.repeat(range(7), [1, 2, 3, 4, 5, 6, 7])
    a, b = rng.normal(size=28), rng.normal(size=28)
    left = leave_out(means(a, b), list(of))
    one, known = left.interval(0), jackknife_interval(a, of)
    assert (one.mean, one.low, one.high, one.clusters) == pytest.approx((known.mean, known.low, known.high, 7))
    pair, both = left.difference(0, 1), seeds_and_videos_difference(a, b, of)
    assert (pair.difference, pair.low, pair.high, pair.p_value) == pytest.approx(
        (both.difference, both.low, both.high, both.p_value)
    )
    assert left.difference(0, 1, rows=4).p_value > pair.p_value
    assert left.equivalence(0, 1, 1.0).p_value == pytest.approx(equivalence(a, b, of, 1.0).p_value)


def test_every_row_is_measured_on_the_same_clips_without_one_video() -> None:
    seen: list[list[int]] = []

    def distances(numbers: NDArray[np.intp]) -> Sequence[float]:
        seen.append(numbers.tolist())
        return [0.0]

    leave_out(distances, ["b", "a", "b", "c"])
    assert seen == [[0, 1, 2, 3], [0, 2, 3], [1, 3], [0, 1, 2]]


def test_what_is_left_may_be_computed_at_once() -> None:
    values, names = np.arange(6.0), list("cbcaab")

    def without(groups: NDArray[np.intp]) -> NDArray[np.float64]:
        sums, counts = np.bincount(groups, values), np.bincount(groups)
        return ((values.sum() - sums) / (len(values) - counts))[:, None]

    for groups in (2, 100):
        one_by_one = leave_out(means(values), names, groups)
        at_once = leave_out(means(values), names, groups, without=without)
        np.testing.assert_allclose(at_once.without, one_by_one.without)
    assert leave_out(means(values), ["a"] * 6, without=without).without.shape == (0, 1)


def test_a_bias_that_falls_with_the_number_of_clips_does_not_widen_the_interval() -> None:
    rng = np.random.default_rng(1)
    of, values = np.repeat(range(10), np.tile([2, 4], 5)), rng.normal(size=30)
    biased = leave_out(lambda numbers: [values[numbers].mean() + 50 / len(numbers)], list(of)).interval(0)
    plain = jackknife_interval(values, of)
    assert biased.high - biased.low == pytest.approx(plain.high - plain.low, rel=1e-3)
    assert biased.mean == pytest.approx(plain.mean + 50 / 30)


def test_many_videos_are_left_out_in_groups() -> None:
    rng = np.random.default_rng(2)
    values, calls = rng.normal(size=300), []

    def distances(numbers: NDArray[np.intp]) -> Sequence[float]:
        calls.append(len(numbers))
        return [float(values[numbers].mean())]

    left = leave_out(distances, [f"video {n:03d}" for n in range(300)], groups=20)
    assert calls == [300] + [285] * 20
    found, known = left.interval(0), jackknife_interval(values, range(300))
    assert found.clusters == 20
    assert found.high - found.low == pytest.approx(known.high - known.low, rel=0.35)
    with pytest.raises(BenchError, match="two groups"):
        leave_out(distances, ["a", "b"], groups=1)


def test_one_video_has_no_interval_and_no_difference() -> None:
    left = leave_out(means(np.arange(3.0), np.ones(3)), "aaa")
    assert left.interval(0).mean == 1.0
    assert np.isnan([left.interval(0).low, left.difference(0, 1).high]).all()
    assert left.difference(0, 1).p_value == 1.0
    with pytest.raises(BenchError):
        leave_out(means(np.arange(0.0)), [])


@pytest.mark.parametrize("world", ["unequal", "informative"])
def test_intervals_of_kvd_hold_the_distance_of_the_distributions(world: str) -> None:
    found = sets.kernel_coverage(12, world, 150)
    assert 0.88 <= found.value <= 1.0
    assert 0.88 <= found.difference <= 1.0


def test_intervals_of_fvd_hold_its_mean_at_their_number_of_clips() -> None:
    found = sets.frechet_coverage(12, "equal", 150)
    assert 0.91 <= found.value <= 1.0
    assert 0.91 <= found.difference <= 1.0
