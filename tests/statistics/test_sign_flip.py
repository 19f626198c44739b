"""Sign flips: of two rows, and of the best of many."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from scipy.stats import t

from bench.errors import BenchError
from bench.statistics import best_of_many, paired_difference, smallest_p_value
from tests.coverage import clips


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


def test_of_two_rows_the_best_of_many_is_the_paired_test() -> None:
    rng = np.random.default_rng(0)
    for videos in (6, 30):
        of = np.repeat(range(videos), 3)
        a, b = rng.normal(0.2, 1, len(of)), rng.normal(size=len(of))
        found = best_of_many({"a": a, "b": b}, of, "higher")
        pair = paired_difference(b, a, of) if found.best == "a" else paired_difference(a, b, of)
        (other,) = found.others
        assert other.p_value == pair.p_value
        assert (other.difference, other.low, other.high) == (pair.difference, pair.low, pair.high)
        assert (found.clips, found.clusters, found.smallest_p) == (len(of), videos, pair.smallest_p)


def test_rows_are_ordered_by_their_means_and_differences_are_against_the_best() -> None:
    rows = {"a": [1.0, 2, 3], "b": [0.0, 1, 5], "c": [4.0, 4, 4]}
    assert best_of_many(rows, "xyz", "higher").order == ("c", "a", "b")
    lower = best_of_many(rows, "xyz", "lower")
    assert (lower.best, lower.order) == ("a", ("a", "b", "c"))
    assert [other.difference for other in lower.others] == [0.0, 2.0]
    alone = best_of_many({"a": [1.0]}, "x", "lower")
    assert (alone.best, alone.others) == ("a", ())
    same = best_of_many({"a": [1.0, 2], "b": [1.0, 2]}, "xy", "lower")
    assert same.best == "a"
    assert same.others[0].p_value == 1.0


def test_the_p_values_of_many_rows_are_those_of_all_patterns_of_signs() -> None:
    rng = np.random.default_rng(4)
    rows = rng.normal(size=(4, 8))
    found = best_of_many({str(i): row for i, row in enumerate(rows)}, range(8), "lower")
    pairs = np.array([rows[a] - rows[b] for a, b in itertools.combinations(range(4), 2)])
    unit = pairs / np.sqrt((pairs**2).sum(axis=1, keepdims=True))
    largest = [np.abs(unit @ np.array(signs)).max() for signs in itertools.product((1, -1), repeat=8)]
    best = rows[int(found.order[0])]
    for other in found.others:
        difference = rows[int(other.row)] - best
        observed = abs(difference.sum()) / np.sqrt((difference**2).sum())
        assert other.p_value == pytest.approx(np.mean(np.array(largest) >= observed - 1e-12))


def test_an_identical_clip_counts_as_the_best_and_a_still_as_the_worst() -> None:
    # better on every clip, and identical to the real one on half of them
    rows = {"a": [np.inf, 20.5, np.inf, 20.4], "b": [40.0, 20.0, 40.0, 20.0]}
    found = best_of_many(rows, "wxyz", "higher", bound=100.0)
    assert found.best == "a"
    assert found.others[0].difference == pytest.approx(-0.45)  # over the clips where both are finite
    assert (found.others[0].clips, found.others[0].beyond) == (2, 0)
    # the better a clip becomes the better its row: from finite to identical too
    worse = {"a": [50.0, 30.0], "b": [45.0, 36.0]}
    assert best_of_many(worse, "xy", "higher", bound=100.0).best == "b"
    assert best_of_many(worse | {"a": [np.inf, 30.0]}, "xy", "higher", bound=100.0).best == "a"
    motion = {"still": [np.inf, np.inf, np.inf], "model": [0.9, 1.2, np.inf]}
    found = best_of_many(motion, "xyz", "lower", bound=18.0)
    assert (found.best, found.others[0].row, found.others[0].beyond) == ("model", "still", 3)
    assert np.isnan(found.others[0].difference)
    assert best_of_many({"still": [np.inf, np.inf]}, "xy", "lower", bound=18.0).best is None


def test_a_clip_that_some_row_has_no_value_of_judges_nobody() -> None:
    found = best_of_many({"a": [1.0, np.nan, 3.0], "b": [2.0, 0.0, 3.5]}, "xyz", "lower")
    assert (found.best, found.clips) == ("a", 2)
    for rows, sentence in (
        ({"a": [1.0], "b": [np.nan]}, "no clip in common"),
        ({"a": [1.0], "b": [1.0, 2.0]}, "the same clips"),
        ({"a": [1.0], "b": [np.inf]}, "give the most extreme value"),
    ):
        with pytest.raises(BenchError, match=sentence):
            best_of_many(rows, "x", "lower")


def test_no_byte_of_the_best_of_many_depends_on_the_order_of_clips() -> None:
    rng = np.random.default_rng(5)
    rows, of = {name: rng.normal(size=40) for name in "abcd"}, rng.integers(0, 9, 40)
    order = rng.permutation(40)
    other = best_of_many({name: row[order] for name, row in rows.items()}, of[order], "lower")
    assert best_of_many(rows, of, "lower") == other


@pytest.mark.parametrize(("rows", "videos", "shape"), [(12, 26, "equal"), (12, 7, "equal"), (5, 26, "skewed")])
def test_equal_rows_are_called_worse_than_the_best_in_one_study_of_twenty(rows: int, videos: int, shape: str) -> None:
    assert clips.best(rows, videos, shape, 200) <= 0.06


def test_picking_the_best_first_and_testing_pairs_then_finds_differences_that_are_not_there() -> None:
    assert clips.best(12, 10, "equal", 200) <= 0.06 < clips.best(12, 10, "equal", 200, old=True)


def test_a_row_that_is_worse_is_found() -> None:
    rng, found = np.random.default_rng(6), 0
    of = clips.videos_of(26, "equal")
    for _ in range(60):
        rows = clips.rows_of(rng, 5, of, "equal")
        rows["row 0"] = rows["row 0"] - 1.2
        judged = best_of_many(rows, of, "higher", draws=1000)
        found += {other.row for other in judged.others if other.p_value < 0.05} >= {"row 0"}
    assert found / 60 > 0.8
