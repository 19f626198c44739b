"""`bench study prolific`: a draft there, and approving from here. Nothing is sent without `--send`."""

from __future__ import annotations

import json
from typing import Annotated

import typer

from study_app.cli.options import Database, Name, open_study

app = typer.Typer(no_args_is_help=True, help="Prolific's API, where BENCH_PROLIFIC_TOKEN holds a token.")
Send = Annotated[bool, typer.Option("--send", help="Do it; without this it is only shown.")]


@app.command()
def create(
    url: Annotated[str, typer.Option(help="Where raters reach the study, beginning with https.")],
    title: Annotated[str, typer.Option(help="Title that participants read.")],
    description: Annotated[str, typer.Option(help="Description that participants read.")],
    reward: Annotated[int, typer.Option(help="Of a session, in pence or cents.")],
    places: Annotated[int | None, typer.Option(help="Participants; default: as the votes take, and a tenth.")] = None,
    db: Database = None,
    study: Name = None,
    send: Send = False,
) -> None:
    """Make a draft of a study on Prolific; publishing it is done there."""
    from study_app.pipeline import prolific

    opened, offer = open_study(db, study), prolific.Offer(title, description, url, reward, places)
    if not send:
        typer.echo(json.dumps(prolific.draft(opened, offer), indent=2))
        typer.echo("Nothing was sent; with --send it is.", err=True)
        return
    typer.echo(f"Made the draft {prolific.create(opened, offer)}: look at it on Prolific, and publish it there.")


@app.command()
def approve(
    prolific_id: Annotated[str, typer.Argument(help="Prolific's id of the study.")],
    db: Database = None,
    study: Name = None,
    send: Send = False,
) -> None:
    """Approve who has completed and passed; everybody else is listed, and nobody is rejected."""
    from study_app.pipeline import prolific

    opened = open_study(db, study)
    listed = prolific.submissions(opened, prolific_id)
    for submission in listed:
        typer.echo(f"{submission.id}  {submission.rater or '–':16}  {submission.why or 'to be approved'}")
    if send:
        typer.echo(f"Approved {prolific.approve(opened, listed)} of {len(listed)} submissions.")
    else:
        typer.echo(f"{sum(not s.why for s in listed)} of {len(listed)} would be approved; with --send they are.")
