"""Verbs of `bench study` for a study that runs or is about to: one function a verb, no logic."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bench.errors import BenchError

if TYPE_CHECKING:
    from study_app.store.life import Action

Database = Annotated[str | None, typer.Option("--db", help="SQLite file or URL; else BENCH_DATABASE_URL.")]
Name = Annotated[str | None, typer.Option("--study", help="Which study, where the database holds several.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Reason = Annotated[str, typer.Option(help="Why; kept in the audit trail.")]


def preview(
    db: Database = None,
    study: Name = None,
    port: Annotated[int, typer.Option(help="Port.")] = 8502,
    address: Annotated[str, typer.Option(help="Address to listen at.")] = "127.0.0.1",
) -> None:
    """Show every page that raters see, on a copy that is thrown away."""
    from study_app.trial_run import preview as run

    typer.echo(f"Every page of the study: http://{address}:{port}. Nothing that is answered there is kept.", err=True)
    raise typer.Exit(run(db, study, port, address))


def pilot(db: Database = None, study: Name = None) -> None:
    """Make a pilot of a study: people rate it as they would, and it never counts."""
    from study_app.trial_run import pilot as make

    name = make(db, study)
    typer.echo(f"Made '{name}': serve and export it with --study '{name}'. Its votes never count for the study.")


def register(
    db: Database = None,
    study: Name = None,
    out: Annotated[Path, typer.Option(help="File to write.")] = Path("registration.json"),
) -> None:
    """Write design, rules and analysis, to which a study has committed itself, with a hash; to hand in beforehand."""
    from bench.files import write_text
    from study_app.registration import register as make
    from study_app.store.store import Store

    made = make(Store(db).open(study), "command line")
    write_text(out, made.text)
    typer.echo(f"{out}  SHA-256 {made.sha256}")
    if not made.intact:
        raise BenchError(f"The study is not what was registered ({', '.join(made.recorded)}): it was changed since.")


def pause(db: Database = None, study: Name = None, reason: Reason = "") -> None:
    """Let raters wait; what they have answered is kept."""
    _change(db, study, "pause", reason)


def close(db: Database = None, study: Name = None, reason: Reason = "") -> None:
    """Take no more answers."""
    _change(db, study, "close", reason)


def reopen(db: Database = None, study: Name = None, reason: Reason = "") -> None:
    """Take answers again after `pause` or `close`."""
    _change(db, study, "reopen", reason)


def unlock(db: Database = None) -> None:
    """Open the admin page again to addresses that are shut out for wrong passwords."""
    from study_app.store.store import Store

    Store(db).unlock()
    typer.echo("The admin page takes passwords from everywhere again.")


def _change(db: str | None, study: str | None, action: Action, reason: str) -> None:
    from study_app.store.store import Store

    opened = Store(db).open(study)
    opened.change(action, "command line", reason)
    typer.echo(f"The study '{opened.name}' is {opened.state()}.")


#: In the order in which they are needed; `study_app.cli` adds them to its own.
VERBS = (preview, pilot, register, pause, close, reopen, unlock)
