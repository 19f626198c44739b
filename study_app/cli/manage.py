"""Subcommands of `bench study` that prepare and run a study: previews, pilots, links, serving, state, changes."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bench.errors import BenchError
from study_app.cli.options import Database, Folders, Name, Real, Reason, named, open_study, print_notes
from study_app.design.settings import StudyRequest

if TYPE_CHECKING:
    from study_app.store.audit_trail import Action


def preview(
    db: Database = None,
    study: Name = None,
    port: Annotated[int, typer.Option(help="Port.")] = 8502,
    address: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
) -> None:
    """Show every page that raters see, on a temporary copy of the study."""
    from study_app.web.preview import preview as run

    typer.echo(f"Preview of every page of the study: http://{address}:{port}. Answers are not saved.", err=True)
    raise typer.Exit(run(open_study(db, study), port, address))


def pilot(db: Database = None, study: Name = None) -> None:
    """Make a pilot of a study: raters see the same pages, but their votes never count."""
    from study_app.pipeline.copies import pilot as make
    from study_app.store.store import Store

    store = Store(db)
    name = make(store, store.open(study)).name
    typer.echo(f"Created '{name}'. Serve and export it with --study '{name}'. Its votes never count for the study.")


def register(
    db: Database = None,
    study: Name = None,
    out: Annotated[Path, typer.Option(help="File to write.")] = Path("registration.json"),
) -> None:
    """Write the study's design, rules and analysis plan, with a hash, for preregistration."""
    from bench.files import write_text
    from study_app.pipeline.registration import register as write_registration

    registration = write_registration(open_study(db, study), "command line")
    write_text(out, registration.text)
    typer.echo(f"{out}  SHA-256 {registration.sha256}")
    if not registration.intact:
        recorded = ", ".join(registration.recorded)
        raise BenchError(f"The study differs from its registration ({recorded}): it was changed afterwards.")


def pause(db: Database = None, study: Name = None, reason: Reason = "") -> None:
    """Pause a study: raters wait, and their answers are kept."""
    _change(db, study, "pause", reason)


def close(db: Database = None, study: Name = None, reason: Reason = "") -> None:
    """Close a study: it accepts no more answers."""
    _change(db, study, "close", reason)


def reopen(db: Database = None, study: Name = None, reason: Reason = "") -> None:
    """Accept answers again after `pause` or `close`."""
    _change(db, study, "reopen", reason)


def unlock(db: Database = None) -> None:
    """Unlock the admin page for addresses that were locked out after wrong passwords."""
    from study_app.store.store import Store

    Store(db).unlock()
    typer.echo("The admin page accepts passwords from all addresses again.")


def _change(db: str | None, study: str | None, action: Action, reason: str) -> None:
    opened = open_study(db, study)
    opened.change(action, "command line", reason)
    typer.echo(f"The study '{opened.name}' is {opened.state()}.")


def links(
    url: Annotated[str, typer.Option(help="Public address of the study.")],
    db: Database = None,
    study: Name = None,
    count: Annotated[int, typer.Option(help="Number of links to create, for P01, P02 and so on.")] = 0,
    first: Annotated[int, typer.Option(help="Number of the first link.")] = 1,
    participant: Annotated[
        list[str] | None, typer.Option(help="ID of a participant, in place of --count; can be repeated.")
    ] = None,
    out: Annotated[Path, typer.Option(help="Output folder.")] = Path("study-links"),
) -> None:
    """Make a signed link for each participant, as a table and as a sheet of QR codes."""
    from study_app.pipeline import links as pipeline

    if bool(count) == bool(participant):
        raise BenchError("There are no participants. Give --count, or --participant for each ID.")
    opened = open_study(db, study)
    made = pipeline.links(opened, participant or pipeline.numbered(count, first), url)
    for path in pipeline.write(opened, made, out):
        typer.echo(path)


def serve(
    db: Database = None,
    study: Name = None,
    port: Annotated[int, typer.Option(help="Port.")] = 8501,
    address: Annotated[str, typer.Option(help="Address to listen on; 0.0.0.0 for all.")] = "127.0.0.1",
    proxy: Annotated[
        bool,
        typer.Option(help="A reverse proxy on this machine forwards to the app and sets X-Forwarded-For and -Proto."),
    ] = False,
    sessions: Annotated[
        int, typer.Option(help="New sessions per hour from one network address without signed links; 0: no limit.")
    ] = 30,
) -> None:
    """Serve a study to raters."""
    from study_app.web.serve import Options, prepare
    from study_app.web.serve import serve as run

    print_notes(prepare(db, study))
    raise typer.Exit(run(db, study, Options(port, address, proxy, sessions)))


def extend(
    folders: Folders = None,
    real: Real = None,
    db: Database = None,
    study: Name = None,
    votes: Annotated[int, typer.Option(help="Additional votes per pair.")] = 0,
    run: Annotated[
        list[Path] | None, typer.Option(help="Run folder with additional clips; several are joined.")
    ] = None,
    clips: Annotated[int, typer.Option(help="Additional clips per comparison.")] = StudyRequest.clips,
    seed: Annotated[
        int | None, typer.Option(help="Seed for what is added; default: random, kept by the study.")
    ] = StudyRequest.seed,
    size: Annotated[int | None, typer.Option(help="Size at which clips are shown.")] = None,
    accept_first_frames: Annotated[bool, typer.Option(help="Accept pairs whose first frames differ.")] = False,
) -> None:
    """Add votes or clips to a study; its registration records what was added and when."""
    from study_app.pipeline.extend import extend as add

    request = StudyRequest(
        runs=tuple(run or ()),
        folders=named(folders),
        real=real,
        clips=clips,
        votes=votes,
        seed=seed,
        size=size,
        accept_first_frames=accept_first_frames,
    )
    typer.echo(add(open_study(db, study), request))


def erase(
    reason: Annotated[str, typer.Option(help="Reason for the audit trail; must not name anybody.")],
    rater: Annotated[str, typer.Argument(help="The rater's pseudonym, as in raters.csv.")] = "",
    participant: Annotated[str, typer.Option(help="The ID in the rater's link, in place of the pseudonym.")] = "",
    db: Database = None,
    study: Name = None,
) -> None:
    """Permanently remove everything that could identify a rater, at their request."""
    opened = open_study(db, study)
    pseudonym = opened.erase(reason, "command line", rater=rater, participant=participant)
    votes = opened.settings.erased_votes
    typer.echo(
        f"Done: the rater is now {pseudonym}, and the votes are {votes}. Existing copies and exports do not change."
    )
