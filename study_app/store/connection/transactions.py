"""The only module that opens database sessions; each piece of work is one transaction."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeVar

from sqlalchemy import URL, Engine, text
from sqlalchemy.exc import DBAPIError, IntegrityError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.orm import Session, sessionmaker

from bench.errors import BenchError
from study_app.store.connection import database
from study_app.store.connection.write_queue import WriterQueue

T = TypeVar("T")
#: Maximum attempts at a piece of work when another transaction takes the same row or slot first.
TRIES = 5
#: What to do if the file still contains parts of deleted rows.
ANEW = "stop the app and run `sqlite3 FILE VACUUM`. Otherwise, erased data may remain in the file."


class Transactions:
    """Runs work on a study database; database errors become a `BenchError` with one plain sentence."""

    def __init__(self, url: URL, engine: Engine) -> None:
        self.url, self.engine = url, engine
        self._reading = sessionmaker(engine, expire_on_commit=False)
        self._writing = {
            lasting: sessionmaker(engine.execution_options(writes=True, lasting=lasting), expire_on_commit=False)
            for lasting in (True, False)
        }
        sqlite = url.get_backend_name() == "sqlite"
        self._queue = WriterQueue(Path(f"{url.database}.queue")) if sqlite else None

    def close(self) -> None:
        """Close all connections."""
        self.engine.dispose()

    def read(self, work: Callable[[Session], T]) -> T:
        """Run `work`, which only reads."""
        try:
            with self._reading() as session:
                return work(session)
        except (DBAPIError, PoolTimeout) as error:
            raise self._explain(error) from error

    def write(self, work: Callable[[Session], T], lasting: bool = True) -> T:
        """Run `work` in one transaction; run it again if another transaction took the same slot or row first.

        Args:
            work: what to do.
            lasting: wait until the transaction is on disk. Otherwise, it survives if the app is killed, but can be lost
                if the machine loses power.
        """
        for left in reversed(range(TRIES)):
            try:
                return self._transact(work, lasting)
            except IntegrityError as error:
                if not left:
                    raise BenchError(f"The study database rejected a row: {error.orig}.") from error
            except (DBAPIError, PoolTimeout) as error:
                if not left or not _is_on_a_standby(error):
                    raise self._explain(error) from error
                self.engine.dispose()  # after a failover, connections still point to the former primary
        raise AssertionError("unreachable")

    def scrub(self, tables: Sequence[str]) -> None:
        """Rewrite the database without remnants of changed and deleted rows; on PostgreSQL, only these tables.

        Raises:
            BenchError: another connection still reads an older state, or the disk is full. Committed changes are kept.
        """
        try:
            if self._queue is None:
                with self.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
                    connection.exec_driver_sql(f"VACUUM (FULL) {', '.join(tables)}")
                return
            with self._queue.turn(), self.engine.connect() as connection:
                begun = connection.connection.driver_connection  # SQLAlchemy would begin a transaction
                assert begun is not None
                begun.execute("VACUUM")
                busy, _, _ = begun.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        except (DBAPIError, PoolTimeout) as error:
            raise self._explain(error) from error
        except sqlite3.Error as error:
            raise BenchError(f"Done, but the database file could not be rewritten ({error}): {ANEW}") from error
        if busy:
            raise BenchError(f"Done, but the write-ahead log is still in use: {ANEW}")

    def _transact(self, work: Callable[[Session], T], lasting: bool) -> T:
        if self._queue is None:  # PostgreSQL's locks have queues of their own
            with self._writing[lasting].begin() as session:
                if not lasting:
                    session.execute(text("SET LOCAL synchronous_commit TO off"))
                return work(session)
        with self._queue.turn() as begun, self._writing[lasting].begin() as session:
            session.connection()
            begun()
            return work(session)

    def _explain(self, error: DBAPIError | PoolTimeout) -> BenchError:
        if isinstance(error, PoolTimeout):
            return BenchError("Too many people use the study database at once. Start another app process.")
        return database.explain(error, self.url)


def _is_on_a_standby(error: Exception) -> bool:
    """Whether a PostgreSQL server accepts no writes (25006) or is shutting down (57P01 to 57P03)."""
    state = getattr(getattr(error, "orig", None), "sqlstate", None)
    return state in ("25006", "57P01", "57P02", "57P03")


#: Study id for a lock that concerns all studies of a database.
EVERY_STUDY = 0


def lock(session: Session, study_id: int) -> None:
    """Let only one transaction at a time hand out slots of a study; SQLite has a single writer anyway."""
    if session.get_bind().dialect.name == "postgresql":
        session.execute(text("SELECT pg_advisory_xact_lock(72011, :study)"), {"study": study_id})
