"""Records votes, after checking whose trial it is and what was answered.

Runs inside the sessions of `study_app.store.store`.
"""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime, timedelta

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from study_app.design.flags import one_play
from study_app.design.questions import Questions
from study_app.store.messages import NOT_AN_ANSWER, Answer, RefusedError, TooSoonError
from study_app.store.schema.rater_tables import Assignment, Opinion, Rater, SeenOn, Vote
from study_app.store.schema.study_tables import Study


def assignment_of(session: Session, rater: Rater, trial: str) -> Assignment:
    """A rater's assignment by the name that their browser has for it; a `RefusedError` if it is not theirs."""
    row = session.scalar(select(Assignment).where(Assignment.token == trial, Assignment.rater_id == rater.id))
    if row is None:
        raise RefusedError("This pair is not yours to rate.")
    return row


def vote(session: Session, study: Study, rater: Rater, assignment: Assignment, answer: Answer, now: datetime) -> None:
    """Write the vote of an assignment, with the answers to all questions of its trial, unless it already has one.

    Raises:
        RefusedError: the answer is not valid, the assignment is over, or its clips were not delivered; a `TooSoonError`
            if they cannot have been seen yet.
    """
    times = [answer.response_ms, *(one.response_ms for one in answer.further)]
    if min(answer.replays, answer.focus_losses, *times) < 0 or not _can_be_given(study.settings.questions, answer):
        raise RefusedError(NOT_AN_ANSWER)
    if assignment.state in ("voted", "void"):  # already has its vote
        return
    if not study.simulated:
        _check_seen(session, study, rater, assignment, now)
    if assignment.state == "expired":
        # Late, but still valid unless another assignment has taken its slot or place.
        taken = select(Assignment.id).where(
            Assignment.slot_id == assignment.slot_id, Assignment.state.in_(("leased", "voted"))
        )
        place = select(Assignment.id).where(
            Assignment.rater_id == rater.id,
            Assignment.position == assignment.position,
            Assignment.state.in_(("leased", "voted")),
        )
        if assignment.slot_id is None or session.scalar(taken) or session.scalar(place):
            raise RefusedError("This pair went to somebody else after a long pause.", gone=True)
    elif assignment.state != "leased":
        raise RefusedError("This pair is over.", gone=True)
    assignment.state = "voted"
    cast = Vote(
        assignment_id=assignment.id,
        rater_id=rater.id,
        simulated=rater.simulated,
        chosen=answer.chosen,
        response_ms=answer.response_ms,
        replays=answer.replays,
        focus_losses=answer.focus_losses,
        voted_at=now,
    )
    session.add(cast)
    session.flush()
    for question, other in zip(study.settings.questions.further, answer.further, strict=True):
        session.add(Opinion(vote_id=cast.id, question=question, chosen=other.chosen, response_ms=other.response_ms))
    if answer.screen:
        session.add(SeenOn(vote_id=cast.id, **asdict(answer.screen)))
    session.flush()


def _check_seen(session: Session, study: Study, rater: Rater, assignment: Assignment, now: datetime) -> None:
    """Refuse an answer to a pair that was not delivered, or was delivered less than one play ago.

    The next pair is loaded while the current one is viewed, so a pair can be seen from the previous answer on. If the
    server's clock was set back, the check is inconclusive and the answer is accepted.

    Raises:
        RefusedError: the clips were never requested.
        TooSoonError: the answer is too early.
    """
    if assignment.delivered_at is None:
        raise RefusedError("The clips of this pair have not been loaded.", gone=True)
    last = session.scalar(select(func.max(Vote.voted_at)).where(Vote.rater_id == rater.id))
    since = max(time for time in (assignment.delivered_at, last) if time)
    missing = since + one_play(study.settings) - now
    if timedelta() < missing <= one_play(study.settings):
        raise TooSoonError(missing.total_seconds())


def _can_be_given(questions: Questions, answer: Answer) -> bool:
    chosen = [answer.chosen, *(one.chosen for one in answer.further)]
    return len(answer.further) == len(questions.further) and all(one in questions.answers for one in chosen)


def answers(session: Session, rater: Rater) -> int:
    """Number of votes that a rater has cast, of any kind."""
    return session.scalar(select(func.count()).select_from(Vote).where(Vote.rater_id == rater.id)) or 0


def skips_in_a_row(session: Session, rater: Rater) -> int:
    """Number of pairs that did not load since the rater's last vote and since their page started."""
    last = session.scalar(select(func.max(Vote.voted_at)).where(Vote.rater_id == rater.id))
    since = max(time for time in (last, rater.came_at, rater.created_at) if time)
    query = select(func.count()).where(Assignment.rater_id == rater.id, Assignment.skipped_at > since)
    return session.scalar(query) or 0
