"""Options shared by several subcommands of `bench study`, and printing of notes."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bench.errors import BenchError

if TYPE_CHECKING:
    from study_app.store.study import OpenStudy

Database = Annotated[str | None, typer.Option("--db", help="SQLite file or URL; default: BENCH_DATABASE_URL.")]


#: Your own videos, for `create` and `extend`.
Folders = Annotated[
    list[str] | None,
    typer.Argument(help="NAME=FOLDER: a method's videos, each named by its clip ID; a folder or a zip archive."),
]
Real = Annotated[
    Path | None,
    typer.Option(help="Folder or archive of the real clips. Without it, catch trials alter the methods' clips."),
]


Name = Annotated[str | None, typer.Option("--study", help="Study to use, if the database contains several.")]


Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]


Reason = Annotated[str, typer.Option(help="Reason; kept in the audit trail.")]


def open_study(db: str | None, name: str | None) -> OpenStudy:
    """Open the study that `--db` and `--study` select; most commands use this."""
    from study_app.store.store import Store

    return Store(db).open(name)


def named(folders: list[str] | None) -> tuple[tuple[str, Path], ...]:
    """Folders by name, as `bench score` reads them."""
    if not folders:
        return ()
    from bench.pipeline.score_inputs import named_folders  # here because PyTorch is slow to import

    read = named_folders(folders)
    names = [one.name for one in read]
    if twice := next((name for name in names if names.count(name) > 1), None):
        raise BenchError(f"A study shows one training run of each method, and '{twice}' has several. Give one of them.")
    return tuple((one.name, one.path) for one in read)


def print_notes(notes: Iterable[str]) -> None:
    """Print notes to standard error, one per line."""
    for note in notes:
        typer.echo(note, err=True)
