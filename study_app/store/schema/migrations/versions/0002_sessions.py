"""How sessions end, when clips were delivered, and several reasons for an exclusion.

Revision ID: 0002
Revises: 0001
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add what version 0.2 keeps; nothing that was there changes."""
    with op.batch_alter_table("exclusion") as batch:
        batch.drop_constraint("uq_exclusion_rater_id", type_="unique")
    op.create_index("ix_exclusion_rater_id", "exclusion", ["rater_id"])
    op.create_table(
        "ending",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("rater_id", sa.Integer(), nullable=False),
        sa.Column("outcome", sa.Text(), nullable=False),
        sa.Column("code", sa.Text(), nullable=False),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(
            "outcome IN ('complete', 'failed', 'technical', 'withdrawn', 'excluded')", name=op.f("ck_ending_outcome")
        ),
        sa.ForeignKeyConstraint(["rater_id"], ["rater.id"], name=op.f("fk_ending_rater_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_ending")),
        sa.UniqueConstraint("rater_id", "outcome", name=op.f("uq_ending_rater_id_outcome")),
    )
    op.add_column("rater", sa.Column("came_at", sa.DateTime(timezone=True), nullable=True))
    op.add_column("assignment", sa.Column("delivered_at", sa.DateTime(timezone=True), nullable=True))
    op.add_column("assignment", sa.Column("skipped_at", sa.DateTime(timezone=True), nullable=True))
    # of votes that were cast before deliveries were kept, nobody can say that their clips were not delivered
    op.execute("UPDATE assignment SET delivered_at = leased_at WHERE state IN ('voted', 'void')")
    if op.get_bind().dialect.name == "sqlite":
        # `exclusion` was written anew to drop a constraint, and its triggers went with the old one
        for table in ("exclusion", "ending"):
            for verb in ("UPDATE", "DELETE"):
                op.execute(
                    f"CREATE TRIGGER {table}_no_{verb.lower()} BEFORE {verb} ON {table} "
                    f"BEGIN SELECT RAISE(ABORT, '{table} rows are append only'); END"
                )
        return
    op.execute(
        "CREATE TRIGGER ending_append_only BEFORE UPDATE OR DELETE ON ending "
        "FOR EACH ROW EXECUTE FUNCTION append_only()"
    )
    op.execute(
        "CREATE TRIGGER ending_no_truncate BEFORE TRUNCATE ON ending FOR EACH STATEMENT EXECUTE FUNCTION append_only()"
    )


def downgrade() -> None:
    """Studies are not taken back to an older schema."""
    raise NotImplementedError
