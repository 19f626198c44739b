"""Adding votes and clips to a study, and reading what was added. Runs inside the store's sessions."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from bench.errors import BenchError
from study_app.design.extension import Addition
from study_app.design.schedule import Schedule
from study_app.store import assignment, life, writing
from study_app.store.schema import Comparison, Pair, ShownClip, Slot, Study, System
from study_app.store.schema_life import Extension


@dataclass(frozen=True)
class Extended:
    """A schedule before and after an addition, with the clips that it takes and the bytes that their slots need."""

    added: Addition
    before: Schedule
    after: Schedule
    clips: writing.Clips
    slot_bytes: int


def extensions(session: Session, study: Study) -> Sequence[Extension]:
    """What a study got after it was made, in order."""
    return session.scalars(select(Extension).where(Extension.study_id == study.id).order_by(Extension.number)).all()


def addition(row: Extension) -> Addition:
    """What was added, as the schedule is drawn from it."""
    return Addition(row.seed, row.votes, tuple(json.loads(row.scenes)))


def slot_bytes(session: Session, study: Study) -> int:
    """Length of one clip's slot in every trial's message: the longest clip's, of those that came later too."""
    longest = session.scalar(select(func.max(Extension.slot_bytes)).where(Extension.study_id == study.id))
    return max(study.settings.slot_bytes, longest or 0)


def extend(session: Session, study: Study, made: Extended, by: str) -> None:
    """Write an addition: clips, pairs, slots, and the record of it.

    Raises:
        BenchError: the study is closed, or it was extended meanwhile.
    """
    assignment.lock(session, study.id)
    if life.state(session, study) == "closed":
        raise BenchError(f"The study '{study.name}' is closed: `bench study reopen` it first.")
    if writing.read_schedule(session, study).sha256 != made.before.sha256:
        raise BenchError(f"The study '{study.name}' was extended by somebody else meanwhile: try again.")
    systems = {system.name: system for system in session.scalars(select(System).where(System.study_id == study.id))}
    of_study = select(func.count(ShownClip.id)).join(System).where(System.study_id == study.id)
    clips_before = session.scalar(of_study) or 0
    clips = writing.add_clips(session, systems, made.clips)
    pairs = _trials(session, study) + _add_pairs(session, study, made, clips)
    session.add_all(
        Slot(pair_id=pairs[s.pair], repeat=s.repeat, first_on_left=s.first_on_left, priority=s.priority)
        for s in made.after.slots[len(made.before.slots) :]
    )
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
    said = f"{made.added.votes} votes a pair, {len(made.added.scenes)} clips a comparison: {made.after.sha256}"
    writing.audit(session, study, by, "extend", said)


def _trials(session: Session, study: Study) -> list[int]:
    """Ids of the trials' pairs, in the schedule's order."""
    query = select(Pair.id).join(Comparison).where(Comparison.study_id == study.id, Comparison.kind == "trial")
    return list(session.scalars(query.order_by(Pair.id)))


def _add_pairs(session: Session, study: Study, made: Extended, clips: dict[tuple[str, str], ShownClip]) -> list[int]:
    """Write the pairs of an addition; returns their ids in the schedule's order."""
    named = select(System.id, System.name).where(System.study_id == study.id)
    names = {id: name for id, name in session.execute(named)}  # noqa: C416 - rows are no pairs to a type checker
    of_trials = select(Comparison).where(Comparison.study_id == study.id, Comparison.kind == "trial")
    comparisons = {(names[c.first_id], names[c.second_id]): c.id for c in session.scalars(of_trials)}
    rows = [
        Pair(
            comparison_id=comparisons[pair.first, pair.second],
            scene=pair.scene,
            first_clip_id=clips[pair.first, pair.scene].id,
            second_clip_id=clips[pair.second, pair.scene].id,
        )
        for pair in made.after.trials[len(made.before.trials) :]
    ]
    session.add_all(rows)
    session.flush()
    return [row.id for row in rows]
