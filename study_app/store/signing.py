"""Attempts at the admin password: counted by address, for all app processes, in the audit trail."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from study_app.store import assignment, writing
from study_app.store.platforms import token_hash
from study_app.store.schema import Audit

#: Passwords that may be wrong within `LOCKOUT`, from one address, before it is shut out for as long.
ATTEMPTS, LOCKOUT = 5, timedelta(minutes=15)
ENTERED, REFUSED, SHUT_OUT, UNLOCKED = "admin entered", "admin refused", "admin shut out", "admin unlocked"


def sign_in(session: Session, right: bool, address: str) -> bool:
    """Judge an attempt.

    Only wrong passwords count: the right one, tried while its address is shut out, does not make that longer. Who
    guesses from somewhere else shuts out nobody but themselves. Addresses are kept as hashes.
    """
    assignment.lock(session, assignment.EVERY_STUDY)  # attempts made at once are counted one after the other
    whence = token_hash(address)[:16]
    since = datetime.now(UTC) - LOCKOUT
    unlocked = session.scalar(select(func.max(Audit.at)).where(Audit.action == UNLOCKED))
    if unlocked is not None:
        since = max(since, unlocked)
    recent = (Audit.action == REFUSED, Audit.detail == whence, Audit.at > since)
    wrong = session.scalar(select(func.count(Audit.id)).where(*recent)) or 0
    allowed = right and wrong < ATTEMPTS
    action = ENTERED if allowed else (SHUT_OUT if right else REFUSED)
    writing.audit(session, None, "admin", action, whence)
    return allowed


def unlock(session: Session) -> None:
    """Forget the wrong passwords so far."""
    writing.audit(session, None, "admin", UNLOCKED, "")
