"""Reliability of grades: Shrout and Fleiss's own table, their intervals, and clips with unequal numbers of grades."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from bench.errors import BenchError
from study_app.analysis import intraclass

#: Shrout and Fleiss 1979, table 2: six targets, four judges.
TABLE = [[9, 2, 5, 8], [6, 1, 3, 2], [8, 4, 6, 8], [7, 1, 2, 6], [10, 5, 6, 9], [6, 2, 4, 7]]


def test_the_six_forms_of_shrout_and_fleiss() -> None:
    found = intraclass.two_way(TABLE)
    values = {name: round(one.value, 2) for name, one in found.items()}
    single, mean = ("ICC(1,1)", "ICC(2,1)", "ICC(3,1)"), ("ICC(1,k)", "ICC(2,k)", "ICC(3,k)")
    assert [values[name] for name in single] == [0.17, 0.29, 0.71]
    assert [values[name] for name in mean] == [0.44, 0.62, 0.91]
    ends = {name: (round(one.low, 2), round(one.high, 2)) for name, one in found.items()}
    assert [ends[name] for name in single] == [(-0.13, 0.72), (0.02, 0.76), (0.34, 0.95)]


def test_the_mean_of_the_third_form_is_cronbachs_alpha() -> None:
    grades = np.array(TABLE, float)
    k = grades.shape[1]
    alpha = k / (k - 1) * (1 - grades.var(axis=0, ddof=1).sum() / grades.sum(axis=1).var(ddof=1))
    assert intraclass.two_way(TABLE)["ICC(3,k)"].value == pytest.approx(alpha)


def test_clips_with_raters_of_their_own_and_unequal_numbers_of_grades() -> None:
    rng = np.random.default_rng(1)
    hits, values = [], []
    for _ in range(300):
        counts = rng.integers(2, 7, 40)
        clip = np.repeat(np.arange(40), counts)
        grades = rng.normal(0, 1, 40)[clip] + rng.normal(0, 1.5, len(clip))
        single, mean, each = intraclass.one_way(grades, clip)
        truth = 1 / (1 + 1.5**2)
        values.append(single.value)
        hits.append(single.low <= truth <= single.high)
        assert mean.value == pytest.approx(each * single.value / (1 + (each - 1) * single.value))
    assert np.mean(values) == pytest.approx(1 / (1 + 1.5**2), abs=0.02)
    assert 0.91 <= np.mean(hits) <= 0.98


def test_a_study_has_all_forms_where_every_rater_graded_every_clip() -> None:
    rows = [("x", f"c{n}", f"r{m}", grade) for n, row in enumerate(TABLE) for m, grade in enumerate(row)]
    table = pd.DataFrame(rows, columns=["system", "clip", "rater", "rating"])
    table = table.assign(catch=False, practice=False, excluded="", simulated=False)
    whole = intraclass.reliability(table)
    assert list(whole.columns) == intraclass.RELIABILITY_COLUMNS
    assert (len(whole), whole["clips"][0], whole["raters"][0], whole["grades"][0]) == (6, 6, 4, 4.0)
    assert list(intraclass.reliability(table.iloc[1:])["form"]) == ["ICC(1,1)", "ICC(1,k)"]
    assert intraclass.reliability(table.iloc[:1]).empty
    assert intraclass.one_way([3, 3, 4, 4], [0, 0, 1, 1])[0].value == 1.0
    with pytest.raises(BenchError, match="two clips"):
        intraclass.two_way([[1, 2, 3]])
