"""Raters in the database: who they are, who declined, who is excluded.

Runs inside the sessions of `study_app.store.store`.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import (
    ColumnElement,
    Select,
    case,
    func,
    select,
    update,
)
from sqlalchemy.orm import Session

from study_app.design.settings import LEFT_OUT
from study_app.store.participants import token_hash
from study_app.store.schema.rater_tables import (
    Assignment,
    Declined,
    Erasure,
    Exclusion,
    Rater,
)
from study_app.store.schema.study_tables import Study


def decline(session: Session, study: Study) -> None:
    """Count one more person who did not agree to take part."""
    counted = session.get(Declined, study.id, with_for_update=True)
    if counted is None:  # the second of two concurrent inserts fails on the key and is retried
        session.add(Declined(study_id=study.id, times=1))
    else:
        counted.times += 1


def declined(session: Session, study: Study) -> int:
    """Number of people who did not agree to take part."""
    return session.scalar(select(Declined.times).where(Declined.study_id == study.id)) or 0


def rater(session: Session, study: Study, token: str) -> Rater | None:
    """The rater with that token."""
    return session.scalar(_by_token(study, token))


def rater_to_change(session: Session, study: Study, token: str) -> Rater | None:
    """The rater with that token, locked so that two tabs of one rater take turns."""
    return session.scalar(_by_token(study, token).with_for_update())


def _by_token(study: Study, token: str) -> Select[Any]:
    return select(Rater).where(Rater.study_id == study.id, Rater.token_hash == token_hash(token))


def excluded_reason() -> ColumnElement[str]:
    """All reasons why a rater's votes do not count, in the order recorded; empty if they count."""
    exclusions = select(Exclusion.reason).where(Exclusion.rater_id == Rater.id).order_by(Exclusion.id).correlate(Rater)
    reasons = select(func.aggregate_strings(exclusions.subquery().c.reason, "; ")).scalar_subquery()
    left_out = Rater.id.in_(select(Erasure.rater_id).where(Erasure.votes == LEFT_OUT))
    withdrawn = Rater.withdrawn_at.is_not(None)
    return case((withdrawn, "withdrawn"), (left_out, "erased"), else_=func.coalesce(reasons, ""))


def is_excluded(session: Session, rater: Rater) -> bool:
    """Whether a person or a rule has excluded a rater."""
    return session.scalar(select(Exclusion.id).where(Exclusion.rater_id == rater.id).limit(1)) is not None


def release(session: Session, rater: Rater) -> None:
    """Open the slots of a rater whose votes no longer count, so that others can fill them."""
    of_rater = update(Assignment).where(Assignment.rater_id == rater.id)
    session.execute(of_rater.where(Assignment.state == "voted").values(state="void"))
    session.execute(of_rater.where(Assignment.state == "leased").values(state="expired"))
