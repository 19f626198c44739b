"""Tables of raters and their actions; rules are enforced by the database, not only by the code.

The schedule (system, clip, comparison, pair, slot) is written once, when a study is created. Raters then get
assignments, each with at most one vote. Triggers from the migration prevent changing or deleting votes, exclusions and
the audit trail, except for what an erasure clears.

A study is simulated as a whole or not at all. Composite foreign keys give raters the study's flag, and votes their
rater's. So no query can mix synthetic votes into a real tally by forgetting a condition.
"""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Float,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    String,
    UniqueConstraint,
    text,
)
from sqlalchemy.orm import Mapped, mapped_column

from study_app.design.questions import GRADES, PARTS, SIDES, TIE
from study_app.design.settings import ERASED_VOTES
from study_app.store.schema.columns import Base, one_of

#: leased: shown or about to be; voted: has its vote; skipped: clips did not load; expired: went back to the pool;
#: void: has a vote that no longer fills its slot (rater withdrawn or excluded).
STATES = ("leased", "voted", "skipped", "expired", "void")
#: How a session can end. complete: at its end; failed: by the rule on catch trials; technical: the clips do not load;
#: withdrawn: by the rater; excluded: by the people who run the study; ineligible: because of the rater's answers; full:
#: no pair is left for the rater; closed: the study is closed.
OUTCOMES = ("complete", "failed", "technical", "withdrawn", "excluded", "ineligible", "full", "closed")
#: Possible answers to a trial, in any kind of study.
ANSWERS = (*SIDES, TIE, *GRADES)


class Rater(Base):
    """A person (or a simulated one), known only by keyed hashes."""

    __tablename__ = "rater"
    id: Mapped[int] = mapped_column(primary_key=True)
    study_id: Mapped[int]
    simulated: Mapped[bool]
    token_hash: Mapped[str] = mapped_column(String(64))
    platform: Mapped[str]
    platform_hash: Mapped[str | None] = mapped_column(String(64))
    session_hash: Mapped[str | None] = mapped_column(String(64))
    created_at: Mapped[datetime]
    consent_version: Mapped[str | None]
    consented_at: Mapped[datetime | None]
    withdrawn_at: Mapped[datetime | None]
    completed_at: Mapped[datetime | None]
    completion_code: Mapped[str | None]
    came_at: Mapped[datetime | None]
    language: Mapped[str | None]
    #: Random number that determines the rater's sides, comparisons and catch trials. It never leaves the database, so
    #: the seed does not reveal what comes. Raters of version 0.2 and simulated raters have none.
    draw: Mapped[int | None] = mapped_column(BigInteger)

    @property
    def number(self) -> int:
        """Number that determines the draws of this rater's session."""
        return self.id if self.draw is None else self.draw

    __table_args__ = (
        UniqueConstraint("study_id", "token_hash"),
        UniqueConstraint("study_id", "platform_hash"),
        UniqueConstraint("id", "simulated"),
        ForeignKeyConstraint(["study_id", "simulated"], ["study.id", "study.simulated"]),
        CheckConstraint("(consent_version IS NULL) = (consented_at IS NULL)", name="consent"),
        CheckConstraint("completed_at IS NULL OR consented_at IS NOT NULL", name="completed"),
        CheckConstraint("(completed_at IS NULL) = (completion_code IS NULL)", name="code_after_completion"),
    )


class Assignment(Base):
    """A pair shown to a rater at one place in the session; the browser learns only its token."""

    __tablename__ = "assignment"
    id: Mapped[int] = mapped_column(primary_key=True)
    rater_id: Mapped[int] = mapped_column(ForeignKey("rater.id"))
    pair_id: Mapped[int] = mapped_column(ForeignKey("pair.id"))
    slot_id: Mapped[int | None]
    first_on_left: Mapped[bool]
    position: Mapped[int]
    state: Mapped[str]
    token: Mapped[str] = mapped_column(String(43), unique=True)
    leased_at: Mapped[datetime]
    lease_until: Mapped[datetime]
    reason: Mapped[str | None]
    delivered_at: Mapped[datetime | None]
    skipped_at: Mapped[datetime | None]
    __table_args__ = (
        one_of("state", STATES, "state"),
        UniqueConstraint("rater_id", "pair_id"),
        UniqueConstraint("id", "rater_id"),
        ForeignKeyConstraint(
            ["slot_id", "pair_id", "first_on_left"], ["slot.id", "slot.pair_id", "slot.first_on_left"]
        ),
        CheckConstraint("state <> 'skipped' OR reason IS NOT NULL", name="skip_reason"),
        Index(
            "uq_assignment_slot_taken",
            "slot_id",
            unique=True,
            sqlite_where=text("state IN ('leased', 'voted')"),
            postgresql_where=text("state IN ('leased', 'voted')"),
        ),
        Index(
            "uq_assignment_place_taken",
            "rater_id",
            "position",
            unique=True,
            sqlite_where=text("state IN ('leased', 'voted')"),
            postgresql_where=text("state IN ('leased', 'voted')"),
        ),
        Index("ix_assignment_state_lease", "state", "lease_until"),
    )


class Vote(Base):
    """A rater's answer to a trial's first question, written once: a side, a tie, or the grade of one clip."""

    __tablename__ = "vote"
    id: Mapped[int] = mapped_column(primary_key=True)
    assignment_id: Mapped[int] = mapped_column(unique=True)
    rater_id: Mapped[int]
    simulated: Mapped[bool]
    chosen: Mapped[str]
    response_ms: Mapped[int]
    replays: Mapped[int]
    focus_losses: Mapped[int]
    voted_at: Mapped[datetime]
    __table_args__ = (
        one_of("chosen", ANSWERS, "answer"),
        CheckConstraint("response_ms >= 0 AND replays >= 0 AND focus_losses >= 0", name="counts"),
        # only the rater who holds the assignment can vote on it, and with that rater's simulated flag
        ForeignKeyConstraint(["assignment_id", "rater_id"], ["assignment.id", "assignment.rater_id"]),
        ForeignKeyConstraint(["rater_id", "simulated"], ["rater.id", "rater.simulated"]),
    )


class Opinion(Base):
    """The answer to a further question of a trial, always written together with its vote."""

    __tablename__ = "opinion"
    vote_id: Mapped[int] = mapped_column(ForeignKey("vote.id"), primary_key=True)
    question: Mapped[str] = mapped_column(String(40), primary_key=True)
    chosen: Mapped[str]
    response_ms: Mapped[int]
    __table_args__ = (one_of("chosen", ANSWERS, "answer"), CheckConstraint("response_ms >= 0", name="counts"))


class Reply(Base):
    """A rater's answer to a question before or after the trials; empty if it was left out.

    It cannot be changed, but it can be deleted: what people write about themselves is theirs.
    """

    __tablename__ = "reply"
    rater_id: Mapped[int] = mapped_column(ForeignKey("rater.id"), primary_key=True)
    question: Mapped[str] = mapped_column(String(40), primary_key=True)
    part: Mapped[str]
    answer: Mapped[str]
    replied_at: Mapped[datetime]
    __table_args__ = (one_of("part", PARTS, "part"),)


class SeenOn(Base):
    """How the clips of a vote were seen, as `study_app.store.messages.Screen`."""

    __tablename__ = "screen"
    vote_id: Mapped[int] = mapped_column(ForeignKey("vote.id"), primary_key=True)
    clip_px: Mapped[float] = mapped_column(Float)
    pixel_ratio: Mapped[float] = mapped_column(Float)
    width: Mapped[int]
    height: Mapped[int]
    layout: Mapped[str]
    pointer: Mapped[str]
    browser: Mapped[str]
    dropped: Mapped[int]
    pauses: Mapped[int | None]
    dots_per_mm: Mapped[float | None] = mapped_column(Float)
    distance_cm: Mapped[float | None] = mapped_column(Float)


class Exclusion(Base):
    """Why a rater's votes no longer count; recorded permanently, and there may be several reasons."""

    __tablename__ = "exclusion"
    id: Mapped[int] = mapped_column(primary_key=True)
    rater_id: Mapped[int] = mapped_column(ForeignKey("rater.id"), index=True)
    reason: Mapped[str]
    made_by: Mapped[str]
    made_at: Mapped[datetime]
    __table_args__ = (CheckConstraint("length(trim(reason)) > 0", name="reason"),)


class Ending(Base):
    """How a rater's session ended, with the code that shows this for payment; later endings are stored as well."""

    __tablename__ = "ending"
    id: Mapped[int] = mapped_column(primary_key=True)
    rater_id: Mapped[int] = mapped_column(ForeignKey("rater.id"))
    outcome: Mapped[str]
    code: Mapped[str]
    ended_at: Mapped[datetime]
    __table_args__ = (UniqueConstraint("rater_id", "outcome"), one_of("outcome", OUTCOMES, "outcome"))


class Erasure(Base):
    """A rater's erasure at their own request, and whether their votes still count.

    It is written once. Triggers then allow the changes that an erasure needs: hashes, codes and free texts are removed,
    and times keep only their day.
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


class Declined(Base):
    """Number of people who did not agree to take part; nothing else about them is stored, not even the time."""

    __tablename__ = "declined"
    study_id: Mapped[int] = mapped_column(ForeignKey("study.id"), primary_key=True)
    times: Mapped[int]
