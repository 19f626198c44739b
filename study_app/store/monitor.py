"""Live status of a study, without outcomes: active raters, where raters left, and what did not load."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import numpy as np
import pandas as pd
from sqlalchemy import func, or_, select
from sqlalchemy.orm import Session, aliased

from study_app.store import catch_trials
from study_app.store.schema.rater_tables import Assignment, Ending, Erasure, Rater, Vote
from study_app.store.schema.study_tables import Audit, Comparison, Pair, Study, System

#: A rater seen within this time is active. One who was not, and whose session has not ended, has left.
ACTIVE = timedelta(minutes=5)
#: Points of the vote curve; number of raters who must have failed to load a pair before it is listed.
POINTS, SEVERAL = 400, 2
First, Second = aliased(System), aliased(System)


@dataclass(frozen=True)
class Watch:
    """Snapshot of a study.

    Attributes:
        raters: one row per rater, as rater, answers, seen (time of the last activity), state (active, left, erased, or
            how the session ended).
        votes: time of each wanted vote that counts, in order.
        skips: pairs that did not load, by reason, as reason, pairs, raters.
        failing: pairs that several raters could not load, as clip, first, second, raters.
        audit: what was done to the study, newest first, as at, by, action, detail.
    """

    raters: pd.DataFrame
    votes: pd.Series[pd.Timestamp]
    skips: pd.DataFrame
    failing: pd.DataFrame
    audit: pd.DataFrame

    def left_after(self) -> pd.Series[int]:
        """Number of raters who left, by number of answers given."""
        left = self.raters.loc[self.raters["state"] == "left", "answers"]
        return left.value_counts().sort_index()

    def votes_over_time(self, now: datetime) -> pd.Series[int]:
        """Votes received over time, from zero up to now; at most about `POINTS` points."""
        if not len(self.votes):
            return pd.Series(dtype=int)
        had = pd.Series(np.arange(1, len(self.votes) + 1), index=pd.DatetimeIndex(self.votes))
        thin = had.iloc[:: max(1, len(had) // POINTS)]
        ends = pd.Series({had.index[0]: 0, max(pd.Timestamp(now), had.index[-1]): len(had)})
        return pd.concat([ends.iloc[:1], thin, ends.iloc[1:]])


def watch(session: Session, study: Study, lines: int = 200) -> Watch:
    """Take a snapshot of a study, with the last `lines` lines of the audit trail."""
    of_study = (Rater.study_id == study.id, Rater.simulated == study.simulated)
    uncounted = catch_trials.uncounted(session, study)
    cast = (
        select(Vote.voted_at)
        .join(Rater, Rater.id == Vote.rater_id)
        .join(Assignment, Assignment.id == Vote.assignment_id)
        .where(
            *of_study, Assignment.slot_id.is_not(None), Assignment.state == "voted", Rater.id.not_in(list(uncounted))
        )
        .order_by(Vote.id)
    )
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
        _failing(session, study),
        pd.DataFrame([tuple(row) for row in session.execute(done)], columns=["at", "by", "action", "detail"]),
    )


def _failing(session: Session, study: Study) -> pd.DataFrame:
    raters = func.count(Assignment.rater_id.distinct())
    query = (
        select(Pair.scene, First.name, Second.name, raters)
        .join(Assignment, Assignment.pair_id == Pair.id)
        .join(Rater, Rater.id == Assignment.rater_id)
        .join(Comparison, Comparison.id == Pair.comparison_id)
        .join(First, First.id == Comparison.first_id)
        .join(Second, Second.id == Comparison.second_id)
        .where(Rater.study_id == study.id, Rater.simulated == study.simulated, Assignment.state == "skipped")
        .group_by(Pair.id, Pair.scene, First.name, Second.name)
        .having(raters >= SEVERAL)
        .order_by(raters.desc(), Pair.id)
    )
    rows = [tuple(row) for row in session.execute(query)]
    return pd.DataFrame(rows, columns=["clip", "first", "second", "raters"])


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
