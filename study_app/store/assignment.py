"""Hands out trials to raters.

Everything here runs inside one write transaction, opened by `study_app.store.store`.
"""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, Literal

from sqlalchemy import Select, bindparam, case, func, literal, select, update
from sqlalchemy.orm import Session

from study_app.design.questions import SCALE
from study_app.design.schedule import SCENE_LIMIT
from study_app.design.trial_order import seats, turns
from study_app.store import catch_trials
from study_app.store.connection.transactions import lock
from study_app.store.schema.rater_tables import Assignment, Rater
from study_app.store.schema.study_tables import Comparison, Pair, Slot, Study

#: Practice and catch trials never expire: no other rater waits for them.
NEVER = timedelta(days=36500)
#: Trials handed to a rater at once: one to answer and one to preload.
AHEAD = 2
#: How long a pair is held for a rater who has not yet answered a pair that counts: before and after its clips are
#: requested. Other raters wait for it, and visitors who only look must not block the study.
GLANCE, FIRST_LOOK = timedelta(minutes=1), timedelta(minutes=3)
#: Share of the pairs without a vote that such newcomers may hold in total.
FOR_NEWCOMERS = 0.5
LIVE = ("leased", "voted")


def seat(session: Session, study: Study, rater: Rater, now: datetime) -> None:
    """Give a new rater their practice and catch trials."""
    query = select(Comparison.kind, Pair.id).join(Pair).where(Comparison.study_id == study.id).order_by(Pair.id)
    pairs: dict[str, list[int]] = {"practice": [], "catch": [], "trial": []}
    for kind, pair_id in session.execute(query):
        pairs[kind].append(pair_id)
    for place in seats(study.seed, rater.number, len(pairs["practice"]), len(pairs["catch"]), study.settings.workload):
        pair = pairs[place.kind][place.pair]
        left = place.first_on_left or study.settings.questions.kind == SCALE
        session.add(_lease(rater, pair, place.position, left, now, now + NEVER))
    session.flush()


def of_rater(session: Session, rater: Rater) -> Sequence[Assignment]:
    """All assignments of a rater, current and past.

    No other transaction hands out trials of the study until this one ends.
    """
    lock(session, rater.study_id)
    return session.scalars(select(Assignment).where(Assignment.rater_id == rater.id)).all()


def upcoming(
    session: Session, study: Study, rater: Rater, assignments: Sequence[Assignment], now: datetime
) -> list[Assignment]:
    """The rater's next trials in order, at most `AHEAD`; empty when nothing is left to show.

    The rater's own leases are renewed first, so a rater who returns late finds the same trial unless it was taken.
    Newcomers, who have not yet answered a pair that counts, hold at most one pair.
    """
    new = is_new(assignments)
    for assignment in assignments:
        if assignment.state == "leased" and assignment.slot_id is not None:
            assignment.lease_until = now + lease(study, new, assignment.delivered_at is not None)
    expire(session, now)
    taken = {a.position: a for a in assignments if a.state in ("leased", "voted", "void")}
    seated = sorted(a.position for a in assignments if a.slot_id is None)
    trial_places = [position for position in range(places(study)) if position not in seated]
    turn_at = {position: turn for turn, position in enumerate(trial_places)}
    holds = sum(a.slot_id is not None and a.state == "leased" for a in assignments)
    if new and not holds and room(session, study, rater, now) != "open":
        return []  # no practice for a study that has no trial left for this rater
    trials: list[Assignment] = []
    exhausted = False
    for position in sorted({*trial_places, *seated}):
        if len(trials) == AHEAD:
            break
        candidate = taken.get(position)
        if candidate is None and position in turn_at and not exhausted:
            if new and holds:
                break
            until = now + lease(study, new, False)
            candidate = claim(session, study, rater, position, turn_at[position], now, until)
            exhausted = candidate is None
            holds += candidate is not None
            if new and exhausted:
                break  # another rater was faster
        if candidate is not None and candidate.state == "leased":
            trials.append(candidate)
    return trials


def is_new(assignments: Sequence[Assignment]) -> bool:
    """Whether a rater with these assignments has not yet answered a pair that counts."""
    return not any(a.slot_id is not None and a.state in ("voted", "void") for a in assignments)


def lease(study: Study, new: bool, delivered: bool) -> timedelta:
    """How long a pair is held, counted from now."""
    whole = timedelta(minutes=study.settings.lease_minutes)
    return min(whole, FIRST_LOOK if delivered else GLANCE) if new else whole


def renew(session: Session, study: Study, assignment: Assignment, now: datetime) -> None:
    """Extend the lease of a pair whose clips have just been sent."""
    if assignment.slot_id is not None and assignment.state == "leased":
        of_rater = select(Assignment).where(Assignment.rater_id == assignment.rater_id)
        assignment.lease_until = now + lease(study, is_new(session.scalars(of_rater).all()), True)


Room = Literal["open", "waiting", "full"]


def room(session: Session, study: Study, rater: Rater | None, now: datetime) -> Room:
    """Availability of a pair for a new rater.

    open: a pair is available now. waiting: one may become available when others return theirs. full: none is left.
    """
    expire(session, now)
    if has_room(session, study, rater, now) or (
        catch_trials.reopen(session, study, now) and has_room(session, study, rater, now)
    ):
        return "open"
    query, whose = _pairs_for(rater, UNVOTED, UNVOTED_ALLOWED)
    return "waiting" if session.scalars(query, whose | {"study": study.id}).first() else "full"


def has_room(session: Session, study: Study, rater: Rater | None, now: datetime) -> bool:
    """Whether a newcomer may get a pair: one is open, and newcomers hold less than their share."""
    of_study = {"study": study.id}
    without_vote = session.scalar(COUNT_UNVOTED, of_study) or 0
    held = session.scalar(COUNT_NEWCOMERS, of_study | {"now": now}) or 0
    if held >= max(1, FOR_NEWCOMERS * without_vote):
        return False
    query, whose = _pairs_for(rater, ANY_OPEN, ALLOWED)
    return session.scalars(query, whose | of_study).first() is not None


def _pairs_for(rater: Rater | None, anybody: Select[Any], own: Select[Any]) -> tuple[Select[Any], dict[str, int]]:
    return (own, {"rater": rater.id}) if rater else (anybody, {})


def places(study: Study) -> int:
    """Length of one rater's session: practice, trials and catch trials."""
    return study.settings.practice + study.settings.workload + study.settings.catch


def place(study: Study, assignments: Sequence[Assignment], trial: Assignment) -> tuple[str, int, int]:
    """Kind, number and total that a rater's page shows for a trial; catch trials look like any other pair."""
    practice = study.settings.practice
    if trial.position < practice:
        return "practice", trial.position + 1, practice
    before = sum(
        assignment.state in ("voted", "void") and assignment.position >= practice for assignment in assignments
    )
    return "pair", before + 1, places(study) - practice


def expire(session: Session, now: datetime) -> None:
    """Put abandoned assignments back into the pool."""
    stale = (Assignment.state == "leased", Assignment.slot_id.is_not(None), Assignment.lease_until < now)
    # The session has read only the rater's own assignments, which were just renewed, so none of them is stale.
    renewed = {"synchronize_session": False}
    session.execute(update(Assignment).where(*stale).values(state="expired"), execution_options=renewed)


def _lease(
    rater: Rater, pair_id: int, position: int, first_on_left: bool, now: datetime, until: datetime
) -> Assignment:
    """A new assignment that holds a pair for a rater, under an opaque token."""
    return Assignment(
        rater_id=rater.id,
        pair_id=pair_id,
        slot_id=None,
        first_on_left=first_on_left,
        position=position,
        state="leased",
        token=secrets.token_urlsafe(32),
        leased_at=now,
        lease_until=until,
    )


def claim(
    session: Session, study: Study, rater: Rater, position: int, turn: int, now: datetime, until: datetime
) -> Assignment | None:
    """Lease the best open slot for this rater's trial number `turn`, or return None when no open slot is allowed."""
    slot = _as_drawn(session, study, rater, turn)
    if slot is None and catch_trials.reopen(session, study, now):
        slot = _as_drawn(session, study, rater, turn)
    if slot is None:
        return None
    assignment = _lease(rater, slot.pair_id, position, slot.first_on_left, now, until)
    assignment.slot_id = slot.id
    session.add(assignment)
    session.flush()  # the database's unique index decides who gets the slot
    return assignment


def _as_drawn(session: Session, study: Study, rater: Rater, turn: int) -> Slot | None:
    """The open slot closest to what was drawn for this turn.

    The drawn side matters most, then the drawn comparison. If that comparison is closed, one that the rater had less
    often is preferred.
    """
    settings = study.settings
    drawn = turns(study.seed, rater.number, settings.workload, len(settings.comparisons), settings.sides)[turn]
    whose = {"study": study.id, "rater": rater.id}
    left = drawn.first_on_left or settings.questions.kind == SCALE  # a single clip has no side
    slot = session.scalars(AS_DRAWN, {**whose, "left": left, "comparison": drawn.comparison}).first()
    if slot is not None:
        return slot
    had = _had(session, rater)
    less_often = case(had, value=Pair.comparison_id, else_=0) if had else literal(0)
    side = case((Slot.first_on_left == left, 0), else_=1)
    comparison = case((Comparison.position == drawn.comparison, 0), else_=1)
    return session.scalars(ALLOWED.order_by(side, comparison, less_often, Slot.priority), whose).first()


def _slots_without(states: tuple[str, ...]) -> Select[Any]:
    """Query for the slots of a study that have no assignment in any of these states."""
    live = select(Assignment.slot_id).where(Assignment.state.in_(states), Assignment.slot_id.is_not(None))
    return (
        select(Slot)
        .join(Pair, Pair.id == Slot.pair_id)
        .join(Comparison, Comparison.id == Pair.comparison_id)
        .where(Comparison.study_id == bindparam("study"), Slot.id.not_in(live))
    )


def _allowed(slots: Select[Any]) -> Select[Any]:
    """Restrict slots to pairs that a rater never had, from scenes that they had fewer than `SCENE_LIMIT` times."""
    seen = select(Assignment.pair_id).where(Assignment.rater_id == bindparam("rater"))
    often = (
        select(Pair.scene)
        .join(Assignment, Assignment.pair_id == Pair.id)
        .where(Assignment.rater_id == bindparam("rater"))
        .group_by(Pair.scene)
        .having(func.count() >= SCENE_LIMIT)
    )
    return slots.where(Pair.id.not_in(seen), Pair.scene.not_in(often)).limit(1)


def _held_by_newcomers() -> Select[Any]:
    """Query for the number of pairs held by raters who have not answered one that counts."""
    voted = (
        select(Assignment.rater_id)
        .where(Assignment.slot_id.is_not(None), Assignment.state.in_(("voted", "void")))
        .correlate(None)
    )
    return (
        select(func.count(Assignment.id))
        .join(Rater, Rater.id == Assignment.rater_id)
        .where(
            Rater.study_id == bindparam("study"),
            Assignment.state == "leased",
            Assignment.slot_id.is_not(None),
            Assignment.lease_until >= bindparam("now"),
            Assignment.rater_id.not_in(voted),
        )
    )


#: Built once: assembling these queries takes longer than the database needs to answer them.
ALLOWED, UNVOTED_ALLOWED = _allowed(_slots_without(LIVE)), _allowed(_slots_without(("voted",)))
ANY_OPEN, UNVOTED = _slots_without(LIVE).limit(1), _slots_without(("voted",)).limit(1)
COUNT_UNVOTED = select(func.count()).select_from(_slots_without(("voted",)).subquery())
COUNT_NEWCOMERS = _held_by_newcomers()
AS_DRAWN = ALLOWED.where(
    Slot.first_on_left == bindparam("left"), Comparison.position == bindparam("comparison")
).order_by(Slot.priority)


def _had(session: Session, rater: Rater) -> dict[int, int]:
    """Number of a rater's trials by comparison."""
    query = (
        select(Pair.comparison_id, func.count())
        .select_from(Assignment)
        .join(Pair, Pair.id == Assignment.pair_id)
        .where(
            Assignment.rater_id == rater.id,
            Assignment.slot_id.is_not(None),
            Assignment.state.in_((*LIVE, "void")),
        )
        .group_by(Pair.comparison_id)
    )
    return {comparison: int(trials) for comparison, trials in session.execute(query)}
