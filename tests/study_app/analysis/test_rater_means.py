"""Each rater counts once: the t test of raters' own shares, and raters who stay as long as they like what they see."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy.stats import ttest_1samp

from study_app.analysis.rater_means import over_raters
from tests.coverage import drop_out


def test_it_is_the_t_test_over_raters_own_shares() -> None:
    rater = pd.Series(["a"] * 4 + ["b"] * 2 + ["c"] * 5, index=range(7, 18))
    wins = np.array([1, 1, 1, 0, 1, 0, 0, 0, 1, 1, 1], bool)
    found = over_raters(wins, rater)
    test = ttest_1samp([0.75, 0.5, 0.6], 0.5)
    interval = test.confidence_interval(0.95)
    assert (found.mean, found.p_value, found.raters) == (
        pytest.approx(0.75 / 3 + 1.1 / 3),
        pytest.approx(test.pvalue),
        3,
    )
    assert (found.low, found.high) == pytest.approx((max(0.0, interval.low), min(1.0, interval.high)))


def test_raters_who_are_all_the_same_are_tosses_of_a_coin() -> None:
    for count in (3, 8):
        found = over_raters(np.ones(2 * count, bool), pd.Series(np.repeat(np.arange(count), 2)))
        assert (found.mean, found.high, found.p_value) == (1.0, 1.0, 2 * 0.5**count)
        assert found.low == pytest.approx(0.025 ** (1 / count))
    assert over_raters(np.array([True, False] * 3), pd.Series([0, 0, 1, 1, 2, 2])).p_value == 1.0
    alone = over_raters(np.ones(4, bool), pd.Series(["a"] * 4))
    assert (alone.low, alone.high, np.isnan(alone.p_value)) == (0.0, 1.0, True)
    assert over_raters(np.zeros(0, bool), pd.Series([], dtype=str)).raters == 0


@pytest.mark.heavy
def test_raters_who_stay_for_what_they_like_do_not_count_more(figures: dict[str, str]) -> None:
    found = drop_out.by_taste(400)
    assert found.pos > 0.58 > 0.52 > found.each
    assert found.pos_rejected > 0.2
    assert found.each_rejected < 0.1
    figures["20 raters who stay by taste, truth 0.5"] = (
        f"POS {found.pos:.3f}, size {100 * found.pos_rejected:.1f} %; each rater once {found.each:.3f}, "
        f"{100 * found.each_rejected:.1f} %"
    )
