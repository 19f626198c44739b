"""The database: migrations, durability settings, and states nobody wants to be in."""

from __future__ import annotations

import contextlib
import sqlite3
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import Connection, event, text

from bench.errors import BenchError
from study_app.pipeline.create import create
from study_app.store.connection import database
from study_app.store.messages import Answer
from study_app.store.schema.columns import Base
from study_app.store.store import Store
from study_app.web import serve
from study_app.web.served_study import PASSWORD_VARIABLE
from tests.study_app.conftest import study_request
from tests.study_app.store.test_store import Person
from tests.support.processes import Forked


def test_migrations_make_what_the_models_say(where: str) -> None:
    with Store(where).engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, Base.metadata) == []


def test_a_new_database_waits_for_another_process_that_is_about_to_write(tmp_path: Path) -> None:
    path = tmp_path / "study.db"
    with contextlib.closing(sqlite3.connect(path, isolation_level=None, check_same_thread=False)) as other:
        other.execute("BEGIN IMMEDIATE")
        with contextlib.closing(sqlite3.connect(path, timeout=5)) as impatient, pytest.raises(sqlite3.OperationalError):
            impatient.execute("PRAGMA journal_mode=WAL")  # SQLite itself does not wait for this
        timer = threading.Timer(0.3, other.rollback)
        timer.start()
        engine = database.connect(database.resolve(str(path)))
        with engine.connect() as connection:
            assert connection.exec_driver_sql("PRAGMA journal_mode").scalar() == "wal"
        engine.dispose()
        timer.join()


def test_sqlite_is_set_up_to_keep_what_it_acknowledges(sqlite: str) -> None:
    with Store(sqlite).engine.connect() as connection:

        def pragma(name: str) -> object:
            return connection.exec_driver_sql(f"PRAGMA {name}").scalar()

        assert (pragma("journal_mode"), pragma("foreign_keys"), pragma("synchronous")) == ("wal", 1, 2)
        assert pragma("busy_timeout") == database.BUSY_MS


def test_a_vote_waits_for_the_disk_and_a_delivery_does_not(where: str) -> None:
    store = Store(where)
    settings, kind = [], store.url.get_backend_name()
    asked = "PRAGMA synchronous" if kind == "sqlite" else "SHOW synchronous_commit"

    def look(connection: Connection) -> None:
        if connection.get_execution_options().get("writes"):
            settings.append(connection.exec_driver_sql(asked).scalar())

    event.listen(store.engine, "commit", look)
    person = Person(store)
    for _ in range(3):
        trial = person.study.view(person.token).trials[0]
        settings.clear()
        person.study.media(person.token, trial)
        person.study.vote(person.token, trial, Answer("left", 900))
        assert settings == ([1, 2] if kind == "sqlite" else ["off", "on"])  # NORMAL, FULL
    assert len(Store(where).open().votes()) == 3


def test_no_database(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(database.URL_VARIABLE, raising=False)
    with pytest.raises(BenchError, match="No study database is given"):
        Store()
    with pytest.raises(BenchError, match=r"There is no study database .*bench study create"):
        Store(tmp_path / "none.db")
    with pytest.raises(BenchError, match="There is no study database"):
        serve.prepare(tmp_path / "none.db", None)
    assert not (tmp_path / "none.db").exists()
    monkeypatch.setenv(database.URL_VARIABLE, "postgresql://nobody@127.0.0.1:9/none")
    with pytest.raises(BenchError, match="cannot be used"):
        Store()


def test_nothing_is_written_into_a_database_of_another_program(tmp_path: Path, run_folder: Path) -> None:
    photos = tmp_path / "photos.db"
    with contextlib.closing(sqlite3.connect(photos)) as connection:
        connection.execute("CREATE TABLE picture (name TEXT)")
    for refused in (
        lambda: serve.prepare(photos, None),
        lambda: Store(photos),
        lambda: create(photos, study_request(run_folder)),
    ):
        with pytest.raises(
            BenchError, match=r"photos.db is not a study database. Create one with `bench study create`"
        ):
            refused()
    with contextlib.closing(sqlite3.connect(photos)) as connection:
        assert connection.execute("SELECT name FROM sqlite_master").fetchall() == [("picture",)]


@pytest.mark.parametrize("url", ["mysql://a@b/c", "postgresql+none://a", "://"])
def test_databases_we_do_not_know(url: str) -> None:
    with pytest.raises(BenchError, match=r"SQLite or PostgreSQL|is not valid"):
        database.resolve(url)


def test_a_database_of_a_newer_version(where: str) -> None:
    store = Store(where)
    with store.engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    for opening in (Store, Store.migrated):
        with pytest.raises(BenchError, match="newer version"):
            opening(where)


def test_files_that_are_no_study_database(tmp_path: Path) -> None:
    (tmp_path / "empty.db").touch()
    with pytest.raises(BenchError, match="not a study database"):
        Store(tmp_path / "empty.db")
    (tmp_path / "text.db").write_text("a shopping list\n" * 100)
    with pytest.raises(BenchError, match="not a study database, or is damaged"):
        Store(tmp_path / "text.db")


@pytest.mark.process
def test_two_processes_that_make_the_tables_at_once(tmp_path: Path) -> None:
    both = [Forked(tmp_path / f"said{number}", Store.migrated, str(tmp_path / "s.db")) for number in range(2)]
    done = [process.wait(60) for process in both]
    assert [process.returncode for process in done] == [0, 0], done
    Store(tmp_path / "s.db")


def test_a_full_disk_loses_no_acknowledged_vote(sqlite: str) -> None:
    store = Store(sqlite)
    person = Person(store)
    view = person.view()

    @event.listens_for(store.engine, "checkout")
    def fill(connection: object, _record: object, _proxy: object) -> None:
        connection.execute("PRAGMA max_page_count = 1")  # SQLite takes the present size when that is larger

    acknowledged = 0
    with pytest.raises(BenchError, match=r"disk .* is full. Free some space"):
        while view.state == "rating":
            view = person.vote(view.trials[0], Answer("left", 1))
            acknowledged += 1
        for _ in range(10_000):  # the session may fit into pages that were there
            person.study.audit("test", "fill", "x" * 1000)
    event.remove(store.engine, "checkout", fill)
    fresh = Store(sqlite)
    assert len(fresh.open().votes()) == acknowledged
    with fresh.engine.connect() as connection:
        assert connection.execute(text("PRAGMA integrity_check")).scalar() == "ok"


def test_passwords_in_urls_are_not_shown() -> None:
    url = database.resolve("postgres://me:hush@db.example/study")
    assert url.drivername == "postgresql+psycopg"
    assert "hush" not in database.describe(url)


def test_only_the_store_opens_sessions() -> None:
    folder = Path(database.__file__).parents[1]
    opening = [p.name for p in folder.rglob("*.py") if "sessionmaker(" in p.read_text() or "Session(" in p.read_text()]
    assert opening == ["transactions.py"]


def test_a_new_database_is_its_users_alone(tmp_path: Path) -> None:
    store = Store.migrated(tmp_path / "new.db")
    store.write(lambda s: s.execute(text("DELETE FROM media")))
    modes = {file.name: file.stat().st_mode & 0o777 for file in tmp_path.iterdir()}
    assert set(modes.values()) == {0o600}, modes


def test_a_short_password_stops_the_start(sqlite: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(PASSWORD_VARIABLE, "a")
    with pytest.raises(BenchError, match=r"has 1 characters.* needs at least 8"):
        serve.prepare(sqlite, None)


@pytest.mark.process
def test_connections_to_a_server_that_became_a_standby_are_left(postgres: Callable[[], str]) -> None:
    url = postgres()
    store = Store(url)
    people = [Person(store) for _ in range(3)]
    before = people[0].view()
    # the old server takes no more writes on the connections that there are, and new ones reach one that does
    with store.engine.connect() as one, store.engine.connect() as other:
        for connection in (one, other):
            connection.exec_driver_sql("SET SESSION CHARACTERISTICS AS TRANSACTION READ ONLY")
            connection.commit()
    assert people[0].vote(before.trials[0]).answered == 1
    assert people[1].view().state == "rating"
    assert len(people[0].study.votes()) == 1
