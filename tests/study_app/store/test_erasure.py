"""A rater who is erased cannot be found again, not even by who reads the database's bytes; all other rows stand."""

from __future__ import annotations

import contextlib
import json
import sqlite3
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from typer.testing import CliRunner

from bench.errors import BenchError
from study_app.analysis import preference_scores
from study_app.cli.main import app
from study_app.pipeline import export
from study_app.store.erasure import TRACES
from study_app.store.messages import Answer, RefusedError, Screen
from study_app.store.participants import SECRET_VARIABLE, Visitor
from study_app.store.schema.columns import Base
from study_app.store.store import Store
from study_app.store.study import OpenStudy

SEEN = Screen(512.0, 1.0, 1300, 800, "beside", "fine", "Netscape", 0)
ANSWER = Answer("left", 3000, screen=SEEN)
PERSON = Visitor("prolific", "5f3c9a", "study|session")


@pytest.fixture(autouse=True)
def key(monkeypatch: pytest.MonkeyPatch) -> None:
    """PostgreSQL has no place for a key of its own."""
    monkeypatch.setenv(SECRET_VARIABLE, "a long and random text")


def rated(where: str) -> tuple[OpenStudy, str]:
    """A study that two people have rated, of whom one is from a platform; and that one's token."""
    study = Store(where).open()
    token = study.token_of(PERSON)
    for mine, visitor in ((token, PERSON), ("somebody else", None)):
        study.enrol(mine, visitor)
        view = study.view(mine)
        view = study.skip(mine, view.trials[0], "a network with a name of its own")
        while view.state == "rating" and view.answered < 9:
            view = study.vote(mine, view.trials[0], ANSWER)
    return study, token


def identifying(where: str, token: str) -> list[str]:
    """Every text of the database that belongs to the rater with that token, or could."""
    study = Store(where).open()
    rater = study.rater(token)
    assert rater is not None
    assert rater.platform_hash
    assert rater.session_hash
    with Store(where).engine.connect() as connection:
        names = connection.execute(text("SELECT token FROM assignment WHERE rater_id = :id"), {"id": rater.id})
        code = connection.execute(text("SELECT code FROM ending WHERE rater_id = :id"), {"id": rater.id}).scalars()
        return [
            rater.token_hash,
            rater.token_hash[:16],
            rater.platform_hash,
            rater.session_hash,
            *names.scalars(),
            *code,
        ]


def test_nothing_that_points_to_a_rater_is_left_in_the_file(sqlite: str) -> None:
    study, token = rated(sqlite)
    study.withdraw(token)
    study.exclude(study.raters()["rater"][0], "Ms Miller from Leeds has asked", "admin")
    words = [*identifying(sqlite, token), "Miller"]
    rater = study.rater(token)
    assert rater is not None
    times = [f"{rater.created_at:%H:%M:%S.%f}", f"{rater.withdrawn_at:%H:%M:%S.%f}"]
    with contextlib.closing(sqlite3.connect(sqlite)) as database:
        times += [at[11:] for (at,) in database.execute("SELECT voted_at FROM vote WHERE rater_id = ?", [rater.id])]

    def found() -> list[str]:
        files = [Path(f"{sqlite}{end}") for end in ("", "-wal")]
        held = b"".join(path.read_bytes() for path in files if path.exists())
        return [word for word in words + times if word.encode() in held]

    assert set(found()) == {*words, *times}
    study.erase("they wrote to us", "a test", rater=words[1])
    assert found() == []
    with Store(sqlite).engine.connect() as connection:
        assert connection.execute(text("PRAGMA integrity_check")).scalar() == "ok"
        assert not connection.execute(text("PRAGMA foreign_key_check")).all()
    assert "Netscape" in Path(sqlite).read_bytes().decode("latin-1")  # of the other rater, who is as before


def test_an_erased_rater_is_nobody_to_the_app_and_somebody_to_the_tallies(where: str) -> None:
    study, token = rated(where)
    before = preference_scores.pos_table(study.votes(), study.settings.comparisons)
    untouched = study.votes().query("rater != @mine", local_dict={"mine": study.raters()["rater"][0]})
    pseudonym = study.erase("they wrote to us", "a test", participant=PERSON.participant)
    with pytest.raises(RefusedError, match="not known"):
        study.view(token)
    after = study.votes()
    assert preference_scores.pos_table(after, study.settings.comparisons).equals(before)
    assert after[after["rater"] != pseudonym].equals(untouched)
    assert set(after.loc[after["rater"] == pseudonym, "time_utc"].str[10:]) == {"T00:00:00.000+00:00"}
    assert not after.loc[after["rater"] == pseudonym, "flags"].str.contains("rushed|undelivered").any()
    assert len(study.screens()) == 9
    raters = study.raters().set_index("rater")
    row = raters.loc[pseudonym]
    assert (row["platform_hash"], row["session_hash"], row["erased"][10:]) == ("", "", ": votes kept")
    assert row["minutes"] != row["minutes"]
    assert study.watch().raters.set_index("rater").loc[pseudonym, "state"] == "erased"
    assert study.watch().audit["detail"].iloc[0] == f"{pseudonym}, votes kept: they wrote to us"
    with pytest.raises(BenchError, match="no rater with that ID"):
        study.erase("again", "a test", participant=PERSON.participant)
    with pytest.raises(BenchError, match="already been erased"):
        study.erase("again", "a test", rater=pseudonym)
    study.enrol(token, PERSON)  # nobody can know them again
    assert len(study.raters()) == 3


def test_only_an_erasure_changes_what_is_written_once(where: str) -> None:
    study, _ = rated(where)
    study.exclude(study.raters()["rater"][0], "spoke on the phone", "admin")
    study.erase("they wrote to us", "a test", rater=study.raters()["rater"][0])
    store = Store(where)
    refused = [
        "UPDATE vote SET chosen = 'right'",
        "UPDATE vote SET response_ms = 1 WHERE rater_id = 1",
        "UPDATE vote SET voted_at = '2020-01-01 00:00:00.000000'",
        "DELETE FROM vote",
        "UPDATE exclusion SET reason = 'erased', made_by = 'somebody'",
        "UPDATE exclusion SET reason = 'another reason'",
        "UPDATE ending SET code = 'PAY-ME'",
        "UPDATE audit SET detail = 'a rater who was erased'",
        "UPDATE erasure SET reason = 'another'",
        "DELETE FROM erasure",
    ]
    for statement in refused:
        with pytest.raises(DBAPIError, match="append only"), store.engine.begin() as connection:
            connection.execute(text(statement))


def test_votes_are_left_out_where_the_study_says_so(where: str) -> None:
    store = Store(where)
    with store.engine.begin() as connection:  # a study says it when it is made
        kept = json.loads(connection.execute(text("SELECT settings FROM study")).scalar_one())
        out = json.dumps({**kept, "erased_votes": "left out"})
        connection.execute(text("UPDATE study SET settings = :out"), {"out": out})
    study, token = rated(where)
    had = study.view(token).answered
    open_before = int(study.progress()["wanted"].sum() - study.progress()["votes"].sum())
    pseudonym = study.erase("they wrote to us", "a test", rater=study.raters()["rater"][0])
    mine = study.votes().query("rater == @pseudonym")
    assert list(mine["excluded"]) == ["erased"] * had
    assert preference_scores.counted(study.votes())["rater"].ne(pseudonym).all()
    assert int(study.progress()["wanted"].sum() - study.progress()["votes"].sum()) >= open_before
    assert replace(study.settings, erased_votes="lost").erased_votes == "lost"
    with pytest.raises(BenchError, match="is 'lost': expected kept or left out"):
        replace(study.settings, erased_votes="lost").check()


def test_erasing_from_the_command_line_and_in_the_export(sqlite: str, tmp_path: Path) -> None:
    study, _ = rated(sqlite)
    rater = study.raters()["rater"][0]
    done = CliRunner().invoke(app, ["erase", rater, "--db", sqlite, "--reason", "they wrote to us"])
    assert "votes are kept" in done.output
    for wrong in ([], [rater], [rater, "--participant", "x"]):
        again = CliRunner().invoke(app, ["erase", *wrong, "--db", sqlite, "--reason", "they wrote to us"])
        assert isinstance(again.exception, BenchError)
    nothing = CliRunner().invoke(app, ["erase", study.raters()["rater"][1], "--db", sqlite, "--reason", " "])
    assert "needs a reason" in str(nothing.exception)
    export.export(Store(sqlite).open(), tmp_path)
    assert json.loads((tmp_path / "study.json").read_text())["people"] == {"declined": 0, "erased": 1}
    assert rater not in "".join(path.read_text() for path in tmp_path.glob("*.csv"))
    assert ": votes kept" in (tmp_path / "raters.csv").read_text()


def test_every_table_that_holds_something_of_a_rater_is_known() -> None:
    """Who adds one says in `erasure.py` what becomes of it."""
    of_raters, found = {"rater"}, {"audit"}
    while of_raters - found:
        found |= of_raters
        for table in Base.metadata.tables.values():
            if any(key.column.table.name in of_raters for key in table.foreign_keys):
                of_raters |= {table.name}
    assert found == {*TRACES, "erasure"}
