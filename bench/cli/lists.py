"""`bench list`: what can be named on the command line; and `bench doctor`: what is there on this machine."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from bench.options import Json, show
from bench.registry import DEFAULT_DATASET

list_app = typer.Typer(help="What can be named on the command line.", no_args_is_help=True)


@list_app.command("models")
def list_models(as_json: Json = False) -> None:
    """Models, their result rows and sizes."""
    from bench.pipeline.lists import models

    show(models(), as_json)


@list_app.command("datasets")
def list_datasets(as_json: Json = False) -> None:
    """Datasets and where their readers live."""
    from bench.pipeline.lists import datasets

    show(datasets(), as_json)


@list_app.command("metrics")
def list_metrics(as_json: Json = False) -> None:
    """Metrics, their direction, range and definition."""
    from bench.pipeline.lists import metrics

    show(metrics(), as_json)


def doctor(
    data: Annotated[list[str] | None, typer.Option(help="Look at this data too, as in sky=FOLDER.")] = None,
    as_json: Json = False,
) -> None:
    """Say what is installed, what is found, what is missing and how to get it."""
    from bench.pipeline.doctor import examine

    roots = [
        (name or DEFAULT_DATASET, Path(folder)) for name, _, folder in (text.rpartition("=") for text in data or [])
    ]
    checks = examine(roots)
    show([vars(check) for check in checks], as_json, heads=False)
