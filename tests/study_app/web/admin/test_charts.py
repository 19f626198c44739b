"""Charts of the admin page in the first minutes of a study, when there is little to draw."""

from __future__ import annotations

from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import pandas as pd
import pytest

pytest.importorskip("streamlit", reason="the study needs its extra: pip install 'timelapse-bench[study]'")

from study_app.store.monitor import Watch
from study_app.web.admin import charts


def words(svg: str) -> list[str]:
    """What a chart says; letters are drawn as outlines, and each text stands beside them as a comment."""
    return [line.strip()[5:-4] for line in svg.splitlines() if line.strip().startswith("<!-- ")]


@pytest.mark.parametrize("median", [float("nan"), 0.0, 3900.0])
def test_a_rater_who_has_only_practised_can_be_drawn(median: float) -> None:
    table = pd.DataFrame({"median_ms": [median], "catch_right": [0], "catch_had": [0], "excluded": ["unfinished"]})
    rule: Any = SimpleNamespace(catch=10, catch_pass=9)
    said = words(charts.raters(table, rule))
    assert {"0", "100", "median response time (s)", "excluded"} <= set(said)
    assert not [word for word in said if word.startswith("−")]  # no time below none


def test_the_day_is_said_once() -> None:
    cast = pd.Series(pd.date_range("2026-03-02 09:03", periods=60, freq="min", tz="UTC"))
    watch = Watch(pd.DataFrame(), cast, pd.DataFrame(), pd.DataFrame(), pd.DataFrame())
    said = words(charts.votes_over_time(watch.votes_over_time(datetime(2026, 3, 2, 10, 15, tzinfo=UTC)), 100))
    assert {"09:30", "10:00", "2026-Mar-02"} <= set(said)
    assert not [word for word in said if word.startswith("02 ")]
