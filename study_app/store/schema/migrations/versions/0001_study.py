"""The first schema: the schedule, raters, assignments, votes; votes and the audit trail are append only."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

APPEND_ONLY = ("vote", "audit", "exclusion")


def upgrade() -> None:
    """Make all tables and the triggers that keep votes as they were cast."""
    op.create_table(
        "media",
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.Column("data", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("sha256", name=op.f("pk_media")),
    )
    op.create_table(
        "study",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("simulated", sa.Boolean(), nullable=False),
        sa.Column("seed", sa.BigInteger(), nullable=False),
        sa.Column("settings", sa.Text(), nullable=False),
        sa.Column("schedule_sha256", sa.String(length=64), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_study")),
        sa.UniqueConstraint("id", "simulated", name=op.f("uq_study_id_simulated")),
        sa.UniqueConstraint("name", name=op.f("uq_study_name")),
    )
    op.create_table(
        "audit",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("study_id", sa.Integer(), nullable=True),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column("action", sa.Text(), nullable=False),
        sa.Column("detail", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["study_id"], ["study.id"], name=op.f("fk_audit_study_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_audit")),
    )
    op.create_index("ix_audit_action_at", "audit", ["action", "at"], unique=False)
    op.create_table(
        "rater",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("study_id", sa.Integer(), nullable=False),
        sa.Column("simulated", sa.Boolean(), nullable=False),
        sa.Column("token_hash", sa.String(length=64), nullable=False),
        sa.Column("platform", sa.Text(), nullable=False),
        sa.Column("platform_hash", sa.String(length=64), nullable=True),
        sa.Column("session_hash", sa.String(length=64), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("consent_version", sa.Text(), nullable=True),
        sa.Column("consented_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("withdrawn_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("completed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("completion_code", sa.Text(), nullable=True),
        sa.CheckConstraint(
            "(completed_at IS NULL) = (completion_code IS NULL)", name=op.f("ck_rater_code_after_completion")
        ),
        sa.CheckConstraint("(consent_version IS NULL) = (consented_at IS NULL)", name=op.f("ck_rater_consent")),
        sa.CheckConstraint("completed_at IS NULL OR consented_at IS NOT NULL", name=op.f("ck_rater_completed")),
        sa.ForeignKeyConstraint(
            ["study_id", "simulated"],
            ["study.id", "study.simulated"],
            name=op.f("fk_rater_study_id_simulated"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_rater")),
        sa.UniqueConstraint("id", "simulated", name=op.f("uq_rater_id_simulated")),
        sa.UniqueConstraint("study_id", "platform_hash", name=op.f("uq_rater_study_id_platform_hash")),
        sa.UniqueConstraint("study_id", "token_hash", name=op.f("uq_rater_study_id_token_hash")),
    )
    op.create_table(
        "system",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("study_id", sa.Integer(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["study_id"], ["study.id"], name=op.f("fk_system_study_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_system")),
        sa.UniqueConstraint("study_id", "name", name=op.f("uq_system_study_id_name")),
    )
    op.create_table(
        "clip",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("system_id", sa.Integer(), nullable=False),
        sa.Column("scene", sa.Text(), nullable=False),
        sa.Column("video", sa.Text(), nullable=False),
        sa.Column("source_sha256", sa.String(length=64), nullable=False),
        sa.Column("media_sha256", sa.String(length=64), nullable=False),
        sa.ForeignKeyConstraint(["media_sha256"], ["media.sha256"], name=op.f("fk_clip_media_sha256")),
        sa.ForeignKeyConstraint(["system_id"], ["system.id"], name=op.f("fk_clip_system_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_clip")),
        sa.UniqueConstraint("id", "scene", name=op.f("uq_clip_id_scene")),
        sa.UniqueConstraint("system_id", "scene", name=op.f("uq_clip_system_id_scene")),
    )
    op.create_table(
        "comparison",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("study_id", sa.Integer(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("first_id", sa.Integer(), nullable=False),
        sa.Column("second_id", sa.Integer(), nullable=False),
        sa.CheckConstraint("kind IN ('trial', 'practice', 'catch')", name=op.f("ck_comparison_kind")),
        sa.CheckConstraint("first_id <> second_id", name=op.f("ck_comparison_two_systems")),
        sa.ForeignKeyConstraint(["first_id"], ["system.id"], name=op.f("fk_comparison_first_id")),
        sa.ForeignKeyConstraint(["second_id"], ["system.id"], name=op.f("fk_comparison_second_id")),
        sa.ForeignKeyConstraint(["study_id"], ["study.id"], name=op.f("fk_comparison_study_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_comparison")),
        sa.UniqueConstraint(
            "study_id",
            "kind",
            "first_id",
            "second_id",
            name=op.f("uq_comparison_study_id_kind_first_id_second_id"),
        ),
    )
    op.create_index(op.f("ix_comparison_study_id"), "comparison", ["study_id"], unique=False)
    op.create_table(
        "exclusion",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("rater_id", sa.Integer(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("made_by", sa.Text(), nullable=False),
        sa.Column("made_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("length(trim(reason)) > 0", name=op.f("ck_exclusion_reason")),
        sa.ForeignKeyConstraint(["rater_id"], ["rater.id"], name=op.f("fk_exclusion_rater_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_exclusion")),
        sa.UniqueConstraint("rater_id", name=op.f("uq_exclusion_rater_id")),
    )
    op.create_table(
        "pair",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("comparison_id", sa.Integer(), nullable=False),
        sa.Column("scene", sa.Text(), nullable=False),
        sa.Column("first_clip_id", sa.Integer(), nullable=False),
        sa.Column("second_clip_id", sa.Integer(), nullable=False),
        sa.CheckConstraint("first_clip_id <> second_clip_id", name=op.f("ck_pair_two_clips")),
        sa.ForeignKeyConstraint(["comparison_id"], ["comparison.id"], name=op.f("fk_pair_comparison_id")),
        sa.ForeignKeyConstraint(
            ["first_clip_id", "scene"], ["clip.id", "clip.scene"], name=op.f("fk_pair_first_clip_id_scene")
        ),
        sa.ForeignKeyConstraint(
            ["second_clip_id", "scene"], ["clip.id", "clip.scene"], name=op.f("fk_pair_second_clip_id_scene")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_pair")),
        sa.UniqueConstraint("comparison_id", "scene", name=op.f("uq_pair_comparison_id_scene")),
    )
    op.create_table(
        "slot",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("pair_id", sa.Integer(), nullable=False),
        sa.Column("repeat", sa.Integer(), nullable=False),
        sa.Column("first_on_left", sa.Boolean(), nullable=False),
        sa.Column("priority", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["pair_id"], ["pair.id"], name=op.f("fk_slot_pair_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_slot")),
        sa.UniqueConstraint("id", "pair_id", "first_on_left", name=op.f("uq_slot_id_pair_id_first_on_left")),
        sa.UniqueConstraint("pair_id", "repeat", name=op.f("uq_slot_pair_id_repeat")),
    )
    op.create_table(
        "assignment",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("rater_id", sa.Integer(), nullable=False),
        sa.Column("pair_id", sa.Integer(), nullable=False),
        sa.Column("slot_id", sa.Integer(), nullable=True),
        sa.Column("first_on_left", sa.Boolean(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("token", sa.String(length=43), nullable=False),
        sa.Column("leased_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("lease_until", sa.DateTime(timezone=True), nullable=False),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.CheckConstraint("state <> 'skipped' OR reason IS NOT NULL", name=op.f("ck_assignment_skip_reason")),
        sa.CheckConstraint(
            "state IN ('leased', 'voted', 'skipped', 'expired', 'void')", name=op.f("ck_assignment_state")
        ),
        sa.ForeignKeyConstraint(["pair_id"], ["pair.id"], name=op.f("fk_assignment_pair_id")),
        sa.ForeignKeyConstraint(["rater_id"], ["rater.id"], name=op.f("fk_assignment_rater_id")),
        sa.ForeignKeyConstraint(
            ["slot_id", "pair_id", "first_on_left"],
            ["slot.id", "slot.pair_id", "slot.first_on_left"],
            name=op.f("fk_assignment_slot_id_pair_id_first_on_left"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_assignment")),
        sa.UniqueConstraint("id", "rater_id", name=op.f("uq_assignment_id_rater_id")),
        sa.UniqueConstraint("rater_id", "pair_id", name=op.f("uq_assignment_rater_id_pair_id")),
        sa.UniqueConstraint("token", name=op.f("uq_assignment_token")),
    )
    op.create_index("ix_assignment_state_lease", "assignment", ["state", "lease_until"], unique=False)
    op.create_index(
        "uq_assignment_place_taken",
        "assignment",
        ["rater_id", "position"],
        unique=True,
        sqlite_where=sa.text("state IN ('leased', 'voted')"),
        postgresql_where=sa.text("state IN ('leased', 'voted')"),
    )
    op.create_index(
        "uq_assignment_slot_taken",
        "assignment",
        ["slot_id"],
        unique=True,
        sqlite_where=sa.text("state IN ('leased', 'voted')"),
        postgresql_where=sa.text("state IN ('leased', 'voted')"),
    )
    op.create_table(
        "vote",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("assignment_id", sa.Integer(), nullable=False),
        sa.Column("rater_id", sa.Integer(), nullable=False),
        sa.Column("simulated", sa.Boolean(), nullable=False),
        sa.Column("chosen", sa.Text(), nullable=False),
        sa.Column("response_ms", sa.Integer(), nullable=False),
        sa.Column("replays", sa.Integer(), nullable=False),
        sa.Column("focus_losses", sa.Integer(), nullable=False),
        sa.Column("voted_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("chosen IN ('left', 'right')", name=op.f("ck_vote_side")),
        sa.CheckConstraint("response_ms >= 0 AND replays >= 0 AND focus_losses >= 0", name=op.f("ck_vote_counts")),
        sa.ForeignKeyConstraint(
            ["assignment_id", "rater_id"],
            ["assignment.id", "assignment.rater_id"],
            name=op.f("fk_vote_assignment_id_rater_id"),
        ),
        sa.ForeignKeyConstraint(
            ["rater_id", "simulated"],
            ["rater.id", "rater.simulated"],
            name=op.f("fk_vote_rater_id_simulated"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_vote")),
        sa.UniqueConstraint("assignment_id", name=op.f("uq_vote_assignment_id")),
    )

    if op.get_bind().dialect.name == "sqlite":
        for table in APPEND_ONLY:
            for verb in ("UPDATE", "DELETE"):
                op.execute(
                    f"CREATE TRIGGER {table}_no_{verb.lower()} BEFORE {verb} ON {table} "
                    f"BEGIN SELECT RAISE(ABORT, '{table} rows are append only'); END"
                )
        return
    op.execute(
        "CREATE FUNCTION append_only() RETURNS trigger LANGUAGE plpgsql AS "
        "$$ BEGIN RAISE EXCEPTION '% rows are append only', TG_TABLE_NAME USING ERRCODE = 'restrict_violation'; END $$"
    )
    for table in APPEND_ONLY:
        op.execute(
            f"CREATE TRIGGER {table}_append_only BEFORE UPDATE OR DELETE ON {table} "
            "FOR EACH ROW EXECUTE FUNCTION append_only()"
        )
        op.execute(
            f"CREATE TRIGGER {table}_no_truncate BEFORE TRUNCATE ON {table} "
            "FOR EACH STATEMENT EXECUTE FUNCTION append_only()"
        )


def downgrade() -> None:
    """Studies are not taken back to an older schema."""
    raise NotImplementedError
