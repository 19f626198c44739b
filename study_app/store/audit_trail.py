"""The audit trail: its lines, the study state derived from them, and sign-ins to the admin page.

Runs inside the sessions of `study_app.store.store`.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Literal

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from bench.errors import BenchError
from study_app.store.connection import transactions
from study_app.store.participants import token_hash
from study_app.store.schema.study_tables import Audit, Study

State = Literal["open", "paused", "closed"]
Action = Literal["pause", "close", "reopen"]
#: Action on a study → the resulting state.
STATES: dict[Action, State] = {"pause": "paused", "close": "closed", "reopen": "open"}


def state(session: Session, study: Study) -> State:
    """The current state of a study."""
    changes = (Audit.study_id == study.id, Audit.action.in_(STATES))
    last: Action | None = session.scalar(select(Audit.action).where(*changes).order_by(Audit.id.desc()).limit(1))
    return STATES[last] if last else "open"


def change(session: Session, study: Study, action: Action, actor: str, reason: str) -> None:
    """Pause, close or reopen a study; answers already under way are still accepted.

    Raises:
        BenchError: the study is already in that state.
    """
    if state(session, study) == STATES[action]:
        raise BenchError(f"The study '{study.name}' is {STATES[action]} already.")
    audit(session, study, actor, action, reason)


def registered(session: Session, study: Study) -> tuple[str, ...]:
    """Every registered hash, in order."""
    query = select(Audit.detail).where(Audit.study_id == study.id, Audit.action == "registered")
    return tuple(session.scalars(query.order_by(Audit.id)))


def audit(session: Session, study: Study | None, actor: str, action: str, detail: str) -> None:
    """Add a line to the audit trail, for one study or for all of them."""
    study_id = study.id if study else None
    session.add(Audit(at=datetime.now(UTC), study_id=study_id, actor=actor, action=action, detail=detail))


#: Wrong passwords allowed from one address within `LOCKOUT`, before the address is locked out for as long.
ATTEMPTS, LOCKOUT = 5, timedelta(minutes=15)


ENTERED, REFUSED, SHUT_OUT, UNLOCKED = "admin entered", "admin refused", "admin shut out", "admin unlocked"
LEFT = "admin left"


def sign_in(session: Session, right: bool, address: str) -> bool:
    """Record a sign-in attempt and return whether it is allowed.

    Only wrong passwords count: trying the right one during a lockout does not extend it. Guessing locks out only the
    address that the guesses come from. Addresses are stored as hashes.
    """
    transactions.lock(session, transactions.EVERY_STUDY)  # concurrent attempts are counted one after the other
    address_hash = token_hash(address)[:16]
    since = datetime.now(UTC) - LOCKOUT
    unlocked = session.scalar(select(func.max(Audit.at)).where(Audit.action == UNLOCKED))
    if unlocked is not None:
        since = max(since, unlocked)
    recent = (Audit.action == REFUSED, Audit.detail == address_hash, Audit.at > since)
    wrong = session.scalar(select(func.count(Audit.id)).where(*recent)) or 0
    allowed = right and wrong < ATTEMPTS
    action = ENTERED if allowed else (SHUT_OUT if right else REFUSED)
    audit(session, None, "admin", action, address_hash)
    return allowed


def sign_out(session: Session, value: str) -> None:
    """Revoke a pass to the admin page; it is recorded as a hash."""
    audit(session, None, "admin", LEFT, token_hash(value)[:16])


def has_signed_out(session: Session, value: str) -> bool:
    """Whether a pass to the admin page has been revoked."""
    ended = select(Audit.id).where(Audit.action == LEFT, Audit.detail == token_hash(value)[:16])
    return session.scalar(ended.limit(1)) is not None


def unlock(session: Session) -> None:
    """Discard all wrong passwords counted so far."""
    audit(session, None, "admin", UNLOCKED, "")
