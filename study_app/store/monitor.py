"""How a study is going, for whoever watches it: who is there, who left and where, what did not load. No outcomes."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import pandas as pd
from sqlalchemy import func, or_, select
from sqlalchemy.orm import Session

from study_app.store.schema.rater_tables import Assignment, Ending, Erasure, Rater, Vote
from study_app.store.schema.study_tables import Audit, Study

#: Whoever was heard of within this time is there; whoever has not ended and was not has left.
ACTIVE = timedelta(minutes=5)


@dataclass(frozen=True)
class Watch:
    """A study at one moment.

    Attributes:
        raters: one row a rater, as rater, answers, seen (when they were heard of last), state (active, left, erased,
            or how the session ended).
        votes: when each vote was cast, in order.
        skips: pairs that did not load, by reason, as reason, pairs, raters.
        audit: what was done to the study, newest first, as at, by, action, detail.
    """

    raters: pd.DataFrame
    votes: pd.Series[pd.Timestamp]
    skips: pd.DataFrame
    audit: pd.DataFrame

    def left_after(self) -> pd.Series[int]:
        """Answers given → raters who left after so many."""
        left = self.raters.loc[self.raters["state"] == "left", "answers"]
        return left.value_counts().sort_index()

    def votes_over_time(self) -> pd.Series[int]:
        """Votes had by the end of each quarter of an hour, from none on."""
        if not len(self.votes):
            return pd.Series(dtype=int)
        cast = pd.Series(1, index=pd.DatetimeIndex(self.votes))
        had = cast.resample("15min", label="right").sum().cumsum()
        had.loc[had.index.min() - pd.Timedelta(minutes=15)] = 0
        return had.sort_index()


def watch(session: Session, study: Study, lines: int = 200) -> Watch:
    """Look at a study; of the audit trail the last `lines`."""
    of_study = (Rater.study_id == study.id, Rater.simulated == study.simulated)
    cast = select(Vote.voted_at).join(Rater, Rater.id == Vote.rater_id).where(*of_study).order_by(Vote.id)
    skipped = (
        select(Assignment.reason, func.count(), func.count(Assignment.rater_id.distinct()))
        .join(Rater, Rater.id == Assignment.rater_id)
        .where(*of_study, Assignment.state == "skipped")
        .group_by(Assignment.reason)
        .order_by(func.count().desc())
    )
    done = (
        select(Audit.at, Audit.actor, Audit.action, Audit.detail)
        .where(or_(Audit.study_id == study.id, Audit.study_id.is_(None)))
        .order_by(Audit.id.desc())
        .limit(lines)
    )
    return Watch(
        _raters(session, study),
        pd.Series(pd.to_datetime(list(session.scalars(cast)), utc=True)),
        pd.DataFrame([tuple(row) for row in session.execute(skipped)], columns=["reason", "pairs", "raters"]),
        pd.DataFrame([tuple(row) for row in session.execute(done)], columns=["at", "by", "action", "detail"]),
    )


def _raters(session: Session, study: Study) -> pd.DataFrame:
    now = datetime.now(UTC)
    ended = select(Ending.outcome).where(Ending.rater_id == Rater.id).order_by(Ending.id.desc()).limit(1)
    query = (
        select(Rater, func.count(Vote.id), func.max(Vote.voted_at), ended.correlate(Rater).scalar_subquery())
        .outerjoin(Vote, Vote.rater_id == Rater.id)
        .where(Rater.study_id == study.id, Rater.simulated == study.simulated)
        .group_by(Rater.id)
        .order_by(Rater.id)
    )
    erased = set(session.scalars(select(Erasure.rater_id)))
    rows = []
    for rater, answers, voted, outcome in session.execute(query):
        seen = max(time for time in (voted, rater.came_at, rater.created_at) if time)
        state = (
            "erased"
            if rater.id in erased
            else outcome or ("complete" if rater.completed_at else "active" if now - seen <= ACTIVE else "left")
        )
        rows.append((rater.token_hash[:16], answers, seen, state))
    return pd.DataFrame(rows, columns=["rater", "answers", "seen", "state"])
