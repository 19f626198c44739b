"""How often the marks of a table are right, in simulated worlds."""

from __future__ import annotations

import numpy as np
import pytest

from bench.statistics import best_of_many
from tests.coverage import clips, sets, tables

pytestmark = pytest.mark.heavy


@pytest.mark.parametrize(("rows", "videos", "shape"), [(12, 26, "equal"), (12, 7, "equal"), (5, 26, "skewed")])
def test_equal_rows_are_called_worse_than_the_best_in_one_study_of_twenty(rows: int, videos: int, shape: str) -> None:
    assert clips.best(rows, videos, shape, 200, draws=300) <= 0.06


def test_picking_the_best_first_and_testing_pairs_then_finds_differences_that_are_not_there() -> None:
    assert clips.best(12, 10, "equal", 200, draws=300) <= 0.06 < clips.best(12, 10, "equal", 200, old=True)


def test_a_row_that_is_worse_is_found() -> None:
    rng, found = np.random.default_rng(6), 0
    of = clips.videos_of(26, "equal")
    for _ in range(60):
        rows = clips.rows_of(rng, 5, of, "equal")
        rows["row 0"] = rows["row 0"] - 1.2
        judged = best_of_many(rows, of, "higher", draws=1000)
        found += {other.row for other in judged.others if other.p_value < 0.05} >= {"row 0"}
    assert found / 60 > 0.8


def test_equal_rows_of_which_one_fails_on_each_video_are_exchangeable() -> None:
    # flipping the signs of all pairs together finds a difference in 8.7 % of these
    assert tables.one_of_many_fails(4, 9, 0.02, 800, draws=400) <= 0.07
    # nor does leaving out those that are worse find differences among the others
    assert tables.one_of_many_fails(3, 9, 0.02, 300, worse=2, draws=400) <= 0.08


def test_an_identical_clip_in_one_training_run_takes_no_place_from_a_better_method() -> None:
    for runs, gap in ((1, 5.9), (3, 2.7)):
        found = tables.identical_clip(runs, gap, 40)
        assert (found.best, found.wrong) == (1, 0)


def test_where_no_failure_was_seen_equal_means_are_told_apart() -> None:
    few, many = tables.one_fails(8, 300), tables.one_fails(100, 100)
    assert few.told_apart > 0.2  # which is why the page says so
    assert few.equivalent > 0.2
    assert many.told_apart < 0.12


def test_two_training_runs_find_too_many_differences_and_three_do_not() -> None:
    assert tables.few_runs((2, 5), 26, (2.0, 0.5), 400) > 0.075  # which is why a note says so
    assert tables.few_runs((3, 3), 26, (2.0, 2.0), 400) < 0.075


def test_holm_over_metrics_keeps_the_level_that_several_metrics_exceed() -> None:
    alone, together = tables.several_metrics(4, 6, 12, 120)
    assert alone > 0.1
    assert together <= 0.075


def test_like_beside_like_a_worse_method_is_farther_than_real_clips() -> None:
    unequal, equal = sets.nearer_than_real(10, 30)
    assert equal < 0.35
    assert unequal > 0.9


def test_log_normal_errors_make_intervals_of_few_videos_too_narrow() -> None:
    # which the page says; a bootstrap-t is nearer, and not there either
    plain, studentized = (clips.interval(10, "log-normal", 250, studentized=way) for way in (False, True))
    assert plain < 0.9
    assert plain < studentized < 0.95
