"""Subcommands about existing results: `bench report`, `compare`, `export` and `leaderboard`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from bench.cli_options import Ci, Json, print_folder, print_json, print_scores, show


def report(
    folder: Annotated[Path, typer.Argument(help="Results folder of `bench run` or `bench score`.")],
    study: Annotated[
        Path | None, typer.Option(help="Folder written by `bench study export`; default: FOLDER/study.")
    ] = None,
    ci: Ci = False,
    holm: Annotated[
        bool, typer.Option("--holm-metrics", help="Correct the marks for the number of metrics (Holm); implies --ci.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Make tables, figures and the HTML report again from stored scores, with a study's results if there is one."""
    from bench.pipeline.single_steps import report_alone

    table = report_alone(folder, ci or holm, study, holm)
    if as_json:
        print_folder(folder)
    else:
        print_scores(table, folder)
        print(f"{folder / 'report.html'}")


def compare(
    folders: Annotated[list[Path], typer.Argument(help="Results folders of `bench run` or `bench score`.")],
    out: Annotated[Path | None, typer.Option(help="Folder for the joined tables.")] = None,
    margin: Annotated[list[str] | None, typer.Option(help="METRIC=LARGEST: test for equivalence instead.")] = None,
    ci: Ci = False,
    as_json: Json = False,
) -> None:
    """Join runs into one table; if their numbers are not comparable, an error shows what differs.

    With --margin ssim=0.02: test which methods, in one folder or several, differ by less than that.
    """
    from bench.pipeline.compare import compare as compare_runs

    if margin:
        from bench.pipeline.equivalence import equivalent_rows, margins_of, printed

        tested = equivalent_rows(folders, margins_of(margin))
        show(tested if as_json else printed(tested), as_json)
        return
    table = compare_runs(folders, out, ci)
    if as_json:
        lines = zip(table.rows, table.cells, strict=True)
        rows = [{"row": row} | {h: c.whole for h, c in zip(table.heads, cells, strict=True)} for row, cells in lines]
        print_json({"caption": table.caption, "rows": rows, "notes": list(table.notes)})
    else:
        print_scores(table)


def export(
    folder: Annotated[Path, typer.Argument(help="Results folder of `bench run` or `bench score`.")],
    to: Annotated[Path, typer.Option(help="File to write.")] = Path("results.json"),
    by: Annotated[str, typer.Option(help="Author's name, as shown on a leaderboard.")] = "",
) -> None:
    """Write the stored numbers, with protocol and provenance, into one file that you can share."""
    from bench.report.export_results import export as write

    write(folder, to, by)
    print(to)


def leaderboard(
    files: Annotated[list[Path], typer.Argument(help="Files that `bench export` wrote, or published figures.")],
    out: Annotated[Path, typer.Option(help="Folder for the page and the CSV.")],
) -> None:
    """Make one static page from many results files, with a separate table for each protocol."""
    from bench.report.html.leaderboard import PAGE, TABLE
    from bench.report.html.leaderboard import leaderboard as write

    write(files, out)
    print(f"{out / PAGE}\n{out / TABLE}")
