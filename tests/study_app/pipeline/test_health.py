"""How a running study is doing: figures that agree with each other, and alerts that are raised when they should be."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pandas as pd
import pytest

from study_app.analysis import rater_quality
from study_app.pipeline import health as measured
from study_app.pipeline.health import health
from study_app.pipeline.simulate import PAPER_STRENGTHS, Crowd, simulate
from study_app.store.messages import Answer
from study_app.store.store import Store

NOW = datetime(2026, 3, 2, 12, tzinfo=UTC)


def quality(votes: int, flagged: float) -> pd.DataFrame:
    return pd.DataFrame({"votes": [votes], "flagged": [flagged]})


def test_a_study_that_raters_have_finished(sqlite: str) -> None:
    store = Store(sqlite)
    study, _ = simulate(store, store.open(), 6, Crowd(PAPER_STRENGTHS))
    now = datetime.now(UTC)
    seen = health(study, rater_quality.rater_table(study.votes()), now)
    progress, watch = study.progress(), study.watch()
    assert (seen.votes, seen.wanted) == (progress["votes"].sum(), 112) == (112, 112)
    assert seen.finished + seen.failed + seen.left + seen.active + seen.withdrawn + seen.turned_away == 6
    assert seen.remaining is None  # all votes are in
    had = watch.votes_over_time(now)
    assert (had.iloc[0], had.iloc[-1]) == (0, seen.votes)  # in the unit of the line of votes wanted
    assert had.index[-1] == pd.Timestamp(now)  # and nothing in the future
    assert had.is_monotonic_increasing
    assert seen.pay_per_hour(3.0) is None or seen.pay_per_hour(3.0) > 0


def test_who_is_where(sqlite: str) -> None:
    study = Store(sqlite).open()
    study.enrol("goes on")
    study.vote("goes on", study.view("goes on").trials[0], Answer("left", 900))
    study.enrol("withdraws")
    study.withdraw("withdraws")
    study.decline()
    for rater in ("one", "two"):
        study.enrol(rater)
        for trial in study.view(rater).trials:  # all of practice, in whatever order
            study.skip(rater, trial, "no network")
    seen = health(study, pd.DataFrame(), datetime.now(UTC))
    assert (seen.active, seen.withdrawn, seen.turned_away, seen.finished) == (3, 1, 1, 0)
    assert seen.votes == 0  # practice is no vote that is wanted
    assert seen.leased >= 3
    assert len(study.watch().votes) == 0
    later = health(study, pd.DataFrame(), datetime.now(UTC))
    assert any("did not load for several raters" in alert for alert in later.alerts)
    assert list(study.watch().failing["raters"]) == [2, 2]


@pytest.mark.parametrize(("failed", "left", "raised"), [(0, 0, ""), (3, 0, "failed"), (0, 5, "left before the end")])
def test_alerts_about_raters(failed: int, left: int, raised: str) -> None:
    alerts = measured._rater_alerts(failed, 7, left, 7 + failed + left)
    assert [raised in alert for alert in alerts] == ([True] if raised else [])


def test_alerts_about_votes_and_time() -> None:
    assert measured._vote_alerts(quality(100, 5.0)) == []
    assert measured._vote_alerts(quality(19, 100.0)) == []  # too few to say
    assert "30 of 100 votes are flagged" in measured._vote_alerts(quality(100, 30.0))[0]
    assert measured._time_alert(5.0, 4, 20) == []
    assert "9 minutes (median)" in measured._time_alert(9.0, 4, 20)[0]


def test_when_a_study_will_end() -> None:
    cast = pd.Series(pd.date_range("2026-03-02 11:00", periods=60, freq="min", tz="UTC"))
    assert measured._remaining(cast, 30, NOW) == timedelta(minutes=30)
    assert measured._remaining(cast, 0, NOW) is None
    assert measured._remaining(cast, 30, NOW + timedelta(hours=5)) is None  # nobody rates any more
