"""Locates the study database, opens it, and migrates it to this version's schema."""

from __future__ import annotations

import os
import sqlite3
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from alembic.util.exc import CommandError
from sqlalchemy import URL, Connection, Engine, create_engine, event, inspect, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, NoSuchModuleError

from bench.errors import BenchError

#: Environment variable that names the database when no path is given on the command line.
URL_VARIABLE = "BENCH_DATABASE_URL"
#: How long a writer waits for another one, in milliseconds.
BUSY_MS = 20_000


def resolve(database: str | Path | None) -> URL:
    """Turn a path or URL, or else `BENCH_DATABASE_URL`, into a database URL.

    Raises:
        BenchError: nothing is given, or the URL is not of a supported kind of database.
    """
    given = str(database) if database else os.environ.get(URL_VARIABLE, "")
    if not given:
        raise BenchError(f"No study database is given. Use --db study.db, or set {URL_VARIABLE}.")
    if "://" not in given:
        return URL.create("sqlite", database=str(Path(given).expanduser().resolve()))
    try:
        url = make_url(given)
        if url.drivername in ("postgres", "postgresql"):
            url = url.set(drivername="postgresql+psycopg")
        kind = url.get_backend_name()
        url.get_dialect()
    except (ArgumentError, NoSuchModuleError) as error:
        raise BenchError("The database URL is not valid. Give one like postgresql://user@host/name.") from error
    if kind not in ("sqlite", "postgresql"):
        raise BenchError(f"Studies are stored in SQLite or PostgreSQL, not in {kind}.")
    return url


def describe(url: URL) -> str:
    """The database's display name, without a password."""
    return str(url.database) if url.get_backend_name() == "sqlite" else url.render_as_string(hide_password=True)


def connect(url: URL) -> Engine:
    """Create the engine.

    SQLite uses a write-ahead log, foreign keys and a busy timeout; a commit waits until it is on disk.
    """
    if url.get_backend_name() == "postgresql":
        return create_engine(url, pool_pre_ping=True, pool_size=10, max_overflow=20)
    engine = create_engine(url, pool_size=10, max_overflow=30, connect_args={"timeout": BUSY_MS / 1000})

    @event.listens_for(engine, "connect")
    def _configure(connection: Any, _record: Any) -> None:
        connection.isolation_level = None  # BEGIN is issued explicitly below
        _write_ahead(connection)
        for pragma in ("synchronous=FULL", "foreign_keys=ON", f"busy_timeout={BUSY_MS}"):
            connection.execute(f"PRAGMA {pragma}")

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        # Otherwise, a transaction that reads first and writes later could fail halfway with "database is locked".
        options = connection.get_execution_options()
        writes, lasting = options.get("writes", False), options.get("lasting", True)
        if writes and connection.info.get("lasting", True) != lasting:
            connection.exec_driver_sql(f"PRAGMA synchronous={'FULL' if lasting else 'NORMAL'}")
            connection.info["lasting"] = lasting
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")

    return engine


def _write_ahead(connection: Any) -> None:
    """Use a write-ahead log. SQLite waits for no other process when a new file gets one, so this waits."""
    until = time.monotonic() + BUSY_MS / 1000
    while True:
        try:
            connection.execute("PRAGMA journal_mode=WAL")
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode != sqlite3.SQLITE_BUSY or time.monotonic() > until:
                raise
            time.sleep(0.01)
        else:
            return


def _alembic(engine: Engine) -> Config:
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parents[1] / "schema" / "migrations"))
    config.attributes["engine"] = engine
    return config


def migrate(engine: Engine, *, create: bool = True) -> None:
    """Migrate the database to this version's schema.

    Nothing is written into another program's database.

    Args:
        create: create all tables if there is no study database yet.

    Raises:
        BenchError: the database was written by a newer version or by one before 0.2, it is not a study database, or it
            cannot be reached.
    """
    if create and engine.url.get_backend_name() == "sqlite":
        _touch(Path(str(engine.url.database)))
    config = _alembic(engine)
    if _revision(engine) is None and not (create and _is_empty(engine)):
        raise _not_a_study(engine.url)
    try:
        command.upgrade(config, "head")
    except CommandError as error:  # pragma: no cover - _revision() has ruled it out
        raise BenchError(f"The study database {describe(engine.url)} could not be upgraded: {error}.") from error
    except DBAPIError as error:
        raise explain(error, engine.url) from error


def _touch(path: Path) -> None:
    """Create an empty database file that only this user can read; SQLite gives its other files the same mode."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with suppress(FileExistsError):
        os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))


def check(engine: Engine) -> None:
    """Raise a `BenchError` unless the database can be opened; upgrade an older schema from version 0.2 on."""
    name = describe(engine.url)
    if engine.url.get_backend_name() == "sqlite" and not Path(str(engine.url.database)).is_file():
        raise BenchError(f"There is no study database {name}. Create one with `bench study create`.")
    revision = _revision(engine)
    if revision is None:
        raise _not_a_study(engine.url)
    if revision != ScriptDirectory.from_config(_alembic(engine)).get_current_head():
        migrate(engine, create=False)


def _not_a_study(url: URL) -> BenchError:
    return BenchError(f"{describe(url)} is not a study database. Create one with `bench study create`.")


def _is_empty(engine: Engine) -> bool:
    """Whether a SQLite file has no tables of another program; a PostgreSQL database may be shared with one."""
    if engine.url.get_backend_name() != "sqlite":
        return True
    try:
        with engine.connect() as connection:
            tables = inspect(connection).get_table_names()
    except DBAPIError as error:
        raise explain(error, engine.url) from error
    return not tables or "study" in tables  # another process may be creating the tables at this moment


def _revision(engine: Engine) -> str | None:
    """Revision of the schema, None for a database without tables; a `BenchError` if this version does not know it."""
    try:
        with engine.connect() as connection:
            revision = MigrationContext.configure(connection).get_current_revision()
    except DBAPIError as error:
        raise explain(error, engine.url) from error
    ours = sorted(script.revision for script in ScriptDirectory.from_config(_alembic(engine)).walk_revisions())
    if revision is not None and revision < ours[0]:
        raise BenchError(
            f"The study database {describe(engine.url)} has schema {revision} of a version before 0.2, and this "
            f"version opens schema {ours[0]} and later: finish and export its studies with version 0.2.0."
        )
    if revision is not None and revision not in ours:
        raise BenchError(
            f"The study database {describe(engine.url)} was written by a newer version of this program (schema "
            f"{revision}): install that version, or choose another database."
        )
    return revision


def explain(error: DBAPIError, url: URL) -> BenchError:
    """Turn a database error into a `BenchError` with one plain sentence."""
    name, cause = (
        describe(url),
        str(error.orig).strip().splitlines()[0] if str(error.orig) else "no reason given",
    )
    low = cause.lower()
    if "disk is full" in low or "no space left" in low or "disk i/o error" in low:
        return BenchError(f"The disk of the study database {name} is full. Free some space; saved data are kept.")
    if "readonly" in low or "read-only" in low:
        return BenchError(f"The study database {name} cannot be written. Give this user write permission.")
    if "locked" in low:
        return BenchError(f"The study database {name} is locked by another program. Close that program and try again.")
    if "not a database" in low or "malformed" in low:
        return BenchError(f"{name} is not a study database, or is damaged. Restore it from a copy.")
    return BenchError(f"The study database {name} cannot be used ({cause}). Check that it exists and is running.")
