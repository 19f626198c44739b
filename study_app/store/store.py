"""The only file that opens database sessions: every read and write of a study is a method, one transaction each."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TypeVar

import pandas as pd
from sqlalchemy import func, select
from sqlalchemy.exc import DBAPIError, IntegrityError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.orm import Session, sessionmaker

from bench.errors import BenchError, did_you_mean
from study_app.design.schedule import Schedule
from study_app.design.settings import Settings
from study_app.store import assignment, database, records, writing
from study_app.store.platforms import Visitor, keyed, secret, token_hash
from study_app.store.rating import Answer, RefusedError, View
from study_app.store.schema import Assignment, Audit, Clip, Exclusion, Media, Pair, Rater, Study, Vote

T = TypeVar("T")
#: Admin passwords that may be wrong within `LOCKOUT` before all are refused.
ATTEMPTS, LOCKOUT = 5, timedelta(minutes=15)
#: Pairs that may fail to load before a rater is told that this browser does not do.
SKIP_LIMIT = 5
TRIES = 5


class Store:
    """A study database.

    Args:
        where: path of a SQLite file or a URL; None takes `BENCH_DATABASE_URL`.
        create: make a new database or bring an older one to this version's schema, instead of refusing it.
    """

    def __init__(self, where: str | Path | None = None, *, create: bool = False) -> None:
        self.url = database.resolve(where)
        self.engine = database.connect(self.url)
        (database.migrate if create else database.check)(self.engine)
        self._reading = sessionmaker(self.engine, expire_on_commit=False)
        self._writing = sessionmaker(self.engine.execution_options(writes=True), expire_on_commit=False)

    def close(self) -> None:
        """Give all connections back."""
        self.engine.dispose()

    def _read(self, work: Callable[[Session], T]) -> T:
        try:
            with self._reading() as session:
                return work(session)
        except (DBAPIError, PoolTimeout) as error:
            raise self._explain(error) from error

    def _write(self, work: Callable[[Session], T]) -> T:
        """Run `work` in one transaction; when another one took the same slot or row first, run it again."""
        for left in reversed(range(TRIES)):
            try:
                with self._writing.begin() as session:
                    return work(session)
            except IntegrityError as error:
                if not left:
                    raise BenchError(f"The study database refused a row: {error.orig}.") from error
            except (DBAPIError, PoolTimeout) as error:
                raise self._explain(error) from error
        raise AssertionError("unreachable")

    def _explain(self, error: DBAPIError | PoolTimeout) -> BenchError:
        if isinstance(error, PoolTimeout):
            return BenchError("Too many people use the study database at once: start another app process.")
        return database.explain(error, self.url)

    # -- studies --

    def add(
        self, settings: Settings, seed: int, plan: Schedule, clips: writing.Clips, *, simulated: bool = False
    ) -> int:
        """Write a new study with its whole schedule; returns its id. A taken name is a `BenchError`."""
        if settings.name in self.names():
            raise BenchError(
                f"There is a study '{settings.name}' already in {database.describe(self.url)}: choose another --name."
            )
        return self._write(lambda s: writing.add(s, settings, seed, plan, clips, simulated, datetime.now(UTC)))

    def names(self) -> list[str]:
        """Names of all studies, oldest first."""
        return self._read(lambda s: list(s.scalars(select(Study.name).order_by(Study.id))))

    def study(self, name: str | None = None) -> tuple[Study, Settings]:
        """The study of that name, or the only one that is not simulated."""

        def work(session: Session) -> Study:
            every = session.scalars(select(Study).order_by(Study.id)).all()
            found = [s for s in every if (s.name == name if name else not s.simulated)]
            if len(found) == 1:
                return found[0]
            where, names = database.describe(self.url), [s.name for s in every]
            if name:
                raise BenchError(f"There is no study '{name}' in {where}.{did_you_mean(name, names)}")
            if not found:
                raise BenchError(f"There is no study in {where}: make one with `bench study create`.")
            raise BenchError(f"There are several studies in {where}: name one with --study ({', '.join(names)}).")

        study = self._read(work)
        return study, Settings.from_json(study.settings)

    def schedule(self, study: Study) -> Schedule:
        """The schedule as the database holds it."""
        return self._read(lambda s: writing.read_schedule(s, study))

    def clips(self, study: Study) -> writing.Clips:
        """Every clip of a study: (system, scene) → encoded clip."""
        return self._read(lambda s: writing.read_clips(s, study))

    # -- raters --

    def token_of(self, study: Study, visitor: Visitor) -> str:
        """A platform participant's token: the same each time they come, and of no use to find out who they are."""
        return keyed(secret(self.url), "token", study.name, visitor.platform, visitor.participant)

    def known(self, study: Study, token: str) -> Rater | None:
        """The rater with that token, if they have consented before."""
        return self._read(lambda s: writing.rater(s, study, token))

    def enrol(self, study: Study, settings: Settings, token: str, visitor: Visitor | None = None) -> None:
        """Record consent and seat the rater; somebody who did so before (another tab) is left as they are."""
        key = secret(self.url) if visitor else b""

        def work(session: Session) -> None:
            if writing.rater(session, study, token):
                return
            now = datetime.now(UTC)
            rater = Rater(
                study_id=study.id,
                simulated=study.simulated,
                token_hash=token_hash(token),
                platform=visitor.platform if visitor else ("simulated" if study.simulated else "link"),
                platform_hash=keyed(key, study.name, visitor.platform, visitor.participant) if visitor else None,
                session_hash=keyed(key, study.name, "session", visitor.session) if visitor else None,
                created_at=now,
                consent_version=settings.consent_version,
                consented_at=now,
            )
            session.add(rater)
            session.flush()
            assignment.seat(session, study, settings, rater, now)

        self._write(work)

    def view(self, study: Study, settings: Settings, token: str) -> View:
        """Where a rater is; hands out their next trials and renews their leases. Ends the session when none is left."""
        return self._write(lambda s: self._view(s, study, settings, self._rater(s, study, token)))

    def _rater(self, session: Session, study: Study, token: str) -> Rater:
        # The row lock keeps two tabs of one rater one after the other.
        rater = writing.rater(session, study, token, for_update=True)
        if rater is None:
            raise RefusedError("This session is not known: please open your link again.")
        return rater

    def _view(self, session: Session, study: Study, settings: Settings, rater: Rater) -> View:
        now = datetime.now(UTC)
        if rater.withdrawn_at:
            return View("withdrawn")
        count = select(func.count()).select_from(Vote).where(Vote.rater_id == rater.id)
        answered = session.scalar(count) or 0
        if rater.completed_at:
            return View("done", answered, answered)
        skips = select(func.count()).where(Assignment.rater_id == rater.id, Assignment.state == "skipped")
        if (session.scalar(skips) or 0) >= SKIP_LIMIT:
            return View("broken", answered)
        trials = assignment.upcoming(session, study, settings, rater, now)
        if trials:
            total = assignment.places(session, study, settings)
            return View("rating", answered, max(total, answered + len(trials)), tuple(t.token for t in trials))
        if not answered:
            return View("full")
        rater.completed_at = now
        rater.completion_code = settings.completion_code or secrets.token_hex(4).upper()
        right, had = records.catch_score(session, rater)
        if right * settings.catch < settings.catch_pass * had:
            rule = f"{settings.catch_pass} of {settings.catch}"
            self._exclude(session, study, rater, f"catch trials: {right} of {had} right, rule {rule}", "rule")
        return View("done", answered, answered)

    def vote(self, study: Study, settings: Settings, token: str, trial: str, answer: Answer) -> View:
        """Record a vote and hand out what comes next; when this returns, the vote is committed.

        A vote that comes again (double click, second tab, lost reply) changes nothing and is acknowledged.

        Raises:
            RefusedError: the trial is not this rater's, or went to somebody else meanwhile.
        """

        def work(session: Session) -> View:
            rater = self._rater(session, study, token)
            if not rater.withdrawn_at:
                writing.vote(session, rater, self._own(session, rater, trial), answer, datetime.now(UTC))
            return self._view(session, study, settings, rater)

        return self._write(work)

    def skip(self, study: Study, settings: Settings, token: str, trial: str, reason: str) -> View:
        """Record that a trial's clips did not load, with a reason; its slot goes to somebody else."""

        def work(session: Session) -> View:
            rater = self._rater(session, study, token)
            held = self._own(session, rater, trial)
            if held.state == "leased":
                held.state, held.reason = "skipped", reason[:200] or "no reason given"
                session.flush()
            return self._view(session, study, settings, rater)

        return self._write(work)

    def _own(self, session: Session, rater: Rater, trial: str) -> Assignment:
        held = session.scalar(select(Assignment).where(Assignment.token == trial, Assignment.rater_id == rater.id))
        if held is None:
            raise RefusedError("This pair is not yours to rate.")
        return held

    def media(self, study: Study, token: str, trial: str) -> tuple[bytes, bytes]:
        """The encoded left and right clip of a trial that this rater holds."""

        def work(session: Session) -> tuple[bytes, bytes]:
            rater = writing.rater(session, study, token)
            held = self._own(session, rater, trial) if rater else None
            if held is None or held.state != "leased":
                raise RefusedError("This pair is not yours to rate.", gone=True)
            query = select(Pair.first_clip_id, Pair.second_clip_id).where(Pair.id == held.pair_id)
            pair = session.execute(query).one()
            data = [session.scalars(select(Media.data).join(Clip).where(Clip.id == clip)).one() for clip in pair]
            return (data[0], data[1]) if held.first_on_left else (data[1], data[0])

        return self._read(work)

    def shown(self, study: Study, token: str, trial: str) -> tuple[str, str, str]:
        """Scene, left and right system of a trial, for simulated raters only: people's browsers never learn it."""
        if not study.simulated:
            raise RefusedError("Only simulated raters may know what they see.")
        return self._read(lambda s: records.shown(s, self._own(s, self._rater(s, study, token), trial)))

    def withdraw(self, study: Study, token: str) -> None:
        """Take a rater's votes out of every tally, at their own wish, and open their slots to others."""

        def work(session: Session) -> None:
            rater = self._rater(session, study, token)
            if not rater.withdrawn_at:
                rater.withdrawn_at = datetime.now(UTC)
                assignment.release(session, rater)
                writing.audit(session, study.id, "rater", "withdraw", rater.token_hash[:16])

        self._write(work)

    # -- people who run the study --

    def exclude(self, study: Study, rater: str, reason: str, made_by: str) -> None:
        """Exclude a rater, named by the first 16 characters of their hash, with a reason; recorded for good."""
        if not reason.strip():
            raise BenchError("An exclusion needs a reason.")

        def work(session: Session) -> None:
            query = select(Rater).where(Rater.study_id == study.id, func.substr(Rater.token_hash, 1, 16) == rater)
            found = session.scalar(query)
            if found is None:
                raise BenchError(f"There is no rater {rater} in the study '{study.name}'.")
            if session.scalar(select(Exclusion.id).where(Exclusion.rater_id == found.id)) is None:
                self._exclude(session, study, found, reason, made_by)

        self._write(work)

    def _exclude(self, session: Session, study: Study, rater: Rater, reason: str, made_by: str) -> None:
        session.add(Exclusion(rater_id=rater.id, reason=reason, made_by=made_by, made_at=datetime.now(UTC)))
        assignment.release(session, rater)
        writing.audit(session, study.id, made_by, "exclude", f"{rater.token_hash[:16]}: {reason}")

    def votes(self, study: Study, settings: Settings) -> pd.DataFrame:
        """All votes as `records.VOTE_COLUMNS`."""
        return self._read(lambda s: records.votes(s, study, settings))

    def progress(self, study: Study) -> pd.DataFrame:
        """Votes wanted and had by comparison."""
        return self._read(lambda s: records.progress(s, study))

    def raters(self, study: Study) -> pd.DataFrame:
        """One row a rater."""
        return self._read(lambda s: records.raters(s, study))

    def audit(self, study: Study | None, actor: str, action: str, detail: str = "") -> None:
        """Add a line to the audit trail."""
        self._write(lambda s: writing.audit(s, study.id if study else None, actor, action, detail))

    def sign_in(self, right: bool) -> bool:
        """Judge an attempt at the admin password, recorded for all app processes; refused after too many wrong ones."""

        def work(session: Session) -> bool:
            assignment.lock(session, 0)  # attempts made at once are counted one after the other
            recent = (Audit.action == "admin refused", Audit.at > datetime.now(UTC) - LOCKOUT)
            wrong = session.scalar(select(func.count(Audit.id)).where(*recent)) or 0
            allowed = right and wrong < ATTEMPTS
            writing.audit(session, None, "admin", "admin entered" if allowed else "admin refused", "")
            return allowed

        return self._write(work)
