"""Verbs of `bench study` that change what a study holds once it runs: one function a verb, no logic."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from study_app.cli_running import Database, Name
from study_app.design.settings import Wish


def extend(
    db: Database = None,
    study: Name = None,
    votes: Annotated[int, typer.Option(help="Further votes for every pair.")] = 0,
    run: Annotated[list[Path] | None, typer.Option(help="Run folder with further clips; several are joined.")] = None,
    clips: Annotated[int, typer.Option(help="Further clips per comparison, of those that the run has.")] = Wish.clips,
    seed: Annotated[int, typer.Option(help="Seed of what is added.")] = Wish.seed,
    size: Annotated[int | None, typer.Option(help="Show the clips at this size.")] = None,
    accept_first_frames: Annotated[bool, typer.Option(help="Accept clips that do not start alike.")] = False,
) -> None:
    """Add votes or clips to a study; its registration says what was added when."""
    from study_app.extend import extend as add

    wish = Wish(
        tuple(run or ()), clips=clips, votes=votes, seed=seed, size=size, accept_first_frames=accept_first_frames
    )
    typer.echo(add(db, study, wish))


def erase(
    reason: Annotated[str, typer.Option(help="Why, for the record; it should name nobody.")],
    rater: Annotated[str, typer.Argument(help="The rater's pseudonym, as in raters.csv.")] = "",
    participant: Annotated[str, typer.Option(help="In its place: the id that their link had.")] = "",
    db: Database = None,
    study: Name = None,
) -> None:
    """Make a rater anonymous at their wish: all that could point to them goes, for good."""
    from study_app.store.store import Store

    opened = Store(db).open(study)
    pseudonym = opened.erase(reason, "command line", rater=rater, participant=participant)
    votes = opened.settings.erased_votes
    typer.echo(
        f"Done: the rater is {pseudonym} now, and the votes are {votes}. Copies and exports hold what they held."
    )


#: In the order in which they are needed; `study_app.cli` adds them to its own.
VERBS = (extend, erase)
