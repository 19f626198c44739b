"""Makes a rater anonymous at their request.

Removed: every keyed hash, codes, names of trials that their browser had, screens and browsers, what they said about
themselves, and reasons that a person wrote. All times are reduced to the day, because a platform stores times too.

Kept: choices, how long each took, and whether the catch trials were right. These cannot be told apart from those of
other raters. Database triggers allow this and no other change to append-only tables.

Runs inside the store's sessions.
"""

from __future__ import annotations

import secrets
from datetime import UTC, datetime

from sqlalchemy import delete, func, select, update
from sqlalchemy.orm import Session

from bench.errors import BenchError
from study_app.design.settings import LEFT_OUT
from study_app.store import audit_trail, raters
from study_app.store.participants import token_hash
from study_app.store.schema.rater_tables import Assignment, Ending, Erasure, Exclusion, Rater, Reply, SeenOn, Vote
from study_app.store.schema.study_tables import Audit, Study

#: Replacements for a rater's code and for a person's words; triggers allow only these texts.
ERASED, A_RATER = "erased", "a rater who was erased"
#: Tables that contain traces of a rater.
TRACES = ("rater", "assignment", "vote", "opinion", "reply", "ending", "exclusion", "audit", "screen")


def find(session: Session, study: Study, rater: str, platform_hashes: tuple[str, ...] = ()) -> Rater:
    """The rater with this pseudonym (the first 16 characters of their hash), or with one of these keyed hashes.

    Raises:
        BenchError: the study has no such rater.
    """
    named = func.substr(Rater.token_hash, 1, 16) == rater if rater else Rater.platform_hash.in_(platform_hashes)
    meant = session.scalar(select(Rater).where(Rater.study_id == study.id, named))
    if meant is None:
        who = f"rater {rater}" if rater else "rater with that ID"
        raise BenchError(f"There is no {who} in the study '{study.name}'.")
    return meant


def erase(session: Session, study: Study, rater: Rater, reason: str, made_by: str) -> str:
    """Make a rater anonymous and return their new pseudonym.

    Whether their votes still count is a setting of the study, fixed when it was created. The reason should not name a
    person.

    Raises:
        BenchError: no reason is given, or the rater has already been erased.
    """
    if not reason.strip():
        raise BenchError("An erasure needs a reason for the audit trail; it must not name anybody.")
    if session.scalar(select(Erasure.id).where(Erasure.rater_id == rater.id)):
        raise BenchError("That rater has already been erased.")
    votes = study.settings.erased_votes
    made_at = datetime.now(UTC)
    session.add(Erasure(rater_id=rater.id, votes=votes, reason=reason, made_by=made_by, made_at=made_at))
    session.flush()
    _forget_lines(session, study, rater)
    if votes == LEFT_OUT:
        raters.release(session, rater)
    _forget_answers(session, rater)
    rater.token_hash = token_hash(secrets.token_urlsafe(32))
    rater.platform_hash = rater.session_hash = rater.language = rater.came_at = None
    rater.completion_code = ERASED if rater.completion_code else None
    for name in ("created_at", "consented_at", "withdrawn_at", "completed_at"):
        setattr(rater, name, day(getattr(rater, name)))
    session.flush()
    pseudonym = rater.token_hash[:16]
    audit_trail.audit(session, study, made_by, "erase", f"{pseudonym}, votes {votes}: {reason}")
    return pseudonym


def day(time: datetime | None) -> datetime | None:
    """Start of the day of a time, in UTC."""
    return time and time.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)


def _forget_lines(session: Session, study: Study, rater: Rater) -> None:
    """Remove the rater's pseudonym, and what was written about them, from the audit trail."""
    named = Audit.detail.startswith(rater.token_hash[:16])
    of_rater = (Audit.study_id == study.id, Audit.action.in_(("withdraw", "exclude")), named)
    session.execute(update(Audit).where(*of_rater).values(detail=A_RATER))


def _forget_answers(session: Session, rater: Rater) -> None:
    """Reduce the times of a rater's answers and endings to the day, and delete what describes the rater.

    This deletes how they saw clips and what they said about themselves.
    """
    session.execute(delete(Reply).where(Reply.rater_id == rater.id))
    votes = session.execute(select(Vote.id, Vote.voted_at).where(Vote.rater_id == rater.id)).all()
    session.execute(delete(SeenOn).where(SeenOn.vote_id.in_([id for id, _ in votes])))
    for id, voted_at in votes:
        session.execute(update(Vote).where(Vote.id == id).values(voted_at=day(voted_at)))
    for assignment in session.scalars(select(Assignment).where(Assignment.rater_id == rater.id)):
        if assignment.state == "leased":
            assignment.state = "expired"
        assignment.token = secrets.token_urlsafe(32)
        assignment.reason = ERASED if assignment.reason else None
        for column in (Assignment.leased_at, Assignment.lease_until, Assignment.delivered_at, Assignment.skipped_at):
            setattr(assignment, column.key, day(getattr(assignment, column.key)))
    for ending in session.scalars(select(Ending).where(Ending.rater_id == rater.id)):
        ending.code, ending.ended_at = ERASED, day(ending.ended_at) or ending.ended_at
    for exclusion in session.scalars(select(Exclusion).where(Exclusion.rater_id == rater.id)):
        exclusion.made_at = day(exclusion.made_at) or exclusion.made_at
        if exclusion.made_by != "rule":  # a person's own words
            exclusion.reason = ERASED
