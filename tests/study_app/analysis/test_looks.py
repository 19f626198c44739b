"""What planned looks decide: by hand, and the size over raters and videos."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np
import pandas as pd
import pytest

from bench.statistics.two_way_clusters import Crossing, shares
from study_app.analysis.looks import LOOK_COLUMNS, looks_table
from study_app.design.planned_looks import levels
from study_app.design.settings import OBRIEN_FLEMING, POCOCK
from tests.coverage import looks as world
from tests.coverage.people import table_of_votes

START = datetime(2026, 1, 1, tzinfo=UTC)


def votes(second_half: list[str]) -> pd.DataFrame:
    """Two comparisons of 40 raters; at first 38 of 40 prefer a to b, 20 of 40 prefer a to c; later as given."""
    first = ["a"] * 38 + ["b"] * 2 + ["a", "c"] * 20
    chosen = first + ["a"] * 40 + second_half
    n = np.arange(160)
    table = table_of_votes(["a"] * 160, [["b", "c"][k // 40 % 2] for k in n], n % 40, n % 40, n % 40)
    times = [(START + timedelta(minutes=int(k))).isoformat() for k in n]
    return table.assign(chosen=chosen, time_utc=times)


def test_a_comparison_is_decided_once_and_leaves_its_share_to_the_others() -> None:
    pairs = [("a", "b"), ("a", "c")]
    ends = [START + timedelta(minutes=80)]
    table = looks_table(votes(["a"] * 33 + ["c"] * 7), pairs, ends, [0.5, 1.0], 2, POCOCK)
    assert list(table.columns) == LOOK_COLUMNS
    assert list(table["votes"]) == [40, 40, 80, 80]
    assert list(table["decided"]) == [1, 0, 1, 2]
    half = levels([0.5], 2, POCOCK, 0.025)[0]
    assert table["level"][0] == pytest.approx(half)
    assert table["level"][1] == pytest.approx(levels([0.5], 2, POCOCK, 0.05)[0])
    assert np.isnan(table["level"][2])  # decided before
    assert table["level"][3] == pytest.approx(levels([0.5, 1.0], 2, POCOCK, 0.05)[1])


@pytest.mark.heavy
def test_looks_over_raters_and_videos_keep_five_per_cent(figures: dict[str, str]) -> None:
    adjusted, plain = world.size(400)
    assert adjusted <= 0.07
    assert plain > 0.09
    figures["five looks at a study without a difference"] = f"{100 * adjusted:.1f} %; unadjusted {100 * plain:.1f} %"


def test_the_last_look_alone_is_nearly_the_usual_test() -> None:
    wins = (np.random.default_rng(0).random(200) < 0.64).astype(float)
    found = shares(wins, Crossing.of(np.arange(200) % 20, np.arange(200)))
    last = levels([0.2, 0.4, 0.6, 0.8, 1.0], 5, OBRIEN_FLEMING)[-1]
    assert (found.p_value < last) == (found.p_value < 0.05)
