"""A study's schedule in the database: written when the study is created or extended, and read back.

Runs inside the sessions of `study_app.store.store`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Text, func, select, type_coerce
from sqlalchemy.orm import Session, aliased

from bench.errors import BenchError
from study_app.design.schedule import Addition, PairPlan, Schedule, SlotPlan
from study_app.design.settings import StudySettings
from study_app.store import audit_trail
from study_app.store.clips import Clips, add_clips
from study_app.store.connection import transactions
from study_app.store.schema.study_tables import (
    Comparison,
    Extension,
    Pair,
    ShownClip,
    Slot,
    Study,
    System,
)


def add(session: Session, settings: StudySettings, seed: int, plan: Schedule, clips: Clips, simulated: bool) -> Study:
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
    _write_slots(session, trials, plan.slots)
    audit_trail.audit(session, study, "create", "study created", plan.sha256)
    return study


def _add_pairs(
    session: Session,
    study: Study,
    systems: Mapping[str, System],
    clips: Mapping[tuple[str, str], ShownClip],
    schedule: Schedule,
) -> list[int]:
    """Write comparisons and pairs, trials first; return the ids of the trials' pairs in the schedule's order."""
    ids: dict[str, list[int]] = {}
    position = 0
    for kind, planned in (("trial", schedule.trials), ("practice", schedule.practice), ("catch", schedule.catch)):
        comparisons: dict[tuple[str, str], int] = {}
        for pair in planned:
            names = (pair.first, pair.second)
            if names in comparisons:
                continue
            comparison = Comparison(
                study_id=study.id,
                position=position,
                kind=kind,
                first_id=systems[pair.first].id,
                second_id=systems[pair.second].id,
            )
            session.add(comparison)
            session.flush()
            comparisons[names] = comparison.id
            position += 1
        ids[kind] = _write_pairs(session, planned, comparisons, clips)
    return ids["trial"]


def _write_pairs(
    session: Session,
    planned: Sequence[PairPlan],
    comparisons: Mapping[tuple[str, str], int],
    clips: Mapping[tuple[str, str], ShownClip],
) -> list[int]:
    """Write pairs of existing comparisons; return their ids in the order given."""
    rows = [
        Pair(
            comparison_id=comparisons[pair.first, pair.second],
            scene=pair.scene,
            first_clip_id=clips[pair.first, pair.scene].id,
            second_clip_id=clips[pair.second, pair.scene].id,
        )
        for pair in planned
    ]
    session.add_all(rows)
    session.flush()
    return [row.id for row in rows]


def _write_slots(session: Session, pairs: Sequence[int], slots: Sequence[SlotPlan]) -> None:
    """Write slots; a slot refers to its pair by index into `pairs`, the ids of the schedule's trials."""
    session.add_all(
        Slot(pair_id=pairs[s.pair], repeat=s.repeat, first_on_left=s.first_on_left, priority=s.priority) for s in slots
    )


def read_schedule(session: Session, study: Study) -> Schedule:
    """Read the schedule from the tables, in the order it was planned."""
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


def kept_settings(session: Session, study: Study) -> dict[str, Any]:
    """A study's settings as originally written."""
    written: str = session.execute(select(type_coerce(Study.settings, Text)).where(Study.id == study.id)).scalar_one()
    settings: dict[str, Any] = json.loads(written)
    return settings


@dataclass(frozen=True)
class Extended:
    """A schedule before and after an addition, with the added clips and the bytes that their slots need."""

    added: Addition
    before: Schedule
    after: Schedule
    clips: Clips
    slot_bytes: int


def extensions(session: Session, study: Study) -> Sequence[Extension]:
    """All extensions of a study, in order."""
    return session.scalars(select(Extension).where(Extension.study_id == study.id).order_by(Extension.number)).all()


def slot_bytes(session: Session, study: Study) -> int:
    """Length of one clip's slot in every trial's message: that of the longest clip, including clips added later."""
    longest = session.scalar(select(func.max(Extension.slot_bytes)).where(Extension.study_id == study.id))
    return max(study.settings.slot_bytes, longest or 0)


def extend(session: Session, study: Study, made: Extended, by: str) -> None:
    """Write an addition: clips, pairs, slots, and the record of it.

    Raises:
        BenchError: the study is closed, or it was extended in the meantime.
    """
    transactions.lock(session, study.id)
    if audit_trail.state(session, study) == "closed":
        raise BenchError(f"The study '{study.name}' is closed. Run `bench study reopen` first.")
    if read_schedule(session, study).sha256 != made.before.sha256:
        raise BenchError(f"The study '{study.name}' was extended by somebody else in the meantime. Try again.")
    systems = {system.name: system for system in session.scalars(select(System).where(System.study_id == study.id))}
    of_study = select(func.count(ShownClip.id)).join(System).where(System.study_id == study.id)
    clips_before = session.scalar(of_study) or 0
    clips = add_clips(session, systems, made.clips)
    names = {system.id: system.name for system in systems.values()}
    of_trials = select(Comparison).where(Comparison.study_id == study.id, Comparison.kind == "trial")
    comparisons = {(names[c.first_id], names[c.second_id]): c.id for c in session.scalars(of_trials)}
    new_pairs = made.after.trials[len(made.before.trials) :]
    pairs = _trials(session, study) + _write_pairs(session, new_pairs, comparisons, clips)
    _write_slots(session, pairs, made.after.slots[len(made.before.slots) :])
    row = Extension(
        study_id=study.id,
        number=1 + len(extensions(session, study)),
        made_at=datetime.now(UTC),
        made_by=by,
        seed=made.added.seed,
        votes=made.added.votes,
        scenes=json.dumps(made.added.scenes, ensure_ascii=False),
        trials_before=len(made.before.trials),
        slots_before=len(made.before.slots),
        clips_before=clips_before,
        slot_bytes=made.slot_bytes,
        schedule_sha256=made.after.sha256,
    )
    session.add(row)
    detail = f"{made.added.votes} votes a pair, {len(made.added.scenes)} clips a comparison: {made.after.sha256}"
    audit_trail.audit(session, study, by, "extend", detail)


def _trials(session: Session, study: Study) -> list[int]:
    """Ids of the trials' pairs, in the schedule's order."""
    query = select(Pair.id).join(Comparison).where(Comparison.study_id == study.id, Comparison.kind == "trial")
    return list(session.scalars(query.order_by(Pair.id)))
