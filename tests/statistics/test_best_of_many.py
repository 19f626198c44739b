"""The best of many rows, and the others against it."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from bench.errors import BenchError
from bench.statistics import best_of_many, paired_difference


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


@pytest.mark.parametrize(("rows", "videos"), [(3, 5), (4, 2)])
def test_the_p_values_of_many_rows_are_those_of_all_exchanges_of_names(rows: int, videos: int) -> None:
    rng = np.random.default_rng(4)
    values = rng.normal(size=(rows, videos)) + np.linspace(0, 1.5, rows)[:, None]
    found = best_of_many({str(i): row for i, row in enumerate(values)}, range(videos), "lower")

    def statistics(table: np.ndarray) -> list[float]:
        pairs = [table[a] - table[b] for a, b in itertools.combinations(range(rows), 2)]
        return [abs(pair.sum()) / np.sqrt((pair**2).sum()) for pair in pairs]

    orders = list(itertools.permutations(range(rows)))
    largest = []
    for names in itertools.product(orders, repeat=videos):
        table = np.array([values[list(names[video]), video] for video in range(videos)]).T
        largest.append(max(statistics(table)))
    best = values[int(found.order[0])]
    for other in found.others:
        difference = values[int(other.row)] - best
        observed = abs(difference.sum()) / np.sqrt((difference**2).sum())
        share = np.mean(np.array(largest) >= observed - 1e-12)
        assert other.p_value == pytest.approx(max(share, 2 / 2**videos))


def test_many_rows_reach_no_smaller_p_than_two() -> None:
    rows = {name: np.full(4, float(place)) for place, name in enumerate("abcd")}
    found = best_of_many(rows, "wxyz", "lower")
    assert {other.p_value for other in found.others} == {found.smallest_p} == {2 / 2**4}


def test_a_verdict_that_one_video_turns_names_the_video() -> None:
    rng = np.random.default_rng(0)
    of, better = [f"v{n}" for n in range(12)], np.full(12, -1.0)
    noise = 0.1 * rng.normal(size=12)
    for others in ({}, {"c": better + 3 + noise[::-1]}):
        solid = best_of_many({"a": better, "b": better + 1 + noise, **others}, of, "lower")
        assert (solid.others[0].turned_by, solid.others[0].p_value < 0.05) == ("", True)
        # b is worse on all videos but one, where a fails: inconclusive with that video, and worse without it
        fails = better.copy()
        fails[7] = 9.0
        turned = best_of_many({"a": fails, "b": better + 1 + noise, **others}, of, "lower")
        assert {turned.others[0].turned_by, turned.others[0].p_value > 0.05} == {"v7", True}
    # eight of twelve differences are noise; one large one less, and nothing is left to find
    odd = np.array([2.0, 1.5, 1.0, 0.8, 0.7, -0.6, 0.6, -0.3])
    found = paired_difference(odd, np.zeros(8), range(8))
    turned = best_of_many({"a": np.zeros(8), "b": odd}, range(8), "lower")
    without = [paired_difference(np.delete(odd, v), np.zeros(7), range(7)).p_value for v in range(8)]
    changes = [str(v) for v in range(8) if (without[v] < 0.05) != (found.p_value < 0.05)]
    assert turned.others[0].turned_by in (changes or [""])


def test_an_identical_clip_counts_as_the_best_and_a_still_as_the_worst() -> None:
    # better on every clip, and identical to the real one on half of them
    rows = {"a": [np.inf, 20.5, np.inf, 20.4], "b": [40.0, 20.0, 40.0, 20.0]}
    found = best_of_many(rows, "wxyz", "higher", bound=100.0)
    assert found.best == "a"
    assert found.others[0].difference == pytest.approx((-60 - 0.5 - 60 - 0.4) / 4)  # with infinite values at the bound
    assert (found.others[0].clips, found.others[0].beyond) == (4, 0)
    # the better a clip becomes the better its row: from finite to identical too
    worse = {"a": [50.0, 30.0], "b": [45.0, 36.0]}
    assert best_of_many(worse, "xy", "higher", bound=100.0).best == "b"
    assert best_of_many(worse | {"a": [np.inf, 30.0]}, "xy", "higher", bound=100.0).best == "a"
    motion = {"still": [np.inf, np.inf, np.inf], "model": [0.9, 1.2, np.inf]}
    found = best_of_many(motion, "xyz", "lower", bound=18.0)
    assert (found.best, found.others[0].row, found.others[0].beyond) == ("model", "still", 3)
    assert found.others[0].difference == pytest.approx((18 - 0.9 + 18 - 1.2) / 3)
    assert best_of_many({"still": [np.inf, np.inf]}, "xy", "lower", bound=18.0).best is None


def test_a_clip_that_some_row_has_no_value_of_judges_nobody() -> None:
    found = best_of_many({"a": [1.0, np.nan, 3.0], "b": [2.0, 0.0, 3.5]}, "xyz", "lower")
    assert (found.best, found.clips) == ("a", 2)
    for rows, sentence in (
        ({"a": [1.0], "b": [np.nan]}, "share no clip"),
        ({"a": [1.0], "b": [1.0, 2.0]}, "the same clips"),
        ({"a": [1.0], "b": [np.inf]}, "pass the most extreme value"),
    ):
        with pytest.raises(BenchError, match=sentence):
            best_of_many(rows, "x", "lower")


def test_no_byte_of_the_best_of_many_depends_on_the_order_of_clips() -> None:
    rng = np.random.default_rng(5)
    rows, of = {name: rng.normal(size=40) for name in "abcd"}, rng.integers(0, 9, 40)
    order = rng.permutation(40)
    other = best_of_many({name: row[order] for name, row in rows.items()}, of[order], "lower")
    assert best_of_many(rows, of, "lower") == other


def test_one_row_that_is_much_worse_does_not_hide_the_others() -> None:
    rng = np.random.default_rng(7)
    rows = {name: place * 0.5 + 0.3 * rng.normal(size=12) for place, name in enumerate("abc")}
    without = {other.row: other.p_value for other in best_of_many(rows, range(12), "lower").others}
    rows["much worse"] = 40 + 10 * rng.normal(size=12)
    found = {other.row: other.p_value for other in best_of_many(rows, range(12), "lower").others}
    assert max(without.values()) < 0.05
    for name in "bc":  # the worst one is left out when the others are tested
        assert found[name] <= max(without[name], found["much worse"]) + 0.001
    assert sorted(found.values()) == [found[name] for name in ("much worse", "c", "b")]
