"""The only file that opens database sessions: one piece of work, one transaction."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from sqlalchemy import URL, Engine
from sqlalchemy.exc import DBAPIError, IntegrityError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.orm import Session, sessionmaker

from bench.errors import BenchError
from study_app.store import database
from study_app.store.queue import WriterQueue

T = TypeVar("T")
#: How often a piece of work is tried whose row or slot another transaction took first.
TRIES = 5


class Transactions:
    """Work on a study database; whatever the database cannot do becomes a `BenchError` of one plain sentence."""

    def __init__(self, url: URL, engine: Engine) -> None:
        self.url, self.engine = url, engine
        self._reading = sessionmaker(engine, expire_on_commit=False)
        self._writing = sessionmaker(engine.execution_options(writes=True), expire_on_commit=False)
        sqlite = url.get_backend_name() == "sqlite"
        self._queue = WriterQueue(Path(f"{url.database}.queue")) if sqlite else None

    def close(self) -> None:
        """Give all connections back."""
        self.engine.dispose()

    def read(self, work: Callable[[Session], T]) -> T:
        """Run `work`, which only reads."""
        try:
            with self._reading() as session:
                return work(session)
        except (DBAPIError, PoolTimeout) as error:
            raise self._explain(error) from error

    def write(self, work: Callable[[Session], T]) -> T:
        """Run `work` in one transaction; when another one took the same slot or row first, run it again."""
        for left in reversed(range(TRIES)):
            try:
                return self._transact(work)
            except IntegrityError as error:
                if not left:
                    raise BenchError(f"The study database refused a row: {error.orig}.") from error
            except (DBAPIError, PoolTimeout) as error:
                raise self._explain(error) from error
        raise AssertionError("unreachable")

    def _transact(self, work: Callable[[Session], T]) -> T:
        if self._queue is None:  # PostgreSQL's locks have queues of their own
            with self._writing.begin() as session:
                return work(session)
        with self._queue.turn() as begun, self._writing.begin() as session:
            session.connection()
            begun()
            return work(session)

    def _explain(self, error: DBAPIError | PoolTimeout) -> BenchError:
        if isinstance(error, PoolTimeout):
            return BenchError("Too many people use the study database at once: start another app process.")
        return database.explain(error, self.url)
