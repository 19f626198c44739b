"""Votes, progress and raters of a study as tidy tables.

Runs inside the store's sessions.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

import pandas as pd
from sqlalchemy import ColumnElement, Executable, and_, case, func, select
from sqlalchemy.orm import Session, aliased, join

from study_app.design import flags
from study_app.design.questions import ALONE
from study_app.store import catch_trials
from study_app.store.messages import visual_angle
from study_app.store.raters import excluded_reason
from study_app.store.schema.rater_tables import Assignment, Ending, Erasure, Opinion, Rater, SeenOn, Vote
from study_app.store.schema.study_tables import Comparison, Pair, ShownClip, Slot, Study, System

#: Frozen column names of `votes.csv`.
VOTE_COLUMNS = [
    "study", "comparison", "first", "second", "clip", "video", "left", "right", "chosen", "rater", "catch", "practice",
    "response_ms", "replays", "focus_losses", "time_utc", "simulated", "excluded", "flags",
]  # fmt: skip
#: Frozen column names of `ratings.csv`.
RATING_COLUMNS = [
    "study", "system", "clip", "video", "rating", "rater", "catch", "practice", "response_ms", "replays",
    "focus_losses", "time_utc", "simulated", "excluded", "flags",
]  # fmt: skip
#: Frozen column names of `raters.csv`.
RATER_COLUMNS = [
    "rater", "platform", "platform_hash", "session_hash", "status", "code", "passed", "started", "ended", "minutes",
    "consent", "completed", "answers", "skips", "excluded", "language", "erased",
]  # fmt: skip
#: Why a vote does not count if its rater was away until another rater got the slot.
GIVEN_AWAY = "away: the slot went to another rater"
#: Frozen column names of `screens.csv`, one line per vote.
SCREEN_COLUMNS = [
    "rater", "comparison", "clip", "clip_px", "screen_px", "pixel_ratio", "window", "layout", "pointer", "browser",
    "dropped", "pauses", "dots_per_mm", "distance_cm", "degrees",
]  # fmt: skip
First, Second = aliased(System), aliased(System)
#: Every vote with its rater, its pair and the two methods compared.
VOTES = (
    join(Vote, Assignment, Assignment.id == Vote.assignment_id)
    .join(Rater, Rater.id == Vote.rater_id)
    .join(Pair, Pair.id == Assignment.pair_id)
    .join(Comparison, Comparison.id == Pair.comparison_id)
    .join(First, First.id == Comparison.first_id)
    .join(Second, Second.id == Comparison.second_id)
)


def comparison_name(first: str, second: str) -> str:
    """Name of a comparison in every table; for a method shown alone, its own name."""
    return first if second == ALONE else f"{first} over {second}"


def votes(session: Session, study: Study, question: str | None = None) -> pd.DataFrame:
    """All votes of a study, in the order they were cast, as `VOTE_COLUMNS`; with the reason for excluded ones.

    `chosen` is a method or a tie. `question` names one of a trial's further questions; by default, the votes are on the
    first.

    Flags do not exclude a vote. `fast`, `slow` and `unfocused` depend on what the browser reported. `undelivered` and
    `rushed` depend on when the server sent the clips and received the answer.
    """
    play = flags.one_play(study.settings)
    last: dict[str, datetime] = {}
    uncounted = catch_trials.uncounted(session, study)
    others = _further(session, study, question) if question else {}
    rows = []
    for row in session.execute(_cast(study)):
        left, right = (row.a, row.b) if row.on_left else (row.b, row.a)
        side, ms = others[row.vote_id] if question else (row.side, row.ms)
        raised = flags.flags(ms, row.losses, row.delivered, last.get(row.rater), row.at, play)
        if row.simulated or row.erased:  # erased raters have no times left for these flags
            raised = [flag for flag in raised if flag not in ("undelivered", "rushed")]
        last[row.rater] = row.at
        shown = [study.name, comparison_name(row.a, row.b), row.a, row.b, row.scene, row.video, left, right]
        chosen = {"left": left, "right": right}.get(side, side)
        given = [chosen, row.rater[:16], row.kind == "catch", row.kind == "practice"]
        timing = [ms, row.replays, row.losses, row.at.isoformat(timespec="milliseconds")]
        why = row.excluded or uncounted.get(row.rater_id) or (GIVEN_AWAY if row.state == "void" else "")
        marks = [row.simulated, why, " ".join(raised)]
        rows.append([*shown, *given, *timing, *marks])
    return pd.DataFrame(rows, columns=VOTE_COLUMNS)


def ratings(session: Session, study: Study, question: str | None = None) -> pd.DataFrame:
    """All grades of a study of single clips, as `RATING_COLUMNS`; otherwise like `votes`."""
    given = votes(session, study, question).rename(columns={"first": "system", "chosen": "rating"})
    return given.astype({"rating": int})[RATING_COLUMNS]


def _further(session: Session, study: Study, question: str) -> dict[int, tuple[str, int]]:
    """Map vote ids to the answer to a further question and its response time in milliseconds."""
    query = (
        select(Opinion.vote_id, Opinion.chosen, Opinion.response_ms)
        .join(Vote, Vote.id == Opinion.vote_id)
        .join(Rater, Rater.id == Vote.rater_id)
        .where(Rater.study_id == study.id, Opinion.question == question)
    )
    return {vote: (chosen, ms) for vote, chosen, ms in session.execute(query)}


def _cast(study: Study) -> Executable:
    """Query for a study's votes, with all that was shown and is known for each."""
    return (
        select(
            First.name.label("a"),
            Second.name.label("b"),
            Comparison.kind.label("kind"),
            Pair.scene.label("scene"),
            ShownClip.video.label("video"),
            Assignment.first_on_left.label("on_left"),
            Vote.id.label("vote_id"),
            Vote.chosen.label("side"),
            Rater.id.label("rater_id"),
            Rater.token_hash.label("rater"),
            Assignment.state.label("state"),
            Vote.response_ms.label("ms"),
            Vote.replays.label("replays"),
            Vote.focus_losses.label("losses"),
            Vote.voted_at.label("at"),
            Vote.simulated.label("simulated"),
            excluded_reason().label("excluded"),
            Assignment.delivered_at.label("delivered"),
            Rater.id.in_(select(Erasure.rater_id)).label("erased"),
        )
        .select_from(VOTES)
        .join(ShownClip, ShownClip.id == Pair.first_clip_id)
        .where(Comparison.study_id == study.id, Vote.simulated == study.simulated)
        .order_by(Vote.id)
    )


def screens(session: Session, study: Study) -> pd.DataFrame:
    """How the clips of each vote were seen, as `SCREEN_COLUMNS`; votes without a browser's report are left out."""
    query = (
        select(Rater.token_hash, First.name, Second.name, Pair.scene, SeenOn)
        .select_from(VOTES)
        .join(SeenOn, SeenOn.vote_id == Vote.id)
        .where(Comparison.study_id == study.id)
        .order_by(Vote.id)
    )
    rows = []
    for rater, first, second, scene, seen in session.execute(query):
        sizes = [round(seen.clip_px, 2), round(seen.clip_px * seen.pixel_ratio), round(seen.pixel_ratio, 3)]
        by = [f"{seen.width}x{seen.height}", seen.layout, seen.pointer, seen.browser, seen.dropped]
        angle = visual_angle(seen.clip_px * seen.pixel_ratio, seen.dots_per_mm, seen.distance_cm)
        measured = [seen.pauses, seen.dots_per_mm, seen.distance_cm, angle and round(angle, 2)]
        rows.append([rater[:16], comparison_name(first, second), scene, *sizes, *by, *measured])
    return pd.DataFrame(rows, columns=SCREEN_COLUMNS).astype({"pauses": "Int64"})


def progress(session: Session, study: Study) -> pd.DataFrame:
    """Votes wanted, received and on lease, as comparison, first, second, wanted, votes, leased, skips.

    A vote that does not count yet, because its rater has not yet shown attention, is on lease too.
    """
    state, counts_not = Assignment.state, Assignment.rater_id.in_(catch_trials.uncounted(session, study))

    def where(what: ColumnElement[bool]) -> ColumnElement[int]:
        return func.count(case((what, 1)))

    leased = where((state == "leased") | ((state == "voted") & counts_not))
    counts = (
        select(Pair.comparison_id, where((state == "voted") & ~counts_not), leased, where(state == "skipped"))
        .join(Assignment, Assignment.pair_id == Pair.id)
        .where(Assignment.slot_id.is_not(None))
        .group_by(Pair.comparison_id)
    )
    done: dict[int, tuple[Any, ...]] = {row[0]: tuple(row[1:]) for row in session.execute(counts)}
    wanted = (
        select(Comparison.id, First.name, Second.name, func.count(Slot.id))
        .join(First, First.id == Comparison.first_id)
        .join(Second, Second.id == Comparison.second_id)
        .join(Pair, Pair.comparison_id == Comparison.id)
        .join(Slot, Slot.pair_id == Pair.id)
        .where(Comparison.study_id == study.id, Comparison.kind == "trial")
        .group_by(Comparison.id, First.name, Second.name, Comparison.position)
        .order_by(Comparison.position)
    )
    rows = [
        (comparison_name(first, second), first, second, count, *done.get(id, (0, 0, 0)))
        for id, first, second, count in session.execute(wanted)
    ]
    return pd.DataFrame(rows, columns=["comparison", "first", "second", "wanted", "votes", "leased", "skips"])


def raters(session: Session, study: Study) -> pd.DataFrame:
    """One row per rater, as `RATER_COLUMNS`; the basis for paying raters.

    `status` is how the session last ended, or started. `code` contains what the rater was shown: every code if a
    session ended more than once. `passed` is whether the rule on catch trials was met; empty while unknown.
    """
    query = (
        select(
            Rater,
            func.count(case((Assignment.state.in_(("voted", "void")), 1))),
            func.count(case((Assignment.state == "skipped", 1))),
            excluded_reason(),
        )
        .outerjoin(Assignment, Assignment.rater_id == Rater.id)
        .where(and_(Rater.study_id == study.id, Rater.simulated == study.simulated))
        .group_by(Rater.id)
        .order_by(Rater.id)
    )
    of_study = select(Erasure).join(Rater, Rater.id == Erasure.rater_id).where(Rater.study_id == study.id)
    erased = {row.rater_id: f"{row.made_at:%Y-%m-%d}: votes {row.votes}" for row in session.scalars(of_study)}
    ends: dict[int, list[Ending]] = {}
    endings = select(Ending).join(Rater, Rater.id == Ending.rater_id).where(Rater.study_id == study.id)
    for ending in session.scalars(endings.order_by(Ending.id)):
        ends.setdefault(ending.rater_id, []).append(ending)
    rows = []
    for rater, answered, skips, excluded in session.execute(query):
        endings_of = ends.get(rater.id, [])
        outcomes = [ending.outcome for ending in endings_of]
        status, ended = (endings_of[-1].outcome, endings_of[-1].ended_at) if endings_of else ("started", None)
        timed = ended if rater.id not in erased else None
        minutes = round((timed - rater.created_at).total_seconds() / 60, 1) if timed else None
        passed = "no" if "failed" in outcomes else ("yes" if "complete" in outcomes else "")
        who = [rater.token_hash[:16], rater.platform, rater.platform_hash or "", rater.session_hash or ""]
        times = [rater.created_at, ended, minutes, rater.consent_version, rater.completed_at]
        told_last = [answered, skips, excluded, rater.language or "", erased.get(rater.id, "")]
        rows.append(
            [*who, status, " ".join(dict.fromkeys(ending.code for ending in endings_of)), passed, *times, *told_last]
        )
    return pd.DataFrame(rows, columns=RATER_COLUMNS)


def shown(session: Session, assignment: Assignment) -> tuple[str, str, str]:
    """Scene, left and right system of an assignment."""
    query = (
        select(Pair.scene, First.name, Second.name)
        .join(Comparison, Comparison.id == Pair.comparison_id)
        .join(First, First.id == Comparison.first_id)
        .join(Second, Second.id == Comparison.second_id)
        .where(Pair.id == assignment.pair_id)
    )
    scene, first, second = session.execute(query).one()
    return (scene, first, second) if assignment.first_on_left else (scene, second, first)
