"""What an answer is flagged for, and the rule on raters whose answers are flagged: pure functions."""

from __future__ import annotations

from datetime import datetime, timedelta

from study_app.design.settings import StudySettings

#: An answer slower than this is flagged.
SLOW_MS = 60_000
#: What an answer can be flagged for; `SUSPECT` are those that the rule on flagged raters counts.
FLAGS = ("fast", "slow", "unfocused", "undelivered", "rushed")
SUSPECT = ("fast", "unfocused", "undelivered", "rushed")


def one_play(settings: StudySettings) -> timedelta:
    """How long the clips of a study play."""
    return timedelta(seconds=settings.frames / settings.rate)


def flags(
    ms: int, losses: int, delivered: datetime | None, last: datetime | None, at: datetime, play: timedelta
) -> list[str]:
    """What an answer is flagged for.

    Args:
        ms, losses: response time and losses of focus, as the browser said.
        delivered, last, at: when the clips went out, the answer before came, and this one did.
        play: how long the clips play.
    """
    # the next pair is delivered while the one before is looked at
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
    """Why somebody with so many flagged answers does not count, by the rule that the study has stated; else empty."""
    share = settings.flagged_share
    if share >= 1 or flagged <= share * had:
        return ""
    return f"flagged: {flagged} of {had} answers; the rule allows at most {100 * share:g} %"
