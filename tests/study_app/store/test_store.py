"""The store's promises, on SQLite and on PostgreSQL."""

from __future__ import annotations

import re
import secrets
import sqlite3
import threading
from collections import Counter
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from bench.errors import BenchError
from study_app.design.schedule import SCENE_LIMIT
from study_app.design.trial_order import BIG_STICK
from study_app.pipeline.create import create
from study_app.store import audit_trail, participants
from study_app.store.audit_trail import ATTEMPTS
from study_app.store.messages import Answer, RefusedError, View
from study_app.store.participants import Visitor
from study_app.store.store import Store
from study_app.store.study import SKIP_LIMIT
from study_app.store.tidy_tables import RATER_COLUMNS
from study_app.web.visit import visitor
from tests.study_app.conftest import study_request

LEFT = Answer("left", 3000, 1, 0)


class Person:
    """A rater at the store."""

    def __init__(self, store: Store, visitor: Visitor | None = None, study: str | None = None) -> None:
        self.store = store
        self.study = store.open(study)
        self.token = self.study.token_of(visitor) if visitor else secrets.token_urlsafe(32)
        self.study.enrol(self.token, visitor)

    def view(self) -> View:
        return self.study.view(self.token)

    def vote(self, trial: str, answer: Answer = LEFT) -> View:
        return self.study.vote(self.token, trial, answer)

    def finish(self, catch: bool = True) -> View:
        """Answer everything; catch trials right or wrong, all others left."""
        view = self.view()
        while view.state == "rating":
            side, wrong = self.catch_side(view.trials[0])
            view = self.vote(view.trials[0], replace(LEFT, chosen=side if catch else wrong))
        return view

    def catch_side(self, trial: str) -> tuple[str, str]:
        query = text(
            "SELECT assignment.first_on_left FROM assignment JOIN pair ON pair.id = pair_id JOIN comparison ON "
            "comparison.id = comparison_id WHERE token = :t AND kind = 'catch'"
        )
        with self.store.engine.connect() as connection:
            first_on_left = connection.execute(query, {"t": trial}).scalar()
        return ("left", "right") if first_on_left in (None, True, 1) else ("right", "left")


def run(store: Store, statement: str, **values: object) -> None:
    with store.engine.begin() as connection:
        connection.execute(text(statement), values)


def rows(store: Store, query: str) -> list[tuple[object, ...]]:
    with store.engine.connect() as connection:
        return [tuple(row) for row in connection.execute(text(query))]


def test_a_whole_session(where: str) -> None:
    store = Store(where)
    person = Person(store)
    end = person.finish()
    assert end == View("done", 30, 30)
    votes = person.study.votes()
    assert (votes["practice"].sum(), votes["catch"].sum(), len(votes)) == (2, 4, 30)
    assert votes["practice"].iloc[:2].all()
    trials = votes[~votes["practice"] & ~votes["catch"]]
    seen = Counter(votes["clip"])
    assert max(seen.values()) <= SCENE_LIMIT
    assert not trials.duplicated(["comparison", "clip"]).any()
    first_left = (trials["left"] == trials["first"]).sum()
    assert abs(2 * first_left - len(trials)) <= BIG_STICK
    assert set(trials["chosen"] == trials["left"]) == {True}
    assert (votes["excluded"] == "").all()
    known = person.study.rater(person.token)
    assert known is not None
    assert known.completion_code
    assert known.consent_version == person.study.settings.consent_version
    assert person.view() == end  # coming back does not start again


def test_a_vote_counts_once_however_often_it_comes(where: str) -> None:
    person = Person(Store(where))
    trial, following = person.view().trials
    person.vote(trial)
    view = person.vote(trial, Answer("right", 9, 9, 9))
    assert view.answered == 1
    assert view.trials[0] == following
    votes = person.study.votes()
    assert list(votes["response_ms"]) == [3000]


def test_coming_back_finds_the_same_trial_with_the_same_sides(where: str) -> None:
    person = Person(Store(where))
    before = person.view()
    clips = person.study.media(person.token, before.trials[0])
    again = Store(where).open()  # the app started anew
    person.study.enrol(person.token)  # a second tab consents too
    assert again.view(person.token) == before
    assert again.media(person.token, before.trials[0]) == clips
    assert len(again.raters()) == 1


def test_nobody_votes_for_somebody_else(where: str) -> None:
    store = Store(where)
    one, other = Person(store), Person(store)
    theirs = other.view().trials[0]
    for trial in (theirs, "invented", "", "' OR 1=1 --", "x" * 5000):
        with pytest.raises(RefusedError, match="not yours"):
            one.vote(trial)
        with pytest.raises(RefusedError):
            one.study.media(one.token, trial)
        with pytest.raises(RefusedError):
            one.study.skip(one.token, trial, "x")
    with pytest.raises(RefusedError, match="not known"):
        one.study.vote("nobody", theirs, LEFT)
    mine = one.view().trials[0]
    for wrong in (Answer("both", 1), Answer("left", -1), Answer("left", 1, -1), Answer("left", 1, 0, -1)):
        with pytest.raises(RefusedError, match="can be given"):
            one.vote(mine, wrong)
    assert len(one.study.votes()) == 0


def test_votes_audit_and_exclusions_cannot_be_changed(where: str) -> None:
    store = Store(where)
    person = Person(store)
    person.vote(person.view().trials[0])
    rater = person.study.raters()["rater"][0]
    person.study.exclude(rater, "test", "me")
    for table in ("vote", "audit", "exclusion"):
        for statement in (f"UPDATE {table} SET id = id + 100", f"DELETE FROM {table}"):
            with pytest.raises(DBAPIError, match="append only"):
                run(store, statement)
    assert len(person.study.votes()) == 1


@pytest.mark.parametrize(
    "statement",
    [
        "INSERT INTO vote (assignment_id, rater_id, simulated, chosen, response_ms, replays, focus_losses, voted_at) "
        "SELECT id, rater_id, false, 'left', 1, 0, 0, leased_at FROM assignment WHERE state = 'voted'",
        "INSERT INTO vote (assignment_id, rater_id, simulated, chosen, response_ms, replays, focus_losses, voted_at) "
        "SELECT id, rater_id, true, 'left', 1, 0, 0, leased_at FROM assignment WHERE state = 'leased'",
        "INSERT INTO vote (assignment_id, rater_id, simulated, chosen, response_ms, replays, focus_losses, voted_at) "
        "SELECT id, rater_id + 1, false, 'left', 1, 0, 0, leased_at FROM assignment WHERE state = 'leased'",
        "UPDATE rater SET simulated = true",
        "UPDATE study SET simulated = true",
        "UPDATE rater SET completion_code = 'X'",
        "UPDATE rater SET consented_at = NULL",
        "UPDATE assignment SET state = 'maybe'",
        "UPDATE assignment SET first_on_left = NOT first_on_left WHERE slot_id IS NOT NULL",
        "UPDATE assignment SET state = 'skipped'",
        "UPDATE pair SET scene = 'another'",
        "UPDATE pair SET second_clip_id = first_clip_id",
        "UPDATE comparison SET second_id = first_id",
        "DELETE FROM clip",
    ],
)
def test_the_database_itself_refuses(where: str, statement: str) -> None:
    store = Store(where)
    person = Person(store)
    while person.view().answered < 3:
        person.vote(person.view().trials[0])
    with pytest.raises(DBAPIError):
        run(store, statement)


def test_a_slot_is_given_once(where: str) -> None:
    store = Store(where)
    for person in (Person(store), Person(store)):
        for _ in range(person.study.settings.practice):
            person.vote(person.view().trials[0])
    statement = (
        "INSERT INTO assignment (rater_id, pair_id, slot_id, first_on_left, position, state, token, leased_at, "
        "lease_until) SELECT rater.id, pair_id, slot_id, first_on_left, 999, 'leased', 'other', leased_at, lease_until "
        "FROM assignment, rater WHERE slot_id IS NOT NULL AND rater.id <> rater_id LIMIT 1"
    )
    with pytest.raises(DBAPIError):
        run(store, statement)


def test_an_abandoned_trial_goes_to_somebody_else_once(where: str) -> None:
    store = Store(where)
    late, early = Person(store), Person(store)
    for _ in range(late.study.settings.practice):
        late.vote(late.view().trials[0])
    slots = "SELECT slot_id, token FROM assignment WHERE state = 'leased' AND slot_id IS NOT NULL"
    mine = {token: slot for slot, token in rows(store, f"{slots} AND rater_id = 1")}
    assert mine
    run(store, "UPDATE assignment SET lease_until = :then", then=datetime.now(UTC) - timedelta(hours=1))
    early.finish()
    for _ in range(5):  # all slots but what the rules forbid these raters
        Person(store).finish()
    taken = {slot for (slot,) in rows(store, "SELECT slot_id FROM assignment WHERE state = 'voted' AND rater_id > 1")}
    gone = [token for token, slot in mine.items() if slot in taken]
    assert gone
    with pytest.raises(RefusedError, match="somebody else") as refusal:
        late.vote(gone[0])
    assert refusal.value.gone
    counts = rows(store, "SELECT slot_id, count(*) FROM assignment WHERE state IN ('voted', 'leased') GROUP BY slot_id")
    assert max(count for slot, count in counts if slot is not None) == 1


def test_a_late_vote_for_a_trial_that_nobody_took_is_good(where: str) -> None:
    store = Store(where)
    person = Person(store)
    for _ in range(person.study.settings.practice):
        person.vote(person.view().trials[0])
    trial = next(
        t for t in person.view().trials if rows(store, f"SELECT slot_id FROM assignment WHERE token = '{t}'")[0][0]
    )
    run(store, "UPDATE assignment SET state = 'expired' WHERE token = :t", t=trial)
    person.vote(trial)
    assert rows(store, f"SELECT state FROM assignment WHERE token = '{trial}'") == [("voted",)]


def test_a_pair_that_does_not_load_is_a_skip_and_no_vote(where: str) -> None:
    store = Store(where)
    person = Person(store)
    view = person.view()
    for _ in range(SKIP_LIMIT):
        assert view.state == "rating"
        skipped = view.trials[0]
        view = person.study.skip(person.token, skipped, "decoding failed")
        assert skipped not in view.trials
        with pytest.raises(RefusedError):
            person.vote(skipped)
    assert view.state == "broken"
    assert len(person.study.votes()) == 0
    assert set(rows(store, "SELECT reason FROM assignment WHERE state = 'skipped'")) == {("decoding failed",)}
    assert person.study.progress()["skips"].sum() == SKIP_LIMIT - person.study.settings.practice


def test_pairs_that_do_not_load_now_and_then_shut_nobody_out(where: str) -> None:
    person = Person(Store(where))
    view = person.view()
    for _ in range(SKIP_LIMIT + 1):  # never two in a row
        view = person.study.skip(person.token, view.trials[0], "a network that comes and goes")
        assert view.state == "rating"
        view = person.vote(view.trials[0])
    assert view.state == "rating"


def test_a_fresh_start_is_one_after_a_network_that_was_away(where: str) -> None:
    person = Person(Store(where))
    view = person.view()
    while view.state == "rating":
        view = person.study.skip(person.token, view.trials[0], "no network")
    assert view.state == "broken"
    told = person.study.ending(person.token)
    assert told is not None
    assert told.outcome == "technical"
    assert told.code
    view = person.view()
    assert view.state == "rating"
    for _ in range(SKIP_LIMIT - 1):
        view = person.study.skip(person.token, view.trials[0], "no network")
        assert view.state == "rating"
    assert person.study.skip(person.token, view.trials[0], "no network").state == "broken"
    again = person.study.ending(person.token)
    assert again is not None
    assert again.code == told.code
    assert person.finish().state == "done"
    last = person.study.ending(person.token)
    assert last is not None
    assert (last.outcome, last.code) == ("complete", person.study.rater(person.token).completion_code)


def test_a_pair_whose_clips_are_gone_is_skipped_and_takes_no_vote(sqlite: str) -> None:
    store = Store(sqlite)
    person = Person(store)
    before = person.view()
    with closing(sqlite3.connect(sqlite)) as connection:  # a hand from outside, without foreign keys
        connection.execute("DELETE FROM media")
        connection.commit()
    with pytest.raises(RefusedError, match="not there any more") as refusal:
        person.study.media(person.token, before.trials[0])
    assert refusal.value.gone
    after = person.vote(before.trials[1])  # somebody who answers without having asked for the clips
    assert after.state == "rating"
    assert not {*before.trials} & {*after.trials}
    assert len(person.study.votes()) == 0
    assert set(rows(store, "SELECT state, reason, skipped_at FROM assignment WHERE state <> 'leased'")) == {
        ("skipped", "its clips are missing from the database", None)
    }


class Clock(datetime):
    """The server's clock, which goes on only when a test says so: a busy machine takes its time between two votes."""

    moment = datetime.now(UTC)

    @classmethod
    def now(cls, tz: object = None) -> datetime:  # type: ignore[override]
        return cls.moment


def test_a_script_that_votes_without_looking_is_flagged_by_what_the_server_saw(
    where: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in ("study", "clips"):
        monkeypatch.setattr(f"study_app.store.{module}.datetime", Clock)
    store = Store(where)
    blind, hasty, careful = Person(store), Person(store), Person(store)
    for person in (blind, hasty, careful):
        for _ in range(4):
            trial = person.view().trials[0]
            if person is not blind:
                person.study.media(person.token, trial)
            if person is careful:  # as if the clips had gone out, and the pair before been answered, a while ago
                ago = Clock.now() - timedelta(seconds=9)
                run(store, "UPDATE assignment SET delivered_at = :ago WHERE token = :t", ago=ago, t=trial)
            Clock.moment += timedelta(seconds=0.1)
            person.vote(trial)
    votes = blind.study.votes()
    flags = [list(own["flags"]) for _, own in votes.groupby("rater", sort=False)]
    assert flags[0] == ["undelivered"] * 4
    assert flags[1] == ["rushed"] * 4
    assert flags[2][0] == ""
    assert flags[2][1:] == ["rushed"] * 3  # whatever was delivered before, they were looking at another pair
    assert (votes["response_ms"] == 3000).all()  # which is what the browser said


def test_withdrawing_takes_the_votes_out_and_opens_the_slots(where: str) -> None:
    store = Store(where)
    person = Person(store)
    person.finish()
    assert person.study.progress()["votes"].sum() == 24
    person.study.withdraw(person.token)
    assert person.study.progress()["votes"].sum() == 0
    votes = person.study.votes()
    assert set(votes["excluded"]) == {"withdrawn"}
    assert person.view().state == "withdrawn"
    Person(store).finish()
    assert person.study.progress()["votes"].sum() == 24


def test_failing_the_catch_rule_excludes_with_a_reason(where: str) -> None:
    store = Store(where)
    person = Person(store)
    assert person.finish(catch=False).state == "excluded"
    votes = person.study.votes()
    assert votes["catch"].sum() == 2  # at once: after two wrong ones three of four are out of reach
    assert set(votes["excluded"]) == {"catch trials: 0 of 2 right, rule 3 of 4"}
    assert person.study.progress()["votes"].sum() == 0
    assert list(person.study.raters()["status"]) == ["failed"]
    assert ("exclude",) in rows(store, "SELECT action FROM audit")


def test_an_exclusion_ends_the_session_at_the_next_answer(where: str) -> None:
    store = Store(where)
    person = Person(store)
    for _ in range(6):
        view = person.vote(person.view().trials[0])
    rater = person.study.raters()["rater"][0]
    person.study.exclude(rater, "asked twice", "admin")
    assert person.vote(view.trials[0]).state == "excluded"
    assert person.view().state == "excluded"
    assert len(person.study.votes()) == 6  # the answer that came too late is none
    with pytest.raises(RefusedError):
        person.study.media(person.token, view.trials[0])
    assert rows(store, "SELECT count(*) FROM assignment WHERE state IN ('leased', 'voted')") == [(0,)]
    Person(store).finish()
    assert person.study.progress()["votes"].sum() == 24


def test_reasons_of_an_exclusion_stand_side_by_side(where: str) -> None:
    store = Store(where)
    person = Person(store)
    assert person.finish(catch=False).state == "excluded"  # by the rule
    person.study.exclude(person.study.raters()["rater"][0], "asked twice", "admin")
    reasons = "catch trials: 0 of 2 right, rule 3 of 4; asked twice"
    assert list(person.study.raters()["excluded"]) == [reasons]
    votes = person.study.votes()
    assert set(votes["excluded"]) == {reasons}


def test_raters_are_paid_by_a_list_that_tells_outcomes_apart(where: str, run_folder: Path) -> None:
    codes = {"completion_code": "C-DONE", "failed_code": "C-FAIL", "technical_code": "C-TECH", "withdrawn_code": ""}
    create(where, study_request(run_folder, name="paid", **codes))
    store = Store(where)
    done, failed, broken, gone, started = (Person(store, study="paid") for _ in range(5))
    done.finish()
    failed.finish(catch=False)
    view = broken.view()
    while view.state == "rating":
        view = broken.study.skip(broken.token, view.trials[0], "no network")
    gone.vote(gone.view().trials[0])
    gone.study.withdraw(gone.token)
    started.view()
    raters = store.open("paid").raters()
    assert list(raters.columns) == RATER_COLUMNS
    assert list(raters["status"]) == ["complete", "failed", "technical", "withdrawn", "started"]
    assert list(raters["code"][:3]) == ["C-DONE", "C-FAIL", "C-TECH"]
    assert re.fullmatch("[B-Z]{10}", raters["code"][3])  # an own one, of letters only
    assert raters["code"][4] == ""
    assert list(raters["passed"]) == ["yes", "no", "", "", ""]
    assert list(raters["answers"][[0, 2, 3, 4]]) == [30, 0, 1, 0]
    assert raters["answers"][1] < 30
    assert list(raters["minutes"].notna()) == [True, True, True, True, False]
    told = failed.study.ending(failed.token)
    assert told is not None
    assert told.code == "C-FAIL"  # as the page shows it
    for statement in ("UPDATE ending SET code = 'mine'", "DELETE FROM ending"):
        with pytest.raises(DBAPIError, match="append only"):
            run(store, statement)


def test_an_exclusion_needs_a_reason_and_a_rater(where: str) -> None:
    store = Store(where)
    person = Person(store)
    rater = person.study.raters()["rater"][0]
    with pytest.raises(BenchError, match="needs a reason"):
        person.study.exclude(rater, " ", "admin")
    with pytest.raises(BenchError, match="no rater"):
        person.study.exclude("f" * 16, "why", "admin")
    person.study.exclude(rater, "'; DROP TABLE vote; --", "admin")
    assert person.study.raters()["excluded"][0] == "'; DROP TABLE vote; --"


def test_platform_ids_are_kept_as_keyed_hashes_only(where: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BENCH_STUDY_SECRET", "a key of this test alone")
    store = Store(where)
    link = {"PROLIFIC_PID": "5f3c9-person", "STUDY_ID": "st-77", "SESSION_ID": "se-88"}
    who = visitor(link)
    assert who
    one = Person(store, who)
    again = Person(store, replace(who, session="another visit"))
    assert one.token == again.token
    assert len(one.study.raters()) == 1
    everything = str(rows(store, "SELECT * FROM rater"))
    for secret in ("5f3c9-person", "st-77", "se-88", one.token):
        assert secret not in everything
    monkeypatch.setenv("BENCH_STUDY_SECRET", "another key of this test")
    assert one.study.token_of(who) != one.token
    lab, mturk = visitor({"participant": "7"}), visitor({"workerId": "7", "assignmentId": "a", "hitId": "h"})
    assert lab
    assert mturk
    assert one.study.token_of(lab) != one.study.token_of(mturk)


@pytest.mark.parametrize(
    "link",
    [
        {"PROLIFIC_PID": ""},
        {"participant": "x" * 300},
        {"PROLIFIC_PID": " "},
        {"PROLIFIC_PID": "", "SESSION_ID": "X"},
        {"STUDY_ID": "S", "SESSION_ID": "X"},
        {"study_id": "S"},
        {"hitId": "H", "assignmentId": "A9"},
    ],
)
def test_links_without_an_id_are_refused(link: dict[str, str]) -> None:
    with pytest.raises(BenchError, match="link"):
        visitor(link)


@pytest.mark.parametrize(
    "link",
    [
        {"PROLIFIC_PID": "{{%PROLIFIC_PID%}}", "STUDY_ID": "{{%STUDY_ID%}}", "SESSION_ID": "{{%SESSION_ID%}}"},
        {"workerId": "${workerId}", "assignmentId": "${assignmentId}", "hitId": "${hitId}"},
        {"workerId": "WORKER_ID_NOT_AVAILABLE", "assignmentId": "a", "hitId": "h"},
        {"PROLIFIC_PID": "undefined"},
        {"PROLIFIC_PID": "null"},
        {"participant": "<ID>"},
        {"participant": "[[code]]"},
        {"participant": "None"},
        {"participant": "YOUR_ID"},
    ],
)
def test_a_placeholder_that_was_not_filled_in_is_nobody(link: dict[str, str]) -> None:
    with pytest.raises(RefusedError, match="link is not complete"):
        visitor(link)


def test_names_of_parameters_are_read_in_any_case_and_a_study_may_have_its_own() -> None:
    assert visitor({"workerid": "W1"}) == visitor({"workerId": "W1"}) == Visitor("mturk", "W1", "|")
    assert visitor({"prolific_pid": "5f", "Session_Id": "X"}) == Visitor("prolific", "5f", "|X")
    connect = {"participantId": "c7", "assignmentId": "a", "projectId": "p"}
    assert visitor(connect, "participantid") == Visitor("other", "c7", "")
    assert visitor({"anything": "else"}, "participantId") is None
    with pytest.raises(RefusedError, match="link is not complete"):
        visitor({"participantId": ""}, "participantId")


def test_codes_of_a_lab_are_read_as_people_type_them(sqlite: str) -> None:
    study = Store(sqlite).open()

    def token(key: str, id: str) -> str:
        who = visitor({key: id})
        assert who
        return study.token_of(who)

    assert token("participant", "P07") == token("participant", " p07 ") != token("participant", "P08")
    assert token("PROLIFIC_PID", "5fA") != token("PROLIFIC_PID", "5fa")  # a platform's ids are its own business


def test_mturk_previews_and_plain_links() -> None:
    with pytest.raises(BenchError, match="preview"):
        visitor({"assignmentId": "ASSIGNMENT_ID_NOT_AVAILABLE", "hitId": "h"})
    assert visitor({"anything": "else"}) is None


def test_the_key_of_a_sqlite_study_lies_beside_it_and_is_private(sqlite: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("BENCH_STUDY_SECRET", raising=False)
    store = Store(sqlite)
    study = store.open()
    token = study.token_of(Visitor("lab", "7", ""))
    key = Path(sqlite + ".secret")
    assert key.stat().st_mode & 0o077 == 0
    assert Store(sqlite).open().token_of(Visitor("lab", "7", "")) == token


def test_a_key_that_another_process_is_about_to_write_is_waited_for(
    sqlite: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("BENCH_STUDY_SECRET", raising=False)
    study, path = Store(sqlite).open(), Path(sqlite + ".secret")
    path.touch()
    monkeypatch.setattr(participants, "PATIENCE", 600.0)
    writes = threading.Timer(0.3, path.write_bytes, [b"0123456789abcdef"])
    writes.start()
    token = study.token_of(Visitor("lab", "7", ""))
    writes.join()
    assert study.token_of(Visitor("lab", "7", "")) == token
    path.write_bytes(b"")  # its process was killed: an empty key would let anybody guess who took part
    monkeypatch.setattr(participants, "PATIENCE", 0.1)
    with pytest.raises(BenchError, match="contains no whole key"):
        study.token_of(Visitor("lab", "7", ""))


def test_wrong_passwords_shut_the_admin_page_to_who_tried_them(where: str) -> None:
    one, other = Store(where).open(), Store(where).open()  # two app processes
    assert one.sign_in(True, "10.0.0.1")
    for _ in range(ATTEMPTS):
        assert not one.sign_in(False, "10.0.0.66")
    assert not other.sign_in(True, "10.0.0.66")
    assert other.sign_in(True, "10.0.0.1")  # the admin is not kept out by somebody else
    store = Store(where)
    assert rows(store, "SELECT count(*) FROM audit WHERE action = 'admin refused'") == [(ATTEMPTS,)]
    assert "10.0.0" not in str(rows(store, "SELECT * FROM audit"))


def test_the_right_password_does_not_prolong_a_lockout(where: str, monkeypatch: pytest.MonkeyPatch) -> None:
    study = Store(where).open()
    for _ in range(ATTEMPTS):
        assert not study.sign_in(False, "here")
    for _ in range(3 * ATTEMPTS):
        assert not study.sign_in(True, "here")  # right, but too early
    # as if the quarter of an hour since the wrong ones were over; what came since must not count
    monkeypatch.setattr(audit_trail, "LOCKOUT", timedelta(0))
    assert study.sign_in(True, "here")


def test_unlocking(where: str) -> None:
    study = Store(where).open()
    for _ in range(ATTEMPTS):
        assert not study.sign_in(False, "here")
    assert not study.sign_in(True, "here")
    Store(where).unlock()
    assert study.sign_in(True, "here")
    assert not study.sign_in(False, "here")


def test_nobody_practises_for_a_full_study(where: str) -> None:
    store = Store(where)
    people = [Person(store) for _ in range(9)]
    states = [person.finish().state for person in people]
    progress = people[0].study.progress()
    assert (progress["votes"] == progress["wanted"]).all()
    assert states[-1] == "full"
    assert len(people[0].study.votes()) < 9 * 30


def test_a_simulation_is_never_a_tally_of_people(where: str) -> None:
    from study_app.pipeline.simulate import Crowd, simulate

    store = Store(where)
    person = Person(store)
    person.finish()
    before = person.study.votes()
    twin, count = simulate(store, store.open(), 2, Crowd({"real": 2.0}))
    assert count > 20
    assert person.study.votes().equals(before)
    study = store.open(twin.name)
    simulated = study.votes()
    assert simulated["simulated"].all()
    assert not before["simulated"].any()
    assert store.open().row.id == person.study.row.id  # the default is never a simulation
    with pytest.raises(RefusedError, match="Only simulated"):
        person.study.shown(person.token, "x")
    with pytest.raises(BenchError, match="already a simulation"):
        simulate(store, store.open(twin.name), 1, Crowd({}))
