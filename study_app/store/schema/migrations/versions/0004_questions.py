"""Answers that are no side (ties, grades), several of a trial, and questions before and after the trials.

Revision ID: 0004
Revises: 0003
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

ANSWERS = "chosen IN ('left', 'right', 'tie', '1', '2', '3', '4', '5')"
OUTCOMES = "outcome IN ('complete', 'failed', 'technical', 'withdrawn', 'excluded', 'ineligible')"


def upgrade() -> None:
    """Widen what an answer and an ending can be, and add two tables; nothing that was there changes."""
    sqlite = op.get_bind().dialect.name == "sqlite"
    if sqlite:
        _written_anew()
    else:
        op.drop_constraint(op.f("ck_vote_side"), "vote", type_="check")
        op.create_check_constraint(op.f("ck_vote_answer"), "vote", ANSWERS)
        op.drop_constraint(op.f("ck_ending_outcome"), "ending", type_="check")
        op.create_check_constraint(op.f("ck_ending_outcome"), "ending", OUTCOMES)
    op.create_table(
        "opinion",
        sa.Column("vote_id", sa.Integer(), nullable=False),
        sa.Column("question", sa.String(length=40), nullable=False),
        sa.Column("chosen", sa.Text(), nullable=False),
        sa.Column("response_ms", sa.Integer(), nullable=False),
        sa.CheckConstraint(ANSWERS, name=op.f("ck_opinion_answer")),
        sa.CheckConstraint("response_ms >= 0", name=op.f("ck_opinion_counts")),
        sa.ForeignKeyConstraint(["vote_id"], ["vote.id"], name=op.f("fk_opinion_vote_id")),
        sa.PrimaryKeyConstraint("vote_id", "question", name=op.f("pk_opinion")),
    )
    op.create_table(
        "reply",
        sa.Column("rater_id", sa.Integer(), nullable=False),
        sa.Column("question", sa.String(length=40), nullable=False),
        sa.Column("part", sa.Text(), nullable=False),
        sa.Column("answer", sa.Text(), nullable=False),
        sa.Column("replied_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("part IN ('screening', 'demographic', 'closing')", name=op.f("ck_reply_part")),
        sa.ForeignKeyConstraint(["rater_id"], ["rater.id"], name=op.f("fk_reply_rater_id")),
        sa.PrimaryKeyConstraint("rater_id", "question", name=op.f("pk_reply")),
    )
    if sqlite:
        # the triggers of a table that was written anew went with the old one
        for table in ("vote", "ending", "opinion", "reply"):
            for verb in ("UPDATE",) if table == "reply" else ("UPDATE", "DELETE"):
                op.execute(
                    f"CREATE TRIGGER {table}_no_{verb.lower()} BEFORE {verb} ON {table} "
                    f"BEGIN SELECT RAISE(ABORT, '{table} rows are append only'); END"
                )
        return
    append_only = "FOR EACH ROW EXECUTE FUNCTION append_only()"
    op.execute(f"CREATE TRIGGER opinion_append_only BEFORE UPDATE OR DELETE ON opinion {append_only}")
    op.execute(f"CREATE TRIGGER reply_unchanged BEFORE UPDATE ON reply {append_only}")
    op.execute(
        "CREATE TRIGGER opinion_no_truncate BEFORE TRUNCATE ON opinion "
        "FOR EACH STATEMENT EXECUTE FUNCTION append_only()"
    )


def _written_anew() -> None:
    """Copy `vote` and `ending` into tables of other rules: SQLite knows no other way to change a rule.

    It drops no table while rows point to it, so those of `screen` wait meanwhile.
    """
    op.execute("CREATE TEMPORARY TABLE screen_kept AS SELECT * FROM screen")
    op.execute("DELETE FROM screen")
    for table in (_vote(), _ending()):
        with op.batch_alter_table(table.name, copy_from=table, recreate="always"):
            pass
    op.execute("INSERT INTO screen SELECT * FROM screen_kept")
    op.execute("DROP TABLE screen_kept")


def _vote() -> sa.Table:
    """The table as it is from now on."""
    return sa.Table(
        "vote",
        sa.MetaData(),
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("assignment_id", sa.Integer(), nullable=False),
        sa.Column("rater_id", sa.Integer(), nullable=False),
        sa.Column("simulated", sa.Boolean(), nullable=False),
        sa.Column("chosen", sa.Text(), nullable=False),
        sa.Column("response_ms", sa.Integer(), nullable=False),
        sa.Column("replays", sa.Integer(), nullable=False),
        sa.Column("focus_losses", sa.Integer(), nullable=False),
        sa.Column("voted_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(ANSWERS, name=op.f("ck_vote_answer")),
        sa.CheckConstraint("response_ms >= 0 AND replays >= 0 AND focus_losses >= 0", name=op.f("ck_vote_counts")),
        sa.ForeignKeyConstraint(
            ["assignment_id", "rater_id"],
            ["assignment.id", "assignment.rater_id"],
            name=op.f("fk_vote_assignment_id_rater_id"),
        ),
        sa.ForeignKeyConstraint(
            ["rater_id", "simulated"], ["rater.id", "rater.simulated"], name=op.f("fk_vote_rater_id_simulated")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_vote")),
        sa.UniqueConstraint("assignment_id", name=op.f("uq_vote_assignment_id")),
    )


def _ending() -> sa.Table:
    """The table as it is from now on."""
    return sa.Table(
        "ending",
        sa.MetaData(),
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("rater_id", sa.Integer(), nullable=False),
        sa.Column("outcome", sa.Text(), nullable=False),
        sa.Column("code", sa.Text(), nullable=False),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(OUTCOMES, name=op.f("ck_ending_outcome")),
        sa.ForeignKeyConstraint(["rater_id"], ["rater.id"], name=op.f("fk_ending_rater_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_ending")),
        sa.UniqueConstraint("rater_id", "outcome", name=op.f("uq_ending_rater_id_outcome")),
    )


def downgrade() -> None:
    """Studies are not taken back to an older schema."""
    raise NotImplementedError
