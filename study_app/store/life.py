"""Whether a study takes answers: open, paused or closed. What was said last stands, in the audit trail."""

from __future__ import annotations

from typing import Literal

from sqlalchemy import select
from sqlalchemy.orm import Session

from bench.errors import BenchError
from study_app.store import writing
from study_app.store.schema import Audit, Study

State = Literal["open", "paused", "closed"]
Action = Literal["pause", "close", "reopen"]
#: What is done to a study → what it is then.
STATES: dict[Action, State] = {"pause": "paused", "close": "closed", "reopen": "open"}


def state(session: Session, study: Study) -> State:
    """What a study is now."""
    said = (Audit.study_id == study.id, Audit.action.in_(STATES))
    last: Action | None = session.scalar(select(Audit.action).where(*said).order_by(Audit.id.desc()).limit(1))
    return STATES[last] if last else "open"


def change(session: Session, study: Study, action: Action, actor: str, reason: str) -> None:
    """Pause, close or reopen a study; answers that are on their way are still taken.

    Raises:
        BenchError: it is so already.
    """
    if state(session, study) == STATES[action]:
        raise BenchError(f"The study '{study.name}' is {STATES[action]} already.")
    writing.audit(session, study, actor, action, reason)
