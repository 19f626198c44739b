"""Whose votes count: raters who fail, who leave, who come back, and the last ones of a study."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta, tzinfo
from pathlib import Path

import pytest

from study_app.pipeline.create import create
from study_app.store.store import Store
from study_app.store.tidy_tables import GIVEN_AWAY
from tests.study_app.conftest import study_request
from tests.study_app.store.test_store import LEFT, Person, rows


def answer(person: Person, catch_trials: int) -> None:
    """Answer rightly until that many catch trials are behind."""
    view = person.view()
    while person.study.votes()["catch"].sum() < catch_trials:
        side, _ = person.catch_side(view.trials[0])
        view = person.vote(view.trials[0], replace(LEFT, chosen=side))


#: Seven clips of it are seven slots.
ONE = {"comparisons": (("mdgan-2", "vgan"),), "votes": 1}


class Later(datetime):
    """A clock that is half an hour ahead."""

    @classmethod
    def now(cls, tz: tzinfo | None = None) -> Later:
        ahead = datetime.now(tz) + timedelta(minutes=30)
        return cls.fromtimestamp(ahead.timestamp(), tz)


@pytest.fixture
def eight(where: str, run_folder: Path) -> Store:
    """A study of 7 of 8 catch trials and 7 slots: one rater's work."""
    create(where, study_request(run_folder, name="eight", **ONE, clips=7, workload=7, catch=8, catch_pass=7))
    return Store(where)


def test_votes_of_who_left_count_where_no_random_clicker_does_as_well(eight: Store) -> None:
    person = Person(eight, study="eight")
    answer(person, 4)  # of four: one in sixteen
    votes = person.study.votes()
    assert set(votes["excluded"]) == {"unfinished: 4 of 4 catch trials right"}
    progress = person.study.progress()
    assert progress["votes"].sum() == 0
    assert progress["leased"].sum() > 0
    answer(person, 5)  # one in thirty-two
    assert set(person.study.votes()["excluded"]) == {""}
    assert person.study.progress()["votes"].sum() > 0


def test_slots_of_who_left_open_again_when_no_other_is_left(eight: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    left = Person(eight, study="eight")
    view = left.view()
    while left.study.progress()["leased"].sum() < 3 or left.study.votes()["catch"].sum() < 1:
        view = left.vote(view.trials[0], replace(LEFT, chosen=left.catch_side(view.trials[0])[0]))
    before = left.study.votes()
    trials = int((~before["catch"] & ~before["practice"]).sum())
    assert trials
    monkeypatch.setattr("study_app.store.study.datetime", Later)  # longer than a lease
    other = Person(eight, study="eight")
    assert other.finish().state == "done"
    progress = other.study.progress()
    assert (progress["votes"] == progress["wanted"]).all()  # seven slots of one rater, filled by another
    votes = other.study.votes()
    mine = votes[votes["rater"] == before["rater"].iloc[0]]
    assert set(mine["excluded"]) == {f"unfinished: {mine['catch'].sum()} of {mine['catch'].sum()} catch trials right"}
    assert len(rows(eight, "SELECT 1 FROM assignment WHERE state = 'void'")) == trials
    assert left.finish().state == "done"  # coming back, they find nothing but catch trials, and are thanked
    mine = other.study.votes().query("rater == @before.rater.iloc[0]")
    counting = mine[mine["excluded"] == ""]
    assert (counting["catch"] | counting["practice"]).all()
    assert set(mine["excluded"]) == {"", GIVEN_AWAY}


def test_the_last_raters_of_a_study_get_all_catch_trials(where: str, run_folder: Path) -> None:
    create(where, study_request(run_folder, name="short", **ONE, clips=7, workload=5, catch=8, catch_pass=7))
    first, last = (Person(Store(where), study="short") for _ in range(2))
    first.finish()
    last.finish()  # seven slots: two are left
    votes = last.study.votes()
    theirs = votes[votes["rater"] == last.study.raters()["rater"][1]]
    assert (len(theirs), theirs["catch"].sum()) == (2 + 2 + 8, 8)
    assert set(votes["excluded"]) == {""}


def test_catch_trials_that_did_not_load_are_no_failure_and_no_proof(eight: Store) -> None:
    person = Person(eight, study="eight")
    view = person.view()
    while view.state == "rating":
        trial = view.trials[0]
        kind = rows(
            eight,
            "SELECT kind FROM comparison JOIN pair ON comparison_id = comparison.id JOIN assignment ON "
            f"pair_id = pair.id WHERE token = '{trial}'",
        )
        view = person.vote(trial) if kind != [("catch",)] else person.study.skip(person.token, trial, "no network")
        if view.state == "broken":  # five in a row: the page is loaded again
            view = person.view()
    assert view.state == "done"
    [rater] = person.study.raters().to_dict("records")
    assert (rater["status"], rater["passed"]) == ("complete", "yes")
    assert rater["excluded"] == "catch trials: 0 of 0 right, too few to tell"
    assert person.study.progress()["votes"].sum() == 0
