"""Holm's correction, the print of p values, equivalence and ratios."""

from __future__ import annotations

import gc

import numpy as np
import pytest
from scipy.stats import t, ttest_1samp

from bench.errors import BenchError
from bench.statistics import equivalence, holm, holm_over_families, log_distance, printed_p
from tests.coverage import clips


def test_holm_is_the_step_down_of_the_paper() -> None:
    np.testing.assert_allclose(holm([0.01, 0.04, 0.03, 0.005]), [0.03, 0.06, 0.06, 0.02])
    np.testing.assert_allclose(holm([0.6, 0.9]), [1.0, 1.0])
    assert holm([]).size == 0


def test_holm_over_families_is_holm_where_each_has_one_p() -> None:
    p_values = [0.01, 0.04, 0.03, 0.005]
    np.testing.assert_array_equal(holm_over_families(p_values, "abcd"), holm(p_values))
    # of one family they are corrected already
    np.testing.assert_array_equal(
        holm_over_families(p_values, "aaaa"), np.maximum.accumulate(np.sort(p_values))[[1, 3, 2, 0]]
    )
    # a family counts as long as a p of it is left: .001 and .01 of two, then b has none left
    found = holm_over_families([0.001, 0.04, 0.01], ["a", "a", "b"])
    np.testing.assert_allclose(found, [0.002, 0.04, 0.02])
    assert holm_over_families([], []).size == 0


def test_holm_is_that_of_statsmodels_to_the_bit(monkeypatch: pytest.MonkeyPatch) -> None:
    from statsmodels.stats.multitest import multipletests

    monkeypatch.setattr(gc, "collect", lambda: 0)  # it collects garbage at each call, for no reason of ours
    rng = np.random.default_rng(0)
    for count in range(1, 100):
        p_values = np.round(rng.random(count) ** 3, rng.integers(1, 6))  # with ties and zeros
        assert holm(p_values).tobytes() == np.asarray(multipletests(p_values, method="holm")[1], np.float64).tobytes()


def test_no_p_value_is_printed_as_nought() -> None:
    assert [printed_p(p) for p in (0.0, 1e-30, 0.00099, 0.001, 0.0499, 1.0)] == [
        "< 0.001", "< 0.001", "< 0.001", "0.001", "0.050", "1.000",
    ]  # fmt: skip
    assert printed_p(float("nan")) == "–"


def test_equivalence_is_two_one_sided_t_tests() -> None:
    rng = np.random.default_rng(0)
    a, b = rng.normal(0.1, 1, 20), rng.normal(size=20)
    found = equivalence(a, b, range(20), 1.5)
    sides = [ttest_1samp(a - b, bound, alternative=way).pvalue for bound, way in ((-1.5, "greater"), (1.5, "less"))]
    assert found.p_value == pytest.approx(max(sides))
    half = t.ppf(0.95, 19) * np.std(a - b, ddof=1) / np.sqrt(20)
    assert (found.low, found.high) == pytest.approx((found.difference - half, found.difference + half))
    for margin in (0.2, 0.5, 1.0, 2.0):  # the interval decides
        found = equivalence(a, b, range(20), margin)
        assert found.shown == (-margin < found.low and found.high < margin)


def test_no_significant_difference_is_not_equivalence() -> None:
    few = equivalence([1.0, 5.0, 3.0], [3.0, 2.0, 4.0], "abc", 1.0)
    assert not few.shown
    assert not equivalence([1.0, 1.0], [1.0, 1.0], "aa", 1.0).shown  # one video shows nothing
    assert equivalence([1.0, 2.0], [1.0, 2.0], "ab", 1e-9).shown
    for margin in (0.0, -1.0, np.inf, np.nan):
        with pytest.raises(BenchError, match="must be above 0"):
            equivalence([1.0], [1.0], "a", margin)
    with pytest.raises(BenchError, match="same clips"):
        equivalence([1.0], [1.0, 2.0], "ab", 1.0)


def test_rows_at_the_margin_are_called_equivalent_one_time_in_twenty() -> None:
    assert 0.03 <= clips.equivalent(10, "equal", 1000) <= 0.07


def test_half_and_double_are_equally_far_from_one_and_a_still_is_farthest() -> None:
    found = log_distance([1.0, 0.5, 2.0, 0.0, np.nan])
    assert found[:3] == pytest.approx([0.0, np.log(2), np.log(2)])
    assert found[3] == np.inf
    assert np.isnan(found[4])
    for wrong in (-0.1, np.inf):
        with pytest.raises(BenchError, match="ratio"):
            log_distance([1.0, wrong])
