"""Health of a running study: raters, pace, and alerts that need attention. It contains no outcomes."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

import pandas as pd

from study_app.store.study import OpenStudy

#: Endings that count as turned away, and endings that count as failed; other sessions are under way or were left.
TURNED_AWAY = ("ineligible", "full", "closed")
FAILED = ("failed", "excluded")
#: The pace is measured over this recent period, if it has at least this many votes.
RECENT, FEWEST = timedelta(hours=2), 5
#: Alert thresholds: shares of raters who failed, of raters who left and of flagged votes; actual / announced minutes.
#: `RATERS` and `VOTES` are the smallest sample sizes for these alerts.
MOST_FAILED, MOST_LEFT, MOST_FLAGGED, MOST_TIME = 0.2, 0.25, 0.1, 1.5
RATERS, VOTES = 5, 20


@dataclass(frozen=True)
class Health:
    """A study at one moment.

    Attributes:
        votes, wanted, leased: counted votes, wanted votes, and pairs on lease to raters.
        active, finished, failed, left, turned_away, withdrawn: numbers of raters. Active: seen recently. Left: not seen
            recently, with an open session. Turned away: not eligible, nothing left to rate, study closed, or declined
            consent.
        minutes: median duration of finished sessions; None if there are none.
        remaining: time until all votes are collected, at the present pace; None without a pace.
        alerts: issues that need attention, in sentences, most urgent first.
    """

    votes: int
    wanted: int
    leased: int
    active: int
    finished: int
    failed: int
    left: int
    turned_away: int
    withdrawn: int
    minutes: float | None
    remaining: timedelta | None
    alerts: tuple[str, ...]

    def pay_per_hour(self, reward: float) -> float | None:
        """Hourly pay of a rater of median speed, in the currency of the reward."""
        return None if not self.minutes else 60 * reward / self.minutes


def health(study: OpenStudy, quality: pd.DataFrame, now: datetime) -> Health:
    """Compute the health of a study; `quality` is `rater_quality.rater_table` of its votes, or empty."""
    seen, progress, raters = study.watch(), study.progress(), study.raters()
    states = seen.raters["state"]
    votes, wanted = int(progress["votes"].sum()), int(progress["wanted"].sum())
    minutes = raters.loc[raters["completed"].notna() & raters["minutes"].notna(), "minutes"]
    taken = float(minutes.median()) if len(minutes) else None
    counts = {name: int((states == name).sum()) for name in ("active", "complete", "left", "withdrawn")}
    failed = int(states.isin(FAILED).sum())
    return Health(
        votes=votes,
        wanted=wanted,
        leased=int(progress["leased"].sum()),
        active=counts["active"],
        finished=counts["complete"],
        failed=failed,
        left=counts["left"],
        turned_away=int(states.isin(TURNED_AWAY).sum()) + study.declined(),
        withdrawn=counts["withdrawn"],
        minutes=taken,
        remaining=_remaining(seen.votes, wanted - votes, now),
        alerts=(
            *_schedule_alert(study),
            *_rater_alerts(failed, counts["complete"], counts["left"], len(states)),
            *_vote_alerts(quality),
            *_clip_alerts(seen.failing, int(states.eq("technical").sum())),
            *_time_alert(taken, study.settings.minutes, len(minutes)),
        ),
    )


def _remaining(cast: pd.Series[pd.Timestamp], missing: int, now: datetime) -> timedelta | None:
    """Time for the missing votes at the pace of the last two hours; None without a pace."""
    recent = cast[cast > pd.Timestamp(now - RECENT)]
    if missing <= 0 or len(recent) < FEWEST:
        return None
    since = now - recent.iloc[0].to_pydatetime()
    return missing * since / len(recent) if since > timedelta(0) else None


def _schedule_alert(study: OpenStudy) -> list[str]:
    if study.schedule().sha256 == study.schedule_sha256():
        return []
    return ["The schedule has changed since the study was created. Restore the database from a copy."]


def _rater_alerts(failed: int, finished: int, left: int, all_raters: int) -> list[str]:
    alerts = []
    judged = failed + finished
    if judged >= RATERS and failed > MOST_FAILED * judged:
        alerts.append(
            f"{failed} of {judged} raters failed the catch trials or were excluded. Are the clips large and clear "
            "enough, and do the instructions say what to look for?"
        )
    if all_raters >= RATERS and left > MOST_LEFT * all_raters:
        alerts.append(
            f"{left} of {all_raters} raters left before the end. The chart below shows when; a shorter session "
            "may help."
        )
    return alerts


def _vote_alerts(quality: pd.DataFrame) -> list[str]:
    if not len(quality):
        return []
    votes = quality["votes"]
    flagged = float((quality["flagged"].fillna(0) / 100 * votes).sum())
    if votes.sum() < VOTES or flagged <= MOST_FLAGGED * votes.sum():
        return []
    return [
        f"{flagged:.0f} of {votes.sum()} votes are flagged as too fast, too slow, not delivered or without "
        "focus. See the table of raters."
    ]


def _clip_alerts(failing: pd.DataFrame, technical: int) -> list[str]:
    alerts = []
    if len(failing):
        worst = failing.iloc[0]
        alerts.append(
            f"{len(failing)} pairs did not load for several raters; clip {worst['clip']} failed for {worst['raters']} "
            "of them."
        )
    if technical:
        alerts.append(f"{technical} raters gave up because clips did not load in their browsers.")
    return alerts


def _time_alert(minutes: float | None, said: int, finished: int) -> list[str]:
    if minutes is None or finished < RATERS or minutes <= MOST_TIME * said:
        return []
    return [f"Raters need {minutes:.0f} minutes (median), and the consent page says {said}. Check what you pay."]
