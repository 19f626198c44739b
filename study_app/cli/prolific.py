"""`bench study prolific`: create a draft on Prolific and approve submissions; nothing changes without `--send`."""

from __future__ import annotations

import json
from typing import Annotated

import typer

from study_app.cli.options import Database, Name, open_study

app = typer.Typer(no_args_is_help=True, help="Use Prolific's API; needs a token in BENCH_PROLIFIC_TOKEN.")
Send = Annotated[bool, typer.Option("--send", help="Send it; without this flag, only show what would be sent.")]


@app.command()
def create(
    url: Annotated[str, typer.Option(help="Public address of the study, starting with https.")],
    title: Annotated[str, typer.Option(help="Title shown to participants.")],
    description: Annotated[str, typer.Option(help="Description shown to participants.")],
    reward: Annotated[int, typer.Option(help="Reward per session, in pence or cents.")],
    places: Annotated[
        int | None, typer.Option(help="Number of participants; default: as many as the votes need, plus 10 %.")
    ] = None,
    db: Database = None,
    study: Name = None,
    send: Send = False,
) -> None:
    """Create a draft of a study on Prolific; you publish it there."""
    from study_app.pipeline import prolific

    opened, offer = open_study(db, study), prolific.Offer(title, description, url, reward, places)
    if not send:
        typer.echo(json.dumps(prolific.draft(opened, offer), indent=2))
        typer.echo("Nothing was sent. To send it, add --send.", err=True)
        return
    typer.echo(f"Created the draft {prolific.create(opened, offer)}. Check it on Prolific, and publish it there.")


@app.command()
def approve(
    prolific_id: Annotated[str, typer.Argument(help="Prolific's ID of the study.")],
    db: Database = None,
    study: Name = None,
    send: Send = False,
) -> None:
    """Approve participants who completed the study and passed; list all others, and reject no one."""
    from study_app.pipeline import prolific

    opened = open_study(db, study)
    listed = prolific.submissions(opened, prolific_id)
    for submission in listed:
        typer.echo(f"{submission.id}  {submission.rater or '–':16}  {submission.why or 'to be approved'}")
    if send:
        typer.echo(f"Approved {prolific.approve(opened, listed)} of {len(listed)} submissions.")
    else:
        typer.echo(f"{sum(not s.why for s in listed)} of {len(listed)} would be approved. To approve them, add --send.")
