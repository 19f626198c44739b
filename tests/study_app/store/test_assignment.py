"""A crowd that only looks holds nothing for long, and somebody who finds no pair is told so, with a code."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from study_app.design.trial_order import seats
from study_app.pipeline.create import create
from study_app.store import assignment, participants, votes
from study_app.store.messages import RefusedError, TooSoonError
from study_app.store.store import Store
from tests.study_app.conftest import CHECK_SEEN, NEW_DRAW, study_request
from tests.study_app.store.test_store import LEFT, Clock, Person, rows, run

#: A study of 16 pairs, and so of 16 votes.
SMALL = {"comparisons": (("mdgan-2", "vgan"),), "workload": 6, "practice": 0, "catch": 0, "catch_pass": 0}


@pytest.fixture
def small(where: str, run_folder: Path, monkeypatch: pytest.MonkeyPatch) -> Store:
    create(where, study_request(run_folder, name="small", **SMALL, full_code="FULL", closed_code="SHUT"))
    for module in ("study", "clips"):
        monkeypatch.setattr(f"study_app.store.{module}.datetime", Clock)
    return Store(where)


def look(store: Store) -> Person:
    """Somebody who agrees, and fetches the clips of what they are shown."""
    person = Person(store, study="small")
    for trial in person.view().trials:
        person.study.media(person.token, trial)
    return person


def held(store: Store) -> int:
    return int(rows(store, "SELECT count(*) FROM assignment WHERE state = 'leased' AND slot_id IS NOT NULL")[0][0])


@pytest.mark.heavy
def test_a_flood_of_people_who_look_leaves_half_to_others_and_gives_all_back(small: Store) -> None:
    honest = look(small)
    view = honest.vote(honest.view().trials[0])
    assert len(view.trials) == 2  # somebody who has answered holds the next one too
    crowd = [look(small) for _ in range(105)]
    assert held(small) <= 2 + 16 // 2
    states = [person.view().state for person in crowd]
    assert set(states) == {"rating", "waiting"}
    while view.state == "rating":
        view = honest.vote(view.trials[0])
    assert (view.state, view.answered) == ("done", 6)  # the flood did not stop who was at it
    Clock.moment += assignment.FIRST_LOOK + timedelta(seconds=1)
    assert look(small).view().state == "rating"


def test_a_pair_is_held_from_when_it_is_shown_and_for_longer_once_somebody_answers(small: Store) -> None:
    store, person = small, Person(small, study="small")
    trial = person.view().trials[0]
    until = "SELECT lease_until, leased_at FROM assignment WHERE state = 'leased' AND slot_id IS NOT NULL"

    def minutes() -> set[float]:
        ends = [datetime.fromisoformat(str(end)) for end, _ in rows(store, until)]  # SQLite's have no zone, and are UTC
        ends = [end if end.tzinfo else end.replace(tzinfo=UTC) for end in ends]
        return {round((end - Clock.moment).total_seconds() / 60, 3) for end in ends}

    assert minutes() == {1}
    person.study.media(person.token, trial)
    assert minutes() == {3}
    person.vote(trial)
    assert minutes() == {person.study.settings.lease_minutes}


def test_who_waits_gets_the_pair_that_somebody_gives_back_or_a_code(small: Store) -> None:
    study = small.open("small")
    assert study.room() == "open"
    first = look(small)
    run(small, "UPDATE assignment SET lease_until = lease_until")  # nothing is stale
    others = [look(small) for _ in range(7)]
    late = Person(small, study="small")
    assert (late.view().state, study.room()) == ("waiting", "waiting")
    assert late.study.ending(late.token) is None
    first.study.withdraw(first.token)
    assert late.view().state == "rating"
    for person in (late, *others, *(Person(small, study="small") for _ in range(4))):
        person.finish()
    assert study.progress()["votes"].sum() == 16
    assert study.room() == "full"
    last = Person(small, study="small")
    assert last.view().state == "full"
    ending = last.study.ending(last.token)
    assert ending is not None
    assert (ending.outcome, ending.code) == ("full", "FULL")


def test_a_study_that_closes_has_a_code_for_who_is_at_it(small: Store) -> None:
    person = look(small)
    person.study.change("close", "test")
    assert person.view().state == "closed"
    assert list(person.study.raters()[["status", "code"]].iloc[-1]) == ["closed", "SHUT"]
    person.study.change("reopen", "test")
    assert person.view().state == "rating"


def test_an_answer_is_taken_when_the_pair_can_have_been_seen(small: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(votes, "_check_seen", CHECK_SEEN)
    person = Person(small, study="small")
    trial = person.view().trials[0]
    with pytest.raises(RefusedError, match="not been loaded"):
        person.vote(trial)
    person.study.media(person.token, trial)
    play = timedelta(seconds=8 / 60)
    for since in (timedelta(), play / 2, play - timedelta(milliseconds=1)):
        Clock.moment += since
        with pytest.raises(TooSoonError) as early:
            person.vote(trial)
        Clock.moment -= since
    assert early.value.wait == pytest.approx(0.001)
    Clock.moment -= timedelta(hours=1)  # the server's clock was put right
    assert person.vote(trial).answered == 1
    assert person.vote(trial, LEFT).answered == 1


def test_the_seed_and_the_number_of_a_rater_tell_nobody_what_comes(
    sqlite: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(participants, "new_draw", NEW_DRAW)
    store = Store(sqlite)
    raters = [Person(store) for _ in range(60)]
    settings, seed = raters[0].study.settings, raters[0].study.row.seed
    told = rows(store, "SELECT rater_id, position, first_on_left FROM assignment ORDER BY rater_id")
    drawn = {(rater, position): bool(side) for rater, position, side in told}
    assert len(drawn) == 60 * (settings.practice + settings.catch)
    right = places = 0
    for number in range(1, 61):  # a script that knows the seed, and counts raters
        for seat in seats(seed, number, settings.practice, settings.catch, settings.workload):
            side = drawn.get((number, seat.position))
            places += side is not None and seat.kind == "catch"
            right += side == seat.first_on_left if side is not None else 0
    guessed = places + 60 * settings.practice
    assert places < 0.4 * 60 * settings.catch  # where catch trials come: 4 of 28 places
    assert abs(right / guessed - 0.5) < 0.4  # a study that tells its sides has 0.5; by chance 0.4 is out of reach
