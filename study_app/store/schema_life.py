"""Tables of what happens to a study after it was made; `study_app.store.schema` has the study itself."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from study_app.design.settings import ERASED_VOTES
from study_app.store.base import Base, one_of


class Erasure(Base):
    """That a rater was made anonymous at their wish, and whether their votes count on; written once, and then triggers
    allow the changes that it takes: hashes, codes and free texts go, and times keep their day only.
    """

    __tablename__ = "erasure"
    id: Mapped[int] = mapped_column(primary_key=True)
    rater_id: Mapped[int] = mapped_column(ForeignKey("rater.id"), unique=True)
    votes: Mapped[str]
    reason: Mapped[str]
    made_by: Mapped[str]
    made_at: Mapped[datetime]
    __table_args__ = (
        one_of("votes", ERASED_VOTES, "votes"),
        CheckConstraint("length(trim(reason)) > 0", name="reason"),
    )


class Extension(Base):
    """Votes or clips that a study got after it was made; append only.

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


class Declined(Base):
    """How many people did not agree to take part. Nothing else of them is kept, not even when."""

    __tablename__ = "declined"
    study_id: Mapped[int] = mapped_column(ForeignKey("study.id"), primary_key=True)
    times: Mapped[int]
