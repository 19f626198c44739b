"""Rows in and out of the study's tables. Runs inside `study_app.store.store`'s sessions."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Select, Text, select, type_coerce
from sqlalchemy.orm import Session, aliased

from study_app.design.questions import Questions
from study_app.design.schedule import PairPlan, Schedule, SlotPlan
from study_app.design.settings import Settings
from study_app.store.platforms import token_hash
from study_app.store.rating import Answer, RefusedError
from study_app.store.schema import (
    Assignment,
    Audit,
    Comparison,
    Media,
    Opinion,
    Pair,
    Rater,
    SeenOn,
    ShownClip,
    Slot,
    Study,
    System,
    Vote,
)
from study_app.store.schema_life import Declined


@dataclass(frozen=True)
class EncodedClip:
    """A clip as it is served, and where it came from."""

    video: str
    source_sha256: str
    data: bytes


#: (system, scene) → clip.
Clips = Mapping[tuple[str, str], EncodedClip]


def add(session: Session, settings: Settings, seed: int, plan: Schedule, clips: Clips, simulated: bool) -> Study:
    """Write a study and its schedule."""
    study = Study(
        name=settings.name,
        created_at=datetime.now(UTC),
        simulated=simulated,
        seed=seed,
        settings=settings,
        schedule_sha256=plan.sha256,
    )
    session.add(study)
    session.flush()
    systems = {name: System(study_id=study.id, name=name) for name in dict.fromkeys(name for name, _ in clips)}
    session.add_all(systems.values())
    session.flush()
    trials = _add_pairs(session, study, systems, add_clips(session, systems, clips), plan)
    session.add_all(
        Slot(pair_id=trials[s.pair].id, repeat=s.repeat, first_on_left=s.first_on_left, priority=s.priority)
        for s in plan.slots
    )
    audit(session, study, "create", "study created", plan.sha256)
    return study


def add_clips(session: Session, systems: Mapping[str, System], clips: Clips) -> dict[tuple[str, str], ShownClip]:
    """Write every clip, and its bytes unless the database has them."""
    rows: dict[tuple[str, str], ShownClip] = {}
    kept = set(session.scalars(select(Media.sha256)))
    for (name, scene), clip in clips.items():
        sha256 = hashlib.sha256(clip.data).hexdigest()
        if sha256 not in kept:
            session.add(Media(sha256=sha256, data=clip.data))
            session.flush()
            kept.add(sha256)
        rows[name, scene] = ShownClip(
            system_id=systems[name].id,
            scene=scene,
            video=clip.video,
            source_sha256=clip.source_sha256,
            media_sha256=sha256,
        )
    session.add_all(rows.values())
    session.flush()
    return rows


def _add_pairs(
    session: Session,
    study: Study,
    systems: Mapping[str, System],
    clips: Mapping[tuple[str, str], ShownClip],
    plan: Schedule,
) -> list[Pair]:
    """Write comparisons and pairs, trials first; returns the trials' pairs in the schedule's order."""
    comparisons: dict[tuple[str, str, str], Comparison] = {}
    pairs: dict[str, list[Pair]] = {}
    for kind, planned in (("trial", plan.trials), ("practice", plan.practice), ("catch", plan.catch)):
        for pair in planned:
            key = (kind, pair.first, pair.second)
            if key not in comparisons:
                comparisons[key] = Comparison(
                    study_id=study.id,
                    position=len(comparisons),
                    kind=kind,
                    first_id=systems[pair.first].id,
                    second_id=systems[pair.second].id,
                )
                session.add(comparisons[key])
                session.flush()
            row = Pair(
                comparison_id=comparisons[key].id,
                scene=pair.scene,
                first_clip_id=clips[pair.first, pair.scene].id,
                second_clip_id=clips[pair.second, pair.scene].id,
            )
            pairs.setdefault(kind, []).append(row)
        session.add_all(pairs.get(kind, []))
        session.flush()
    return pairs["trial"]


def read_schedule(session: Session, study: Study) -> Schedule:
    """The schedule as the tables hold it, in the order it was planned."""
    first, second = aliased(System), aliased(System)
    query = (
        select(Pair.id, Comparison.kind, first.name, second.name, Pair.scene)
        .join(Comparison, Comparison.id == Pair.comparison_id)
        .join(first, first.id == Comparison.first_id)
        .join(second, second.id == Comparison.second_id)
        .where(Comparison.study_id == study.id)
        .order_by(Pair.id)
    )
    pairs: dict[str, list[PairPlan]] = {"trial": [], "practice": [], "catch": []}
    numbers: dict[int, int] = {}
    for id, kind, first_name, second_name, scene in session.execute(query):
        numbers[id] = len(pairs[kind])
        pairs[kind].append(PairPlan(first_name, second_name, scene))
    slots = session.scalars(
        select(Slot)
        .join(Pair, Pair.id == Slot.pair_id)
        .join(Comparison, Comparison.id == Pair.comparison_id)
        .where(Comparison.study_id == study.id)
        .order_by(Slot.priority)
    )
    planned = tuple(SlotPlan(numbers[s.pair_id], s.repeat, s.first_on_left, s.priority) for s in slots)
    return Schedule(tuple(pairs["trial"]), planned, tuple(pairs["practice"]), tuple(pairs["catch"]))


def read_clips(session: Session, study: Study) -> dict[tuple[str, str], EncodedClip]:
    """All clips of a study, in the order they were written."""
    query = (
        select(System.name, ShownClip, Media.data)
        .join(ShownClip, ShownClip.system_id == System.id)
        .join(Media, Media.sha256 == ShownClip.media_sha256)
        .where(System.study_id == study.id)
        .order_by(ShownClip.id)
    )
    return {
        (name, clip.scene): EncodedClip(clip.video, clip.source_sha256, data)
        for name, clip, data in session.execute(query)
    }


def clip_hashes(session: Session, study: Study) -> list[tuple[str, str, str, str]]:
    """System, scene, source's hash and shown clip's hash of every clip, in the order they were written."""
    columns = (System.name, ShownClip.scene, ShownClip.source_sha256, ShownClip.media_sha256)
    query = select(*columns).join(System, System.id == ShownClip.system_id).where(System.study_id == study.id)
    return [
        (name, scene, source, shown) for name, scene, source, shown in session.execute(query.order_by(ShownClip.id))
    ]


def registered(session: Session, study: Study) -> tuple[str, ...]:
    """Every hash that was registered, in order."""
    query = select(Audit.detail).where(Audit.study_id == study.id, Audit.action == "registered")
    return tuple(session.scalars(query.order_by(Audit.id)))


def kept_settings(session: Session, study: Study) -> dict[str, Any]:
    """A study's settings as they were written."""
    written: str = session.execute(select(type_coerce(Study.settings, Text)).where(Study.id == study.id)).scalar_one()
    settings: dict[str, Any] = json.loads(written)
    return settings


def decline(session: Session, study: Study) -> None:
    """Count one more who did not agree."""
    counted = session.get(Declined, study.id, with_for_update=True)
    if counted is None:  # of two at once, the second fails on the key and is tried again
        session.add(Declined(study_id=study.id, times=1))
    else:
        counted.times += 1


def declined(session: Session, study: Study) -> int:
    """How many did not agree."""
    return session.scalar(select(Declined.times).where(Declined.study_id == study.id)) or 0


def rater(session: Session, study: Study, token: str) -> Rater | None:
    """The rater with that token."""
    return session.scalar(_by_token(study, token))


def rater_to_change(session: Session, study: Study, token: str) -> Rater | None:
    """The same, their row locked, which keeps two tabs of one rater one after the other."""
    return session.scalar(_by_token(study, token).with_for_update())


def _by_token(study: Study, token: str) -> Select[Any]:
    return select(Rater).where(Rater.study_id == study.id, Rater.token_hash == token_hash(token))


def held(session: Session, rater: Rater, trial: str) -> Assignment:
    """A rater's assignment by the name that their browser has for it; a `RefusedError` when it is not theirs."""
    row = session.scalar(select(Assignment).where(Assignment.token == trial, Assignment.rater_id == rater.id))
    if row is None:
        raise RefusedError("This pair is not yours to rate.")
    return row


def vote(session: Session, study: Study, rater: Rater, held: Assignment, answer: Answer, now: datetime) -> None:
    """Write the vote of an assignment, with the answers to all questions of its trial, unless it has one.

    Raises:
        RefusedError: the answer makes no sense, or the assignment is over.
    """
    times = [answer.response_ms, *(one.response_ms for one in answer.further)]
    if min(answer.replays, answer.focus_losses, *times) < 0 or not _can_be_given(study.settings.questions, answer):
        raise RefusedError("The answer is not one that can be given.")
    if held.state in ("voted", "void"):  # it has its vote
        return
    if held.state == "expired":
        # Late, but nobody may have taken it: then it is still good.
        taken = select(Assignment.id).where(
            Assignment.slot_id == held.slot_id, Assignment.state.in_(("leased", "voted"))
        )
        place = select(Assignment.id).where(
            Assignment.rater_id == rater.id,
            Assignment.position == held.position,
            Assignment.state.in_(("leased", "voted")),
        )
        if held.slot_id is None or session.scalar(taken) or session.scalar(place):
            raise RefusedError("This pair went to somebody else after a long pause.", gone=True)
    elif held.state != "leased":
        raise RefusedError("This pair is over.", gone=True)
    held.state = "voted"
    cast = Vote(
        assignment_id=held.id,
        rater_id=rater.id,
        simulated=rater.simulated,
        chosen=answer.chosen,
        response_ms=answer.response_ms,
        replays=answer.replays,
        focus_losses=answer.focus_losses,
        voted_at=now,
    )
    session.add(cast)
    session.flush()
    for question, other in zip(study.settings.questions.further, answer.further, strict=True):
        session.add(Opinion(vote_id=cast.id, question=question, chosen=other.chosen, response_ms=other.response_ms))
    if answer.screen:
        session.add(SeenOn(vote_id=cast.id, **asdict(answer.screen)))
    session.flush()


def _can_be_given(questions: Questions, answer: Answer) -> bool:
    chosen = [answer.chosen, *(one.chosen for one in answer.further)]
    return len(answer.further) == len(questions.further) and all(one in questions.answers for one in chosen)


def delivered(session: Session, assignment_id: int) -> None:
    """Record when an assignment's clips first went out."""
    held = session.get_one(Assignment, assignment_id, with_for_update=True)
    held.delivered_at = held.delivered_at or datetime.now(UTC)


def lost(session: Session, assignment_id: int) -> None:
    """Skip an assignment whose clips are gone; that counts against nobody's network."""
    held = session.get_one(Assignment, assignment_id, with_for_update=True)
    if held.state == "leased":
        held.state, held.reason = "skipped", "its clips are gone from the database"


def audit(session: Session, study: Study | None, actor: str, action: str, detail: str) -> None:
    """Add a line to the audit trail, of one study or of all."""
    study_id = study.id if study else None
    session.add(Audit(at=datetime.now(UTC), study_id=study_id, actor=actor, action=action, detail=detail))
