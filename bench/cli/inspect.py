"""`bench list`: names for use on the command line; `bench doctor`: what is installed on this machine."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from bench.cli_options import Json, show
from bench.errors import BenchError
from bench.registry import DEFAULT_DATASET

list_app = typer.Typer(help="What can be named on the command line.", no_args_is_help=True)


@list_app.command("models")
def list_models(as_json: Json = False) -> None:
    """List models, with their result rows and sizes."""
    from bench.pipeline.listing import models

    show(models(), as_json)


@list_app.command("datasets")
def list_datasets(as_json: Json = False) -> None:
    """List datasets and their readers."""
    from bench.pipeline.listing import datasets

    show(datasets(), as_json)


@list_app.command("metrics")
def list_metrics(as_json: Json = False) -> None:
    """List metrics, with their direction, range and definition."""
    from bench.pipeline.listing import metrics

    show(metrics(), as_json)


def doctor(
    data: Annotated[list[str] | None, typer.Option(help="Check this dataset too, as in sky=FOLDER.")] = None,
    numerics: Annotated[
        bool,
        typer.Option(
            "--numerics", help="Compare this machine's arithmetic with float64 instead; takes about a minute."
        ),
    ] = False,
    as_json: Json = False,
) -> None:
    """Show what is installed, what is missing and how to get it."""
    if numerics:
        _doctor_numerics(as_json)
        return
    from bench.pipeline.doctor import examine

    roots = [
        (name or DEFAULT_DATASET, Path(folder)) for name, _, folder in (text.rpartition("=") for text in data or [])
    ]
    checks = examine(roots)
    show([vars(check) for check in checks], as_json, heads=False)


def _doctor_numerics(as_json: bool) -> None:
    """Print the error of each kernel; raises a `BenchError` if one is wrong."""
    import faulthandler

    from bench.pipeline.numerics import examine_numerics, machine

    if not faulthandler.is_enabled():
        faulthandler.enable()  # if a kernel writes out of bounds and crashes, the traceback shows which one
    findings = list(examine_numerics())
    where = machine()
    if as_json:
        show([{**vars(finding), **where} for finding in findings], as_json)
    else:
        for what, value in where.items():
            print(f"{what}: {value}")
        show([finding.row() for finding in findings], as_json)
    if wrong := [finding for finding in findings if finding.state != "ok"]:
        raise BenchError(
            f"{len(wrong)} of {len(findings)} kernels compute wrong numbers on this machine, for example "
            f"{wrong[0].kernel}. Expected: the result of float64. {wrong[0].advice[0].upper()}{wrong[0].advice[1:]}."
        )
