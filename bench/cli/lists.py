"""`bench list`: what can be named on the command line."""

from __future__ import annotations

import typer

from bench.options import Json, show

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
