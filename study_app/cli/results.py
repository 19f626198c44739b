"""Subcommands of `bench study` that read, simulate or plan a study, and `bench agree` and `bench reproduce`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from bench.cli_options import (
    ConfigFile,
    DataRoot,
    Device,
    Offline,
    Preset,
    Seeds,
    SettingOverrides,
    Steps,
    configure,
    numbers,
    print_grid,
    print_json,
)
from bench.registry import SYNTHETIC
from study_app.cli.options import Database, Json, Name, open_study


def status(db: Database = None, study: Name = None, as_json: Json = False) -> None:
    """Show the progress of a study."""
    from study_app.pipeline.status import lines
    from study_app.pipeline.status import status as read_status

    standing = read_status(open_study(db, study))
    typer.echo(json.dumps(standing, indent=2) if as_json else "\n".join(lines(standing)))


def export(
    db: Database = None,
    study: Name = None,
    out: Annotated[Path, typer.Option(help="Output folder.")] = Path("study-export"),
) -> None:
    """Write votes.csv, pos.csv, study.json, raters.csv, screens.csv, and Tables II and III in every form."""
    from study_app.pipeline.export import export as write_files

    for path in write_files(open_study(db, study), out):
        typer.echo(path)


def simulate(
    db: Database = None,
    study: Name = None,
    raters: Annotated[int, typer.Option(help="Synthetic raters.")] = 16,
    rater_sd: Annotated[float, typer.Option(help="Standard deviation over raters (log odds).")] = 0.3,
    clip_sd: Annotated[float, typer.Option(help="Standard deviation over clips (log odds).")] = 0.5,
    careless: Annotated[float, typer.Option(help="Share of raters who answer at random.")] = 0.0,
    seed: Annotated[int, typer.Option(help="Seed for the raters.")] = 0,
) -> None:
    """Let synthetic raters rate a marked copy of a study."""
    from study_app.pipeline.simulate import PAPER_STRENGTHS, Crowd
    from study_app.pipeline.simulate import simulate as run
    from study_app.store.store import Store

    store = Store(db)
    twin, votes = run(store, store.open(study), raters, Crowd(PAPER_STRENGTHS, rater_sd, clip_sd, careless), seed)
    typer.echo(f"{votes} simulated votes in the study '{twin.name}'. To see it, use --study '{twin.name}'.")


def plan(
    comparisons: Annotated[int, typer.Option(help="Number of comparisons; Holm corrects over them.")] = 7,
    raters: Annotated[int, typer.Option(help="Raters.")] = 30,
    clips: Annotated[int, typer.Option(help="Clips per comparison.")] = 100,
    videos: Annotated[int | None, typer.Option(help="Number of source videos; default: one per clip.")] = None,
    votes: Annotated[int, typer.Option(help="Votes per pair.")] = 1,
    preference: Annotated[float, typer.Option(help="True share of votes for the first method.")] = 0.6,
    rater_sd: Annotated[float, typer.Option(help="Standard deviation over raters (log odds).")] = 0.3,
    clip_sd: Annotated[float, typer.Option(help="Standard deviation over clips (log odds).")] = 0.5,
    workload: Annotated[int | None, typer.Option(help="Trials per rater; default: as in `create`.")] = None,
    unequal: Annotated[
        float, typer.Option(help="Standard deviation of session lengths, as a share of their mean.")
    ] = 0.0,
    drop_out: Annotated[float, typer.Option(help="Share of raters who leave early.")] = 0.0,
    seed: Annotated[int, typer.Option(help="Seed for the simulation.")] = 0,
    out: Annotated[Path | None, typer.Option(help="Folder for plan.json, plan.csv and a figure.")] = None,
    as_json: Json = False,
) -> None:
    """Simulate how likely a study is to find a preference, and how many votes it needs."""
    from study_app.design.power import Design
    from study_app.pipeline.power_analysis import power_analysis as simulate_plan
    from study_app.pipeline.power_analysis import write

    of = clips if videos is None else videos
    sizes = Design(comparisons, raters, clips, votes, preference, of, rater_sd, clip_sd, workload, unequal, drop_out)
    planned = simulate_plan(sizes, seed=seed)
    written = write(planned, out) if out else []
    typer.echo(json.dumps(planned.as_json(), indent=2) if as_json else "\n".join(planned.lines()))
    for path in written:
        typer.echo(path, err=True)


def agree(
    run: Annotated[Path, typer.Argument(help="Results folder of `bench run` or `bench score`.")],
    study: Annotated[str, typer.Argument(help="Exported folder, votes.csv, SQLite file or database URL.")],
    name: Name = None,
    out: Annotated[Path | None, typer.Option(help="Folder for table and figure; default: RUN/agreement.")] = None,
    as_json: Json = False,
) -> None:
    """Measure how well each metric predicts raters' choices (compared with how well other raters do) or grades."""
    from bench.report.tables.printed_table import to_json
    from study_app.pipeline.agree import agree as compare_with_votes
    from study_app.pipeline.agree_grades import agree_grades, ratings_of

    ratings = ratings_of(study, name)
    if ratings is not None:
        grid = agree_grades(run, ratings, out)
    else:
        _, grid = compare_with_votes(run, study, name, out)
    if as_json:
        print_json(to_json(grid))
    elif ratings is not None:
        print_grid(grid)
        print(f"Tables: {out or run / 'agreement'}/agree.csv, .json, .tex, .md")
    else:
        print_grid(grid)
        print(f"Tables: {out or run / 'agreement'}/agree.csv, .json, .tex, .md   Figure: agree.png, .pdf")


def reproduce(
    table: Annotated[str, typer.Argument(help="table2, table3 or table4.")],
    data_root: DataRoot = SYNTHETIC,
    out: Annotated[Path | None, typer.Option(help="Run folder; default: named after the table and the preset.")] = None,
    preset: Preset = "auto",
    seeds: Seeds = "",
    steps: Steps = None,
    device: Device = "auto",
    config: ConfigFile = None,
    settings: SettingOverrides = None,
    offline: Offline = False,
    as_json: Json = False,
) -> None:
    """Reproduce a table of the MD-GAN paper by its own protocol, with every deviation listed below it.

    table4: MSE, PSNR and SSIM on 1,000 test pairs of Beach. table2 and table3: preference scores on 100 clips of Sky
    Time-lapse; the study is created, and its votes are tallied once there are any.
    """
    from bench.report.tables.printed_table import to_json
    from study_app.pipeline.reproduce import paper
    from study_app.pipeline.reproduce import reproduce as reproduce_table

    wanted = paper(table)
    given = {"data_root": data_root, "seeds": numbers(seeds) or None, "steps": steps, "device": device}
    chosen = configure(wanted.models, preset, config, settings or [], {**wanted.settings, **given}, baseline=True)
    folder = out or Path("results") / f"{wanted.folder}-{chosen.preset}"
    grid = reproduce_table(table, chosen, folder, offline=offline)
    if as_json:
        print_json(to_json(grid))
    else:
        print_grid(grid)
        print(f"Tables: {folder}/{table}.csv, .json, .tex, .md   Report: {folder}/report.html")
