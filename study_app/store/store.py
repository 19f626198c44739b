"""A study database: lists, adds and opens studies (`study_app.store.study.OpenStudy`)."""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import select
from sqlalchemy.orm import Session

from bench.errors import BenchError, did_you_mean
from study_app.design.schedule import Schedule
from study_app.design.settings import StudySettings
from study_app.store import audit_trail, clips, schedule_rows
from study_app.store.connection import database
from study_app.store.connection.transactions import Transactions
from study_app.store.schema.study_tables import Study
from study_app.store.study import OpenStudy


class Store(Transactions):
    """A study database with exactly this version's schema.

    Args:
        where: path of a SQLite file or a URL; None uses `BENCH_DATABASE_URL`.

    Raises:
        BenchError: there is no such database, it cannot be reached, or it has another version's schema.
    """

    def __init__(self, where: str | Path | None = None) -> None:
        url = database.resolve(where)
        super().__init__(url, database.connect(url))
        database.check(self.engine)

    @classmethod
    def migrated(cls, where: str | Path | None = None, *, create: bool = True) -> Store:
        """Migrate a study database to this version's schema, or create a new one with `create`, and open it."""
        engine = database.connect(database.resolve(where))
        database.migrate(engine, create=create)
        engine.dispose()
        return cls(where)

    def add(
        self, settings: StudySettings, seed: int, plan: Schedule, clips: clips.Clips, *, simulated: bool = False
    ) -> OpenStudy:
        """Write a new study with its whole schedule, and open it; a `BenchError` if the name is taken."""
        if settings.name in self.names():
            raise BenchError(
                f"{database.describe(self.url)} already contains a study '{settings.name}'. Choose another --name."
            )
        return OpenStudy(self, self.write(lambda s: schedule_rows.add(s, settings, seed, plan, clips, simulated)))

    def names(self) -> list[str]:
        """Names of all studies, oldest first."""
        return self.read(lambda s: list(s.scalars(select(Study.name).order_by(Study.id))))

    def unlock(self) -> None:
        """Lift all lockouts caused by wrong admin passwords."""
        self.write(audit_trail.unlock)

    def open(self, name: str | None = None) -> OpenStudy:
        """The study with that name, or the only one that is neither simulated nor a pilot.

        Raises:
            BenchError: there is no such study, or there are several and no name is given.
        """

        def work(session: Session) -> Study:
            every = session.scalars(select(Study).order_by(Study.id)).all()
            meant = [s for s in every if (s.name == name if name else not (s.simulated or s.settings.pilot))]
            if len(meant) == 1:
                return meant[0]
            where, names = database.describe(self.url), [s.name for s in every]
            if name:
                raise BenchError(f"There is no study '{name}' in {where}.{did_you_mean(name, names)}")
            if not meant:
                raise BenchError(f"There is no study in {where}. Create one with `bench study create`.")
            raise BenchError(f"There are several studies in {where}. Choose one with --study ({', '.join(names)}).")

        return OpenStudy(self, self.read(work))
