"""Tables of a study and its schedule: systems, clips, comparisons, pairs, slots, additions, the audit trail."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    LargeBinary,
    String,
    UniqueConstraint,
)
from sqlalchemy.orm import Mapped, mapped_column

from study_app.design.settings import StudySettings
from study_app.store.schema.columns import Base, one_of

#: Purpose of a comparison; only trials enter a POS.
KINDS = ("trial", "practice", "catch")


class Study(Base):
    """One study; its settings (canonical JSON) and seed determine its schedule byte for byte."""

    __tablename__ = "study"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(unique=True)
    created_at: Mapped[datetime]
    simulated: Mapped[bool]
    seed: Mapped[int] = mapped_column(BigInteger)
    settings: Mapped[StudySettings]
    schedule_sha256: Mapped[str] = mapped_column(String(64))
    __table_args__ = (UniqueConstraint("id", "simulated"),)


class Media(Base):
    """An encoded clip, keyed by the hash of its bytes, so that identical clips are stored once."""

    __tablename__ = "media"
    sha256: Mapped[str] = mapped_column(String(64), primary_key=True)
    data: Mapped[bytes] = mapped_column(LargeBinary)


class System(Base):
    """A source of clips: a method in the run folder, the camera ("real"), or the scrambler of catch trials."""

    __tablename__ = "system"
    id: Mapped[int] = mapped_column(primary_key=True)
    study_id: Mapped[int] = mapped_column(ForeignKey("study.id"))
    name: Mapped[str]
    __table_args__ = (UniqueConstraint("study_id", "name"),)


class ShownClip(Base):
    """One system's video of one scene; `scene` is the run folder's clip id, shared by all videos of one first frame."""

    __tablename__ = "clip"
    id: Mapped[int] = mapped_column(primary_key=True)
    system_id: Mapped[int] = mapped_column(ForeignKey("system.id"))
    scene: Mapped[str]
    video: Mapped[str]
    source_sha256: Mapped[str] = mapped_column(String(64))
    media_sha256: Mapped[str] = mapped_column(ForeignKey("media.sha256"))
    __table_args__ = (UniqueConstraint("system_id", "scene"), UniqueConstraint("id", "scene"))


class Comparison(Base):
    """ "first over second": POS counts how often first is chosen."""

    __tablename__ = "comparison"
    id: Mapped[int] = mapped_column(primary_key=True)
    study_id: Mapped[int] = mapped_column(ForeignKey("study.id"), index=True)
    position: Mapped[int]
    kind: Mapped[str]
    first_id: Mapped[int] = mapped_column(ForeignKey("system.id"))
    second_id: Mapped[int] = mapped_column(ForeignKey("system.id"))
    __table_args__ = (
        UniqueConstraint("study_id", "kind", "first_id", "second_id"),
        CheckConstraint("first_id <> second_id", name="two_systems"),
        one_of("kind", KINDS, "kind"),
    )


class Pair(Base):
    """Two clips of one scene, as one comparison shows them."""

    __tablename__ = "pair"
    id: Mapped[int] = mapped_column(primary_key=True)
    comparison_id: Mapped[int] = mapped_column(ForeignKey("comparison.id"))
    scene: Mapped[str]
    first_clip_id: Mapped[int]
    second_clip_id: Mapped[int]
    __table_args__ = (
        UniqueConstraint("comparison_id", "scene"),
        CheckConstraint("first_clip_id <> second_clip_id", name="two_clips"),
        # the scene is part of both keys, so a pair of two scenes cannot be written
        ForeignKeyConstraint(["first_clip_id", "scene"], ["clip.id", "clip.scene"]),
        ForeignKeyConstraint(["second_clip_id", "scene"], ["clip.id", "clip.scene"]),
    )


class Slot(Base):
    """One vote that the study wants: which pair, which side, and in which order slots are handed out."""

    __tablename__ = "slot"
    id: Mapped[int] = mapped_column(primary_key=True)
    pair_id: Mapped[int] = mapped_column(ForeignKey("pair.id"))
    repeat: Mapped[int]
    first_on_left: Mapped[bool]
    priority: Mapped[int]
    __table_args__ = (
        UniqueConstraint("pair_id", "repeat"),
        UniqueConstraint("id", "pair_id", "first_on_left"),
    )


class Audit(Base):
    """What was done to a study, by whom and when; append-only."""

    __tablename__ = "audit"
    id: Mapped[int] = mapped_column(primary_key=True)
    at: Mapped[datetime]
    study_id: Mapped[int | None] = mapped_column(ForeignKey("study.id"))
    actor: Mapped[str]
    action: Mapped[str]
    detail: Mapped[str]
    __table_args__ = (Index("ix_audit_action_at", "action", "at"),)


class Extension(Base):
    """Votes or clips added to a study after its creation; append-only.

    The schedule follows from the study's settings and seed, and then from every extension in turn.
    """

    __tablename__ = "extension"
    id: Mapped[int] = mapped_column(primary_key=True)
    study_id: Mapped[int] = mapped_column(ForeignKey("study.id"))
    number: Mapped[int]
    made_at: Mapped[datetime]
    made_by: Mapped[str]
    seed: Mapped[int] = mapped_column(BigInteger)
    votes: Mapped[int]
    scenes: Mapped[str]
    trials_before: Mapped[int]
    slots_before: Mapped[int]
    clips_before: Mapped[int]
    slot_bytes: Mapped[int]
    schedule_sha256: Mapped[str] = mapped_column(String(64))
    __table_args__ = (UniqueConstraint("study_id", "number"),)
