"""Options that several subcommands of `bench study` take, and how they print notes."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from study_app.store.study import OpenStudy

Database = Annotated[str | None, typer.Option("--db", help="SQLite file or URL; else BENCH_DATABASE_URL.")]


Name = Annotated[str | None, typer.Option("--study", help="Which study, where the database holds several.")]


Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]


Reason = Annotated[str, typer.Option(help="Why; kept in the audit trail.")]


def open_study(db: str | None, name: str | None) -> OpenStudy:
    """The study that `--db` and `--study` name; most commands open their study here."""
    from study_app.store.store import Store

    return Store(db).open(name)


def print_notes(notes: Iterable[str]) -> None:
    """Print notes to standard error, one a line."""
    for note in notes:
        typer.echo(note, err=True)
