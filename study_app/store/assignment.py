"""Handing out trials: everything here runs inside one transaction that `study_app.store.store` opened for writing."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Select, bindparam, case, func, literal, select, update
from sqlalchemy.orm import Session

from study_app.design.questions import SCALE
from study_app.design.schedule import SCENE_LIMIT
from study_app.design.trial_order import seats, turns
from study_app.store import catch_trials
from study_app.store.connection.transactions import lock
from study_app.store.schema.rater_tables import Assignment, Rater
from study_app.store.schema.study_tables import Comparison, Pair, Slot, Study

#: A practice or catch trial never expires: nobody else waits for it.
NEVER = timedelta(days=36500)
#: Trials handed to a rater at once: the one to answer and the one to load meanwhile.
AHEAD = 2
LIVE = ("leased", "voted")


def seat(session: Session, study: Study, rater: Rater, now: datetime) -> None:
    """Give a new rater their practice and catch trials."""
    query = select(Comparison.kind, Pair.id).join(Pair).where(Comparison.study_id == study.id).order_by(Pair.id)
    pairs: dict[str, list[int]] = {"practice": [], "catch": [], "trial": []}
    for kind, pair_id in session.execute(query):
        pairs[kind].append(pair_id)
    for place in seats(study.seed, rater.id, len(pairs["practice"]), len(pairs["catch"]), study.settings.workload):
        pair = pairs[place.kind][place.pair]
        left = place.first_on_left or study.settings.questions.kind == SCALE
        session.add(_lease(rater, pair, place.position, left, now, now + NEVER))
    session.flush()


def of_rater(session: Session, rater: Rater) -> Sequence[Assignment]:
    """All that a rater has or had; nobody else hands out trials of the study until the transaction ends."""
    lock(session, rater.study_id)
    return session.scalars(select(Assignment).where(Assignment.rater_id == rater.id)).all()


def upcoming(
    session: Session, study: Study, rater: Rater, assignments: Sequence[Assignment], now: datetime
) -> list[Assignment]:
    """The rater's next trials, at most `AHEAD`, in order; empty when there is nothing left to show.

    The rater's own leases are renewed first, so whoever comes back late finds the same trial unless it was taken.
    """
    until = now + timedelta(minutes=study.settings.lease_minutes)
    for assignment in assignments:
        if assignment.state == "leased" and assignment.slot_id is not None:
            assignment.lease_until = until
    expire(session, now)
    taken = {a.position: a for a in assignments if a.state in ("leased", "voted", "void")}
    seated = sorted(a.position for a in assignments if a.slot_id is None)
    trial_places = [position for position in range(places(study)) if position not in seated]
    turn_at = {position: turn for turn, position in enumerate(trial_places)}
    trials: list[Assignment] = []
    exhausted = False
    if not any(a.slot_id for a in assignments):
        # nobody practises for a study that has no trial left for them
        first = trial_places[0]
        trial = claim(session, study, rater, first, 0, now, until)
        if trial is None:
            return []
        taken[first] = trial
    for position in sorted({*trial_places, *seated}):
        if len(trials) == AHEAD:
            break
        candidate = taken.get(position)
        if candidate is None and position in turn_at and not exhausted:
            candidate = claim(session, study, rater, position, turn_at[position], now, until)
            exhausted = candidate is None
        if candidate is not None and candidate.state == "leased":
            trials.append(candidate)
    return trials


def places(study: Study) -> int:
    """Length of one rater's session: practice, trials and catch trials."""
    return study.settings.practice + study.settings.workload + study.settings.catch


def place(study: Study, assignments: Sequence[Assignment], trial: Assignment) -> tuple[str, int, int]:
    """What a rater's page calls a trial. Catch trials are pairs like any other."""
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
    # What the session has read is the rater's own, and just renewed: it need not be searched for what is stale.
    renewed = {"synchronize_session": False}
    session.execute(update(Assignment).where(*stale).values(state="expired"), execution_options=renewed)


def _lease(
    rater: Rater, pair_id: int, position: int, first_on_left: bool, now: datetime, until: datetime
) -> Assignment:
    """A pair held for a rater, under a name that tells nothing."""
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
    session.flush()  # the database's unique index has the last word on who gets the slot
    return assignment


def _as_drawn(session: Session, study: Study, rater: Rater, turn: int) -> Slot | None:
    """The side that was drawn, then the comparison; where it is closed, one that the rater had less often."""
    drawn = turns(study.seed, rater.id, study.settings.workload, len(study.settings.comparisons))[turn]
    whose = {"study": study.id, "rater": rater.id}
    left = drawn.first_on_left or study.settings.questions.kind == SCALE  # one clip has no side
    slot = session.scalars(AS_DRAWN, {**whose, "left": left, "comparison": drawn.comparison}).first()
    if slot is not None:
        return slot
    had = _had(session, rater)
    less_often = case(had, value=Pair.comparison_id, else_=0) if had else literal(0)
    side = case((Slot.first_on_left == left, 0), else_=1)
    comparison = case((Comparison.position == drawn.comparison, 0), else_=1)
    return session.scalars(ALLOWED.order_by(side, comparison, less_often, Slot.priority), whose).first()


def _open_slots() -> Select[Any]:
    """Slots of a study that nobody holds or has voted on."""
    live = select(Assignment.slot_id).where(Assignment.state.in_(LIVE), Assignment.slot_id.is_not(None))
    return (
        select(Slot)
        .join(Pair, Pair.id == Slot.pair_id)
        .join(Comparison, Comparison.id == Pair.comparison_id)
        .where(Comparison.study_id == bindparam("study"), Slot.id.not_in(live))
    )


def _allowed_slots() -> Select[Any]:
    """Open slots of pairs that a rater never had, of scenes that came less than `SCENE_LIMIT` times."""
    seen = select(Assignment.pair_id).where(Assignment.rater_id == bindparam("rater"))
    often = (
        select(Pair.scene)
        .join(Assignment, Assignment.pair_id == Pair.id)
        .where(Assignment.rater_id == bindparam("rater"))
        .group_by(Pair.scene)
        .having(func.count() >= SCENE_LIMIT)
    )
    return _open_slots().where(Pair.id.not_in(seen), Pair.scene.not_in(often)).limit(1)


#: Built once: to put these together takes longer than the database needs to answer.
ALLOWED = _allowed_slots()
AS_DRAWN = ALLOWED.where(
    Slot.first_on_left == bindparam("left"), Comparison.position == bindparam("comparison")
).order_by(Slot.priority)


def _had(session: Session, rater: Rater) -> dict[int, int]:
    """Comparison → a rater's trials."""
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
    return dict(session.execute(query).tuples().all())
