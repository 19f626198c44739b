"""Erased raters, votes and clips that were added later, people who did not agree, languages, measured screens.

Revision ID: 0005
Revises: 0004
"""

from __future__ import annotations

from typing import NamedTuple

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


class Allowed(NamedTuple):
    """What of an append-only row may be changed all the same, once its rater is erased: to what, and of which rows."""

    table: str
    texts: dict[str, str]
    times: tuple[str, ...]
    whose: str


OF_ERASED = "EXISTS (SELECT 1 FROM erasure WHERE erasure.rater_id = OLD.rater_id)"
#: Lines of the audit trail name a rater by the beginning of their hash.
NAMES_ERASED = (
    "OLD.action IN ('withdraw', 'exclude') AND EXISTS (SELECT 1 FROM erasure JOIN rater ON rater.id = erasure.rater_id "
    "WHERE rater.study_id = OLD.study_id AND substr(rater.token_hash, 1, 16) = substr(OLD.detail, 1, 16))"
)
ALLOWED = (
    Allowed("vote", {}, ("voted_at",), OF_ERASED),
    Allowed("ending", {"code": "erased"}, ("ended_at",), OF_ERASED),
    Allowed("exclusion", {"reason": "erased"}, ("made_at",), OF_ERASED),
    Allowed("audit", {"detail": "a rater who was erased"}, (), NAMES_ERASED),
)
APPEND_ONLY = ("erasure", "extension")


def upgrade() -> None:
    """Add tables and columns; of what was there, only that which an erasure has to change can be changed."""
    op.create_table(
        "erasure",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("rater_id", sa.Integer(), nullable=False),
        sa.Column("votes", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("made_by", sa.Text(), nullable=False),
        sa.Column("made_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("votes IN ('kept', 'left out')", name=op.f("ck_erasure_votes")),
        sa.CheckConstraint("length(trim(reason)) > 0", name=op.f("ck_erasure_reason")),
        sa.ForeignKeyConstraint(["rater_id"], ["rater.id"], name=op.f("fk_erasure_rater_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_erasure")),
        sa.UniqueConstraint("rater_id", name=op.f("uq_erasure_rater_id")),
    )
    op.create_table(
        "extension",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("study_id", sa.Integer(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("made_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("made_by", sa.Text(), nullable=False),
        sa.Column("seed", sa.BigInteger(), nullable=False),
        sa.Column("votes", sa.Integer(), nullable=False),
        sa.Column("scenes", sa.Text(), nullable=False),
        sa.Column("trials_before", sa.Integer(), nullable=False),
        sa.Column("slots_before", sa.Integer(), nullable=False),
        sa.Column("clips_before", sa.Integer(), nullable=False),
        sa.Column("slot_bytes", sa.Integer(), nullable=False),
        sa.Column("schedule_sha256", sa.String(length=64), nullable=False),
        sa.ForeignKeyConstraint(["study_id"], ["study.id"], name=op.f("fk_extension_study_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_extension")),
        sa.UniqueConstraint("study_id", "number", name=op.f("uq_extension_study_id_number")),
    )
    op.create_table(
        "declined",
        sa.Column("study_id", sa.Integer(), nullable=False),
        sa.Column("times", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["study_id"], ["study.id"], name=op.f("fk_declined_study_id")),
        sa.PrimaryKeyConstraint("study_id", name=op.f("pk_declined")),
    )
    op.add_column("rater", sa.Column("language", sa.Text(), nullable=True))
    op.add_column("screen", sa.Column("pauses", sa.Integer(), nullable=True))
    op.add_column("screen", sa.Column("dots_per_mm", sa.Float(), nullable=True))
    op.add_column("screen", sa.Column("distance_cm", sa.Float(), nullable=True))
    lite = op.get_bind().dialect.name == "sqlite"
    for table in APPEND_ONLY:
        _append_only_sqlite(table) if lite else _append_only_postgresql(table)
    for allowed in ALLOWED:
        condition = _condition(allowed, lite)
        _allow_sqlite(allowed.table, condition) if lite else _allow_postgresql(allowed.table, condition)


def _condition(allowed: Allowed, lite: bool) -> str:
    """True of an update that changes nothing but what an erasure has to; times lose all but their day, in UTC."""
    same = "IS" if lite else "IS NOT DISTINCT FROM"

    def day(column: str) -> str:
        if lite:
            return f"substr(OLD.{column}, 1, 10) || ' 00:00:00.000000'"
        return f"date_trunc('day', OLD.{column} AT TIME ZONE 'UTC') AT TIME ZONE 'UTC'"

    kept = [column["name"] for column in sa.inspect(op.get_bind()).get_columns(allowed.table)]
    kept = [name for name in kept if name not in allowed.texts and name not in allowed.times]
    terms = [f"NEW.{name} {same} OLD.{name}" for name in kept]
    terms += [f"(NEW.{name} {same} OLD.{name} OR NEW.{name} = '{text}')" for name, text in allowed.texts.items()]
    terms += [f"(NEW.{name} {same} OLD.{name} OR NEW.{name} = {day(name)})" for name in allowed.times]
    return " AND ".join([*terms, allowed.whose])


def _append_only_sqlite(table: str) -> None:
    for verb in ("UPDATE", "DELETE"):
        op.execute(
            f"CREATE TRIGGER {table}_no_{verb.lower()} BEFORE {verb} ON {table} "
            f"BEGIN SELECT RAISE(ABORT, '{table} rows are append only'); END"
        )


def _append_only_postgresql(table: str) -> None:
    op.execute(
        f"CREATE TRIGGER {table}_append_only BEFORE UPDATE OR DELETE ON {table} "
        "FOR EACH ROW EXECUTE FUNCTION append_only()"
    )
    op.execute(
        f"CREATE TRIGGER {table}_no_truncate BEFORE TRUNCATE ON {table} "
        "FOR EACH STATEMENT EXECUTE FUNCTION append_only()"
    )


def _allow_sqlite(table: str, condition: str) -> None:
    op.execute(f"DROP TRIGGER IF EXISTS {table}_no_update")
    op.execute(
        f"CREATE TRIGGER {table}_no_update BEFORE UPDATE ON {table} WHEN NOT ({condition}) "
        f"BEGIN SELECT RAISE(ABORT, '{table} rows are append only'); END"
    )


def _allow_postgresql(table: str, condition: str) -> None:
    op.execute(
        f"CREATE FUNCTION append_only_{table}() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
        f"IF TG_OP = 'UPDATE' THEN IF {condition} THEN RETURN NEW; END IF; END IF; "
        "RAISE EXCEPTION '% rows are append only', TG_TABLE_NAME USING ERRCODE = 'restrict_violation'; END $$"
    )
    op.execute(f"DROP TRIGGER {table}_append_only ON {table}")
    op.execute(
        f"CREATE TRIGGER {table}_append_only BEFORE UPDATE OR DELETE ON {table} "
        f"FOR EACH ROW EXECUTE FUNCTION append_only_{table}()"
    )


def downgrade() -> None:
    """Studies are not taken back to an older schema."""
    raise NotImplementedError
