"""A study that version 0.1 has made opens, is the same study, and goes on."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest
from alembic import command
from alembic.runtime.migration import MigrationContext
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from bench.errors import BenchError
from study_app.analysis import preference_scores
from study_app.design.schedule import draw_schedule
from study_app.pipeline import registration
from study_app.store.connection import database
from study_app.store.messages import Answer, Screen
from study_app.store.store import Store
from study_app.web import serve

#: Four raters: one counts, one is excluded, one has withdrawn, and one has given two answers and gone.
DUMP = Path(__file__).with_name("version_0_1.sql")
GONE = "who-came-back-later"


@pytest.fixture
def old(tmp_path: Path) -> Path:
    """The database that version 0.1 left."""
    path = tmp_path / "study.db"
    with sqlite3.connect(path) as connection:
        connection.executescript(DUMP.read_text())
    connection.close()
    return path


def test_a_database_of_version_0_1_is_brought_up_to_date_by_who_serves_it(old: Path) -> None:
    with pytest.raises(BenchError, match="older schema"):
        Store(old)
    assert any("Study 'study'" in hint for hint in serve.prepare(old, None))
    assert Store(old).names() == ["study"]


def test_votes_and_schedule_of_version_0_1(old: Path) -> None:
    study = Store.migrated(old).open()
    votes = study.votes()
    assert len(votes) == 20
    assert votes.groupby("excluded").size().to_dict() == {"": 8, "asked twice": 6, "withdrawn": 6}
    pos = preference_scores.pos_table(votes, study.settings.comparisons)
    assert list(pos["votes"]) == [int(n) for n in study.progress()["votes"]]
    rebuilt = draw_schedule(study.settings, study.row.seed)
    assert rebuilt.sha256 == study.schedule().sha256 == study.row.schedule_sha256


def test_a_rater_of_version_0_1_comes_back(old: Path) -> None:
    store = Store.migrated(old)
    study = store.open()
    view = study.view(GONE)
    assert (view.state, view.answered) == ("rating", 2)
    assert all(study.media(GONE, view.trials[0]))
    seen = Screen(512.0, 1.0, 1300, 800, "beside", "fine", "Firefox", 0)
    while view.state == "rating":
        view = study.vote(GONE, view.trials[0], Answer("left", 3000, screen=seen))
        assert view.feedback is None
    assert len(study.screens()) == 0  # nobody has agreed to that
    assert view.state == "done"
    for table in ("vote", "audit", "exclusion"):
        for statement in (f"DELETE FROM {table}", f"UPDATE {table} SET id = id + 100"):
            with pytest.raises(DBAPIError, match="append only"), store.engine.begin() as connection:
                connection.execute(text(statement))
    with store.engine.connect() as connection:
        assert connection.execute(text("PRAGMA integrity_check")).scalar() == "ok"
        assert not connection.execute(text("PRAGMA foreign_key_check")).all()


def test_screens_of_an_earlier_version_stay_with_their_votes(old: Path) -> None:
    """`vote` is written anew for ties, and rows point to it."""
    engine = database.connect(database.resolve(old))
    with engine.execution_options(writes=True).begin() as connection:
        context = MigrationContext.configure(connection)
        assert context.get_current_revision() == "0001"
    command.upgrade(database._alembic(engine), "0003")
    with engine.execution_options(writes=True).begin() as connection:
        connection.execute(
            text(
                "INSERT INTO screen SELECT id, 512, 1, 1300, 800, 'beside', 'fine', 'Firefox', 0 FROM vote WHERE id > 3"
            )
        )
        votes = connection.execute(text("SELECT * FROM vote")).all()
    store = Store.migrated(old)
    with store.engine.connect() as connection:
        assert connection.execute(text("SELECT * FROM vote")).all() == votes
        screens = connection.execute(text("SELECT vote_id FROM screen")).scalars().all()
        assert list(screens) == [vote.id for vote in votes if vote.id > 3]
        assert not connection.execute(text("PRAGMA foreign_key_check")).all()
    for table in ("vote", "ending", "opinion"):
        with store.engine.connect() as connection:
            triggers = "SELECT count(*) FROM sqlite_master WHERE type = 'trigger' AND tbl_name = :table"
            assert connection.execute(text(triggers), {"table": table}).scalar() == 2
    assert registration.registration(store.open()).recorded == ()


def test_new_raters_join_a_study_of_version_0_1(old: Path) -> None:
    study = Store.migrated(old).open()
    assert study.settings.rule == 1  # the study's own, to its end
    states = set()
    for number in range(20):
        token = f"a new rater, number {number}"
        study.enrol(token)
        view = study.view(token)
        while view.state == "rating":
            view = study.vote(token, view.trials[0], Answer("left", 3000))
        states.add(view.state)
    assert states <= {"done", "full"}  # also who fails the catch trials is judged at the end only
    assert not study.votes()["excluded"].str.startswith("unfinished").any()
    progress = study.progress()
    assert (progress["votes"] <= progress["wanted"]).all()
    assert progress["votes"].sum() > 8
