"""Clips and their encoded bytes in the database: writing, reading, delivery.

Runs inside the sessions of `study_app.store.store`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Select, bindparam, select
from sqlalchemy.orm import Session, aliased

from study_app.store.schema.rater_tables import Assignment
from study_app.store.schema.study_tables import Media, Pair, ShownClip, Study, System


@dataclass(frozen=True)
class EncodedClip:
    """A clip as it is served, and its source."""

    video: str
    source_sha256: str
    data: bytes


#: (system, scene) → clip.
Clips = Mapping[tuple[str, str], EncodedClip]


def add_clips(session: Session, systems: Mapping[str, System], clips: Clips) -> dict[tuple[str, str], ShownClip]:
    """Write every clip, and its bytes unless the database already contains them."""
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
    """System, scene, source hash and shown-clip hash of every clip, in the order they were written."""
    columns = (System.name, ShownClip.scene, ShownClip.source_sha256, ShownClip.media_sha256)
    query = select(*columns).join(System, System.id == ShownClip.system_id).where(System.study_id == study.id)
    return [
        (name, scene, source, shown) for name, scene, source, shown in session.execute(query.order_by(ShownClip.id))
    ]


def delivered(session: Session, assignment_id: int) -> Assignment:
    """Record when an assignment's clips were first sent."""
    assignment = session.get_one(Assignment, assignment_id, with_for_update=True)
    assignment.delivered_at = assignment.delivered_at or datetime.now(UTC)
    return assignment


def lost(session: Session, assignment_id: int) -> None:
    """Skip an assignment whose clips are missing; this does not count as a failure of the rater's network."""
    assignment = session.get_one(Assignment, assignment_id, with_for_update=True)
    if assignment.state == "leased":
        assignment.state, assignment.reason = "skipped", "its clips are missing from the database"


def _of_pair(one: type[Media], other: type[Media], *wanted: Any) -> Select[Any]:
    """Query for `wanted` of the two encoded clips of the pair `:pair`; without a result if either is missing."""
    first, second = aliased(ShownClip), aliased(ShownClip)
    return (
        select(*wanted)
        .select_from(Pair)
        .join(first, first.id == Pair.first_clip_id)
        .join(second, second.id == Pair.second_clip_id)
        .join(one, one.sha256 == first.media_sha256)
        .join(other, other.sha256 == second.media_sha256)
        .where(Pair.id == bindparam("pair"))
    )


One, Other = aliased(Media), aliased(Media)


MEDIA, THERE = _of_pair(One, Other, One.data, Other.data), _of_pair(One, Other, Pair.id)


def has_media(session: Session, assignment: Assignment) -> bool:
    """Whether both clips of an assignment exist; they are not read."""
    return session.execute(THERE, {"pair": assignment.pair_id}).first() is not None


def media(session: Session, assignment: Assignment) -> tuple[bytes, bytes] | None:
    """Encoded left and right clip of an assignment; None if either is missing."""
    clips = session.execute(MEDIA, {"pair": assignment.pair_id}).one_or_none()
    if clips is None:
        return None
    return (clips[0], clips[1]) if assignment.first_on_left else (clips[1], clips[0])
