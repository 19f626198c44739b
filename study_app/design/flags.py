"""Flags of answers, and the rule on raters with flagged answers, as pure functions."""

from __future__ import annotations

from datetime import datetime, timedelta

from study_app.design.settings import StudySettings

#: An answer slower than this is flagged.
SLOW_MS = 60_000
#: All flags of an answer; `SUSPECT` contains those that the rule on flagged raters counts.
FLAGS = ("fast", "slow", "unfocused", "undelivered", "rushed")
SUSPECT = ("fast", "unfocused", "undelivered", "rushed")


def one_play(settings: StudySettings) -> timedelta:
    """Duration of a study's clips."""
    return timedelta(seconds=settings.frames / settings.rate)


def flags(
    ms: int, losses: int, delivered: datetime | None, last: datetime | None, at: datetime, play: timedelta
) -> list[str]:
    """The flags of an answer.

    Args:
        ms, losses: response time and losses of focus, as reported by the browser.
        delivered, last, at: when the clips were sent, the previous answer was received, and this one was received.
        play: duration of the clips.
    """
    # the next pair is delivered while the rater watches the previous one
    seen = max(delivered, last or delivered) if delivered else None
    raised = {
        "fast": ms < play.total_seconds() * 1000,
        "slow": ms > SLOW_MS,
        "unfocused": losses > 0,
        "undelivered": seen is None,
        "rushed": seen is not None and at - seen < play,
    }
    return [name for name, is_raised in raised.items() if is_raised]


def verdict(settings: StudySettings, flagged: int, had: int) -> str:
    """Why the study's stated rule excludes a rater with `flagged` of `had` answers flagged; empty if it does not."""
    share = settings.flagged_share
    if share >= 1 or flagged <= share * had:
        return ""
    return f"flagged: {flagged} of {had} answers; the rule allows at most {100 * share:g} %"
