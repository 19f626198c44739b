"""Studies that version 0.2 has made open, are the same studies, and go on; older ones are refused."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, inspect, text
from sqlalchemy.exc import DBAPIError

from bench.errors import BenchError
from study_app.design.schedule import draw_schedule
from study_app.pipeline.registration import registration
from study_app.store.messages import Answer
from study_app.store.store import Store
from study_app.web import serve

#: Of two studies: pairs, with five raters and an extension, and grades, with two questions a trial and one after them.
#: Of the raters of pairs one counts, one is excluded, one has withdrawn, one has gone, and one has been erased.
DUMP = Path(__file__).with_name("version_0_2.sql")
GONE = "who-came-back-later"


@pytest.fixture
def old(tmp_path: Path) -> Path:
    """The database that version 0.2 left."""
    path = tmp_path / "study.db"
    with sqlite3.connect(path) as connection:
        connection.executescript(DUMP.read_text())
    connection.close()
    return path


def schema(connection: Connection) -> dict[str, Any]:
    """Columns in order, constraints, indexes and triggers of every table."""
    there = inspect(connection)
    constraints = (there.get_pk_constraint, there.get_foreign_keys, there.get_unique_constraints)
    found: dict[str, Any] = {}
    for table in there.get_table_names():
        columns = connection.exec_driver_sql(f"PRAGMA table_info({table})").all()
        rules = [get(table) for get in (*constraints, there.get_check_constraints)]
        rules = [sorted(rule, key=str) if isinstance(rule, list) else rule for rule in rules]
        made = "SELECT name, sql FROM sqlite_master WHERE type IN ('index', 'trigger') AND tbl_name = :table"
        found[table] = columns, rules, sorted(connection.execute(text(made), {"table": table}).all(), key=str)
    return found


def test_a_database_of_version_0_2_gets_the_schema_of_a_new_one(old: Path, tmp_path: Path) -> None:
    with Store(old).engine.connect() as kept, Store.migrated(tmp_path / "new.db").engine.connect() as made:
        assert schema(made) == schema(kept)


def test_studies_of_version_0_2_are_what_they_were(old: Path) -> None:
    store = Store(old)  # also without `bench study serve`
    assert any("Study 'study'" in hint for hint in serve.prepare(old, "study"))
    assert store.names() == ["study", "grades"]
    study, grades = store.open("study"), store.open("grades")
    kept = study.votes().groupby("excluded").size().to_dict()
    unfinished = "unfinished: 0 of 0 catch trials right"
    assert kept == {"": 16, "asked twice": 8, unfinished: 2, "withdrawn": 3}
    raters = study.raters()
    assert list(raters["status"]) == ["complete", "complete", "withdrawn", "started", "complete"]
    assert list(raters["code"] == "erased") == [False] * 4 + [True]
    assert (study.declined(), len(study.screens()), list(study.progress()["votes"])) == (1, 21, [5, 5])
    assert list(grades.ratings("b")["rating"]) == [4, 4, 4, 4]
    assert list(grades.answers()["answer"]) == ["none"]
    for one in (study, grades):
        assert registration(one).intact
        assert one.schedule().sha256 == one.schedule_sha256()
    assert draw_schedule(grades.settings, grades.row.seed).sha256 == grades.row.schedule_sha256


def test_a_rater_of_version_0_2_comes_back_and_others_join(old: Path) -> None:
    store = Store(old)
    study = store.open("study")
    for token, answered in ((GONE, 2), ("a new rater", 0)):
        if not answered:
            study.enrol(token)
        view = study.view(token)
        assert (view.state, view.answered) == ("rating", answered)
        while view.state == "rating":
            assert all(study.media(token, view.trials[0]))
            view = study.vote(token, view.trials[0], Answer("left", 3000))
        assert view.state in ("done", "excluded")
    for table in ("vote", "audit", "exclusion", "ending", "erasure", "extension"):
        for statement in (f"DELETE FROM {table}", f"UPDATE {table} SET id = id + 100"):
            with pytest.raises(DBAPIError, match="append only"), store.engine.begin() as connection:
                connection.execute(text(statement))
    with store.engine.connect() as connection:
        assert connection.execute(text("PRAGMA integrity_check")).scalar() == "ok"
        assert not connection.execute(text("PRAGMA foreign_key_check")).all()


@pytest.mark.parametrize("revision", ["0001", "0004"])
def test_an_older_schema_is_refused_and_left_alone(old: Path, revision: str) -> None:
    with sqlite3.connect(old) as connection:
        connection.execute("UPDATE alembic_version SET version_num = ?", [revision])
    before = connection.execute("SELECT name, sql FROM sqlite_master").fetchall()
    for opening in (Store, Store.migrated):
        with pytest.raises(BenchError, match=rf"schema {revision} .* opens schema 0005 .* with version 0\.2\.0"):
            opening(old)
    assert connection.execute("SELECT name, sql FROM sqlite_master").fetchall() == before
    connection.close()


@pytest.mark.parametrize("rule", [None, 2])
def test_a_study_of_older_rules_is_refused(old: Path, rule: int | None) -> None:
    with sqlite3.connect(old) as connection:
        (kept,) = connection.execute("SELECT settings FROM study WHERE name = 'study'").fetchone()
        settings = {key: value for key, value in json.loads(kept).items() if key != "rule"}
        changed = settings if rule is None else {**settings, "rule": rule}
        connection.execute("UPDATE study SET settings = ? WHERE name = 'study'", [json.dumps(changed)])
    connection.close()
    with pytest.raises(BenchError, match=rf"'study' follows rule {rule or 1} .* rule 3: finish .* version 0\.2\.0"):
        Store(old).open("study")
