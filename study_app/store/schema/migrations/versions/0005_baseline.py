"""The schema of version 0.2, with append-only votes, endings and audit trail.

It has the number of the last of the five migrations that it replaces, so studies of version 0.2 open unchanged.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = None
branch_labels = None
depends_on = None


class Allowed(NamedTuple):
    """Changes that an append-only table allows once a rater is erased: columns, new values, and affected rows."""

    table: str
    texts: dict[str, str]
    times: tuple[str, ...]
    whose: str


OF_ERASED = "EXISTS (SELECT 1 FROM erasure WHERE erasure.rater_id = OLD.rater_id)"
#: Lines of the audit trail identify a rater by the beginning of their hash.
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
APPEND_ONLY = ("opinion", "erasure", "extension")
#: Answers before and after the trials cannot be changed, but they can be deleted.
UNCHANGED = "reply"
ANSWERS = "chosen IN ('left', 'right', 'tie', '1', '2', '3', '4', '5')"
OUTCOMES = "outcome IN ('complete', 'failed', 'technical', 'withdrawn', 'excluded', 'ineligible')"
TAKEN = sa.text("state IN ('leased', 'voted')")


def upgrade() -> None:
    """Create all tables, and the triggers that keep votes as they were cast."""
    _schedule()
    _raters()
    _answers()
    _account()
    if op.get_bind().dialect.name == "sqlite":
        _triggers_of_sqlite()
    else:
        _triggers_of_postgresql()


def _id() -> sa.Column[int]:
    return sa.Column("id", sa.Integer(), primary_key=True)


def _refers(name: str, to: str, **more: Any) -> sa.Column[int]:
    return sa.Column(name, sa.Integer(), sa.ForeignKey(to), **{"nullable": False, **more})


def _whole(name: str, **more: Any) -> sa.Column[int]:
    return sa.Column(name, sa.Integer(), **{"nullable": False, **more})


def _text(name: str, length: int | None = None, **more: Any) -> sa.Column[str]:
    kind = sa.String(length) if length else sa.Text()
    return sa.Column(name, kind, **{"nullable": False, **more})


def _time(name: str, **more: Any) -> sa.Column[Any]:
    return sa.Column(name, sa.DateTime(timezone=True), **{"nullable": False, **more})


def _flag(name: str) -> sa.Column[bool]:
    return sa.Column(name, sa.Boolean(), nullable=False)


def _seed() -> sa.Column[int]:
    return sa.Column("seed", sa.BigInteger(), nullable=False)


def _schedule() -> None:
    """Create the tables of the study, its clips, and the votes that it wants."""
    op.create_table("media", _text("sha256", 64, primary_key=True), sa.Column("data", sa.LargeBinary(), nullable=False))
    op.create_table(
        "study",
        _id(),
        _text("name", unique=True),
        _time("created_at"),
        _flag("simulated"),
        _seed(),
        _text("settings"),
        _text("schedule_sha256", 64),
        sa.UniqueConstraint("id", "simulated"),
    )
    op.create_table(
        "system", _id(), _refers("study_id", "study.id"), _text("name"), sa.UniqueConstraint("study_id", "name")
    )
    op.create_table(
        "clip",
        _id(),
        _refers("system_id", "system.id"),
        _text("scene"),
        _text("video"),
        _text("source_sha256", 64),
        sa.Column("media_sha256", sa.String(64), sa.ForeignKey("media.sha256"), nullable=False),
        sa.UniqueConstraint("id", "scene"),
        sa.UniqueConstraint("system_id", "scene"),
    )
    op.create_table(
        "comparison",
        _id(),
        _refers("study_id", "study.id", index=True),
        _whole("position"),
        _text("kind"),
        _refers("first_id", "system.id"),
        _refers("second_id", "system.id"),
        sa.CheckConstraint("kind IN ('trial', 'practice', 'catch')", name="kind"),
        sa.CheckConstraint("first_id <> second_id", name="two_systems"),
        sa.UniqueConstraint("study_id", "kind", "first_id", "second_id"),
    )
    op.create_table(
        "pair",
        _id(),
        _refers("comparison_id", "comparison.id"),
        _text("scene"),
        _whole("first_clip_id"),
        _whole("second_clip_id"),
        sa.CheckConstraint("first_clip_id <> second_clip_id", name="two_clips"),
        sa.ForeignKeyConstraint(["first_clip_id", "scene"], ["clip.id", "clip.scene"]),
        sa.ForeignKeyConstraint(["second_clip_id", "scene"], ["clip.id", "clip.scene"]),
        sa.UniqueConstraint("comparison_id", "scene"),
    )
    op.create_table(
        "slot",
        _id(),
        _refers("pair_id", "pair.id"),
        _whole("repeat"),
        _flag("first_on_left"),
        _whole("priority"),
        sa.UniqueConstraint("id", "pair_id", "first_on_left"),
        sa.UniqueConstraint("pair_id", "repeat"),
    )


def _raters() -> None:
    """Create the tables of raters, what was handed out to them, and how their sessions ended."""
    op.create_table(
        "rater",
        _id(),
        _whole("study_id"),
        _flag("simulated"),
        _text("token_hash", 64),
        _text("platform"),
        _text("platform_hash", 64, nullable=True),
        _text("session_hash", 64, nullable=True),
        _time("created_at"),
        _text("consent_version", nullable=True),
        *(_time(name, nullable=True) for name in ("consented_at", "withdrawn_at", "completed_at")),
        _text("completion_code", nullable=True),
        _time("came_at", nullable=True),
        _text("language", nullable=True),
        sa.CheckConstraint("(completed_at IS NULL) = (completion_code IS NULL)", name="code_after_completion"),
        sa.CheckConstraint("(consent_version IS NULL) = (consented_at IS NULL)", name="consent"),
        sa.CheckConstraint("completed_at IS NULL OR consented_at IS NOT NULL", name="completed"),
        sa.ForeignKeyConstraint(["study_id", "simulated"], ["study.id", "study.simulated"]),
        sa.UniqueConstraint("id", "simulated"),
        sa.UniqueConstraint("study_id", "platform_hash"),
        sa.UniqueConstraint("study_id", "token_hash"),
    )
    op.create_table(
        "assignment",
        _id(),
        _refers("rater_id", "rater.id"),
        _refers("pair_id", "pair.id"),
        _whole("slot_id", nullable=True),
        _flag("first_on_left"),
        _whole("position"),
        _text("state"),
        _text("token", 43, unique=True),
        _time("leased_at"),
        _time("lease_until"),
        _text("reason", nullable=True),
        _time("delivered_at", nullable=True),
        _time("skipped_at", nullable=True),
        sa.CheckConstraint("state <> 'skipped' OR reason IS NOT NULL", name="skip_reason"),
        sa.CheckConstraint("state IN ('leased', 'voted', 'skipped', 'expired', 'void')", name="state"),
        sa.ForeignKeyConstraint(
            ["slot_id", "pair_id", "first_on_left"], ["slot.id", "slot.pair_id", "slot.first_on_left"]
        ),
        sa.UniqueConstraint("id", "rater_id"),
        sa.UniqueConstraint("rater_id", "pair_id"),
    )
    op.create_index("ix_assignment_state_lease", "assignment", ["state", "lease_until"])
    for name, columns in (("place", ["rater_id", "position"]), ("slot", ["slot_id"])):
        taken: dict[str, Any] = {"sqlite_where": TAKEN, "postgresql_where": TAKEN}
        op.create_index(f"uq_assignment_{name}_taken", "assignment", columns, unique=True, **taken)
    op.create_table(
        "ending",
        _id(),
        _refers("rater_id", "rater.id"),
        _text("outcome"),
        _text("code"),
        _time("ended_at"),
        sa.CheckConstraint(OUTCOMES, name="outcome"),
        sa.UniqueConstraint("rater_id", "outcome"),
    )
    op.create_table(
        "exclusion",
        _id(),
        _refers("rater_id", "rater.id", index=True),
        _text("reason"),
        _text("made_by"),
        _time("made_at"),
        sa.CheckConstraint("length(trim(reason)) > 0", name="reason"),
    )


def _answers() -> None:
    """Create the tables of votes and their details, and of answers before and after the trials."""
    op.create_table(
        "vote",
        _id(),
        _whole("assignment_id", unique=True),
        _whole("rater_id"),
        _flag("simulated"),
        _text("chosen"),
        *(_whole(name) for name in ("response_ms", "replays", "focus_losses")),
        _time("voted_at"),
        sa.CheckConstraint(ANSWERS, name="answer"),
        sa.CheckConstraint("response_ms >= 0 AND replays >= 0 AND focus_losses >= 0", name="counts"),
        sa.ForeignKeyConstraint(["assignment_id", "rater_id"], ["assignment.id", "assignment.rater_id"]),
        sa.ForeignKeyConstraint(["rater_id", "simulated"], ["rater.id", "rater.simulated"]),
    )
    op.create_table(
        "opinion",
        _refers("vote_id", "vote.id", primary_key=True),
        _text("question", 40, primary_key=True),
        _text("chosen"),
        _whole("response_ms"),
        sa.CheckConstraint(ANSWERS, name="answer"),
        sa.CheckConstraint("response_ms >= 0", name="counts"),
    )
    op.create_table(
        "screen",
        _refers("vote_id", "vote.id", primary_key=True),
        *(sa.Column(name, sa.Float(), nullable=False) for name in ("clip_px", "pixel_ratio")),
        *(_whole(name) for name in ("width", "height")),
        *(_text(name) for name in ("layout", "pointer", "browser")),
        _whole("dropped"),
        _whole("pauses", nullable=True),
        *(sa.Column(name, sa.Float()) for name in ("dots_per_mm", "distance_cm")),
    )
    op.create_table(
        "reply",
        _refers("rater_id", "rater.id", primary_key=True),
        _text("question", 40, primary_key=True),
        _text("part"),
        _text("answer"),
        _time("replied_at"),
        sa.CheckConstraint("part IN ('screening', 'demographic', 'closing')", name="part"),
    )


def _account() -> None:
    """Create the tables of what is done to a study after its creation."""
    op.create_table(
        "audit",
        _id(),
        _time("at"),
        _refers("study_id", "study.id", nullable=True),
        *(_text(name) for name in ("actor", "action", "detail")),
    )
    op.create_index("ix_audit_action_at", "audit", ["action", "at"])
    op.create_table(
        "erasure",
        _id(),
        _refers("rater_id", "rater.id", unique=True),
        *(_text(name) for name in ("votes", "reason", "made_by")),
        _time("made_at"),
        sa.CheckConstraint("votes IN ('kept', 'left out')", name="votes"),
        sa.CheckConstraint("length(trim(reason)) > 0", name="reason"),
    )
    op.create_table(
        "extension",
        _id(),
        _refers("study_id", "study.id"),
        _whole("number"),
        _time("made_at"),
        _text("made_by"),
        _seed(),
        _whole("votes"),
        _text("scenes"),
        *(_whole(name) for name in ("trials_before", "slots_before", "clips_before", "slot_bytes")),
        _text("schedule_sha256", 64),
        sa.UniqueConstraint("study_id", "number"),
    )
    op.create_table("declined", _refers("study_id", "study.id", primary_key=True), _whole("times"))


def _condition(allowed: Allowed, same: str, day: str) -> str:
    """SQL condition for an update that changes only what an erasure must; times keep only their day, in UTC."""
    kept = [column["name"] for column in sa.inspect(op.get_bind()).get_columns(allowed.table)]
    kept = [name for name in kept if name not in allowed.texts and name not in allowed.times]
    terms = [f"NEW.{name} {same} OLD.{name}" for name in kept]
    terms += [f"(NEW.{name} {same} OLD.{name} OR NEW.{name} = '{text}')" for name, text in allowed.texts.items()]
    terms += [f"(NEW.{name} {same} OLD.{name} OR NEW.{name} = {day.format(name)})" for name in allowed.times]
    return " AND ".join([*terms, allowed.whose])


def _triggers_of_sqlite() -> None:
    day = "substr(OLD.{}, 1, 10) || ' 00:00:00.000000'"
    updates = {allowed.table: f" WHEN NOT ({_condition(allowed, 'IS', day)})" for allowed in ALLOWED}
    updates |= dict.fromkeys((*APPEND_ONLY, UNCHANGED), "")
    for table, when in updates.items():
        for verb in ("UPDATE",) if table == UNCHANGED else ("UPDATE", "DELETE"):
            op.execute(
                f"CREATE TRIGGER {table}_no_{verb.lower()} BEFORE {verb} ON {table}{when if verb == 'UPDATE' else ''} "
                f"BEGIN SELECT RAISE(ABORT, '{table} rows are append only'); END"
            )


def _triggers_of_postgresql() -> None:
    day = "date_trunc('day', OLD.{} AT TIME ZONE 'UTC') AT TIME ZONE 'UTC'"
    head = "RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN"
    refusal = "RAISE EXCEPTION '% rows are append only', TG_TABLE_NAME USING ERRCODE = 'restrict_violation'; END $$"
    op.execute(f"CREATE FUNCTION append_only() {head} {refusal}")
    functions = dict.fromkeys(APPEND_ONLY, "append_only()")
    for allowed in ALLOWED:
        functions[allowed.table] = function = f"append_only_{allowed.table}()"
        condition = _condition(allowed, "IS NOT DISTINCT FROM", day)
        body = f"IF TG_OP = 'UPDATE' THEN IF {condition} THEN RETURN NEW; END IF; END IF;"
        op.execute(f"CREATE FUNCTION {function} {head} {body} {refusal}")
    for table, function in functions.items():
        row, statement = "FOR EACH ROW EXECUTE FUNCTION", "FOR EACH STATEMENT EXECUTE FUNCTION"
        op.execute(f"CREATE TRIGGER {table}_append_only BEFORE UPDATE OR DELETE ON {table} {row} {function}")
        op.execute(f"CREATE TRIGGER {table}_no_truncate BEFORE TRUNCATE ON {table} {statement} append_only()")
    unchanged = f"{UNCHANGED}_unchanged BEFORE UPDATE ON {UNCHANGED}"
    op.execute(f"CREATE TRIGGER {unchanged} FOR EACH ROW EXECUTE FUNCTION append_only()")
