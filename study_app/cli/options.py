"""Options that several subcommands of `bench study` take, and how they print notes."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated

import typer

Database = Annotated[str | None, typer.Option("--db", help="SQLite file or URL; else BENCH_DATABASE_URL.")]


Name = Annotated[str | None, typer.Option("--study", help="Which study, where the database holds several.")]


Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]


Reason = Annotated[str, typer.Option(help="Why; kept in the audit trail.")]


def print_notes(notes: Iterable[str]) -> None:
    """Print notes to standard error, one a line."""
    for note in notes:
        typer.echo(note, err=True)
