"""What all tables of the study database share: column types for times and settings, and constraint names."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import CheckConstraint, DateTime, MetaData, Text, TypeDecorator
from sqlalchemy.orm import DeclarativeBase

from study_app.design.settings import StudySettings


class UTCDateTime(TypeDecorator[datetime]):
    """A time in UTC; SQLite stores no time zone, so it is restored on reading."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Any) -> datetime | None:
        """Convert to UTC, without the zone if the database has none."""
        if value is None:
            return None
        value = value.astimezone(UTC)
        return value.replace(tzinfo=None) if dialect.name == "sqlite" else value

    def process_result_value(self, value: datetime | None, dialect: Any) -> datetime | None:
        """Return the time with its zone."""
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


class SettingsJSON(TypeDecorator[StudySettings]):
    """A study's settings, kept as canonical JSON."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: StudySettings | None, dialect: Any) -> str | None:
        """Write JSON."""
        return None if value is None else value.to_json()

    def process_result_value(self, value: str | None, dialect: Any) -> StudySettings | None:
        """Read JSON."""
        return None if value is None else StudySettings.from_json(value)


def one_of(column: str, values: tuple[str, ...], name: str) -> CheckConstraint:
    """Constraint that a column contains one of these words."""
    return CheckConstraint(f"{column} IN ({', '.join(repr(value) for value in values)})", name=name)


class Base(DeclarativeBase):
    """Names every constraint, so that migrations can name them too."""

    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
            "fk": "fk_%(table_name)s_%(column_0_N_name)s",
            "pk": "pk_%(table_name)s",
        }
    )
    type_annotation_map = {datetime: UTCDateTime, str: Text, StudySettings: SettingsJSON}  # noqa: RUF012 - SQLAlchemy's own attribute
