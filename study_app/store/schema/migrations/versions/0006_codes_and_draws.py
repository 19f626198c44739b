"""New outcomes for sessions that end because no pair is left (full) or the study is closed; a number per rater.

Sides and catch trials are drawn by that number, not by one that can be counted.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

NAME = "ck_ending_outcome"
OUTCOMES = "outcome IN ('complete', 'failed', 'technical', 'withdrawn', 'excluded', 'ineligible', 'full', 'closed')"


def upgrade() -> None:
    """Allow the two outcomes, and add the number; SQLite recreates the table, so its triggers are created again."""
    op.add_column("rater", sa.Column("draw", sa.BigInteger(), nullable=True))
    if op.get_bind().dialect.name == "postgresql":
        op.drop_constraint(op.f(NAME), "ending", type_="check")
        op.create_check_constraint(op.f(NAME), "ending", OUTCOMES)
        return
    made = "SELECT sql FROM sqlite_master WHERE type = 'trigger' AND tbl_name = 'ending'"
    triggers = op.get_bind().execute(sa.text(made)).scalars().all()
    with op.batch_alter_table("ending", recreate="always") as table:
        table.drop_constraint(op.f(NAME), type_="check")
        table.create_check_constraint(op.f(NAME), OUTCOMES)
    for trigger in triggers:
        op.execute(trigger)


def downgrade() -> None:
    """Not supported: studies are never migrated back to an older schema."""
    raise NotImplementedError
