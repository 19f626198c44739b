"""Applies the rules on catch trials and on flagged answers to the stored votes.

Runs inside the store's sessions.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime, timedelta
from typing import cast

from sqlalchemy import CursorResult, case, func, select, update
from sqlalchemy.orm import Session

from study_app.design import flags
from study_app.design.catch_rule import CatchRule
from study_app.design.questions import LOW_GRADES, SCALE
from study_app.store.schema.rater_tables import Assignment, Exclusion, Rater, Vote
from study_app.store.schema.study_tables import Comparison, Pair, Study


def rule(study: Study) -> CatchRule:
    """The catch-trial rule that a study was created with."""
    return CatchRule(study.settings.catch, study.settings.catch_pass)


def score(session: Session, study: Study, rater: Rater) -> tuple[int, int]:
    """Number of catch trials that a rater got right, and number that they answered."""
    return _scores(session, study, [rater.id]).get(rater.id, (0, 0))


def uncounted(session: Session, study: Study) -> dict[int, str]:
    """Reason why votes do not count, by rater id, for unfinished raters who have not shown enough attention so far.

    The same rule applies whether they are still rating or have left, so an export does not depend on the time.
    """
    query = select(Rater.id).where(
        Rater.study_id == study.id,
        Rater.completed_at.is_(None),
        Rater.withdrawn_at.is_(None),
        Rater.id.not_in(select(Exclusion.rater_id)),
    )
    unfinished, judge = session.scalars(query).all(), rule(study)
    scores = _scores(session, study, unfinished)
    scored = {rater: scores.get(rater, (0, 0)) for rater in unfinished}
    why = {
        rater: f"unfinished: {right} of {had} catch trials right"
        for rater, (right, had) in scored.items()
        if not judge.counts_after_leaving(right, had)
    }
    rest = (
        [rater for rater in unfinished if rater not in why]
        if study.settings.flagged_share < 1 and not study.simulated
        else []
    )
    flagged = {rater: flags.verdict(study.settings, *counts) for rater, counts in suspect(session, study, rest).items()}
    return why | {rater: reason for rater, reason in flagged.items() if reason}


def reopen(session: Session, study: Study, now: datetime) -> bool:
    """Open the slots of raters whose votes do not count and who have been away for as long as a lease.

    A rater who returns continues with the next trial. Their earlier votes stay void, so no slot is filled twice.
    """
    since = now - timedelta(minutes=study.settings.lease_minutes)
    last = select(func.max(Vote.voted_at)).where(Vote.rater_id == Rater.id).scalar_subquery()
    away = select(Rater.id).where(
        Rater.id.in_(uncounted(session, study)),
        func.coalesce(Rater.came_at, Rater.created_at) < since,
        func.coalesce(last, Rater.created_at) < since,
    )
    votes_of_away = (Assignment.rater_id.in_(away), Assignment.slot_id.is_not(None), Assignment.state == "voted")
    opened = session.execute(update(Assignment).where(*votes_of_away).values(state="void"))
    return cast("CursorResult[object]", opened).rowcount > 0


def _scores(session: Session, study: Study, raters: Collection[int]) -> dict[int, tuple[int, int]]:
    """Number of catch trials right and answered, by rater id, for raters who answered at least one.

    Only the first question of a trial counts. In a pair, choosing the unaltered clip is right; a tie is not. On a
    scale, giving the altered clip one of `LOW_GRADES` is right; chance does so in two of five trials.
    """
    right = Vote.chosen == case((Assignment.first_on_left, "left"), else_="right")
    if study.settings.questions.kind == SCALE:
        right = Vote.chosen.in_(LOW_GRADES)
    query = (
        select(Vote.rater_id, func.count(case((right, 1))), func.count(Vote.id))
        .join(Assignment, Assignment.id == Vote.assignment_id)
        .join(Pair, Pair.id == Assignment.pair_id)
        .join(Comparison, Comparison.id == Pair.comparison_id)
        .where(Vote.rater_id.in_(raters), Comparison.kind == "catch")
        .group_by(Vote.rater_id)
    )
    return {rater: (correct, had) for rater, correct, had in session.execute(query)}


def suspect(session: Session, study: Study, raters: Collection[int]) -> dict[int, tuple[int, int]]:
    """Number of answers with a flag in `SUSPECT` and of all answers, by rater id, for raters who have answered."""
    query = (
        select(Vote.rater_id, Vote.response_ms, Vote.focus_losses, Assignment.delivered_at, Vote.voted_at)
        .join(Assignment, Assignment.id == Vote.assignment_id)
        .where(Vote.rater_id.in_(raters))
        .order_by(Vote.id)
    )
    play = flags.one_play(study.settings)
    counts: dict[int, tuple[int, int]] = {}
    last: dict[int, datetime] = {}
    for rater, ms, losses, delivered, at in session.execute(query):
        raised = flags.flags(ms, losses, delivered, last.get(rater), at, play)
        last[rater] = at
        flagged, had = counts.get(rater, (0, 0))
        counts[rater] = flagged + any(flag in flags.SUSPECT for flag in raised), had + 1
    return counts
