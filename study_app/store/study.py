"""An open study: all that raters and the people who run it can do, one method and one transaction each."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from bench.errors import BenchError
from study_app.design import flags
from study_app.design.questions import COMPREHENSION, PAIRS, TIE
from study_app.store import (
    assignment,
    audit_trail,
    catch_trials,
    clips,
    participants,
    questionnaire,
    raters,
    tidy_tables,
    votes,
)
from study_app.store.messages import Answer, RefusedError, View
from study_app.store.participants import Visitor, keyed, new_code, secret, token_hash
from study_app.store.schema.rater_tables import OUTCOMES, Assignment, Ending, Exclusion, Rater
from study_app.store.study_admin import StudyAdmin
from study_app.store.study_reader import StudyReader

#: Consecutive pairs that may fail to load before a rater learns that this browser is not suitable.
SKIP_LIMIT = 5


class OpenStudy(StudyReader, StudyAdmin):
    """A study in a database, as returned by `study_app.store.store.Store.open`."""

    # -- raters, each identified by a token that only their browser knows --

    def token_of(self, visitor: Visitor) -> str:
        """A platform participant's token: the same at every visit, and useless for finding out who they are."""
        return keyed(secret(self._transactions.url), "token", self.name, visitor.platform, self.participant(visitor))

    def rater(self, token: str) -> Rater | None:
        """The rater with that token, if they have consented before."""
        return self._transactions.read(lambda s: raters.rater(s, self.row, token))

    def speak(self, token: str, language: str) -> None:
        """Record the language that a rater has chosen."""

        def work(session: Session) -> None:
            self._present(session, token).language = language

        self._transactions.write(work)

    def room(self) -> assignment.Room:
        """Availability of a pair for a new rater, as in `assignment.room`."""
        now = datetime.now(UTC)
        if self._transactions.read(lambda s: assignment.has_room(s, self.row, None, now)):
            return "open"
        return self._transactions.write(lambda s: assignment.room(s, self.row, None, now))

    def enrol(self, token: str, visitor: Visitor | None = None, language: str = "") -> None:
        """Record consent and seat the rater; a rater who is already enrolled (another tab) is left unchanged.

        The language is the one in which they have read the consent text; by default, the study's own.
        """
        words = self.settings.words(language)

        def work(session: Session) -> None:
            if raters.rater(session, self.row, token):
                return
            if audit_trail.state(session, self.row) != "open":
                raise RefusedError("The study takes nobody at the moment.")
            now = datetime.now(UTC)
            rater = Rater(
                study_id=self.row.id,
                simulated=self.simulated,
                token_hash=token_hash(token),
                platform=visitor.platform if visitor else ("simulated" if self.simulated else "link"),
                platform_hash=self.platform_hash(visitor) if visitor else None,
                session_hash=self.session_hash(visitor) if visitor else None,
                created_at=now,
                consent_version=words.consent_version,
                consented_at=now,
                language=words.language,
                draw=None if self.simulated else participants.new_draw(),
            )
            session.add(rater)
            session.flush()
            assignment.seat(session, self.row, rater, now)

        self._transactions.write(work)

    def view(self, token: str) -> View:
        """Return a rater's view, hand out their next trials and renew their leases; end the session if none is left.

        A page starts with this call, so pairs that did not load before do not count against it.
        """

        def work(session: Session) -> View:
            rater = self._present(session, token)
            rater.came_at = datetime.now(UTC)
            return self._view(session, rater)

        return self._transactions.write(work)

    def vote(self, token: str, trial: str, answer: Answer) -> View:
        """Record a vote and hand out what comes next; when this returns, the vote is committed.

        A repeated vote (double click, second tab, lost reply) changes nothing and is acknowledged.

        Raises:
            RefusedError: the trial is not this rater's, it went to another rater meanwhile, or its clips were not
                delivered; a `TooSoonError` if they cannot have been seen yet.
        """

        def work(session: Session) -> View:
            rater = self._present(session, token)
            feedback = altered = None
            if not (rater.withdrawn_at or raters.is_excluded(session, rater)):
                trial_row = votes.assignment_of(session, rater, trial)
                if self._can_be_seen(session, trial_row):
                    votes.vote(session, self.row, rater, trial_row, answer, datetime.now(UTC))
                    if trial_row.slot_id is None and trial_row.position >= self.settings.practice:  # a catch trial
                        self._judge(session, rater)
                else:
                    clips.lost(session, trial_row.id)
                if self._gives_feedback(trial_row):
                    real, altered = ("left", "right") if trial_row.first_on_left else ("right", "left")
                    feedback = {real: "seen", TIE: "unsure"}.get(answer.chosen, "missed")
            return replace(self._view(session, rater), feedback=feedback, altered=altered)

        return self._transactions.write(work)

    def skip(self, token: str, trial: str, reason: str) -> View:
        """Record that a trial's clips did not load, with a reason; its slot goes to another rater."""

        def work(session: Session) -> View:
            rater = self._present(session, token)
            trial_row = votes.assignment_of(session, rater, trial)
            if trial_row.state == "leased":
                trial_row.state, trial_row.reason = "skipped", reason[:200] or "no reason given"
                trial_row.skipped_at = datetime.now(UTC)
                session.flush()
                if votes.skips_in_a_row(session, rater) >= SKIP_LIMIT:
                    self._end(session, rater, "technical")
                    return View("broken", votes.answers(session, rater))
            return self._view(session, rater)

        return self._transactions.write(work)

    def media(self, token: str, trial: str) -> tuple[bytes, bytes]:
        """Encoded left and right clip of a trial that this rater holds; their delivery is recorded.

        Raises:
            RefusedError: the trial is not this rater's or is over, or its clips are missing from the database. Missing
                clips skip the trial, which does not count against the rater.
        """

        def work(session: Session) -> tuple[Assignment, tuple[bytes, bytes] | None]:
            rater = raters.rater(session, self.row, token)
            trial_row = votes.assignment_of(session, rater, trial) if rater else None
            if trial_row is None or trial_row.state != "leased":
                raise RefusedError("This pair is not yours to rate.", gone=True)
            return trial_row, clips.media(session, trial_row)

        trial_row, encoded = self._transactions.read(work)
        if encoded is None:
            self._transactions.write(lambda s: clips.lost(s, trial_row.id))
            raise RefusedError("The clips of this pair are not there any more.", gone=True)
        if trial_row.delivered_at is None:
            # if a power failure loses this record, the page loads its clips again
            self._transactions.write(lambda s: self._delivered(s, trial_row.id), lasting=False)
        return encoded

    def _delivered(self, session: Session, assignment_id: int) -> None:
        """Record that clips were sent, and hold the pair for the time needed to look at them."""
        assignment.renew(session, self.row, clips.delivered(session, assignment_id), datetime.now(UTC))

    def shown(self, token: str, trial: str) -> tuple[str, str, str]:
        """Scene, left and right system of a trial, for simulated raters only: people's browsers never learn them."""
        if not self.simulated:
            raise RefusedError("Only simulated raters may know which methods they see.")
        return self._transactions.read(
            lambda s: tidy_tables.shown(s, votes.assignment_of(s, self._present(s, token), trial))
        )

    def reply(self, token: str, part: str, answers: Mapping[str, str]) -> View:
        """Store the answers to a part of the questions and return what comes next; by then, they are committed.

        A part that is not due, such as a repeated one, changes nothing. Raters whose answers make them ineligible lose
        their pairs.

        Raises:
            RefusedError: a required question is not answered, or an answer is not valid.
        """

        def work(session: Session) -> View:
            rater = self._present(session, token)
            view = self._view(session, rater)
            if view.state != "asked" or view.part != part:
                return view
            keep = questionnaire.keep_comprehension if part == COMPREHENSION else questionnaire.keep
            if not keep(session, self.row, rater, answers, part, datetime.now(UTC)):
                self._end(session, rater, "ineligible")
                raters.release(session, rater)
            return self._view(session, rater)

        return self._transactions.write(work)

    def withdraw(self, token: str) -> None:
        """Remove a rater's votes from every tally, at their own request, and open their slots to others."""

        def work(session: Session) -> None:
            rater = self._present(session, token)
            if not rater.withdrawn_at:
                rater.withdrawn_at = datetime.now(UTC)
                self._end(session, rater, "withdrawn")
                raters.release(session, rater)
                audit_trail.audit(session, self.row, "rater", "withdraw", rater.token_hash[:16])

        self._transactions.write(work)

    def _gives_feedback(self, trial_row: Assignment) -> bool:
        """Whether a trial is a practice trial with a right answer, which raters are shown."""
        return self.settings.questions.kind == PAIRS and trial_row.position < self.settings.practice

    def _can_be_seen(self, session: Session, trial_row: Assignment) -> bool:
        return trial_row.delivered_at is not None or self.simulated or clips.has_media(session, trial_row)

    def _present(self, session: Session, token: str) -> Rater:
        rater = raters.rater_to_change(session, self.row, token)
        if rater is None:
            raise RefusedError("This session is not known: please open your link again.")
        return rater

    def _view(self, session: Session, rater: Rater) -> View:
        if rater.withdrawn_at:
            return View("withdrawn")
        assignments = assignment.of_rater(session, rater)
        answered = sum(trial_row.state in ("voted", "void") for trial_row in assignments)
        if rater.completed_at:
            return View("done", answered, answered)
        if raters.is_excluded(session, rater):
            return View("excluded", answered)
        if questionnaire.is_ineligible(session, self.row, rater):
            return View("ineligible")
        if (now := audit_trail.state(session, self.row)) != "open":
            if now == "closed":
                self._end(session, rater, "closed")
            return View(now, answered)
        trials = assignment.upcoming(session, self.row, rater, assignments, datetime.now(UTC))
        # no questions for a study that has no pair for the rater, so a pair is held meanwhile
        part = questionnaire.due(session, self.row, rater, questionnaire.BEFORE if trials else questionnaire.AFTER)
        if trials and not part and questionnaire.comprehension_is_due(session, self.row, rater):
            part = COMPREHENSION
        if part and (trials or answered):
            return View("asked", answered, part=part)
        if trials:
            total = max(assignment.places(self.row), answered + len(trials))
            names = tuple(trial.token for trial in trials)
            return View("rating", answered, total, names, assignment.place(self.row, assignments, trials[0]))
        if assignment.is_new(assignments):
            if assignment.room(session, self.row, rater, datetime.now(UTC)) == "waiting":
                return View("waiting", answered)
            self._end(session, rater, "full")
            return View("full", answered)
        self._complete(session, rater)
        return View("done", answered, answered)

    def _judge(self, session: Session, rater: Rater) -> None:
        """End the session of a rater who can no longer meet the rule on catch trials, and exclude them."""
        right, had = catch_trials.score(session, self.row, rater)
        if catch_trials.rule(self.row).verdict(right, had) == "failed":
            self._end(session, rater, "failed")
            wanted, of = self.settings.catch_pass, self.settings.catch
            self._exclude(session, rater, f"catch trials: {right} of {had} right, rule {wanted} of {of}", "rule")

    def _complete(self, session: Session, rater: Rater) -> None:
        """End a session with its code, and judge it by the rule on catch trials."""
        right, had = catch_trials.score(session, self.row, rater)
        rater.completed_at, rater.completion_code = datetime.now(UTC), self._end(session, rater, "complete")
        if not catch_trials.rule(self.row).counts_after_leaving(right, had):
            # some of their catch trials did not load: not their fault, but their attention remains unknown
            self._exclude(session, rater, f"catch trials: {right} of {had} right, too few to tell", "rule")
            return
        flagged = catch_trials.suspect(session, self.row, [rater.id]).get(rater.id, (0, 0))
        if not self.simulated and (reason := flags.verdict(self.settings, *flagged)):
            self._exclude(session, rater, reason, "rule")

    def _end(self, session: Session, rater: Rater, outcome: str) -> str:
        """Record how a session ends and return its code; a repeated ending returns the same code."""
        code = session.scalar(select(Ending.code).where(Ending.rater_id == rater.id, Ending.outcome == outcome))
        if code is None:
            code = self.settings.code_of(outcome) or new_code()
            session.add(Ending(rater_id=rater.id, outcome=outcome, code=code, ended_at=datetime.now(UTC)))
        return code

    def ending(self, token: str) -> Ending | None:
        """A rater's last ending, with its code; None while the session continues."""

        def work(session: Session) -> Ending | None:
            rater = raters.rater(session, self.row, token)
            query = select(Ending).order_by(Ending.id.desc()).limit(1)
            return session.scalar(query.where(Ending.rater_id == rater.id)) if rater else None

        return self._transactions.read(work)

    def codes(self, token: str) -> list[str]:
        """Codes issued to this rater only; shared codes do not identify a rater."""
        shared = {self.settings.code_of(outcome) for outcome in OUTCOMES}

        def work(session: Session) -> list[str]:
            rater = raters.rater(session, self.row, token)
            query = select(Ending.code).where(Ending.rater_id == rater.id) if rater else None
            return [code for code in session.scalars(query) if code not in shared] if query is not None else []

        return self._transactions.read(work)

    # -- people who run the study --

    def exclude(self, rater: str, reason: str, made_by: str) -> None:
        """Exclude a rater, given by the first 16 characters of their hash, permanently and with a reason.

        Their slots open again, and an ongoing session ends at the next answer. Earlier reasons are kept.
        """
        if not reason.strip():
            raise BenchError("An exclusion needs a reason.")

        def work(session: Session) -> None:
            query = select(Rater).where(Rater.study_id == self.row.id, func.substr(Rater.token_hash, 1, 16) == rater)
            meant = session.scalar(query)
            if meant is None:
                raise BenchError(f"There is no rater {rater} in the study '{self.name}'.")
            self._exclude(session, meant, reason, made_by)

        self._transactions.write(work)

    def _exclude(self, session: Session, rater: Rater, reason: str, made_by: str) -> None:
        session.add(Exclusion(rater_id=rater.id, reason=reason, made_by=made_by, made_at=datetime.now(UTC)))
        if made_by != "rule" and not rater.completed_at:  # otherwise, the session has already ended, with its code
            self._end(session, rater, "excluded")
        raters.release(session, rater)
        audit_trail.audit(session, self.row, made_by, "exclude", f"{rater.token_hash[:16]}: {reason}")
